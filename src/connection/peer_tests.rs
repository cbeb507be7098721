//! What the tests of the driver share: a connection over an in-memory pipe, the server's end of it
//! played by hand, and messages.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;
use crate::error::{Code, Result};
use crate::mail::{Body, ChunkSource, Envelope, Prepared};
use crate::net::{Tls, TlsOptions};

/// `socketTimeout` of the tests.
pub(super) const SILENCE: Duration = Duration::from_secs(10);
/// `greetingTimeout` of the tests.
pub(super) const GREETING: Duration = Duration::from_secs(4);

/// Everything a server may offer, without LIMITS.
pub(super) const FULL: &str = "250-me|250-PIPELINING|250-CHUNKING|250-8BITMIME|250 SIZE 100000000|";
pub(super) const PIPELINING: &str = "250-me|250 PIPELINING|";
pub(super) const PLAIN: &str = "250 me|";

/// A message made for a test.
#[derive(Debug, Default)]
pub(super) struct Note {
    pub(super) envelope: Envelope,
    pub(super) body: Bytes,
    /// The body comes in these pieces, with pauses before each.
    pub(super) pieces: Option<Vec<(Duration, Result<Bytes>)>>,
    pub(super) held: usize,
    /// `prepare` fails.
    pub(super) broken: bool,
}

impl Note {
    pub(super) fn to(recipients: &[&str]) -> Self {
        let to = recipients.iter().map(|to| (*to).to_owned()).collect();
        let envelope = Envelope { from: "a@x".into(), to, ..Envelope::default() };
        Self { envelope, body: Bytes::from_static(b"hi"), ..Self::default() }
    }

    pub(super) fn of(size: usize) -> Self {
        Self { body: vec![b'x'; size].into(), ..Self::to(&["b@x"]) }
    }

    /// A body in pieces; an error ends it early.
    pub(super) fn in_pieces(pieces: Vec<(Duration, Result<Bytes>)>) -> Self {
        Self { pieces: Some(pieces), ..Self::to(&["b@x"]) }
    }
}

impl Message for Note {
    fn prepare(&self) -> Result<Prepared> {
        if self.broken {
            return Err(Error::new(Code::Stream, "no such file"));
        }
        let body = match &self.pieces {
            None => Body::Whole(self.body.clone()),
            Some(pieces) => Body::Chunks(Box::new(Pieces(pieces.clone().into_iter().rev().collect(), None))),
        };
        Ok(Prepared { envelope: self.envelope.clone(), message_id: "<1@x>".into(), body })
    }

    fn replayable(&self) -> bool {
        self.pieces.is_none()
    }

    fn held_bytes(&self) -> usize {
        self.held
    }
}

#[derive(Debug)]
struct Pieces(Vec<(Duration, Result<Bytes>)>, Option<std::pin::Pin<Box<tokio::time::Sleep>>>);

impl ChunkSource for Pieces {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let Some((pause, _)) = self.0.last() else { return Poll::Ready(None) };
        let sleep = self.1.get_or_insert_with(|| Box::pin(tokio::time::sleep(*pause)));
        std::task::ready!(sleep.as_mut().poll(cx));
        self.1 = None;
        Poll::Ready(self.0.pop().map(|(_, piece)| piece))
    }
}

pub(super) fn settings(pipelining: Pipelining) -> Settings {
    let tls = Tls::new(TlsOptions::default()).expect("default TLS options");
    Settings {
        target: Arc::new(Target {
            host: "server.test".into(),
            port: 25,
            secure: false,
            servername: None,
            local_address: None,
            proxy: None,
            tls: Arc::new(tls),
            dns_timeout: GREETING,
        }),
        handshake: HandshakeOptions { name: "client.test".into(), ..HandshakeOptions::default() },
        pipelining,
        ladder: Arc::default(),
        connection_timeout: Duration::from_secs(60),
        greeting_timeout: GREETING,
        socket_timeout: SILENCE,
        max_response_size: 2000,
    }
}

/// A connection at work, and both of its ends.
pub(super) struct Rig {
    pub(super) orders: mpsc::UnboundedSender<Order>,
    pub(super) reports: mpsc::UnboundedReceiver<Report>,
    pub(super) io: DuplexStream,
    next: u64,
}

