//! The room as a whole: records in, messages out.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{FileOpener, Part, Recorded};
use crate::error::{Code, Error, Result};
use crate::mail::{Body, ChunkSource, Composer, Lines, Message, Prepared};

/// Files that are all the same, in chunks as long as a disk would give them.
#[derive(Debug)]
struct Fake(Vec<Bytes>);

#[derive(Debug)]
struct FakeFile(std::vec::IntoIter<Bytes>);

impl FileOpener for Fake {
    fn open(&self, path: &str) -> Box<dyn ChunkSource> {
        let chunks = if path == "missing" { Vec::new() } else { self.0.clone() };
        Box::new(FakeFile(chunks.into_iter()))
    }
}

impl ChunkSource for FakeFile {
    fn poll_chunk(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}

fn prepare(record: &Value, parts: Vec<Part>, file: &[u8]) -> Result<Prepared> {
    let chunks = file.chunks(64 * 1024).map(Bytes::copy_from_slice).collect();
    Recorded::new(record.to_string(), parts, Arc::new(Fake(chunks))).prepare()
}

fn octets(mut body: Body) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(stretch)) = body.poll_octets(&mut cx, &mut out) {
        stretch?;
    }
    Ok(out)
}

fn message(root: Value) -> Value {
    json!({ "boundary": "b", "date": "d", "id": "i", "root": root })
}

fn compose(record: &Value) -> String {
    let prepared = prepare(record, Vec::new(), b"").expect("record");
    String::from_utf8(octets(prepared.body).expect("body")).expect("text")
}

#[test]
fn a_message_without_anything_still_has_what_it_must() {
    assert_eq!(compose(&message(json!({}))), "Date: d\r\nMIME-Version: 1.0\r\n\r\n");
}

#[test]
fn the_generated_id_takes_the_senders_domain() {
    let headers =
        json!([{ "k": "From", "a": [{ "list": "A <a@B.example>" }] }, { "k": "Message-ID", "gen": true }]);
    let prepared = prepare(&message(json!({ "headers": headers })), Vec::new(), b"").expect("record");
    assert_eq!(prepared.message_id, "<i@b.example>");
    assert_eq!(prepared.envelope.from, "a@b.example");
}

#[test]
fn blind_copies_are_in_the_envelope_only() {
    let headers = json!([{ "k": "To", "a": [{ "list": "a@b.c" }] }, { "k": "Bcc", "a": [{ "list": "x@y.z, A@b.c, a@b.c" }] }]);
    let record = message(json!({ "headers": headers }));
    let prepared = prepare(&record, Vec::new(), b"").expect("record");
    assert_eq!(prepared.envelope.to, ["a@b.c", "x@y.z", "A@b.c"]);
    assert!(!compose(&record).contains("x@y.z"));
}

#[test]
fn a_boundary_is_numbered_by_its_part() {
    let html = json!({ "headers": [{ "k": "Content-Type", "v": "text/html" }], "content": { "text": "x" } });
    let branch =
        |kind: &str, nodes: Value| json!({ "headers": [{ "k": "Content-Type", "v": kind }], "nodes": nodes });
    let record =
        message(branch("multipart/mixed", json!([branch("multipart/related", json!([html.clone()])), html])));
    let text = compose(&record);
    assert!(text.contains(
        "\r\n----_NmP-b-Part_1\r\nContent-Type: multipart/related; boundary=\"--_NmP-b-Part_2\"\r\n"
    ));
    assert!(text.ends_with("\r\n----_NmP-b-Part_1--\r\n"));
}

#[test]
fn a_record_that_is_none_is_an_error_of_the_engine() {
    for record in ["{", "x", r#"{"root":1}"#] {
        let message = Recorded::new(record, Vec::new(), Arc::new(Fake(Vec::new())));
        assert_eq!(message.prepare().expect_err("no record").code(), Code::Internal, "{record}");
    }
}

#[test]
fn a_key_that_cannot_sign_fails_the_message() {
    let mut record = message(json!({}));
    record["dkim"] = json!({ "keys": [{ "domain": "d", "selector": "s", "part": 0 }] });
    for parts in [Vec::new(), vec![Part::Bytes(Bytes::from_static(b"no key"))]] {
        assert_eq!(prepare(&record, parts, b"").expect_err("no key").code(), Code::Dkim);
    }
}

/// A message with one attachment that is a file, or the same content in memory.
fn with_attachment(content: Value, transfer: &str, newline: Option<&str>) -> Value {
    let headers = json!([
        { "k": "Content-Type", "v": "application/x" },
        { "k": "Content-Transfer-Encoding", "v": transfer },
    ]);
    let part = json!({ "headers": headers, "content": content });
    let root = json!({ "headers": [{ "k": "Content-Type", "v": "multipart/mixed" }], "nodes": [part] });
    let mut record = message(root);
    record["newline"] = json!(newline);
    record
}

/// Stretches a body is composed in, each with what is said of its lines.
fn stretches(composer: &mut dyn Composer) -> Vec<(Vec<u8>, Lines)> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut all = Vec::new();
    let mut out = Vec::new();
    while let Poll::Ready(Some(lines)) = composer.poll_compose(&mut cx, &mut out) {
        all.push((std::mem::take(&mut out), lines.expect("no file")));
    }
    all
}

