//! Numbers of a pool, counted as it goes and put together when somebody asks.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{Schedule, State};
use crate::connection::{ConnectionId, Ready};
use crate::error::Error;
use crate::mail::Receipt;
use crate::pool::histogram::Latency;
use crate::pool::lanes::LaneView;
use crate::pool::targets::TargetState;

/// Counters since the pool started.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Messages the server took.
    pub sent: u64,
    /// Messages that failed.
    pub failed: u64,
    /// Of those, messages in doubt.
    pub in_doubt: u64,
    /// Times a message went back to the queue.
    pub requeued: u64,
    /// Octets on the wire of messages that were taken.
    pub bytes: u64,
    /// Failures by `err.code`.
    pub failed_by_code: BTreeMap<&'static str, u64>,
    /// Failures by the digits of the server's reply.
    pub failed_by_reply: BTreeMap<u16, u64>,
    /// TLS handshakes in full.
    pub handshakes_full: u64,
    /// TLS handshakes resumed.
    pub handshakes_resumed: u64,
}

impl Totals {
    pub(super) fn sent(&mut self, receipt: &Receipt) {
        self.sent += 1;
        self.bytes += receipt.message_size;
    }

    pub(super) fn failed(&mut self, error: &Error) {
        self.failed += 1;
        self.in_doubt += u64::from(error.maybe_delivered());
        *self.failed_by_code.entry(error.code().name()).or_default() += 1;
        if let Some(code) = error.reply_code() {
            *self.failed_by_reply.entry(code).or_default() += 1;
        }
    }

    pub(super) fn handshake(&mut self, ready: &Ready) {
        match &ready.tls {
            Some(tls) if tls.resumed => self.handshakes_resumed += 1,
            Some(_) => self.handshakes_full += 1,
            None => {}
        }
    }
}

/// A connection in a snapshot.
#[derive(Clone, Debug)]
pub struct ConnectionView {
    /// Number.
    pub id: ConnectionId,
    /// Number of its host.
    pub target: usize,
    /// `connecting`, `idle`, `busy` or `closing`.
    pub state: &'static str,
    /// Milliseconds since it was opened.
    pub age: u64,
    /// Messages it was given.
    pub messages: u32,
    /// Messages in flight.
    pub in_flight: usize,
    /// Octets of messages the server took from it.
    pub bytes: u64,
    /// Peer address and port, once it is connected.
    pub peer: Option<(String, u16)>,
    /// TLS version, and whether its session was resumed.
    pub tls: Option<(&'static str, bool)>,
}

/// A lane in a snapshot.
#[derive(Clone, Debug)]
pub struct LaneState {
    /// Name.
    pub name: String,
    /// Messages waiting.
    pub queued: usize,
    /// Octets they hold.
    pub bytes: usize,
    /// Milliseconds the first in line has waited.
    pub oldest: u64,
}

/// A limit of the caller's in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowState {
    /// Units in any window.
    pub limit: u64,
    /// Units in the window now.
    pub used: u64,
}

/// A pool at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its connections.
    pub connections: Vec<ConnectionView>,
    /// Its lanes: those with a weight and those with messages.
    pub lanes: Vec<LaneState>,
    /// Messages that wait before they are queued again.
    pub delayed: usize,
    /// Octets held by messages that wait.
    pub queued_bytes: usize,
    /// Message starts under `rateLimit`, of all pools that share it.
    pub rate: Option<WindowState>,
    /// Recipients under `maxRecipientsPerSecond`.
    pub recipients: Option<WindowState>,
    /// Octets under `maxBytesPerSecond`.
    pub bytes: Option<WindowState>,
    /// Its hosts, in the caller's order.
    pub targets: Vec<TargetState>,
    /// Counters.
    pub totals: Totals,
    /// Where the time goes, in all pools that share limits.
    pub latency: Latency,
}

impl Schedule {
    /// The pool as it is now.
    pub(in crate::pool) fn snapshot(&self, now: Instant) -> Snapshot {
        let [rate, recipients, bytes] = self.seat.windows(now);
        Snapshot {
            connections: self.connections.values().map(|connection| view(connection, now)).collect(),
            lanes: self.lanes.view().into_iter().map(|lane| self.lane_state(lane, now)).collect(),
            delayed: self.delayed,
            queued_bytes: self.queued_bytes,
            rate,
            recipients,
            bytes,
            targets: self.targets.iter().map(|target| target.view(now)).collect(),
            totals: self.totals.clone(),
            latency: self.seat.latency(),
        }
    }

    fn lane_state(&self, lane: LaneView, now: Instant) -> LaneState {
        let first = lane.first.and_then(|id| self.jobs.get(&id));
        LaneState {
            name: lane.name.to_string(),
            queued: lane.len,
            bytes: lane.bytes,
            oldest: first.map_or(0, |job| millis(job.queued_at, now)),
        }
    }
}

fn view(connection: &super::Connection, now: Instant) -> ConnectionView {
    ConnectionView {
        id: connection.id,
        target: connection.target,
        state: match connection.state {
            State::Connecting => "connecting",
            State::Leaving(_) => "closing",
            State::Ready if connection.in_flight.is_empty() => "idle",
            State::Ready => "busy",
        },
        age: millis(connection.opened_at, now),
        messages: connection.given,
        in_flight: connection.in_flight.len(),
        bytes: connection.bytes,
        peer: connection.peer.clone(),
        tls: connection.tls,
    }
}

fn millis(since: Instant, now: Instant) -> u64 {
    u64::try_from((now - since).as_millis()).unwrap_or(u64::MAX)
}
