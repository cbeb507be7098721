//! One message on one connection: what was sent of it, what the server said, and the verdict.
//!
//! A transaction collects replies and decides nothing until all of them are in; [`Session`]
//! (super::Session) decides what is written when.

use crate::error::{Code, Error, Phase, Refusal};
use crate::mail::Envelope;

use super::command::Command;
use super::envelope::MailParams;
use super::reply::Reply;

/// How a message ended on this connection.
#[derive(Debug)]
pub enum Outcome {
    /// The server took it.
    Accepted(Box<Accepted>),
    /// It failed.
    Failed(Failure),
}

/// What the server said about a message it took.
#[derive(Debug)]
pub struct Accepted {
    /// The envelope it was sent under.
    pub envelope: Envelope,
    /// Recipients the server took.
    pub accepted: Vec<String>,
    /// Recipients it refused.
    pub refused: Vec<Refusal>,
    /// Octets on the wire.
    pub size: u64,
    /// The final reply.
    pub response: String,
}

/// A message that was not taken.
#[derive(Debug)]
pub struct Failure {
    /// What happened.
    pub error: Error,
    /// Nothing of it can have been delivered, and the connection is at fault, not the message:
    /// it may be tried again on another one.
    pub unsent: bool,
}

/// The next thing to write of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Start,
    Rcpt(usize),
    Data,
    /// DATA is out; its reply decides.
    AwaitGo,
    Body,
    /// Nothing more will be written.
    Ended,
}

#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) id: u64,
    pub(super) stage: Stage,
    pub(super) envelope: Envelope,
    pub(super) params: MailParams,
    /// Octets of the body where they are known.
    pub(super) size: Option<u64>,
    /// RSET was sent in front of it.
    pub(super) reset: bool,
    /// The server has answered something of it.
    pub(super) heard: bool,
    /// Replies that are still to come.
    pub(super) awaiting: usize,
    /// Recipients answered.
    pub(super) answered: usize,
    pub(super) accepted: Vec<String>,
    pub(super) refused: Vec<Refusal>,
    /// LMTP: final replies that came.
    pub(super) finals: usize,
    /// Position in the stream behind end-of-data.
    pub(super) end_at: Option<u64>,
    pub(super) wire_size: u64,
    mail_error: Option<Error>,
    data_error: Option<Error>,
    final_reply: Option<Reply>,
    /// The body began to leave.
    pub(super) body_begun: bool,
    /// The body goes by BDAT.
    pub(super) chunked: bool,
    /// Its outcome counts once the RSET behind it is answered.
    pub(super) marked: bool,
    /// Another reply stood where that one was due.
    pub(super) disordered: bool,
}

impl Transaction {
    pub(super) fn new(id: u64, envelope: Envelope, params: MailParams, size: Option<u64>) -> Self {
        Self {
            id,
            stage: Stage::Start,
            envelope,
            params,
            size,
            reset: false,
            heard: false,
            awaiting: 0,
            answered: 0,
            accepted: Vec::new(),
            refused: Vec::new(),
            finals: 0,
            end_at: None,
            wire_size: 0,
            mail_error: None,
            data_error: None,
            final_reply: None,
            body_begun: false,
            chunked: false,
            marked: false,
            disordered: false,
        }
    }

    /// What keeps its commands from being one line each; checked before any of them is written.
    pub(super) fn unsafe_line(&self) -> Option<Error> {
        let params = &self.params;
        let mail = Command::Mail { from: &self.envelope.from, params };
        let recipients = self.envelope.to.iter().map(|to| Command::Rcpt { to, params });
        std::iter::once(mail).chain(recipients).find_map(|command| command.check().err())
    }

    /// Every command is out and every reply is in.
    pub(super) fn is_settled(&self) -> bool {
        self.stage == Stage::Ended && self.awaiting == 0
    }

    /// Every reply is in but the one to the RSET behind it.
    fn is_answered(&self) -> bool {
        self.marked && self.awaiting == 1
    }

    /// The final reply, if the server took the message.
    pub(super) fn taken_with(&self) -> Option<&Reply> {
        self.final_reply.as_ref().filter(|reply| reply.is_positive())
    }

