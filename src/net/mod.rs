//! Reaching a server: resolve, race its addresses, pass a proxy, speak TLS.
//!
//! [`connect`] gives a [`Stream`] on which the server's greeting is the next thing to read. What
//! is said over it is not this room's business: SMTP lives in `wire`, and deadlines after
//! connecting belong to the connection's driver.

mod addresses;
mod dial;
mod failure;
mod proxy;
mod race;
mod resolve;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub use proxy::{Proxy, ProxyKind};
pub use stream::{Stream, TlsInfo};
pub use tls::{Tls, TlsOptions, TlsVersion};

use crate::error::{Error, Result};

/// Where to connect, and how.
#[derive(Clone, Debug)]
pub struct Target {
    /// Host name or IP literal, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS from the first byte, instead of STARTTLS.
    pub secure: bool,
    /// Name for SNI and for checking the certificate, where it is not the host's. The name in the
    /// TLS options wins over it.
    pub servername: Option<String>,
    /// Address to bind to; it restricts the server's addresses to its family.
    pub local_address: Option<IpAddr>,
    /// Proxy to pass.
    pub proxy: Option<Proxy>,
    /// TLS settings; one value for a pool, so that sessions resume.
    pub tls: Arc<Tls>,
    /// Longest wait for the resolver. The deadline of [`connect`] counts as well.
    pub dns_timeout: Duration,
}

impl Target {
    /// The name the certificate is checked against, and announced in SNI unless it is an IP
    /// address: `tls.servername`, else `servername`, else the host.
    pub fn server_name(&self) -> &str {
        self.tls.servername().or(self.servername.as_deref()).unwrap_or(&self.host)
    }
}

/// Opens a connection: resolves, races the addresses, passes the proxy and, on a `secure` target,
/// ends the TLS handshake, all before `deadline`.
pub async fn connect(target: &Target, deadline: Instant) -> Result<Stream> {
    let dns_timeout = resolver_time(target, deadline);
    let Some(proxy) = &target.proxy else {
        return before(deadline, direct(target, dns_timeout), failure::connect_timeout).await;
    };
    let tunnel = proxy::tunnel(proxy, target, dns_timeout);
    let stream = before(deadline, tunnel, failure::proxy_timeout).await?;
    if !target.secure {
        return Ok(stream);
    }
    before(deadline, stream.start_tls(target), failure::handshake_timeout).await
}

/// A resolver that takes all the time there is has failed as a resolver, not as a connection.
fn resolver_time(target: &Target, deadline: Instant) -> Duration {
    target.dns_timeout.min(deadline.saturating_duration_since(Instant::now()))
}

async fn direct(target: &Target, dns_timeout: Duration) -> Result<Stream> {
    let stream = dial::dial(&target.host, target.port, target.local_address, dns_timeout).await?;
    if target.secure { stream.start_tls(target).await } else { Ok(stream) }
}

async fn before<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T>>,
    late: fn() -> Error,
) -> Result<T> {
    tokio::time::timeout_at(deadline, work).await.unwrap_or_else(|_| Err(late()))
}
