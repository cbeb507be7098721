//! Who sends what, when, on which connection.
//!
//! The rules are pure: [`schedule`](self::schedule) and its parts take an input and the time and
//! give actions. [`actor`](self::actor) is the one task around them; a [`Pool`] only sends it
//! messages. Bytes, commands and sockets are the connection's business.

mod actor;
mod common;
mod histogram;
mod lanes;
mod learn;
mod limiter;
mod line;
mod options;
mod schedule;
mod targets;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use self::common::Common;
use crate::error::Error;
use crate::mail::{Message, Receipt};

pub use crate::connection::{
    ConnectionId, Credentials, CustomAuth, HandshakeOptions, Ladder, LogLine, Pipelining, Proxy, ProxyKind,
    Ready, Secret, Settings, Target, Tls, TlsInfo, TlsOptions, TlsVersion,
};
pub use histogram::{Latency, Percentiles};
pub use learn::Limits;
pub use options::{LaneWeight, PoolOptions, RateLimit, Resize};
pub use schedule::{CloseReason, ConnectionView, LaneState, Snapshot, Totals, WindowState};
pub use targets::TargetState;

/// A message handed to the pool.
#[derive(Debug)]
pub struct Submission {
    /// The caller's number for it, unique in the pool.
    pub id: u64,
    /// The message.
    pub message: Arc<dyn Message>,
    /// Lane it waits in.
    pub lane: Option<Arc<str>>,
    /// Milliseconds it may take altogether.
    pub timeout: Option<u64>,
}

/// What the caller asks of the pool.
#[derive(Debug)]
pub(crate) enum Request {
    Submit(Vec<Submission>),
    Cancel(u64),
    Verify(u64),
    Close {
        force: bool,
        assigned: usize,
    },
    Drain,
    GiveBack,
    Pause(bool),
    Resize(Resize),
    Rotate(Vec<Arc<Settings>>),
    Token(ConnectionId, Result<Secret, Error>),
    AuthCommand(ConnectionId, String),
    AuthDone(ConnectionId, Result<(), Error>),
    Stats(u64),
    /// Drop everything: the caller's environment is gone.
    Abandon,
}

/// What the pool tells its owner.
#[derive(Debug)]
pub enum PoolEvent {
    /// A message is over; exactly once for each submission.
    Settled {
        /// The caller's number.
        id: u64,
        /// What became of it.
        result: Result<Box<Receipt>, Error>,
        /// Connection it was last on.
        connection: Option<ConnectionId>,
    },
    /// Nothing of this message was sent, and another engine may send it: here it is again, right
    /// before it is told to have failed.
    GivenBack(u64, Arc<dyn Message>),
    /// A message went back to the queue.
    Requeued {
        /// The caller's number.
        id: u64,
        /// How often so far.
        attempt: u32,
        /// Why.
        error: Error,
    },
    /// A message was given to a connection.
    Assigned {
        /// The caller's number.
        id: u64,
        /// The connection.
        connection: ConnectionId,
        /// Messages this connection was given before.
        messages: u32,
    },
    /// A connection is being opened.
    Created {
        /// The connection.
        connection: ConnectionId,
        /// Number of its host.
        target: usize,
    },
    /// A connection takes messages.
    Ready(ConnectionId, Box<Ready>),
    /// A connection is gone.
    Closed {
        /// The connection.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
        /// What went wrong, if anything.
        error: Option<Error>,
        /// Milliseconds it was open.
        age: u64,
        /// Messages it was given.
        messages: u32,
    },
    /// The last connection closed.
    Empty,
    /// A limit of the server was learned.
    LimitLearned {
        /// Number of the host.
        target: usize,
        /// `messages`, `connections`, `rate` or `idle`.
        kind: &'static str,
        /// The limit.
        value: f64,
    },
    /// A connection needs a token.
    TokenWanted(ConnectionId, bool),
    /// A connection needs the caller's authentication handler.
    CustomAuth(ConnectionId, Box<CustomAuth>),
    /// The reply to a line of that handler.
    AuthReply(ConnectionId, String),
    /// A `verify` is over.
    Verified(u64, Result<Box<Ready>, Error>),
    /// Lines for the transaction log.
    Log(ConnectionId, Vec<LogLine>),
    /// The pool is closed and all its connections are gone.
    Ended,
    /// What `Stats` asked for.
    Stats(u64, Box<Snapshot>),
    /// The pool itself failed: every message it held is to be failed with this.
    Crashed(Error),
}

/// Where events go, in order and in batches.
pub trait EventSink: Send + 'static {
    /// Takes a batch; must not block.
    fn deliver(&mut self, events: Vec<PoolEvent>);
}

