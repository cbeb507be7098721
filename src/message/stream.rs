//! A message that leaves while its files are read: constant memory, whatever their size.
//!
//! A signature stands before the body it covers, so a signed message is read twice: once to hash
//! it, once to send it. Should a file change in between, the message fails before its end is
//! announced rather than arrive with a broken signature.

use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::body::{Assembly, LineEnds};
use super::dkim::{BodyHash, HeadSplitter, Signer};
use super::record::Newline;
use crate::error::{Code, Error, Result};
use crate::mail::ChunkSource;

/// Headers longer than this are not signed in a stream.
const MAX_HEAD: usize = 4 * 1024 * 1024;

/// The chunks of a message on its way.
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

    fn poll_raw(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Vec<u8>>>> {
        let Some(signing) = &mut self.signing else { return self.assembly.poll(cx) };
        loop {
            let chunk = ready!(self.assembly.poll(cx)?);
            match (chunk, &signing.expected) {
                (Some(chunk), expected) => {
                    signing.reading.update(&chunk)?;
                    if expected.is_some() {
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                }
                (None, None) => {
                    let hash = signing.reading.finish();
                    let headers = signing.signer.headers(signing.reading.splitter.head(), &hash)?;
                    signing.expected = Some(hash);
                    signing.reading = Reading::new(&signing.signer);
                    self.assembly.restart();
                    return Poll::Ready(Some(Ok(headers)));
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

impl ChunkSource for Outgoing {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let chunk = ready!(self.poll_raw(cx)?);
        Poll::Ready(chunk.map(|chunk| Ok(self.line_ends.apply(chunk).into())))
    }
}
