//! What the server's replies mean: each belongs to the oldest command that has none.

use crate::error::Result;

use super::super::encoder::BodyEncoder;
use super::super::handshake::unexpected;
use super::super::reply::Reply;
use super::super::transaction::{Outcome, Stage, Transaction};
use super::{Event, Expect, Session};

impl Session {
    /// Takes the next reply. An error ends the connection: hand it to [`lost`](Self::lost).
    pub fn reply(&mut self, reply: &Reply) -> Result<()> {
        self.out.heard(&reply.text);
        // What was taken for its last word was not.
        if self.reset_refused.take().or_else(|| self.closing.take()).is_some() {
            return Err(unexpected("RSET").response(&*reply.text));
        }
        let sent = self.out.sent();
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
        let sent = self.out.sent();
        let next = self.transactions.iter_mut().find(|t| t.end_at.is_none_or(|end| end > sent));
        if let Some(transaction) = next.filter(|t| t.body_begun && matches!(reply.class(), 4 | 5)) {
            transaction.body_refused(reply);
        }
        Err(unexpected("CONN").response(&*reply.text))
    }

    /// Applies a reply; gives whether the server may be believed any further.
    fn dispatch(&mut self, expect: Expect, reply: &Reply) -> bool {
        let sane = reply.answers_transaction();
        if let Some(transaction) = self.owner(expect) {
            transaction.awaiting = transaction.awaiting.saturating_sub(1);
            transaction.heard = true;
        }
        match expect {
            // No verdict: nobody knows what the server did.
            Expect::Mail(_) | Expect::Rcpt(_) | Expect::Chunk(_) if !sane => {}
            Expect::Rset => return self.reset_reply(reply),
            Expect::Mark(_) => return self.mark_reply(expect, reply),
            Expect::Quit => return true,
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
            self.out.put(|out| out.extend_from_slice(b".\r\n"));
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

    /// RSET cannot be refused (RFC 5321 §4.1.1.5): a server that does so is about to close. Another
    /// reply after it would show that it is not.
    fn notes_refusal(&mut self, reply: &Reply) -> bool {
        let refused = matches!(reply.class(), 4 | 5) && !reply.is_closing();
        if refused {
            self.reset_refused = Some(reply.text.clone());
        }
        refused
    }

    /// Whether RSET was answered. Words count only where they are marks.
    fn reset_reply(&mut self, reply: &Reply) -> bool {
        if self.notes_refusal(reply) {
            return true;
        }
        if self.options.chunking { self.marks.fits(reply) } else { reply.is_positive() }
    }

    /// The RSET behind a body: only now is it known that the replies before belong to it.
    fn mark_reply(&mut self, expect: Expect, reply: &Reply) -> bool {
        let in_order = self.marks.fits(reply) || reply.is_closing();
        let Some(id) = expect.message() else { return in_order };
        let Some(transaction) = self.transactions.iter_mut().find(|t| t.id == id) else { return in_order };
        let believed = transaction.taken_with().is_none_or(|taken| self.marks.taken_with(taken));
        transaction.disordered = !(in_order && believed);
        self.notes_refusal(reply) || in_order && believed
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
}
