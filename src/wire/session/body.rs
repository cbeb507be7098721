//! The body of the message that is being written: behind DATA as a stream, by BDAT in chunks.

use crate::error::Error;
use crate::mail::Lines;

use super::super::command::Command;
use super::super::transaction::{Stage, Transaction};
use super::flow::PATIENCE;
use super::{Expect, Session};

/// Largest chunk, and largest message sent in one; in octets.
const CHUNK_SIZE: usize = 1024 * 1024;
/// A body above this waits for its recipients' replies; in octets.
pub(super) const PUSH_LIMIT: u64 = 64 * 1024;

impl Session {
    /// The message whose body may be written now.
    pub fn wants_body(&self) -> Option<u64> {
        let transaction = self.sending()?;
        let open = transaction.stage == Stage::Body && (!transaction.chunked || self.may_push(transaction));
        open.then_some(transaction.id)
    }

    /// A piece of the body that [`wants_body`](Self::wants_body) asks for.
    pub fn write_body(&mut self, piece: &[u8]) {
        let chunked = self.is_chunked();
        let encoder = &mut self.encoder;
        if chunked {
            encoder.encode(piece, &mut self.chunk);
        } else {
            self.out.put(|out| encoder.encode(piece, out));
        }
        self.body_written();
    }

    /// As [`write_body`](Self::write_body), for a piece that `compose` appends, if there is one; it
    /// says what is known of its lines. What else it gives is handed on.
    pub fn compose_body<R>(&mut self, compose: impl FnOnce(&mut Vec<u8>) -> (Lines, R)) -> R {
        let chunked = self.is_chunked();
        let encoder = &mut self.encoder;
        let before = encoder.written();
        let write = |out: &mut Vec<u8>| {
            let start = out.len();
            let (lines, result) = compose(out);
            encoder.settle(out, start, lines);
            result
        };
        let result = if chunked { write(&mut self.chunk) } else { self.out.put(write) };
        if self.encoder.written() > before {
            self.body_written();
        }
        result
    }

    fn body_written(&mut self) {
        let Some(transaction) = self.sending_mut() else { return };
        transaction.body_begun = true;
        if transaction.chunked && self.chunk.len() >= CHUNK_SIZE {
            self.flush_chunk(false);
        }
    }

    fn is_chunked(&self) -> bool {
        self.sending().is_some_and(|transaction| transaction.chunked)
    }

    /// The body is complete.
    pub fn end_body(&mut self) {
        let Some((id, chunked)) = self.sending().map(|t| (t.id, t.chunked)) else { return };
        if chunked {
            self.encoder.finish(&mut self.chunk);
            self.flush_chunk(true);
        } else {
            self.out.put(|out| self.encoder.finish(out));
        }
        let (end_at, size) = (self.out.position(), self.encoder.written());
        self.expect(Expect::End(id));
        let nothing_waits = self.options.chunking && self.options.pipelining;
        let marked = chunked && nothing_waits;
        if let Some(transaction) = self.sending_mut() {
            transaction.end_at = Some(end_at);
            transaction.wire_size = size;
            transaction.marked = marked;
            transaction.stage = Stage::Ended;
        }
        // Nobody knows yet whether the server took this one; a server that did not may keep it open.
        self.dirty = nothing_waits && !marked;
        if marked {
            self.out.command(&Command::Rset);
            self.expect(Expect::Mark(id));
        }
        self.pump();
    }

    /// The body cannot be completed. Gives whether the connection can go on: a chunked body can be
    /// dropped by RSET (RFC 3030 §2), one behind DATA cannot.
    pub fn abort_body(&mut self, error: Error) -> bool {
        let Some((id, chunked)) = self.sending().map(|t| (t.id, t.chunked)) else { return true };
        self.remove(id, error);
        self.chunk.clear();
        self.dirty = true;
        if chunked {
            self.pump();
        }
        chunked
    }

    /// Whether a chunked body may be pushed: a small one at once, a large one when somebody takes it.
    fn may_push(&self, transaction: &Transaction) -> bool {
        let trusted = self.options.pipelining && self.refusals < PATIENCE;
        let small = trusted && transaction.size.is_some_and(|size| size <= PUSH_LIMIT);
        small || (transaction.envelope_answered() && !transaction.accepted.is_empty())
    }

    fn flush_chunk(&mut self, last: bool) {
        self.out.command(&Command::Bdat { size: self.chunk.len(), last });
        self.out.put(|out| out.extend_from_slice(&self.chunk));
        self.chunk.clear();
        if !last && let Some(id) = self.sending().map(|t| t.id) {
            self.expect(Expect::Chunk(id));
        }
    }
}
