//! Base64 (RFC 2045 §6.8) in lines of 76 columns, the last one without a line break.

use encodify::base64::{MIME, STANDARD};

/// Octets of input a full line holds.
const LINE: usize = 57;

/// Encodes a body that arrives in chunks.
#[derive(Debug, Default)]
pub(crate) struct Base64 {
    /// Input of the line that waits: it gets its line break once something follows it.
    line: Vec<u8>,
}

impl Base64 {
    /// Takes one chunk and appends every line that is known not to be the last.
    pub(crate) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let mut rest = chunk;
        if !self.line.is_empty() {
            let (head, after) = rest.split_at(rest.len().min(LINE - self.line.len()));
            self.line.extend_from_slice(head);
            rest = after;
            if rest.is_empty() {
                return;
            }
            MIME.encode_append(&self.line, out);
            self.line.clear();
        }
        let whole = rest.len().saturating_sub(1) / LINE * LINE;
        MIME.encode_append(&rest[..whole], out);
        self.line.extend_from_slice(&rest[whole..]);
    }

    /// Appends the last line.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        STANDARD.encode_append(&self.line, out);
        self.line.clear();
    }
}

/// Length of the encoding of `octets` octets.
pub(crate) const fn encoded_len(octets: usize) -> usize {
    let breaks = octets.saturating_sub(1) / LINE;
    octets.div_ceil(3) * 4 + breaks * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(chunks: &[&[u8]]) -> Vec<u8> {
        let mut encoder = Base64::default();
        let mut out = Vec::new();
        for chunk in chunks {
            encoder.push(chunk, &mut out);
        }
        encoder.finish(&mut out);
        out
    }

    #[test]
    fn the_last_line_has_no_break_even_when_it_is_full() {
        assert_eq!(encode(&[&[0; 57]]), "A".repeat(76).as_bytes());
        assert_eq!(encode(&[&[0; 58]]), format!("{}\r\nAA==", "A".repeat(76)).as_bytes());
        assert_eq!(encode(&[]), b"");
    }

    proptest::proptest! {
        #[test]
        fn chunks_do_not_show_and_nothing_is_lost(chunks in proptest::collection::vec(proptest::collection::vec(0_u8.., 0..200), 0..6)) {
            let parts: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            let all = parts.concat();
            let out = encode(&parts);
            proptest::prop_assert_eq!(&out, &encode(&[&all]));
            proptest::prop_assert_eq!(out.len(), encoded_len(all.len()));
            proptest::prop_assert_eq!(MIME.decode(&out).expect("base64"), all);
        }
    }
}
