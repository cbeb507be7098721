//! What JavaScript's strings and patterns mean, where the bytes of a message depend on it.
//!
//! Lengths are UTF-16 units, white space is what `\s` and `trim` know. Nothing here writes.

/// Units that are looked at together.
const BLOCK: usize = 8;
/// Octets a block may write to: three each and one more, rounded up.
const ROOM: usize = 64;

/// UTF-16 as UTF-8, U+FFFD for lone surrogates.
pub(super) fn from_utf16(units: &[u16]) -> Vec<u8> {
    let mut out = vec![0; longest_utf8(units) + ROOM];
    let (mut taken, mut at) = (0, 0);
    while taken < units.len() {
        (taken, at) = match (units[taken..].first_chunk::<BLOCK>(), out[at..].first_chunk_mut::<ROOM>()) {
            (Some(block), _) if block.iter().fold(0, |all, unit| all | unit) < 0x80 => {
                out[at..at + BLOCK].copy_from_slice(&block.map(|unit| unit as u8));
                (taken + BLOCK, at + BLOCK)
            }
            (Some(block), Some(room))
                if block.iter().fold(true, |none, unit| none & !is_surrogate(*unit)) =>
            {
                (taken + BLOCK, at + write_units(block, room))
            }
            _ => write_character(units, taken, &mut out, at),
        };
    }
    out.truncate(at);
    out
}

/// Octets the units take at most: exact but for pairs, of which each half counts as much as it
/// would alone.
pub(super) fn longest_utf8(units: &[u16]) -> usize {
    // Counters of one unit let the compiler use vectors; 4096 units cannot overflow them.
    let more = |chunk: &[u16]| {
        chunk.iter().fold(0_u16, |sum, &unit| sum + u16::from(unit >= 0x80) + u16::from(unit >= 0x800))
    };
    units.len() + units.chunks(4096).map(|chunk| usize::from(more(chunk))).sum::<usize>()
}

const fn is_surrogate(unit: u16) -> bool {
    unit & 0xf800 == 0xd800
}

/// The UTF-8 of the units below 0x800: its octets, the first one lowest, and on top how many.
static SHORT_FORMS: [u32; 0x800] = {
    let mut forms = [0; 0x800];
    let mut unit = 0;
    while unit < 0x800 {
        let two = 0xc0 | unit >> 6 | (0x80 | unit & 0x3f) << 8;
        forms[unit as usize] = if unit < 0x80 { unit | 1 << 24 } else { two | 2 << 24 };
        unit += 1;
    }
    forms
};

/// Writes units none of which is a surrogate, and gives how many octets they take.
fn write_units(units: &[u16; BLOCK], room: &mut [u8; ROOM]) -> usize {
    let mut written = 0;
    for &unit in units {
        // Both forms are made and one is chosen, so that there is no branch to mispredict; what is
        // too much of it is overwritten by the next.
        let unit = u32::from(unit);
        let short = SHORT_FORMS[unit as usize & 0x7ff];
        let long = 0x0380_80e0 | unit >> 12 | (unit >> 6 & 0x3f) << 8 | (unit & 0x3f) << 16;
        let form = if unit < 0x800 { short } else { long };
        // Never more than 24; said so that the compiler knows that there is room.
        let at = written & 31;
        room[at..at + 4].copy_from_slice(&form.to_le_bytes());
        written += (form >> 24) as usize;
    }
    written
}

/// Writes the character that begins at a unit. Gives where the next one begins, and where it goes.
fn write_character(units: &[u16], taken: usize, out: &mut [u8], at: usize) -> (usize, usize) {
    let character = char::decode_utf16(units[taken..].iter().copied()).next().and_then(Result::ok);
    let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
    (taken + character.len_utf16(), at + character.encode_utf8(&mut out[at..]).len())
}

/// How the words of a header, or a text body, are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub(super) enum Encoding {
    /// Quoted-printable, legible where the text is mostly Latin letters.
    Q,
    /// Base64.
    B,
}

/// Q where Latin letters of the UTF-8 text outnumber what needs encoding, else B.
pub(super) fn preferred(text: &[u8]) -> Encoding {
    let (mut latin, mut other) = (0_usize, 0_usize);
    // Counters of one octet let the compiler use vectors; 240 octets cannot overflow them.
    for chunk in text.chunks(240) {
        let (mut letters, mut special, mut pairs) = (0_u8, 0_u8, 0_u8);
        for &byte in chunk {
            letters += u8::from((byte | 0x20).wrapping_sub(b'a') < 26);
            special += u8::from(is_control(byte)) + u8::from(byte >= 0xc0);
            pairs += u8::from(byte >= 0xf0);
        }
        latin += usize::from(letters);
        other += usize::from(special) + usize::from(pairs);
    }
    if other < latin { Encoding::Q } else { Encoding::B }
}

