//! Quoted-printable (RFC 2045 §6.7) with nodemailer's line breaks.
//!
//! Where a soft break goes depends on where the input was cut into slices, so the slices are part
//! of the format here: 64 KiB each, counted from the start of every chunk that is pushed.

/// Octets a line may take, soft break included.
const WIDTH: usize = 76;
/// The part of a line, from its end, where a break at white space or punctuation is preferred.
const MARGIN: usize = WIDTH / 3;
/// Octets encoded and wrapped at a time.
const SLICE: usize = 64 * 1024;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

const LITERAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0x20;
    while byte < 0x7f {
        table[byte] = byte != b'=' as usize;
        byte += 1;
    }
    table[b'\t' as usize] = true;
    table[b'\r' as usize] = true;
    table[b'\n' as usize] = true;
    table
};

/// Printable octets and tabs: literal unless they are blanks at the end of a line.
const fn is_plain(byte: u8) -> bool {
    byte.wrapping_sub(0x20) < 0x5f && byte != b'=' || byte == b'\t'
}

/// Whether the octet needs no escape, apart from what its place may ask for.
pub(crate) const fn is_literal(byte: u8) -> bool {
    LITERAL[byte as usize]
}

/// Space or tab.
pub(crate) const fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Appends `=XX`.
pub(crate) fn push_escape(byte: u8, out: &mut String) {
    out.push('=');
    out.push(char::from(HEX[usize::from(byte >> 4)]));
    out.push(char::from(HEX[usize::from(byte & 15)]));
}

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
        self.slice.clear();
        self.slice.append(&mut self.line);
        escape(slice, Around { before: self.last, after: next, binary: self.binary }, &mut self.slice);
        let start = out.len();
        wrap(&self.slice, out);
        let kept = memchr::memrchr(b'\n', &out[start..]).map_or(start, |at| start + at + 1);
        self.line.extend_from_slice(&out[kept..]);
        out.truncate(kept);
    }
}

/// What decides about the octets at the edges of a slice.
#[derive(Clone, Copy)]
struct Around {
    before: Option<u8>,
    after: Option<u8>,
    binary: bool,
}

fn escape(slice: &[u8], around: Around, out: &mut Vec<u8>) {
    out.reserve(slice.len() + slice.len() / 4);
    let mut at = 0;
    while at < slice.len() {
        let run = plain_run(&slice[at..]);
        out.extend_from_slice(&slice[at..at + run]);
        at += run;
        let Some(&byte) = slice.get(at) else { break };
        let line_end = byte == b'\r' || byte == b'\n';
        if line_end && at > 0 {
            escape_blank(slice[at - 1], out);
        }
        if line_end && (!around.binary || is_whole_break(slice, at, around)) {
            out.push(byte);
        } else {
            push_escaped(byte, out);
        }
        at += 1;
    }
    if let (Some(&last), None | Some(b'\r' | b'\n')) = (slice.last(), around.after) {
        escape_blank(last, out);
    }
}

/// Octets at the start that are copied as they are.
fn plain_run(octets: &[u8]) -> usize {
    let mut run = 0;
    // Without an early exit the compiler looks at a block at once.
    for block in octets.chunks_exact(16) {
        if !block.iter().fold(true, |plain, &byte| plain & is_plain(byte)) {
            break;
        }
        run += block.len();
    }
    let rest = &octets[run..];
    run + rest.iter().position(|&byte| !is_plain(byte)).unwrap_or(rest.len())
}

/// Escapes the blank just written: it turned out to end its line.
fn escape_blank(last: u8, out: &mut Vec<u8>) {
    if is_blank(last) {
        out.pop();
        push_escaped(last, out);
    }
}

/// Whether the CR or LF at `at` is half of a CR LF.
fn is_whole_break(slice: &[u8], at: usize, around: Around) -> bool {
    if slice[at] == b'\r' {
        return slice.get(at + 1).copied().or(around.after) == Some(b'\n');
    }
    at.checked_sub(1).map_or(around.before, |i| slice.get(i).copied()) == Some(b'\r')
}

