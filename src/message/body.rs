//! The bytes of a laid out message: all at once, or a stretch at a time where there are files or
//! large attachments.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::dkim::{HeadSplitter, Signer};
use super::encode::{Encoder, Transfer};
use super::layout::{Layout, Piece, Source};
use super::record::Newline;
use super::{FileOpener, Part};
use crate::error::Result;
use crate::mail::{ChunkSource, Lines};

/// Octets of content encoded at a time: whole lines of base64, and as much as a cache holds.
const STRETCH: usize = 57 * 1024;

/// Content above this is not held once more in its encoded form.
const LARGE: usize = 2 * STRETCH;

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
        write_piece(piece, layout, parts, &mut out);
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

fn write_piece(piece: &Piece, layout: &Layout, parts: &[Part], out: &mut Vec<u8>) {
    match piece {
        Piece::Frame(range) => out.extend_from_slice(&layout.frame[range.clone()]),
        Piece::Content(source, transfer) => {
            let mut encoder = Encoder::new(*transfer);
            if !source.units(parts).is_some_and(|units| encoder.push_units(units, out)) {
                encoder.push(source.octets(parts), out);
            }
            encoder.finish(out);
        }
    }
}

/// Whether the message has an attachment that need not be held in its encoded form.
pub(super) fn has_large(layout: &Layout, parts: &[Part]) -> bool {
    layout.pieces.iter().any(|piece| piece.is_large(parts))
}

/// The same message with everything encoded and in the frame but large attachments, of which only
/// the length is needed before they are sent.
pub(super) fn all_but_large(layout: &Layout, parts: &[Part]) -> Layout {
    let mut settled = Layout::default();
    let mut open = 0;
    for piece in &layout.pieces {
        if piece.is_large(parts) {
            settled.pieces.extend([Piece::Frame(open..settled.frame.len()), piece.clone()]);
            open = settled.frame.len();
        } else {
            write_piece(piece, layout, parts, &mut settled.frame);
        }
    }
    settled.pieces.push(Piece::Frame(open..settled.frame.len()));
    settled
}

fn expected_len(piece: &Piece, parts: &[Part]) -> usize {
    match piece {
        Piece::Frame(range) => range.len(),
        Piece::Content(source, transfer) => match (transfer, source.units(parts)) {
            // Whether its UTF-8 will be needed is not known yet, and this is only a guess.
            (Transfer::QuotedPrintable { .. }, Some(units)) => 2 * units.len(),
            _ => transfer.expected_len(source.octets(parts)),
        },
    }
}

impl Piece {
    /// Whether it is left to be encoded while it is sent. Text is not: where quoted-printable is
    /// cut shows, and how long it comes out is not known before.
    fn is_large(&self, parts: &[Part]) -> bool {
        match self {
            Self::Content(source, Transfer::Identity | Transfer::Base64) => {
                source.octets(parts).len() > LARGE
            }
            _ => false,
        }
    }

    /// Octets it comes to and the last of them, where that is known before it is encoded.
    fn measure(&self, layout: &Layout, parts: &[Part]) -> Option<(usize, Option<u8>)> {
        match self {
            Self::Frame(range) => {
                let octets = &layout.frame[range.clone()];
                Some((octets.len(), octets.last().copied()))
            }
            Self::Content(Source::File { .. }, _) | Self::Content(_, Transfer::QuotedPrintable { .. }) => {
                None
            }
            Self::Content(source, transfer) => {
                let octets = source.octets(parts);
                // Of base64, any character does.
                let last = octets.last().map(|last| if *transfer == Transfer::Base64 { b'=' } else { *last });
                Some((transfer.expected_len(octets), last))
            }
        }
    }
}

