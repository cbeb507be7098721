//! The connections of a schedule: when one opens, and when it goes.

use std::time::Duration;

use tokio::time::Instant;

use super::connection::{Connection, State};
use super::{Action, CloseReason, Mode, Schedule, Timer, pool_closed};
use crate::connection::{Closed, ConnectionId, Order, Ready};
use crate::error::{Code, Error, Phase};
use crate::pool::PoolEvent;
use crate::pool::targets::Load;

impl Schedule {
    pub(super) fn connecting(&self) -> usize {
        self.connections.values().filter(|c| c.state == State::Connecting).count()
    }

    /// Connections that are open or being opened, and stay.
    pub(super) fn staying(&self) -> usize {
        self.connections.values().filter(|connection| !connection.is_leaving()).count()
    }

    /// Connections that could be opened right now. Those that leave do not count, so that their
    /// replacement is made while they finish and say goodbye, as far as the server lets it.
    pub(super) fn may_open(&self) -> usize {
        let staying = self.options.max_connections.saturating_sub(self.staying());
        let handshakes = self.options.max_connecting.max(1).saturating_sub(self.connecting());
        let free = staying.min(handshakes).min(self.most_at_once().saturating_sub(self.connections.len()));
        if free == 0 {
            return 0;
        }
        let loads = self.loads();
        let rooms = self.targets.room(&loads, self.options.login);
        free.min(rooms.fold(0, |sum: usize, (_, room)| sum.saturating_add(room)))
    }

    /// Connections the servers may see, those that leave included. As many may leave as may stay;
    /// but when nothing is learned, nobody would notice a server that counts them.
    fn most_at_once(&self) -> usize {
        let max = self.options.max_connections;
        if self.options.learn_limits { max * 2 } else { max }
    }

    /// The connections of each host.
    pub(super) fn loads(&self) -> Vec<Load> {
        let mut loads = vec![Load::default(); self.targets.len()];
        for connection in self.connections.values() {
            let load = &mut loads[connection.target];
            load.open += 1;
            load.connecting += usize::from(connection.state == State::Connecting);
            load.in_flight += connection.in_flight.len();
        }
        loads
    }

    /// Cuts the oldest goodbyes short where they alone keep new connections from being opened.
    fn cut_goodbyes(&mut self, wanted: usize) {
        let max = self.options.max_connections;
        let wanted = wanted.min(max.saturating_sub(self.staying()));
        let needed = if wanted == 0 { 0 } else { self.connections.len() + wanted };
        let surplus = needed.saturating_sub(max * 2);
        let lingering = self.connections.values_mut().filter(|connection| connection.says_goodbye());
        for connection in lingering.take(surplus).filter(|connection| !connection.cut_short) {
            connection.cut_short = true;
            let reason = Error::new(Code::Connection, "The server took too long to say goodbye");
            self.actions.push(Action::Order(connection.id, Order::Abort(reason)));
        }
    }

    /// Opens what the queue and `minConnections` ask for.
    pub(super) fn open_connections(&mut self, held_back: bool, now: Instant) {
        self.warm_after = self.warm_after.filter(|at| now < *at);
        let connecting = self.connecting();
        // A message that is held back needs a connection when its time comes, not a second one.
        let held_back = held_back && self.staying() > 0;
        let waiting = if self.paused || held_back { 0 } else { self.lanes.len() };
        let mut wanted = waiting.saturating_sub(connecting);
        if self.is_limited() {
            // One at a time: the rate may be too low to need another.
            wanted = wanted.min(1_usize.saturating_sub(connecting));
        }
        if self.mode == Mode::Running && self.warm_after.is_none() {
            wanted = wanted.max(self.options.min_connections.saturating_sub(self.staying()));
        }
        self.cut_goodbyes(wanted);
        for _ in 0..wanted.min(self.may_open()) {
            if let Some(target) = self.targets.choose(&self.loads(), self.options.login) {
                self.open(target, now);
            }
        }
    }

    fn open(&mut self, target: usize, now: Instant) {
        // The attempts that run at once share `maxConnections` messages: as many as nodemailer has
        // waiting on as many attempts.
        let at_once = self.options.max_connecting.min(self.options.max_connections).max(1);
        let share = (self.options.max_connections + self.connecting()) / at_once;
        let max_messages =
            self.options.max_messages.min(self.targets[target].learned.messages().unwrap_or(u32::MAX));
        let id = self.next_connection();
        let leaves = |other: &&Connection| other.target == target && other.is_leaving();
        let overlaps = self.connections.values().filter(leaves).count();
        let mut connection = Connection::new(id, target, share.max(1), max_messages, now);
        connection.overlaps = overlaps;
        self.connections.insert(id, connection);
        self.tell(PoolEvent::Created { connection: id, target });
        self.actions.push(Action::Open(id, target));
    }

