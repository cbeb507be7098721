//! A ready connection: a window of messages in flight, matched with replies by counting.
//!
//! The session owns the bytes to be written and knows where in that stream each message ended;
//! told how many were written, it can say of every message whether it may have been delivered
//! when the connection is lost. When commands may travel together is decided here and nowhere
//! else (RFC 2920, RFC 3030):
//!
//! - without PIPELINING one command at a time;
//! - with it MAIL, RCPT and DATA together, and with a window above one behind the body before;
//! - with BDAT nothing is waited for.
//!
//! A transaction that starts before the one in front of it is answered begins with RSET: a server
//! that kept that one open would otherwise take the next message under the previous sender.

use std::collections::VecDeque;

use crate::error::{Code, Error, Result};
use crate::mail::Envelope;

use super::command::{Command, LogLine};
use super::encoder::BodyEncoder;
use super::envelope::MailParams;
use super::handshake::unexpected;
use super::reply::Reply;
use super::transaction::{Outcome, Stage, Transaction};

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

/// Largest chunk, and largest message sent in one; in octets.
const CHUNK_SIZE: usize = 1024 * 1024;
/// A body above this waits for its recipients' replies; in octets.
const PUSH_LIMIT: u64 = 64 * 1024;
/// Refused messages a server is sure to put up with on one connection when each costs an RSET.
/// Exim closes after ten (`smtp_accept_max_nonmail`), and says so past TLS.
const PATIENCE: usize = 10;

/// The machine.
#[derive(Debug)]
pub struct Session {
    options: SessionOptions,
    transactions: VecDeque<Transaction>,
    /// What replies are waited for, each with the position in the stream behind its command.
    expected: VecDeque<(Expect, u64)>,
    events: VecDeque<Event>,
    log: Vec<LogLine>,
    /// Bytes not yet written.
    out: Vec<u8>,
    /// How much of `out` was written.
    out_written: usize,
    /// Octets ever put into `out`.
    encoded: u64,
    encoder: BodyEncoder,
    /// BDAT: octets of the chunk that is being filled.
    chunk: Vec<u8>,
    /// A transaction may still be open on the server: the next one begins with RSET.
    dirty: bool,
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
            log: Vec::new(),
            out: Vec::new(),
            out_written: 0,
            encoded: 0,
            encoder: BodyEncoder::for_data(),
            chunk: Vec::new(),
            dirty: false,
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

    /// Messages not yet settled.
    pub fn in_flight(&self) -> usize {
        self.transactions.len()
    }

    /// Whether a reply is waited for.
    pub fn awaits_reply(&self) -> bool {
        !self.expected.is_empty()
    }

    /// Whether more than one reply is waited for.
    pub fn awaits_group(&self) -> bool {
        self.expected.len() > 1
    }

    /// QUIT was answered, or the server announced that it closes.
    pub fn is_over(&self) -> bool {
        self.closing.is_some() || (self.quit_sent && self.expected.is_empty())
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
        std::mem::take(&mut self.log)
    }

    /// Bytes to write.
    pub fn output(&self) -> &[u8] {
        &self.out[self.out_written..]
    }

    /// So many of them were handed to the socket.
    pub fn written(&mut self, count: usize) {
        self.out_written = (self.out_written + count).min(self.out.len());
        if self.out_written == self.out.len() {
            self.out.clear();
            self.out_written = 0;
            // A large attachment must not keep its buffer for the life of the connection.
            self.out.shrink_to(CHUNK_SIZE / 4);
        }
    }

    /// The message whose body may be written now.
    pub fn wants_body(&self) -> Option<u64> {
        let transaction = self.sending()?;
        let open = transaction.stage == Stage::Body && (!self.options.chunking || self.may_push(transaction));
        open.then_some(transaction.id)
    }

    /// A piece of the body that [`wants_body`](Self::wants_body) asks for.
    pub fn write_body(&mut self, piece: &[u8]) {
        if self.options.chunking {
            self.encoder.encode(piece, &mut self.chunk);
            if self.chunk.len() >= CHUNK_SIZE {
                self.flush_chunk(false);
            }
        } else {
            let before = self.out.len();
            self.encoder.encode(piece, &mut self.out);
            self.encoded += (self.out.len() - before) as u64;
        }
        if let Some(transaction) = self.sending_mut() {
            transaction.body_begun = true;
        }
    }

    /// The body is complete.
    pub fn end_body(&mut self) {
        let Some(id) = self.sending().map(|transaction| transaction.id) else { return };
        if self.options.chunking {
            self.encoder.finish(&mut self.chunk);
            self.flush_chunk(true);
        } else {
            let before = self.out.len();
            self.encoder.finish(&mut self.out);
            self.encoded += (self.out.len() - before) as u64;
        }
        let (end_at, size) = (self.encoded, self.encoder.written());
        self.expect(Expect::End(id));
        if let Some(transaction) = self.sending_mut() {
            transaction.end_at = Some(end_at);
            transaction.wire_size = size;
            transaction.stage = Stage::Ended;
        }
        self.pump();
    }

