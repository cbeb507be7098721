//! How long things take, in buckets no wider than an eighth of what they hold.

use std::time::Duration;

/// Values below are counted one by one, in microseconds.
const EXACT: u64 = 16;
/// Buckets in each doubling above.
const STEPS: usize = 8;
/// Doublings that are told apart, up to about twelve days.
const DOUBLINGS: usize = 37;

/// Counts of durations.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    /// Empty until something is recorded.
    counts: Vec<u64>,
    count: u64,
    sum: Duration,
    max: Duration,
}

/// What a histogram says, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Percentiles {
    /// Durations recorded.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Half of them were no longer.
    pub p50: f64,
    /// Ninety-five in a hundred were no longer.
    pub p95: f64,
    /// Ninety-nine in a hundred were no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// Counts of what takes time.
#[derive(Debug, Default)]
pub(super) struct Histograms {
    pub(super) wait: Histogram,
    pub(super) connect: Histogram,
    pub(super) envelope: Histogram,
    pub(super) data: Histogram,
}

/// Where the time goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    /// From being handed in to the first connection.
    pub wait: Percentiles,
    /// From the first look-up to a connection that takes messages.
    pub connect: Percentiles,
    /// From the first command to the reply to DATA.
    pub envelope: Percentiles,
    /// From there to the final reply.
    pub data: Percentiles,
}

impl Histograms {
    pub(super) fn latency(&self) -> Latency {
        Latency {
            wait: self.wait.percentiles(),
            connect: self.connect.percentiles(),
            envelope: self.envelope.percentiles(),
            data: self.data.percentiles(),
        }
    }
}

impl Histogram {
    pub(super) fn record(&mut self, duration: Duration) {
        self.counts.resize(EXACT as usize + STEPS * DOUBLINGS, 0);
        let bucket = bucket(micros(duration)).min(self.counts.len() - 1);
        self.counts[bucket] += 1;
        self.count += 1;
        self.sum = self.sum.saturating_add(duration);
        self.max = self.max.max(duration);
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        Percentiles {
            count: self.count,
            mean: millis(self.sum) / self.count.max(1) as f64,
            p50: self.below(50),
            p95: self.below(95),
            p99: self.below(99),
            max: millis(self.max),
        }
    }

    /// The upper end of the bucket in which so many of a hundred are reached.
    fn below(&self, percent: u64) -> f64 {
        let wanted = (self.count * percent).div_ceil(100);
        let mut seen = 0;
        let reached = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        let end = reached.filter(|_| self.count > 0).map(upper).unwrap_or_default();
        millis(Duration::from_micros(end).min(self.max))
    }
}

fn bucket(value: u64) -> usize {
    if value < EXACT {
        return value as usize;
    }
    let doubling = value.ilog2();
    let step = (value >> (doubling - STEPS.ilog2())) as usize % STEPS;
    EXACT as usize + (doubling - EXACT.ilog2()) as usize * STEPS + step
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let Some(above) = bucket.checked_sub(EXACT as usize) else { return bucket as u64 };
    let shift = above / STEPS + (EXACT.ilog2() - STEPS.ilog2()) as usize;
    (((STEPS + above % STEPS + 1) as u64) << shift) - 1
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn millis(duration: Duration) -> f64 {
    micros(duration) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_value_is_in_the_bucket_whose_ends_hold_it(value in 0u64..1 << 40) {
            let at = bucket(value);
            prop_assert!(value <= upper(at));
            prop_assert!(at == 0 || value > upper(at - 1));
            prop_assert!(upper(at) - value <= value / 8);
        }
    }

    #[test]
    fn percentiles_of_a_known_row() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|ms| histogram.record(Duration::from_millis(ms)));
        let seen = histogram.percentiles();
        assert_eq!((seen.count, seen.mean, seen.max), (1000, 500.5, 1000.0));
        for (found, exact) in [(seen.p50, 500.0), (seen.p95, 950.0), (seen.p99, 990.0)] {
            assert!(found >= exact && found <= exact * 1.125, "{found} for {exact}");
        }
    }

    #[test]
    fn nothing_recorded_is_all_zero_and_what_is_beyond_the_scale_is_counted() {
        assert_eq!(Histogram::default().percentiles(), Percentiles::default());
        let mut histogram = Histogram::default();
        histogram.record(Duration::MAX);
        assert_eq!(histogram.percentiles().count, 1);
    }
}
