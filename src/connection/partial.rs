//! What became of a message's recipients so far, and who is left.
//!
//! A server that takes fewer recipients at once (RFC 9422 RCPTMAX) gets a message in parts, and a
//! connection may end between two of them. This goes back to the pool then and on with the message
//! to another connection, so that nobody gets it twice and the caller is told of it once.

use crate::error::{Code, Error, Phase, Refusal, Result};
use crate::mail::{Envelope, Receipt};
use crate::wire::{Accepted, Failure};

/// A message of which some recipients were dealt with.
#[derive(Clone, Debug)]
pub struct Partial {
    /// Of the parts that were taken or refused.
    receipt: Receipt,
    /// Recipients of parts that may have been taken.
    in_doubt: Vec<Refusal>,
    /// Recipients nothing was sent to.
    left: Vec<String>,
}

impl Partial {
    /// Nothing was sent yet.
    pub(super) fn new(envelope: Envelope, message_id: String) -> Self {
        let left = envelope.to.clone();
        let receipt = Receipt {
            envelope,
            message_id,
            accepted: Vec::new(),
            refused: Vec::new(),
            ehlo: None,
            envelope_time: 0,
            message_time: 0,
            message_size: 0,
            response: String::new(),
        };
        Self { receipt, in_doubt: Vec::new(), left }
    }

    /// The envelope for the next part of at most `max` recipients.
    pub(super) fn next_part(&mut self, max: Option<u32>) -> Envelope {
        let size = max.map_or(usize::MAX, |max| max.max(1) as usize).min(self.left.len());
        let to = self.left.drain(..size).collect();
        let Envelope { from, to: _, dsn, size, use_8bit_mime, require_tls } = &self.receipt.envelope;
        Envelope {
            from: from.clone(),
            to,
            dsn: dsn.clone(),
            size: *size,
            use_8bit_mime: *use_8bit_mime,
            require_tls: *require_tls,
        }
    }

    /// Whether nothing was sent to some recipients.
    pub fn has_left(&self) -> bool {
        !self.left.is_empty()
    }

    /// The recipients in doubt are to get it once more.
    pub fn retry_in_doubt(&mut self) {
        self.left.extend(self.in_doubt.drain(..).map(|refusal| refusal.recipient));
    }

    /// A part was taken.
    pub(super) fn taken(&mut self, part: Accepted) {
        let receipt = &mut self.receipt;
        receipt.accepted.extend(part.accepted);
        receipt.refused.extend(part.refused);
        receipt.message_size += part.size;
        receipt.response = part.response;
    }

    /// A part to these recipients failed.
    pub(super) fn failed(&mut self, to: Vec<String>, failure: &Failure) {
        let error = &failure.error;
        if error.maybe_delivered() {
            self.in_doubt.extend(refusals(to, error));
        } else if failure.unsent || error.reply_code() == Some(421) {
            self.left.splice(..0, to);
        } else if error.refused().is_empty() {
            self.receipt.refused.extend(refusals(to, error));
        } else {
            self.receipt.refused.extend_from_slice(error.refused());
        }
    }

    /// When it ended: the times of the last connection, in milliseconds.
    pub(super) fn timed(&mut self, times: (u64, u64), ehlo: Option<std::sync::Arc<[String]>>) {
        (self.receipt.envelope_time, self.receipt.message_time) = times;
        self.receipt.ehlo = ehlo;
    }

    /// What the caller is told when nothing more is sent. `error` is what became of those who are
    /// left; without any it says what failed last.
    ///
    /// As in nodemailer a message that somebody got was sent, whoever else did not get it. While
    /// the part of anybody is in doubt, so is the message: it must not be taken for sent, nor be
    /// sent again.
    pub fn close(self, error: &Error) -> Result<Receipt, Error> {
        let Self { mut receipt, mut in_doubt, left } = self;
        let rest = refusals(left, error);
        if error.maybe_delivered() { &mut in_doubt } else { &mut receipt.refused }.extend(rest);
        let doubtful = in_doubt.first().map(|refusal| refusal.error.clone());
        let given_up = (error.code() == Code::Abort).then(|| error.clone());
        let partly = !receipt.accepted.is_empty();
        let Some(error) = given_up.or_else(|| doubtful.clone()).or_else(|| (!partly).then(|| error.clone()))
        else {
            return Ok(receipt);
        };
        let error = if doubtful.is_some() || partly { error.at(Phase::InDoubt) } else { error };
        receipt.refused.append(&mut in_doubt);
        Err(error.refusals(receipt.refused).accepted(receipt.accepted))
    }
}

fn refusals(to: Vec<String>, error: &Error) -> impl Iterator<Item = Refusal> + use<'_> {
    to.into_iter().map(|recipient| Refusal { recipient, error: error.clone() })
}
