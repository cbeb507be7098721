//! Composition without sending, for tests and debugging: the whole message as one `Buffer`.

#![cfg_attr(test, allow(dead_code, reason = "exports are registered only where JavaScript loads them"))]

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use napi::bindgen_prelude::{Buffer, Either};
use napi_derive::napi;

use super::files::{FileReader, Files};
use super::text::Text;
use crate::error::Result;
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
pub(super) fn compose(record: String, parts: Vec<Either<Text, Buffer>>) -> napi::Result<Composed> {
    let parts = parts.into_iter().map(part).collect();
    whole(&Recorded::new(record, parts, Arc::new(BlockingFiles)))
        .map_err(|e| napi::Error::from_reason(e.message()))
}

/// What crosses for one message: the fields of `toRecord`'s result.
#[napi(object, object_to_js = false)]
#[allow(missing_debug_implementations, reason = "a Buffer has no Debug")]
pub(super) struct Crossing {
    pub text: String,
    pub parts: Vec<Either<Text, Buffer>>,
}

/// Composes messages as the engine does when it sends them, away from this thread, and gives their
/// sizes in octets. Nothing of a message with files is held.
#[napi]
pub(super) async fn composed_sizes(messages: Vec<Crossing>) -> napi::Result<Vec<f64>> {
    let mut sizes = Vec::with_capacity(messages.len());
    for Crossing { text, parts } in messages {
        let message = Recorded::new(text, parts.into_iter().map(part).collect(), Arc::new(Files));
        sizes.push(size(&message).await.map_err(|error| napi::Error::from_reason(error.message()))?);
    }
    Ok(sizes)
}

async fn size(message: &Recorded) -> Result<f64> {
    let mut body = message.prepare()?.body;
    let (mut octets, mut stretch) = (0, Vec::new());
    while let Some(end) = poll_fn(|cx| body.poll_octets(cx, &mut stretch)).await {
        end?;
        octets += stretch.len();
        stretch.clear();
    }
    Ok(octets as f64)
}

/// A value that crossed, copied: JavaScript may go on to change it. Strings are copied as the
/// engine holds them, to be made UTF-8 on another thread.
pub(super) fn part(value: Either<Text, Buffer>) -> Part {
    match value {
        Either::A(Text(units)) => Part::Wide(units),
        Either::B(buffer) => Part::Bytes(Bytes::copy_from_slice(&buffer)),
    }
}

fn whole(message: &Recorded) -> Result<Composed> {
    let prepared = message.prepare()?;
    let raw = drain(prepared.body)?;
    let envelope = prepared.envelope;
    Ok(Composed { from: envelope.from, to: envelope.to, message_id: prepared.message_id, raw: raw.into() })
}

fn drain(mut body: Body) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    // Every source here is ready at once.
    while let Poll::Ready(Some(stretch)) = body.poll_octets(&mut cx, &mut out) {
        stretch?;
    }
    Ok(out)
}

/// Reads files where it is called.
#[derive(Debug)]
struct BlockingFiles;

impl FileOpener for BlockingFiles {
    fn open(&self, path: &str) -> Box<dyn ChunkSource> {
        Box::new(BlockingFile(FileReader::new(path)))
    }
}

#[derive(Debug)]
struct BlockingFile(FileReader);

impl ChunkSource for BlockingFile {
    fn poll_chunk(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        Poll::Ready(self.0.next().transpose())
    }
}
