//! Composition without sending: the whole message as one `Buffer`, for tests, for debugging, and
//! for another engine.

#![cfg_attr(test, allow(dead_code, reason = "exports are registered only where JavaScript loads them"))]

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use napi::bindgen_prelude::{Buffer, Either};
use napi_derive::napi;
use serde_json::json;

use super::copies::Copies;
use super::events::failure;
use super::files::{FileReader, Files};
use super::text::Text;
use crate::error::Result;
use crate::mail::{Body, ChunkSource, Message, Prepared};
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
pub(super) fn compose(
    record: String,
    #[napi(ts_arg_type = "Array<string | Buffer>")] parts: Vec<Either<Text, Buffer>>,
) -> napi::Result<Composed> {
    let parts: Box<_> = parts.into_iter().map(|value| part(value, &Copies::default())).collect();
    whole(&Recorded::new(record, parts, BlockingFiles)).map_err(|e| napi::Error::from_reason(e.message()))
}

/// A message that was given back, composed for another engine.
#[napi(object)]
#[allow(missing_debug_implementations, reason = "a Buffer has no Debug")]
pub(super) struct GivenBack {
    /// JSON: its envelope and its id, or under `e` why it cannot be composed.
    pub head: String,
    pub raw: Buffer,
}

/// Composes a message that holds no files.
pub(super) fn given_back(message: &dyn Message) -> GivenBack {
    match message.prepare().and_then(|prepared| Ok((head(&prepared), drain(prepared.body)?))) {
        Ok((head, raw)) => GivenBack { head: head.to_string(), raw: raw.into() },
        Err(error) => GivenBack { head: json!({ "e": failure(&error) }).to_string(), raw: Vec::new().into() },
    }
}

fn head(prepared: &Prepared) -> serde_json::Value {
    let envelope = &prepared.envelope;
    json!({
        "from": envelope.from, "to": envelope.to, "messageId": prepared.message_id, "size": envelope.size,
        "use8BitMime": envelope.use_8bit_mime, "requireTLS": envelope.require_tls,
        "dsn": envelope.dsn.as_ref().map(|dsn| json!({
            "ret": dsn.ret, "envid": dsn.envid, "notify": dsn.notify, "orcpt": dsn.orcpt,
        })),
    })
}

/// What crosses for one message: the fields of `toRecord`'s result.
#[napi(object, object_to_js = false)]
#[allow(missing_debug_implementations, reason = "a Buffer has no Debug")]
pub(super) struct Crossing {
    pub text: String,
    #[napi(ts_type = "Array<string | Buffer>")]
    pub parts: Vec<Either<Text, Buffer>>,
}

/// Composes messages as the engine does when it sends them, away from this thread, and gives their
/// sizes in octets. Nothing of a message with files is held.
#[napi]
pub(super) async fn composed_sizes(messages: Vec<Crossing>) -> napi::Result<Vec<f64>> {
    let mut sizes = Vec::with_capacity(messages.len());
    let copies = Copies::default();
    for Crossing { text, parts } in messages {
        let parts: Box<_> = parts.into_iter().map(|value| part(value, &copies)).collect();
        let message = Recorded::new(text, parts, Files);
        sizes.push(size(&message).await.map_err(|error| napi::Error::from_reason(error.message()))?);
    }
    Ok(sizes)
}

async fn size(message: &dyn Message) -> Result<f64> {
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
pub(super) fn part(value: Either<Text, Buffer>, copies: &Copies) -> Part {
    match value {
        Either::A(Text(units)) => units.into(),
        Either::B(buffer) => Part::Bytes(copies.of(&buffer)),
    }
}

fn whole(message: &dyn Message) -> Result<Composed> {
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
#[derive(Clone, Debug)]
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
