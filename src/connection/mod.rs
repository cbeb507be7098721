//! One connection: a task that moves bytes between a socket and the state machines of `wire`.
//!
//! It dials ([`setup`]), then drives the session ([`driver`]) until told to stop or until the
//! connection ends. It takes [`Order`]s and gives [`Report`]s; which message goes where, what is
//! tried again and what the caller is told are the pool's business.

mod deadline;
mod delivery;
mod driver;
mod ladder;
mod partial;
mod setup;
mod socket;

#[cfg(test)]
mod deadline_tests;
#[cfg(test)]
mod dialogue_tests;
#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod peer_tests;
#[cfg(test)]
mod security_tests;
#[cfg(test)]
mod write_tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::error::{Code, Error, Phase};
use crate::mail::{Message, Receipt};

pub use crate::net::{Proxy, ProxyKind, Target, Tls, TlsInfo, TlsOptions, TlsVersion};
pub use crate::wire::{Credentials, HandshakeOptions, LogLine, Secret};

pub use ladder::Ladder;
pub use partial::Partial;
pub use socket::Socket;

/// Number of a connection: 1, 2, 3, … in the order they were opened.
pub type ConnectionId = u64;

/// A message to send.
#[derive(Clone, Debug)]
pub struct Job {
    /// The pool's number for it.
    pub id: u64,
    /// The message.
    pub message: Arc<dyn Message>,
    /// What became of some of its recipients before.
    pub so_far: Option<Arc<Partial>>,
}

/// What the pool asks of a connection.
#[derive(Debug)]
pub enum Order {
    /// Send this; at most [`Ready::depth`] at once.
    Send(Job),
    /// Give this message up, for this reason: silently if nothing of it was sent, else by dropping
    /// the connection.
    Cancel(u64, Error),
    /// Say goodbye once everything in flight is done.
    Quit,
    /// Drop the connection now, for this reason.
    Abort(Error),
    /// The token a [`Report::TokenWanted`] asked for.
    Token(Result<Secret, Error>),
    /// A line of the caller's authentication handler.
    AuthCommand(String),
    /// The caller's authentication handler is done.
    AuthDone(Result<(), Error>),
}

/// What a connection tells the pool.
#[derive(Debug)]
pub enum Report {
    /// Messages can be sent.
    Ready(Box<Ready>),
    /// A token is needed; answer with [`Order::Token`].
    TokenWanted {
        /// The server refused the last one.
        renew: bool,
    },
    /// The caller's handler is to authenticate; answer with [`Order::AuthCommand`]s and
    /// [`Order::AuthDone`].
    CustomAuth(Box<CustomAuth>),
    /// The reply to an [`Order::AuthCommand`].
    AuthReply(String),
    /// A message is over.
    Settled {
        /// The job's number.
        id: u64,
        /// What became of it.
        result: Result<Box<Receipt>, Undelivered>,
    },
    /// The number of messages it takes at once changed.
    Depth(usize),
    /// Lines for the transaction log.
    Log(Vec<LogLine>),
    /// The task ends; every job was settled before.
    Closed(Closed),
}

/// A message that was not taken.
#[derive(Debug)]
pub struct Undelivered {
    /// What happened.
    pub error: Error,
    /// Nothing of it can have been delivered and it is not at fault: it may go again.
    pub unsent: bool,
    /// Its body was read, so that only a replayable message can go again.
    pub body_read: bool,
    /// What became of its parts, if it was sent in several.
    pub so_far: Option<Box<Partial>>,
}

impl Undelivered {
    /// A message of which nothing was sent; `unsent` if it may go again.
    fn untouched(error: Error, unsent: bool) -> Self {
        Self { error, unsent, body_read: false, so_far: None }
    }
}

/// What the setup found out.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Messages it takes at once.
    pub depth: usize,
    /// Messages the server takes in one session (RFC 9422).
    pub mail_max: Option<u32>,
    /// EHLO lines after the first.
    pub ehlo: Option<Arc<[String]>>,
    /// The server announced AUTH.
    pub offers_auth: bool,
    /// The login succeeded.
    pub authenticated: bool,
    /// Peer address and port.
    pub peer: Option<(String, u16)>,
    /// Own address and port.
    pub local: Option<(String, u16)>,
    /// TLS, where there is any.
    pub tls: Option<TlsInfo>,
    /// From dialling to here.
    pub took: Duration,
}

