//! SOCKS 4, 4a and 5 (RFC 1928, RFC 1929).

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_socks::Error as SocksError;
use tokio_socks::tcp::{Socks4Stream, Socks5Stream};

use super::{Proxy, closed_early, failed};
use crate::error::{Error, Result};
use crate::net::Target;
use crate::net::tls::stream_failed;

/// Longest user name of SOCKS 4: with the longest host name it fills the crate's request buffer.
const LONGEST_USER: usize = 240;

/// Asks for a tunnel by SOCKS 4, which knows a user and no password; by 4a for a host name.
pub(super) async fn connect4<S>(stream: S, proxy: &Proxy, target: &Target) -> Result<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let server = (target.host.as_str(), target.port);
    let tunnel = match proxy.username.as_deref().filter(|user| !user.is_empty()) {
        None => Socks4Stream::connect_with_socket(stream, server).await,
        Some(user) if user.len() > LONGEST_USER => Err(SocksError::InvalidAuthValues("user name too long")),
        Some(user) => Socks4Stream::connect_with_userid_and_socket(stream, server, user).await,
    };
    tunnel.map(Socks4Stream::into_inner).map_err(refused)
}

/// Asks for a tunnel by SOCKS 5.
pub(super) async fn connect5<S>(stream: S, proxy: &Proxy, target: &Target) -> Result<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let server = (target.host.as_str(), target.port);
    let (user, password) = (proxy.username.as_deref(), proxy.password.as_deref());
    let tunnel = match (user.unwrap_or_default(), password.unwrap_or_default()) {
        ("", "") => Socks5Stream::connect_with_socket(stream, server).await,
        (user, password) => {
            Socks5Stream::connect_with_password_and_socket(stream, server, user, password).await
        }
    };
    tunnel.map(Socks5Stream::into_inner).map_err(refused)
}

fn refused(error: SocksError) -> Error {
    match error {
        SocksError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => closed_early(),
        SocksError::Io(error) => stream_failed(&error, "read"),
        other => failed(format!("Socks proxy rejected connection - {other}")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::super::ProxyKind;
    use super::super::tests::{proxy, target};
    use super::*;
    use crate::error::Code;

    /// A proxy that expects each `question` and gives its `answer`.
    async fn script(mut server: DuplexStream, turns: Vec<(Vec<u8>, Vec<u8>)>) {
        for (question, answer) in turns {
            let mut asked = vec![0; question.len()];
            server.read_exact(&mut asked).await.unwrap();
            assert_eq!(asked, question);
            server.write_all(&answer).await.unwrap();
        }
        server.write_all(b"220 hello\r\n").await.unwrap();
    }

    async fn greeting(tunnel: Result<DuplexStream>) -> String {
        let mut greeting = String::new();
        tunnel.unwrap().read_to_string(&mut greeting).await.unwrap();
        greeting
    }

    #[tokio::test]
    async fn socks_5_gives_name_and_credentials() {
        let (client, server) = duplex(1024);
        let name = b"\x05\x01\0\x03\x0cmail.example\0\x19".to_vec();
        let turns = vec![
            (b"\x05\x02\0\x02".to_vec(), b"\x05\x02".to_vec()),
            (b"\x01\x01u\x03p@w".to_vec(), b"\x01\0".to_vec()),
            (name, b"\x05\0\0\x01\x7f\0\0\x01\0\x19".to_vec()),
        ];
        let serving = tokio::spawn(script(server, turns));
        let tunnel = connect5(client, &proxy(ProxyKind::Socks5), &target("mail.example", 25)).await;
        assert_eq!(greeting(tunnel).await, "220 hello\r\n");
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn socks_4_gives_an_address_and_4a_a_name() {
        let granted = b"\0\x5a\0\0\0\0\0\0".to_vec();
        for (host, question) in [
            ("192.0.2.1", b"\x04\x01\0\x19\xc0\0\x02\x01u\0".to_vec()),
            ("mail.example", b"\x04\x01\0\x19\0\0\0\x01u\0mail.example\0".to_vec()),
        ] {
            let (client, server) = duplex(1024);
            let serving = tokio::spawn(script(server, vec![(question, granted.clone())]));
            let tunnel = connect4(client, &proxy(ProxyKind::Socks4), &target(host, 25)).await;
            assert_eq!(greeting(tunnel).await, "220 hello\r\n");
            serving.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_refusal_and_an_early_end_are_told() {
        for (answer, message) in [
            (&b"\0\x5b\0\0\0\0\0\0"[..], "Socks proxy rejected connection - General SOCKS server failure"),
            (b"\0", "Proxy closed the connection before the tunnel was established"),
        ] {
            let (client, mut server) = duplex(1024);
            server.write_all(answer).await.unwrap();
            server.shutdown().await.unwrap();
            let tunnel = connect4(client, &proxy(ProxyKind::Socks4), &target("192.0.2.1", 25)).await;
            let error = tunnel.unwrap_err();
            assert_eq!((error.code(), error.message()), (Code::Proxy, message));
        }
    }

    #[tokio::test]
    async fn the_longest_user_and_host_names_fit() {
        let host = "h".repeat(253);
        for (length, fits) in [(LONGEST_USER, true), (LONGEST_USER + 1, false)] {
            let (client, mut server) = duplex(4096);
            server.write_all(b"\0\x5a\0\0\0\0\0\0").await.unwrap();
            let mut proxy = proxy(ProxyKind::Socks4);
            proxy.username = Some("u".repeat(length));
            assert_eq!(connect4(client, &proxy, &target(&host, 25)).await.is_ok(), fits);
        }
    }
}
