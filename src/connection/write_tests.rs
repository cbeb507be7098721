//! How often a connection writes: a system call and a packet each.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

use super::peer_tests::*;
use super::*;

/// A pipe that counts what is written to it.
struct Counted {
    io: DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Socket for Counted {
    async fn start_tls(self, _: &Target) -> crate::error::Result<Self> {
        Ok(self)
    }
}

/// Messages come as the pool gives them: as many as the connection takes at once, then one for each
/// that is over. What the next one needs has to be at hand when a reply comes.
#[tokio::test(start_paused = true)]
async fn behind_a_body_the_next_envelope_leaves_in_the_same_write() {
    const MESSAGES: usize = 6;
    let (client, io) = duplex(1 << 16);
    let writes = Arc::new(AtomicUsize::new(0));
    let socket = Counted { io: client, writes: Arc::clone(&writes) };
    let mut rig = Rig::over(settings(Pipelining::Auto), socket, io);
    rig.say("220 me|").await;
    rig.hear(1).await;
    rig.say(PIPELINING).await;
    let Some(Report::Ready(ready)) = rig.reports.recv().await else { panic!("not ready") };
    let before = writes.load(Ordering::Relaxed);
    for _ in 0..ready.depth {
        rig.send(Note::to(&["b@x"]));
    }
    rig.hear(3).await;
    rig.say("250 ok|250 ok|354 go|").await;
    for id in 1..=MESSAGES {
        assert_eq!(rig.hear(6).await, "hi|.|RSET|MAIL FROM:<a@x>|RCPT TO:<b@x>|DATA|");
        rig.say("250 taken|250 reset|250 ok|250 ok|354 go|").await;
        assert_eq!(rig.outcome().await, format!("{id}:ok(b@x)"));
        rig.send(Note::to(&["b@x"]));
    }
    rig.hear(6).await;
    // The first envelope, and each body.
    assert_eq!(writes.load(Ordering::Relaxed) - before, 1 + MESSAGES + 1);
}