    /// A connection takes messages now.
    pub(in crate::pool) fn ready(&mut self, id: ConnectionId, ready: Box<Ready>, now: Instant) {
        self.totals.handshake(&ready);
        self.seat.record(|times| times.connect.record(ready.took));
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.ready(&ready, now);
        self.targets[connection.target].answered();
        if let Some(life) = self.options.max_lifetime {
            let at = now + jittered(life, id);
            connection.lifetime_timer = Some(at);
            self.timers.insert((at, Timer::Lifetime(id)));
        }
        self.arm_idle(id);
        self.tell(PoolEvent::Ready(id, ready));
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

    /// The depth of a connection changed.
    pub(in crate::pool) fn depth(&mut self, id: ConnectionId, depth: usize) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.depth = depth;
        }
    }

    /// A connection is gone; its messages were settled before.
    pub(in crate::pool) fn closed(&mut self, id: ConnectionId, closed: Closed, now: Instant) {
        let Some(connection) = self.connections.remove(&id) else { return };
        if let Some(at) = connection.idle_timer {
            self.timers.remove(&(at, Timer::Idle(id)));
        }
        if let Some(at) = connection.lifetime_timer {
            self.timers.remove(&(at, Timer::Lifetime(id)));
        }
        let reason = match connection.state {
            State::Leaving(reason) => reason,
            State::Connecting => CloseReason::ConnectFailed,
            State::Ready => CloseReason::Lost,
        };
        let age = u64::try_from((now - connection.opened_at).as_millis()).unwrap_or(u64::MAX);
        let error = closed.error.clone().filter(|_| !connection.cut_short);
        self.tell(PoolEvent::Closed { connection: id, reason, error, age, messages: connection.given });
        // Only a task that failed leaves messages behind; what became of them nobody knows.
        for job in &connection.in_flight {
            let error = closed.error.clone().unwrap_or_else(pool_closed);
            self.fail(*job, error.at(Phase::InDoubt), Some(id));
        }
        match connection.state {
            State::Connecting => self.connect_failed(&connection, closed, now),
            State::Ready => self.lost(&connection, &closed, now),
            State::Leaving(CloseReason::Used) if !connection.complained => {
                let learned = &mut self.targets[connection.target].learned;
                learned.session_went_well(connection.answered, self.options.max_messages);
            }
            State::Leaving(_) => {}
        }
        if self.connections.is_empty() {
            self.tell(PoolEvent::Empty);
        }
    }

    /// Sets the clock that closes a connection without work.
    pub(super) fn arm_idle(&mut self, id: ConnectionId) {
        let timeout = self.idle_timeout(id);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if let Some(at) = connection.idle_timer.take() {
            self.timers.remove(&(at, Timer::Idle(id)));
        }
        connection.idle_timer = timeout.map(|timeout| connection.idle_since + timeout);
        self.timers.extend(connection.idle_timer.map(|at| (at, Timer::Idle(id))));
    }

    fn idle_timeout(&self, id: ConnectionId) -> Option<Duration> {
        let learned = self.connections.get(&id).and_then(|c| self.targets[c.target].learned.idle());
        [self.options.idle_timeout, learned].into_iter().flatten().min()
    }

    /// Closes a connection that had nothing to do for `idleTimeout`, unless it is one of the
    /// `minConnections`; asks again later otherwise.
    pub(super) fn idle_expired(&mut self, id: ConnectionId, now: Instant) {
        let spare = self.staying() > self.options.min_connections;
        let Some(timeout) = self.idle_timeout(id) else { return };
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.idle_timer = None;
        let due = connection.idle_since + timeout;
        if connection.is_leaving() {
            return;
        }
        if connection.is_idle() && due <= now && spare {
            self.retire(id, CloseReason::Idle);
            return;
        }
        let again = if due > now { due } else { now + timeout };
        connection.idle_timer = Some(again);
        self.timers.insert((again, Timer::Idle(id)));
    }
}

/// A lifetime shortened by up to a tenth, so that connections opened together do not all end
/// together. Spread by number: no randomness to test around.
fn jittered(life: Duration, id: ConnectionId) -> Duration {
    let spread = u32::try_from(id.wrapping_mul(0x9E37_79B9) % 100).unwrap_or_default();
    life - life / 1000 * spread
}
