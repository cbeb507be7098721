//! A message in the schedule.
//!
//! There may be hundreds of thousands, each in a box of its own: what few of them have is apart.

use std::sync::Arc;

use tokio::time::Instant;

use crate::connection::{ConnectionId, Partial};
use crate::error::Error;
use crate::mail::Message;

#[derive(Debug)]
pub(super) struct Job {
    pub(super) message: Arc<dyn Message>,
    pub(super) lane: Arc<str>,
    /// Place in line.
    pub(super) number: u64,
    pub(super) queued_at: Instant,
    pub(super) place: Place,
    rare: Option<Box<Rare>>,
}

/// What messages have that came back, or that may only take so long.
#[derive(Debug, Default)]
pub(super) struct Rare {
    /// How often it came back to the queue, counting what the server is to blame for.
    pub(super) attempts: u32,
    /// When it has waited long enough for a connection, while it waits.
    pub(super) waits_until: Option<Instant>,
    /// When it has taken long enough.
    pub(super) expires: Option<Instant>,
    /// What became of some of its recipients.
    pub(super) so_far: Option<Arc<Partial>>,
    /// Its connection was told to give it up, for this reason.
    pub(super) given_up: Option<Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Queued,
    /// Waits until this moment before it is queued again.
    Delayed(Instant),
    Sent(ConnectionId),
}

impl Job {
    pub(super) fn new(message: Arc<dyn Message>, lane: Arc<str>, number: u64, now: Instant) -> Self {
        Self { message, lane, number, queued_at: now, place: Place::Queued, rare: None }
    }

    /// Octets it holds.
    pub(super) fn bytes(&self) -> usize {
        self.message.held_bytes()
    }

    pub(super) fn attempts(&self) -> u32 {
        self.rare.as_ref().map_or(0, |rare| rare.attempts)
    }

    pub(super) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    /// What few messages have, to be changed.
    pub(super) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Takes what few messages have out of it.
    pub(super) fn take_rare(&mut self) -> Option<Box<Rare>> {
        self.rare.take()
    }

    /// Why it was given up, if it was.
    pub(super) fn take_given_up(&mut self) -> Option<Error> {
        self.rare.as_mut()?.given_up.take()
    }

    /// It waits until this moment, if anything sets it an end.
    pub(super) fn waits_until(&mut self, at: Option<Instant>) {
        if at.is_some() || self.rare.is_some() {
            self.rare_mut().waits_until = at;
        }
    }
}
