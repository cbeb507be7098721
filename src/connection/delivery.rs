//! One job on this connection: its body, its times, and its parts where a server takes fewer
//! recipients at once than the job has.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::time::Instant;

use super::partial::Partial;
use super::{Job, Undelivered};
use crate::error::{Error, Result};
use crate::mail::{Body, Envelope, Prepared, Receipt};
use crate::wire::{Capabilities, Failure, MailParams, Outcome, check_envelope};

/// What the pool is told of a job.
pub(super) type JobResult = Result<Box<Receipt>, Undelivered>;

/// A job that was prepared and is in the session's window.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) job: Job,
    pub(super) params: MailParams,
    pub(super) size: Option<u64>,
    /// None once one that can be read only once was opened.
    body: Option<Body>,
    /// Everything but the part that is being sent.
    others: Partial,
    /// Recipients of that part.
    part: Vec<String>,
    /// Recipients a part may have (RFC 9422 RCPTMAX).
    max: Option<u32>,
    /// The message goes in one part, here and before.
    whole: bool,
    ehlo: Option<Arc<[String]>>,
    began: Option<Instant>,
    opened: Option<Instant>,
    body_read: bool,
}

impl Delivery {
    /// Checks a prepared message against the server.
    pub(super) fn new(
        job: Job,
        prepared: Prepared,
        capabilities: &Capabilities,
        secure: bool,
    ) -> Result<Self> {
        let Prepared { envelope, message_id, body } = prepared;
        let (size, eight_bit) = match &body {
            Body::Whole(bytes) => (Some(bytes.len() as u64), !bytes.is_ascii()),
            Body::Composed(composer) => (composer.size(), composer.is_eight_bit()),
            Body::Chunks(_) => (None, false),
        };
        let params = check_envelope(&envelope, capabilities, secure, size, eight_bit)?;
        let so_far = job.so_far.as_deref().cloned();
        Ok(Self {
            whole: so_far.is_none(),
            others: so_far.unwrap_or_else(|| Partial::new(envelope, message_id)),
            job,
            params,
            size,
            body: Some(body),
            part: Vec::new(),
            max: capabilities.limits.rcpt_max,
            ehlo: capabilities.lines.clone(),
            began: None,
            opened: None,
            body_read: false,
        })
    }

    /// The envelope of the next part.
    pub(super) fn next_part(&mut self) -> Envelope {
        let envelope = self.others.next_part(self.max);
        self.whole &= !self.others.has_left();
        if !self.whole {
            self.part.clone_from(&envelope.to);
        }
        envelope
    }

    /// Whether another part follows the one that is being sent.
    pub(super) fn has_more(&self) -> bool {
        self.others.has_left()
    }

    /// The first command of a part left.
    pub(super) fn began(&mut self) {
        self.began.get_or_insert_with(Instant::now);
    }

    /// The body of a part may leave. A one-shot source is read again by preparing the message
    /// again.
    pub(super) fn open_body(&mut self) -> Result<Body> {
        self.opened.get_or_insert_with(Instant::now);
        self.body_read = true;
        if let Some(Body::Whole(bytes)) = &self.body {
            return Ok(Body::Whole(bytes.clone()));
        }
        match self.body.take() {
            Some(body) => Ok(body),
            None => Ok(self.job.message.prepare()?.body),
        }
    }

    /// Takes the outcome of a part: breaks with the result when no other part can follow here.
    pub(super) fn part_settled(mut self, outcome: Outcome) -> ControlFlow<JobResult, Self> {
        let (error, over) = match outcome {
            Outcome::Failed(failure) if self.whole => {
                return ControlFlow::Break(Err(self.undelivered(failure)));
            }
            Outcome::Failed(failure) => {
                self.others.failed(std::mem::take(&mut self.part), &failure);
                let over = failure.unsent || failure.error.is_fatal() || failure.error.is_transient();
                if over && self.has_more() {
                    return ControlFlow::Break(Err(self.undelivered(failure)));
                }
                (failure.error, over)
            }
            Outcome::Accepted(accepted) => {
                self.others.taken(*accepted);
                (super::lost(), false)
            }
        };
        if self.has_more() && !over {
            return ControlFlow::Continue(self);
        }
        self.note_times();
        // Copied only where it may turn out that somebody is in doubt, or that nobody got it.
        let others = if self.whole { None } else { Some(Box::new(self.others.clone())) };
        ControlFlow::Break(match (self.others.close(&error), others) {
            (Ok(receipt), _) => Ok(Box::new(receipt)),
            (Err(_), so_far) => Err(Undelivered { error, unsent: false, body_read: self.body_read, so_far }),
        })
    }

    /// The message is given up; `in_doubt` if the part that is being sent may be delivered.
    pub(super) fn given_up(mut self, error: Error, in_doubt: bool) -> Undelivered {
        let failure = Failure { error, unsent: !in_doubt };
        self.others.failed(std::mem::take(&mut self.part), &failure);
        Undelivered { unsent: false, ..self.undelivered(failure) }
    }

    fn undelivered(mut self, failure: Failure) -> Undelivered {
        self.note_times();
        let Failure { error, unsent } = failure;
        let so_far = (!self.whole).then(|| Box::new(self.others));
        Undelivered { error, unsent, body_read: self.body_read, so_far }
    }

    fn note_times(&mut self) {
        let now = Instant::now();
        let began = self.began.unwrap_or(now);
        let opened = self.opened.unwrap_or(now);
        self.others.timed((millis(opened - began), millis(now - opened)), self.ehlo.clone());
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
