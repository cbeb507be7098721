//! A long line between client and sink: what is read and written arrives later, in order, and
//! the rate does not suffer.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::clock::{Clock, Timer};
use crate::transport::Transport;

/// Octets under way in one direction before the line is full.
const CAPACITY: usize = 16 << 20;
const READ_SIZE: usize = 64 * 1024;

/// A connection with latency, and with octets that can be put back to be read again.
#[derive(Debug)]
pub(crate) struct Link<S> {
    inner: S,
    unread: Vec<u8>,
    delay: Option<Box<Delay>>,
}

/// The two directions of a line that takes time.
#[derive(Debug)]
struct Delay {
    one_way: Duration,
    inbound: Lane,
    outbound: Lane,
    /// The other side closed; it is told once everything before it has arrived.
    end: Option<io::Result<()>>,
    /// Octets are sent one by one, with this pause.
    trickle: Option<Duration>,
    buffer: Box<[u8]>,
}

/// Octets on their way.
#[derive(Debug)]
struct Lane {
    queue: VecDeque<(Instant, Vec<u8>)>,
    octets: usize,
    /// How much of the first piece has arrived already.
    taken: usize,
    timer: Timer,
}

impl Lane {
    fn new(clock: Clock) -> Self {
        Self { queue: VecDeque::new(), octets: 0, taken: 0, timer: Timer::new(clock) }
    }

    fn push(&mut self, due: Instant, data: &[u8]) {
        self.octets += data.len();
        self.queue.push_back((due, data.to_vec()));
    }

    fn full(&self) -> bool {
        self.octets >= CAPACITY
    }

    /// Waits until the first piece has arrived; `None` if nothing is on its way.
    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<Option<&[u8]>> {
        let Some((due, _)) = self.queue.front() else { return Poll::Ready(None) };
        ready!(self.timer.poll_until(*due, cx));
        Poll::Ready(self.queue.front().map(|(_, data)| &data[self.taken..]))
    }

    fn consume(&mut self, n: usize) {
        self.octets -= n;
        self.taken += n;
        if self.queue.front().is_some_and(|(_, data)| data.len() <= self.taken) {
            self.queue.pop_front();
            self.taken = 0;
        }
    }
}

impl<S: Transport> Link<S> {
    pub(crate) fn new(inner: S, one_way: Option<Duration>, clock: Clock) -> Self {
        let delay = one_way.map(|one_way| Box::new(Delay::new(one_way, clock)));
        Self { inner, unread: Vec::new(), delay }
    }

    /// From now on each octet is written by itself, `interval` after the one before.
    pub(crate) fn trickle(&mut self, interval: Duration) {
        let delay = self.delay.get_or_insert_with(|| Box::new(Delay::new(Duration::ZERO, Clock::Runtime)));
        delay.trickle = Some(interval);
    }

    /// Ends [`Link::trickle`].
    pub(crate) fn flow(&mut self) {
        if let Some(delay) = &mut self.delay {
            delay.trickle = None;
        }
    }

    /// Puts octets back; they are read again first.
    pub(crate) fn unread(&mut self, octets: &[u8]) {
        self.unread.splice(0..0, octets.iter().copied());
    }

    /// See [`Transport::reset`]. What is still under way is lost.
    pub(crate) fn reset(&mut self) {
        self.inner.reset();
    }

    /// Waits until everything written has arrived.
    pub(crate) async fn drain(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| match &mut self.delay {
            Some(delay) => delay.poll_out(&mut self.inner, cx),
            None => Poll::Ready(Ok(())),
        })
        .await
    }
}

impl Delay {
    fn new(one_way: Duration, clock: Clock) -> Self {
        Self {
            one_way,
            inbound: Lane::new(clock),
            outbound: Lane::new(clock),
            end: None,
            trickle: None,
            buffer: vec![0; READ_SIZE].into(),
        }
    }

    fn send(&mut self, data: &[u8]) {
        let due = Instant::now() + self.one_way;
        let Some(interval) = self.trickle else { return self.outbound.push(due, data) };
        let mut due = self.outbound.queue.back().map_or(due, |(last, _)| due.max(*last + interval));
        for octet in data {
            self.outbound.push(due, std::slice::from_ref(octet));
            due += interval;
        }
    }

    /// Delivers what is due; ready once nothing is under way any more.
    fn poll_out<S: Transport>(&mut self, inner: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(data) = ready!(self.outbound.poll_first(cx)) {
            let n = ready!(Pin::new(&mut *inner).poll_write(cx, data))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outbound.consume(n);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what the other side has written, as far as there is room on the line.
    fn pump_in<S: Transport>(&mut self, inner: &mut S, cx: &mut Context<'_>) {
        while self.end.is_none() && !self.inbound.full() {
            let mut buf = ReadBuf::new(&mut self.buffer);
            match Pin::new(&mut *inner).poll_read(cx, &mut buf) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    self.inbound.push(Instant::now() + self.one_way, buf.filled());
                }
                Poll::Ready(end) => self.end = Some(end),
            }
        }
    }

    fn poll_read<S: Transport>(
        &mut self,
        inner: &mut S,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A line that broke on the way out is noticed by the next write.
        let _ = self.poll_out(inner, cx);
        self.pump_in(inner, cx);
        let before = buf.filled().len();
        while buf.remaining() > 0 {
            let Poll::Ready(first) = self.inbound.poll_first(cx) else { break };
            let Some(data) = first else {
                return match self.end.take() {
                    Some(end) if buf.filled().len() == before => {
                        self.end = Some(Ok(()));
                        Poll::Ready(end)
                    }
                    end => {
                        self.end = end;
                        if buf.filled().len() == before { Poll::Pending } else { Poll::Ready(Ok(())) }
                    }
                };
            };
            let n = data.len().min(buf.remaining());
            buf.put_slice(&data[..n]);
            self.inbound.consume(n);
        }
        if buf.filled().len() == before { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl<S: Transport> AsyncRead for Link<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.unread.is_empty() {
            let n = this.unread.len().min(buf.remaining());
            buf.put_slice(&this.unread[..n]);
            this.unread.drain(..n);
            return Poll::Ready(Ok(()));
        }
        match &mut this.delay {
            Some(delay) => delay.poll_read(&mut this.inner, cx, buf),
            None => Pin::new(&mut this.inner).poll_read(cx, buf),
        }
    }
}

impl<S: Transport> AsyncWrite for Link<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(delay) = &mut this.delay else { return Pin::new(&mut this.inner).poll_write(cx, data) };
        if delay.outbound.full() {
            ready!(delay.poll_out(&mut this.inner, cx))?;
        }
        delay.send(data);
        if let Poll::Ready(Err(error)) = delay.poll_out(&mut this.inner, cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(data.len()))
    }

    /// On a line with latency this is done at once: the octets are under way, [`Link::drain`]
    /// waits until they are there.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match &mut this.delay {
            Some(delay) => match delay.poll_out(&mut this.inner, cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => Poll::Ready(Ok(())),
            },
            None => Pin::new(&mut this.inner).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(delay) = &mut this.delay {
            ready!(delay.poll_out(&mut this.inner, cx))?;
        }
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}
