//! From dialling to a session that takes messages, within the deadlines.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::ladder::Rung;
use super::{CustomAuth, Order, Ready, Report, Reports, Settings, Socket};
use crate::error::{Code, Error, Phase, Result};
use crate::wire::{Handshake, HandshakeOptions, Reply, ReplyReader, Step, closed_unexpectedly};

/// A connection on which messages can be sent.
#[derive(Debug)]
pub(super) struct Connected<S> {
    pub(super) socket: S,
    pub(super) reader: ReplyReader,
    /// What is read goes here first.
    pub(super) buffer: Box<[u8]>,
    pub(super) handshake: Handshake,
    pub(super) rung: Rung,
}

/// Octets read at a time.
const READ: usize = 16 * 1024;

/// Sets a connection up; tells the pool when it is ready.
pub(super) async fn setup<S: Socket, T>(
    dial: impl Future<Output = Result<S>>,
    settings: &Arc<Settings>,
    started: Instant,
    inbox: &mut mpsc::UnboundedReceiver<Order>,
    reports: &Reports<T>,
) -> Result<Connected<S>> {
    let deadline = started + settings.connection_timeout;
    let socket = tokio::select! {
        biased;
        reason = aborted(inbox) => return Err(reason.at(Phase::Connect)),
        socket = dial => socket.map_err(|error| error.at_if_unset(Phase::Connect))?,
    };
    let mut setup = Setup {
        socket,
        reader: ReplyReader::new(settings.max_response_size),
        buffer: vec![0; READ].into_boxed_slice(),
        handshake: Handshake::new(HandshakeOptions { nonce: nonce(settings)?, ..settings.handshake.clone() }),
        settings,
        setup_deadline: deadline,
        round_trip: Duration::MAX,
        inbox,
        reports,
    };
    let mut step = Step::Reply;
    loop {
        step = match step {
            Step::Reply => setup.exchange().await?,
            Step::StartTls => {
                let (next, upgraded) = setup.upgrade().await?;
                setup = next;
                upgraded
            }
            Step::Token { renew } => setup.token(renew).await?,
            Step::Custom { method } => setup.custom(method).await?,
            Step::Ready => return Ok(setup.ready(started)),
        };
    }
}

struct Setup<'a, S, T> {
    socket: S,
    reader: ReplyReader,
    buffer: Box<[u8]>,
    handshake: Handshake,
    settings: &'a Settings,
    /// Shortest time a reply took.
    round_trip: Duration,
    /// End of `connectionTimeout`.
    setup_deadline: Instant,
    inbox: &'a mut mpsc::UnboundedReceiver<Order>,
    reports: &'a Reports<T>,
}

