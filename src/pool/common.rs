//! What the pools of one transport have in common: the limits on the rate, and how long things took.
//!
//! An account that messages bring credentials of has a pool of its own, and a limit on the rate is
//! one for all of them. Pools that are held back stand in line: the first starts one message as soon
//! as the limit lets it, then goes to the end. So none of them can take all the starts there are.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::histogram::{Histograms, Latency};
use super::limiter::Limiter;
use super::options::{PoolOptions, RateLimit};
use super::schedule::WindowState;

/// Number of a pool among those that share.
type Member = u64;

/// Whether a pool may start a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// At once.
    Now,
    /// Not before, unless the limits change.
    At(Instant),
    /// After others; it is woken.
    Behind,
}

/// Shared by pools; a clone is the same one.
#[derive(Clone, Debug)]
pub(super) struct Common {
    turns: Arc<Mutex<Turns>>,
    latency: Arc<Mutex<Histograms>>,
}

#[derive(Debug)]
struct Turns {
    limiter: Limiter,
    /// Who was held back, in order.
    line: VecDeque<Member>,
    wakers: HashMap<Member, Arc<Notify>>,
    /// Number of the last pool that joined.
    last: Member,
}

/// A pool's place among those that share. Dropping it leaves the line.
#[derive(Debug)]
pub(super) struct Seat {
    common: Common,
    member: Member,
    wake: Arc<Notify>,
    in_line: bool,
}

impl Common {
    /// The limits of these options, and nothing recorded.
    pub(super) fn new(options: &PoolOptions) -> Self {
        let limiter = Limiter::new(options);
        let turns = Turns { limiter, line: VecDeque::new(), wakers: HashMap::new(), last: 0 };
        Self { turns: Arc::new(Mutex::new(turns)), latency: Arc::default() }
    }

    /// A place for one more pool.
    pub(super) fn join(&self) -> Seat {
        let wake = Arc::new(Notify::new());
        let mut turns = lock(&self.turns);
        turns.last += 1;
        let member = turns.last;
        turns.wakers.insert(member, Arc::clone(&wake));
        drop(turns);
        Seat { common: self.clone(), member, wake, in_line: false }
    }
}

impl Turns {
    fn ask(&mut self, member: Member, recipients: u64, bytes: u64, now: Instant) -> Turn {
        let at = self.limiter.wait(recipients, bytes, now);
        if at.is_none() && self.line.is_empty() {
            return Turn::Now;
        }
        if !self.line.contains(&member) {
            self.line.push_back(member);
        }
        if self.line.front() == Some(&member) { at.map_or(Turn::Now, Turn::At) } else { Turn::Behind }
    }

    /// Out of the line; whoever is first then may go on.
    fn leave(&mut self, member: Member) {
        self.line.retain(|other| *other != member);
        self.wake_first();
    }

    fn wake_first(&self) {
        if let Some(wake) = self.line.front().and_then(|first| self.wakers.get(first)) {
            wake.notify_one();
        }
    }
}

impl Seat {
    /// Whether a message may start. One that may not stands in line until it starts or leaves.
    pub(super) fn ask(&mut self, recipients: u64, bytes: u64, now: Instant) -> Turn {
        let turn = lock(&self.common.turns).ask(self.member, recipients, bytes, now);
        self.in_line |= turn != Turn::Now;
        turn
    }

    /// Counts the start of a message whose turn it was.
    pub(super) fn start(&mut self, recipients: u64, bytes: u64, now: Instant) {
        lock(&self.common.turns).limiter.start(recipients, bytes, now);
        self.leave();
    }

    /// Nothing of this pool's waits for the limits any more.
    pub(super) fn leave(&mut self) {
        if std::mem::take(&mut self.in_line) {
            lock(&self.common.turns).leave(self.member);
        }
    }

    /// Another limit on message starts, or none, for all.
    pub(super) fn change_rate(&self, rate: Option<RateLimit>) {
        let mut turns = lock(&self.common.turns);
        turns.limiter.change_rate(rate);
        turns.wake_first();
    }

    /// Whether any limit is on: a message must then start when it is handed out, not later.
    pub(super) fn is_limited(&self) -> bool {
        lock(&self.common.turns).limiter.is_on()
    }

    /// Message starts, recipients and octets, as far as they are limited.
    pub(super) fn windows(&self, now: Instant) -> [Option<WindowState>; 3] {
        lock(&self.common.turns).limiter.windows(now)
    }

    /// Notified when it may be this pool's turn.
    pub(super) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Enters how long something took.
    pub(super) fn record(&self, enter: impl FnOnce(&mut Histograms)) {
        enter(&mut lock(&self.common.latency));
    }

    /// How long things took in all pools.
    pub(super) fn latency(&self) -> Latency {
        lock(&self.common.latency).latency()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
        lock(&self.common.turns).wakers.remove(&self.member);
    }
}

/// What is behind the locks is whole between any two statements, so a panic elsewhere does not
/// spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limit(limit: u32) -> Common {
        let rate = Some(RateLimit { limit, delta: Duration::from_secs(1) });
        Common::new(&PoolOptions { rate, ..PoolOptions::default() })
    }

    #[test]
    fn pools_take_turns_however_much_one_of_them_wants() {
        let common = limit(1);
        let (mut busy, mut rare) = (common.join(), common.join());
        let mut now = Instant::now();
        assert_eq!(busy.ask(1, 0, now), Turn::Now);
        busy.start(1, 0, now);
        let free = now + Duration::from_secs(1);
        assert_eq!((busy.ask(1, 0, now), rare.ask(1, 0, now)), (Turn::At(free), Turn::Behind));
        now = free;
        assert_eq!((rare.ask(1, 0, now), busy.ask(1, 0, now)), (Turn::Behind, Turn::Now));
        busy.start(1, 0, now);
        let free = now + Duration::from_secs(1);
        assert_eq!((busy.ask(1, 0, now), rare.ask(1, 0, now)), (Turn::Behind, Turn::At(free)));
    }

    #[tokio::test]
    async fn whoever_leaves_the_line_or_goes_wakes_the_next() {
        for goes in [false, true] {
            let common = limit(1);
            let (mut first, mut second) = (common.join(), common.join());
            let now = Instant::now();
            first.start(1, 0, now);
            assert!(matches!(first.ask(1, 0, now), Turn::At(_)));
            assert_eq!(second.ask(1, 0, now), Turn::Behind);
            if goes {
                drop(first)
            } else {
                first.leave()
            }
            second.wake().notified().await;
            assert!(matches!(second.ask(1, 0, now), Turn::At(_)));
        }
    }

    #[tokio::test]
    async fn a_limit_that_changes_wakes_the_first_in_line() {
        let common = limit(1);
        let (mut first, second) = (common.join(), common.join());
        let now = Instant::now();
        first.start(1, 0, now);
        assert!(matches!(first.ask(1, 0, now), Turn::At(_)));
        second.change_rate(None);
        first.wake().notified().await;
        assert_eq!((first.ask(1, 0, now), first.is_limited()), (Turn::Now, false));
    }
}
