//! A rate the server showed by throttling: halved each time, recovered by equal steps.

use std::time::Duration;

use tokio::time::Instant;

/// Share of the rate before the throttling that is recovered each second.
const RECOVERY: f64 = 0.02;
/// Slowest rate, in messages a second.
const SLOWEST: f64 = 0.1;
/// Refusals this close together are one: they answer messages of the same burst.
const BURST: Duration = Duration::from_secs(1);

/// Counts starts, and spaces them evenly once the server asked for it.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    meter: Option<Meter>,
    pace: Option<Pace>,
}

/// Starts a second, measured over at least a second.
#[derive(Debug)]
struct Meter {
    since: Instant,
    count: u32,
    before: f64,
}

#[derive(Debug)]
struct Pace {
    /// The rate at which the server began to throttle.
    full: f64,
    /// The rate right after the last cut.
    cut: f64,
    cut_at: Instant,
    next: Instant,
}

impl Pacer {
    /// Halves the rate; gives the new one unless it was just halved.
    pub(super) fn slow_down(&mut self, now: Instant) -> Option<f64> {
        let measured = self.meter.as_ref().map_or(1.0, |meter| meter.rate(now));
        let (full, current) = match &self.pace {
            Some(pace) if now < pace.cut_at + BURST => return None,
            Some(pace) => (pace.full, pace.rate(now)),
            None => (measured, measured),
        };
        let cut = (current / 2.0).max(SLOWEST);
        self.pace = Some(Pace { full: full.max(SLOWEST * 2.0), cut, cut_at: now, next: now + spacing(cut) });
        Some(cut)
    }

    pub(super) fn wait(&self, now: Instant) -> Option<Instant> {
        self.pace.as_ref().map(|pace| pace.next).filter(|next| *next > now)
    }

    pub(super) fn start(&mut self, now: Instant) {
        let meter = self.meter.get_or_insert(Meter { since: now, count: 0, before: 0.0 });
        meter.start(now);
        if let Some(pace) = &mut self.pace {
            pace.next = pace.next.max(now) + spacing(pace.rate(now));
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.pace.is_some()
    }

    /// The rate it keeps to.
    pub(super) fn rate(&self, now: Instant) -> Option<f64> {
        self.pace.as_ref().map(|pace| pace.rate(now))
    }

    /// Forgets a rate that has recovered.
    pub(super) fn recover(&mut self, now: Instant) {
        if self.pace.as_ref().is_some_and(|pace| pace.rate(now) >= pace.full) {
            self.pace = None;
        }
    }
}

impl Pace {
    fn rate(&self, now: Instant) -> f64 {
        let seconds = now.saturating_duration_since(self.cut_at).as_secs_f64();
        self.cut + self.full * RECOVERY * seconds
    }
}

impl Meter {
    fn start(&mut self, now: Instant) {
        let span = now.saturating_duration_since(self.since);
        if span >= BURST {
            self.before = f64::from(self.count) / span.as_secs_f64();
            self.since = now;
            self.count = 0;
        }
        self.count += 1;
    }

    fn rate(&self, now: Instant) -> f64 {
        let span = now.saturating_duration_since(self.since);
        let current = f64::from(self.count) / span.max(BURST).as_secs_f64();
        if span >= BURST { current } else { current.max(self.before) }
    }
}

fn spacing(rate: f64) -> Duration {
    Duration::from_secs_f64(1.0 / rate.max(SLOWEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A pacer that has seen `rate` starts a second, and the time.
    fn busy(rate: u32) -> (Pacer, Instant) {
        let mut pacer = Pacer::default();
        let mut now = Instant::now();
        for _ in 0..3 * rate {
            pacer.start(now);
            now += SECOND / rate;
        }
        (pacer, now)
    }

    #[test]
    fn throttling_halves_the_measured_rate_once_a_burst() {
        let (mut pacer, now) = busy(20);
        let first = pacer.slow_down(now).unwrap_or_default();
        assert!((9.0..=11.0).contains(&first), "{first}");
        assert_eq!(pacer.slow_down(now + SECOND / 2), None);
        let second = pacer.slow_down(now + SECOND).unwrap_or_default();
        assert!((4.5..=6.0).contains(&second), "{second}");
    }

    #[test]
    fn the_rate_comes_back_by_equal_steps_and_is_then_forgotten() {
        let (mut pacer, now) = busy(20);
        pacer.slow_down(now);
        let rates: Vec<_> = (0..4).filter_map(|at| pacer.rate(now + SECOND * at * 5)).collect();
        let steps: Vec<_> = rates.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.iter().all(|step| (step - steps[0]).abs() < 1e-6 && *step > 1.0), "{steps:?}");
        pacer.recover(now + SECOND * 10);
        assert!(pacer.is_on());
        pacer.recover(now + SECOND * 60);
        assert_eq!((pacer.is_on(), pacer.wait(now)), (false, None));
    }

    #[test]
    fn a_pool_that_never_got_a_message_through_still_gets_one_out_now_and_then() {
        let mut pacer = Pacer::default();
        let mut now = Instant::now();
        pacer.start(now);
        for _ in 0..20 {
            now += SECOND * 2;
            pacer.slow_down(now);
        }
        assert!(pacer.wait(now).is_some_and(|at| at - now <= SECOND * 10));
    }

    proptest! {
        #[test]
        fn starts_are_spaced_by_the_rate_that_holds(rate in 2u32..200, waits in prop::collection::vec(0u64..400, 1..50)) {
            let (mut pacer, mut now) = busy(rate);
            let cut = pacer.slow_down(now).unwrap_or(f64::MAX);
            let cut_at = now;
            let mut starts = Vec::new();
            for pause in waits {
                now += Duration::from_millis(pause);
                if let Some(at) = pacer.wait(now) {
                    now = at;
                }
                pacer.start(now);
                starts.push(now);
            }
            for pair in starts.windows(2) {
                let fastest = cut + f64::from(rate) * 1.1 * RECOVERY * (pair[0] - cut_at).as_secs_f64();
                prop_assert!((pair[1] - pair[0]).as_secs_f64() >= 1.0 / fastest - 1e-6);
            }
        }
    }
}
