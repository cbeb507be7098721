//! Text that crossed as UTF-16 makes the message that its UTF-8 makes.

#![no_main]

#[path = "../support/compose.rs"]
mod compose;

use compose::compose;
use libfuzzer_sys::fuzz_target;
use postpool::message::Part;
use serde_json::json;

fuzz_target!(|input: (u8, u8, Option<bool>, Vec<u16>)| {
    let (repeat, kind, base64, units) = input;
    let kind = ["text/plain", "text/html; charset=utf-8", "application/x"][usize::from(kind % 3)];
    let units = units.repeat(usize::from(repeat) + 1);
    let utf8 = String::from_utf16_lossy(&units);
    let mut headers = vec![json!({ "k": "Content-Type", "v": kind })];
    if let Some(base64) = base64 {
        let transfer = if base64 { "base64" } else { "quoted-printable" };
        headers.push(json!({ "k": "Content-Transfer-Encoding", "v": transfer }));
    }
    let composed = |part| compose(json!({ "headers": headers, "content": { "part": 0 } }), vec![part], &[]);
    assert_eq!(composed(Part::from(units)), composed(Part::Text(utf8.into_bytes().into())));
});
