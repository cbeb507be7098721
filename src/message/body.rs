//! The bytes of a laid out message: all at once, or chunk by chunk where files are read meanwhile.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::dkim::{HeadSplitter, Signer};
use super::encode::Encoder;
use super::layout::{Layout, Piece, Source};
use super::record::Newline;
use super::{FileOpener, Part};
use crate::error::Result;
use crate::mail::ChunkSource;

/// A message without files, in one buffer.
pub(super) fn whole(
    layout: &Layout,
    parts: &[Part],
    signer: Option<&Signer>,
    newline: Option<Newline>,
) -> Result<Vec<u8>> {
    let expected: usize = layout.pieces.iter().map(|piece| expected_len(piece, parts)).sum();
    let mut out = Vec::with_capacity(expected + 64);
    for piece in &layout.pieces {
        match piece {
            Piece::Frame(range) => out.extend_from_slice(&layout.frame[range.clone()]),
            Piece::Content(source, transfer) => {
                let mut encoder = Encoder::new(*transfer);
                encoder.push(source.octets(parts), &mut out);
                encoder.finish(&mut out);
            }
        }
    }
    out.extend_from_slice(last_newline(out.last().copied()));
    if let Some(signer) = signer {
        let (mut splitter, mut hash) = (HeadSplitter::default(), signer.body_hash());
        hash.update(splitter.push(&out));
        let signatures = signer.headers(splitter.head(), &hash.finish())?;
        out.splice(..0, signatures);
    }
    Ok(LineEnds::new(newline).apply(out))
}

fn expected_len(piece: &Piece, parts: &[Part]) -> usize {
    match piece {
        Piece::Frame(range) => range.len(),
        Piece::Content(source, transfer) => transfer.expected_len(source.octets(parts)),
    }
}

impl Source {
    /// The content, nothing for a file.
    pub(super) fn octets<'a>(&'a self, parts: &'a [Part]) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Part(index) => parts.get(*index).map(Part::octets).unwrap_or_default(),
            Self::File { .. } => &[],
        }
    }
}

/// What a message must still get so that it ends with a line break.
const fn last_newline(last: Option<u8>) -> &'static [u8] {
    match last {
        Some(b'\n') => b"",
        Some(b'\r') => b"\n",
        _ => b"\r\n",
    }
}

/// Rewrites line ends, whatever the chunks they arrive in.
#[derive(Debug)]
pub(super) struct LineEnds {
    wanted: Option<Newline>,
    last: u8,
}

impl LineEnds {
    pub(super) const fn new(wanted: Option<Newline>) -> Self {
        Self { wanted, last: 0 }
    }

    pub(super) fn apply(&mut self, chunk: Vec<u8>) -> Vec<u8> {
        match self.wanted {
            None => chunk,
            Some(Newline::Unix) => chunk.into_iter().filter(|byte| *byte != b'\r').collect(),
            Some(Newline::Windows) => {
                let mut out = Vec::with_capacity(chunk.len() + chunk.len() / 32);
                for byte in chunk {
                    if byte == b'\n' && self.last != b'\r' {
                        out.push(b'\r');
                    }
                    out.push(byte);
                    self.last = byte;
                }
                out
            }
        }
    }
}

/// A message put together while it is read, before it is signed. It can be begun again.
#[derive(Debug)]
pub(super) struct Assembly {
    layout: Layout,
    parts: Arc<[Part]>,
    files: Arc<dyn FileOpener>,
    /// The next piece.
    next: usize,
    /// The file being read.
    reading: Option<Reading>,
    last: Option<u8>,
    finished: bool,
}

/// A file on its way through its encoder.
#[derive(Debug)]
struct Reading {
    file: Box<dyn ChunkSource>,
    encoder: Encoder,
    /// What was read of a file that is encoded at once.
    held: Option<Vec<u8>>,
}

impl Reading {
    /// Encodes the next chunk; `true` at the end.
    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Result<bool>> {
        match ready!(self.file.poll_chunk(cx)) {
            Some(Ok(chunk)) => match &mut self.held {
                Some(held) => held.extend_from_slice(&chunk),
                None => self.encoder.push(&chunk, out),
            },
            Some(Err(error)) => return Poll::Ready(Err(error)),
            None => {
                self.encoder.push(&self.held.take().unwrap_or_default(), out);
                self.encoder.finish(out);
                return Poll::Ready(Ok(true));
            }
        }
        Poll::Ready(Ok(false))
    }
}

impl Assembly {
    pub(super) fn new(layout: Layout, parts: Arc<[Part]>, files: Arc<dyn FileOpener>) -> Self {
        Self { layout, parts, files, next: 0, reading: None, last: None, finished: false }
    }

    /// Goes back to the first octet.
    pub(super) fn restart(&mut self) {
        (self.next, self.reading, self.last, self.finished) = (0, None, None, false);
    }

    /// The next octets, never none.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Vec<u8>>>> {
        let mut out = Vec::new();
        while out.is_empty() {
            if let Some(reading) = &mut self.reading {
                if ready!(reading.poll(cx, &mut out)?) {
                    self.reading = None;
                }
            } else if !self.next_piece(&mut out) {
                return Poll::Ready(None);
            }
        }
        self.last = out.last().copied();
        Poll::Ready(Some(Ok(out)))
    }

    /// Writes the next piece or opens its file; `false` after the last.
    fn next_piece(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(piece) = self.layout.pieces.get(self.next) else {
            out.extend_from_slice(if self.finished { b"" } else { last_newline(self.last) });
            return !std::mem::replace(&mut self.finished, true);
        };
        self.next += 1;
        match piece {
            Piece::Frame(range) => out.extend_from_slice(&self.layout.frame[range.clone()]),
            Piece::Content(Source::File { path, whole }, transfer) => {
                let encoder = Encoder::new(*transfer);
                self.reading =
                    Some(Reading { file: self.files.open(path), encoder, held: whole.then(Vec::new) });
            }
            Piece::Content(source, transfer) => {
                let mut encoder = Encoder::new(*transfer);
                encoder.push(source.octets(&self.parts), out);
                encoder.finish(out);
            }
        }
        true
    }
}
