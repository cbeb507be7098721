//! When a server counts as silent: no whole reply, and too little read, for too long.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Slowest a server may read before it counts as silent, in octets a second.
const MIN_DATA_RATE: u64 = 500;

/// When the server counts as silent.
pub(super) struct Deadline {
    timeout: Duration,
    /// Last whole reply, or the start of the flight.
    last: Instant,
    /// Start of the flight, and what was written since.
    flight: Instant,
    written: u64,
    sleep: Pin<Box<Sleep>>,
}

impl Deadline {
    pub(super) fn new(timeout: Duration) -> Self {
        let now = Instant::now();
        Self { timeout, last: now, flight: now, written: 0, sleep: Box::pin(tokio::time::sleep(timeout)) }
    }

    /// A flight begins after silence.
    pub(super) fn start(&mut self) {
        self.progress();
    }

    /// A whole reply came, or the caller's stream gave a piece: both start the clock anew. Single
    /// octets do not, so a server that drips gets no more time than a silent one.
    pub(super) fn progress(&mut self) {
        self.last = Instant::now();
        self.flight = self.last;
        self.written = 0;
    }

    /// The server read so many octets: it has earned the time they take at the lowest rate.
    pub(super) fn wrote(&mut self, count: usize) {
        self.written += count as u64;
        let earned = Duration::from_millis(self.written.saturating_mul(1000) / MIN_DATA_RATE);
        self.last = Instant::now().min(self.flight + earned).max(self.last);
    }

    pub(super) fn poll(&mut self, limit: Option<Duration>, cx: &mut Context<'_>) -> Poll<()> {
        let due = self.last + limit.map_or(self.timeout, |limit| limit.min(self.timeout));
        if self.sleep.deadline() > due {
            self.sleep.as_mut().reset(due);
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(due);
        }
    }
}
