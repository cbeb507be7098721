//! Names to addresses.

use std::net::IpAddr;
use std::time::Duration;

use crate::error::{Code, Error, Result};

/// The addresses of `host`, at least one.
pub(super) async fn resolve(host: &str, timeout: Duration) -> Result<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let found = tokio::time::timeout(timeout, tokio::net::lookup_host((host, 0)))
        .await
        .map_err(|_| Error::new(Code::Dns, format!("DNS lookup for {host} timed out")).command("CONN"))?;
    found
        .map(|addresses| addresses.map(|address| address.ip()).collect())
        .map_err(|_| Error::new(Code::Dns, format!("getaddrinfo ENOTFOUND {host}")).command("CONN"))
}
