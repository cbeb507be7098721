//! Messages to connections, and what connections say of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Action, CloseReason, Connection, Place, Schedule, Timer};
use crate::connection::{self, ConnectionId, Order, Undelivered};
use crate::mail::Receipt;
use crate::pool::PoolEvent;
use crate::pool::common::Turn;
use crate::pool::learn::of_message;

impl Schedule {
    /// Hands messages to connections. Tells whether a limit on the rate holds the next one back.
    pub(super) fn dispatch(&mut self, now: Instant) -> bool {
        while let Some(id) = self.lanes.front() {
            let Some(job) = self.jobs.get(&id) else { return false };
            let (recipients, bytes) = (job.message.recipients() as u64, job.bytes());
            if let Some(at) = self.targets.wait(now) {
                self.seat.leave();
                self.timers.insert((at, Timer::Wake));
                return true;
            }
            match self.seat.ask(recipients, bytes as u64, now) {
                Turn::Now => {}
                Turn::Behind => return true,
                Turn::At(at) => {
                    self.timers.insert((at, Timer::Wake));
                    return true;
                }
            }
            let Some(connection) = self.pick(now) else {
                self.timers.extend(self.targets.next_pace(now).map(|at| (at, Timer::Wake)));
                return false;
            };
            self.seat.start(recipients, bytes as u64, now);
            self.lanes.pop(bytes);
            self.assign(id, connection, now);
        }
        false
    }

    /// The connection that takes the next message: the one with the least in flight, of several the
    /// one whose host has the least, then the oldest. One that is busy takes another only if no new
    /// connection will be free for it.
    fn pick(&self, now: Instant) -> Option<ConnectionId> {
        let limited = self.seat.is_limited();
        // One that was made ahead of time waits until those that leave are done.
        let full = self.working() >= self.options.max_connections;
        let has_room = |c: &&Connection| {
            let learned = &self.targets[c.target].learned;
            c.takes_more(limited || learned.is_slowed())
                && !(full && c.in_flight.is_empty())
                && learned.wait(now).is_none()
        };
        let loads = if self.targets.len() > 1 { self.loads() } else { Vec::new() };
        let load = |target: usize| loads.get(target).map_or(0, |load| load.in_flight);
        let usable = self.connections.values().filter(has_room);
        let best = usable.min_by_key(|c| (c.in_flight.len(), load(c.target), c.id))?;
        let spare = || self.lanes.len() > self.connecting() + self.may_open();
        (best.in_flight.is_empty() || spare()).then_some(best.id)
    }

    /// Connections with messages in flight.
    fn working(&self) -> usize {
        self.connections.values().filter(|connection| !connection.in_flight.is_empty()).count()
    }

    /// Whether a message must start when it is handed out, not later.
    pub(super) fn is_limited(&self) -> bool {
        self.seat.is_limited() || self.targets.iter().all(|target| target.learned.is_slowed())
    }

    fn assign(&mut self, id: u64, connection: ConnectionId, now: Instant) {
        let (Some(job), Some(target)) = (self.jobs.get_mut(&id), self.connections.get_mut(&connection))
        else {
            return;
        };
        self.targets[target.target].learned.start(now);
        job.place = Place::Sent(connection);
        let bytes = job.bytes();
        self.queued_bytes -= bytes;
        if let Some(at) = job.rare().and_then(|rare| rare.waits_until) {
            self.timers.remove(&(at, Timer::Queue(id)));
            job.waits_until(None);
        }
        if job.attempts() == 0 {
            let waited = now - job.queued_at;
            self.seat.record(|times| times.wait.record(waited));
        }
        let (message, so_far) = (Arc::clone(&job.message), job.rare().and_then(|rare| rare.so_far.clone()));
        let order = Order::Send(connection::Job { id, message, so_far });
        let messages = target.given;
        target.take(id, bytes);
        let used_up = target.is_used_up();
        if self.options.verbose {
            self.tell(PoolEvent::Assigned { id, connection, messages });
        }
        self.actions.push(Action::Order(connection, order));
        if used_up {
            self.retire(connection, CloseReason::Used);
        }
    }

    /// A connection ended a message.
    pub(in crate::pool) fn settled(
        &mut self,
        connection: ConnectionId,
        id: u64,
        result: Result<Box<Receipt>, Undelivered>,
        now: Instant,
    ) {
        let Some(job) = self.jobs.get(&id).filter(|job| job.place == Place::Sent(connection)) else { return };
        if let Some(target) = self.connections.get_mut(&connection) {
            let answered = match &result {
                Ok(_) => true,
                Err(Undelivered { error, unsent, .. }) => {
                    !unsent && error.reply().is_some() && of_message(error).is_none()
                }
            };
            target.done(id, job.bytes(), answered, now);
            if let Ok(receipt) = &result {
                target.sent(receipt);
            }
        }
        match result {
            Ok(receipt) => {
                if let Some(connection) = self.connections.get(&connection) {
                    self.targets[connection.target].worked();
                }
                self.forget(id);
                self.totals.sent(&receipt);
                self.seat.record(|times| {
                    times.envelope.record(Duration::from_millis(receipt.envelope_time));
                    times.data.record(Duration::from_millis(receipt.message_time));
                });
                self.tell(PoolEvent::Settled { id, result: Ok(receipt), connection: Some(connection) });
            }
            Err(undelivered) => self.undelivered(connection, id, undelivered, now),
        }
    }
}
