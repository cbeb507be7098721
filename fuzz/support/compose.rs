//! Composing what a fuzz target made up.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use postpool::mail::{ChunkSource, Message};
use postpool::message::{FileOpener, Part, Recorded};
use serde_json::{Value, json};

/// A file whose content is the target's input, in chunks of a disk's size.
#[derive(Debug)]
pub struct OneFile(pub Vec<u8>);

#[derive(Debug)]
struct Chunks(std::vec::IntoIter<bytes::Bytes>);

impl FileOpener for OneFile {
    fn open(&self, _: &str) -> Box<dyn ChunkSource> {
        let chunks: Vec<_> = self.0.chunks(64 * 1024).map(bytes::Bytes::copy_from_slice).collect();
        Box::new(Chunks(chunks.into_iter()))
    }
}

impl ChunkSource for Chunks {
    fn poll_chunk(&mut self, _: &mut Context<'_>) -> Poll<Option<postpool::error::Result<bytes::Bytes>>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}

/// The message of a root part.
pub fn compose(root: Value, parts: Vec<Part>, file: &[u8]) -> Vec<u8> {
    let record = json!({ "boundary": "b", "date": "d", "id": "i", "root": root }).to_string();
    let message = Recorded::new(record, parts, Arc::new(OneFile(file.to_vec())));
    let mut body = message.prepare().expect("a record that is well formed").body;
    let mut out = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(stretch)) = body.poll_octets(&mut cx, &mut out) {
        stretch.expect("a file that can be read");
    }
    out
}

/// Fails if the headers hold a line that is neither a header the target set nor a folded one.
#[allow(dead_code, reason = "not every target looks at headers")]
pub fn assert_no_injected_line(message: &[u8], names: &[&str]) {
    let text = String::from_utf8_lossy(message);
    let (head, _) = text.split_once("\r\n\r\n").expect("end of headers");
    for line in head.split("\r\n") {
        let known =
            names.iter().any(|name| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')));
        // Lines are folded at any white space, a no-break space in an address included.
        assert!(known || line.starts_with(char::is_whitespace), "{line:?}");
        assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
    }
}
