//! Transfer encodings as streams: chunks in, encoded octets appended to one buffer.

pub(crate) mod base64;
pub(crate) mod qp;

/// How a part's content is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// As it is: `7bit`, `8bit`, or whatever the caller named.
    Identity,
    /// Base64 in lines of 76 columns.
    Base64,
    /// Quoted-printable; binary outside of text.
    QuotedPrintable { binary: bool },
}

impl Transfer {
    /// Octets to expect as the encoding of that content; exact but for quoted-printable.
    pub(crate) fn expected_len(self, octets: &[u8]) -> usize {
        match self {
            Self::Identity => octets.len(),
            Self::Base64 => base64::encoded_len(octets.len()),
            Self::QuotedPrintable { .. } => qp::expected_len(octets),
        }
    }
}

/// An encoder at work.
#[derive(Debug)]
pub(crate) enum Encoder {
    Identity,
    Base64(base64::Base64),
    QuotedPrintable(Box<qp::QuotedPrintable>),
}

impl Encoder {
    /// Begins one part.
    pub(crate) fn new(transfer: Transfer) -> Self {
        match transfer {
            Transfer::Identity => Self::Identity,
            Transfer::Base64 => Self::Base64(base64::Base64::default()),
            Transfer::QuotedPrintable { binary } => {
                Self::QuotedPrintable(Box::new(qp::QuotedPrintable::new(binary)))
            }
        }
    }

    /// Takes one chunk.
    pub(crate) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Identity => out.extend_from_slice(chunk),
            Self::Base64(encoder) => encoder.push(chunk, out),
            Self::QuotedPrintable(encoder) => encoder.push(chunk, out),
        }
    }

    /// Takes the whole of a text in UTF-16; gives false if it wants its UTF-8 instead.
    pub(crate) fn push_units(&mut self, units: &[u16], out: &mut Vec<u8>) -> bool {
        match self {
            Self::Identity | Self::Base64(_) => false,
            Self::QuotedPrintable(encoder) => encoder.push_units(units, out),
        }
    }

    /// Ends the part.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Identity => (),
            Self::Base64(encoder) => encoder.finish(out),
            Self::QuotedPrintable(encoder) => encoder.finish(out),
        }
    }
}
