//! Arbitrary bytes into the reply reader: the split does not matter, and nothing piles up.

#![no_main]

use libfuzzer_sys::fuzz_target;
use postpool::wire::{Reply, ReplyReader};

const LARGEST: usize = 512;

/// All replies of the stream, and whether the reader refused it.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Reply>, bool) {
    let mut reader = ReplyReader::new(LARGEST);
    let (mut replies, mut fed, mut told) = (Vec::new(), 0, 0);
    for piece in pieces {
        reader.feed(piece);
        fed += piece.len();
        loop {
            match reader.next_reply() {
                Ok(Some(reply)) => {
                    // As Latin-1 an octet may take two.
                    assert!(reply.text.len() <= 2 * (LARGEST + piece.len()));
                    assert!(reply.code < 1000);
                    assert!(!reply.text.is_empty());
                    told = fed;
                    replies.push(reply);
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(error.is_fatal());
                    return (replies, true);
                }
            }
        }
        assert!(fed - told <= LARGEST + 2 * piece.len() || told == 0 || fed <= 2 * LARGEST + told);
    }
    let fragment = reader.take_refusal_fragment();
    assert!(fragment.is_none_or(|text| text.starts_with(['4', '5'])));
    (replies, false)
}

fuzz_target!(|input: (Vec<u8>, u8)| {
    let (stream, cut) = input;
    let (whole, refused) = read(stream.chunks(16));
    let (pieces, also_refused) = read(stream.chunks(usize::from(cut).max(1)));
    // Where a reader gives up depends on how much it is handed at once; what it read before does not.
    let common = whole.len().min(pieces.len());
    assert_eq!(whole[..common], pieces[..common]);
    assert!(refused || also_refused || whole.len() == pieces.len());
    for reply in whole {
        assert!(reply.lines().count() >= 1);
        let _ = postpool::error::enhanced_code(&reply.text);
    }
});