    /// All replies to MAIL and RCPT are in.
    pub(super) fn envelope_answered(&self) -> bool {
        self.answered == self.envelope.to.len()
    }

    pub(super) fn mail_refused(&self) -> bool {
        self.mail_error.is_some()
    }

    /// The envelope is answered and nobody is left to send to.
    pub(super) fn is_hopeless(&self) -> bool {
        self.mail_refused() || (self.envelope_answered() && self.accepted.is_empty())
    }

    /// The server took a body whose envelope, or a chunk of which, it had refused.
    pub(super) fn is_contradicted(&self) -> bool {
        self.taken_with().is_some() && (self.is_hopeless() || self.data_error.is_some())
    }

    pub(super) fn mail_reply(&mut self, reply: &Reply) {
        if reply.is_positive() {
            return;
        }
        let foreign = self.uses_utf8() && reply.text.starts_with("550 ") && !self.envelope.from.is_ascii();
        let text = if foreign { NOT_ALLOWED } else { "Mail command failed" };
        self.mail_error = Some(failure(Code::Envelope, text, reply, "MAIL FROM", Phase::Envelope));
    }

    pub(super) fn rcpt_reply(&mut self, reply: &Reply) {
        let recipient = self.envelope.to.get(self.answered).cloned().unwrap_or_default();
        self.answered += 1;
        if reply.is_positive() {
            self.accepted.push(recipient);
            return;
        }
        let foreign = self.uses_utf8() && reply.text.starts_with("553 ") && !recipient.is_ascii();
        let text = if foreign { NOT_ALLOWED } else { "Recipient command failed" };
        let error = failure(Code::Envelope, text, reply, "RCPT TO", Phase::Envelope);
        self.refused.push(Refusal { recipient, error });
    }

    pub(super) fn data_refused(&mut self, reply: &Reply) {
        self.data_error = Some(failure(Code::Envelope, "Data command failed", reply, "DATA", Phase::Data));
    }

    /// A chunk was refused, or the body while it was still being written.
    pub(super) fn body_refused(&mut self, reply: &Reply) {
        self.data_error
            .get_or_insert_with(|| failure(Code::Message, "Message failed", reply, "DATA", Phase::Rejected));
    }

    pub(super) fn final_reply(&mut self, reply: &Reply) {
        self.final_reply = Some(reply.clone());
    }

    /// LMTP answers once for each recipient it took (RFC 2033 §4.2).
    pub(super) fn lmtp_reply(&mut self, reply: &Reply) {
        // `finals` counts answers; refused recipients have left `accepted` already.
        let index = self.finals;
        if reply.is_positive() {
            self.finals += 1;
        } else if index < self.accepted.len() {
            let recipient = self.accepted.remove(index);
            let text = format!("Message failed for recipient {recipient}");
            let error =
                Error::new(Code::Message, text).response(&*reply.text).command("DATA").at(Phase::Rejected);
            self.refused.push(Refusal { recipient, error });
        }
        self.final_reply = Some(reply.clone());
    }

    /// The verdict once everything is answered; the error says so if the server took a body it
    /// had no envelope for.
    pub(super) fn verdict(self, lmtp: bool) -> Outcome {
        if self.disordered {
            return Outcome::Failed(Failure { error: disorder(), unsent: false });
        }
        if self.is_contradicted() {
            return Outcome::Failed(Failure { error: contradiction(self.final_reply), unsent: false });
        }
        if let Some(error) = self.envelope_error() {
            let unsent = error.reply_code() == Some(421);
            return Outcome::Failed(Failure { error, unsent });
        }
        let sane = self.final_reply.as_ref().is_none_or(|reply| matches!(reply.class(), 4 | 5));
        if let Some(error) = self.data_error.filter(|_| sane) {
            let unsent = error.reply_code() == Some(421) && self.end_at.is_none();
            return Outcome::Failed(Failure { error, unsent });
        }
        match self.final_reply {
            Some(reply) if lmtp || (reply.is_positive() && reply.answers_transaction()) => {
                Outcome::Accepted(Box::new(Accepted {
                    envelope: self.envelope,
                    accepted: self.accepted,
                    refused: self.refused,
                    size: self.wire_size,
                    response: reply.text,
                }))
            }
            Some(reply) => {
                let phase = if matches!(reply.class(), 4 | 5) { Phase::Rejected } else { Phase::InDoubt };
                let error = failure(Code::Message, "Message failed", &reply, "DATA", phase);
                Outcome::Failed(Failure { error, unsent: false })
            }
            None => Outcome::Failed(Failure {
                error: Error::new(Code::Internal, "The message was not sent").at(Phase::Envelope),
                unsent: true,
            }),
        }
    }