impl Rig {
    /// Starts a connection over a pipe that holds `capacity` octets in each direction.
    pub(super) fn start(settings: Settings, capacity: usize) -> Self {
        let (client, io) = duplex(capacity);
        Self::over(settings, client, io)
    }

    /// Starts a connection over one end of a pipe.
    pub(super) fn over(settings: Settings, client: impl Socket + 'static, io: DuplexStream) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (to, reports) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let reports = Reports { to, wrap: |_, report| report, id: 1 };
            run(async { Ok(client) }, &Arc::new(settings), Instant::now(), inbox, &reports).await;
        });
        Self { orders, reports, io, next: 0 }
    }

    /// A connection that is ready, to a server that announces `ehlo`.
    pub(super) async fn ready(pipelining: Pipelining, ehlo: &str) -> Self {
        Self::ready_with(settings(pipelining), ehlo).await
    }

    pub(super) async fn ready_with(settings: Settings, ehlo: &str) -> Self {
        let mut rig = Self::start(settings, 1 << 16);
        rig.shake_hands(ehlo).await;
        rig
    }

    /// Plays the server until the connection is ready.
    pub(super) async fn shake_hands(&mut self, ehlo: &str) {
        self.say("220 me|").await;
        self.hear(1).await;
        self.say(ehlo).await;
        let ready = self.reports.recv().await;
        assert!(matches!(ready, Some(Report::Ready(_))), "{ready:?}");
    }

    /// Orders a message to be sent; gives its number.
    pub(super) fn send(&mut self, note: Note) -> u64 {
        self.next += 1;
        let message = Arc::new(note);
        self.orders
            .send(Order::Send(Job { id: self.next, message, so_far: None }))
            .expect("a running connection");
        self.next
    }

    pub(super) fn order(&self, order: Order) {
        self.orders.send(order).expect("a running connection");
    }

    /// Writes for the server; `|` is a line end.
    pub(super) async fn say(&mut self, text: &str) {
        self.io.write_all(text.replace('|', "\r\n").as_bytes()).await.expect("an open connection");
    }

    /// Reads so many lines for the server; line ends become `|`.
    pub(super) async fn hear(&mut self, lines: usize) -> String {
        let mut heard = Vec::new();
        while heard.iter().filter(|byte| **byte == b'\n').count() < lines {
            heard.push(self.io.read_u8().await.expect("an open connection"));
        }
        String::from_utf8_lossy(&heard).replace("\r\n", "|")
    }

    /// Everything the client sends until it closes.
    pub(super) async fn hear_out(&mut self) -> String {
        let mut heard = Vec::new();
        // Whether it closes in good order does not matter here.
        let _ = self.io.read_to_end(&mut heard).await;
        String::from_utf8_lossy(&heard).replace("\r\n", "|")
    }

    /// The next outcome: `id:ok`, or `id:CODE/phase`, `!` where it may be sent again and `*` where
    /// its body was read.
    pub(super) async fn outcome(&mut self) -> String {
        loop {
            match self.reports.recv().await {
                Some(Report::Settled { id, result: Ok(receipt) }) => {
                    return format!("{id}:ok({})", receipt.accepted.join(","));
                }
                Some(Report::Settled { id, result: Err(undelivered) }) => {
                    let phase = undelivered.error.phase().map_or("none", Phase::name);
                    let unsent = if undelivered.unsent { "!" } else { "" };
                    let read = if undelivered.body_read { "*" } else { "" };
                    return format!("{id}:{}/{phase}{unsent}{read}", undelivered.error.code().name());
                }
                Some(Report::Log(_) | Report::Depth(_)) => {}
                Some(report) => return format!("{report:?}"),
                None => return "gone".into(),
            }
        }
    }

    /// The error the connection ended with, `None` if it ended in good order.
    pub(super) async fn closed(&mut self) -> Option<Error> {
        match self.reports.recv().await {
            Some(Report::Closed(closed)) => closed.error,
            other => panic!("not closed: {other:?}"),
        }
    }
}

/// The reason of an order to give up.
pub(super) fn given_up() -> Error {
    Error::new(Code::Abort, "given up")
}
