//! Relaxed canonicalization (RFC 6376 §3.4.2, §3.4.4) of a message that arrives in chunks.

use aws_lc_rs::digest::{Context, SHA256, SHA512};

use super::Hash;
use crate::message::text::is_space;

/// Canonical octets collected before they are hashed.
const BUFFER: usize = 16 * 1024;

/// Hashes a body in its canonical form.
pub(crate) struct BodyHash {
    digest: Context,
    buffer: Vec<u8>,
    /// The line being read has something on it.
    in_line: bool,
    /// White space was read that counts once something follows it.
    blank: bool,
    /// A CR was read that counts unless LF follows.
    cr: bool,
    /// Empty lines that count once a line follows that is not.
    empty_lines: usize,
}

impl std::fmt::Debug for BodyHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyHash").finish_non_exhaustive()
    }
}

impl BodyHash {
    pub(super) fn new(hash: Hash) -> Self {
        let algorithm = match hash {
            Hash::Sha256 => &SHA256,
            Hash::Sha512 => &SHA512,
        };
        let buffer = Vec::with_capacity(BUFFER + 128);
        Self {
            digest: Context::new(algorithm),
            buffer,
            in_line: false,
            blank: false,
            cr: false,
            empty_lines: 0,
        }
    }

    /// Takes the next octets of the body.
    pub(crate) fn update(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while let Some(&byte) = rest.first() {
            if byte != b'\n' && std::mem::take(&mut self.cr) {
                self.text(b"\r");
            }
            let mut taken = 1;
            match byte {
                b'\n' => self.end_of_line(),
                b'\r' => self.cr = true,
                b' ' | b'\t' => self.blank = true,
                _ => {
                    taken = run_of_text(rest);
                    self.text(&rest[..taken]);
                }
            }
            rest = &rest[taken..];
        }
    }

    fn end_of_line(&mut self) {
        if self.in_line {
            self.put(b"\r\n");
            self.in_line = false;
        } else {
            self.empty_lines += 1;
        }
        self.blank = false;
        self.cr = false;
    }

    fn text(&mut self, text: &[u8]) {
        if !self.in_line {
            self.in_line = true;
            for _ in 0..std::mem::take(&mut self.empty_lines) {
                self.put(b"\r\n");
            }
        }
        if std::mem::take(&mut self.blank) {
            self.put(b" ");
        }
        self.put(text);
    }

    fn put(&mut self, octets: &[u8]) {
        if self.buffer.len() + octets.len() > BUFFER {
            self.digest.update(&self.buffer);
            self.buffer.clear();
        }
        if octets.len() > BUFFER {
            self.digest.update(octets);
        } else {
            self.buffer.extend_from_slice(octets);
        }
    }

    /// The hash of all of it.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.cr {
            self.text(b"\r");
        }
        if self.in_line {
            self.put(b"\r\n");
        }
        self.digest.update(&self.buffer);
        self.digest.finish().as_ref().to_vec()
    }
}

/// Octets that are hashed as they are.
fn run_of_text(octets: &[u8]) -> usize {
    let end = memchr::memchr3(b'\r', b'\n', b' ', octets).unwrap_or(octets.len());
    memchr::memchr(b'\t', &octets[..end]).unwrap_or(end)
}

/// Appends a header's value in canonical form: unfolded, white space single, none at the ends.
pub(super) fn relaxed_value(field: &[u8], out: &mut Vec<u8>) {
    let value = memchr::memchr(b':', field).map_or(field, |colon| &field[colon + 1..]);
    let start = out.len();
    for (at, &byte) in value.iter().enumerate() {
        match byte {
            b'\n' => (),
            b'\r' if value.get(at + 1) == Some(&b'\n') => (),
            b' ' | b'\t' if out.len() > start && out.last() == Some(&b' ') => (),
            b' ' | b'\t' if out.len() == start => (),
            b' ' | b'\t' => out.push(b' '),
            _ => out.push(byte),
        }
    }
    if out.len() > start && out.last() == Some(&b' ') {
        out.pop();
    }
}

/// The headers of a message.
pub(super) struct Head<'a> {
    /// Name in lower case and the whole field, in order.
    fields: Vec<(Vec<u8>, &'a [u8])>,
}

impl<'a> Head<'a> {
    pub(super) fn parse(head: &'a [u8]) -> Self {
        let mut fields = Vec::new();
        let mut start = 0;
        while start < head.len() {
            let end = end_of_field(head, start);
            let field = &head[start..end];
            let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
            if !field.iter().all(blank) {
                let name = &field[..memchr::memchr(b':', field).unwrap_or(0)];
                fields.push((trim_blanks(name).to_ascii_lowercase(), without_line_end(field)));
            }
            start = end;
        }
        Self { fields }
    }

