//! Limits of the server, learned from what it says and does.
//!
//! Pure like the schedule that asks it. Each lesson fades: the number of messages is doubled after
//! some connections that kept to it, the cap on connections is raised one by one, the rate recovers
//! by equal steps after it was halved (AIMD), the idle time is forgotten after an hour.

mod pace;
mod replies;
mod session;

use std::time::Duration;

use tokio::time::Instant;

use pace::Pacer;
pub(super) use replies::{Hint, of_message, of_reply};
use session::SessionLimit;

/// How long a learned number holds.
const FADES_AFTER: Duration = Duration::from_secs(3600);
/// How often a server must close after the same number of messages to be believed.
const CLOSES: u32 = 3;
/// How often it must close after the same time without work.
const IDLE_CLOSES: u32 = 2;
/// First pause before a connection more is tried, doubled each time it is refused.
const CAP_PAUSE: Duration = Duration::from_secs(60);
/// Longest such pause.
const CAP_PAUSE_MAX: Duration = Duration::from_secs(960);

/// What is known of a server.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// Nothing is learned.
    off: bool,
    messages: Option<SessionLimit>,
    idle: Option<Kept<Duration>>,
    cap: Option<Cap>,
    /// The pause of the last cap, for one that comes back.
    cap_pause: Option<Kept<Duration>>,
    pacer: Pacer,
    closes: Option<Seen<u32>>,
    idle_closes: Option<Seen<Duration>>,
}

/// A new limit, for [`PoolEvent::LimitLearned`](super::PoolEvent::LimitLearned).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lesson {
    /// `messages`, `idle`, `connections` or `rate`.
    pub(super) kind: &'static str,
    pub(super) value: f64,
}

/// The learned limits in a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Messages on one connection.
    pub messages: Option<u32>,
    /// Milliseconds a connection may have nothing to do.
    pub idle: Option<u64>,
    /// Connections open at once.
    pub connections: Option<usize>,
    /// Message starts a second.
    pub rate: Option<f64>,
}

/// How a connection was closed by the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerClose {
    /// Messages it answered.
    pub(super) answered: u32,
    /// How long it had nothing to do.
    pub(super) idle: Duration,
    /// When it was opened.
    pub(super) opened_at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Kept<T> {
    value: T,
    until: Instant,
}

/// The same thing, seen so many times in a row.
#[derive(Clone, Copy, Debug)]
struct Seen<T> {
    value: T,
    times: u32,
    last: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Cap {
    connections: usize,
    pause: Duration,
    raise_at: Instant,
}

impl Learned {
    pub(super) fn new(on: bool) -> Self {
        Self { off: !on, ..Self::default() }
    }

    /// The server said that a connection is used up after so many messages.
    pub(super) fn session_used_up(&mut self, messages: u32) -> Option<Lesson> {
        if messages == 0 || self.off {
            return None;
        }
        let known = self.messages.replace(SessionLimit::refused_after(messages, self.messages));
        let is_new = known.is_none_or(|known| known.messages() != messages);
        is_new.then_some(Lesson { kind: "messages", value: f64::from(messages) })
    }

    /// A connection went after so many messages and the server had not complained.
    pub(super) fn session_went_well(&mut self, messages: u32, wanted: u32) {
        self.messages =
            self.messages.and_then(|limit| limit.kept_to(messages)).filter(|l| l.messages() < wanted);
    }

    /// The server closed a connection without giving a reason.
    pub(super) fn server_closed(&mut self, close: ServerClose, now: Instant) -> Option<Lesson> {
        if self.off {
            return None;
        }
        if close.idle >= Duration::from_secs(1) {
            return self.closed_idle(close, now);
        }
        if close.answered == 0 {
            return None;
        }
        let alike = |a: u32, b: u32| a == b;
        let times = Seen::count(&mut self.closes, close.answered, close.opened_at, now, alike);
        if times >= CLOSES { self.session_used_up(close.answered) } else { None }
    }

