//! The rules of the pool: what happened and when in, what to do out.
//!
//! No task, no socket and no clock: every input comes with the time, every output is an
//! [`Action`]. A connection is opened when a message waits that no open one can take, never more
//! than allowed; a message goes to the connection with the least in flight; what provably did not
//! leave goes back to the front of its lane.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::lanes::Lanes;
use super::limiter::{Limiter, Window};
use super::options::{PoolOptions, RateLimit, Resize};
use super::{PoolEvent, Submission};
use crate::connection::{Closed, ConnectionId, Job, Order, Ready, Undelivered};
use crate::error::{Code, Error, Phase};
use crate::mail::{Message, Receipt};

mod connections;
mod failures;
mod snapshot;

use connections::{Connection, State};
pub use snapshot::{ConnectionView, LaneState, Snapshot, Totals};

/// Something the actor has to do.
#[derive(Debug)]
pub(super) enum Action {
    /// Open a connection under this number.
    Open(ConnectionId),
    /// Pass an order on.
    Order(ConnectionId, Order),
    /// Tell the owner.
    Event(PoolEvent),
}

/// Why a connection closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// It could not be set up.
    ConnectFailed,
    /// It broke, or the server ended it.
    Lost,
    /// It gave or took what it may (`maxMessages`).
    Used,
    /// It had nothing to do for too long.
    Idle,
    /// It was open for too long.
    Lifetime,
    /// A newer generation replaced it.
    Rotated,
    /// The pool was closed.
    PoolClosed,
}

impl CloseReason {
    /// The name JavaScript sees.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConnectFailed => "connectFailed",
            Self::Lost => "lost",
            Self::Used => "maxMessages",
            Self::Idle => "idle",
            Self::Lifetime => "maxLifetime",
            Self::Rotated => "rotated",
            Self::PoolClosed => "poolClosed",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Running,
    /// Sends what is queued, then ends.
    Draining,
    Closed,
}

#[derive(Debug)]
struct JobEntry {
    message: Arc<dyn Message>,
    lane: Arc<str>,
    queued_at: Instant,
    bytes: usize,
    /// How often it came back to the queue.
    attempts: u32,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Queued,
    /// Waits before it is queued again.
    Delayed,
    Sent(ConnectionId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A message waited long enough.
    Queue(u64),
    /// A message took long enough.
    Message(u64),
    /// A message may be queued again.
    Retry(u64),
    Idle(ConnectionId),
    Lifetime(ConnectionId),
    /// Something that was held back may go on.
    Wake,
}

/// The schedule.
#[derive(Debug)]
pub(super) struct Schedule {
    options: PoolOptions,
    mode: Mode,
    paused: bool,
    jobs: HashMap<u64, JobEntry>,
    lanes: Lanes,
    queued_bytes: usize,
    delayed: usize,
    connections: BTreeMap<ConnectionId, Connection>,
    last_connection: ConnectionId,
    generation: u64,
    limiter: Limiter,
    timers: BTreeSet<(Instant, Timer)>,
    /// No connection is opened before.
    connect_after: Option<Instant>,
    /// Connections that failed in a row without taking a message.
    failures: u32,
    actions: Vec<Action>,
    totals: snapshot::Totals,
    ended: bool,
}

impl Schedule {
    pub(super) fn new(options: PoolOptions) -> Self {
        let weights = options.lanes.iter().map(|lane| (Arc::from(lane.name.as_str()), lane.weight));
        Self {
            lanes: Lanes::new(weights.collect::<Vec<_>>()),
            limiter: limiter(&options),
            options,
            mode: Mode::Running,
            paused: false,
            jobs: HashMap::new(),
            queued_bytes: 0,
            delayed: 0,
            connections: BTreeMap::new(),
            last_connection: 0,
            generation: 0,
            timers: BTreeSet::new(),
            connect_after: None,
            failures: 0,
            actions: Vec::new(),
            totals: snapshot::Totals::default(),
            ended: false,
        }
    }