    /// The names of the fields to sign, and their canonical lines: of each the last one.
    pub(super) fn select(&self, names: &str, skip: &str) -> (Vec<u8>, Vec<u8>) {
        let (names, skip) = (names.to_lowercase(), skip.to_lowercase());
        let skipped: Vec<&str> = skip.split(':').map(|name| name.trim_matches(is_space)).collect();
        let mut seen = Vec::new();
        let mut lines = Vec::new();
        for name in names.split(':').map(|name| name.trim_matches(is_space)) {
            let found = self.fields.iter().rev().find(|(key, _)| key == name.as_bytes());
            let (Some((_, field)), false) = (found, skipped.contains(&name) || seen.contains(&name)) else {
                continue;
            };
            seen.push(name);
            lines.extend_from_slice(name.as_bytes());
            lines.push(b':');
            relaxed_value(field, &mut lines);
            lines.extend_from_slice(b"\r\n");
        }
        if lines.is_empty() {
            lines.extend_from_slice(b"\r\n");
        }
        (seen.join(":").into_bytes(), lines)
    }
}

/// End of the field that begins at `start`, continuation lines and line break included.
fn end_of_field(head: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(lf) = memchr::memchr(b'\n', &head[at..]) {
        at += lf + 1;
        if !matches!(head.get(at), Some(b' ' | b'\t')) {
            return at;
        }
    }
    head.len()
}

fn trim_blanks(name: &[u8]) -> &[u8] {
    let text = |b: &u8| !matches!(b, b' ' | b'\t');
    let start = name.iter().position(text).unwrap_or(name.len());
    let end = name.iter().rposition(text).map_or(start, |at| at + 1);
    &name[start..end]
}

fn without_line_end(field: &[u8]) -> &[u8] {
    let field = field.strip_suffix(b"\n").unwrap_or(field);
    field.strip_suffix(b"\r").unwrap_or(field)
}

/// Finds the end of a message's headers across chunks.
#[derive(Debug, Default)]
pub(crate) struct HeadSplitter {
    head: Vec<u8>,
    done: bool,
}

impl HeadSplitter {
    /// Takes the next chunk and returns what of it belongs to the body.
    pub(crate) fn push<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        if self.done {
            return chunk;
        }
        for at in memchr::memchr_iter(b'\n', chunk) {
            let before = |back: usize| {
                at.checked_sub(back).map_or_else(|| self.octet_back(back - at), |i| chunk.get(i).copied())
            };
            if before(1) == Some(b'\n') || (before(1) == Some(b'\r') && before(2) == Some(b'\n')) {
                self.head.extend_from_slice(&chunk[..=at]);
                self.done = true;
                return &chunk[at + 1..];
            }
        }
        self.head.extend_from_slice(chunk);
        &[]
    }

    fn octet_back(&self, back: usize) -> Option<u8> {
        self.head.len().checked_sub(back).and_then(|i| self.head.get(i).copied())
    }

    /// The headers as far as they were read, the empty line included.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is hashed, recorded instead: the body hash of the canonical form computed another way.
    fn hash(chunks: &[&[u8]]) -> Vec<u8> {
        let mut hash = BodyHash::new(Hash::Sha256);
        for chunk in chunks {
            hash.update(chunk);
        }
        hash.finish()
    }

    fn sha256(text: &[u8]) -> Vec<u8> {
        aws_lc_rs::digest::digest(&SHA256, text).as_ref().to_vec()
    }

    #[test]
    fn bodies_are_hashed_in_canonical_form() {
        for (body, canonical) in [
            (" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"),
            ("", ""),
            ("\r\n\r\n", ""),
            ("a", "a\r\n"),
            ("a\nb", "a\r\nb\r\n"),
            ("a \r b\r", "a \r b\r\r\n"),
            ("\n\na\t\n", "\r\n\r\na\r\n"),
        ] {
            assert_eq!(hash(&[body.as_bytes()]), sha256(canonical.as_bytes()), "{body:?}");
        }
    }

    #[test]
    fn the_head_ends_at_the_first_empty_line_wherever_chunks_end() {
        let message = b"A: b\r\n c\r\n\r\nbody\n\nmore";
        for cut in 0..message.len() {
            let mut splitter = HeadSplitter::default();
            let mut body = splitter.push(&message[..cut]).to_vec();
            body.extend_from_slice(splitter.push(&message[cut..]));
            assert_eq!((splitter.head(), body.as_slice()), (&message[..12], &message[12..]), "{cut}");
        }
    }

    #[test]
    fn of_several_fields_the_last_is_signed() {
        let head = Head::parse(b"Subject: one\r\nX: y\r\nsubject :  two\r\n\t three \r\n\r\n");
        let (names, lines) = head.select("From:Subject: subject:X", "x");
        assert_eq!((names.as_slice(), lines.as_slice()), (&b"subject"[..], &b"subject:two three\r\n"[..]));
    }

    proptest::proptest! {
        #[test]
        fn chunks_do_not_show(body in "[ab \t\r\n]{0,200}", cut in 0_usize..200) {
            let (a, b) = body.as_bytes().split_at(cut.min(body.len()));
            proptest::prop_assert_eq!(hash(&[a, b]), hash(&[body.as_bytes()]));
        }
    }
}
