//! A ready connection: a window of messages in flight, matched with replies by counting.
//!
//! The session owns the bytes to be written and knows where in that stream each message ended;
//! told how many were written, it can say of every message whether it may have been delivered
//! when the connection is lost. When commands may travel together is decided here and nowhere
//! else (RFC 2920, RFC 3030):
//!
//! - without PIPELINING one command at a time;
//! - with it MAIL, RCPT and DATA together, and with a window above one behind the body before and
//!   an RSET;
//! - with BDAT nothing is waited for, and RSET stands before every transaction: a server that kept
//!   a failed one open would otherwise take the next message under the previous sender. It leaves
//!   right behind the body before, whose outcome counts once it is answered ([`marks`]).

use std::collections::VecDeque;

use crate::error::{Code, Error};
use crate::mail::Envelope;

use super::command::LogLine;
use super::encoder::BodyEncoder;
use super::envelope::MailParams;
use super::transaction::{Failure, Outcome, Stage, Transaction};
use marks::Marks;
use outgoing::Outgoing;

mod body;
mod flow;
mod marks;
mod outgoing;
mod replies;

/// What this connection may do.
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions {
    /// Speak LMTP.
    pub lmtp: bool,
    /// Commands may travel together.
    pub pipelining: bool,
    /// Bodies go by BDAT.
    pub chunking: bool,
    /// Messages in flight at once, at least 1.
    pub window: usize,
    /// Keep log lines.
    pub log: bool,
}

/// What happened to a message.
#[derive(Debug)]
pub enum Event {
    /// Its first command is in the stream.
    Began(u64),
    /// Its body may be written.
    BodyOpen(u64),
    /// It is over.
    Settled(u64, Outcome),
}

/// How far a message has come on this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing of it was written.
    Waiting,
    /// Commands were written, nothing of the body.
    Envelope,
    /// The envelope was answered, the reply to DATA was not.
    Data,
    /// A part of the body was written.
    Body,
    /// End-of-data was written.
    Ended,
}

/// What a reply is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// RSET in front of a transaction.
    Rset,
    /// RSET behind a body that went by BDAT.
    Mark(u64),
    Mail(u64),
    Rcpt(u64),
    Data(u64),
    /// A chunk that is not the last.
    Chunk(u64),
    /// The final reply; in LMTP one for each recipient taken.
    End(u64),
    /// The reply to a body nobody was left to receive.
    EmptyEnd(u64),
    Quit,
}

/// The machine.
#[derive(Debug)]
pub struct Session {
    options: SessionOptions,
    transactions: VecDeque<Transaction>,
    /// What replies are waited for, each with the position in the stream behind its command.
    expected: VecDeque<(Expect, u64)>,
    events: VecDeque<Event>,
    out: Outgoing,
    encoder: BodyEncoder,
    /// BDAT: octets of the chunk that is being filled.
    chunk: Vec<u8>,
    /// The next transaction begins with RSET: one may still be open on the server.
    dirty: bool,
    marks: Marks,
    quitting: bool,
    quit_sent: bool,
    /// The server said it is closing.
    closing: Option<String>,
    /// RSET was refused, and no reply came after that.
    reset_refused: Option<String>,
    /// Messages the server has refused.
    refusals: usize,
}

impl Session {
    /// An empty session on a connection that is ready.
    pub fn new(options: SessionOptions) -> Self {
        Self {
            options,
            transactions: VecDeque::new(),
            expected: VecDeque::new(),
            events: VecDeque::new(),
            out: Outgoing::new(options.log),
            encoder: BodyEncoder::for_data(),
            chunk: Vec::new(),
            dirty: options.chunking && options.pipelining,
            marks: Marks::default(),
            quitting: false,
            quit_sent: false,
            closing: None,
            reset_refused: None,
            refusals: 0,
        }
    }

    /// Queues a message; its commands leave when the window allows. The envelope must have passed
    /// [`check_envelope`](super::check_envelope).
    pub fn submit(&mut self, id: u64, envelope: Envelope, params: MailParams, size: Option<u64>) {
        let transaction = Transaction::new(id, envelope, params, size);
        let refused = transaction.unsafe_line();
        self.transactions.push_back(transaction);
        match refused {
            Some(error) => self.remove(id, error),
            None => self.pump(),
        }
    }

    /// Says goodbye once everything before is written; no message is begun after it.
    pub fn quit(&mut self) {
        self.quitting = true;
        self.pump();
    }

    /// Messages in flight from now on.
    pub fn set_window(&mut self, window: usize) {
        self.options.window = window.max(1);
        self.pump();
    }

    /// Whether bodies no longer go by BDAT, because the server's replies cannot be told apart.
    pub fn gave_up_chunking(&self) -> bool {
        self.marks.are_blurred()
    }

