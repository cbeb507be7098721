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
            Err(error) => return Poll::Ready(Err(self.broken(S::failure(&error, "read")))),
            Ok(()) if buffer.filled().is_empty() => {
                let error = closed_unexpectedly(self.reader.take_refusal_fragment());
                return Poll::Ready(Err(self.broken(error)));
            }
            Ok(()) => self.reader.feed(buffer.filled()),
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

    /// A connection that ends with nothing in flight is no failure.
    pub(super) fn broken(&self, error: Error) -> End {
        let idle = self.session.in_flight() == 0 && self.waiting.is_empty() && self.preparing.is_none();
        if idle && error.reply().is_none() { End::Idle } else { End::Failed(error) }
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        if self.session.output().is_empty() {
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
            Err(error) => return Poll::Ready(Err(self.write_failed(cx, &error))),
        }
        if self.session.output().is_empty() {
            // A TLS layer may hold bytes back until it is flushed; plain TCP does nothing here.
            if let Poll::Ready(Err(error)) = Pin::new(&mut self.socket).poll_flush(cx) {
                return Poll::Ready(Err(self.write_failed(cx, &error)));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The server may have said why before it closed: a 421 in the receive buffer is worth more
    /// than a broken pipe.
    fn write_failed(&mut self, cx: &mut Context<'_>, error: &std::io::Error) -> End {
        for _ in 0..16 {
            match self.poll_read(cx) {
                Poll::Ready(Ok(())) if self.session.is_over() => return self.over(),
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(end)) => return end,
                Poll::Pending => break,
            }
        }
        self.broken(S::failure(error, "write"))
    }
}
