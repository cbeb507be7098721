//! Rate limits that hold: never more than the limit in *any* window, whatever opens or closes.
//!
//! A sliding log: the starts of the last window are remembered, and the next one waits until
//! enough of them have left it. A token bucket would let through up to twice the limit in a window
//! that straddles its refill.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::options::{PoolOptions, RateLimit};
use super::schedule::WindowState;

/// At most `limit` units in any window of `delta`.
#[derive(Debug)]
struct Window {
    limit: u64,
    delta: Duration,
    log: VecDeque<(Instant, u64)>,
    sum: u64,
}

impl Window {
    fn new(limit: u64, delta: Duration) -> Self {
        Self { limit: limit.max(1), delta, log: VecDeque::new(), sum: 0 }
    }

    /// When `units` may start: now (`None`), or at an instant to come. What alone is more than the
    /// limit may start into an empty window.
    fn wait(&mut self, units: u64, now: Instant) -> Option<Instant> {
        self.forget(now);
        let mut excess = (self.sum + units).saturating_sub(self.limit);
        if excess == 0 {
            return None;
        }
        for (start, weight) in &self.log {
            excess = excess.saturating_sub(*weight);
            if excess == 0 {
                return Some(*start + self.delta);
            }
        }
        self.log.back().map(|(start, _)| *start + self.delta)
    }

    /// Counts a start.
    fn start(&mut self, units: u64, now: Instant) {
        self.sum += units;
        match self.log.back_mut() {
            Some((start, weight)) if *start == now => *weight += units,
            _ => self.log.push_back((now, units)),
        }
    }

    /// Another limit from now on. What already started counts on.
    fn change(&mut self, limit: u64, delta: Duration) {
        self.limit = limit.max(1);
        self.delta = delta;
    }

    /// Units in the window now.
    fn used(&mut self, now: Instant) -> u64 {
        self.forget(now);
        self.sum
    }

    fn forget(&mut self, now: Instant) {
        while let Some((start, weight)) = self.log.front()
            && *start + self.delta <= now
        {
            self.sum -= weight;
            self.log.pop_front();
        }
    }
}

/// All limits of a pool together.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    messages: Option<Window>,
    recipients: Option<Window>,
    bytes: Option<Window>,
}

impl Limiter {
    /// The limits of the options.
    pub(super) fn new(options: &PoolOptions) -> Self {
        let second = Duration::from_secs(1);
        Self {
            messages: options.rate.map(|rate| Window::new(u64::from(rate.limit), rate.delta)),
            recipients: options.max_recipients_per_second.map(|max| Window::new(u64::from(max), second)),
            bytes: options.max_bytes_per_second.map(|max| Window::new(max, second)),
        }
    }

    /// Another limit on message starts, or none.
    pub(super) fn change_rate(&mut self, rate: Option<RateLimit>) {
        match (&mut self.messages, rate) {
            (Some(window), Some(rate)) => window.change(u64::from(rate.limit), rate.delta),
            (messages, rate) => *messages = rate.map(|rate| Window::new(u64::from(rate.limit), rate.delta)),
        }
    }

    /// When a message may start: now (`None`), or at an instant to come.
    pub(super) fn wait(&mut self, recipients: u64, bytes: u64, now: Instant) -> Option<Instant> {
        let ask = |window: &mut Option<Window>, units| window.as_mut().and_then(|w| w.wait(units, now));
        let waits =
            [ask(&mut self.messages, 1), ask(&mut self.recipients, recipients), ask(&mut self.bytes, bytes)];
        waits.into_iter().flatten().max()
    }

    /// Counts a start.
    pub(super) fn start(&mut self, recipients: u64, bytes: u64, now: Instant) {
        for (window, units) in
            [(&mut self.messages, 1), (&mut self.recipients, recipients), (&mut self.bytes, bytes)]
        {
            if let Some(window) = window {
                window.start(units, now);
            }
        }
    }

    /// Message starts, recipients and octets, as far as they are limited.
    pub(super) fn windows(&mut self, now: Instant) -> [Option<WindowState>; 3] {
        [&mut self.messages, &mut self.recipients, &mut self.bytes].map(|window| {
            window.as_mut().map(|window| WindowState { limit: window.limit, used: window.used(now) })
        })
    }

    /// Whether any limit is on.
    pub(super) fn is_on(&self) -> bool {
        self.messages.is_some() || self.recipients.is_some() || self.bytes.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_the_limit(
            limit in 1u64..8,
            delta in 1u64..2000,
            steps in proptest::collection::vec((0u64..700, 1u64..4), 1..200),
        ) {
            let origin = Instant::now();
            let delta = Duration::from_millis(delta);
            let mut window = Window::new(limit, delta);
            let mut now = origin;
            let mut starts: Vec<(Instant, u64)> = Vec::new();
            for (pause, units) in steps {
                now += Duration::from_millis(pause);
                let units = units.min(limit);
                while let Some(at) = window.wait(units, now) {
                    prop_assert!(at > now, "must make progress");
                    now = at;
                }
                window.start(units, now);
                starts.push((now, units));
            }
            for (from, _) in &starts {
                let inside = starts.iter().filter(|(at, _)| at >= from && *at < *from + delta);
                prop_assert!(inside.map(|(_, units)| units).sum::<u64>() <= limit);
            }
        }
    }

    #[test]
    fn the_limit_is_used_in_full() {
        let origin = Instant::now();
        let mut window = Window::new(5, Duration::from_secs(1));
        let mut now = origin;
        for _ in 0..50 {
            if let Some(at) = window.wait(1, now) {
                now = at;
            }
            window.start(1, now);
        }
        assert_eq!(now - origin, Duration::from_secs(9));
    }

    #[test]
    fn a_changed_limit_counts_what_already_started() {
        let now = Instant::now();
        let mut window = Window::new(5, Duration::from_secs(1));
        (0..4).for_each(|_| window.start(1, now));
        window.change(2, Duration::from_secs(10));
        assert_eq!(window.wait(1, now), Some(now + Duration::from_secs(10)));
        window.change(6, Duration::from_secs(10));
        assert_eq!((window.wait(2, now), window.wait(3, now).is_some()), (None, true));
    }

    #[test]
    fn what_is_larger_than_the_limit_starts_alone() {
        let now = Instant::now();
        let mut window = Window::new(10, Duration::from_secs(1));
        assert_eq!(window.wait(100, now), None);
        window.start(100, now);
        assert_eq!(window.wait(1, now), Some(now + Duration::from_secs(1)));
        assert_eq!(window.used(now + Duration::from_secs(1)), 0);
    }
}