    /// What is to be done, in order.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// When [`tick`](Self::tick) is due.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Whether the pool closed and its last connection is gone.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// A number for a connection outside the schedule.
    pub(super) fn next_connection(&mut self) -> ConnectionId {
        self.last_connection += 1;
        self.last_connection
    }

    /// A message is handed in.
    pub(super) fn submit(&mut self, submission: Submission, now: Instant) {
        let Submission { id, message, lane, timeout } = submission;
        let bytes = message.held_bytes();
        if let Some(error) = self.refusal(bytes) {
            self.totals.failed(&error);
            self.actions.push(Action::Event(PoolEvent::Settled { id, result: Err(error), connection: None }));
            return;
        }
        let lane = lane.unwrap_or_else(|| Arc::from(""));
        if let Some(wait) = self.options.queue_timeout {
            self.timers.insert((now + wait, Timer::Queue(id)));
        }
        if let Some(limit) = timeout.map(Duration::from_millis).or(self.options.timeout) {
            self.timers.insert((now + limit, Timer::Message(id)));
        }
        self.lanes.push_back(&lane, id);
        self.queued_bytes += bytes;
        let entry = JobEntry { message, lane, queued_at: now, bytes, attempts: 0, place: Place::Queued };
        self.jobs.insert(id, entry);
    }

    /// Why a message cannot be queued.
    fn refusal(&self, bytes: usize) -> Option<Error> {
        if self.mode != Mode::Running {
            return Some(pool_closed());
        }
        let full = self.options.max_queue.is_some_and(|max| self.lanes.len() >= max)
            || self
                .options
                .max_queue_bytes
                .is_some_and(|max| self.queued_bytes + bytes > max && self.lanes.len() > 0);
        full.then(|| Error::new(Code::QueueFull, "The queue is full").command("API").at(Phase::Queue))
    }

    /// Gives out everything that can go on now. Call after every batch of inputs.
    pub(super) fn advance(&mut self, now: Instant) {
        if !self.paused {
            self.dispatch(now);
        }
        self.open_connections(now);
        self.end_if_done();
    }

    /// Time passed.
    pub(super) fn tick(&mut self, now: Instant) {
        while let Some((at, timer)) = self.timers.first().copied() {
            if at > now {
                break;
            }
            self.timers.remove(&(at, timer));
            self.fire(timer, now);
        }
    }

    fn fire(&mut self, timer: Timer, now: Instant) {
        match timer {
            Timer::Queue(id) => {
                if self.jobs.get(&id).is_some_and(|job| matches!(job.place, Place::Queued | Place::Delayed)) {
                    let text = "The message waited longer than queueTimeout";
                    self.give_up(id, Error::new(Code::QueueTimeout, text).command("API"));
                }
            }
            Timer::Message(id) => {
                let error = Error::new(Code::TimedOut, "The message took longer than its timeout");
                self.give_up(id, error.command("API").timeout("MESSAGE_TIMEOUT"));
            }
            Timer::Retry(id) => {
                if let Some(job) = self.jobs.get_mut(&id).filter(|job| job.place == Place::Delayed) {
                    job.place = Place::Queued;
                    self.delayed -= 1;
                    self.lanes.push_front(&job.lane, id);
                }
            }
            Timer::Idle(id) => self.idle_expired(id, now),
            Timer::Lifetime(id) => self.retire(id, CloseReason::Lifetime),
            Timer::Wake => {}
        }
    }

    /// Gives a message up: at once while it waits, through its connection when it is there.
    pub(super) fn give_up(&mut self, id: u64, error: Error) {
        let Some(job) = self.jobs.get(&id) else { return };
        if let Place::Sent(connection) = job.place {
            self.actions.push(Action::Order(connection, Order::Cancel(id, error)));
        } else {
            self.fail(id, error.at_if_unset(Phase::Queue), None);
        }
    }

    /// Settles a message that is not on a connection.
    fn fail(&mut self, id: u64, error: Error, connection: Option<ConnectionId>) {
        let Some(job) = self.jobs.remove(&id) else { return };
        match job.place {
            Place::Queued => self.lanes.forget(&job.lane),
            Place::Delayed => self.delayed -= 1,
            Place::Sent(_) => self.queued_bytes += job.bytes,
        }
        self.queued_bytes -= job.bytes;
        self.totals.failed(&error);
        self.actions.push(Action::Event(PoolEvent::Settled { id, result: Err(error), connection }));
    }

