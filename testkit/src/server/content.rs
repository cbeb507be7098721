//! Bodies, by DATA and by BDAT, and what becomes of the transaction.

use super::{Body, Chunk, Mode, Server};
use crate::body::{BodyScan, LineEnds};
use crate::capture::Message;
use crate::config::Habit;
use crate::effect::Effects;
use crate::envelope::{TOO_LARGE, Transaction, too_large};
use crate::reply::Reply;
use crate::script::{Action, Fired, Step};
use crate::stats::{add, count};

const GO_AHEAD: Reply = Reply::new(354, "", "End data with <CR><LF>.<CR><LF>");
const NEED_MAIL: Reply = Reply::new(503, "5.5.1", "Error: need MAIL command");
const NEED_RCPT: Reply = Reply::new(503, "5.5.1", "Error: need RCPT command");
const NO_RECIPIENTS: Reply = Reply::new(554, "5.5.1", "Error: no valid recipients");
const ALL_REJECTED: Reply = Reply::new(503, "5.5.1", "All RCPT commands were rejected");
const BROKEN: Reply = Reply::new(503, "5.5.1", "An earlier chunk was refused, RSET first");

impl Server {
    /// DATA: the way to the body, or the reason why not.
    pub(super) fn data(&mut self) -> Reply {
        let refusal = self.refusal().or_else(|| {
            let transaction = self.transaction.as_ref()?;
            (transaction.binary || transaction.chunks > 0).then_some(Reply::new(503, "5.5.1", "Use BDAT"))
        });
        if let Some(refusal) = refusal {
            if self.shared.config.habit == Habit::Tidy {
                self.transaction = None;
            }
            return refusal;
        }
        self.set_trap();
        self.mode = Mode::Body(Box::new(Body { scan: BodyScan::new(), ends: LineEnds::default() }));
        GO_AHEAD
    }

    /// BDAT: its octets come in any case and are read (RFC 3030 §2).
    pub(super) fn bdat(&mut self, size: u64, last: bool) {
        let refusal = if self.shared.config.chunking {
            self.refusal()
        } else {
            Some(Reply::new(502, "5.5.1", "CHUNKING not offered"))
        };
        if let Some(transaction) = self.transaction.as_mut().filter(|_| refusal.is_none()) {
            transaction.chunks += 1;
            if transaction.chunks == 1 {
                self.set_trap();
            }
        }
        self.mode = Mode::Chunk(Box::new(Chunk { left: size, last, refusal }));
    }

    /// Why there can be no body now.
    fn refusal(&self) -> Option<Reply> {
        let Some(transaction) = &self.transaction else { return Some(NEED_MAIL) };
        if transaction.broken {
            return Some(BROKEN);
        }
        if !transaction.to.is_empty() {
            return None;
        }
        Some(match (transaction.refused, self.shared.config.habit) {
            (0, _) => NEED_RCPT,
            (_, Habit::Exim) => ALL_REJECTED,
            _ => NO_RECIPIENTS,
        })
    }

    /// Asks the script about the body that is about to come.
    fn set_trap(&mut self) {
        let fired = self.fire(Step::Body, 0, None);
        let any = fired.action.is_some() || !fired.delay.is_zero();
        if let Some(transaction) = self.transaction.as_mut().filter(|_| any) {
            transaction.trap = Some(fired);
        }
    }

    /// Acts the trap out if the body has run into it. Whether octets are still wanted.
    fn spring(&mut self, out: &mut Effects) -> bool {
        if let Some(transaction) = &mut self.transaction {
            let size = transaction.size;
            if let Some(fired) = transaction.trap.take_if(|fired| size > fired.after) {
                transaction.answered = matches!(fired.action, Some(Action::Reply(_)));
                self.interrupt(fired, out);
            }
        }
        !out.ended() && !matches!(self.mode, Mode::Deaf)
    }

    pub(super) fn take_body(&mut self, input: &[u8], out: &mut Effects) -> usize {
        let Mode::Body(mut body) = std::mem::replace(&mut self.mode, Mode::Command) else { return 0 };
        let scanned = self.scan(&mut body, input);
        if !self.spring(out) {
            return input.len();
        }
        if !scanned.ended {
            self.mode = Mode::Body(body);
            return scanned.used;
        }
        body.ends.finish();
        add(&self.shared.counters.bare_lf, body.ends.bare_lf);
        add(&self.shared.counters.bare_cr, body.ends.bare_cr);
        if let Some(commands) = &mut self.commands {
            commands.push(".".into());
        }
        if self.transaction.as_ref().is_some_and(|transaction| transaction.answered) {
            self.transaction = None;
        } else {
            self.finish(out);
        }
        self.check_group(true, scanned.used < input.len(), out);
        scanned.used
    }

    fn scan(&mut self, body: &mut Body, input: &[u8]) -> crate::body::Scanned {
        let Self { shared, transaction, .. } = self;
        let limit = shared.body_limit();
        let check = shared.config.check_line_ends;
        let Body { scan, ends, .. } = body;
        scan.feed(input, |piece| {
            if check {
                ends.feed(piece);
            }
            if let Some(transaction) = transaction.as_mut() {
                transaction.push(piece, limit);
            }
        })
    }

