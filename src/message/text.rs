//! What JavaScript's strings and patterns mean, where the bytes of a message depend on it.
//!
//! Lengths are UTF-16 units, white space is what `\s` and `trim` know. Nothing here writes.

/// Units that are made UTF-8 together.
const BLOCK: usize = 16;

/// UTF-16 as UTF-8, U+FFFD for lone surrogates.
pub(super) fn from_utf16(units: &[u16]) -> Vec<u8> {
    let mut out = Vec::with_capacity(units.len() + units.len() / 3 + 4 * BLOCK);
    let mut rest = units;
    while !rest.is_empty() {
        let block = &rest[..rest.len().min(BLOCK)];
        let taken = if block.iter().fold(0, |all, unit| all | unit) < 0x80 {
            out.extend(block.iter().map(|&unit| unit as u8));
            block.len()
        } else {
            push_block(block, &mut out)
        };
        rest = match taken {
            0 => push_surrogate(rest, &mut out),
            _ => &rest[taken..],
        };
    }
    out
}

/// Appends the block up to a surrogate and gives how much that was.
fn push_block(block: &[u16], out: &mut Vec<u8>) -> usize {
    let mut written = [0; 3 * BLOCK + 1];
    let (mut at, mut taken) = (0, 0);
    for &unit in block {
        if unit & 0xf800 == 0xd800 {
            break;
        }
        // All forms are made and one is chosen, so that there is no branch to mispredict; what is
        // too much of it is overwritten by the next.
        let unit = u32::from(unit);
        let tail = 0x80 | unit & 0x3f;
        let two = 0xc0 | unit >> 6 | tail << 8;
        let three = 0xe0 | unit >> 12 | (0x80 | unit >> 6 & 0x3f) << 8 | tail << 16;
        let form = if unit < 0x80 { unit } else { two };
        let form = if unit < 0x800 { form } else { three };
        written[at..at + 4].copy_from_slice(&form.to_le_bytes());
        at += 1 + usize::from(unit >= 0x80) + usize::from(unit >= 0x800);
        taken += 1;
    }
    out.extend_from_slice(&written[..at]);
    taken
}

/// Appends the character that begins with a surrogate and gives the rest.
fn push_surrogate<'a>(units: &'a [u16], out: &mut Vec<u8>) -> &'a [u16] {
    let character = char::decode_utf16(units.iter().copied()).next().and_then(Result::ok);
    let written = character.unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(written.encode_utf8(&mut [0; 4]).as_bytes());
    units.get(character.map_or(1, char::len_utf16)..).unwrap_or_default()
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
    // Counters of one octet let the compiler use vectors; 128 rounds cannot overflow them.
    for chunk in text.chunks(120) {
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

/// A control octet that has no place in text: not HT, LF, CR; DEL is not one of them.
pub(super) const fn is_control(byte: u8) -> bool {
    byte < 0x20 && byte != b'\t' && byte != b'\n' && byte != b'\r'
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
            proptest::prop_assert_eq!(from_utf16(&units), String::from_utf16_lossy(&units).into_bytes());
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