    /// The body cannot be completed. Gives whether the connection can go on: a chunked body can be
    /// dropped by RSET (RFC 3030 §2), one behind DATA cannot.
    pub fn abort_body(&mut self, error: Error) -> bool {
        let Some(id) = self.sending().map(|transaction| transaction.id) else { return true };
        self.remove(id, error);
        self.chunk.clear();
        self.dirty = true;
        if self.options.chunking {
            self.pump();
        }
        self.options.chunking
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

    /// Takes the next reply. An error ends the connection: hand it to [`lost`](Self::lost).
    pub fn reply(&mut self, reply: &Reply) -> Result<()> {
        if self.options.log {
            self.log.push(LogLine::Server(reply.text.clone()));
        }
        if self.reset_refused.take().is_some() {
            return Err(unexpected("RSET").response(&*reply.text));
        }
        let sent = self.sent();
        let Some((expect, _)) = self.expected.pop_front_if(|(_, end)| *end <= sent) else {
            return self.unasked(reply);
        };
        let in_order = self.dispatch(expect, reply);
        self.settle(expect);
        if reply.is_closing() {
            self.closing = Some(reply.text.clone());
            return Ok(());
        }
        if !in_order {
            return Err(unexpected("CONN").response(&*reply.text));
        }
        self.pump();
        Ok(())
    }

    /// A reply to nothing that was sent: a server that closes, one that refuses a body before its
    /// end, or one whose replies cannot be matched any more.
    fn unasked(&mut self, reply: &Reply) -> Result<()> {
        if reply.is_closing() {
            self.closing = Some(reply.text.clone());
            return Ok(());
        }
        let sent = self.sent();
        let next = self.transactions.iter_mut().find(|t| t.end_at.is_none_or(|end| end > sent));
        if let Some(transaction) = next.filter(|t| t.body_begun && matches!(reply.class(), 4 | 5)) {
            transaction.body_refused(reply);
        }
        Err(unexpected("CONN").response(&*reply.text))
    }

    /// Octets of the stream that were handed to the socket.
    fn sent(&self) -> u64 {
        self.encoded - (self.out.len() - self.out_written) as u64
    }

    /// Whether a reply may come: a command that has one left, and the reply did not come yet.
    pub fn reply_is_due(&self) -> bool {
        self.expected.front().is_some_and(|(_, end)| *end <= self.sent())
    }

    /// The connection is gone, for this reason: every message left gets its verdict. Silence is
    /// the fault of the one whose reply was due; the others lost their connection.
    pub fn lost(&mut self, error: &Error) {
        let written = self.sent();
        let gone = closed_unexpectedly(None);
        let due = self.expected.front().and_then(|(expect, _)| expect.message());
        // Commands are answered in order: behind its last word a server has read nothing.
        let over = self.closing.is_some() || self.refused_reset().is_some() && error.code() != Code::TimedOut;
        for transaction in std::mem::take(&mut self.transactions) {
            let id = transaction.id;
            let innocent = error.code() == Code::TimedOut && !self.expected.is_empty() && due != Some(id);
            let reason = if innocent { &gone } else { error };
            let failure = if over && !transaction.heard {
                Transaction::passed_over(reason)
            } else {
                transaction.lost(reason, written)
            };
            self.events.push_back(Event::Settled(id, Outcome::Failed(failure)));
        }
        self.expected.clear();
    }

    /// Applies a reply; gives whether the server may be believed any further.
    fn dispatch(&mut self, expect: Expect, reply: &Reply) -> bool {
        let sane = matches!(reply.class(), 2 | 4 | 5);
        if let Some(transaction) = self.owner(expect) {
            transaction.awaiting = transaction.awaiting.saturating_sub(1);
            transaction.heard = true;
        }
        match expect {
            // No verdict: nobody knows what the server did.
            Expect::Mail(_) | Expect::Rcpt(_) | Expect::Chunk(_) if !sane => {}
            // It cannot be refused (RFC 5321 §4.1.1.5): a server that does so is about to close.
            Expect::Rset if matches!(reply.class(), 4 | 5) => self.reset_refused = Some(reply.text.clone()),
            Expect::Rset => return reply.is_positive(),
            Expect::Quit => {}
            Expect::Mail(_) => self.apply(expect, |transaction| transaction.mail_reply(reply)),
            Expect::Rcpt(_) => self.apply(expect, |transaction| transaction.rcpt_reply(reply)),
            Expect::Data(_) => return self.go_ahead(expect, reply),
            Expect::Chunk(_) => self.chunk_reply(expect, reply),
            Expect::End(_) => return self.final_reply(expect, reply) && sane,
            Expect::EmptyEnd(_) => self.dirty = true,
        }
        sane
    }

    fn apply(&mut self, expect: Expect, update: impl FnOnce(&mut Transaction)) {
        if let Some(transaction) = self.owner(expect) {
            update(transaction);
        }
        self.stop_if_hopeless();
    }

    fn chunk_reply(&mut self, expect: Expect, reply: &Reply) {
        if reply.is_positive() {
            return;
        }
        self.dirty = true;
        let Some(transaction) = self.owner(expect) else { return };
        transaction.body_refused(reply);
        // After a refused chunk no other may follow (RFC 3030 §4.2).
        if transaction.stage == Stage::Body {
            transaction.stage = Stage::Ended;
            self.chunk.clear();
        }
    }

    /// The reply to DATA decides what follows.
    fn go_ahead(&mut self, expect: Expect, reply: &Reply) -> bool {
        let pipelining = self.options.pipelining;
        let Some(transaction) = self.owner(expect) else { return false };
        // Some servers say 250; with commands in flight it can only be another one's reply.
        let go = reply.is_intermediate() || (reply.is_positive() && !pipelining);
        if go && transaction.mail_refused() {
            transaction.stage = Stage::Ended;
            return false;
        }
        if go && transaction.accepted.is_empty() {
            // RFC 2920 §3.1: a lone dot ends a message that has nobody to go to.
            let id = transaction.id;
            transaction.stage = Stage::Ended;
            self.put(|out| out.extend_from_slice(b".\r\n"));
            self.expect(Expect::EmptyEnd(id));
            return true;
        }
        if go {
            transaction.stage = Stage::Body;
            let id = transaction.id;
            self.encoder = BodyEncoder::for_data();
            self.events.push_back(Event::BodyOpen(id));
            return true;
        }
        if !matches!(reply.class(), 4 | 5) {
            return false;
        }
        transaction.data_refused(reply);
        transaction.stage = Stage::Ended;
        self.dirty = true;
        true
    }

    /// The final reply; gives false if the body was taken though it had been refused: it may have
    /// gone out under another envelope, and nothing on this connection can be trusted.
    fn final_reply(&mut self, expect: Expect, reply: &Reply) -> bool {
        let lmtp = self.options.lmtp;
        // RFC 3030 §4.2 asks for RSET after a refused BDAT.
        self.dirty |= self.options.chunking && !reply.is_positive();
        let Some(transaction) = self.owner(expect) else { return true };
        if !lmtp || transaction.is_hopeless() {
            transaction.final_reply(reply);
            return !transaction.is_contradicted();
        }
        transaction.lmtp_reply(reply);
        if transaction.finals < transaction.accepted.len() {
            transaction.awaiting += 1;
            self.expected.push_front((expect, 0));
        }
        true
    }

    /// Without commands in flight behind it, a transaction that found no taker ends at once.
    fn stop_if_hopeless(&mut self) {
        let Some(transaction) = self.transactions.front_mut() else { return };
        if transaction.is_hopeless()
            && transaction.awaiting == 0
            && !matches!(transaction.stage, Stage::AwaitGo | Stage::Ended)
        {
            transaction.stage = Stage::Ended;
            self.dirty = true;
        }
    }

    /// Hands out the verdict of the message a reply belonged to, if it was the last one.
    fn settle(&mut self, expect: Expect) {
        let Some(id) = expect.message() else { return };
        if self.transactions.front().is_none_or(|t| t.id != id || !t.is_settled()) {
            return;
        }
        if let Some(transaction) = self.transactions.pop_front() {
            let outcome = transaction.verdict(self.options.lmtp);
            self.refusals += usize::from(matches!(outcome, Outcome::Failed(_)));
            self.events.push_back(Event::Settled(id, outcome));
        }
    }

    /// Writes all commands that may leave now.
    fn pump(&mut self) {
        if self.closing.is_some() || self.reset_refused.is_some() {
            return;
        }
        while self.step() {}
        let idle = self.transactions.iter().all(|t| t.stage == Stage::Ended);
        let alone = self.options.pipelining || self.expected.is_empty();
        if self.quitting && !self.quit_sent && idle && alone {
            self.quit_sent = true;
            self.command(&Command::Quit);
            self.expect(Expect::Quit);
        }
    }

    /// Writes one command; gives whether another may follow.
    fn step(&mut self) -> bool {
        if !self.options.pipelining && !self.expected.is_empty() {
            return false;
        }
        let Some(at) = self.transactions.iter().position(|t| t.stage != Stage::Ended) else { return false };
        let id = self.transactions[at].id;
        match self.transactions[at].stage {
            Stage::Start => self.start(at, id),
            Stage::Rcpt(next) => self.rcpt(at, id, next),
            Stage::Data => self.data(at, id),
            Stage::AwaitGo | Stage::Body | Stage::Ended => false,
        }
    }

    fn start(&mut self, at: usize, id: u64) -> bool {
        if at >= self.window() || self.quit_sent {
            return false;
        }
        // Behind one that is not answered: a server that does not take it may keep it open, and one
        // that reads ahead (Dovecot 2.3's submission service) would die of two at once.
        if (self.dirty || at > 0) && !self.transactions[at].reset {
            self.dirty = false;
            self.transactions[at].reset = true;
            self.command(&Command::Rset);
            self.expect(Expect::Rset);
            return true;
        }
        let transaction = &self.transactions[at];
        let line = Command::Mail { from: &transaction.envelope.from, params: &transaction.params }.line();
        self.put_line(&line);
        self.transactions[at].stage = Stage::Rcpt(0);
        self.expect(Expect::Mail(id));
        self.events.push_back(Event::Began(id));
        true
    }

    fn rcpt(&mut self, at: usize, id: u64, next: usize) -> bool {
        let transaction = &self.transactions[at];
        let Some(to) = transaction.envelope.to.get(next) else {
            self.transactions[at].stage = Stage::Data;
            return true;
        };
        let line = Command::Rcpt { to, params: &transaction.params }.line();
        self.put_line(&line);
        self.transactions[at].stage = Stage::Rcpt(next + 1);
        self.expect(Expect::Rcpt(id));
        true
    }

    fn data(&mut self, at: usize, id: u64) -> bool {
        if self.options.chunking {
            self.transactions[at].stage = Stage::Body;
            self.encoder = BodyEncoder::for_bdat();
            self.chunk.clear();
            self.events.push_back(Event::BodyOpen(id));
            return false;
        }
        self.command(&Command::Data);
        self.transactions[at].stage = Stage::AwaitGo;
        self.expect(Expect::Data(id));
        true
    }

    /// Messages in flight: no more than could all be refused without the server losing patience.
    fn window(&self) -> usize {
        let spare = if self.options.chunking { PATIENCE.saturating_sub(self.refusals) } else { usize::MAX };
        self.options.window.min(spare).max(1)
    }

    /// Whether a chunked body may be pushed: a small one at once, a large one when somebody takes it.
    fn may_push(&self, transaction: &Transaction) -> bool {
        let trusted = self.options.pipelining && self.refusals < PATIENCE;
        let small = trusted && transaction.size.is_some_and(|size| size <= PUSH_LIMIT);
        small || (transaction.envelope_answered() && !transaction.accepted.is_empty())
    }

    fn flush_chunk(&mut self, last: bool) {
        let chunk = std::mem::take(&mut self.chunk);
        self.command(&Command::Bdat { size: chunk.len(), last });
        self.put(|out| out.extend_from_slice(&chunk));
        self.chunk = chunk;
        self.chunk.clear();
        if !last && let Some(id) = self.sending().map(|t| t.id) {
            self.expect(Expect::Chunk(id));
        }
    }

    /// Takes a message out with an error of its own.
    fn remove(&mut self, id: u64, error: Error) {
        if let Some(at) = self.transactions.iter().position(|t| t.id == id) {
            self.transactions.remove(at);
            let failure = super::transaction::Failure { error, unsent: false };
            self.events.push_back(Event::Settled(id, Outcome::Failed(failure)));
        }
    }

    /// The message that is being written.
    fn sending(&self) -> Option<&Transaction> {
        self.transactions.iter().find(|t| t.stage != Stage::Ended)
    }

    fn sending_mut(&mut self) -> Option<&mut Transaction> {
        self.transactions.iter_mut().find(|t| t.stage != Stage::Ended)
    }

    fn owner(&mut self, expect: Expect) -> Option<&mut Transaction> {
        let id = expect.message()?;
        self.transactions.iter_mut().find(|t| t.id == id)
    }

    fn expect(&mut self, expect: Expect) {
        if let Some(transaction) = self.owner(expect) {
            transaction.awaiting += 1;
        }
        self.expected.push_back((expect, self.encoded));
    }

    fn command(&mut self, command: &Command<'_>) {
        self.put_line(&command.line());
    }

    fn put_line(&mut self, line: &[u8]) {
        if self.options.log {
            self.log.push(LogLine::Client(String::from_utf8_lossy(line).trim_end().to_owned()));
        }
        self.put(|out| out.extend_from_slice(line));
    }

    fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.out.len();
        write(&mut self.out);
        self.encoded += (self.out.len() - before) as u64;
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
#[path = "session_tests.rs"]
mod tests;
