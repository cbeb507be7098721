//! Quoted-printable (RFC 2045 §6.7) with nodemailer's line breaks.
//!
//! Where a soft break goes depends on where the input was cut into slices, so the slices are part
//! of the format here: 64 KiB each, counted from the start of every chunk that is pushed.

mod escape;
mod units;
mod wrap;

pub(crate) use escape::{is_blank, is_literal, push_escape};

use crate::message::text::longest_utf8;
use escape::{Around, escape, escaped_len};
use units::{escape_units, is_blank_unit};
use wrap::{wrap, wrapped_len};

/// Octets encoded and wrapped at a time.
const SLICE: usize = 64 * 1024;

/// Encodes a body that arrives in chunks.
#[derive(Debug)]
pub(crate) struct QuotedPrintable {
    /// Outside of text a lone CR or LF is data and is escaped.
    binary: bool,
    /// The last line, until it is known whether it needs a soft break.
    line: Vec<u8>,
    /// Octets whose encoding depends on what follows them.
    held: Vec<u8>,
    /// The octet before the current slice.
    last: Option<u8>,
    /// One slice, encoded and not yet wrapped.
    slice: Vec<u8>,
}

impl QuotedPrintable {
    /// `binary` for anything but `text/*`.
    pub(crate) const fn new(binary: bool) -> Self {
        Self { binary, line: Vec::new(), held: Vec::new(), last: None, slice: Vec::new() }
    }

    /// Takes one chunk and appends what can be written.
    pub(crate) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        if chunk.is_empty() {
            return;
        }
        if self.held.is_empty() {
            return self.push_joined(chunk, out);
        }
        let mut joined = std::mem::take(&mut self.held);
        joined.extend_from_slice(chunk);
        self.push_joined(&joined, out);
    }

    fn push_joined(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let waits = |byte: u8| is_blank(byte) || (self.binary && byte == b'\r');
        let end = chunk.iter().rposition(|&byte| !waits(byte)).map_or(0, |at| at + 1);
        let mut now = chunk;
        if chunk.len() - end <= SLICE {
            self.held.extend_from_slice(&chunk[end..]);
            now = &chunk[..end];
        }
        self.encode_slices(now, out);
    }

    /// Takes the whole of a text in UTF-16; gives false if it wants its UTF-8 instead.
    pub(crate) fn push_units(&mut self, units: &[u16], out: &mut Vec<u8>) -> bool {
        if self.binary || longest_utf8(units) > SLICE {
            return false;
        }
        let end = units.iter().rposition(|&unit| !is_blank_unit(unit)).map_or(0, |at| at + 1);
        let (now, held) = units.split_at(end);
        self.held.extend(held.iter().map(|&unit| unit as u8));
        self.begin_slice();
        escape_units(now, &mut self.slice);
        self.wrap_slice(out);
        true
    }

    /// Appends the rest.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        self.encode_slices(&held, out);
        out.append(&mut self.line);
    }

    fn encode_slices(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let (slice, after) = rest.split_at(rest.len().min(SLICE));
            self.encode_slice(slice, after.first().copied(), out);
            self.last = slice.last().copied();
            rest = after;
        }
    }

    fn encode_slice(&mut self, slice: &[u8], next: Option<u8>, out: &mut Vec<u8>) {
        self.begin_slice();
        escape(slice, Around { before: self.last, after: next, binary: self.binary }, &mut self.slice);
        self.wrap_slice(out);
    }

    fn begin_slice(&mut self) {
        self.slice.clear();
        self.slice.append(&mut self.line);
    }

    /// Breaks the slice into lines, and keeps the last one.
    fn wrap_slice(&mut self, out: &mut Vec<u8>) {
        let start = out.len();
        wrap(&self.slice, out);
        let kept = memchr::memrchr(b'\n', &out[start..]).map_or(start, |at| start + at + 1);
        self.line.extend_from_slice(&out[kept..]);
        out.truncate(kept);
    }
}

