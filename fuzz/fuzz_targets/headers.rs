//! No text of a caller ends its header early, whatever the header.

#![no_main]

#[path = "../support/compose.rs"]
mod compose;

use compose::{assert_no_injected_line, compose};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const KEYS: [&str; 8] = [
    "Subject",
    "Message-ID",
    "References",
    "Content-Type",
    "Content-Disposition",
    "OTP-Token",
    "Date",
    "X-Any",
];

fuzz_target!(|input: (u8, String, String)| {
    let (choice, text, filename) = input;
    let key = KEYS[usize::from(choice) % KEYS.len()];
    let structured = json!({ "value": "text/plain", "params": [["p", text]] });
    let field = json!({
        "k": key,
        "v": text,
        "ids": if key == "References" { json!([text]) } else { json!(null) },
        "s": if choice > 127 { structured } else { json!(null) },
    });
    let out = compose(json!({ "headers": [field], "filename": filename }), Vec::new(), b"");
    assert_no_injected_line(&out, &[key, "Date", "MIME-Version", "Content-Disposition", "Content-Type"]);
});
