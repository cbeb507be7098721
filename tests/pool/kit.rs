//! A pool with its events on one side, a server with its books on the other.

// Every test file has its own copy and uses a part of it.
#![allow(dead_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use postpool::error::{Error, Result};
use postpool::mail::{Body, Envelope, Message, Prepared};
use postpool::pool::{
    EventSink, HandshakeOptions, Ladder, Pipelining, Pool, PoolEvent, PoolOptions, Settings, Submission,
    Target, Tls, TlsOptions,
};
use postpool_testkit::{Config, Sink};
use tokio::sync::mpsc;

/// Longer than any test takes: what does not end by itself fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A message to one recipient, named after its number.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) id: u64,
    pub(crate) body: Bytes,
    /// Composing it panics.
    pub(crate) bomb: bool,
}

impl Letter {
    pub(crate) fn new(id: u64) -> Self {
        Self { id, body: Bytes::from_static(b"Subject: hello\r\n\r\nHello\r\n"), bomb: false }
    }
}

impl Message for Letter {
    fn prepare(&self) -> Result<Prepared> {
        assert!(!self.bomb, "a message that cannot be composed");
        let to = vec![format!("m{}@example.net", self.id)];
        let envelope = Envelope { from: "sender@example.com".into(), to, ..Envelope::default() };
        let message_id = format!("<{}@example.com>", self.id);
        Ok(Prepared { envelope, message_id, body: Body::Whole(self.body.clone()) })
    }

    fn replayable(&self) -> bool {
        true
    }

    fn held_bytes(&self) -> usize {
        self.body.len()
    }
}

/// Events into a channel.
#[derive(Clone)]
pub(crate) struct Events {
    to: mpsc::UnboundedSender<PoolEvent>,
    /// The next delivery panics.
    bomb: Arc<AtomicBool>,
}

impl EventSink for Events {
    fn deliver(&mut self, events: Vec<PoolEvent>) {
        assert!(!self.bomb.swap(false, Ordering::Relaxed), "an owner that fails");
        for event in events {
            // A test that has seen enough does not listen any more.
            let _ = self.to.send(event);
        }
    }
}

pub(crate) struct Client {
    pub(crate) handle: Option<Pool>,
    events: mpsc::UnboundedReceiver<PoolEvent>,
    pub(crate) bomb: Arc<AtomicBool>,
}

/// How a message ended.
pub(crate) type Outcome = std::result::Result<(), Error>;

impl Client {
    pub(crate) fn new(options: PoolOptions, settings: Settings) -> Self {
        Self::with_hosts(options, vec![settings])
    }

    pub(crate) fn with_hosts(options: PoolOptions, hosts: Vec<Settings>) -> Self {
        let hosts = hosts.into_iter().map(Arc::new).collect();
        let (to, events) = mpsc::unbounded_channel();
        let bomb = Arc::new(AtomicBool::new(false));
        let sink = Events { to, bomb: Arc::clone(&bomb) };
        Self { handle: Some(Pool::start(options, hosts, sink)), events, bomb }
    }

    pub(crate) fn pool(&self) -> &Pool {
        self.handle.as_ref().expect("a handle that was not dropped")
    }

    pub(crate) fn submit(&self, ids: impl IntoIterator<Item = u64>) {
        ids.into_iter().for_each(|id| self.send(Letter::new(id)));
    }

    pub(crate) fn send(&self, letter: Letter) {
        let id = letter.id;
        self.pool().submit(Submission { id, message: Arc::new(letter), lane: None, timeout: None });
    }

    /// The next event; fails the test if none comes.
    pub(crate) async fn event(&mut self) -> PoolEvent {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        event.expect("an event in time").expect("a pool that is still there")
    }

    /// The next message that is over.
    pub(crate) async fn settled(&mut self) -> (u64, Outcome) {
        loop {
            if let PoolEvent::Settled { id, result, .. } = self.event().await {
                return (id, result.map(|_| ()));
            }
        }
    }

    /// The next `count` messages that are over, by number.
    pub(crate) async fn settle(&mut self, count: usize) -> Vec<(u64, Outcome)> {
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(self.settled().await);
        }
        all.sort_by_key(|(id, _)| *id);
        all
    }

    /// Everything up to the end of the pool.
    pub(crate) async fn ended(&mut self) -> Vec<PoolEvent> {
        let mut events = Vec::new();
        loop {
            match self.event().await {
                PoolEvent::Ended => return events,
                event => events.push(event),
            }
        }
    }
}

/// A server on the loopback interface, and how to reach it.
pub(crate) async fn server(config: Config) -> (Sink, Settings) {
    let sink = Sink::new(config).expect("a valid configuration");
    let port = sink.listen("127.0.0.1:0").await.expect("a free port").port();
    (sink, settings(port))
}

pub(crate) fn settings(port: u16) -> Settings {
    let target = Target {
        host: "127.0.0.1".into(),
        port,
        secure: false,
        servername: None,
        local_address: None,
        proxy: None,
        tls: Arc::new(Tls::new(TlsOptions::default()).expect("valid TLS options")),
        dns_timeout: PATIENCE,
    };
    Settings {
        target: Arc::new(target),
        handshake: HandshakeOptions { name: "client.test".into(), ..HandshakeOptions::default() },
        pipelining: Pipelining::Auto,
        ladder: Arc::new(Ladder::default()),
        connection_timeout: PATIENCE,
        greeting_timeout: PATIENCE,
        socket_timeout: PATIENCE,
        max_response_size: 64 * 1024,
    }
}

/// Waits until something is so, without a clock.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it in time");
}

/// Tasks that live beside this one.
pub(crate) fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}
