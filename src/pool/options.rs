//! The pool's bounds, with nodemailer's defaults where it has them.

use std::time::Duration;

/// A bound on message starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// So many starts …
    pub limit: u32,
    /// … in any window of this length.
    pub delta: Duration,
}

/// A lane and its share.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneWeight {
    /// Name.
    pub name: String,
    /// Share relative to the other lanes; 1 where a lane has none.
    pub weight: u32,
}

/// What a pool may do.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Connections open at once.
    pub max_connections: usize,
    /// Connections kept open without work.
    pub min_connections: usize,
    /// Handshakes at once.
    pub max_connecting: usize,
    /// Messages given to a connection before it is replaced.
    pub max_messages: u32,
    /// How often a message may go back to the queue; `None` for no bound.
    pub max_requeues: Option<u32>,
    /// How long a connection may stay open without work; `None` for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a connection may stay open at all, shortened by up to 10 % at random.
    pub max_lifetime: Option<Duration>,
    /// Message starts.
    pub rate: Option<RateLimit>,
    /// Recipients a second.
    pub max_recipients_per_second: Option<u32>,
    /// Octets a second.
    pub max_bytes_per_second: Option<u64>,
    /// Messages in the queue.
    pub max_queue: Option<usize>,
    /// Octets held by messages in the queue.
    pub max_queue_bytes: Option<usize>,
    /// How long a message may wait for a connection.
    pub queue_timeout: Option<Duration>,
    /// How long a message may take altogether.
    pub timeout: Option<Duration>,
    /// Lanes with a weight.
    pub lanes: Vec<LaneWeight>,
    /// Send messages in doubt again.
    pub retry_in_doubt: bool,
    /// Learn the server's limits from what it says.
    pub learn_limits: bool,
    /// Connections log in.
    pub login: bool,
    /// Tell about every step of every message and connection.
    pub verbose: bool,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            max_connections: 5,
            min_connections: 0,
            max_connecting: 2,
            max_messages: 100,
            max_requeues: Some(5),
            idle_timeout: Some(Duration::from_secs(240)),
            max_lifetime: None,
            rate: None,
            max_recipients_per_second: None,
            max_bytes_per_second: None,
            max_queue: None,
            max_queue_bytes: None,
            queue_timeout: None,
            timeout: None,
            lanes: Vec::new(),
            retry_in_doubt: false,
            learn_limits: true,
            login: false,
            verbose: false,
        }
    }
}

/// Bounds that can change at run time; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resize {
    /// Connections open at once.
    pub max_connections: Option<usize>,
    /// Connections kept open.
    pub min_connections: Option<usize>,
    /// Message starts; `Some(None)` switches the limit off.
    pub rate: Option<Option<RateLimit>>,
}
