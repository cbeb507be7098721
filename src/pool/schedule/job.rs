//! A message in the schedule.

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
    pub(super) bytes: usize,
    /// How often it came back to the queue, counting what the server is to blame for.
    pub(super) attempts: u32,
    pub(super) place: Place,
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
