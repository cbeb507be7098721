//! From a name to a connected TCP socket.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

use super::addresses::ADDRESSES;
use super::stream::Stream;
use super::{failure, race, resolve};
use crate::error::Result;

/// Idle time before keep-alive probes start; keeps the NAT mapping of an idle connection.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Resolves `host` and connects to the first of its addresses that answers; those with the fewest
/// connections are asked first.
pub(super) async fn dial(
    host: &str,
    port: u16,
    local: Option<IpAddr>,
    dns_timeout: Duration,
) -> Result<Stream> {
    let addresses = resolve::resolve(host, dns_timeout).await?;
    reach(addresses, port, local).await
}

async fn reach(mut addresses: Vec<IpAddr>, port: u16, local: Option<IpAddr>) -> Result<Stream> {
    if let Some(local) = local {
        same_family(&mut addresses, local);
    }
    let ordered = race::order(addresses);
    let mut candidates: Vec<_> = ordered.into_iter().map(|address| SocketAddr::new(address, port)).collect();
    ADDRESSES.sort(&mut candidates, Instant::now());
    race::race(candidates, move |address| attempt(address, local)).await
}

/// A socket bound to an address of one family cannot reach the other. Where no address is of that
/// family they all stay, and binding says what is wrong.
fn same_family(addresses: &mut Vec<IpAddr>, local: IpAddr) {
    if addresses.iter().any(|address| address.is_ipv4() == local.is_ipv4()) {
        addresses.retain(|address| address.is_ipv4() == local.is_ipv4());
    }
}

async fn attempt(address: SocketAddr, local: Option<IpAddr>) -> Result<Stream> {
    let failed = |error| failure::at_address(&error, "connect", address);
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
    if let Some(local) = local {
        let local = SocketAddr::new(local, 0);
        socket.bind(local).map_err(|error| failure::at_address(&as_node_binds(error), "bind", local))?;
    }
    let mut lease = ADDRESSES.lease(address);
    let connected = socket.connect(address).await;
    lease.decided();
    let socket = connected.map_err(failed)?;
    tune(&socket);
    Ok(Stream::tcp(socket, lease))
}

/// An address of the wrong family is an invalid argument to Node; Linux names it more exactly.
fn as_node_binds(error: io::Error) -> io::Error {
    const EINVAL: i32 = 22;
    const EAFNOSUPPORT: i32 = 97;
    if error.raw_os_error() == Some(EAFNOSUPPORT) { io::Error::from_raw_os_error(EINVAL) } else { error }
}

/// Commands leave in the groups they belong to, so waiting for more (Nagle) only costs. Both
/// options are improvements: a socket that refuses one still works.
fn tune(socket: &TcpStream) {
    let options = SockRef::from(socket);
    let _ = options.set_tcp_nodelay(true);
    let _ = options.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEP_ALIVE));
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use tokio::net::TcpListener;

    use super::*;
    use crate::error::Code;

    const WAIT: Duration = Duration::from_secs(5);
    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// A loopback port with nobody behind it.
    async fn closed_port() -> u16 {
        TcpListener::bind((LOOPBACK, 0)).await.unwrap().local_addr().unwrap().port()
    }

    #[tokio::test]
    async fn the_socket_sends_at_once_and_probes_a_silent_peer() {
        let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = TcpStream::connect(address).await.unwrap();
        tune(&socket);
        let options = SockRef::from(&socket);
        assert!(options.tcp_nodelay().unwrap());
        assert!(options.keepalive().unwrap());
        #[cfg(unix)]
        assert_eq!(options.tcp_keepalive_time().unwrap(), KEEP_ALIVE);
    }

    #[tokio::test]
    async fn a_refused_connection_is_told_in_nodes_words() {
        let port = closed_port().await;
        let error = dial("127.0.0.1", port, None, WAIT).await.unwrap_err();
        assert_eq!(error.code(), Code::Socket);
        assert_eq!(error.message(), format!("connect ECONNREFUSED 127.0.0.1:{port}"));
        assert_eq!(error.command_name(), Some("CONN"));
        let system = error.system_error().unwrap();
        assert_eq!((system.code.as_str(), system.syscall), ("ECONNREFUSED", "connect"));
        assert!(system.errno < 0);
        assert_eq!((system.address.as_deref(), system.port), (Some("127.0.0.1"), Some(port)));
    }

    #[tokio::test]
    async fn a_family_that_does_not_answer_does_not_matter() {
        let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = reach(vec![LOOPBACK, Ipv6Addr::LOCALHOST.into()], port, None).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip(), LOOPBACK);
    }

    #[tokio::test]
    async fn when_no_address_answers_each_is_told() {
        let port = closed_port().await;
        let second = IpAddr::from([127, 0, 0, 2]);
        let error = reach(vec![LOOPBACK, second], port, None).await.unwrap_err();
        assert_eq!((error.code(), error.command_name()), (Code::Socket, Some("CONN")));
        assert!(error.is_fatal());
        assert_eq!(error.summed().len(), 2);
        for address in [LOOPBACK, second] {
            let expected = Some(address.to_string());
            let told = |cause: &crate::error::Error| cause.system_error().unwrap().address == expected;
            assert!(error.summed().iter().any(told), "{address}");
        }
    }

    /// Other systems have one loopback address only.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn connections_spread_over_the_addresses_of_a_host() {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let addresses: Vec<IpAddr> = (1..=3).map(|last| IpAddr::from([127, 0, 0, last])).collect();
        let mut open = Vec::new();
        for _ in 0..9 {
            let mut stream = reach(addresses.clone(), port, None).await.unwrap();
            stream.works();
            open.push(stream);
        }
        for address in &addresses {
            let there = open.iter().filter(|stream| stream.peer_addr().unwrap().ip() == *address);
            assert_eq!(there.count(), 3, "{address}");
        }
    }

    /// Other systems have one loopback address only.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_local_address_is_bound() {
        let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let local = IpAddr::from([127, 0, 0, 9]);
        let stream = dial("127.0.0.1", port, Some(local), WAIT).await.unwrap();
        assert_eq!(stream.local_addr().unwrap().ip(), local);
        assert_eq!(listener.accept().await.unwrap().1.ip(), local);
    }

    #[tokio::test]
    async fn a_local_address_that_is_not_ours_is_told_as_a_failed_bind() {
        let local = IpAddr::from([192, 0, 2, 1]);
        let error = dial("127.0.0.1", 1, Some(local), WAIT).await.unwrap_err();
        assert_eq!(error.message(), "bind EADDRNOTAVAIL 192.0.2.1");
        let system = error.system_error().unwrap();
        assert_eq!((system.syscall, system.port), ("bind", None));
    }

    #[test]
    fn a_local_address_keeps_the_addresses_of_its_family_if_there_are_any() {
        let (four, six) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST));
        for (addresses, local, expected) in [
            (vec![four, six], six, vec![six]),
            (vec![four, six], four, vec![four]),
            (vec![four], six, vec![four]),
        ] {
            let mut kept = addresses;
            same_family(&mut kept, local);
            assert_eq!(kept, expected);
        }
    }
}
