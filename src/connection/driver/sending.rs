//! A message on its way: prepared, submitted, its body read.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::{Driver, End, Socket};
use crate::connection::delivery::Delivery;
use crate::connection::{Job, Undelivered};
use crate::error::{Code, Error, Phase, Result};
use crate::mail::{Body, Lines, Prepared};
use crate::wire::closed_unexpectedly;

/// Octets waiting to be written above which no more body is taken.
const HIGH_WATER: usize = 256 * 1024;
/// Octets of a body encoded at a time.
const PIECE: usize = 64 * 1024;
/// A message that holds more than this is prepared on a thread that may block.
const PREPARE_INLINE: usize = 512 * 1024;

impl<S: Socket, T> Driver<'_, S, T> {
    pub(super) fn poll_prepare(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        if let Some((_, task)) = &mut self.preparing {
            let prepared = ready!(Pin::new(task).poll(cx)).unwrap_or_else(|_| Err(panicked()));
            let Some((job, _)) = self.preparing.take() else { return Poll::Pending };
            self.submit(job, prepared);
        } else {
            // One that waits at hand costs nothing but its record.
            if self.session.in_flight() >= self.rung.window {
                return Poll::Pending;
            }
            let Some(job) = self.waiting.pop_front() else { return Poll::Pending };
            if job.message.held_bytes() > PREPARE_INLINE {
                let message = Arc::clone(&job.message);
                self.preparing = Some((job, tokio::task::spawn_blocking(move || message.prepare())));
                return Poll::Ready(Ok(()));
            }
            let prepared = job.message.prepare();
            self.submit(job, prepared);
        }
        self.say_goodbye_if_done();
        Poll::Ready(Ok(()))
    }

    fn submit(&mut self, job: Job, prepared: Result<Prepared>) {
        let id = job.id;
        let delivery =
            prepared.and_then(|prepared| Delivery::new(job, prepared, &self.capabilities, self.secure));
        match delivery {
            Ok(delivery) => self.submit_part(delivery),
            Err(error) => {
                let error = error.at_if_unset(Phase::Envelope);
                self.settle(id, Err(Undelivered::untouched(error, false)));
            }
        }
    }

    pub(super) fn submit_part(&mut self, mut delivery: Delivery) {
        let envelope = delivery.next_part();
        self.next_sequence += 1;
        let sequence = self.next_sequence;
        if self.session.in_flight() == 0 {
            self.deadline.start();
        }
        let (params, size) = (delivery.params.clone(), delivery.size);
        self.deliveries.push((sequence, delivery));
        self.session.submit(sequence, envelope, params, size);
        self.handle_events();
    }

    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        if self.session.output().len() >= HIGH_WATER {
            return Poll::Pending;
        }
        let Some(sequence) = self.session.wants_body() else { return Poll::Pending };
        if self.body.as_ref().is_none_or(|(open, _)| *open != sequence) {
            match self.open_body(sequence) {
                Ok(body) => self.body = Some((sequence, body)),
                Err(error) => return Poll::Ready(self.body_failed(error)),
            }
        }
        match ready!(self.poll_piece(cx)) {
            Ok(true) => {}
            Ok(false) => {
                self.body = None;
                self.session.end_body();
                self.handle_events();
            }
            Err(error) => return Poll::Ready(self.body_failed(error)),
        }
        Poll::Ready(Ok(()))
    }

    /// Hands the session the next piece of the open body; gives whether more may come.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool>> {
        match &mut self.body {
            Some((_, Body::Whole(bytes))) => {
                let piece = bytes.split_to(bytes.len().min(PIECE));
                self.session.write_body(&piece);
                Poll::Ready(Ok(!bytes.is_empty()))
            }
            Some((_, Body::Chunks(source))) => {
                let Some(piece) = ready!(source.poll_chunk(cx)).transpose()? else {
                    return Poll::Ready(Ok(false));
                };
                self.deadline.progress();
                self.session.write_body(&piece);
                Poll::Ready(Ok(true))
            }
            Some((_, Body::Composed(composer))) => {
                self.session.compose_body(|out| match composer.poll_compose(cx, out) {
                    Poll::Ready(Some(Ok(lines))) => (lines, Poll::Ready(Ok(true))),
                    Poll::Ready(Some(Err(error))) => (Lines::Any, Poll::Ready(Err(error))),
                    Poll::Ready(None) => (Lines::Any, Poll::Ready(Ok(false))),
                    Poll::Pending => (Lines::Any, Poll::Pending),
                })
            }
            None => Poll::Pending,
        }
    }

    fn open_body(&mut self, sequence: u64) -> Result<Body> {
        match self.deliveries.iter_mut().find(|(open, _)| *open == sequence) {
            Some((_, delivery)) => delivery.open_body(),
            // It was given up after its envelope left: its caller knows already.
            None => Err(closed_unexpectedly(None)),
        }
    }

    /// A body that cannot be completed must not be ended either: an accepted recipient would get
    /// half a message.
    fn body_failed(&mut self, error: Error) -> Result<(), End> {
        self.body = None;
        let goes_on = self.session.abort_body(error.at_if_unset(Phase::Data));
        self.handle_events();
        if goes_on { Ok(()) } else { Err(End::Failed(closed_unexpectedly(None))) }
    }
}

fn panicked() -> Error {
    Error::new(Code::Internal, "The message could not be composed: a bug in postpool").at(Phase::Envelope)
}
