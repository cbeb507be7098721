//! A message that is composed while it leaves: constant memory, however large its files, and no
//! second copy of large attachments.
//!
//! A signature stands before the body it covers, so a signed message is read twice: once to hash
//! it, once to send it. Should a file change in between, the message fails before its end is
//! announced rather than arrive with a broken signature.

use std::task::{Context, Poll, ready};

use super::body::{Assembly, LineEnds};
use super::dkim::{BodyHash, HeadSplitter, Signer};
use super::record::Newline;
use crate::error::{Code, Error, Result};
use crate::mail::{Composer, Lines};

/// Headers longer than this are not signed in a stream.
const MAX_HEAD: usize = 4 * 1024 * 1024;

/// A message on its way.
#[derive(Debug)]
pub(super) struct Outgoing {
    assembly: Assembly,
    line_ends: LineEnds,
    signing: Option<Signing>,
}

#[derive(Debug)]
struct Signing {
    signer: Signer,
    reading: Reading,
    /// The body's hash from the first reading.
    expected: Option<Vec<u8>>,
}

/// What one reading of the message has come to.
#[derive(Debug)]
struct Reading {
    splitter: HeadSplitter,
    /// `None` once it is finished.
    hash: Option<BodyHash>,
}

impl Reading {
    fn new(signer: &Signer) -> Self {
        Self { splitter: HeadSplitter::default(), hash: Some(signer.body_hash()) }
    }

    fn update(&mut self, chunk: &[u8]) -> Result<()> {
        let body = self.splitter.push(chunk);
        if self.splitter.head().len() > MAX_HEAD {
            return Err(Error::new(Code::Dkim, "message headers are too long to be signed"));
        }
        if let Some(hash) = &mut self.hash {
            hash.update(body);
        }
        Ok(())
    }

    fn finish(&mut self) -> Vec<u8> {
        self.hash.take().map(BodyHash::finish).unwrap_or_default()
    }
}

impl Outgoing {
    pub(super) fn new(assembly: Assembly, signer: Option<Signer>, newline: Option<Newline>) -> Self {
        let signing = signer.map(|signer| Signing { reading: Reading::new(&signer), signer, expected: None });
        Self { assembly, line_ends: LineEnds::new(newline), signing }
    }

    /// Appends the next octets with their line ends as they were composed.
    fn poll_raw(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Option<Result<Lines>>> {
        let Some(signing) = &mut self.signing else { return self.assembly.poll(cx, out) };
        let start = out.len();
        loop {
            let lines = ready!(self.assembly.poll(cx, out)?);
            match (lines, &signing.expected) {
                (Some(lines), Some(_)) => {
                    signing.reading.update(&out[start..])?;
                    return Poll::Ready(Some(Ok(lines)));
                }
                (Some(_), None) => {
                    signing.reading.update(&out[start..])?;
                    out.truncate(start);
                }
                (None, None) => {
                    let hash = signing.reading.finish();
                    let headers = signing.signer.headers(signing.reading.splitter.head(), &hash)?;
                    signing.expected = Some(hash);
                    signing.reading = Reading::new(&signing.signer);
                    self.assembly.restart();
                    out.extend_from_slice(&headers);
                    return Poll::Ready(Some(Ok(Lines::Any)));
                }
                (None, Some(expected)) => {
                    let unchanged = signing.reading.hash.is_none() || signing.reading.finish() == *expected;
                    let changed =
                        || Error::new(Code::Stream, "An attached file changed while the message was sent");
                    return Poll::Ready(if unchanged { None } else { Some(Err(changed())) });
                }
            }
        }
    }
}

impl Composer for Outgoing {
    fn size(&self) -> Option<u64> {
        let verbatim = self.signing.is_none() && self.line_ends.is_verbatim();
        verbatim.then(|| self.assembly.size()).flatten()
    }

    fn is_eight_bit(&self) -> bool {
        self.assembly.is_eight_bit()
    }

    fn poll_compose(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Option<Result<Lines>>> {
        let start = out.len();
        let Some(lines) = ready!(self.poll_raw(cx, out)?) else { return Poll::Ready(None) };
        if self.line_ends.is_verbatim() {
            return Poll::Ready(Some(Ok(lines)));
        }
        let chunk = out.split_off(start);
        out.append(&mut self.line_ends.apply(chunk));
        Poll::Ready(Some(Ok(Lines::Any)))
    }
}