    /// Messages not yet settled.
    pub fn in_flight(&self) -> usize {
        self.transactions.len()
    }

    /// Whether a reply is waited for.
    pub fn awaits_reply(&self) -> bool {
        !self.expected.is_empty()
    }

    /// QUIT was answered, or the server announced that it closes. As long as it may have read a
    /// whole message before it said so, it has to show that by closing.
    pub fn is_over(&self) -> bool {
        let sent = self.out.sent();
        let unheard = |t: &Transaction| !t.heard && t.end_at.is_some_and(|end| end <= sent);
        let closed = self.closing.is_some() && !self.transactions.iter().any(unheard);
        closed || (self.quit_sent && self.expected.is_empty())
    }

    /// The 421 that ended the session.
    pub fn closing_reply(&self) -> Option<&str> {
        self.closing.as_deref()
    }

    /// The refused RSET that was the server's last word.
    pub fn refused_reset(&self) -> Option<&str> {
        self.reset_refused.as_deref()
    }

    /// What happened since the last call.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Log lines since the last call.
    pub fn take_log(&mut self) -> Vec<LogLine> {
        self.out.take_log()
    }

    /// Bytes to write.
    pub fn output(&self) -> &[u8] {
        self.out.pending()
    }

    /// So many of them were handed to the socket.
    pub fn written(&mut self, count: usize) {
        self.out.written(count);
    }

    /// How far a message has come; `None` if it is not here.
    pub fn progress(&self, id: u64) -> Option<Progress> {
        let transaction = self.transactions.iter().find(|t| t.id == id)?;
        Some(match transaction.stage {
            Stage::Start => Progress::Waiting,
            Stage::Body if transaction.body_begun => Progress::Body,
            Stage::AwaitGo if transaction.envelope_answered() => Progress::Data,
            Stage::Rcpt(_) | Stage::Data | Stage::AwaitGo | Stage::Body => Progress::Envelope,
            Stage::Ended if transaction.end_at.is_some() => Progress::Ended,
            Stage::Ended => Progress::Envelope,
        })
    }

    /// Takes a message that was not begun out again.
    pub fn withdraw(&mut self, id: u64) {
        self.transactions.retain(|t| t.id != id || t.stage != Stage::Start);
    }

    /// Whether a reply may come: a command that has one left, and the reply did not come yet.
    pub fn reply_is_due(&self) -> bool {
        self.expected.front().is_some_and(|(_, end)| *end <= self.out.sent())
    }

    /// The connection is gone, for this reason: every message left gets its verdict. Silence is
    /// the fault of the one whose reply was due; the others lost their connection.
    pub fn lost(&mut self, error: &Error) {
        let written = self.out.sent();
        let gone = closed_unexpectedly(None);
        let due = self.expected.front().and_then(|(expect, _)| expect.message());
        let last_word = self.closing.is_some() || self.reset_refused.is_some();
        let over = last_word && error.code() != Code::TimedOut;
        for mut transaction in std::mem::take(&mut self.transactions) {
            let id = transaction.id;
            let innocent = error.code() == Code::TimedOut && !self.expected.is_empty() && due != Some(id);
            let reason = if innocent { &gone } else { error };
            // Words of RSET in the place of a final reply: one before it is missing.
            transaction.disordered |=
                transaction.taken_with().is_some_and(|reply| self.marks.reads_as_reset(reply));
            let outcome = transaction.lost(reason, written, self.options.lmtp, over);
            self.events.push_back(Event::Settled(id, outcome));
        }
        self.expected.clear();
    }

    /// Takes a message out with an error of its own.
    fn remove(&mut self, id: u64, error: Error) {
        if let Some(at) = self.transactions.iter().position(|t| t.id == id) {
            self.transactions.remove(at);
            let failure = Failure { error, unsent: false };
            self.events.push_back(Event::Settled(id, Outcome::Failed(failure)));
        }
    }

    fn owner(&mut self, expect: Expect) -> Option<&mut Transaction> {
        let id = expect.message()?;
        self.transactions.iter_mut().find(|t| t.id == id)
    }
}

impl Expect {
    fn message(self) -> Option<u64> {
        match self {
            Self::Mail(id)
            | Self::Rcpt(id)
            | Self::Data(id)
            | Self::Chunk(id)
            | Self::End(id)
            | Self::Mark(id)
            | Self::EmptyEnd(id) => Some(id),
            Self::Rset | Self::Quit => None,
        }
    }
}

/// The error of a session whose connection closed without a word.
pub fn closed_unexpectedly(fragment: Option<String>) -> Error {
    Error::new(Code::Connection, "Connection closed unexpectedly")
        .response(fragment.unwrap_or_default())
        .command("CONN")
        .fatal()
}

#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod tests;
