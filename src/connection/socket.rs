//! What the driver needs of a byte stream; a network connection has it, and so does a pipe in a
//! test.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{Error, Result};
use crate::net::{Stream, Target, TlsInfo};

/// A byte stream that can turn to TLS.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send + Sized {
    /// Does the TLS handshake as a client.
    fn start_tls(self, target: &Target) -> impl Future<Output = Result<Self>> + Send;
    /// The peer is about to answer in several segments: acknowledge each at once.
    fn rearm_quickack(&self) {}
    /// The server takes messages.
    fn works(&mut self) {}
    /// What an IO error on this stream means; a TLS alert keeps its name.
    fn failure(error: &std::io::Error, syscall: &'static str) -> Error {
        Error::socket(error, syscall)
    }
    /// What TLS agreed on.
    fn tls_info(&self) -> Option<TlsInfo> {
        None
    }
    /// The server's address.
    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }
    /// The own address.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}

impl Socket for Stream {
    async fn start_tls(self, target: &Target) -> Result<Self> {
        Self::start_tls(self, target).await
    }

    fn rearm_quickack(&self) {
        Self::rearm_quickack(self);
    }

    fn works(&mut self) {
        Self::works(self);
    }

    fn failure(error: &std::io::Error, syscall: &'static str) -> Error {
        Self::failure(error, syscall)
    }

    fn tls_info(&self) -> Option<TlsInfo> {
        Self::tls_info(self)
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        Self::peer_addr(self)
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        Self::local_addr(self)
    }
}

#[cfg(test)]
impl Socket for tokio::io::DuplexStream {
    async fn start_tls(self, _target: &Target) -> Result<Self> {
        Ok(self)
    }
}
