//! What is written when: the one place that lets commands travel together.

use super::super::command::Command;
use super::super::encoder::BodyEncoder;
use super::super::transaction::{Stage, Transaction};
use super::{Event, Expect, Session};

/// Refused messages a server is sure to put up with on one connection when they go by BDAT. Exim
/// closes after ten of the RSETs they cost (`smtp_accept_max_nonmail`), and says so past TLS;
/// Postfix after twenty errors in a row, of which each makes three, and over TLS without a word.
pub(super) const PATIENCE: usize = 6;

impl Session {
    /// Writes all commands that may leave now.
    pub(super) fn pump(&mut self) {
        if self.closing.is_some() || self.reset_refused.is_some() {
            return;
        }
        while self.step() {}
        let idle = self.transactions.iter().all(|t| t.stage == Stage::Ended);
        let alone = self.options.pipelining || self.expected.is_empty();
        if self.quitting && !self.quit_sent && idle && alone {
            self.quit_sent = true;
            self.out.command(&Command::Quit);
            self.expect(Expect::Quit);
        }
    }

    /// Writes one command; gives whether another may follow.
    fn step(&mut self) -> bool {
        if !self.options.pipelining && !self.expected.is_empty() {
            return false;
        }
        let Some(at) = self.transactions.iter().position(|t| t.stage != Stage::Ended) else { return false };
        match self.transactions[at].stage {
            Stage::Start => self.start(at),
            Stage::Rcpt(next) => self.rcpt(at, next),
            Stage::Data => self.data(at),
            Stage::AwaitGo | Stage::Body | Stage::Ended => false,
        }
    }

    fn start(&mut self, at: usize) -> bool {
        if at >= self.window() || self.quit_sent {
            return false;
        }
        // The one before is not answered: a server that does not take it may keep it open, and one
        // that reads ahead (Dovecot 2.3's submission service) would die of two at once.
        let behind = at.checked_sub(1).is_some_and(|before| !self.transactions[before].marked);
        if (self.dirty || behind) && !self.transactions[at].reset {
            self.dirty = false;
            self.transactions[at].reset = true;
            self.out.command(&Command::Rset);
            self.expect(Expect::Rset);
            return true;
        }
        let transaction = &mut self.transactions[at];
        let (from, params) = (&transaction.envelope.from, &transaction.params);
        self.out.command(&Command::Mail { from, params });
        transaction.stage = Stage::Rcpt(0);
        let id = transaction.id;
        self.expect(Expect::Mail(id));
        self.events.push_back(Event::Began(id));
        true
    }

    /// Messages in flight: once one was refused, no more than could all be refused without the
    /// server losing patience.
    fn window(&self) -> usize {
        let wary = self.options.chunking && self.refusals > 0;
        let spare = if wary { PATIENCE.saturating_sub(self.refusals) } else { usize::MAX };
        self.options.window.min(spare).max(1)
    }

    fn rcpt(&mut self, at: usize, next: usize) -> bool {
        let transaction = &mut self.transactions[at];
        let Some(to) = transaction.envelope.to.get(next) else {
            transaction.stage = Stage::Data;
            return true;
        };
        self.out.command(&Command::Rcpt { to, params: &transaction.params });
        transaction.stage = Stage::Rcpt(next + 1);
        let id = transaction.id;
        self.expect(Expect::Rcpt(id));
        true
    }

    fn data(&mut self, at: usize) -> bool {
        let id = self.transactions[at].id;
        if self.options.chunking && !self.marks.are_blurred() {
            self.transactions[at].chunked = true;
            self.transactions[at].stage = Stage::Body;
            self.encoder = BodyEncoder::for_bdat();
            self.chunk.clear();
            self.events.push_back(Event::BodyOpen(id));
            return false;
        }
        self.out.command(&Command::Data);
        self.transactions[at].stage = Stage::AwaitGo;
        self.expect(Expect::Data(id));
        true
    }

    /// The message that is being written.
    pub(super) fn sending(&self) -> Option<&Transaction> {
        self.transactions.iter().find(|t| t.stage != Stage::Ended)
    }

    pub(super) fn sending_mut(&mut self) -> Option<&mut Transaction> {
        self.transactions.iter_mut().find(|t| t.stage != Stage::Ended)
    }

    /// A reply is owed to what was written last.
    pub(super) fn expect(&mut self, expect: Expect) {
        if let Some(transaction) = self.owner(expect) {
            transaction.awaiting += 1;
        }
        self.expected.push_back((expect, self.out.position()));
    }
}