    fn closed_idle(&mut self, close: ServerClose, now: Instant) -> Option<Lesson> {
        let alike = |a: Duration, b: Duration| a.abs_diff(b) <= a.max(b) / 8;
        let times = Seen::count(&mut self.idle_closes, close.idle, close.opened_at, now, alike);
        if times < IDLE_CLOSES {
            return None;
        }
        // A little earlier than the server, so that no message meets its FIN.
        let value = close.idle - close.idle / 10;
        let known = self.idle.replace(Kept { value, until: now + FADES_AFTER });
        let is_new = known.is_none_or(|known| !alike(known.value, value));
        is_new.then_some(Lesson { kind: "idle", value: value.as_secs_f64() * 1000.0 })
    }

    /// The server has no place for another connection beside `others`.
    pub(super) fn too_many_connections(&mut self, others: usize, now: Instant) -> Option<Lesson> {
        if self.off || self.cap.is_some_and(|cap| cap.connections <= others.max(1)) {
            return None;
        }
        let pause = self.cap_pause.map_or(CAP_PAUSE, |kept| (kept.value * 2).min(CAP_PAUSE_MAX));
        self.cap_pause = Some(Kept { value: pause, until: now + FADES_AFTER });
        let connections = others.max(1);
        self.cap = Some(Cap { connections, pause, raise_at: now + pause });
        Some(Lesson { kind: "connections", value: connections as f64 })
    }

    /// The server wants fewer messages a second.
    pub(super) fn too_fast(&mut self, now: Instant) -> Option<Lesson> {
        if self.off {
            return None;
        }
        self.pacer.slow_down(now).map(|value| Lesson { kind: "rate", value })
    }

    /// Messages on one connection.
    pub(super) fn messages(&self) -> Option<u32> {
        self.messages.map(|limit| limit.messages())
    }

    /// How long a connection may have nothing to do.
    pub(super) fn idle(&self) -> Option<Duration> {
        self.idle.map(|kept| kept.value)
    }

    /// Connections open at once.
    pub(super) fn connections(&self) -> Option<usize> {
        self.cap.map(|cap| cap.connections)
    }

    /// When a message may start: now (`None`), or at an instant to come.
    pub(super) fn wait(&self, now: Instant) -> Option<Instant> {
        self.pacer.wait(now)
    }

    /// Counts a start.
    pub(super) fn start(&mut self, now: Instant) {
        if !self.off {
            self.pacer.start(now);
        }
    }

    /// Whether message starts are slowed.
    pub(super) fn is_slowed(&self) -> bool {
        self.pacer.is_on()
    }

    /// Lets fade what is old. Gives the moment at which more connections may be opened.
    pub(super) fn recover(&mut self, wanted: usize, now: Instant) -> Option<Instant> {
        self.idle = self.idle.filter(|kept| now < kept.until);
        self.cap_pause = self.cap_pause.filter(|kept| now < kept.until);
        self.pacer.recover(now);
        let cap = self.cap.as_mut()?;
        if now >= cap.raise_at {
            cap.connections += 1;
            cap.raise_at = now + cap.pause;
        }
        let raise_at = cap.raise_at;
        if cap.connections >= wanted {
            self.cap = None;
            return None;
        }
        Some(raise_at)
    }

