//! What the pool asks for: another message, one message less, the end.

use std::task::{Context, Poll, ready};

use super::{Driver, End, Socket};
use crate::connection::delivery::Delivery;
use crate::connection::{Order, Report, Undelivered};
use crate::error::{Error, Phase};
use crate::wire::{Progress, closed_unexpectedly};

impl<S: Socket, T> Driver<'_, S, T> {
    pub(super) fn poll_orders(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        match ready!(self.orders.poll_recv(cx)) {
            Some(Order::Send(job)) => self.waiting.push_back(job),
            Some(Order::Cancel(id, reason)) => return Poll::Ready(self.cancel(id, reason)),
            Some(Order::Abort(reason)) => return Poll::Ready(Err(End::Failed(reason))),
            Some(Order::Quit) => self.asked_to_quit = true,
            Some(Order::Token(_) | Order::AuthCommand(_) | Order::AuthDone(_)) => {}
            None if self.is_idle() && !self.asked_to_quit => self.asked_to_quit = true,
            None => return Poll::Pending,
        }
        self.say_goodbye_if_done();
        Poll::Ready(Ok(()))
    }

    /// Nothing can be begun behind QUIT, so it waits for the last part of every message.
    pub(super) fn say_goodbye_if_done(&mut self) {
        let more = self.deliveries.iter().any(|(_, delivery)| delivery.has_more());
        if !self.asked_to_quit || !self.waiting.is_empty() || self.preparing.is_some() || more {
            return;
        }
        if self.session.in_flight() == 0 {
            self.deadline.start();
        }
        self.session.quit();
    }

    /// Gives a message up. The caller is told at once what that means; the connection ends only
    /// if half a body was written, for there is no other way to take that back.
    fn cancel(&mut self, id: u64, reason: Error) -> Result<(), End> {
        if let Some(at) = self.waiting.iter().position(|job| job.id == id) {
            self.waiting.remove(at);
        } else if self.preparing.as_ref().is_some_and(|(job, _)| job.id == id) {
            self.preparing = None;
        } else if let Some(at) = self.deliveries.iter().position(|(_, delivery)| delivery.job.id == id) {
            return self.cancel_begun(at, id, reason);
        } else {
            return Ok(());
        }
        self.settle(id, Err(Undelivered::untouched(reason.at_if_unset(Phase::Queue), false)));
        Ok(())
    }

    fn cancel_begun(&mut self, at: usize, id: u64, reason: Error) -> Result<(), End> {
        let (sequence, delivery) = self.deliveries.remove(at);
        let progress = self.session.progress(sequence);
        let (phase, outcome) = match progress {
            None | Some(Progress::Waiting) => {
                self.session.withdraw(sequence);
                (Phase::Queue, Ok(()))
            }
            // Its body will not be opened when its turn comes.
            Some(Progress::Envelope) => (Phase::Envelope, Ok(())),
            Some(Progress::Data) => (Phase::Data, Ok(())),
            Some(Progress::Ended) => (Phase::InDoubt, Ok(())),
            Some(Progress::Body) => {
                self.body = None;
                let goes_on = self.session.abort_body(reason.clone());
                (Phase::Data, if goes_on { Ok(()) } else { Err(End::Failed(closed_unexpectedly(None))) })
            }
        };
        let in_doubt = phase == Phase::InDoubt;
        self.settle(id, Err(delivery.given_up(reason.at(phase), in_doubt)));
        self.handle_events();
        if progress.is_some_and(|progress| progress != Progress::Waiting) {
            outcome?;
            return self.leave_behind();
        }
        outcome
    }

    /// A message was given up after its commands left, perhaps because the server is stuck on it:
    /// nothing new comes here. The connection is dropped at once unless that would put a
    /// neighbour in doubt.
    fn leave_behind(&mut self) -> Result<(), End> {
        let in_doubt = |(sequence, _): &(u64, Delivery)| {
            matches!(self.session.progress(*sequence), Some(Progress::Body | Progress::Ended))
        };
        if !self.deliveries.iter().any(in_doubt) {
            return Err(End::Dropped);
        }
        self.leaving = true;
        self.reports.send(Report::Depth(0));
        Ok(())
    }
}
