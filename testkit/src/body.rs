//! The octets after DATA: where they end, and what they are without dot-stuffing (RFC 5321 §4.5.2).
//!
//! Only CRLF.CRLF ends a body, and only the dot of CRLF. is taken away: a client's bare CR and LF
//! are kept as they came, so that a test sees them.

use memchr::memmem;

const END: &[u8; 5] = b"\r\n.\r\n";

/// Takes a body apart however its octets are split over reads.
#[derive(Debug)]
pub(crate) struct BodyScan {
    /// How much of [`END`] the latest octets are. A body begins behind a CRLF.
    matched: usize,
}

/// What one piece of input held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// Octets used of the input.
    pub(crate) used: usize,
    /// Whether end-of-data was among them.
    pub(crate) ended: bool,
}

impl BodyScan {
    pub(crate) fn new() -> Self {
        Self { matched: 2 }
    }

    /// Reads up to end-of-data and hands the body's octets to `keep`, piece by piece.
    pub(crate) fn feed(&mut self, input: &[u8], mut keep: impl FnMut(&[u8])) -> Scanned {
        let mut at = 0;
        while at < input.len() {
            if self.matched == 0 {
                at += self.skip(&input[at..], &mut keep);
                continue;
            }
            let byte = input[at];
            at += 1;
            if self.step(byte, &mut keep) {
                return Scanned { used: at, ended: true };
            }
        }
        Scanned { used: at, ended: false }
    }

    /// Runs over everything up to the next CRLF and dot; returns the octets used.
    fn skip(&mut self, rest: &[u8], keep: &mut impl FnMut(&[u8])) -> usize {
        if let Some(found) = memmem::find(rest, b"\r\n.") {
            keep(&rest[..found + 2]);
            self.matched = 3;
            return found + 3;
        }
        keep(rest);
        self.matched = match rest {
            [.., b'\r', b'\n'] => 2,
            [.., b'\r'] => 1,
            _ => 0,
        };
        rest.len()
    }

    /// One octet while a part of [`END`] is matched; true at its end.
    fn step(&mut self, byte: u8, keep: &mut impl FnMut(&[u8])) -> bool {
        let expected = byte == END[self.matched];
        match self.matched {
            // The dot itself is never part of the body, the CR behind it may be.
            2 if expected => {}
            3 if expected => {}
            4 if expected => return true,
            4 => {
                keep(b"\r");
                keep(&[byte]);
            }
            _ => keep(&[byte]),
        }
        self.matched = match (expected, byte) {
            (true, _) => self.matched + 1,
            (false, b'\r') => 1,
            (false, _) => 0,
        };
        false
    }
}

/// Counts CR without LF and LF without CR, however the octets are split.
#[derive(Debug, Default)]
pub(crate) struct LineEnds {
    after_cr: bool,
    pub(crate) bare_cr: u64,
    pub(crate) bare_lf: u64,
}

impl LineEnds {
    pub(crate) fn feed(&mut self, piece: &[u8]) {
        let Some(&last) = piece.last() else { return };
        let mut next_lf = usize::MAX;
        if self.after_cr {
            if piece[0] == b'\n' {
                next_lf = 0;
            } else {
                self.bare_cr += 1;
            }
        }
        for at in memchr::memchr2_iter(b'\r', b'\n', piece) {
            if piece[at] == b'\n' {
                if next_lf != at {
                    self.bare_lf += 1;
                }
            } else if at + 1 < piece.len() {
                next_lf = at + 1;
                if piece[next_lf] != b'\n' {
                    self.bare_cr += 1;
                }
            }
        }
        self.after_cr = last == b'\r';
    }

    /// The body is over: a CR at its very end stands alone.
    pub(crate) fn finish(&mut self) {
        self.bare_cr += u64::from(std::mem::take(&mut self.after_cr));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan(wire: &[u8], cuts: &[usize]) -> (Vec<u8>, Option<usize>) {
        let (mut body, mut scan, mut from) = (Vec::new(), BodyScan::new(), 0);
        let ends = cuts.iter().copied().chain([wire.len()]);
        for to in ends {
            let scanned = scan.feed(&wire[from..to], |piece| body.extend_from_slice(piece));
            if scanned.ended {
                return (body, Some(from + scanned.used));
            }
            from = to;
        }
        (body, None)
    }

    /// The rule said line by line: lines end with CRLF, "." alone ends, a leading dot is dropped.
    fn by_lines(wire: &[u8]) -> (Vec<u8>, Option<usize>) {
        let (mut body, mut at) = (Vec::new(), 0);
        while let Some(end) = memmem::find(&wire[at..], b"\r\n") {
            let line = &wire[at..at + end];
            at += end + 2;
            if line == b"." {
                return (body, Some(at));
            }
            body.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            body.extend_from_slice(b"\r\n");
        }
        (body, None)
    }

    #[test]
    fn an_empty_body_ends_at_once() {
        assert_eq!(scan(b".\r\nMAIL", &[]), (Vec::new(), Some(3)));
    }

    #[test]
    fn only_crlf_dot_crlf_ends_a_body() {
        for wire in ["a\n.\n\r\n.", "a\r.\r\r\n..\r\n", "a\n.\r\n", "a\r\n.\nb", "a\r\n.\r.\r\n"] {
            assert_eq!(scan(wire.as_bytes(), &[]).1, None, "{wire:?}");
        }
    }

    #[test]
    fn a_carriage_return_behind_a_stuffed_dot_is_kept() {
        assert_eq!(scan(b"a\r\n.\rb\r\n.\r\n", &[4, 5]).0, b"a\r\n\rb\r\n");
    }

    proptest! {
        #[test]
        fn any_split_gives_what_lines_give(
            parts in prop::collection::vec(prop::sample::select(vec!["\r", "\n", ".", "a", "\r\n", "\r\n."]), 0..40),
            raw_cuts in prop::collection::vec(0usize..80, 0..6),
        ) {
            let wire = format!("{}\r\n.\r\n", parts.concat()).into_bytes();
            let mut cuts: Vec<_> = raw_cuts.into_iter().filter(|cut| *cut < wire.len()).collect();
            cuts.sort_unstable();
            prop_assert_eq!(scan(&wire, &cuts), by_lines(&wire));
        }

        #[test]
        fn bare_line_ends_are_counted_however_they_are_split(
            text in "[\r\na]{0,30}",
            cut in 0usize..30,
        ) {
            let bytes = text.as_bytes();
            let mut ends = LineEnds::default();
            let cut = cut.min(bytes.len());
            ends.feed(&bytes[..cut]);
            ends.feed(&bytes[cut..]);
            ends.finish();
            let rest = text.replace("\r\n", "");
            let count = |byte| rest.bytes().filter(|b| *b == byte).count() as u64;
            prop_assert_eq!((ends.bare_cr, ends.bare_lf), (count(b'\r'), count(b'\n')));
        }
    }
}
