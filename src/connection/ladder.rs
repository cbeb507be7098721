//! How far commands travel together on a host, and what is remembered of it.
//!
//! | rung | what leaves in one write |
//! |---|---|
//! | 0 | one command |
//! | 1 | MAIL, RCPT, DATA |
//! | 2 | the body of one message and RSET, MAIL, RCPT, DATA of the next |
//! | 3 | MAIL, RCPT, BDAT, RSET of several messages |
//!
//! A connection takes the highest rung its server offers and the host has not failed on. Servers
//! exist that announce what they cannot do; one that breaks on a rung it never managed costs that
//! rung at once, one that did manage it only after several breaks in a row. On rung 3 replies out of
//! order cost the rung at once, and the first message goes alone: it shows whether the server's
//! replies can be told apart.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use super::Pipelining;
use crate::wire::Capabilities;

/// Messages in flight on rung 3.
const WINDOW: usize = 8;
/// Round trip below which rung 2 is as good.
const PAYS: Duration = Duration::from_millis(1);
/// Breaks in a row that count against a rung the host once managed.
const PATIENCE: u8 = 3;

/// What is remembered of a host, shared by all its connections.
#[derive(Debug)]
pub struct Ladder {
    /// Highest rung allowed.
    limit: AtomicU8,
    /// Highest rung on which a message was taken.
    proven: AtomicU8,
    /// Breaks since a message was taken.
    breaks: AtomicU8,
}

impl Default for Ladder {
    fn default() -> Self {
        Self { limit: AtomicU8::new(3), proven: AtomicU8::new(0), breaks: AtomicU8::new(0) }
    }
}

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rung {
    pub(super) level: u8,
    /// Messages in flight from the start.
    pub(super) window: usize,
    /// Messages in flight once one was taken on this rung.
    pub(super) proven_window: usize,
}

impl Rung {
    /// Messages a connection is given at once. Where the envelope of one leaves with the body of
    /// another, one more waits at hand: what has to be fetched when a reply comes leaves too late.
    pub(super) fn depth(&self) -> usize {
        if self.level < 2 { self.window } else { self.window + 1 }
    }

    /// Rung 2.
    pub(super) const BEHIND_BODY: Self = Self { level: 2, window: 2, proven_window: 2 };
}

impl Ladder {
    /// The rung for a connection.
    pub(super) fn choose(&self, server: &Capabilities, asked: Pipelining, round_trip: Duration) -> Rung {
        let offered = match asked {
            Pipelining::Off => 0,
            _ if !server.pipelining => 0,
            Pipelining::Window(1) => 1,
            Pipelining::Auto if server.chunking && round_trip >= PAYS => 3,
            Pipelining::Window(3..) if server.chunking => 3,
            Pipelining::Auto | Pipelining::Window(_) => 2,
        };
        let level = offered.min(self.limit.load(Ordering::Relaxed));
        let full = match asked {
            Pipelining::Window(window) => window,
            _ => WINDOW,
        };
        match level {
            0 | 1 => Rung { level, window: 1, proven_window: 1 },
            2 => Rung::BEHIND_BODY,
            _ if self.proven.load(Ordering::Relaxed) >= 3 => {
                Rung { level, window: full, proven_window: full }
            }
            _ => Rung { level, window: 1, proven_window: full },
        }
    }

    /// A message was taken on this rung.
    pub(super) fn taken(&self, rung: Rung) {
        self.proven.fetch_max(rung.level, Ordering::Relaxed);
        self.breaks.store(0, Ordering::Relaxed);
    }

    /// A connection broke on this rung, mid-message and without a word.
    pub(super) fn broke(&self, rung: Rung) {
        let breaks = self.breaks.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let managed = self.proven.load(Ordering::Relaxed) >= rung.level;
        if !managed || breaks >= PATIENCE {
            self.leave(rung);
        }
    }

    /// The host is not to be met on this rung again.
    pub(super) fn leave(&self, rung: Rung) {
        self.limit.fetch_min(rung.level.saturating_sub(1), Ordering::Relaxed);
        self.breaks.store(0, Ordering::Relaxed);
    }

    /// Highest rung allowed now.
    pub fn limit(&self) -> u8 {
        self.limit.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(pipelining: bool, chunking: bool) -> Capabilities {
        Capabilities { pipelining, chunking, ..Capabilities::default() }
    }

    #[test]
    fn the_highest_rung_that_is_offered_and_pays_is_taken() {
        let (near, far) = (Duration::from_micros(100), Duration::from_millis(20));
        for (asked, pipelining, chunking, round_trip, level, window) in [
            (Pipelining::Auto, false, true, far, 0, 1),
            (Pipelining::Auto, true, false, far, 2, 2),
            (Pipelining::Auto, true, true, near, 2, 2),
            (Pipelining::Auto, true, true, far, 3, 1),
            (Pipelining::Off, true, true, far, 0, 1),
            (Pipelining::Window(1), true, true, far, 1, 1),
            (Pipelining::Window(2), true, true, far, 2, 2),
            (Pipelining::Window(20), true, false, far, 2, 2),
            (Pipelining::Window(20), true, true, near, 3, 1),
        ] {
            let rung = Ladder::default().choose(&server(pipelining, chunking), asked, round_trip);
            assert_eq!((rung.level, rung.window), (level, window), "{asked:?}");
            assert_eq!(rung.depth(), if level < 2 { 1 } else { window + 1 });
        }
    }

    #[test]
    fn the_window_opens_once_a_chunked_message_was_taken() {
        let ladder = Ladder::default();
        let far = Duration::from_millis(20);
        let rung = ladder.choose(&server(true, true), Pipelining::Auto, far);
        assert_eq!((rung.window, rung.proven_window), (1, WINDOW));
        ladder.taken(rung);
        assert_eq!(ladder.choose(&server(true, true), Pipelining::Auto, far).window, WINDOW);
    }

    #[test]
    fn a_rung_that_never_worked_is_left_at_the_first_break_a_proven_one_later() {
        let far = Duration::from_millis(20);
        let ladder = Ladder::default();
        let choose = || ladder.choose(&server(true, true), Pipelining::Auto, far);
        ladder.broke(choose());
        assert_eq!(choose().level, 2);
        ladder.taken(choose());
        (0..2).for_each(|_| ladder.broke(choose()));
        assert_eq!(choose().level, 2);
        ladder.broke(choose());
        assert_eq!(choose().level, 1);
        (0..10).for_each(|_| ladder.broke(choose()));
        assert_eq!(choose().level, 0);
    }
}