impl<S: Socket, T> Setup<'_, S, T> {
    /// Writes what is due and hands the next reply in.
    async fn exchange(&mut self) -> Result<Step> {
        self.write().await?;
        let asked = Instant::now();
        let reply = self.read_reply().await?;
        if self.handshake.phase() != Phase::Greeting {
            self.round_trip = self.round_trip.min(asked.elapsed());
        }
        let step = self.handshake.reply(&reply);
        self.forward_log();
        let step = step?;
        // A reply before its command: nothing this server says can be matched any more.
        if step != Step::StartTls && self.reader.has_buffered() {
            return Err(self.desync());
        }
        Ok(step)
    }

    async fn write(&mut self) -> Result<()> {
        let bytes = self.handshake.take_output();
        self.forward_log();
        if bytes.is_empty() {
            return Ok(());
        }
        let (phase, deadline) = self.deadline();
        let written = timeout_at(deadline, async {
            self.socket.write_all(&bytes).await?;
            self.socket.flush().await
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(S::failure(&error, "write").at(phase)),
            Err(_) => Err(self.timed_out(phase)),
        }
    }

    async fn read_reply(&mut self) -> Result<Reply> {
        let (phase, deadline) = self.deadline();
        loop {
            if let Some(reply) = self.reader.next_reply().map_err(|error| error.at(phase))? {
                return Ok(reply);
            }
            let read = tokio::select! {
                biased;
                reason = aborted(self.inbox) => return Err(reason.at(phase)),
                read = timeout_at(deadline, self.socket.read(&mut self.buffer)) => read,
            };
            match read {
                Err(_) => return Err(self.timed_out(phase)),
                Ok(Err(error)) => return Err(S::failure(&error, "read").at(phase)),
                Ok(Ok(0)) => return Err(closed_unexpectedly(self.reader.take_refusal_fragment()).at(phase)),
                Ok(Ok(count)) => self.reader.feed(&self.buffer[..count]),
            }
        }
    }

    /// The TLS handshake after STARTTLS.
    async fn upgrade(mut self) -> Result<(Self, Step)> {
        // RFC 3207 §6, against injected replies: what was sent in clear behind the 220 is an attack.
        if self.reader.has_buffered() {
            let error = Error::new(Code::Tls, "Server sent plaintext behind its reply to STARTTLS");
            return Err(error.command("STARTTLS").at(Phase::Tls).fatal());
        }
        let deadline = self.early_deadline();
        let secured = timeout_at(deadline, self.socket.start_tls(&self.settings.target)).await;
        self.socket = match secured {
            Ok(secured) => secured.map_err(|error| error.at(Phase::Tls))?,
            Err(_) => return Err(timeout("TLS handshake timed out", "UPGRADE_TIMEOUT").at(Phase::Tls)),
        };
        self.reader = ReplyReader::new(self.settings.max_response_size);
        let step = self.handshake.secured()?;
        Ok((self, step))
    }

    async fn token(&mut self, renew: bool) -> Result<Step> {
        self.reports.send(Report::TokenWanted { renew });
        loop {
            match self.next_order().await? {
                Order::Token(Ok(token)) => return self.handshake.token(token),
                Order::Token(Err(error)) => return Err(error.at(Phase::Auth).fatal()),
                _ => {}
            }
        }
    }

    /// Lets the caller's handler talk to the server.
    async fn custom(&mut self, method: String) -> Result<Step> {
        let capabilities = self.handshake.capabilities();
        self.reports.send(Report::CustomAuth(Box::new(CustomAuth {
            method,
            extensions: capabilities.extension_names(),
            mechanisms: capabilities.mechanism_names.clone(),
            max_size: capabilities.size.filter(|size| *size > 0),
        })));
        loop {
            match self.next_order().await? {
                Order::AuthCommand(line) => {
                    self.handshake.custom_command(&line).map_err(|error| error.at(Phase::Auth))?;
                    self.write().await?;
                    let reply = self.read_reply().await?;
                    self.handshake.custom_reply(&reply);
                    self.forward_log();
                    if self.reader.has_buffered() {
                        return Err(self.desync());
                    }
                    self.reports.send(Report::AuthReply(reply.text));
                }
                Order::AuthDone(Ok(())) => return Ok(self.handshake.custom_done()),
                Order::AuthDone(Err(error)) => return Err(error.at(Phase::Auth).fatal()),
                _ => {}
            }
        }
    }

    fn ready(mut self, started: Instant) -> Connected<S> {
        self.forward_log();
        self.socket.works();
        let capabilities = self.handshake.capabilities();
        let settings = self.settings;
        let rung = settings.ladder.choose(capabilities, settings.pipelining, self.round_trip);
        let name = |addr: std::net::SocketAddr| (addr.ip().to_string(), addr.port());
        self.reports.send(Report::Ready(Box::new(Ready {
            depth: rung.depth(),
            mail_max: capabilities.limits.mail_max,
            ehlo: capabilities.lines.clone(),
            offers_auth: capabilities.auth,
            authenticated: self.handshake.is_authenticated(),
            peer: self.socket.peer_addr().map(name),
            local: self.socket.local_addr().map(name),
            tls: self.socket.tls_info(),
            took: started.elapsed(),
        })));
        let Self { socket, reader, buffer, handshake, .. } = self;
        Connected { socket, reader, buffer, handshake, rung }
    }

    /// The next order; an error when the connection is to be dropped or the caller takes too long.
    async fn next_order(&mut self) -> Result<Order> {
        let phase = self.handshake.phase();
        let deadline = Instant::now() + self.settings.socket_timeout;
        match timeout_at(deadline, self.inbox.recv()).await {
            Ok(Some(Order::Abort(reason))) => Err(reason.at(phase)),
            Ok(None) => Err(gone().at(phase)),
            Ok(Some(Order::Quit)) => Err(gone().at(phase)),
            Ok(Some(order)) => Ok(order),
            Err(_) => Err(self.timed_out(phase)),
        }
    }

    /// What is being waited for, and until when.
    fn deadline(&self) -> (Phase, Instant) {
        let phase = self.handshake.phase();
        let deadline = match phase {
            Phase::Greeting => self.early_deadline(),
            _ => Instant::now() + self.settings.socket_timeout,
        };
        (phase, deadline)
    }

    /// `greetingTimeout`, cut short by what is left of `connectionTimeout`.
    fn early_deadline(&self) -> Instant {
        let now = Instant::now();
        (now + self.settings.greeting_timeout).min(self.setup_deadline.max(now + Duration::from_millis(1)))
    }

    fn timed_out(&self, phase: Phase) -> Error {
        match phase {
            Phase::Greeting => timeout("Greeting never received", "GREETING_TIMEOUT"),
            _ => timeout("Timeout", "SOCKET_TIMEOUT"),
        }
        .at(phase)
    }

    fn desync(&mut self) -> Error {
        let surplus = self.reader.next_reply().ok().flatten().map(|reply| reply.text).unwrap_or_default();
        Error::new(Code::Protocol, "Unexpected Response")
            .response(surplus)
            .command("CONN")
            .at(self.handshake.phase())
            .fatal()
    }

    fn forward_log(&mut self) {
        let lines = self.handshake.take_log();
        if !lines.is_empty() {
            self.reports.send(Report::Log(lines));
        }
    }
}

/// A nonce of this connection's own (RFC 5802 §5.1), where it may need one: the first randomness
/// of a process takes milliseconds to gather.
fn nonce(settings: &Settings) -> Result<String> {
    if settings.handshake.credentials.is_none() {
        return Ok(String::new());
    }
    let mut bytes = [0; 18];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Error::new(Code::Internal, "No randomness to be had").at(Phase::Connect).fatal())?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

/// Waits until the connection is to be dropped; other orders come too early and are not given yet.
async fn aborted(inbox: &mut mpsc::UnboundedReceiver<Order>) -> Error {
    loop {
        match inbox.recv().await {
            Some(Order::Abort(reason)) => return reason,
            Some(Order::Quit) | None => return gone(),
            Some(_) => {}
        }
    }
}

fn gone() -> Error {
    Error::new(Code::Connection, "Connection pool was closed").fatal()
}

pub(super) fn timeout(text: &'static str, kind: &'static str) -> Error {
    Error::new(Code::TimedOut, text).command("CONN").timeout(kind).fatal()
}
