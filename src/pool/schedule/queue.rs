//! Into the queue, back to it, and out of it without being sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Action, Job, Mode, Place, Schedule, Timer, pool_closed};
use crate::connection::{ConnectionId, Order};
use crate::error::{Code, Error, Phase};
use crate::pool::{PoolEvent, Submission};

/// Room for so many messages is kept when there are none.
const KEPT: usize = 1024;

impl Schedule {
    /// A message is handed in.
    pub(in crate::pool) fn submit(&mut self, submission: Submission, now: Instant) {
        let Submission { id, message, lane, timeout } = submission;
        let bytes = message.held_bytes();
        if let Some(error) = self.refusal(bytes) {
            self.totals.failed(&error);
            self.tell(PoolEvent::Settled { id, result: Err(error), connection: None });
            return;
        }
        self.submitted += 1;
        let limit = timeout.map(Duration::from_millis).or(self.options.timeout);
        let lane = lane.unwrap_or_else(|| Arc::clone(&self.no_lane));
        let mut job = Box::new(Job::new(message, lane, self.submitted, now));
        let waits_until = self.options.queue_timeout.map(|wait| now + wait);
        job.waits_until(waits_until);
        self.timers.extend(waits_until.map(|at| (at, Timer::Queue(id))));
        if let Some(limit) = limit {
            job.rare_mut().expires = Some(now + limit);
            self.timers.insert((now + limit, Timer::Message(id)));
        }
        self.lanes.insert(&job.lane, job.number, id, bytes);
        self.queued_bytes += bytes;
        self.jobs.insert(id, job);
    }

    /// Why a message cannot be queued.
    fn refusal(&self, bytes: usize) -> Option<Error> {
        if self.mode != Mode::Running {
            return Some(pool_closed());
        }
        let waiting = self.lanes.len() + self.delayed;
        let too_many = self.options.max_queue.is_some_and(|max| waiting >= max);
        // A message larger than the bound is taken when it is alone: it would never fit otherwise.
        let too_large = self.options.max_queue_bytes.is_some_and(|max| self.queued_bytes + bytes > max);
        let full = too_many || (too_large && waiting > 0);
        full.then(|| Error::new(Code::QueueFull, "The queue is full").command("API").at(Phase::Queue))
    }

    /// A message that was on a connection waits again, from `at` on.
    pub(super) fn put_back(&mut self, id: u64, at: Option<Instant>, now: Instant) {
        let wait = self.options.queue_timeout;
        let Some(job) = self.jobs.get_mut(&id) else { return };
        self.queued_bytes += job.bytes();
        let waits_until = wait.map(|wait| now + wait);
        job.waits_until(waits_until);
        self.timers.extend(waits_until.map(|at| (at, Timer::Queue(id))));
        match at {
            Some(at) => {
                job.place = Place::Delayed(at);
                self.delayed += 1;
                self.timers.insert((at, Timer::Retry(id)));
            }
            None => {
                job.place = Place::Queued;
                self.lanes.insert(&job.lane, job.number, id, job.bytes());
            }
        }
    }

    /// The pause before another attempt is over.
    pub(super) fn queue_again(&mut self, id: u64) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if matches!(job.place, Place::Delayed(_)) {
            job.place = Place::Queued;
            self.delayed -= 1;
            self.lanes.insert(&job.lane, job.number, id, job.bytes());
        }
    }

    /// Gives a message up: at once while it waits, through its connection when it is there.
    pub(in crate::pool) fn give_up(&mut self, id: u64, error: Error) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Place::Sent(connection) = job.place else {
            self.fail(id, error.at_if_unset(Phase::Queue), None);
            return;
        };
        let given_up = &mut job.rare_mut().given_up;
        if given_up.is_none() {
            *given_up = Some(error.clone());
            if let Some(connection) = self.connections.get_mut(&connection) {
                connection.may_be_dropped = true;
            }
            self.actions.push(Action::Order(connection, Order::Cancel(id, error)));
        }
    }

    /// Settles a message that is not sent any further: with this error, unless somebody got it.
    pub(super) fn fail(&mut self, id: u64, error: Error, connection: Option<ConnectionId>) {
        let Some(mut job) = self.forget(id) else { return };
        let result = match job.take_rare().and_then(|rare| rare.so_far) {
            Some(so_far) => Arc::unwrap_or_clone(so_far).close(&error).map(Box::new),
            None => Err(error),
        };
        match &result {
            Ok(receipt) => self.totals.sent(receipt),
            Err(error) => {
                self.totals.failed(error);
                if self.is_for_another(error) {
                    self.tell(PoolEvent::GivenBack(id, job.message));
                }
            }
        }
        self.tell(PoolEvent::Settled { id, result, connection });
    }

    /// Whether another engine may send the message that failed of this.
    fn is_for_another(&self, error: &Error) -> bool {
        error.is_tls_incompatible() || (self.gives_back && error.phase() == Some(Phase::Queue))
    }

    /// Takes a message out of everything it is in.
    pub(super) fn forget(&mut self, id: u64) -> Option<Box<Job>> {
        let job = self.jobs.remove(&id)?;
        if self.jobs.is_empty() && self.jobs.capacity() > KEPT {
            self.jobs = HashMap::new();
        }
        match job.place {
            Place::Queued => self.lanes.remove(&job.lane, job.number, job.bytes()),
            Place::Delayed(at) => {
                self.delayed -= 1;
                self.timers.remove(&(at, Timer::Retry(id)));
            }
            Place::Sent(_) => {}
        }
        if !matches!(job.place, Place::Sent(_)) {
            self.queued_bytes -= job.bytes();
        }
        if let Some(at) = job.rare().and_then(|rare| rare.waits_until) {
            self.timers.remove(&(at, Timer::Queue(id)));
        }
        if let Some(at) = job.rare().and_then(|rare| rare.expires) {
            self.timers.remove(&(at, Timer::Message(id)));
        }
        Some(job)
    }
}
