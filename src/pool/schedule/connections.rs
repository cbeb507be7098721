//! The connections of a schedule: how many, in what state, which may take a message.

use std::time::Duration;

use tokio::time::Instant;

use super::{Action, CloseReason, Mode, Schedule, Timer};
use crate::connection::{ConnectionId, Order, Ready};
use crate::error::{Code, Error};
use crate::pool::PoolEvent;

/// Octets in flight above which a connection takes no further message in advance: what waits
/// behind a large one waits long.
const HEAVY: usize = 256 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Connecting,
    Ready,
    /// It was told to finish and go.
    Leaving(CloseReason),
}

/// A connection as the schedule sees it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) state: State,
    pub(super) opened_at: Instant,
    pub(super) in_flight: Vec<u64>,
    bytes_in_flight: usize,
    /// Messages in flight at once.
    depth: usize,
    /// Messages given so far, and allowed.
    pub(super) given: u32,
    pub(super) max_messages: u32,
    /// Messages the server took.
    pub(super) accepted: u32,
    idle_since: Instant,
}

impl Connection {
    /// Whether a message can be handed to it now.
    pub(super) fn takes_more(&self, limited: bool) -> bool {
        let depth = if limited { 1 } else { self.depth };
        self.state == State::Ready
            && self.in_flight.len() < depth
            && self.given < self.max_messages
            && (self.in_flight.is_empty() || self.bytes_in_flight < HEAVY)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state == State::Ready && self.in_flight.is_empty()
    }

    pub(super) fn take(&mut self, id: u64, bytes: usize) {
        self.in_flight.push(id);
        self.bytes_in_flight += bytes;
        self.given += 1;
    }

    pub(super) fn done(&mut self, id: u64, bytes: usize, accepted: bool, now: Instant) {
        self.in_flight.retain(|job| *job != id);
        self.bytes_in_flight = self.bytes_in_flight.saturating_sub(bytes);
        self.accepted += u32::from(accepted);
        self.idle_since = now;
    }

    pub(super) fn ready(&mut self, ready: &Ready, now: Instant) {
        if self.state == State::Connecting {
            self.state = State::Ready;
        }
        self.depth = ready.depth;
        self.max_messages = self.max_messages.min(ready.mail_max.unwrap_or(u32::MAX)).max(1);
        self.idle_since = now;
    }

    pub(super) fn set_depth(&mut self, depth: usize) {
        self.depth = depth;
    }
}

impl Schedule {
    pub(super) fn connecting(&self) -> usize {
        self.connections.values().filter(|c| c.state == State::Connecting).count()
    }

    /// Connections that could be opened right now.
    pub(super) fn may_open(&self) -> usize {
        if self.connect_after.is_some() {
            return 0;
        }
        let free = self.options.max_connections.saturating_sub(self.connections.len());
        free.min(self.options.max_connecting.saturating_sub(self.connecting()))
    }

    /// Opens what the queue and `minConnections` ask for.
    pub(super) fn open_connections(&mut self, now: Instant) {
        if self.connect_after.is_some_and(|at| at <= now) {
            self.connect_after = None;
        }
        let mut wanted = if self.paused { 0 } else { self.lanes.len().saturating_sub(self.connecting()) };
        if self.limiter.is_on() {
            // One that waits for the limit needs no second one to wait beside it.
            let idle = self.connections.values().any(Connection::is_idle);
            wanted = if idle { 0 } else { wanted.min(1) };
        }
        if self.mode == Mode::Running {
            let here = self.connections.values().filter(|c| !matches!(c.state, State::Leaving(_))).count();
            wanted = wanted.max(self.options.min_connections.saturating_sub(here));
        }
        for _ in 0..wanted.min(self.may_open()) {
            self.open(now);
        }
    }

    fn open(&mut self, now: Instant) {
        let id = self.next_connection();
        self.connections.insert(
            id,
            Connection {
                id,
                state: State::Connecting,
                opened_at: now,
                in_flight: Vec::new(),
                bytes_in_flight: 0,
                depth: 1,
                given: 0,
                max_messages: self.options.max_messages.max(1),
                accepted: 0,
                idle_since: now,
            },
        );
        if let Some(life) = self.options.max_lifetime {
            self.timers.insert((now + jittered(life, id), Timer::Lifetime(id)));
        }
        self.actions.push(Action::Event(PoolEvent::Created(id)));
        self.actions.push(Action::Open(id));
    }

    /// Tells a connection to finish what it has and go; one that is not ready is dropped.
    pub(super) fn retire(&mut self, id: ConnectionId, reason: CloseReason) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let order = match connection.state {
            State::Leaving(_) => return,
            State::Connecting => {
                Order::Abort(Error::new(Code::Connection, "Connection pool was closed").fatal())
            }
            State::Ready => Order::Quit,
        };
        connection.state = State::Leaving(reason);
        self.actions.push(Action::Order(id, order));
    }

    pub(super) fn abort_all(&mut self, error: &Error) {
        for connection in self.connections.values_mut() {
            connection.state = State::Leaving(CloseReason::PoolClosed);
            self.actions.push(Action::Order(connection.id, Order::Abort(error.clone())));
        }
    }

    /// The depth of a connection changed.
    pub(in crate::pool) fn depth(&mut self, id: ConnectionId, depth: usize) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.set_depth(depth);
        }
    }

    /// Closes a connection that had nothing to do for `idleTimeout`, unless it is one of the
    /// `minConnections`; asks again later otherwise.
    pub(super) fn idle_expired(&mut self, id: ConnectionId, now: Instant) {
        let Some(timeout) = self.options.idle_timeout else { return };
        let Some(connection) = self.connections.get(&id) else { return };
        let due = connection.idle_since + timeout;
        let spare = self.connections.len() > self.options.min_connections;
        if connection.is_idle() && due <= now && spare {
            self.retire(id, CloseReason::Idle);
        } else if !matches!(connection.state, State::Leaving(_)) {
            let again = if due > now { due } else { now + timeout };
            self.timers.insert((again, Timer::Idle(id)));
        }
    }
}

/// A lifetime shortened by up to a tenth, so that connections opened together do not all end
/// together. Spread by number: no randomness to test around.
fn jittered(life: Duration, id: ConnectionId) -> Duration {
    let spread = u32::try_from(id.wrapping_mul(0x9E37_79B9) % 100).unwrap_or_default();
    life - life / 10 * spread / 100
}
