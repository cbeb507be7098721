//! Arbitrary bodies in arbitrary pieces: a server reads back what was meant, and nothing else.

#![no_main]

use libfuzzer_sys::fuzz_target;
use postpool::wire::BodyEncoder;

#[path = "../support/model.rs"]
mod model;

fn encode(mut encoder: BodyEncoder, pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        encoder.encode(piece, &mut out);
    }
    encoder.finish(&mut out);
    assert_eq!(encoder.written(), out.len() as u64);
    out
}

fuzz_target!(|pieces: Vec<Vec<u8>>| {
    let whole = vec![pieces.concat()];
    let meant = model::normalised(&whole[0]);
    let data = encode(BodyEncoder::for_data(), &pieces);
    assert_eq!(data, encode(BodyEncoder::for_data(), &whole));
    let (body, rest) = model::unstuff(&data).expect("an end");
    assert_eq!((body, rest.len()), (meant.clone(), 0));
    let chunk = encode(BodyEncoder::for_bdat(), &pieces);
    assert_eq!(chunk, encode(BodyEncoder::for_bdat(), &whole));
    // An empty message is an empty chunk, but one line behind DATA.
    assert_eq!(chunk, if whole[0].is_empty() { Vec::new() } else { meant });
});