    pub(super) fn view(&self, now: Instant) -> Limits {
        Limits {
            messages: self.messages(),
            idle: self.idle().map(|idle| u64::try_from(idle.as_millis()).unwrap_or(u64::MAX)),
            connections: self.connections(),
            rate: self.pacer.rate(now),
        }
    }
}

impl<T: Copy> Seen<T> {
    /// Counts a sight. One of a connection that was already there at the last sight says nothing
    /// new: when a server restarts, all of them close alike.
    fn count(
        seen: &mut Option<Self>,
        value: T,
        opened_at: Instant,
        now: Instant,
        alike: impl Fn(T, T) -> bool,
    ) -> u32 {
        match seen {
            Some(last) if alike(last.value, value) => {
                if opened_at >= last.last {
                    *last = Self { value, times: last.times + 1, last: now };
                }
                last.times
            }
            _ => {
                *seen = Some(Self { value, times: 1, last: now });
                1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn close(answered: u32, idle: Duration, opened_at: Instant) -> ServerClose {
        ServerClose { answered, idle, opened_at }
    }

    #[test]
    fn a_server_that_says_so_is_believed_at_once() {
        let mut learned = Learned::new(true);
        assert_eq!(learned.session_used_up(0), None);
        assert_eq!(learned.session_used_up(5), Some(Lesson { kind: "messages", value: 5.0 }));
        assert_eq!(learned.session_used_up(5), None, "nothing new");
        assert_eq!(learned.messages(), Some(5));
    }

    #[test]
    fn a_limit_that_has_grown_to_what_is_wanted_is_none() {
        let mut learned = Learned::new(true);
        learned.session_used_up(1);
        let mut connections = 0;
        while let Some(messages) = learned.messages() {
            learned.session_went_well(messages, 100);
            connections += 1;
        }
        assert!(connections < 100, "{connections}");
    }

    #[test]
    fn closes_teach_only_when_they_repeat_on_later_connections() {
        let mut now = Instant::now();
        let mut learned = Learned::new(true);
        let together = now;
        now += SECOND;
        for _ in 0..10 {
            assert_eq!(learned.server_closed(close(20, Duration::ZERO, together), now), None);
        }
        let mut lessons = Vec::new();
        for answered in [20, 7, 7, 7, 7] {
            let opened = now;
            now += SECOND;
            lessons.extend(learned.server_closed(close(answered, Duration::ZERO, opened), now));
        }
        assert_eq!(lessons, [Lesson { kind: "messages", value: 7.0 }]);
    }

    #[test]
    fn idle_closes_teach_a_shorter_idle_time() {
        let origin = Instant::now();
        let mut learned = Learned::new(true);
        assert_eq!(learned.server_closed(close(3, SECOND * 10, origin), origin + SECOND * 10), None);
        let second = learned.server_closed(close(9, SECOND * 10, origin + SECOND * 11), origin + SECOND * 21);
        assert_eq!(second, Some(Lesson { kind: "idle", value: 9000.0 }));
        assert_eq!((learned.idle(), learned.messages()), (Some(SECOND * 9), None));
    }

    #[test]
    fn a_cap_is_raised_one_by_one_and_later_each_time_it_was_too_high() {
        let mut now = Instant::now();
        let mut learned = Learned::new(true);
        assert_eq!(learned.too_many_connections(3, now), Some(Lesson { kind: "connections", value: 3.0 }));
        assert_eq!(learned.too_many_connections(3, now), None, "its sibling was refused as well");
        assert_eq!(learned.recover(5, now), Some(now + CAP_PAUSE));
        now += CAP_PAUSE;
        assert_eq!(learned.recover(5, now), Some(now + CAP_PAUSE));
        assert_eq!(learned.connections(), Some(4));
        assert!(learned.too_many_connections(3, now).is_some());
        assert_eq!(learned.recover(5, now), Some(now + CAP_PAUSE * 2));
        now += CAP_PAUSE * 2;
        learned.recover(5, now);
        now += CAP_PAUSE * 2;
        assert_eq!((learned.recover(5, now), learned.connections()), (None, None));
    }

    #[test]
    fn one_connection_is_always_left() {
        let mut learned = Learned::new(true);
        learned.too_many_connections(0, Instant::now());
        assert_eq!(learned.connections(), Some(1));
    }

    #[test]
    fn what_is_switched_off_learns_nothing() {
        let now = Instant::now();
        let mut learned = Learned::new(false);
        learned.start(now);
        let lessons = [
            learned.session_used_up(5),
            learned.too_many_connections(2, now),
            learned.too_fast(now),
            learned.server_closed(close(5, SECOND, now), now),
            learned.server_closed(close(5, SECOND, now), now),
        ];
        assert_eq!(lessons, [None; 5]);
        assert_eq!(learned.view(now), Limits::default());
    }
}