/// Octets to expect as the encoding of these.
pub(crate) fn expected_len(octets: &[u8]) -> usize {
    wrapped_len(escaped_len(octets))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(chunks: &[&[u8]], binary: bool) -> Vec<u8> {
        let mut encoder = QuotedPrintable::new(binary);
        let mut out = Vec::new();
        for chunk in chunks {
            encoder.push(chunk, &mut out);
        }
        encoder.finish(&mut out);
        out
    }

    fn decode(text: &[u8]) -> Vec<u8> {
        encodify::qp::BODY.decode(text).expect("quoted-printable").into_owned()
    }

    #[test]
    fn blanks_at_line_ends_are_escaped_and_line_breaks_stay() {
        assert_eq!(encode(&[b"a \r\nb\t\nc "], false), b"a=20\r\nb=09\nc=20");
        assert_eq!(encode(&[b"a ", b"b"], false), b"a b");
        assert_eq!(encode(&["gr\u{fc}n=".as_bytes()], false), b"gr=C3=BCn=3D");
    }

    #[test]
    fn binary_keeps_only_whole_line_breaks() {
        assert_eq!(encode(&[b"a\r", b"\nb\rc\nd"], true), b"a\r\nb=0Dc=0Ad");
    }

    #[test]
    fn blanks_before_line_ends_that_are_data_have_room() {
        for line in [" \n", "\t\r", "a \n"] {
            let out = encode(&[line.repeat(500).as_bytes(), b"x"], true);
            assert_eq!(decode(&out), [line.repeat(500).as_bytes(), b"x"].concat());
        }
    }

    #[test]
    fn lines_never_exceed_76_octets() {
        let text = "Gr\u{fc}\u{df}e aus K\u{f6}ln, mit \u{1f600}\u{1f600}\u{1f600} ".repeat(400);
        let out = encode(&[text.as_bytes()], false);
        assert!(out.split(|b| *b == b'\n').all(|line| line.len() <= 77));
    }

    /// What text in UTF-16 is made of, lone surrogates, line ends and blanks included.
    fn unit() -> impl Strategy<Value = Vec<u16>> {
        prop_oneof![
            4 => "[a-z ]{1,12}".prop_map(|text| text.encode_utf16().collect()),
            2 => "[ \t\r\n=.]{1,3}".prop_map(|text| text.encode_utf16().collect()),
            1 => proptest::collection::vec(0_u16..0x800, 1..9),
            1 => proptest::collection::vec(0x7f0_u16..0xffff, 1..9),
            1 => proptest::collection::vec(0xd7ff_u16..0xe001, 1..4),
        ]
    }

    proptest::proptest! {
        #[test]
        fn text_survives_the_round_trip(text in "[ -~\t\u{e9}\u{20ac}\u{1f600}=]{0,300}") {
            let out = encode(&[text.as_bytes()], false);
            proptest::prop_assert_eq!(decode(&out), text.as_bytes());
        }

        #[test]
        fn blanks_and_line_ends_survive_wherever_they_stand(text in "[ \t\r\n=a\u{e9}]{0,200}", cut in 0..200_usize) {
            let (first, second) = text.as_bytes().split_at(cut.min(text.len()));
            let whole = encode(&[text.as_bytes()], true);
            proptest::prop_assert_eq!(decode(&whole), text.as_bytes());
            proptest::prop_assert_eq!(decode(&encode(&[first, second], true)), text.as_bytes());
        }

        #[test]
        fn utf16_comes_out_as_its_utf8_does(text in proptest::collection::vec(unit(), 0..40), long in 0..4_usize) {
            let units: Vec<u16> = text.concat().repeat(1 << (3 * long)).into_iter().take(30_000).collect();
            let mut encoder = QuotedPrintable::new(false);
            let mut out = Vec::new();
            if !encoder.push_units(&units, &mut out) {
                proptest::prop_assert!(units.len() > SLICE / 3);
                return Ok(());
            }
            encoder.finish(&mut out);
            let utf8 = String::from_utf16_lossy(&units);
            proptest::prop_assert_eq!(out, encode(&[utf8.as_bytes()], false));
        }

        #[test]
        fn any_octets_in_any_chunks_survive(chunks in proptest::collection::vec(proptest::collection::vec(0_u8.., 0..200), 0..5)) {
            let parts: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            let out = encode(&parts, true);
            proptest::prop_assert!(out.split(|b| *b == b'\n').all(|line| line.len() <= 77));
            proptest::prop_assert_eq!(decode(&out), parts.concat());
        }
    }
}
