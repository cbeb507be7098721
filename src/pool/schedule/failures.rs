//! What a failure means: for the message, for those waiting, and for the next attempt.

use std::time::Duration;

use tokio::time::Instant;

use super::connections::Connection;
use super::{Action, Mode, Place, Schedule, Timer};
use crate::connection::{Closed, ConnectionId, Undelivered};
use crate::error::{Code, Error, Phase};
use crate::pool::PoolEvent;

/// First pause before a message is tried again with a server that misbehaves, doubled each time.
const RETRY_BASE: Duration = Duration::from_millis(50);
/// Longest such pause.
const RETRY_MAX: Duration = Duration::from_secs(2);
/// Pause after a connection could not be made, as long as nodemailer's.
const CONNECT_PAUSE: Duration = Duration::from_millis(100);
/// First pause after a refused login, doubled each time: passwords do not mend themselves, and
/// servers lock accounts.
const AUTH_PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause.
const AUTH_PAUSE_MAX: Duration = Duration::from_secs(30);

impl Schedule {
    /// A message came back from a connection.
    pub(super) fn undelivered(
        &mut self,
        connection: ConnectionId,
        id: u64,
        undelivered: Undelivered,
        now: Instant,
    ) {
        let Undelivered { error, unsent, body_read } = undelivered;
        let again = unsent || (self.options.retry_in_doubt && error.maybe_delivered());
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let left = self.options.max_requeues.is_none_or(|max| job.attempts < max);
        if !again || !left || self.mode == Mode::Closed {
            self.fail(id, error, Some(connection));
            return;
        }
        if body_read && !job.message.replayable() {
            let text = "Content stream was already read or destroyed";
            self.fail(id, Error::new(Code::Stream, text).command("API").at(Phase::Data), Some(connection));
            return;
        }
        // A connection that took messages before and ends is the usual way of servers; one that
        // never took any is not.
        let proven = self.connections.get(&connection).is_some_and(|c| c.accepted > 0);
        let pause = if proven { Duration::ZERO } else { doubled(RETRY_BASE, job.attempts, RETRY_MAX) };
        job.attempts += 1;
        let attempt = job.attempts;
        self.queued_bytes += job.bytes;
        if pause.is_zero() {
            job.place = Place::Queued;
            self.lanes.push_front(&job.lane, id);
        } else {
            job.place = Place::Delayed;
            self.delayed += 1;
            self.timers.insert((now + pause, Timer::Retry(id)));
        }
        self.totals.requeued += 1;
        self.actions.push(Action::Event(PoolEvent::Requeued { id, attempt, error }));
    }

    /// A connection could not be made.
    pub(super) fn connect_failed(&mut self, connection: &Connection, closed: Closed, now: Instant) {
        let Some(error) = closed.error else { return };
        self.failures += 1;
        if matches!(error.code(), Code::Auth | Code::NoAuth | Code::OAuth2) {
            // Every message would be refused alike: they are told so instead of trying in turn.
            self.fail_waiting(usize::MAX, now, &error);
            self.hold_connecting(now + doubled(AUTH_PAUSE, self.failures - 1, AUTH_PAUSE_MAX));
            return;
        }
        let usable = self.connections.values().any(|c| c.state == super::State::Ready);
        if !usable {
            if closed.silent {
                self.count_silence(connection.opened_at);
            } else {
                self.fail_waiting(self.share(), connection.opened_at, &error);
            }
        }
        let pause =
            if closed.silent { doubled(RETRY_BASE, self.failures - 1, RETRY_MAX) } else { CONNECT_PAUSE };
        self.hold_connecting(now + pause);
    }

    /// A connection broke before it took anything.
    pub(super) fn back_off(&mut self, now: Instant) {
        self.failures += 1;
        self.hold_connecting(now + doubled(RETRY_BASE, self.failures - 1, RETRY_MAX));
    }

    /// Messages one failed attempt speaks for. nodemailer has `maxConnections` messages waiting on
    /// as many attempts; here fewer attempts run at once.
    fn share(&self) -> usize {
        self.options.max_connections.div_ceil(self.options.max_connecting.max(1))
    }

    /// Fails up to `count` messages that were waiting when the attempt began.
    fn fail_waiting(&mut self, count: usize, since: Instant, error: &Error) {
        for id in self.waiting(count, since) {
            self.fail(id, error.clone(), None);
        }
    }

    /// The server closed without a greeting: the messages waiting for it have tried once more.
    fn count_silence(&mut self, since: Instant) {
        for id in self.waiting(self.share(), since) {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            if self.options.max_requeues.is_none_or(|max| job.attempts < max) && self.mode != Mode::Closed {
                job.attempts += 1;
                let attempt = job.attempts;
                let error = no_greeting();
                self.totals.requeued += 1;
                self.actions.push(Action::Event(PoolEvent::Requeued { id, attempt, error }));
            } else {
                self.fail(id, no_greeting(), None);
            }
        }
    }

    /// The first `count` messages in the queue that were there at `since`, oldest first.
    fn waiting(&self, count: usize, since: Instant) -> Vec<u64> {
        let here = |job: &super::JobEntry| job.place != Place::Delayed || count == usize::MAX;
        let mut ids: Vec<u64> = self
            .jobs
            .iter()
            .filter(|(_, job)| !matches!(job.place, Place::Sent(_)) && job.queued_at <= since && here(job))
            .map(|(id, _)| *id)
            .collect();
        ids.sort_unstable();
        ids.truncate(count);
        ids
    }

    fn hold_connecting(&mut self, until: Instant) {
        self.connect_after = Some(until);
        self.timers.insert((until, Timer::Wake));
    }
}

fn no_greeting() -> Error {
    let text = "Reached maximum number of retries after connection was closed";
    Error::new(Code::Connection, text).at(Phase::Greeting)
}

fn doubled(base: Duration, times: u32, max: Duration) -> Duration {
    base.saturating_mul(1 << times.min(16)).min(max)
}