    /// Hands messages to connections.
    fn dispatch(&mut self, now: Instant) {
        loop {
            let jobs = &self.jobs;
            self.lanes.skip(|id| jobs.contains_key(&id));
            let Some(id) = self.lanes.front() else { return };
            let Some(connection) = self.pick() else { return };
            let Some(job) = self.jobs.get(&id) else { return };
            let (recipients, bytes) = (job.message.recipients() as u64, job.bytes as u64);
            if let Some(at) = self.limiter.wait(recipients, bytes, now) {
                self.timers.insert((at, Timer::Wake));
                return;
            }
            self.limiter.start(recipients, bytes, now);
            self.lanes.pop();
            self.assign(id, connection);
        }
    }

    /// The connection that takes the next message: the one with the least in flight, the oldest of
    /// several. One that is busy takes another only if no new connection will be free for it.
    fn pick(&self) -> Option<ConnectionId> {
        let limited = self.limiter.is_on();
        let reserved = self.connecting() + self.may_open();
        let spare = self.lanes.len() > reserved;
        let usable = self.connections.values().filter(|c| c.takes_more(limited));
        let best = usable.min_by_key(|connection| (connection.in_flight.len(), connection.id))?;
        (best.in_flight.is_empty() || spare).then_some(best.id)
    }

    fn assign(&mut self, id: u64, connection: ConnectionId) {
        let (Some(job), Some(target)) = (self.jobs.get_mut(&id), self.connections.get_mut(&connection))
        else {
            return;
        };
        job.place = Place::Sent(connection);
        self.queued_bytes -= job.bytes;
        let order = Order::Send(Job { id, message: Arc::clone(&job.message) });
        let messages = target.given;
        target.take(id, job.bytes);
        let used_up = target.given >= target.max_messages;
        if self.options.verbose {
            self.actions.push(Action::Event(PoolEvent::Assigned { id, connection, messages }));
        }
        self.actions.push(Action::Order(connection, order));
        if used_up {
            self.retire(connection, CloseReason::Used);
        }
    }

    /// A connection ended a message.
    pub(super) fn settled(
        &mut self,
        connection: ConnectionId,
        id: u64,
        result: Result<Box<Receipt>, Undelivered>,
        now: Instant,
    ) {
        let bytes = self.jobs.get(&id).map_or(0, |job| job.bytes);
        if let Some(target) = self.connections.get_mut(&connection) {
            target.done(id, bytes, result.is_ok(), now);
        }
        match result {
            Ok(receipt) => {
                self.failures = 0;
                self.jobs.remove(&id);
                self.totals.sent(&receipt);
                let result = Ok(receipt);
                let event = PoolEvent::Settled { id, result, connection: Some(connection) };
                self.actions.push(Action::Event(event));
            }
            Err(undelivered) => self.undelivered(connection, id, undelivered, now),
        }
    }

    /// A connection takes messages now.
    pub(super) fn ready(&mut self, id: ConnectionId, ready: Box<Ready>, now: Instant) {
        self.connect_after = None;
        self.totals.handshake(&ready);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.ready(&ready, now);
        if let Some(idle) = self.options.idle_timeout {
            self.timers.insert((now + idle, Timer::Idle(id)));
        }
        self.actions.push(Action::Event(PoolEvent::Ready(id, ready)));
    }

