//! A message whose bytes JavaScript makes while it is sent.
//!
//! When a connection is about to take it, JavaScript is asked to open it; pieces then come in
//! through [`Streams::chunk`], which says when to pause. Each attempt opens it anew.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use super::outbox::{Outbox, lock};
use crate::error::{Code, Error, Result};
use crate::mail::{Body, ChunkSource, Envelope, Message, Prepared};

/// Octets a stream may be ahead of the socket.
const HIGH_WATER: usize = 256 * 1024;
/// Octets below which a paused stream goes on.
const LOW_WATER: usize = 64 * 1024;

/// The streams of a pool that are open now.
#[derive(Clone, Default)]
pub(super) struct Streams(Arc<Mutex<HashMap<u64, Feed>>>);

struct Feed {
    attempt: u32,
    pieces: mpsc::UnboundedSender<Result<Bytes>>,
    ahead: Arc<AtomicUsize>,
}

impl Streams {
    /// A piece from JavaScript. Gives false when it should wait for `drain`.
    pub(super) fn chunk(&self, id: u64, attempt: u32, piece: Bytes) -> bool {
        let feeds = lock(&self.0);
        let Some(feed) = feeds.get(&id).filter(|feed| feed.attempt == attempt) else { return false };
        let ahead = feed.ahead.fetch_add(piece.len(), Ordering::AcqRel) + piece.len();
        // A connection that is gone reads no more; the stream is told by `closed`.
        let _ = feed.pieces.send(Ok(piece));
        ahead < HIGH_WATER
    }

    /// The stream ended, well or with an error.
    pub(super) fn end(&self, id: u64, attempt: u32, error: Option<Error>) {
        let mut feeds = lock(&self.0);
        if feeds.get(&id).is_none_or(|feed| feed.attempt != attempt) {
            return;
        }
        if let (Some(feed), Some(error)) = (feeds.remove(&id), error) {
            let _ = feed.pieces.send(Err(error));
        }
    }
}

/// A message in the queue; its bytes do not exist yet.
pub(super) struct Streamed {
    pub(super) id: u64,
    pub(super) envelope: Envelope,
    pub(super) message_id: String,
    pub(super) attempts: AtomicU32,
    pub(super) streams: Streams,
    pub(super) outbox: Outbox,
}

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streamed").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Message for Streamed {
    fn prepare(&self) -> Result<Prepared> {
        let source = Source {
            id: self.id,
            attempt: self.attempts.fetch_add(1, Ordering::Relaxed) + 1,
            streams: self.streams.clone(),
            outbox: self.outbox.clone(),
            open: None,
        };
        Ok(Prepared {
            envelope: self.envelope.clone(),
            message_id: self.message_id.clone(),
            body: Body::Chunks(Box::new(source)),
        })
    }

    /// nodemailer makes the stream again, or says why it cannot.
    fn replayable(&self) -> bool {
        true
    }

    fn held_bytes(&self) -> usize {
        0
    }

    fn recipients(&self) -> usize {
        self.envelope.to.len()
    }
}

/// The receiving end; opens the stream when the first piece is asked for.
struct Source {
    id: u64,
    attempt: u32,
    streams: Streams,
    outbox: Outbox,
    open: Option<Open>,
}

struct Open {
    pieces: mpsc::UnboundedReceiver<Result<Bytes>>,
    ahead: Arc<AtomicUsize>,
}

impl Source {
    fn open(&self) -> Open {
        let (sender, pieces) = mpsc::unbounded_channel();
        let ahead = Arc::new(AtomicUsize::new(0));
        let feed = Feed { attempt: self.attempt, pieces: sender, ahead: Arc::clone(&ahead) };
        lock(&self.streams.0).insert(self.id, feed);
        self.outbox.push(&json!({ "k": "open", "id": self.id, "attempt": self.attempt }));
        Open { pieces, ahead }
    }
}

impl ChunkSource for Source {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if self.open.is_none() {
            self.open = Some(self.open());
        }
        let Some(open) = &mut self.open else { return Poll::Ready(None) };
        let piece = ready!(open.pieces.poll_recv(cx));
        if let Some(Ok(bytes)) = &piece {
            let before = open.ahead.fetch_sub(bytes.len(), Ordering::AcqRel);
            if before >= LOW_WATER && before - bytes.len() < LOW_WATER {
                self.outbox.push(&json!({ "k": "drain", "id": self.id, "attempt": self.attempt }));
            }
        }
        Poll::Ready(piece)
    }
}

impl Drop for Source {
    /// Whoever still makes pieces is told to stop.
    fn drop(&mut self) {
        if self.open.is_none() {
            return;
        }
        let mut feeds = lock(&self.streams.0);
        if feeds.get(&self.id).is_some_and(|feed| feed.attempt == self.attempt) {
            feeds.remove(&self.id);
            drop(feeds);
            self.outbox.push(&json!({ "k": "closed stream", "id": self.id, "attempt": self.attempt }));
        }
    }
}

/// An error of the caller's stream. The facade keeps the original; this carries its text.
pub(super) fn stream_error(text: String) -> Error {
    Error::new(Code::Stream, text).command("API")
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("id", &self.id).field("attempt", &self.attempt).finish_non_exhaustive()
    }
}
