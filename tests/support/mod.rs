//! A pool against the test kit's server, over loopback TCP.

// Every test file has its own copy and uses a part of it.
#![allow(dead_code)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use postpool::connection::{Credentials, HandshakeOptions, Pipelining, Secret, Settings};
use postpool::error::{Error, Result};
use postpool::mail::{Body, ChunkSource, Envelope, Message, Prepared, Receipt};
use postpool::net::{Target, Tls, TlsOptions};
use postpool::pool::{EventSink, Pool, PoolEvent, PoolOptions, Submission};
use postpool_testkit::TEST_CERT_PEM;
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep, timeout};

/// Longest wait for anything in a test; running into it is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A message to send.
#[derive(Clone, Debug, Default)]
pub(crate) struct Letter {
    pub(crate) envelope: Envelope,
    pub(crate) id: String,
    pub(crate) body: Bytes,
    /// Pause after this many octets of the body.
    pub(crate) pause: Option<(usize, Duration)>,
    /// The body can be read once.
    pub(crate) one_shot: bool,
}

impl Letter {
    /// A letter that names its id in its header.
    pub(crate) fn new(id: &str, from: &str, to: &[&str], size: usize) -> Self {
        let mut body = format!("Message-ID: {id}\r\nSubject: test\r\n\r\n");
        while body.len() < size {
            body.push_str(".a line that begins with a dot, to be told from the one that ends it\r\n");
        }
        let to = to.iter().map(|to| (*to).to_owned()).collect();
        let envelope = Envelope { from: from.to_owned(), to, ..Envelope::default() };
        Self { envelope, id: id.to_owned(), body: body.into(), ..Self::default() }
    }
}

impl Message for Letter {
    fn prepare(&self) -> Result<Prepared> {
        let body = match self.pause {
            None => Body::Whole(self.body.clone()),
            Some((at, pause)) => {
                let (head, tail) = (self.body.slice(..at), self.body.slice(at..));
                Body::Chunks(Box::new(Paced { pieces: vec![tail, head], pause, sleep: None }))
            }
        };
        Ok(Prepared { envelope: self.envelope.clone(), message_id: self.id.clone(), body })
    }

    fn replayable(&self) -> bool {
        !self.one_shot
    }

    fn held_bytes(&self) -> usize {
        self.body.len()
    }
}

/// Pieces with a pause before each but the first; the next one is the last of the list.
#[derive(Debug)]
struct Paced {
    pieces: Vec<Bytes>,
    pause: Duration,
    sleep: Option<std::pin::Pin<Box<Sleep>>>,
}

impl ChunkSource for Paced {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if let Some(sleep) = &mut self.sleep {
            std::task::ready!(sleep.as_mut().poll(cx));
        }
        self.sleep = Some(Box::pin(sleep(self.pause)));
        Poll::Ready(self.pieces.pop().map(Ok))
    }
}

/// How long a test waits for a server that does not answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits(pub(crate) Duration);

/// Settings towards a server of the test kit.
pub(crate) fn settings(address: SocketAddr, pipelining: Pipelining, waits: Waits) -> Settings {
    let ca = Some(vec![TEST_CERT_PEM.as_bytes().to_vec()]);
    let tls = Tls::new(TlsOptions { ca, ..TlsOptions::default() }).expect("usable TLS options");
    Settings {
        target: Arc::new(Target {
            host: address.ip().to_string(),
            port: address.port(),
            secure: false,
            servername: Some("localhost".into()),
            local_address: None,
            proxy: None,
            tls: Arc::new(tls),
            dns_timeout: waits.0,
        }),
        handshake: HandshakeOptions {
            name: "client.test".into(),
            server: ("localhost".into(), address.port()),
            nonce: "fresh".into(),
            ..HandshakeOptions::default()
        },
        pipelining,
        ladder: Arc::default(),
        connection_timeout: waits.0 * 2,
        greeting_timeout: waits.0,
        socket_timeout: waits.0,
        max_response_size: 64 * 1024,
    }
}

/// The account the tests log in with.
pub(crate) fn credentials(user: &str, password: &str) -> Credentials {
    Credentials { user: user.into(), password: Some(Secret::new(password)), oauth2: false, method: None }
}

#[derive(Clone)]
struct Forward(mpsc::UnboundedSender<PoolEvent>);

impl EventSink for Forward {
    fn deliver(&mut self, events: Vec<PoolEvent>) {
        for event in events {
            // A test that is over wants no more events.
            let _ = self.0.send(event);
        }
    }
}

/// A pool, and what became of the letters it was given.
pub(crate) struct Office {
    pub(crate) pool: Pool,
    pub(crate) outcomes: HashMap<u64, Vec<Result<Receipt, Error>>>,
    /// Everything the pool told, for what must not be in it.
    pub(crate) told: Vec<String>,
    events: mpsc::UnboundedReceiver<PoolEvent>,
    sent: u64,
    settled: u64,
    ended: bool,
}

impl Office {
    pub(crate) fn open(options: PoolOptions, settings: Settings) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let pool = Pool::start(options, vec![Arc::new(settings)], Forward(sender));
        let outcomes = HashMap::new();
        Self { pool, outcomes, told: Vec::new(), events, sent: 0, settled: 0, ended: false }
    }

    /// Hands a letter in; gives its number.
    pub(crate) fn post(&mut self, letter: Letter) -> u64 {
        self.sent += 1;
        let message = Arc::new(letter);
        self.pool.submit(Submission { id: self.sent, message, lane: None, timeout: None });
        self.sent
    }

    /// Waits until every letter has an outcome; gives whether that came to pass.
    pub(crate) async fn settle(&mut self) -> bool {
        timeout(PATIENCE, async {
            while self.settled < self.sent {
                self.next().await;
            }
        })
        .await
        .is_ok()
    }

    /// Posts one letter and gives what became of it.
    pub(crate) async fn deliver(&mut self, letter: Letter) -> Result<Receipt, Error> {
        let number = self.post(letter);
        assert!(self.settle().await, "the letter has no outcome");
        self.outcomes.get(&number).and_then(|all| all.first()).cloned().expect("an outcome")
    }

    /// Ends the pool in good order; gives whether it ended.
    pub(crate) async fn close(&mut self) -> bool {
        self.pool.drain();
        timeout(PATIENCE, async {
            while !self.ended {
                self.next().await;
            }
        })
        .await
        .is_ok()
    }

    async fn next(&mut self) {
        let Some(event) = self.events.recv().await else {
            self.ended = true;
            return std::future::pending().await;
        };
        self.told.push(format!("{event:?}"));
        match event {
            PoolEvent::Settled { id, result, .. } => {
                let outcomes = self.outcomes.entry(id).or_default();
                self.settled += u64::from(outcomes.is_empty());
                outcomes.push(result.map(|receipt| *receipt));
            }
            PoolEvent::Ended => self.ended = true,
            _ => {}
        }
    }
}
