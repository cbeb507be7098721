//! A connection as the schedule sees it: its state, what it holds, whether it may take more.

use tokio::time::Instant;

use super::CloseReason;
use crate::connection::{ConnectionId, Ready};
use crate::mail::Receipt;

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
    /// Number of its host.
    pub(super) target: usize,
    pub(super) state: State,
    pub(super) opened_at: Instant,
    /// Messages that fail if it cannot be made.
    pub(super) share: usize,
    /// Connections that were leaving when it was opened.
    pub(super) overlaps: usize,
    pub(super) in_flight: Vec<u64>,
    bytes_in_flight: usize,
    /// Messages in flight at once.
    pub(super) depth: usize,
    /// Messages given so far, and allowed.
    pub(super) given: u32,
    max_messages: u32,
    /// Messages the server answered, with a refusal or not.
    pub(super) answered: u32,
    /// Octets of messages the server took.
    pub(super) bytes: u64,
    pub(super) idle_since: Instant,
    /// A message on it was given up, which it may pay for with its life.
    pub(super) may_be_dropped: bool,
    /// The server said that it does more than it may.
    pub(super) complained: bool,
    /// Its goodbye took too long for those that wait.
    pub(super) cut_short: bool,
    pub(super) peer: Option<(String, u16)>,
    /// TLS version, and whether its session was resumed.
    pub(super) tls: Option<(&'static str, bool)>,
    pub(super) idle_timer: Option<Instant>,
    pub(super) lifetime_timer: Option<Instant>,
}

impl Connection {
    pub(super) fn new(
        id: ConnectionId,
        target: usize,
        share: usize,
        max_messages: u32,
        now: Instant,
    ) -> Self {
        Self {
            id,
            target,
            state: State::Connecting,
            opened_at: now,
            share,
            overlaps: 0,
            in_flight: Vec::new(),
            bytes_in_flight: 0,
            depth: 1,
            given: 0,
            max_messages: max_messages.max(1),
            answered: 0,
            bytes: 0,
            idle_since: now,
            may_be_dropped: false,
            complained: false,
            cut_short: false,
            peer: None,
            tls: None,
            idle_timer: None,
            lifetime_timer: None,
        }
    }

    /// Whether a message can be handed to it now.
    pub(super) fn takes_more(&self, limited: bool) -> bool {
        let depth = if limited { 1 } else { self.depth };
        self.state == State::Ready
            && self.in_flight.len() < depth
            && (self.in_flight.is_empty() || self.bytes_in_flight < HEAVY)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state == State::Ready && self.in_flight.is_empty()
    }

    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.state, State::Leaving(_))
    }

    /// Whether it has nothing left to do but to go.
    pub(super) fn says_goodbye(&self) -> bool {
        self.is_leaving() && self.in_flight.is_empty()
    }

    /// Whether it was given all it may be given.
    pub(super) fn is_used_up(&self) -> bool {
        self.given >= self.max_messages
    }

    pub(super) fn limit_messages(&mut self, max: u32) {
        self.max_messages = self.max_messages.min(max.max(1));
    }

    pub(super) fn take(&mut self, id: u64, bytes: usize) {
        self.in_flight.push(id);
        self.bytes_in_flight += bytes;
        self.given += 1;
    }

    pub(super) fn done(&mut self, id: u64, bytes: usize, answered: bool, now: Instant) {
        self.in_flight.retain(|job| *job != id);
        self.bytes_in_flight = self.bytes_in_flight.saturating_sub(bytes);
        self.answered += u32::from(answered);
        self.idle_since = now;
    }

    pub(super) fn sent(&mut self, receipt: &Receipt) {
        self.bytes += receipt.message_size;
        self.may_be_dropped = false;
    }

    pub(super) fn ready(&mut self, ready: &Ready, now: Instant) {
        if self.state == State::Connecting {
            self.state = State::Ready;
        }
        self.depth = ready.depth.max(1);
        self.limit_messages(ready.mail_max.unwrap_or(u32::MAX));
        self.idle_since = now;
        self.peer.clone_from(&ready.peer);
        self.tls = ready.tls.as_ref().map(|tls| (tls.version, tls.resumed));
    }
}