impl Source {
    /// Text that came as UTF-16.
    fn units<'a>(&self, parts: &'a [Part]) -> Option<&'a [u16]> {
        match self {
            Self::Part(index) => parts.get(*index)?.units(),
            Self::Text(_) | Self::File { .. } => None,
        }
    }

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

    /// Whether they stay as they are.
    pub(super) const fn is_verbatim(&self) -> bool {
        self.wanted.is_none()
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

/// A message put together while it is sent, before it is signed. It can be begun again.
#[derive(Debug)]
pub(super) struct Assembly {
    layout: Layout,
    parts: Arc<[Part]>,
    files: Arc<dyn FileOpener>,
    /// The next piece.
    next: usize,
    /// The content being encoded.
    reading: Option<Reading>,
    last: Option<u8>,
    finished: bool,
}

/// Content on its way through its encoder.
#[derive(Debug)]
struct Reading {
    content: Content,
    encoder: Encoder,
}

#[derive(Debug)]
enum Content {
    File(Box<dyn ChunkSource>),
    /// A file that is encoded at once, and what was read of it.
    WholeFile(Box<dyn ChunkSource>, Vec<u8>),
    Memory(Bytes),
}

impl Reading {
    /// Encodes the next chunk; `true` at the end.
    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Result<bool>> {
        let chunk = match &mut self.content {
            Content::File(file) => ready!(file.poll_chunk(cx)).transpose()?,
            Content::WholeFile(file, held) => match ready!(file.poll_chunk(cx)).transpose()? {
                Some(chunk) => {
                    held.extend_from_slice(&chunk);
                    return Poll::Ready(Ok(false));
                }
                None => {
                    self.encoder.push(held, out);
                    None
                }
            },
            Content::Memory(rest) => {
                Some(rest.split_to(rest.len().min(STRETCH))).filter(|chunk| !chunk.is_empty())
            }
        };
        match &chunk {
            Some(chunk) => self.encoder.push(chunk, out),
            None => self.encoder.finish(out),
        }
        Poll::Ready(Ok(chunk.is_none()))
    }

    /// What its encoder is known to write.
    const fn lines(&self) -> Lines {
        match self.encoder {
            Encoder::Base64(_) => Lines::Plain,
            Encoder::Identity | Encoder::QuotedPrintable(_) => Lines::Any,
        }
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

    /// Octets of all of it, where no file is to be read and no text to be encoded.
    pub(super) fn size(&self) -> Option<u64> {
        let mut size = 0;
        let mut last = None;
        for piece in &self.layout.pieces {
            let (octets, end) = piece.measure(&self.layout, &self.parts)?;
            size += octets as u64;
            last = end.or(last);
        }
        Some(size + last_newline(last).len() as u64)
    }

    /// Whether any of it has octets above 127; a file is not looked at.
    pub(super) fn is_eight_bit(&self) -> bool {
        let identity = |piece: &Piece| match piece {
            Piece::Content(source, Transfer::Identity) => !source.octets(&self.parts).is_ascii(),
            _ => false,
        };
        !self.layout.frame.is_ascii() || self.layout.pieces.iter().any(identity)
    }

    /// Appends the next octets, never none, and says what is known of them.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Option<Result<Lines>>> {
        let start = out.len();
        let mut lines = Lines::Any;
        while out.len() == start {
            if let Some(reading) = &mut self.reading {
                lines = reading.lines();
                if ready!(reading.poll(cx, out)?) {
                    self.reading = None;
                }
            } else {
                lines = Lines::Any;
                if !self.next_piece(out) {
                    return Poll::Ready(None);
                }
            }
        }
        self.last = out.last().copied();
        Poll::Ready(Some(Ok(lines)))
    }

    /// Writes the next piece or opens its content; `false` after the last.
    fn next_piece(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(piece) = self.layout.pieces.get(self.next) else {
            out.extend_from_slice(if self.finished { b"" } else { last_newline(self.last) });
            return !std::mem::replace(&mut self.finished, true);
        };
        self.next += 1;
        let content = match piece {
            Piece::Content(Source::File { path, whole: false }, _) => Content::File(self.files.open(path)),
            Piece::Content(Source::File { path, whole: true }, _) => {
                Content::WholeFile(self.files.open(path), Vec::new())
            }
            // Where quoted-printable text is cut would show.
            Piece::Content(Source::Part(index), Transfer::Identity | Transfer::Base64) => {
                Content::Memory(self.parts.get(*index).map(Part::bytes).unwrap_or_default())
            }
            piece => {
                write_piece(piece, &self.layout, &self.parts, out);
                return true;
            }
        };
        let Piece::Content(_, transfer) = piece else { return true };
        self.reading = Some(Reading { content, encoder: Encoder::new(*transfer) });
        true
    }
}
