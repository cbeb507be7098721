//! A connected byte stream: TCP, or TLS over whatever was there before.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::{CommonState, HandshakeKind};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::addresses::Lease;
use super::tls::stream_failed;
use super::{Target, Tls};
use crate::error::{Error, Result};

/// What TLS agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// Cipher suite in IANA's name.
    pub cipher: String,
    /// The handshake resumed an earlier session.
    pub resumed: bool,
    /// Application protocol, where one was agreed on.
    pub alpn: Option<Vec<u8>>,
}

/// A connection to the server. Reads and writes go through all layers.
#[derive(Debug)]
pub struct Stream {
    layer: Layer,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
    secure: bool,
    lease: Lease,
}

/// TCP, or TLS over a layer: a TLS session inside the tunnel of an HTTPS proxy is two of them.
#[derive(Debug)]
enum Layer {
    Tcp(TcpStream),
    Tls(Box<Session>),
}

/// A TLS session.
#[derive(Debug)]
struct Session {
    stream: TlsStream<Layer>,
    /// What went wrong behind the last bytes that could be read.
    failure: Option<io::Error>,
}

impl Stream {
    /// Wraps a connected socket.
    pub(super) fn tcp(socket: TcpStream, lease: Lease) -> Self {
        let (peer, local) = (socket.peer_addr().ok(), socket.local_addr().ok());
        Self { layer: Layer::Tcp(socket), peer, local, secure: false, lease }
    }

    /// Does a TLS handshake with the server of `target` over this stream. Give it a deadline.
    pub async fn start_tls(self, target: &Target) -> Result<Self> {
        let mut stream = self.handshake(&target.tls, target.server_name()).await?;
        stream.secure = true;
        Ok(stream)
    }

    /// A TLS handshake that does not make the stream count as secure: the proxy's end of it.
    pub(super) async fn handshake(self, tls: &Tls, name: &str) -> Result<Self> {
        let stream = tls.handshake(self.layer, name).await?;
        Ok(Self { layer: Layer::Tls(Box::new(Session { stream, failure: None })), ..self })
    }

    /// The server at the other end is of use; an address whose connections are dropped before is
    /// asked after the others for a while.
    pub fn works(&mut self) {
        self.lease.works();
    }

    /// Whether the server itself is at the other end of a TLS session.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The other end of the TCP connection: the server, or the proxy.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// This end of the TCP connection.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local
    }

    /// What TLS agreed on, once the stream is secure.
    pub fn tls_info(&self) -> Option<TlsInfo> {
        match &self.layer {
            Layer::Tls(tls) if self.secure => Some(describe(tls.stream.get_ref().1)),
            _ => None,
        }
    }

    /// What a failed read or write (`syscall`) on a stream is called.
    pub fn failure(error: &io::Error, syscall: &'static str) -> Error {
        stream_failed(error, syscall)
    }

    /// Asks the kernel to acknowledge what arrives at once, until the next time it decides for
    /// itself. A server that waits for the ACK of a reply before it sends the next one would cost
    /// 40 ms otherwise. Only Linux has it.
    pub fn rearm_quickack(&self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            // A hint: a socket that refuses it is slower, not wrong.
            let _ = socket2::SockRef::from(self.layer.socket()).set_tcp_quickack(true);
        }
    }
}

impl Layer {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Tcp(socket) => socket,
            Self::Tls(tls) => tls.stream.get_ref().0.socket(),
        }
    }
}

fn describe(state: &CommonState) -> TlsInfo {
    let version = match state.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "TLSv1.2",
    };
    let suite = state.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
    TlsInfo {
        version,
        cipher: suite.map(|name| name.replace("TLS13_", "TLS_")).unwrap_or_default(),
        resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
        alpn: state.alpn_protocol().map(<[u8]>::to_vec),
    }
}

impl Session {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.failure.is_none() {
            match ready!(Pin::new(&mut self.stream).poll_read(cx, buf)) {
                // Like Node, an end without `close_notify` is an end: a cut reply lacks its line end.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Poll::Ready(Ok(())),
                Err(error) => self.failure = Some(error),
                Ok(()) => return Poll::Ready(Ok(())),
            }
        }
        // Replies that came whole in front of a broken record are still replies.
        if self.read_decrypted(buf) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(self.failure.take().map_or(Ok(()), Err))
    }

    /// Reads what has been decrypted; gives whether there was anything.
    fn read_decrypted(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let mut reader = self.stream.get_mut().1.reader();
        let count = reader.read(buf.initialize_unfilled()).unwrap_or(0);
        buf.advance(count);
        count > 0
    }
}

impl AsyncRead for Layer {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Tls(tls) => tls.poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Layer {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(&mut tls.stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write_vectored(cx, bufs),
            Self::Tls(tls) => Pin::new(&mut tls.stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(tls) => Pin::new(&mut tls.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(&mut tls.stream).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.layer).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.layer).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.layer).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.layer.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.layer).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.layer).poll_shutdown(cx)
    }
}
