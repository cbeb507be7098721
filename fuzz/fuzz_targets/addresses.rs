//! Any list, name or address that crosses gives one To header and an envelope without duplicates.

#![no_main]

#[path = "../support/compose.rs"]
mod compose;

use compose::{assert_no_injected_line, compose};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|input: (String, Vec<(String, String)>)| {
    let (list, mailboxes) = input;
    // What reaches the record has no control characters: see the pattern in lib/record/address.js.
    let clean = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    let members: Vec<_> =
        mailboxes.iter().map(|(name, address)| json!({ "name": name, "address": clean(address) })).collect();
    let entries = json!([{ "list": clean(&list) }, { "name": list, "group": members }]);
    let out = compose(json!({ "headers": [{ "k": "To", "a": entries }] }), Vec::new(), b"");
    assert_no_injected_line(&out, &["To", "Date", "MIME-Version"]);
});
