//! The rules of the pool: what happened and when in, what to do out.
//!
//! No task, no socket and no clock: every input comes with the time, every output is an
//! [`Action`]. A connection is opened when a message waits that no open one can take, never more
//! than allowed; a message goes to the connection with the least in flight; what provably did not
//! leave goes back to its place at the front of its lane.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::PoolEvent;
use super::common::Seat;
use super::lanes::Lanes;
use super::learn::Lesson;
use super::options::PoolOptions;
use super::targets::Targets;
use crate::connection::{ConnectionId, Order};
use crate::error::{Code, Error, Phase};

mod connection;
mod connections;
mod dispatch;
mod failures;
mod job;
mod lifecycle;
mod queue;
mod snapshot;

use connection::{Connection, State};
use job::{Job, Place};
pub use snapshot::{ConnectionView, LaneState, Snapshot, Totals, WindowState};

/// Something the actor has to do.
#[derive(Debug)]
pub(super) enum Action {
    /// Open a connection under this number, to this host.
    Open(ConnectionId, usize),
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
    /// There are fewer of them now.
    Resized,
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
            Self::Resized => "resized",
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
    /// Another engine takes over what was not begun.
    gives_back: bool,
    paused: bool,
    jobs: HashMap<u64, Box<Job>>,
    /// Messages handed in so far: the place in line of the last one.
    submitted: u64,
    lanes: Lanes,
    /// The lane of messages that name none.
    no_lane: Arc<str>,
    /// Octets of messages that are queued or wait to be queued again.
    queued_bytes: usize,
    /// Messages that wait to be queued again.
    delayed: usize,
    connections: BTreeMap<ConnectionId, Connection>,
    last_connection: ConnectionId,
    /// The limits on the rate, shared with the pools of accounts.
    seat: Seat,
    targets: Targets,
    timers: BTreeSet<(Instant, Timer)>,
    /// No connection is opened before for `minConnections` alone.
    warm_after: Option<Instant>,
    actions: Vec<Action>,
    totals: snapshot::Totals,
    ended: bool,
}

impl Schedule {
    pub(super) fn new(options: PoolOptions, hosts: usize, seat: Seat) -> Self {
        let weights = options.lanes.iter().map(|lane| (Arc::from(lane.name.as_str()), lane.weight));
        Self {
            lanes: Lanes::new(weights),
            no_lane: Arc::default(),
            seat,
            targets: Targets::new(hosts, options.learn_limits),
            options,
            mode: Mode::Running,
            gives_back: false,
            paused: false,
            jobs: HashMap::new(),
            submitted: 0,
            queued_bytes: 0,
            delayed: 0,
            connections: BTreeMap::new(),
            last_connection: 0,
            timers: BTreeSet::new(),
            warm_after: None,
            actions: Vec::new(),
            totals: snapshot::Totals::default(),
            ended: false,
        }
    }

    /// Notified when [`advance`](Self::advance) may find the limits on the rate open.
    pub(super) fn wake(&self) -> Arc<Notify> {
        self.seat.wake()
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

    /// Gives out everything that can go on now. Call after every batch of inputs.
    pub(super) fn advance(&mut self, now: Instant) {
        self.targets.pass(now);
        for target in self.targets.iter_mut() {
            let raised = target.learned.recover(self.options.max_connections + 1, now);
            self.timers.extend(raised.map(|at| (at, Timer::Wake)));
        }
        let held_back = !self.paused && self.dispatch(now);
        if !held_back {
            self.seat.leave();
        }
        self.open_connections(held_back, now);
        self.end_if_done();
    }

    /// Time passed.
    pub(super) fn tick(&mut self, now: Instant) {
        while let Some((at, timer)) = self.timers.first().copied() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            self.fire(timer, now);
        }
    }

    fn fire(&mut self, timer: Timer, now: Instant) {
        match timer {
            Timer::Queue(id) => {
                let text = "The message waited longer than queueTimeout";
                self.give_up(id, Error::new(Code::QueueTimeout, text).command("API"));
            }
            Timer::Message(id) => {
                let text = "The message took longer than its timeout";
                self.give_up(id, Error::new(Code::TimedOut, text).command("API").timeout("MESSAGE_TIMEOUT"));
            }
            Timer::Retry(id) => self.queue_again(id),
            Timer::Idle(id) => self.idle_expired(id, now),
            Timer::Lifetime(id) => self.retire(id, CloseReason::Lifetime),
            Timer::Wake => {}
        }
    }

    fn tell(&mut self, event: PoolEvent) {
        self.actions.push(Action::Event(event));
    }

    fn tell_lesson(&mut self, target: usize, lesson: Option<Lesson>) {
        if let Some(Lesson { kind, value }) = lesson {
            self.tell(PoolEvent::LimitLearned { target, kind, value });
        }
    }
}

pub(super) fn pool_closed() -> Error {
    Error::new(Code::Connection, "Connection pool was closed").at(Phase::Queue)
}

#[cfg(test)]
mod tests;
