//! One job on this connection: its body, its times, and its parts where a server takes fewer
//! recipients at once than the job has.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::{Job, Undelivered, receipt};
use crate::error::{Refusal, Result};
use crate::mail::{Body, Envelope, Prepared, Receipt};
use crate::wire::{Accepted, Capabilities, Failure, MailParams, Outcome, check_envelope};

/// A job that was prepared and is in the session's window.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) job: Job,
    message_id: String,
    envelope: Envelope,
    pub(super) params: MailParams,
    pub(super) size: Option<u64>,
    /// None once one that can be read only once was opened.
    body: Option<Body>,
    /// Recipients of the parts still to be sent.
    parts: VecDeque<Vec<String>>,
    taken: Option<Accepted>,
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
        let parts = split(&envelope.to, capabilities.limits.rcpt_max);
        Ok(Self {
            job,
            message_id,
            envelope,
            params,
            size,
            body: Some(body),
            parts,
            taken: None,
            began: None,
            opened: None,
            body_read: false,
        })
    }

    /// The envelope of the next part, `None` after the last.
    pub(super) fn next_part(&mut self) -> Option<Envelope> {
        let to = self.parts.pop_front()?;
        Some(Envelope { to, ..self.envelope.clone() })
    }

    /// Whether the server took an earlier part.
    pub(super) fn is_partly_taken(&self) -> bool {
        self.taken.as_ref().is_some_and(|taken| !taken.accepted.is_empty())
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

    /// Takes the outcome of a part. Gives the result once no part is left.
    pub(super) fn part_settled(
        &mut self,
        outcome: Outcome,
        capabilities: &Capabilities,
    ) -> Option<Result<Box<Receipt>, Undelivered>> {
        match outcome {
            Outcome::Accepted(accepted) => self.merge(*accepted),
            Outcome::Failed(failure) if self.taken.is_none() && self.parts.is_empty() => {
                return Some(Err(self.undelivered(failure)));
            }
            Outcome::Failed(failure) if self.taken.is_none() && failure.error.is_transient() => {
                return Some(Err(self.undelivered(failure)));
            }
            Outcome::Failed(failure) => self.merge_failure(failure),
        }
        if !self.parts.is_empty() {
            return None;
        }
        let mut accepted = self.taken.take()?;
        accepted.envelope = self.envelope.clone();
        let now = Instant::now();
        let began = self.began.unwrap_or(now);
        let opened = self.opened.unwrap_or(now);
        let times = (millis(opened - began), millis(now - opened));
        let message_id = std::mem::take(&mut self.message_id);
        if accepted.accepted.is_empty() {
            let error = accepted.refused.last().map(|refusal| refusal.error.clone())?;
            let error = error.refusals(accepted.refused);
            return Some(Err(Undelivered { error, unsent: false, body_read: self.body_read }));
        }
        Some(Ok(Box::new(receipt(accepted, message_id, capabilities.lines.clone(), times))))
    }

    fn undelivered(&self, failure: Failure) -> Undelivered {
        Undelivered { error: failure.error, unsent: failure.unsent, body_read: self.body_read }
    }

    fn merge(&mut self, accepted: Accepted) {
        match &mut self.taken {
            None => self.taken = Some(accepted),
            Some(taken) => {
                taken.accepted.extend(accepted.accepted);
                taken.refused.extend(accepted.refused);
                taken.size += accepted.size;
                taken.response = accepted.response;
            }
        }
    }

    /// A part failed while others were or may be taken: its recipients count as refused.
    fn merge_failure(&mut self, failure: Failure) {
        let named = failure.error.refused().to_vec();
        let refused = if named.is_empty() {
            // Which part it was is known by what is left of the list.
            let sent = self.envelope.to.len() - self.parts.iter().map(Vec::len).sum::<usize>();
            let known = self.taken.as_ref().map_or(0, |taken| taken.accepted.len() + taken.refused.len());
            let recipients = self.envelope.to.get(known..sent).unwrap_or_default();
            recipients
                .iter()
                .map(|recipient| Refusal { recipient: recipient.clone(), error: failure.error.clone() })
                .collect()
        } else {
            named
        };
        let empty = Accepted {
            envelope: Envelope::default(),
            accepted: Vec::new(),
            refused,
            size: 0,
            response: self.taken.as_ref().map(|taken| taken.response.clone()).unwrap_or_default(),
        };
        self.merge(empty);
    }
}

/// Recipients in groups the server takes at once (RFC 9422 RCPTMAX).
fn split(recipients: &[String], max: Option<u32>) -> VecDeque<Vec<String>> {
    let size = max.map_or(recipients.len(), |max| max as usize).max(1);
    let mut parts: VecDeque<_> = recipients.chunks(size).map(<[String]>::to_vec).collect();
    if parts.is_empty() {
        parts.push_back(Vec::new());
    }
    parts
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