/// What a custom authentication handler is told, in nodemailer's terms.
#[derive(Clone, Debug)]
pub struct CustomAuth {
    /// The mechanism.
    pub method: String,
    /// Extensions the server announced.
    pub extensions: Vec<&'static str>,
    /// Mechanisms the server announced.
    pub mechanisms: Vec<String>,
    /// The size the server allows.
    pub max_size: Option<u64>,
}

/// How a connection ended.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Whether messages could be sent before.
    pub was_ready: bool,
    /// What ended it; `None` if it was asked to end, or the server closed it while idle.
    pub error: Option<Error>,
    /// It ended without a word before the greeting.
    pub silent: bool,
}

/// How commands travel together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipelining {
    /// As far as the server allows and it pays.
    Auto,
    /// One command at a time.
    Off,
    /// At most so many messages in flight.
    Window(usize),
}

/// How a connection is made and kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to.
    pub target: Arc<Target>,
    /// Greeting to login.
    pub handshake: HandshakeOptions,
    /// How commands travel together.
    pub pipelining: Pipelining,
    /// What is remembered of the host.
    pub ladder: Arc<Ladder>,
    /// DNS, dialling, proxy, TLS and greeting together.
    pub connection_timeout: Duration,
    /// From the connection to the greeting, and for STARTTLS.
    pub greeting_timeout: Duration,
    /// Silence, and the whole of one reply.
    pub socket_timeout: Duration,
    /// Largest reply, in octets.
    pub max_response_size: usize,
}

/// The pool's ends of a connection.
#[derive(Debug)]
pub struct Handle {
    /// Orders to the task.
    pub orders: mpsc::UnboundedSender<Order>,
    /// The task.
    pub task: tokio::task::JoinHandle<()>,
}

/// Where a connection's reports go.
#[derive(Clone, Debug)]
pub struct Reports<T> {
    /// The pool's mailbox.
    pub to: mpsc::UnboundedSender<T>,
    /// Puts the sender's number on a report.
    pub wrap: fn(ConnectionId, Report) -> T,
    /// The connection.
    pub id: ConnectionId,
}

impl<T> Reports<T> {
    fn send(&self, report: Report) {
        // A pool that is gone needs no reports.
        let _ = self.to.send((self.wrap)(self.id, report));
    }
}

/// Reports of a task that may fail. One that panics has settled nothing: its messages fail, and
/// nothing else does.
struct LastWord<T>(Reports<T>);

impl<T> Drop for LastWord<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = Error::new(Code::Internal, "The connection's task failed: a bug in postpool");
            let error = Some(error.at(Phase::InDoubt));
            self.0.send(Report::Closed(Closed { was_ready: true, error, silent: false }));
        }
    }
}

/// Opens a connection in a task of its own.
pub fn open<T: Send + 'static>(settings: Arc<Settings>, reports: Reports<T>) -> Handle {
    let (orders, inbox) = mpsc::unbounded_channel();
    let reports = LastWord(reports);
    let task = tokio::spawn(async move {
        let started = Instant::now();
        let deadline = started + settings.connection_timeout;
        let socket = crate::net::connect(&settings.target, deadline);
        run(socket, &settings, started, inbox, &reports.0).await;
    });
    Handle { orders, task }
}

/// The whole life of a connection, over whatever `dial` gives.
pub(crate) async fn run<S: Socket, T>(
    dial: impl Future<Output = crate::error::Result<S>>,
    settings: &Arc<Settings>,
    started: Instant,
    mut inbox: mpsc::UnboundedReceiver<Order>,
    reports: &Reports<T>,
) {
    let setup = setup::setup(dial, settings, started, &mut inbox, reports).await;
    let closed = match setup {
        Ok(connected) => {
            let error = driver::drive(connected, settings, inbox, reports).await;
            Closed { was_ready: true, error, silent: false }
        }
        Err(failed) => {
            let silent = failed.phase() == Some(Phase::Greeting)
                && failed.code() == Code::Connection
                && failed.reply().is_none();
            Closed { was_ready: false, error: Some(failed), silent }
        }
    };
    reports.send(Report::Closed(closed));
}

/// The error of a connection that is gone.
pub fn lost() -> Error {
    crate::wire::closed_unexpectedly(None)
}
