//! Numbers of a pool, counted as it goes and put together when somebody asks.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{Schedule, State};
use crate::connection::{ConnectionId, Ready};
use crate::error::Error;
use crate::mail::Receipt;

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
    /// `connecting`, `idle`, `busy` or `closing`.
    pub state: &'static str,
    /// Milliseconds since it was opened.
    pub age: u64,
    /// Messages it was given.
    pub messages: u32,
    /// Messages in flight.
    pub in_flight: usize,
}

/// A lane in a snapshot.
#[derive(Clone, Debug)]
pub struct LaneState {
    /// Name.
    pub name: String,
    /// Messages waiting.
    pub queued: usize,
    /// Milliseconds the oldest has waited.
    pub oldest: u64,
}

/// A pool at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its connections.
    pub connections: Vec<ConnectionView>,
    /// Its lanes.
    pub lanes: Vec<LaneState>,
    /// Octets held by messages in the queue.
    pub queued_bytes: usize,
    /// Message starts in the current window of `rateLimit`.
    pub rate_used: Option<u64>,
    /// Counters.
    pub totals: Totals,
}

impl Schedule {
    /// The pool as it is now.
    pub(in crate::pool) fn snapshot(&mut self, now: Instant) -> Snapshot {
        let millis = |since: Instant| u64::try_from((now - since).as_millis()).unwrap_or(u64::MAX);
        let jobs = &self.jobs;
        self.lanes.skip(|id| jobs.contains_key(&id));
        let lane = |lane: crate::pool::lanes::LaneView| LaneState {
            name: lane.name.to_string(),
            queued: lane.len,
            oldest: lane.oldest.and_then(|id| jobs.get(&id)).map_or(0, |job| millis(job.queued_at)),
        };
        let view = |connection: &super::Connection| ConnectionView {
            id: connection.id,
            state: match connection.state {
                State::Connecting => "connecting",
                State::Leaving(_) => "closing",
                State::Ready if connection.in_flight.is_empty() => "idle",
                State::Ready => "busy",
            },
            age: millis(connection.opened_at),
            messages: connection.given,
            in_flight: connection.in_flight.len(),
        };
        Snapshot {
            connections: self.connections.values().map(view).collect(),
            lanes: self.lanes.view().into_iter().map(lane).collect(),
            queued_bytes: self.queued_bytes,
            rate_used: self.limiter.messages.as_mut().map(|window| window.used(now)),
            totals: self.totals.clone(),
        }
    }
}
