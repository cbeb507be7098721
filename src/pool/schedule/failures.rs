//! What a failure means: for the message, for those waiting, and for the next attempt.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{CloseReason, Connection, Mode, Schedule, State, Timer};
use crate::connection::{Closed, ConnectionId, Undelivered};
use crate::error::{Code, Error, Phase};
use crate::pool::PoolEvent;
use crate::pool::learn::{Hint, ServerClose, of_message, of_reply};

/// First pause before a message is tried again with a server that misbehaves, doubled each time.
const RETRY: Backoff = Backoff { first: Duration::from_millis(50), longest: Duration::from_secs(2) };
/// Pause before a message is tried again that came too fast.
const THROTTLED: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };
/// Pause after a refused login: passwords do not mend themselves, and servers lock accounts.
const LOGIN: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };
/// Pause before a connection that nobody waits for is tried again.
const WARM: Backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(30) };
/// Pause after a connection could not be made, as long as nodemailer's.
const CONNECT_PAUSE: Duration = Duration::from_millis(100);

/// Pauses that double.
#[derive(Clone, Copy, Debug)]
struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    fn after(self, times: u32) -> Duration {
        self.first.saturating_mul(1 << times.min(16)).min(self.longest)
    }
}

/// How a message is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// At once, and it does not count: the message met a limit, not a failure.
    Free,
    /// After a pause, if it was not tried too often.
    After(Duration),
}

impl Schedule {
    /// A message came back from a connection.
    pub(super) fn undelivered(
        &mut self,
        connection: ConnectionId,
        id: u64,
        undelivered: Undelivered,
        now: Instant,
    ) {
        let Undelivered { mut error, unsent, body_read, so_far } = undelivered;
        let hint = self.heed(connection, &error, now);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let in_doubt = error.maybe_delivered() && self.options.retry_in_doubt;
        let mut parts_left = false;
        if let Some(mut so_far) = so_far {
            if in_doubt {
                so_far.retry_in_doubt();
            }
            parts_left = so_far.has_left();
            job.rare_mut().so_far = Some(Arc::from(so_far));
            // It is one part that is in doubt: the recipients who are left are not.
            if error.maybe_delivered() {
                error = error.at(Phase::Envelope);
            }
        }
        if let Some(reason) = job.take_given_up() {
            let phase = error.phase().unwrap_or(Phase::Queue);
            let error = if unsent { reason.at_if_unset(phase) } else { error };
            self.fail(id, error, Some(connection));
            return;
        }
        let (attempts, replayable) = (job.attempts(), job.message.replayable());
        let silent = error.code() == Code::TimedOut && !error.maybe_delivered();
        let again = self.again(connection, attempts, hint);
        let too_often = again != Again::Free && self.options.max_requeues.is_some_and(|max| attempts >= max);
        let may_go_again = (unsent && !silent) || in_doubt || hint.is_some() || parts_left;
        if !may_go_again || too_often || self.mode == Mode::Closed {
            self.fail(id, error, Some(connection));
        } else if body_read && !replayable {
            let text = "Content stream was already read or destroyed";
            let unreadable = Error::new(Code::Stream, text).command("API").at(Phase::Data);
            self.fail(id, if unsent { unreadable } else { error }, Some(connection));
        } else {
            self.requeue(id, again, error, now);
        }
    }

