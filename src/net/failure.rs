//! Failures in nodemailer's words, with Node's name for what the system said.

use std::io;
use std::net::SocketAddr;

use crate::error::{Code, Error, SystemError};

/// The one deadline over resolving, dialling, proxy and implicit TLS has passed.
pub(super) fn connect_timeout() -> Error {
    Error::new(Code::TimedOut, "Connection timeout").command("CONN").timeout("CONNECT_TIMEOUT").fatal()
}

/// The same deadline has passed before the proxy opened the tunnel.
pub(super) fn proxy_timeout() -> Error {
    Error::new(Code::TimedOut, "Proxy socket timed out").fatal()
}

/// The same deadline has passed during the TLS handshake in a proxy's tunnel.
pub(super) fn handshake_timeout() -> Error {
    Error::new(Code::TimedOut, "TLS handshake timed out").command("CONN").timeout("UPGRADE_TIMEOUT").fatal()
}

/// A system call concerning one address failed: `connect ECONNREFUSED 127.0.0.1:25`.
pub(super) fn at_address(source: &io::Error, syscall: &'static str, address: SocketAddr) -> Error {
    let bare = Error::socket(source, syscall);
    let mut system = bare.system_error().cloned().unwrap_or_default();
    // Node leaves a port of zero out and does not bracket IPv6 here.
    let place = match address.port() {
        0 => address.ip().to_string(),
        port => format!("{}:{port}", address.ip()),
    };
    let message = format!("{} {place}", bare.message());
    system.address = Some(address.ip().to_string());
    system.port = (address.port() != 0).then(|| address.port());
    socket(message, system)
}

/// A failure of the socket layer with this text and these system fields.
pub(super) fn socket(message: impl Into<std::borrow::Cow<'static, str>>, system: SystemError) -> Error {
    Error::new(Code::Socket, message).command("CONN").fatal().system(system)
}
