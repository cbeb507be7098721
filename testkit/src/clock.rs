//! Two clocks for a line with latency.
//!
//! tokio's timer knows whole milliseconds, rounded up: too coarse for a round trip of one. Over
//! sockets a thread of our own wakes the tasks, to about a tenth of a millisecond. Over in-memory
//! connections tokio's timer it is, because tests pause and move it.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::pin::Pin;
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::thread;

use tokio::time::{Instant, Sleep, sleep_until};

/// Which clock a connection lives by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The runtime's, which can be paused.
    Runtime,
    /// The system's.
    System,
}

/// Waits for one point in time after the other.
#[derive(Debug)]
pub(crate) enum Timer {
    Runtime(Pin<Box<Sleep>>),
    System(Option<(Instant, Waker)>),
}

impl Timer {
    pub(crate) fn new(clock: Clock) -> Self {
        match clock {
            Clock::Runtime => Self::Runtime(Box::pin(sleep_until(Instant::now()))),
            Clock::System => Self::System(None),
        }
    }

    pub(crate) fn poll_until(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if due <= Instant::now() {
            return Poll::Ready(());
        }
        match self {
            Self::Runtime(sleep) => {
                if sleep.deadline() != due {
                    sleep.as_mut().reset(due);
                }
                ready!(sleep.as_mut().poll(cx));
                Poll::Ready(())
            }
            Self::System(alarm) => {
                let set = alarm.as_ref().is_some_and(|(at, waker)| *at == due && waker.will_wake(cx.waker()));
                if !set {
                    *alarm = Some((due, cx.waker().clone()));
                    ALARMS.set(due, cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

static ALARMS: LazyLock<&'static Alarms> = LazyLock::new(|| {
    let alarms: &Alarms = Box::leak(Box::default());
    // Without the thread nothing with latency moves, which tests show at once.
    let _ = thread::Builder::new().name("latency".into()).spawn(|| alarms.run());
    alarms
});

/// The wakers that are due at some time, soonest first.
#[derive(Default)]
struct Alarms {
    queue: Mutex<BinaryHeap<Reverse<Alarm>>>,
    sooner: Condvar,
}

struct Alarm {
    due: Instant,
    waker: Waker,
}

impl Alarms {
    fn set(&self, due: Instant, waker: Waker) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let soonest = queue.peek().is_none_or(|Reverse(first)| due < first.due);
        queue.push(Reverse(Alarm { due, waker }));
        if soonest {
            self.sooner.notify_one();
        }
    }

    fn run(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let wait = queue.peek().map(|Reverse(first)| first.due.saturating_duration_since(Instant::now()));
            queue = match wait {
                None => self.sooner.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(wait) if wait.is_zero() => {
                    if let Some(Reverse(alarm)) = queue.pop() {
                        alarm.waker.wake();
                    }
                    continue;
                }
                Some(wait) => self.sooner.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> Ordering {
        self.due.cmp(&other.due)
    }
}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Alarm {}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn both_clocks_wake_in_order_and_never_early() {
        for clock in [Clock::Runtime, Clock::System] {
            let (mut long, mut short) = (Timer::new(clock), Timer::new(clock));
            let start = Instant::now();
            let at = move |ms| start + Duration::from_millis(ms);
            let far = tokio::spawn(async move { poll_fn(|cx| long.poll_until(at(20), cx)).await });
            for ms in [2, 4] {
                poll_fn(|cx| short.poll_until(at(ms), cx)).await;
                assert!(start.elapsed() >= Duration::from_millis(ms), "{clock:?}");
            }
            assert!(!far.is_finished() || start.elapsed() >= Duration::from_millis(20));
            far.await.expect("the far end");
            assert!(start.elapsed() >= Duration::from_millis(20), "{clock:?}");
        }
    }
}
