//! UTF-16 as the characters of quoted-printable: what [`escape`](super::escape) makes of its UTF-8,
//! without that in between. Line breaks stay; blanks before them are escaped.

use super::escape::{escaped, is_blank, is_line_end, is_plain};

/// Units that are looked at together.
const BLOCK: usize = 8;
/// Octets a block, or a pair of surrogates, may write to: nine a unit, and what is written too much.
const ROOM: usize = 96;

/// How a unit below 0x800 is written that stands alone: its characters, the first one lowest, and on
/// top how many.
static SHORT_FORMS: [u64; 0x800] = {
    let mut forms = [0; 0x800];
    let mut unit = 0;
    while unit < 0x800 {
        forms[unit as usize] = short_form(unit);
        unit += 1;
    }
    forms
};

const fn short_form(unit: u16) -> u64 {
    let octet = unit as u8;
    if unit >= 0x80 {
        let (first, second) = ((0xc0 | unit >> 6) as u8, (0x80 | unit & 0x3f) as u8);
        return escape_of(first) as u64 | (escape_of(second) as u64) << 24 | 6 << 56;
    }
    if is_plain(octet) { octet as u64 | 1 << 56 } else { escape_of(octet) as u64 | 3 << 56 }
}

/// Characters of an escape.
const ESCAPE: usize = 3;

/// `=XX` for every octet, the first character lowest.
static ESCAPES: [u32; 256] = {
    let mut escapes = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        escapes[octet] = escape_of(octet as u8);
        octet += 1;
    }
    escapes
};

const fn escape_of(octet: u8) -> u32 {
    escaped(octet) & 0xff_ffff
}

/// Appends text that does not end with a blank.
pub(super) fn escape_units(units: &[u16], out: &mut Vec<u8>) {
    let (mut at, mut taken) = (out.len(), 0);
    while taken < units.len() {
        let rest = &units[taken..];
        if out.len() < at + ROOM {
            // Most text takes less; of Japanese it takes several turns.
            out.resize(at + 2 * rest.len() + ROOM, 0);
        }
        // Without an early exit the compiler looks at all units of a block at once.
        (taken, at) = match (rest.first_chunk::<BLOCK>(), out[at..].first_chunk_mut::<ROOM>()) {
            (Some(block), Some(room)) if block.iter().fold(true, |all, unit| all & is_plain_unit(*unit)) => {
                room[..BLOCK].copy_from_slice(&block.map(|unit| unit as u8));
                (taken + BLOCK, at + BLOCK)
            }
            (Some(block), Some(room)) if block.iter().fold(true, |all, unit| all & stands_alone(*unit)) => {
                (taken + BLOCK, at + write_units(block, room))
            }
            _ => {
                let (more, at) = put_character(rest, out, at);
                (taken + more, at)
            }
        };
    }
    out.truncate(at);
}

/// Writes units that stand alone, and gives how many octets they take. What is too much of one is
/// overwritten by the next.
fn write_units(units: &[u16; BLOCK], room: &mut [u8; ROOM]) -> usize {
    let mut written = 0;
    for &unit in units {
        // Never more than 63; said so that the compiler knows that there is room.
        let at = written & 63;
        if let Some(form) = SHORT_FORMS.get(usize::from(unit)) {
            room[at..at + 8].copy_from_slice(&form.to_le_bytes());
            written += (form >> 56) as usize;
        } else {
            let [first, second, third] = octets_of(unit).map(|octet| u64::from(ESCAPES[usize::from(octet)]));
            room[at..at + 8].copy_from_slice(&(first | second << 24 | third << 48).to_le_bytes());
            room[at + 8] = (third >> 16) as u8;
            written += 9;
        }
    }
    written
}

/// UTF-8 of a unit from 0x800 on.
const fn octets_of(unit: u16) -> [u8; 3] {
    [(0xe0 | unit >> 12) as u8, (0x80 | unit >> 6 & 0x3f) as u8, (0x80 | unit & 0x3f) as u8]
}

/// Writes the character that begins the text, U+FFFD for a lone surrogate. Gives its units, and the
/// place behind it.
fn put_character(units: &[u16], out: &mut [u8], at: usize) -> (usize, usize) {
    let character = char::decode_utf16(units.iter().copied()).next().and_then(Result::ok);
    let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
    let octets = &mut [0; 4];
    let octets = character.encode_utf8(octets).as_bytes();
    (character.len_utf16(), octets.iter().fold(at, |at, octet| put_octet(*octet, out, at)))
}

fn put_octet(octet: u8, out: &mut [u8], at: usize) -> usize {
    let mut at = at;
    if is_plain(octet) || is_line_end(octet) {
        if is_line_end(octet) && at > 0 && is_blank(out[at - 1]) {
            // The blank just written turned out to end its line.
            at = put_escape(out[at - 1], out, at - 1);
        }
        out[at] = octet;
        return at + 1;
    }
    put_escape(octet, out, at)
}

fn put_escape(octet: u8, out: &mut [u8], at: usize) -> usize {
    out[at..at + ESCAPE].copy_from_slice(&escape_of(octet).to_le_bytes()[..ESCAPE]);
    at + ESCAPE
}

const fn is_plain_unit(unit: u16) -> bool {
    unit.wrapping_sub(0x20) < 0x5f && unit != b'=' as u16 || unit == b'\t' as u16
}

/// Whether neither what follows nor what stands before it decides how a unit is written.
const fn stands_alone(unit: u16) -> bool {
    unit & 0xf800 != 0xd800 && unit != b'\n' as u16 && unit != b'\r' as u16
}

pub(super) const fn is_blank_unit(unit: u16) -> bool {
    unit == b' ' as u16 || unit == b'\t' as u16
}