    pub(super) fn take_chunk(&mut self, input: &[u8], out: &mut Effects) -> usize {
        let Mode::Chunk(mut chunk) = std::mem::replace(&mut self.mode, Mode::Command) else { return 0 };
        let used = usize::try_from(chunk.left).map_or(input.len(), |left| left.min(input.len()));
        chunk.left -= used as u64;
        if let Some(transaction) = self.transaction.as_mut().filter(|_| chunk.refusal.is_none()) {
            transaction.push(&input[..used], self.shared.body_limit());
        }
        let done = chunk.left == 0;
        if self.spring(out) {
            self.mode = Mode::Chunk(chunk);
        }
        if done && matches!(self.mode, Mode::Chunk(_)) {
            self.end_chunk(out);
            self.check_group(true, used < input.len(), out);
        }
        used
    }

    /// All octets of a chunk are here.
    pub(super) fn end_chunk(&mut self, out: &mut Effects) {
        let Mode::Chunk(chunk) = std::mem::replace(&mut self.mode, Mode::Command) else { return };
        if let Some(refusal) = chunk.refusal {
            return self.refuse_chunk(chunk.last, refusal, out);
        }
        let Some(transaction) = &mut self.transaction else { return };
        let (k, size) = (transaction.chunks, transaction.size);
        if std::mem::take(&mut transaction.answered) {
            transaction.broken = true;
        } else if chunk.last {
            self.end_last_chunk(k, out);
        } else {
            let mut taken = false;
            self.step(Step::Bdat, k, None, out, |_| {
                taken = true;
                Reply::owned(250, "2.0.0", format!("Ok: {size} octets"))
            });
            if let Some(transaction) = &mut self.transaction {
                transaction.broken = !taken;
            }
        }
        if chunk.last {
            self.transaction = None;
        }
    }

    fn end_last_chunk(&mut self, k: u64, out: &mut Effects) {
        let fired = self.fire(Step::Bdat, k, None);
        if fired.action.is_some() {
            return self.act_out(Step::Bdat, fired, out, Self::accept);
        }
        self.interrupt(fired, out);
        self.finish(out);
    }

    fn refuse_chunk(&mut self, last: bool, refusal: Reply, out: &mut Effects) {
        let ends = match self.shared.config.habit {
            Habit::Tidy => true,
            Habit::Postfix => last,
            Habit::Exim => false,
        };
        let k = self.transaction.as_ref().map_or(1, |transaction| transaction.chunks + 1);
        self.step(Step::Bdat, k, None, out, |_| refusal);
        if ends {
            self.transaction = None;
        }
    }

    /// End-of-data: one final reply, in LMTP one for each recipient (RFC 2033 §4.2).
    fn finish(&mut self, out: &mut Effects) {
        let end = self.fire(Step::EndOfData, 0, None);
        let lost = matches!(end.action, Some(Action::Fin | Action::Rst | Action::Silence | Action::Stall));
        if lost {
            self.interrupt(end, out);
        } else if self.shared.config.lmtp {
            self.finish_each(end, out);
        } else if end.action.is_some() {
            self.act_out(Step::EndOfData, end, out, Self::accept);
        } else {
            let mut fired = self.fire(Step::FinalReply, 0, None);
            fired.delay += end.delay;
            self.act_out(Step::FinalReply, fired, out, Self::accept);
        }
        self.transaction = None;
    }

    fn finish_each(&mut self, end: Fired, out: &mut Effects) {
        let Some(mut transaction) = self.transaction.take() else { return };
        let everyone = std::mem::take(&mut transaction.to);
        let oversized = too_large(&self.shared.config, transaction.size);
        for (k, recipient) in (1..).zip(everyone) {
            if out.ended() || matches!(self.mode, Mode::Deaf) {
                break;
            }
            let mut fired = self.fire(Step::FinalReply, k, Some(&recipient.address));
            if end.action.is_some() {
                fired.action = end.action.clone();
            }
            fired.delay += if k == 1 { end.delay } else { std::time::Duration::ZERO };
            let to = &mut transaction.to;
            self.act_out(Step::FinalReply, fired, out, |_| {
                if oversized {
                    return TOO_LARGE;
                }
                to.push(recipient);
                Reply::new(250, "2.0.0", "Ok: delivered")
            });
        }
        if !transaction.to.is_empty() {
            self.record(transaction);
        }
    }

    /// Takes the message, unless it is larger than it may be.
    fn accept(&mut self) -> Reply {
        let Some(transaction) = self.transaction.take() else { return NEED_MAIL };
        if too_large(&self.shared.config, transaction.size) {
            return TOO_LARGE;
        }
        let number = self.record(transaction);
        Reply::owned(250, "2.0.0", format!("Ok: queued as {number}"))
    }

    fn record(&self, transaction: Transaction) -> u64 {
        let counters = &self.shared.counters;
        count(&counters.messages);
        add(&counters.recipients, transaction.to.len() as u64);
        add(&counters.bytes, transaction.size);
        let number = self.shared.next_message();
        if self.shared.config.capture.messages > 0 {
            let message = Message {
                connection: self.id,
                ordinal: transaction.ordinal,
                from: transaction.from,
                params: transaction.params,
                to: transaction.to,
                hello: self.hello.clone().unwrap_or_default(),
                user: self.user.clone(),
                secure: self.secure,
                chunks: transaction.chunks,
                size: transaction.size,
                body: transaction.body,
            };
            self.shared.log().message(message, &self.shared.config.capture);
        }
        number
    }
}