    fn requeue(&mut self, id: u64, again: Again, error: Error, now: Instant) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let pause = match again {
            Again::Free => Duration::ZERO,
            Again::After(pause) => {
                job.rare_mut().attempts += 1;
                pause
            }
        };
        let attempt = job.attempts();
        self.put_back(id, (!pause.is_zero()).then(|| now + pause), now);
        self.totals.requeued += 1;
        self.tell(PoolEvent::Requeued { id, attempt, error });
    }

    /// How a message may go again. A connection that answered messages before and ends is the
    /// usual way of servers; one that never did is not.
    fn again(&self, connection: ConnectionId, attempts: u32, hint: Option<Hint>) -> Again {
        let was = self.connections.get(&connection);
        let proven = was.is_some_and(|connection| connection.answered > 0);
        let dropped_by_us = was.is_some_and(|connection| connection.may_be_dropped);
        match hint {
            Some(Hint::SessionUsedUp) if proven => Again::Free,
            Some(Hint::TooManyConnections) if was.is_some_and(|was| self.others(was) > 0) => Again::Free,
            Some(Hint::TooFast) => Again::After(THROTTLED.after(attempts)),
            _ if dropped_by_us => Again::Free,
            _ if proven => Again::After(Duration::ZERO),
            _ => Again::After(RETRY.after(attempts)),
        }
    }

    /// Connections that stay beside this one at its host.
    fn others(&self, connection: &Connection) -> usize {
        let beside =
            |c: &&Connection| c.target == connection.target && c.id != connection.id && !c.is_leaving();
        self.connections.values().filter(beside).count()
    }

    /// Learns from the refusal of a message.
    fn heed(&mut self, id: ConnectionId, error: &Error, now: Instant) -> Option<Hint> {
        let hint = of_message(error).filter(|_| self.options.learn_limits)?;
        let others = self.others(self.connections.get(&id)?);
        let connection = self.connections.get_mut(&id)?;
        let target = connection.target;
        connection.complained = true;
        let answered = connection.answered;
        let learned = &mut self.targets[target].learned;
        let lesson = match hint {
            Hint::SessionUsedUp => learned.session_used_up(answered),
            Hint::TooManyConnections => learned.too_many_connections(others, now),
            Hint::TooFast => learned.too_fast(now),
        };
        if hint != Hint::TooFast {
            let reason = if hint == Hint::SessionUsedUp { CloseReason::Used } else { CloseReason::Resized };
            self.retire(id, reason);
        }
        self.tell_lesson(target, lesson);
        self.apply_message_limit(target);
        Some(hint)
    }

    /// Connections that are open keep to the learned number of messages, too.
    fn apply_message_limit(&mut self, target: usize) {
        let Some(max) = self.targets[target].learned.messages() else { return };
        let mut used_up = Vec::new();
        for connection in self.connections.values_mut().filter(|connection| connection.target == target) {
            connection.limit_messages(max);
            if connection.state == State::Ready && connection.is_used_up() {
                used_up.push(connection.id);
            }
        }
        for id in used_up {
            self.retire(id, CloseReason::Used);
        }
    }

    /// A connection that took messages ended without being asked to.
    pub(super) fn lost(&mut self, connection: &Connection, closed: &Closed, now: Instant) {
        let idle = now - connection.idle_since;
        if connection.answered == 0 && !connection.may_be_dropped && idle < RETRY.longest {
            // It broke before it was of any use.
            let times = self.targets[connection.target].failed(connection.opened_at, now);
            self.hold_connecting(connection.target, now + RETRY.after(times));
            return;
        }
        let by_server = match &closed.error {
            None => true,
            Some(error) => error.reply().is_none() && matches!(error.code(), Code::Connection | Code::Socket),
        };
        if by_server && !connection.may_be_dropped {
            let close = ServerClose { answered: connection.answered, idle, opened_at: connection.opened_at };
            let target = connection.target;
            let lesson = self.targets[target].learned.server_closed(close, now);
            self.tell_lesson(target, lesson);
            self.apply_message_limit(target);
            if lesson.is_some_and(|lesson| lesson.kind == "idle") {
                for id in self.connections.keys().copied().collect::<Vec<_>>() {
                    self.arm_idle(id);
                }
            }
        }
    }

    /// A connection could not be made.
    pub(super) fn connect_failed(&mut self, connection: &Connection, closed: Closed, now: Instant) {
        let error = closed.error.unwrap_or_else(no_greeting);
        let target = connection.target;
        let times = self.targets[target].failed(connection.opened_at, now);
        let usable = self.targets.any_fit() || self.connections.values().any(|c| c.state == State::Ready);
        let hint = of_reply(&error).filter(|_| self.options.learn_limits);
        let refused = closed.silent || hint == Some(Hint::TooManyConnections) || is_at_the_door(&error);
        // It may have come too early, before those that leave had left: no message pays for that.
        let crowded = connection.overlaps > 0 && refused;
        if crowded || (hint == Some(Hint::TooManyConnections) && usable) {
            let others = self.others(connection) + connection.overlaps;
            let lesson = self.targets[target].learned.too_many_connections(others, now);
            self.tell_lesson(target, lesson);
        }
        // A temporary refusal says nothing about the password.
        let temporary = error.reply_code().is_some_and(|code| (400..500).contains(&code));
        let is_login = !temporary && matches!(error.code(), Code::Auth | Code::NoAuth | Code::OAuth2);
        self.targets[target].login_works &= !is_login;
        let pause = match hint {
            _ if is_login => LOGIN.after(times),
            Some(Hint::TooFast) => THROTTLED.after(times),
            Some(_) => RETRY.after(times),
            None if closed.silent => RETRY.after(times),
            None => CONNECT_PAUSE,
        };
        if usable || crowded || self.paused {
            // Other connections take what waits, or will.
        } else if is_login && hint.is_none() {
            // Every message would be refused alike: they are told so instead of trying in turn.
            self.fail_foremost(usize::MAX, now, &error);
        } else if closed.silent {
            self.count_attempt(connection, &no_greeting());
        } else if hint.is_some() {
            self.count_attempt(connection, &error);
        } else {
            self.fail_foremost(connection.share, connection.opened_at, &error);
        }
        self.hold_connecting(target, now + pause);
        if self.lanes.len() == 0 {
            self.hold_warming(now + WARM.after(times).max(pause));
        }
    }

    /// Fails up to `count` messages that were waiting at `since`.
    fn fail_foremost(&mut self, count: usize, since: Instant, error: &Error) {
        for id in self.waiting(count, since) {
            self.fail(id, error.clone(), None);
        }
    }

    /// The server had no place for a connection: the messages waiting for it have tried once more.
    fn count_attempt(&mut self, connection: &Connection, error: &Error) {
        for id in self.waiting(connection.share, connection.opened_at) {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            let left = self.options.max_requeues.is_none_or(|max| job.attempts() < max);
            if left && self.mode != Mode::Closed {
                job.rare_mut().attempts += 1;
                let attempt = job.attempts();
                self.totals.requeued += 1;
                self.tell(PoolEvent::Requeued { id, attempt, error: error.clone() });
            } else {
                self.fail(id, error.clone(), None);
            }
        }
    }

    /// The first `count` messages in the queue, as far as they were there at `since`.
    fn waiting(&self, count: usize, since: Instant) -> Vec<u64> {
        let mut found = self.lanes.foremost(count);
        found.retain(|id| self.jobs.get(id).is_some_and(|job| job.queued_at <= since));
        found
    }

    fn hold_connecting(&mut self, target: usize, until: Instant) {
        self.targets[target].hold(until);
        self.timers.insert((until, Timer::Wake));
    }

    fn hold_warming(&mut self, until: Instant) {
        self.warm_after = self.warm_after.max(Some(until));
        self.timers.insert((until, Timer::Wake));
    }
}

/// Whether the server refused a connection before it knew who is there.
fn is_at_the_door(error: &Error) -> bool {
    error.reply().is_some() && matches!(error.phase(), Some(Phase::Greeting | Phase::Ehlo))
}

fn no_greeting() -> Error {
    let text = "Reached maximum number of retries after connection was closed";
    Error::new(Code::Connection, text).at(Phase::Greeting)
}