/// As [`preferred`], of text in UTF-16.
pub(super) fn preferred_wide(units: &[u16]) -> Encoding {
    let (mut latin, mut other) = (0_usize, 0_usize);
    // Counters of one unit let the compiler use vectors; 4096 units cannot overflow them.
    for chunk in units.chunks(4096) {
        let (mut letters, mut special) = (0_u16, 0_u16);
        for &unit in chunk {
            letters += u16::from((unit | 0x20).wrapping_sub(u16::from(b'a')) < 26);
            special += u16::from(!is_plain_unit(unit));
        }
        latin += usize::from(letters);
        other += usize::from(special);
    }
    if other < latin { Encoding::Q } else { Encoding::B }
}

/// A control octet that has no place in text: not HT, LF, CR; DEL is not one of them.
pub(super) const fn is_control(byte: u8) -> bool {
    byte < 0x20 && byte != b'\t' && byte != b'\n' && byte != b'\r'
}

/// ASCII, no control octet.
const fn is_plain_unit(unit: u16) -> bool {
    unit.wrapping_sub(0x20) < 0x60 || unit == b'\t' as u16 || unit == b'\n' as u16 || unit == b'\r' as u16
}

/// As [`is_plain`], of text in UTF-16.
pub(super) fn is_plain_wide(units: &[u16]) -> bool {
    units.chunks(4096).all(|block| block.iter().fold(true, |plain, unit| plain & is_plain_unit(*unit)))
}

/// ASCII without control octets, as `7bit` needs it.
pub(super) fn is_plain(text: &[u8]) -> bool {
    // Whole blocks without an early exit are what the compiler can do many octets at a time.
    text.chunks(4096).all(|block| !block.iter().fold(false, |bad, &b| bad | (b >= 0x80) | is_control(b)))
}

/// Whether ASCII text has a line of more than `limit` octets. Anything over 128 KiB counts as if
/// it had.
pub(super) fn has_longer_lines(text: &[u8], limit: usize) -> bool {
    if text.len() > 128 * 1024 {
        return true;
    }
    let mut start = 0;
    for end in memchr::memchr2_iter(b'\r', b'\n', text) {
        if end - start > limit {
            return true;
        }
        start = end + 1;
    }
    text.len() - start > limit
}

/// The characters `\s` matches.
pub(super) const fn is_space(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t'..='\r'
            | '\u{a0}'
            | '\u{1680}'
            | '\u{2000}'..='\u{200a}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202f}'
            | '\u{205f}'
            | '\u{3000}'
            | '\u{feff}'
    )
}

/// A line break becomes one space: no value may end its header early.
pub(super) fn one_line(value: &str) -> std::borrow::Cow<'_, str> {
    if memchr::memchr2(b'\r', b'\n', value.as_bytes()).is_none() {
        return value.into();
    }
    value.replace("\r\n", "\n").replace(['\r', '\n'], " ").into()
}

/// Whether the value holds an octet no header can carry: a control other than HT, or DEL.
pub(super) fn has_header_control(value: &str) -> bool {
    value.bytes().any(|b| is_control(b) || b == 0x7f)
}

/// Drops what no header can carry; call after [`one_line`].
pub(super) fn without_controls(value: &str) -> std::borrow::Cow<'_, str> {
    if !has_header_control(value) {
        return value.into();
    }
    value
        .chars()
        .filter(|c| !u8::try_from(*c).is_ok_and(|b| is_control(b) || b == 0x7f))
        .collect::<String>()
        .into()
}

/// Wraps a value in quotes, escaping quotes and backslashes.
pub(super) fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_from_the_last_break_of_either_kind() {
        for (text, long) in
            [("", false), ("aaa", false), ("aaaa", true), ("aaa\raaa\naaa\r\naaa", false), ("a\naaaa", true)]
        {
            assert_eq!(has_longer_lines(text.as_bytes(), 3), long, "{text:?}");
        }
        assert!(has_longer_lines(&b"a\n".repeat(65 * 1024), 3));
    }

    proptest::proptest! {
        #[test]
        fn utf16_reads_as_the_standard_library_reads_it(units in proptest::collection::vec(proptest::prop_oneof![0_u16..0x80, 0xd7f0_u16..0xe010, 0_u16..], 0..120)) {
            let text = String::from_utf16_lossy(&units).into_bytes();
            proptest::prop_assert_eq!(from_utf16(&units), &text[..]);
            proptest::prop_assert_eq!(is_plain_wide(&units), is_plain(&text));
            proptest::prop_assert_eq!(preferred_wide(&units), preferred(&text));
        }
    }

    #[test]
    fn the_encoding_follows_what_there_is_more_of() {
        for (text, expected) in [
            ("", Encoding::B),
            ("a", Encoding::Q),
            ("ä", Encoding::B),
            ("aä", Encoding::B),
            ("abä", Encoding::Q),
            ("ab😀", Encoding::B),
            ("abc😀", Encoding::Q),
            ("a\u{7f}", Encoding::Q),
        ] {
            assert_eq!(preferred(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(preferred("é".repeat(300).as_bytes()), Encoding::B);
    }

    #[test]
    fn line_breaks_become_one_space_each() {
        assert_eq!(one_line("a\r\nb\rc\nd\n\re"), "a b c d  e");
    }
}
