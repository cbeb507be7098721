//! Bytes in and bytes out.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;

use super::{Driver, End, Socket};
use crate::error::{Error, Result};
use crate::wire::{closed_unexpectedly, unexpected};

impl<S: Socket, T> Driver<'_, S, T> {
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let mut buffer = ReadBuf::new(&mut self.buffer);
        match ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer)) {
            Ok(()) if !buffer.filled().is_empty() => self.reader.feed(buffer.filled()),
            end => {
                let failure = end.err().map(|error| S::failure(&error, "read"));
                return Poll::Ready(Err(self.closed(failure)));
            }
        }
        Poll::Ready(self.read_replies().map_err(End::Failed))
    }

    fn read_replies(&mut self) -> Result<()> {
        while let Some(reply) = self.reader.next_reply()? {
            self.deadline.progress();
            let outcome = self.session.reply(&reply);
            self.handle_events();
            outcome?;
            if self.session.is_over() {
                return Ok(());
            }
        }
        // Part of a group came alone: the server may hold the rest back until this is acknowledged.
        if self.session.awaits_reply() && self.session.output().is_empty() {
            self.socket.rearm_quickack();
        }
        Ok(())
    }

    /// Nothing more can be read: the server's last word explains it, or else what failed first.
    fn closed(&mut self, failure: Option<Error>) -> End {
        if self.session.closing_reply().is_some() {
            return self.over();
        }
        let fragment = self.reader.take_refusal_fragment().filter(|_| failure.is_none());
        let last_word = fragment.or_else(|| self.session.refused_reset().map(str::to_owned));
        let unexplained = self.unwritable.take().or(failure).filter(|_| last_word.is_none());
        self.broken(unexplained.unwrap_or_else(|| closed_unexpectedly(last_word)))
    }

    /// A connection that ends with nothing in flight is no failure.
    pub(super) fn broken(&self, error: Error) -> End {
        let idle = self.session.in_flight() == 0 && self.waiting.is_empty() && self.preparing.is_none();
        if idle && error.reply().is_none() { End::Idle } else { End::Failed(error) }
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        if self.session.output().is_empty() || self.unwritable.is_some() {
            return Poll::Pending;
        }
        if self.reader.has_buffered() && !self.session.reply_is_due() {
            // The beginning of a reply to what was not sent yet.
            return Poll::Ready(Err(End::Failed(unexpected("CONN"))));
        }
        match ready!(Pin::new(&mut self.socket).poll_write(cx, self.session.output())) {
            Ok(count) if count > 0 => {
                self.session.written(count);
                self.deadline.wrote(count);
            }
            Ok(_) => return Poll::Ready(Err(self.broken(closed_unexpectedly(None)))),
            Err(error) => self.unwritable = Some(S::failure(&error, "write")),
        }
        if self.session.output().is_empty() {
            // A TLS layer may hold bytes back until it is flushed; plain TCP does nothing here.
            if let Poll::Ready(Err(error)) = Pin::new(&mut self.socket).poll_flush(cx) {
                self.unwritable = Some(S::failure(&error, "write"));
            }
        }
        Poll::Ready(Ok(()))
    }
}