/// A handle to a pool. When the last one is dropped the pool finishes what it holds, then closes.
#[derive(Clone)]
pub struct Pool {
    mailbox: Arc<Mailbox>,
    common: Common,
}

/// The way to the pool's task, and past it once that is gone.
struct Mailbox {
    requests: mpsc::UnboundedSender<actor::Mail>,
    events: Mutex<Box<dyn EventSink>>,
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        // A pool that ended needs no farewell.
        let _ = self.requests.send(actor::Mail::Request(Request::Drain));
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("ended", &self.mailbox.requests.is_closed()).finish_non_exhaustive()
    }
}

impl Pool {
    /// Starts a pool on the current runtime, with at least one host.
    pub fn start(options: PoolOptions, hosts: Vec<Arc<Settings>>, sink: impl EventSink + Clone) -> Self {
        let common = Common::new(&options);
        Self::join(common, options, hosts, sink)
    }

    /// Starts a pool that shares this one's limits on the rate, instead of those in `options`, and
    /// its latency figures: the pool of another account.
    pub fn start_beside(
        &self,
        options: PoolOptions,
        hosts: Vec<Arc<Settings>>,
        sink: impl EventSink + Clone,
    ) -> Self {
        Self::join(self.common.clone(), options, hosts, sink)
    }

    fn join(
        common: Common,
        options: PoolOptions,
        hosts: Vec<Arc<Settings>>,
        sink: impl EventSink + Clone,
    ) -> Self {
        let events = Mutex::new(Box::new(sink.clone()) as Box<dyn EventSink>);
        let requests = actor::start(options, hosts, common.join(), sink);
        Self { mailbox: Arc::new(Mailbox { requests, events }), common }
    }

    /// Queues messages, in this order. The pool's task is woken once for all of them.
    pub fn submit(&self, submissions: Vec<Submission>) {
        self.ask(Request::Submit(submissions));
    }

    /// Gives a message up; it settles with `EABORT` unless it settled before.
    pub fn cancel(&self, id: u64) {
        self.ask(Request::Cancel(id));
    }

    /// Connects and logs in once, outside the pool's connections.
    pub fn verify(&self, id: u64) {
        self.ask(Request::Verify(id));
    }

    /// Fails what is queued but for the first `assigned` messages, lets what is in flight finish
    /// (or not, with `force`), then ends.
    pub fn close(&self, force: bool, assigned: usize) {
        self.ask(Request::Close { force, assigned });
    }

    /// Sends what is queued, then ends.
    pub fn drain(&self) {
        self.ask(Request::Drain);
    }

    /// Gives back what is queued, lets what is in flight finish, then ends.
    pub fn give_back(&self) {
        self.ask(Request::GiveBack);
    }

    /// Stops or resumes handing out messages.
    pub fn pause(&self, paused: bool) {
        self.ask(Request::Pause(paused));
    }

    /// Changes bounds at run time.
    pub fn resize(&self, resize: Resize) {
        self.ask(Request::Resize(resize));
    }

    /// Starts a new generation of connections, to the same hosts.
    pub fn rotate(&self, hosts: Vec<Arc<Settings>>) {
        self.ask(Request::Rotate(hosts));
    }

    /// Answers [`PoolEvent::TokenWanted`].
    pub fn token(&self, connection: ConnectionId, token: Result<Secret, Error>) {
        self.ask(Request::Token(connection, token));
    }

    /// Sends a line of the caller's authentication handler.
    pub fn auth_command(&self, connection: ConnectionId, line: String) {
        self.ask(Request::AuthCommand(connection, line));
    }

    /// The caller's authentication handler is done.
    pub fn auth_done(&self, connection: ConnectionId, result: Result<(), Error>) {
        self.ask(Request::AuthDone(connection, result));
    }

    /// Asks for a snapshot.
    pub fn stats(&self, id: u64) {
        self.ask(Request::Stats(id));
    }

    /// Drops every connection at once and ends without a word.
    pub fn abandon(&self) {
        self.ask(Request::Abandon);
    }

    /// What a pool that ended can no longer answer is answered here.
    fn ask(&self, request: Request) {
        let Err(mpsc::error::SendError(actor::Mail::Request(request))) =
            self.mailbox.requests.send(actor::Mail::Request(request))
        else {
            return;
        };
        let refused = actor::refusals(&request);
        if !refused.is_empty() {
            let mut events = self.mailbox.events.lock().unwrap_or_else(PoisonError::into_inner);
            events.deliver(refused);
        }
    }
}
