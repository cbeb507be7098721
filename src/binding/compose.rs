//! Composition without sending, for tests and debugging: the whole message as one `Buffer`.

#![cfg_attr(test, allow(dead_code, reason = "exports are registered only where JavaScript loads them"))]

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use napi::bindgen_prelude::{Buffer, Either};
use napi_derive::napi;

use crate::error::{Code, Error, Result};
use crate::mail::{Body, ChunkSource, Message};
use crate::message::{FileOpener, Part, Recorded};

/// A composed message.
#[napi(object)]
#[allow(missing_debug_implementations, reason = "a Buffer has no Debug")]
pub(super) struct Composed {
    pub from: String,
    pub to: Vec<String>,
    pub message_id: String,
    pub raw: Buffer,
}

/// Composes a message from its record, on this thread, files included.
#[napi]
pub(super) fn compose(record: String, parts: Vec<Either<String, Buffer>>) -> napi::Result<Composed> {
    let parts = parts.into_iter().map(part).collect();
    whole(&Recorded::new(record, parts, Arc::new(BlockingFiles)))
        .map_err(|e| napi::Error::from_reason(e.message()))
}

/// A value that crossed, copied: JavaScript may go on to change it.
pub(super) fn part(value: Either<String, Buffer>) -> Part {
    match value {
        Either::A(text) => Part::Text(text),
        Either::B(buffer) => Part::Bytes(Bytes::copy_from_slice(&buffer)),
    }
}

fn whole(message: &Recorded) -> Result<Composed> {
    let prepared = message.prepare()?;
    let raw = match prepared.body {
        Body::Whole(bytes) => bytes.to_vec(),
        Body::Chunks(chunks) => drain(chunks)?,
    };
    let envelope = prepared.envelope;
    Ok(Composed { from: envelope.from, to: envelope.to, message_id: prepared.message_id, raw: raw.into() })
}

fn drain(mut chunks: Box<dyn ChunkSource>) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    // Every source here is ready at once.
    while let Poll::Ready(Some(chunk)) = chunks.poll_chunk(&mut cx) {
        out.extend_from_slice(&chunk?);
    }
    Ok(out)
}

/// Reads files where it is called.
#[derive(Debug)]
struct BlockingFiles;

#[derive(Debug)]
struct BlockingFile {
    path: String,
    file: Option<File>,
}

impl FileOpener for BlockingFiles {
    fn open(&self, path: &str) -> Box<dyn ChunkSource> {
        Box::new(BlockingFile { path: path.to_owned(), file: None })
    }
}

impl BlockingFile {
    fn read(&mut self) -> std::io::Result<Vec<u8>> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(File::open(&self.path)?),
        };
        let mut chunk = Vec::new();
        file.take(64 * 1024).read_to_end(&mut chunk)?;
        Ok(chunk)
    }
}

impl ChunkSource for BlockingFile {
    fn poll_chunk(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        Poll::Ready(match self.read() {
            Ok(chunk) if chunk.is_empty() => None,
            Ok(chunk) => Some(Ok(chunk.into())),
            Err(error) => Some(Err(Error::new(Code::Stream, format!("{error}, open '{}'", self.path)))),
        })
    }
}
