//! The bytes of a laid out message: all at once, or chunk by chunk where files are read meanwhile.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::encode::Encoder;
use super::layout::{Layout, Piece, Source};
use super::record::Newline;
use super::{FileOpener, Part};
use crate::error::Result;
use crate::mail::ChunkSource;

/// A message without files, in one buffer.
pub(super) fn whole(layout: &Layout, parts: &[Part], newline: Option<Newline>) -> Vec<u8> {
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
    LineEnds::new(newline).apply(out)
}

fn expected_len(piece: &Piece, parts: &[Part]) -> usize {
    match piece {
        Piece::Frame(range) => range.len(),
        Piece::Content(source, transfer) => transfer.expected_len(source.octets(parts).len()),
    }
}

impl Source {
    /// The content, nothing for a file.
    pub(super) fn octets<'a>(&'a self, parts: &'a [Part]) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Part(index) => parts.get(*index).map(Part::octets).unwrap_or_default(),
            Self::File(_) => &[],
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
struct LineEnds {
    wanted: Option<Newline>,
    last: u8,
}

impl LineEnds {
    const fn new(wanted: Option<Newline>) -> Self {
        Self { wanted, last: 0 }
    }

    fn apply(&mut self, chunk: Vec<u8>) -> Vec<u8> {
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

/// A message that is made while it is sent.
#[derive(Debug)]
pub(super) struct Assembly {
    frame: Vec<u8>,
    pieces: VecDeque<Piece>,
    parts: Arc<[Part]>,
    files: Arc<dyn FileOpener>,
    /// The file being read and its encoder.
    reading: Option<(Box<dyn ChunkSource>, Encoder)>,
    line_ends: LineEnds,
    last: Option<u8>,
    finished: bool,
}

impl Assembly {
    pub(super) fn new(
        layout: Layout,
        parts: Arc<[Part]>,
        newline: Option<Newline>,
        files: Arc<dyn FileOpener>,
    ) -> Self {
        Self {
            frame: layout.frame,
            pieces: layout.pieces.into(),
            parts,
            files,
            reading: None,
            line_ends: LineEnds::new(newline),
            last: None,
            finished: false,
        }
    }

    /// The next octets before line ends are rewritten; empty where an encoder keeps all it got.
    fn poll_raw(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Vec<u8>>>> {
        let mut out = Vec::new();
        if let Some((file, encoder)) = &mut self.reading {
            match ready!(file.poll_chunk(cx)) {
                Some(Ok(chunk)) => encoder.push(&chunk, &mut out),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    encoder.finish(&mut out);
                    self.reading = None;
                }
            }
            return Poll::Ready(Some(Ok(out)));
        }
        match self.pieces.pop_front() {
            Some(Piece::Frame(range)) => out.extend_from_slice(&self.frame[range]),
            Some(Piece::Content(Source::File(path), transfer)) => {
                self.reading = Some((self.files.open(&path), Encoder::new(transfer)));
            }
            Some(Piece::Content(source, transfer)) => {
                let mut encoder = Encoder::new(transfer);
                encoder.push(source.octets(&self.parts), &mut out);
                encoder.finish(&mut out);
            }
            None if self.finished => return Poll::Ready(None),
            None => {
                self.finished = true;
                out.extend_from_slice(last_newline(self.last));
            }
        }
        Poll::Ready(Some(Ok(out)))
    }
}

impl ChunkSource for Assembly {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            let chunk = match ready!(self.poll_raw(cx)) {
                Some(Ok(chunk)) if chunk.is_empty() => continue,
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            };
            self.last = chunk.last().copied();
            return Poll::Ready(Some(Ok(self.line_ends.apply(chunk).into())));
        }
    }
}
