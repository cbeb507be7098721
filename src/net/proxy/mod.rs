//! Tunnels through a proxy: the server is reached over a connection the proxy opened.

mod http;
mod socks;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::stream::Stream;
use super::tls::Tls;
use super::{Target, dial};
use crate::error::{Code, Error, Result};

/// How a proxy is spoken to.
#[derive(Clone, Debug)]
pub enum ProxyKind {
    /// HTTP CONNECT; over TLS to the proxy where settings for that are given. They are not the
    /// server's.
    Http(Option<Arc<Tls>>),
    /// SOCKS 4, and 4a where the server is given by name.
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
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, host, port, username, password } = self;
        f.debug_struct("Proxy")
            .field("kind", kind)
            .field("host", host)
            .field("port", port)
            .field("authenticates", &(username.is_some() || password.is_some()))
            .finish()
    }
}

/// Connects to the proxy and has it connect to the target's server. Give it a deadline.
pub(super) async fn tunnel(proxy: &Proxy, target: &Target, dns_timeout: Duration) -> Result<Stream> {
    // Longer names do not exist in DNS, and every protocol has room for this one.
    if target.port == 0 || target.host.len() > 253 || is_unsafe(&target.host) {
        return Err(failed("Invalid proxy destination"));
    }
    let credentials = [&proxy.username, &proxy.password].into_iter().flatten();
    if is_unsafe(&proxy.host) || credentials.into_iter().any(|text| is_unsafe(text)) {
        return Err(failed("Invalid proxy configuration"));
    }
    let stream = dial::dial(&proxy.host, proxy.port, None, dns_timeout).await?;
    match &proxy.kind {
        ProxyKind::Http(None) => http::connect(stream, proxy, target).await,
        ProxyKind::Http(Some(tls)) => {
            let stream = stream.handshake(tls, tls.servername().unwrap_or(&proxy.host)).await?;
            http::connect(stream, proxy, target).await
        }
        ProxyKind::Socks4 => socks::connect4(stream, proxy, target).await,
        ProxyKind::Socks5 => socks::connect5(stream, proxy, target).await,
    }
}

/// Whether text could end the field of a request it is put into.
fn is_unsafe(text: &str) -> bool {
    text.contains(['\r', '\n', '\0'])
}

fn failed(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Code::Proxy, message).fatal()
}

fn closed_early() -> Error {
    failed("Proxy closed the connection before the tunnel was established")
}

#[cfg(test)]
mod tests {
    use super::super::TlsOptions;
    use super::*;

    pub(super) fn proxy(kind: ProxyKind) -> Proxy {
        let (username, password) = (Some("u".to_owned()), Some("p@w".to_owned()));
        Proxy { kind, host: "127.0.0.1".to_owned(), port: 1, username, password }
    }

    pub(super) fn target(host: &str, port: u16) -> Target {
        Target {
            host: host.to_owned(),
            port,
            secure: false,
            servername: None,
            local_address: None,
            proxy: None,
            tls: Arc::new(Tls::new(TlsOptions::default()).unwrap()),
            dns_timeout: Duration::from_secs(1),
        }
    }

    #[tokio::test]
    async fn text_that_could_end_a_field_is_refused_before_anything_is_sent() {
        let destination = "Invalid proxy destination";
        let configuration = "Invalid proxy configuration";
        let long = "h".repeat(254);
        for bad in ["a\rb", "a\nb", "a\0b"] {
            for kind in [ProxyKind::Http(None), ProxyKind::Socks4, ProxyKind::Socks5] {
                let good = proxy(kind);
                let with = |edit: fn(&mut Proxy, String)| {
                    let mut proxy = good.clone();
                    edit(&mut proxy, bad.to_owned());
                    proxy
                };
                for (proxy, host, message) in [
                    (good.clone(), bad, destination),
                    (good.clone(), &long, destination),
                    (with(|proxy, bad| proxy.host = bad), "mail.example", configuration),
                    (with(|proxy, bad| proxy.username = Some(bad)), "mail.example", configuration),
                    (with(|proxy, bad| proxy.password = Some(bad)), "mail.example", configuration),
                ] {
                    let outcome = tunnel(&proxy, &target(host, 25), Duration::from_secs(1)).await;
                    let error = outcome.unwrap_err();
                    assert_eq!((error.code(), error.message()), (Code::Proxy, message));
                }
            }
        }
    }

    #[test]
    fn credentials_are_absent_from_debug() {
        let mut proxy = proxy(ProxyKind::Socks5);
        (proxy.username, proxy.password) = (Some("SECRETUSER".to_owned()), Some("SECRETPASS".to_owned()));
        assert!(!format!("{proxy:?}").contains("SECRET"));
    }
}