    /// A connection is gone; its messages were settled before.
    pub(super) fn closed(&mut self, id: ConnectionId, closed: Closed, now: Instant) {
        let Some(connection) = self.connections.remove(&id) else { return };
        let reason = match connection.state {
            State::Leaving(reason) => reason,
            State::Connecting => CloseReason::ConnectFailed,
            State::Ready => CloseReason::Lost,
        };
        let age = u64::try_from((now - connection.opened_at).as_millis()).unwrap_or(u64::MAX);
        self.actions.push(Action::Event(PoolEvent::Closed {
            connection: id,
            reason,
            error: closed.error.clone(),
            age,
            messages: connection.given,
        }));
        // Only a task that failed leaves messages behind; what became of them nobody knows.
        for job in connection.in_flight.clone() {
            self.fail(job, closed.error.clone().unwrap_or_else(pool_closed), Some(id));
        }
        if connection.state == State::Connecting {
            self.connect_failed(&connection, closed, now);
        } else if closed.error.is_some() && connection.accepted == 0 {
            self.back_off(now);
        }
        if self.connections.is_empty() {
            self.actions.push(Action::Event(PoolEvent::Empty));
        }
    }

    /// Fails the queue but for its first `assigned` messages, which nodemailer would have handed
    /// out by now, and lets the connections go.
    pub(super) fn close(&mut self, force: bool, assigned: usize) {
        self.mode = Mode::Closed;
        let in_flight: usize = self.connections.values().map(|c| c.in_flight.len()).sum();
        let keep = if force { 0 } else { assigned.saturating_sub(in_flight) };
        let mut queued = Vec::new();
        loop {
            let jobs = &self.jobs;
            self.lanes.skip(|id| jobs.contains_key(&id));
            let Some(id) = self.lanes.pop() else { break };
            queued.push(id);
        }
        for id in queued.iter().rev() {
            if let Some(job) = self.jobs.get(id) {
                self.lanes.push_front(&job.lane, *id);
            }
        }
        let delayed = self.jobs.iter().filter(|(_, job)| job.place == Place::Delayed).map(|(id, _)| *id);
        let mut doomed: Vec<u64> = delayed.collect();
        doomed.sort_unstable();
        doomed.splice(0..0, queued.into_iter().skip(keep));
        for id in doomed {
            self.fail(id, pool_closed(), None);
        }
        if force {
            let text = "Reached maximum number of retries after connection was closed";
            self.abort_all(&Error::new(Code::Connection, text).fatal());
        }
    }

    /// Sends what is queued, then ends.
    pub(super) fn drain(&mut self) {
        if self.mode == Mode::Running {
            self.mode = Mode::Draining;
            self.paused = false;
        }
    }

    /// Stops or resumes handing out messages.
    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Changes bounds.
    pub(super) fn resize(&mut self, resize: Resize) {
        if let Some(max) = resize.max_connections {
            self.options.max_connections = max.max(1);
        }
        if let Some(min) = resize.min_connections {
            self.options.min_connections = min;
        }
        if let Some(rate) = resize.rate {
            self.options.rate = rate;
            self.limiter.messages = rate.map(message_window);
        }
        let surplus = self.connections.len().saturating_sub(self.options.max_connections);
        let idle = self.connections.values().filter(|c| c.is_idle()).map(|c| c.id);
        for id in idle.take(surplus).collect::<Vec<_>>() {
            self.retire(id, CloseReason::PoolClosed);
        }
    }

    /// Connections of now finish what they have and go; new ones follow new settings.
    pub(super) fn rotate(&mut self) {
        self.generation += 1;
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            self.retire(id, CloseReason::Rotated);
        }
    }

    /// Ends a closed pool whose work is done.
    fn end_if_done(&mut self) {
        if self.mode == Mode::Running || self.lanes.len() > 0 || self.delayed > 0 {
            return;
        }
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            self.retire(id, CloseReason::PoolClosed);
        }
        if self.connections.is_empty() && !self.ended {
            self.ended = true;
            self.actions.push(Action::Event(PoolEvent::Ended));
        }
    }
}

fn limiter(options: &PoolOptions) -> Limiter {
    let second = Duration::from_secs(1);
    Limiter {
        messages: options.rate.map(message_window),
        recipients: options.max_recipients_per_second.map(|max| Window::new(u64::from(max), second)),
        bytes: options.max_bytes_per_second.map(|max| Window::new(max, second)),
    }
}

fn message_window(rate: RateLimit) -> Window {
    Window::new(u64::from(rate.limit), rate.delta)
}

fn pool_closed() -> Error {
    Error::new(Code::Connection, "Connection pool was closed").at(Phase::Queue)
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
