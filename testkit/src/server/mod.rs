//! One session as a state machine: octets in, [`Effects`] out. No socket, no clock.
//!
//! `mod.rs` reads lines and acts out the script, `commands.rs` knows the commands, `content.rs`
//! takes bodies and ends transactions.

mod commands;
mod content;

use std::sync::Arc;
use std::time::Duration;

use crate::auth::Exchange;
use crate::body::{BodyScan, LineEnds};
use crate::capture::Read;
use crate::effect::{Effect, Effects};
use crate::envelope::Transaction;
use crate::reply::{Reply, verbatim};
use crate::script::{Action, End, Fired, Moment, Step};
use crate::sink::Shared;
use crate::stats::{add, count};

/// Longest command line. RFC 4954 asks for 12,288 octets; DSN and tokens can need more.
const MAX_LINE: usize = 64 * 1024;
const GARBAGE: &[u8] = b"\x16\x03\x01\xff\xfe this is not a reply\r\n";
const SURPLUS: &[u8] = b"250 2.0.0 Surplus reply\r\n";
const EARLY: &[u8] = b"250 2.0.0 Early reply\r\n";
const BYE: Reply = Reply::new(421, "4.3.2", "Service shutting down");

/// The protocol of one connection. See [`crate::Sink::session`].
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    id: u64,
    mode: Mode,
    /// The beginning of a command line.
    line: Vec<u8>,
    hello: Option<String>,
    extended: bool,
    secure: bool,
    user: Option<String>,
    transaction: Option<Transaction>,
    /// MAIL commands so far.
    mails: u64,
    /// Replies that were written before their command came.
    owed: usize,
    /// Commands of the read at hand, if they are recorded.
    commands: Option<Vec<String>>,
    quit: bool,
}

/// How a TLS handshake goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// As it should.
    Regular,
    /// With the sink's octets one at a time, so far apart.
    Trickle(Duration),
    /// Not at all: the script put something else in its place.
    Replaced,
}

/// What the next octets are.
#[derive(Debug)]
enum Mode {
    Command,
    Auth(Box<Exchange>),
    Body(Box<Body>),
    Chunk(Box<Chunk>),
    /// Read and forgotten.
    Deaf,
}

#[derive(Debug)]
struct Body {
    scan: BodyScan,
    ends: LineEnds,
}

#[derive(Debug)]
struct Chunk {
    left: u64,
    last: bool,
    /// The chunk is read, but for nothing.
    refusal: Option<Reply>,
}

