//! Octets as the characters of quoted-printable, before lines are broken.

use std::ops::Range;

/// Octets that are copied together where none needs an escape.
const BLOCK: usize = 8;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// How an octet is written: its characters, the first one lowest, and on top how many they are.
type Form = u32;

static FORMS: [Form; 256] = {
    let mut forms = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let octet = byte as u8;
        let literal = is_plain(octet) || is_line_end(octet);
        forms[byte] = if literal { Form::from_le_bytes([octet, 0, 0, 1]) } else { escaped(octet) };
        byte += 1;
    }
    forms
};

pub(super) const fn escaped(byte: u8) -> Form {
    Form::from_le_bytes([b'=', HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize], 3])
}

const fn octets_of(form: Form) -> usize {
    (form >> 24) as usize
}

/// Printable octets and tabs: literal unless they are blanks at the end of a line.
pub(super) const fn is_plain(byte: u8) -> bool {
    byte.wrapping_sub(0x20) < 0x5f && byte != b'=' || byte == b'\t'
}

/// Whether the octet needs no escape, apart from what its place may ask for.
pub(crate) fn is_literal(byte: u8) -> bool {
    octets_of(FORMS[usize::from(byte)]) == 1
}

/// Space or tab.
pub(crate) const fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

pub(super) const fn is_line_end(byte: u8) -> bool {
    byte == b'\r' || byte == b'\n'
}

/// Appends `=XX`.
pub(crate) fn push_escape(byte: u8, out: &mut String) {
    out.extend(escaped(byte).to_le_bytes()[..3].iter().copied().map(char::from));
}

/// Octets the characters take before lines are broken, with every CR and LF escaped; two more for
/// each of [`blank_line_ends`].
pub(super) fn escaped_len(octets: &[u8]) -> usize {
    // Counters of one octet let the compiler use vectors; 240 octets cannot overflow them.
    let special = |chunk: &[u8]| chunk.iter().fold(0_u8, |count, &byte| count + u8::from(!is_plain(byte)));
    octets.len() + octets.chunks(240).map(|chunk| 2 * usize::from(special(chunk))).sum::<usize>()
}

/// What decides about the octets at the edges of a slice.
#[derive(Clone, Copy)]
pub(super) struct Around {
    pub(super) before: Option<u8>,
    pub(super) after: Option<u8>,
    /// A lone CR or LF is data.
    pub(super) binary: bool,
}

/// Appends the slice.
pub(super) fn escape(slice: &[u8], around: Around, out: &mut Vec<u8>) {
    let mut at = out.len();
    let blank_line_ends = blank_line_ends(slice);
    // A form is four octets long, whatever it takes, and a blank at the end takes two more.
    out.resize(at + escaped_len(slice) + 2 * blank_line_ends + 5, 0);
    let by_place = around.binary || blank_line_ends > 0;
    let mut start = 0;
    for block in slice.chunks(BLOCK) {
        let end = start + block.len();
        at = match block.first_chunk::<BLOCK>() {
            // Without an early exit the compiler looks at all of them at once.
            Some(block) if block.iter().fold(true, |plain, &byte| plain & is_plain(byte)) => {
                out[at..at + BLOCK].copy_from_slice(block);
                at + BLOCK
            }
            Some(block) if !by_place => {
                block.iter().fold(at, |at, &byte| put(FORMS[usize::from(byte)], out, at))
            }
            _ => escape_block(slice, start..end, around, out, at),
        };
        start = end;
    }
    out.truncate(at);
    if let (Some(&last), None | Some(b'\r' | b'\n')) = (slice.last(), around.after)
        && is_blank(last)
    {
        out.pop();
        out.extend_from_slice(&escaped(last).to_le_bytes()[..3]);
    }
}

/// How often a space or tab stands before a CR or LF, and is escaped for that.
fn blank_line_ends(octets: &[u8]) -> usize {
    let pairs = |(left, right): (&[u8], &[u8])| {
        let pair = |(left, right): (&u8, &u8)| u8::from(is_blank(*left)) & u8::from(is_line_end(*right));
        usize::from(left.iter().zip(right).map(pair).sum::<u8>())
    };
    // Counters of one octet let the compiler use vectors; 240 pairs cannot overflow them.
    octets.chunks(240).zip(octets.get(1..).unwrap_or_default().chunks(240)).map(pairs).sum()
}

/// Writes some octets of the slice from `at` on and gives the place behind them.
fn escape_block(slice: &[u8], range: Range<usize>, around: Around, out: &mut [u8], mut at: usize) -> usize {
    let first = range.start;
    for (offset, &byte) in slice[range].iter().enumerate() {
        let i = first + offset;
        let mut form = FORMS[usize::from(byte)];
        if is_line_end(byte) {
            if i > 0 && is_blank(slice[i - 1]) {
                // The blank just written turned out to end its line.
                at = put(escaped(slice[i - 1]), out, at - 1);
            }
            if around.binary && !is_whole_break(slice, i, around) {
                form = escaped(byte);
            }
        }
        at = put(form, out, at);
    }
    at
}

/// All four octets are written, whatever the length, and what follows lies over the rest of them:
/// there is no branch to mispredict.
fn put(form: Form, out: &mut [u8], at: usize) -> usize {
    out[at..at + 4].copy_from_slice(&form.to_le_bytes());
    at + octets_of(form)
}

/// Whether the CR or LF at `at` is half of a CR LF.
fn is_whole_break(slice: &[u8], at: usize, around: Around) -> bool {
    if slice[at] == b'\r' {
        return slice.get(at + 1).copied().or(around.after) == Some(b'\n');
    }
    at.checked_sub(1).map_or(around.before, |i| slice.get(i).copied()) == Some(b'\r')
}