fn push_escaped(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'=', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

/// Breaks encoded text into lines of at most [`WIDTH`] octets.
fn wrap(text: &[u8], out: &mut Vec<u8>) {
    if text.len() <= WIDTH {
        out.extend_from_slice(text);
        return;
    }
    out.reserve(text.len() + text.len() / 16);
    let mut rest = text;
    while !rest.is_empty() {
        let window = &rest[..rest.len().min(WIDTH)];
        let (take, soft) = cut(window, rest.len());
        out.extend_from_slice(&rest[..take]);
        if soft {
            out.extend_from_slice(b"=\r\n");
        }
        rest = &rest[take..];
    }
}

/// How much of `window` makes the next line, and whether a soft break follows it. `rest` is how
/// much text there is from the start of the window.
fn cut(window: &[u8], rest: usize) -> (usize, bool) {
    if let Some(end) = hard_break(window) {
        return (end, false);
    }
    let mut take = match separator(window) {
        Some(end) => end,
        None => without_cut_escape(window, rest),
    };
    if take == 0 {
        take = window.len();
    }
    if take >= rest || window[take - 1] == b'\n' {
        return (take, false);
    }
    if take == WIDTH {
        take -= if ends_with_escape(&window[..take]) { 3 } else { 1 };
    }
    (take, true)
}

/// End of the line break that ends this line, if there is one to use.
fn hard_break(window: &[u8]) -> Option<usize> {
    let mut last_lf = None;
    for at in memchr::memchr_iter(b'\n', window) {
        if at > 0 && window[at - 1] == b'\r' {
            return Some(at + 1);
        }
        last_lf = Some(at);
    }
    // A lone LF counts at the end of the window, or late in it with no CR behind it.
    let lf = last_lf?;
    let late = lf >= window.len().saturating_sub(MARGIN) && !window[lf..].contains(&b'\r');
    (lf + 1 == window.len() || late).then_some(lf + 1)
}

/// End of the last white space or punctuation near the end of a long window.
fn separator(window: &[u8]) -> Option<usize> {
    if window.len() <= WIDTH - MARGIN {
        return None;
    }
    let tail = window.len() - MARGIN;
    let found = window[tail..].iter().rposition(|b| matches!(b, b' ' | b'\t' | b'.' | b',' | b'!' | b'?'));
    found.map(|at| tail + at + 1)
}

/// Length of the window without an escape, or a UTF-8 sequence of escapes, that its end cuts.
fn without_cut_escape(window: &[u8], rest: usize) -> usize {
    let len = window.len();
    let partial = (1..=2).find(|back| len >= *back && window[len - back] == b'=');
    if partial.is_none() && !ends_with_escape(window) {
        return len;
    }
    let mut end = len - partial.unwrap_or(0);
    while end > 3 && end < rest && !is_one_character(&window[..end]) && ends_with_escape(&window[..end]) {
        let lead = unhex(window[end - 2]) * 16 + unhex(window[end - 1]);
        if lead < 0x80 {
            break;
        }
        end -= 3;
        if lead >= 0xc0 {
            break;
        }
    }
    end
}

fn ends_with_escape(line: &[u8]) -> bool {
    matches!(line, [.., b'=', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// One to four escapes and nothing else.
fn is_one_character(line: &[u8]) -> bool {
    matches!(line.len(), 3 | 6 | 9 | 12) && line.chunks(3).all(ends_with_escape)
}

const fn unhex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.saturating_sub(b'A') + 10,
    }
}

#[cfg(test)]
mod tests {
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
    fn lines_never_exceed_76_octets() {
        let text = "Gr\u{fc}\u{df}e aus K\u{f6}ln, mit \u{1f600}\u{1f600}\u{1f600} ".repeat(400);
        let out = encode(&[text.as_bytes()], false);
        assert!(out.split(|b| *b == b'\n').all(|line| line.len() <= 77));
    }

    proptest::proptest! {
        #[test]
        fn text_survives_the_round_trip(text in "[ -~\t\u{e9}\u{20ac}\u{1f600}=]{0,300}") {
            let out = encode(&[text.as_bytes()], false);
            proptest::prop_assert_eq!(decode(&out), text.as_bytes());
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
