//! What a session runs over: a connection with latency, in the clear or encrypted.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::link::Link;

/// A connection a session can run over.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send {
    /// Makes dropping the connection tear it down (RST) rather than close it.
    fn reset(&mut self) {}
}

impl Transport for TcpStream {
    fn reset(&mut self) {
        // Fails only on a socket that is gone already.
        let _ = socket2::SockRef::from(&*self).set_linger(Some(std::time::Duration::ZERO));
    }
}

/// Cannot be torn down: a reset looks like the end of the stream. [`crate::pipe`] can.
impl Transport for DuplexStream {}

/// The session's connection.
#[derive(Debug)]
pub(crate) enum Stream<S> {
    Plain(Link<S>),
    Tls(Box<TlsStream<Link<S>>>),
}

impl<S: Transport> Stream<S> {
    pub(crate) fn link(&mut self) -> &mut Link<S> {
        match self {
            Self::Plain(link) => link,
            Self::Tls(tls) => tls.get_mut().0,
        }
    }
}

impl<S: Transport> AsyncRead for Stream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(link) => Pin::new(link).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl<S: Transport> AsyncWrite for Stream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(link) => Pin::new(link).poll_write(cx, data),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(link) => Pin::new(link).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(link) => Pin::new(link).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
