//! Bytes of a message as they travel: every line end CRLF, leading dots doubled for DATA.
//!
//! A bare CR or LF becomes CRLF, so no server can read an end-of-data where there is none (SMTP
//! smuggling). The result is the same however the input is split.

use memchr::{memchr2, memmem};

use crate::mail::Lines;

/// Octets that are looked at together.
const BLOCK: usize = 64;

/// Normalises line ends and, for DATA, doubles leading dots.
#[derive(Debug, Clone)]
pub struct BodyEncoder {
    stuff: bool,
    /// The last byte seen; a line feed before the first.
    last: u8,
    empty: bool,
    written: u64,
}

impl BodyEncoder {
    /// For DATA: dot-stuffing, and [`finish`](Self::finish) writes the final dot.
    pub fn for_data() -> Self {
        Self { stuff: true, last: b'\n', empty: true, written: 0 }
    }

    /// For BDAT: line ends only.
    pub fn for_bdat() -> Self {
        Self { stuff: false, ..Self::for_data() }
    }

    /// Octets written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Appends the encoded chunk.
    pub fn encode(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let before = out.len();
        out.reserve(chunk.len() + chunk.len() / 64 + 8);
        self.encode_blocks(chunk, out);
        self.written += (out.len() - before) as u64;
    }

    /// Copies whole stretches of blocks that need nothing.
    fn encode_blocks(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        if chunk.is_empty() {
            return;
        }
        // A block is looked at with the octet before it, so the very first one is not part of any.
        self.encode_pieces(&chunk[..1], out);
        let (mut copied, mut at) = (1, 1);
        while let Some(block) = chunk[at - 1..].first_chunk() {
            if has_work(block) {
                self.copy(&chunk[copied..at], out);
                copied = at + BLOCK;
                self.encode_pieces(&chunk[at..copied], out);
            }
            at += BLOCK;
        }
        self.copy(&chunk[copied..at], out);
        self.encode_pieces(&chunk[at..], out);
    }

    fn copy(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let Some(&last) = octets.last() else { return };
        out.extend_from_slice(octets);
        self.last = last;
        self.empty = false;
    }

    /// Encodes in place what stands in the buffer from `start` on.
    pub fn settle(&mut self, out: &mut Vec<u8>, start: usize, lines: Lines) {
        let Some((&last, _)) = out[start..].split_last() else { return };
        if lines == Lines::Plain && self.last != b'\r' || self.needs_nothing(&out[start..]) {
            self.written += (out.len() - start) as u64;
            self.last = last;
            self.empty = false;
        } else {
            let chunk = out.split_off(start);
            self.encode(&chunk, out);
        }
    }

    fn needs_nothing(&self, chunk: &[u8]) -> bool {
        let begins_with_dot = self.last == b'\n' && chunk.first() == Some(&b'.');
        let has_dots = || begins_with_dot || memmem::find(chunk, b"\n.").is_some();
        has_clean_line_ends(self.last, chunk) && !(self.stuff && has_dots())
    }

    /// Takes one line after the other.
    fn encode_pieces(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let mut rest = chunk;
        while let Some(&first) = rest.first() {
            self.begin_piece(first, out);
            // The first byte is settled by what stood before it; search from the second on.
            let end = if matches!(first, b'\r' | b'\n') { 1 } else { line_end(rest) };
            out.extend_from_slice(&rest[..end]);
            self.last = rest[end - 1];
            self.empty = false;
            rest = &rest[end..];
        }
    }

    /// Ends the message: the line end that may be missing and, for DATA, the final dot.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let before = out.len();
        match self.last {
            b'\n' if self.empty && self.stuff => out.extend_from_slice(b"\r\n"),
            b'\n' => {}
            b'\r' => out.push(b'\n'),
            _ => out.extend_from_slice(b"\r\n"),
        }
        if self.stuff {
            out.extend_from_slice(b".\r\n");
        }
        self.last = b'\n';
        self.written += (out.len() - before) as u64;
    }

    /// What must stand before a byte, given the byte before it.
    fn begin_piece(&self, first: u8, out: &mut Vec<u8>) {
        match (self.last, first) {
            (b'\r', b'\n') => {}
            (b'\r', b'.') if self.stuff => out.extend_from_slice(b"\n."),
            (b'\r', _) => out.push(b'\n'),
            (_, b'\n') if self.last != b'\r' => out.push(b'\r'),
            (b'\n', b'.') if self.stuff => out.push(b'.'),
            _ => {}
        }
    }
}

/// Whether a block may need something, given with the octet before it: a CR without LF, an LF without
/// CR, a dot behind an LF. What a CR at its end needs is for the next block to say. No branch, so
/// that the compiler makes vectors of it.
fn has_work(octets: &[u8; BLOCK + 1]) -> bool {
    let mut work = 0;
    for i in 0..BLOCK {
        let (left, right) = (octets[i], octets[i + 1]);
        work |= u8::from(left == b'\r') ^ u8::from(right == b'\n');
        work |= u8::from(left == b'\n') & u8::from(right == b'.');
    }
    work != 0
}

/// Whether every LF stands behind a CR and every CR before an LF, given the byte before. One
/// comparison a byte and no branch, so that the compiler makes vectors of it.
fn has_clean_line_ends(before: u8, bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return true };
    // A line feed in front of the first byte is the end of an earlier line.
    let joint = (*first == b'\n') == (before == b'\r');
    let mut odd = 0_u8;
    for (left, right) in bytes.iter().zip(&bytes[1..]) {
        odd |= u8::from(*left == b'\r') ^ u8::from(*right == b'\n');
    }
    joint && odd == 0 && *last != b'\r'
}