    /// The outcome when the connection is lost with `error`; `written` is how much of the stream
    /// was handed to the socket. A final reply counts though its mark is missing, unless replies
    /// were out of order. `over`: the server had said its last word before; commands are answered
    /// in order, so it has read nothing behind that.
    pub(super) fn lost(self, error: &Error, written: u64, lmtp: bool, over: bool) -> Outcome {
        let settled = self.is_answered() && error.code() != Code::Protocol;
        if settled || self.disordered || self.is_contradicted() {
            return self.verdict(lmtp);
        }
        Outcome::Failed(self.failure(error, written, over))
    }

    fn failure(self, error: &Error, written: u64, over: bool) -> Failure {
        if over && !self.heard {
            return Failure { error: error.clone().at(Phase::Envelope).fatal(), unsent: true };
        }
        let own = self.envelope_error().filter(|_| self.is_hopeless()).or_else(|| self.data_error.clone());
        let code = own.as_ref().and_then(Error::reply_code);
        // Without its mark a refusal may have been another message's, and a 421 nobody's.
        let doubted = self.marked && !over && (error.code() == Code::Protocol || code == Some(421));
        let ended = self.end_at.is_some_and(|end| written >= end);
        if ended && (!self.is_hopeless() || doubted) {
            return Failure { error: error.clone().at(Phase::InDoubt).fatal(), unsent: false };
        }
        if let Some(own) = own {
            return Failure { error: own.fatal(), unsent: code == Some(421) };
        }
        let at_data = self.stage == Stage::AwaitGo && self.envelope_answered();
        let begun = self.body_begun || self.stage == Stage::Body || at_data;
        let phase = if begun { Phase::Data } else { Phase::Envelope };
        Failure { error: error.clone().at(phase).fatal(), unsent: true }
    }

    /// nodemailer's error for an envelope that found no taker.
    fn envelope_error(&self) -> Option<Error> {
        if let Some(error) = &self.mail_error {
            return Some(error.clone());
        }
        if !self.accepted.is_empty() {
            return None;
        }
        let last = self.refused.last()?;
        // A recipient that was only deferred decides: the message may be sent again.
        let deferred = self.refused.iter().find(|r| r.error.reply_code().is_some_and(|code| code < 500));
        let reply = deferred.unwrap_or(last).error.reply().unwrap_or_default().to_owned();
        // LMTP: the last of those that had been taken was refused after the data.
        let after_data = last.error.phase() == Some(Phase::Rejected);
        let (code, text, command, phase) = if after_data {
            (Code::Message, "Message failed for all recipients", "DATA", Phase::Rejected)
        } else {
            let text = "Can't send mail - all recipients were rejected";
            (Code::Envelope, text, "RCPT TO", Phase::Envelope)
        };
        Some(Error::new(code, text).response(reply).command(command).at(phase).refusals(self.refused.clone()))
    }

    fn uses_utf8(&self) -> bool {
        self.params.mail.contains(" SMTPUTF8")
    }
}

const NOT_ALLOWED: &str = "Internationalized mailbox name not allowed";

fn failure(code: Code, text: &'static str, reply: &Reply, command: &'static str, phase: Phase) -> Error {
    Error::new(code, text).response(&*reply.text).command(command).at(phase)
}

/// Replies were matched with commands they do not belong to.
fn disorder() -> Error {
    Error::new(Code::Protocol, "Replies of the server are out of order")
        .command("DATA")
        .at(Phase::InDoubt)
        .fatal()
}

/// Whoever's envelope it went out under, or whatever part of it: nobody can tell what was delivered.
fn contradiction(reply: Option<Reply>) -> Error {
    Error::new(Code::Protocol, "Server accepted a message it had refused")
        .response(reply.map(|reply| reply.text).unwrap_or_default())
        .command("DATA")
        .at(Phase::InDoubt)
        .fatal()
}
