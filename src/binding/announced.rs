//! A message that tells, for the log, when a connection begins it: only then are its recipients
//! and its Message-ID known.

use std::sync::Arc;

use serde_json::json;

use super::outbox::Outbox;
use crate::error::Result;
use crate::mail::{Message, Prepared};

/// Recipients that are named; the log counts the others.
const NAMED: usize = 3;

/// A message in the queue, and where to tell.
#[derive(Debug)]
pub(super) struct Announced {
    pub(super) id: u64,
    pub(super) message: Arc<dyn Message>,
    pub(super) outbox: Outbox,
}

impl Message for Announced {
    fn prepare(&self) -> Result<Prepared> {
        let prepared = self.message.prepare()?;
        let to = &prepared.envelope.to;
        self.outbox.push(&json!({
            "k": "begun", "id": self.id, "mid": prepared.message_id, "n": to.len(),
            "to": to.iter().take(NAMED).collect::<Vec<_>>(),
        }));
        Ok(prepared)
    }

    fn replayable(&self) -> bool {
        self.message.replayable()
    }

    fn held_bytes(&self) -> usize {
        self.message.held_bytes()
    }

    fn recipients(&self) -> usize {
        self.message.recipients()
    }
}
