//! Runs a session over a connection: reads, acts out effects, keeps the order.

use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::time::{sleep, timeout};

use crate::clock::Clock;
use crate::effect::{Effect, Effects};
use crate::link::Link;
use crate::server::{Handshake, Server};
use crate::sink::Shared;
use crate::stats::count;
use crate::transport::{Stream, Transport};

const READ_SIZE: usize = 256 * 1024;
/// How long a closed connection waits for the client to close too. Dropping it at once would
/// turn the FIN into a RST when octets are still unread.
const LINGER: Duration = Duration::from_secs(5);
/// How long a connection that reads and writes no more is held. It cannot see the client go.
const STALL: Duration = Duration::from_secs(600);

/// Serves one connection until it ends.
pub(crate) async fn run<S: Transport>(shared: Arc<Shared>, transport: S, clock: Clock) {
    let one_way = shared.config.one_way();
    let mut connection = Connection {
        stream: Some(Stream::Plain(Link::new(transport, one_way, clock))),
        server: Server::new(Arc::clone(&shared)),
        buffer: vec![0; shared.config.window.unwrap_or(READ_SIZE).max(1)],
        shared,
    };
    // A connection that breaks ends the session, nothing else.
    let _ = connection.run().await;
}

struct Connection<S> {
    /// Absent only while the handshake has it.
    stream: Option<Stream<S>>,
    server: Server,
    buffer: Vec<u8>,
    shared: Arc<Shared>,
}

/// Whether the session goes on.
#[derive(PartialEq, Eq)]
enum Flow {
    Continue,
    End,
}

impl<S: Transport> Connection<S> {
    async fn run(&mut self) -> io::Result<()> {
        if self.shared.config.tls && self.start_tls().await? == Flow::End {
            return Ok(());
        }
        if self.greet().await? == Flow::End {
            return Ok(());
        }
        loop {
            let mut effects = self.server.effects();
            match self.read().await? {
                Some(0) => return Ok(()),
                Some(n) => self.server.feed(&self.buffer[..n], &mut effects),
                None => self.server.idle(&mut effects),
            }
            if self.act(effects).await? == Flow::End {
                return Ok(());
            }
        }
    }

    async fn greet(&mut self) -> io::Result<Flow> {
        let mut effects = self.server.effects();
        self.server.greeting(&mut effects);
        let mut list = effects.take();
        if let Some(Effect::Delay(delay)) = list.first() {
            let delay = *delay;
            list.remove(0);
            sleep(delay).await;
        }
        self.notice_early_input().await?;
        self.act_all(list).await
    }

    /// Looks for octets that are there before the greeting is.
    async fn notice_early_input(&mut self) -> io::Result<()> {
        let Self { stream, buffer, .. } = self;
        let Some(stream) = stream else { return Ok(()) };
        let read = std::future::poll_fn(|cx| {
            let mut buf = ReadBuf::new(buffer);
            Poll::Ready(match std::pin::Pin::new(&mut *stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) => buf.filled().len(),
                _ => 0,
            })
        });
        let n = read.await;
        if n > 0 {
            self.server.early_input();
            if let Stream::Plain(link) = stream {
                link.unread(&buffer[..n]);
            }
        }
        Ok(())
    }

    /// Reads once; `None` if the client was idle for as long as the script waits.
    async fn read(&mut self) -> io::Result<Option<usize>> {
        let Some(stream) = &mut self.stream else { return Ok(Some(0)) };
        match self.server.idle_after() {
            None => stream.read(&mut self.buffer).await.map(Some),
            Some(after) => timeout(after, stream.read(&mut self.buffer)).await.ok().transpose(),
        }
    }

    async fn act(&mut self, mut effects: Effects) -> io::Result<Flow> {
        let list = effects.take();
        self.act_all(list).await
    }

    async fn act_all(&mut self, list: Vec<Effect>) -> io::Result<Flow> {
        for effect in list {
            let Some(stream) = &mut self.stream else { return Ok(Flow::End) };
            match effect {
                Effect::Write(bytes) => {
                    stream.write_all(&bytes).await?;
                    stream.flush().await?;
                }
                Effect::Drip(bytes, interval) => drip(stream, &bytes, interval).await?,
                Effect::Delay(delay) => {
                    stream.link().drain().await?;
                    sleep(delay).await;
                }
                Effect::StartTls => {
                    if Box::pin(self.start_tls()).await? == Flow::End {
                        return Ok(Flow::End);
                    }
                }
                Effect::Close => {
                    self.close().await?;
                    return Ok(Flow::End);
                }
                Effect::Reset => {
                    stream.link().drain().await?;
                    stream.link().reset();
                    return Ok(Flow::End);
                }
                Effect::Stall => {
                    stream.link().drain().await?;
                    sleep(STALL).await;
                    return Ok(Flow::End);
                }
            }
        }
        Ok(Flow::Continue)
    }

    async fn close(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        stream.shutdown().await?;
        let drained = timeout(LINGER, async {
            while stream.read(&mut self.buffer).await? > 0 {}
            io::Result::Ok(())
        });
        drained.await.unwrap_or(Ok(()))
    }

    async fn start_tls(&mut self) -> io::Result<Flow> {
        let Some(Stream::Plain(mut link)) = self.stream.take() else { return Ok(Flow::End) };
        let n = link.read(&mut self.buffer).await?;
        link.unread(&self.buffer[..n]);
        self.stream = Some(Stream::Plain(link));
        let mut effects = self.server.effects();
        let handshake = self.server.handshake(&mut effects);
        let flow = Box::pin(self.act(effects)).await?;
        if flow == Flow::End {
            return Ok(Flow::End);
        }
        let Some(Stream::Plain(mut link)) = self.stream.take() else { return Ok(Flow::End) };
        match handshake {
            Handshake::Replaced => return self.ignore(link).await,
            Handshake::Trickle(interval) => link.trickle(interval),
            Handshake::Regular => {}
        }
        self.accept(link).await
    }

    async fn accept(&mut self, link: Link<S>) -> io::Result<Flow> {
        let Some(tls) = &self.shared.tls else { return Ok(Flow::End) };
        match tls.0.accept(link).await {
            Ok(mut stream) => {
                stream.get_mut().0.flow();
                let resumed = stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
                let counters = &self.shared.counters;
                count(if resumed { &counters.tls_resumed } else { &counters.tls_full });
                self.server.encrypted();
                self.stream = Some(Stream::Tls(Box::new(stream)));
                Ok(Flow::Continue)
            }
            Err(error) => {
                count(&self.shared.counters.tls_failed);
                Err(error)
            }
        }
    }

    /// Reads until the client goes away. Behind a handshake that failed there is nothing else.
    async fn ignore(&mut self, mut link: Link<S>) -> io::Result<Flow> {
        while link.read(&mut self.buffer).await? > 0 {}
        Ok(Flow::End)
    }
}

async fn drip<S: Transport>(stream: &mut Stream<S>, bytes: &[u8], interval: Duration) -> io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        stream.flush().await?;
        if interval.is_zero() {
            tokio::task::yield_now().await;
        } else {
            sleep(interval).await;
        }
    }
    Ok(())
}
