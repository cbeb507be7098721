//! What an encoder writes decodes to what it was given, within the lines a mail may have.

#![no_main]

#[path = "../support/compose.rs"]
mod compose;

use compose::compose;
use libfuzzer_sys::fuzz_target;
use postpool::message::Part;
use serde_json::json;

fuzz_target!(|input: (bool, bool, u8, Vec<u8>)| {
    let (base64, from_file, repeat, content) = input;
    let content = content.repeat(usize::from(repeat) + 1);
    let transfer = if base64 { "base64" } else { "quoted-printable" };
    let headers = json!([{ "k": "Content-Type", "v": "application/x" }, { "k": "Content-Transfer-Encoding", "v": transfer }]);
    let source = if from_file { json!({ "file": "x" }) } else { json!({ "part": 0 }) };
    let out = compose(
        json!({ "headers": headers, "content": source }),
        vec![Part::Bytes(content.clone().into())],
        &content,
    );
    let end = out.windows(4).position(|window| window == b"\r\n\r\n").expect("end of headers");
    let body = &out[end + 4..];
    assert!(body.split(|byte| *byte == b'\n').all(|line| line.len() <= 77));
    let decoded = if base64 {
        encodify::base64::MIME.decode(body).expect("base64")
    } else {
        encodify::qp::BODY.decode(body).expect("quoted-printable").into_owned()
    };
    // The message ends with a line break, which content that does not is given.
    let rest = decoded.strip_prefix(content.as_slice()).expect("the content");
    assert!(matches!(rest, b"" | b"\n" | b"\r\n"), "{rest:?}");
});
