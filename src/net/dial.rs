//! From a name to a connected TCP socket.

use std::net::IpAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::stream::Stream;
use super::{failure, resolve};
use crate::error::Result;

/// Idle time before keep-alive probes start.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Resolves `host` and connects to the first of its addresses that answers.
pub(super) async fn dial(
    host: &str,
    port: u16,
    _local: Option<IpAddr>,
    dns_timeout: Duration,
) -> Result<Stream> {
    let addresses = resolve::resolve(host, dns_timeout).await?;
    let mut last = failure::connect_timeout();
    for address in addresses {
        let address = (address, port).into();
        match TcpStream::connect(address).await {
            Ok(socket) => return Ok(Stream::tcp(tuned(socket))),
            Err(error) => last = failure::at_address(&error, "connect", address),
        }
    }
    Err(last)
}

/// Commands leave in the groups they belong to, so Nagle's wait for an acknowledgement only costs.
/// Both options are improvements; a socket that refuses one still works.
fn tuned(socket: TcpStream) -> TcpStream {
    let options = SockRef::from(&socket);
    let _ = options.set_tcp_nodelay(true);
    let _ = options.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEP_ALIVE));
    socket
}