impl Server {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let id = shared.opened();
        let commands = shared.config.record.then(Vec::new);
        Self {
            shared,
            id,
            mode: Mode::Command,
            line: Vec::new(),
            hello: None,
            extended: false,
            secure: false,
            user: None,
            transaction: None,
            mails: 0,
            owed: 0,
            commands,
            quit: false,
        }
    }

    /// A list of effects as this session's settings want it.
    pub fn effects(&self) -> Effects {
        Effects::new(self.shared.config.nagle)
    }

    /// The connection is open: the greeting, unless the script has another idea.
    pub fn greeting(&mut self, out: &mut Effects) {
        let kind = if self.shared.config.lmtp { "LMTP" } else { "ESMTP" };
        let reply = Reply::owned(220, "", format!("{} {kind} ready", self.shared.config.host_name));
        let connect = self.fire(Step::Connect, 0, None);
        let fired = if connect.action.is_some() {
            connect
        } else {
            let mut greeting = self.fire(Step::Greeting, 0, None);
            greeting.delay += connect.delay;
            greeting
        };
        self.act_out(Step::Greeting, fired, out, |_| reply);
    }

    /// Octets came before the greeting was written.
    pub fn early_input(&mut self) {
        count(&self.shared.counters.early_input);
    }

    /// Octets came. To be called with all that one read gave; `out` is to be acted out before the
    /// next call.
    pub fn feed(&mut self, mut input: &[u8], out: &mut Effects) {
        count(&self.shared.counters.reads);
        add(&self.shared.counters.received, input.len() as u64);
        while !input.is_empty() && !out.ended() {
            let used = match self.mode {
                Mode::Command | Mode::Auth(_) => self.take_line(input, out),
                Mode::Body(_) => self.take_body(input, out),
                Mode::Chunk(_) => self.take_chunk(input, out),
                Mode::Deaf => input.len(),
            };
            input = &input[used.min(input.len())..];
        }
        if !input.is_empty() && out.last() == Some(&Effect::StartTls) {
            count(&self.shared.counters.starttls_injection);
        }
        if let Some(commands) = self.commands.as_mut().filter(|commands| !commands.is_empty()) {
            self.shared.log().read(Read { connection: self.id, commands: std::mem::take(commands) });
        }
    }

    /// The client has begun the TLS handshake: how it goes on once `out` is acted out.
    pub fn handshake(&mut self, out: &mut Effects) -> Handshake {
        let mut fired = self.fire(Step::Tls, 0, None);
        let handshake = match fired.action {
            None => Handshake::Regular,
            Some(Action::Split) => Handshake::Trickle(Duration::ZERO),
            Some(Action::Drip(ms)) => Handshake::Trickle(Duration::from_millis(ms)),
            Some(_) => Handshake::Replaced,
        };
        if let Handshake::Trickle(_) = handshake {
            count(&self.shared.counters.faults);
            fired.action = None;
        }
        self.interrupt(fired, out);
        handshake
    }

    /// The handshake is done: everything learned in the clear is forgotten (RFC 3207 §4.2).
    pub fn encrypted(&mut self) {
        self.secure = true;
        self.hello = None;
        self.user = None;
        self.transaction = None;
        self.line.clear();
    }

    /// How long the client may be idle now before [`Server::idle`] is to be called.
    pub fn idle_after(&self) -> Option<Duration> {
        let rests = matches!(self.mode, Mode::Command)
            && self.line.is_empty()
            && self.hello.is_some()
            && self.transaction.is_none();
        if !rests || !self.shared.script.armed() {
            return None;
        }
        self.shared.script.idle_after(&self.moment(Step::Idle, 0, &[]))
    }

    /// The client was idle for that long.
    pub fn idle(&mut self, out: &mut Effects) {
        let fired = self.fire(Step::Idle, 0, None);
        if fired.action.is_some() {
            self.act_out(Step::Idle, fired, out, |_| BYE);
        }
    }

    /// Takes one command line, or stores its beginning; returns the octets used.
    fn take_line(&mut self, input: &[u8], out: &mut Effects) -> usize {
        let Some(end) = memchr::memchr(b'\n', input) else {
            if self.line.len() + input.len() > MAX_LINE {
                count(&self.shared.counters.long_lines);
                self.reply(&Reply::new(500, "5.5.6", "Line too long"), out);
                out.push(Effect::Close);
            } else {
                self.line.extend_from_slice(input);
            }
            return input.len();
        };
        let used = end + 1;
        let more = used < input.len();
        if self.line.is_empty() {
            self.take_whole_line(&input[..end], more, out);
        } else {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(&input[..end]);
            self.take_whole_line(&line, more, out);
        }
        used
    }

    /// `more` says that the same read holds octets behind the line.
    fn take_whole_line(&mut self, line: &[u8], more: bool, out: &mut Effects) {
        let line = line.strip_suffix(b"\r").unwrap_or_else(|| {
            count(&self.shared.counters.bare_lf);
            line
        });
        let text = String::from_utf8_lossy(line);
        if matches!(self.mode, Mode::Auth(_)) {
            self.auth_response(&text, out);
            self.check_group(false, more, out);
            return;
        }
        if let Some(commands) = &mut self.commands {
            let shown = if text.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case("AUTH ")) {
                text.split(' ').take(2).collect::<Vec<_>>().join(" ")
            } else {
                text.clone().into_owned()
            };
            commands.push(shown);
        }
        let groups = self.command(&text, out);
        self.check_group(groups, more, out);
    }

    /// Notes octets behind a command that does not allow any. `groups` says that it may be
    /// followed by others in its group (RFC 2920 §3.1).
    fn check_group(&mut self, groups: bool, more: bool, out: &mut Effects) {
        if !more || out.ended() || matches!(self.mode, Mode::Chunk(_) | Mode::Deaf) {
            return;
        }
        if groups && self.shared.config.pipelining && self.extended {
            return;
        }
        count(&self.shared.counters.bad_pipelining);
        if self.shared.config.strict {
            self.reply(&Reply::new(500, "5.5.1", "Invalid command: pipelining not supported"), out);
            out.push(Effect::Close);
        }
    }

    /// Asks the script, then lets `regular` do the step's work and say the reply.
    fn step(
        &mut self,
        step: Step,
        k: u64,
        address: Option<&str>,
        out: &mut Effects,
        regular: impl FnOnce(&mut Self) -> Reply,
    ) {
        let fired = self.fire(step, k, address);
        self.act_out(step, fired, out, regular);
    }

    fn fire(&self, step: Step, k: u64, address: Option<&str>) -> Fired {
        if !self.shared.script.armed() {
            return Fired::default();
        }
        let addresses = match (address, &self.transaction) {
            (Some(address), _) => vec![address],
            (None, Some(transaction)) => transaction.addresses(),
            (None, None) => Vec::new(),
        };
        self.shared.script.fire(&self.moment(step, k, &addresses))
    }

    fn moment<'a>(&self, step: Step, k: u64, addresses: &'a [&'a str]) -> Moment<'a> {
        Moment { step, k, connection: self.id, message: self.mails, addresses }
    }

    /// Acts a rule out. `regular` runs unless the rule refuses, whatever becomes of the reply.
    fn act_out(
        &mut self,
        step: Step,
        fired: Fired,
        out: &mut Effects,
        regular: impl FnOnce(&mut Self) -> Reply,
    ) {
        if !fired.delay.is_zero() {
            out.push(Effect::Delay(fired.delay));
        }
        let Some(action) = fired.action else {
            let reply = regular(self);
            return self.reply(&reply, out);
        };
        count(&self.shared.counters.faults);
        match action {
            Action::Reply(text) => {
                let positive = if step == Step::Data { '3' } else { '2' };
                if text.starts_with(positive) {
                    regular(self);
                    self.let_in(step);
                }
                self.say(&verbatim(&text), out);
            }
            Action::Bye => {
                self.reply(&BYE, out);
                out.push(Effect::Close);
            }
            action => {
                let reply = regular(self);
                let reply = self.rendered(&reply);
                self.spoil(action, reply, out);
            }
        }
    }

    /// A script's 235 to AUTH needs no exchange.
    fn let_in(&mut self, step: Step) {
        if step == Step::Auth {
            self.mode = Mode::Command;
            self.user.get_or_insert_default();
        }
    }

    /// Acts a rule out at a point where the client waits for no reply.
    fn interrupt(&mut self, fired: Fired, out: &mut Effects) {
        if fired.action.is_some() {
            self.act_out(Step::Body, fired, out, |_| Reply::NOTHING);
        } else if !fired.delay.is_zero() {
            out.push(Effect::Delay(fired.delay));
        }
    }

    /// The faults that leave the step's work alone and spoil its reply.
    fn spoil(&mut self, action: Action, reply: Vec<u8>, out: &mut Effects) {
        match action {
            Action::Fin => out.push(Effect::Close),
            Action::Rst => out.push(Effect::Reset),
            Action::Garbage => self.say(GARBAGE, out),
            Action::Raw(text) => {
                let reply = String::from_utf8_lossy(&reply).into_owned();
                self.say(text.replace("{reply}", &reply).as_bytes(), out);
            }
            Action::Extra => self.say(&[&reply, SURPLUS].concat(), out),
            Action::Early => {
                self.say(&[&reply, EARLY].concat(), out);
                self.owed += 1;
            }
            Action::Split => out.push(Effect::Drip(reply, Duration::ZERO)),
            Action::Drip(ms) => out.push(Effect::Drip(reply, Duration::from_millis(ms))),
            Action::Cut { bytes, then } => {
                self.say(&reply[..bytes.min(reply.len())], out);
                match then {
                    End::Fin => out.push(Effect::Close),
                    End::Rst => out.push(Effect::Reset),
                    End::Silence => self.mode = Mode::Deaf,
                }
            }
            Action::ReplyFin => {
                self.say(&reply, out);
                out.push(Effect::Close);
            }
            Action::Silence => self.mode = Mode::Deaf,
            Action::Stall => out.push(Effect::Stall),
            // Handled where the rule was read.
            Action::Reply(_) | Action::Bye | Action::Delay(_) => {}
        }
    }

    fn rendered(&self, reply: &Reply) -> Vec<u8> {
        let mut bytes = Vec::new();
        if reply.is_nothing() {
            return bytes;
        }
        reply.render(self.enhanced(), &mut bytes);
        bytes
    }

    fn enhanced(&self) -> bool {
        self.shared.config.enhanced_status_codes && self.extended
    }

    fn reply(&mut self, reply: &Reply, out: &mut Effects) {
        let enhanced = self.enhanced();
        if !self.is_owed() {
            out.write(|bytes| reply.render(enhanced, bytes));
        }
    }

    fn say(&mut self, text: &[u8], out: &mut Effects) {
        if !self.is_owed() {
            out.write(|bytes| bytes.extend_from_slice(text));
        }
    }

    /// Whether the reply at hand was written too early and is due no more.
    fn is_owed(&mut self) -> bool {
        let owed = self.owed > 0;
        self.owed -= usize::from(owed);
        owed
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.closed(self.quit);
    }
}