#[test]
fn large_attachments_are_composed_in_stretches_that_are_what_was_announced() {
    let noise: Vec<u8> = (0..400_000_u32).map(|nr| (nr.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let lengths = [116_737, 116_738, 175_103, 175_104, 175_105, 400_000];
    for (transfer, length) in ["base64", "8bit"].into_iter().flat_map(|name| lengths.map(|nr| (name, nr))) {
        let content = &noise[..length];
        let record = with_attachment(json!({ "part": 0 }), transfer, None);
        let parts = vec![Part::Bytes(Bytes::copy_from_slice(content))];
        let Body::Composed(mut composer) = prepare(&record, parts, b"").expect("record").body else {
            panic!("{transfer} {length}: the attachment is held twice");
        };
        let (size, eight_bit) = (composer.size(), composer.is_eight_bit());
        let stretches = stretches(&mut *composer);
        let message: Vec<u8> = stretches.iter().flat_map(|(octets, _)| octets).copied().collect();
        let file = with_attachment(json!({ "file": "x" }), transfer, None);
        let streamed = octets(prepare(&file, Vec::new(), content).expect("record").body).expect("file");
        assert!(message == streamed, "{transfer} {length}");
        assert_eq!(size, Some(message.len() as u64), "{transfer} {length}");
        assert_eq!(eight_bit, !message.is_ascii(), "{transfer} {length}");
        assert!(stretches.iter().all(|(octets, _)| octets.len() < 96 * 1024), "{transfer} {length}");
        for (octets, _) in stretches.iter().filter(|(_, lines)| *lines == Lines::Plain) {
            assert!(memchr::memmem::find(octets, b"\n.").is_none() && !octets.starts_with(b"."));
            let lone = String::from_utf8_lossy(octets).replace("\r\n", "").contains(['\r', '\n']);
            assert!(!lone, "{transfer} {length}");
        }
    }
}

#[test]
fn a_signed_or_rewritten_message_is_composed_at_once() {
    for newline in [None, Some("unix")] {
        let mut record = with_attachment(json!({ "part": 1 }), "base64", newline);
        let key = if newline.is_none() { sign(&mut record) } else { Part::Text(Bytes::new()) };
        let parts = vec![key, Part::Bytes(vec![7; 200_000].into())];
        let body = prepare(&record, parts, b"").expect("record").body;
        assert!(matches!(body, Body::Whole(_)), "{newline:?}");
    }
}

/// An Ed25519 key for signatures that do not change.
fn sign(record: &mut Value) -> Part {
    let seed =
        b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20postpool tests postpool tests!!!";
    record["dkim"] = json!({ "keys": [{ "domain": "d", "selector": "s", "part": 0 }] });
    Part::Bytes(Bytes::from_static(seed))
}

#[test]
fn a_file_that_changes_while_it_is_sent_fails_the_message() {
    #[derive(Debug)]
    struct Changing(std::sync::atomic::AtomicU8);
    impl FileOpener for Changing {
        fn open(&self, _: &str) -> Box<dyn ChunkSource> {
            let nr = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Box::new(FakeFile(vec![Bytes::from(vec![nr])].into_iter()))
        }
    }
    let mut record = with_attachment(json!({ "file": "x" }), "base64", None);
    let key = sign(&mut record);
    let message = Recorded::new(record.to_string(), vec![key], Arc::new(Changing(0.into())));
    let error: Error = octets(message.prepare().expect("record").body).expect_err("changed");
    assert_eq!(error.code(), Code::Stream);
}

proptest! {
    #[test]
    fn a_file_comes_out_as_its_content_in_memory(
        file in proptest::collection::vec(0_u8.., 0..3000),
        repeat in prop_oneof![Just(1_usize), Just(40)],
        transfer in prop_oneof![Just("base64"), Just("8bit")],
        newline in prop_oneof![Just(None), Just(Some("unix")), Just(Some("windows"))],
        signed in any::<bool>(),
    ) {
        let content = file.repeat(repeat);
        let mut from_file = with_attachment(json!({ "file": "x" }), transfer, newline);
        let mut from_memory = with_attachment(json!({ "part": 1 }), transfer, newline);
        let mut parts = vec![Part::Text(Bytes::new()), Part::Bytes(content.clone().into())];
        if signed {
            parts[0] = sign(&mut from_memory);
            sign(&mut from_file);
        }
        let whole = octets(prepare(&from_memory, parts.clone(), b"").expect("record").body).expect("whole");
        let streamed = octets(prepare(&from_file, parts, &content).expect("record").body).expect("streamed");
        prop_assert!(whole == streamed);
    }

    #[test]
    fn no_text_of_a_caller_adds_a_header_or_a_line(
        key in prop_oneof![Just("Subject"), Just("Message-ID"), Just("References"), Just("Content-Type"), Just("Content-Disposition"), Just("X-Any")],
        text in "[ -~\r\n\t\u{0}\u{e9}\u{1f600}]{0,200}",
    ) {
        let field = json!({ "k": key, "v": text, "ids": if key == "References" { json!([text]) } else { json!(null) } });
        let out = compose(&message(json!({ "headers": [field], "filename": text })));
        let (head, _) = out.split_once("\r\n\r\n").expect("end of headers");
        for line in head.split("\r\n") {
            let known = [key, "Date", "MIME-Version", "Content-Disposition", "Content-Type"];
            let field = known.iter().any(|name| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')));
            prop_assert!(field || line.starts_with([' ', '\t']), "{line:?}");
            prop_assert!(!line.contains(['\r', '\n', '\0']));
        }
    }
}