/// Length of the piece that can be copied as it is: up to and with a CRLF, or up to before a bare
/// line end, or with a CR that ends the input.
fn line_end(bytes: &[u8]) -> usize {
    match memchr2(b'\r', b'\n', bytes) {
        None => bytes.len(),
        Some(at) if bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n') => at + 2,
        Some(at) if bytes[at] == b'\r' => at + 1,
        Some(at) => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn data(chunks: &[&[u8]]) -> String {
        let mut encoder = BodyEncoder::for_data();
        let mut out = Vec::new();
        for chunk in chunks {
            encoder.encode(chunk, &mut out);
        }
        encoder.finish(&mut out);
        assert_eq!(encoder.written(), out.len() as u64);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_line_end_becomes_crlf_and_leading_dots_are_doubled() {
        for (input, expected) in [
            ("", "\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            ("a\n", "a\r\n.\r\n"),
            ("a\r", "a\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            ("\r\n.\r\n", "\r\n..\r\n.\r\n"),
            ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\r\nb", "a\r\n\r\nb\r\n.\r\n"),
            ("a\n\n.b", "a\r\n\r\n..b\r\n.\r\n"),
            ("a\r\n.\rb\r\n", "a\r\n..\r\nb\r\n.\r\n"),
        ] {
            assert_eq!(data(&[input.as_bytes()]), expected, "{input:?}");
        }
    }

    #[test]
    fn plain_lines_behind_a_bare_cr_still_get_the_line_feed_between_them() {
        let (mut encoder, mut out) = (BodyEncoder::for_data(), Vec::new());
        for (piece, lines) in [("a\r", Lines::Any), ("QUJD\r\nRA==", Lines::Plain)] {
            let start = out.len();
            out.extend_from_slice(piece.as_bytes());
            encoder.settle(&mut out, start, lines);
        }
        encoder.finish(&mut out);
        assert_eq!(out, b"a\r\nQUJD\r\nRA==\r\n.\r\n");
        assert_eq!(encoder.written(), out.len() as u64);
    }

    #[test]
    fn bdat_has_no_dots_added_and_no_final_dot() {
        let mut encoder = BodyEncoder::for_bdat();
        let mut out = Vec::new();
        encoder.encode(b".a\n.\rb", &mut out);
        encoder.finish(&mut out);
        assert_eq!(out, b".a\r\n.\r\nb\r\n");
    }

    /// RFC 5321 §4.5.2, the server's side.
    fn unstuff(wire: &str) -> Option<String> {
        let mut body = String::new();
        let mut lines = wire.split_inclusive("\r\n");
        for line in lines.by_ref() {
            if line == ".\r\n" {
                return lines.next().is_none().then_some(body);
            }
            body.push_str(line.strip_prefix('.').unwrap_or(line));
        }
        None
    }

    fn nasty() -> impl Strategy<Value = String> {
        proptest::collection::vec(prop_oneof![1 => "\r", 1 => "\n", 2 => "\\.", 3 => "a", 6 => "\r\n"], 0..30)
            .prop_map(|v| v.concat())
    }

    /// Blocks of every kind beside each other.
    fn long() -> impl Strategy<Value = String> {
        proptest::collection::vec(
            prop_oneof![nasty(), Just("a".repeat(BLOCK - 1)), Just("a".repeat(BLOCK))],
            0..8,
        )
        .prop_map(|v| v.concat())
    }

    proptest! {
        #[test]
        fn what_was_composed_in_place_gets_the_same_bytes(text in nasty(), cut in 0usize..30) {
            let at = cut.min(text.len());
            for make in [BodyEncoder::for_data, BodyEncoder::for_bdat] {
                let (mut copying, mut in_place) = (make(), make());
                let (mut copied, mut composed) = (Vec::new(), Vec::new());
                for piece in [&text.as_bytes()[..at], &text.as_bytes()[at..]] {
                    copying.encode(piece, &mut copied);
                    let start = composed.len();
                    composed.extend_from_slice(piece);
                    in_place.settle(&mut composed, start, Lines::Any);
                }
                copying.finish(&mut copied);
                in_place.finish(&mut composed);
                prop_assert_eq!(&copied, &composed);
                prop_assert_eq!(in_place.written(), composed.len() as u64);
            }
        }

        #[test]
        fn blocks_take_a_shorter_way_to_the_same_bytes(text in long(), cut in 0usize..300) {
            let at = cut.min(text.len());
            let encode = |slow: bool| {
                let mut encoder = BodyEncoder::for_data();
                let mut out = Vec::new();
                for piece in [&text.as_bytes()[..at], &text.as_bytes()[at..]] {
                    if slow { encoder.encode_pieces(piece, &mut out) } else { encoder.encode(piece, &mut out) }
                }
                encoder.finish(&mut out);
                out
            };
            prop_assert_eq!(encode(false), encode(true));
        }

        #[test]
        fn a_server_reads_back_what_was_meant_wherever_the_chunks_end(text in nasty(), cut in 0usize..30) {
            let at = cut.min(text.len());
            let wire = data(&[&text.as_bytes()[..at], &text.as_bytes()[at..]]);
            prop_assert_eq!(&wire, &data(&[text.as_bytes()]));
            let mut meant = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
            if !meant.ends_with("\r\n") { meant.push_str("\r\n"); }
            prop_assert_eq!(unstuff(&wire), Some(meant));
        }
    }
}
