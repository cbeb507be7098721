//! HTTP CONNECT (RFC 9110, section 9.3.6) with Basic credentials (RFC 7617).

use std::net::Ipv6Addr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Proxy, closed_early, failed};
use crate::error::Result;
use crate::net::Target;
use crate::net::tls::stream_failed;

/// Longest response header taken from a proxy, as in nodemailer; in octets.
const LARGEST_HEADER: usize = 64 * 1024;

/// Asks for a tunnel to the target's server over a connection to the proxy.
pub(super) async fn connect<S>(mut stream: S, proxy: &Proxy, target: &Target) -> Result<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if target.port == 0 || target.host.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(failed("Invalid proxy destination"));
    }
    let request = request(proxy, target);
    stream.write_all(request.as_bytes()).await.map_err(|error| stream_failed(&error, "write"))?;
    stream.flush().await.map_err(|error| stream_failed(&error, "write"))?;
    let header = header(&mut stream).await?;
    match status(&header) {
        Some(status) if status.starts_with('2') => Ok(stream),
        Some(status) => Err(failed(format!("Invalid response from proxy: {status}"))),
        None => Err(failed("Invalid response from proxy")),
    }
}

fn request(proxy: &Proxy, target: &Target) -> String {
    let authority = match target.host.parse::<Ipv6Addr>() {
        Ok(_) => format!("[{}]:{}", target.host, target.port),
        Err(_) => format!("{}:{}", target.host, target.port),
    };
    let authorization = credentials(proxy)
        .map(|credentials| format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(credentials)))
        .unwrap_or_default();
    format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n{authorization}\r\n")
}

/// `user`, `user:password` or `:password`, as they stand in the proxy's URL.
fn credentials(proxy: &Proxy) -> Option<String> {
    let username = proxy.username.as_deref().unwrap_or_default();
    match &proxy.password {
        Some(password) => Some(format!("{username}:{password}")),
        None => proxy.username.clone(),
    }
}

/// Reads the response's header and not one byte more: an SMTP server speaks first, and its greeting
/// may come right behind. As long as `n` bytes of the blank line are missing, at least `n` bytes of
/// the header are still to come.
async fn header<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>> {
    const END: &[u8] = b"\r\n\r\n";
    let mut header = Vec::with_capacity(256);
    while header.len() < LARGEST_HEADER {
        let missing = END.len() - (1..END.len()).rev().find(|&n| header.ends_with(&END[..n])).unwrap_or(0);
        let before = header.len();
        header.resize(before + missing, 0);
        let read = stream.read(&mut header[before..]).await.map_err(|error| stream_failed(&error, "read"))?;
        header.truncate(before + read);
        if read == 0 {
            return Err(closed_early());
        }
        if header.ends_with(END) {
            return Ok(header);
        }
    }
    Err(failed("Proxy response headers too large"))
}

/// The status code in `HTTP/1.1 200 OK`.
fn status(header: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(header.split(|byte| *byte == b'\r').next()?).ok()?;
    let (version, rest) = line.split_once(' ')?;
    let (name, number) = version.split_once('/')?;
    let (major, minor) = number.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let end = rest.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let status = rest.get(..end).filter(|status| !status.is_empty())?;
    (name.eq_ignore_ascii_case("HTTP") && digits(major) && digits(minor)).then_some(status)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::duplex;

    use super::super::tests::{proxy, target};
    use super::super::{Error, ProxyKind};
    use super::*;
    use crate::error::Code;

    /// What comes of a proxy that answers with `response`, and what follows in the tunnel.
    async fn answered(response: &[u8], piece: usize) -> (Result<String, Error>, String) {
        let (client, mut server) = duplex(piece);
        let response = response.to_vec();
        let serving = tokio::spawn(async move {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(server.read_u8().await.unwrap());
            }
            // A client that has given up does not read on.
            let _ = server.write_all(&response).await;
            String::from_utf8(request).unwrap()
        });
        let outcome = connect(client, &proxy(ProxyKind::Http(None)), &target("mail.example", 2525)).await;
        let outcome = match outcome {
            Ok(mut stream) => {
                let mut rest = String::new();
                stream.read_to_string(&mut rest).await.unwrap();
                Ok(rest)
            }
            Err(error) => Err(error),
        };
        (outcome, serving.await.unwrap())
    }

    #[tokio::test]
    async fn a_tunnel_is_asked_for_with_credentials() {
        let (outcome, request) = answered(b"HTTP/1.1 200 Connection established\r\n\r\n", 1024).await;
        assert_eq!(outcome.unwrap(), "");
        assert_eq!(
            request,
            "CONNECT mail.example:2525 HTTP/1.1\r\nHost: mail.example:2525\r\nConnection: close\r\n\
             Proxy-Authorization: Basic dTpwQHc=\r\n\r\n"
        );
    }

    #[tokio::test]
    async fn a_destination_that_would_break_the_request_is_refused() {
        for (host, port) in
            [("mail.example\r\nX: y", 25), ("mail.example\nX", 25), ("a b", 25), ("a\0", 25), ("a", 0)]
        {
            let (client, mut server) = duplex(1024);
            let outcome = connect(client, &proxy(ProxyKind::Http(None)), &target(host, port)).await;
            assert_eq!(outcome.err().map(|error| error.code()), Some(Code::Proxy), "{host:?}");
            let mut request = Vec::new();
            server.read_to_end(&mut request).await.unwrap();
            assert!(request.is_empty());
        }
    }

    #[test]
    fn an_ipv6_destination_stands_in_brackets_and_no_credentials_make_no_header() {
        let mut proxy = proxy(ProxyKind::Http(None));
        (proxy.username, proxy.password) = (None, None);
        let request = request(&proxy, &target("::1", 25));
        assert_eq!(request, "CONNECT [::1]:25 HTTP/1.1\r\nHost: [::1]:25\r\nConnection: close\r\n\r\n");
    }

    #[test]
    fn credentials_are_joined_as_in_a_url() {
        for (username, password, expected) in [
            (Some("u"), Some("p"), Some("u:p")),
            (Some("u"), None, Some("u")),
            (None, Some("p"), Some(":p")),
            (None, None, None),
        ] {
            let mut proxy = proxy(ProxyKind::Http(None));
            (proxy.username, proxy.password) = (username.map(str::to_owned), password.map(str::to_owned));
            assert_eq!(credentials(&proxy).as_deref(), expected);
        }
    }

    #[tokio::test]
    async fn a_refusal_is_told_in_nodemailers_words() {
        for (response, message) in [
            ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "Invalid response from proxy: 407"),
            ("http/1.0 503\r\nA: b\r\n\r\n", "Invalid response from proxy: 503"),
            ("220 mail.example ESMTP\r\n\r\n", "Invalid response from proxy"),
            ("HTTP/x.1 200\r\n\r\n", "Invalid response from proxy"),
            ("HTTP/1.1 200 OK\r\n", "Proxy closed the connection before the tunnel was established"),
            ("", "Proxy closed the connection before the tunnel was established"),
        ] {
            let error = answered(response.as_bytes(), 1024).await.0.unwrap_err();
            assert_eq!((error.code(), error.message()), (Code::Proxy, message), "{response:?}");
        }
    }

    #[tokio::test]
    async fn a_header_without_end_is_cut_off() {
        let header = |fields| [&b"HTTP/1.1 200 OK\r\n"[..], &b"X: y\r\n".repeat(fields), b"\r\n"].concat();
        let (tunnel, _) = answered(&header(10_000), 1024).await;
        assert_eq!(tunnel.unwrap(), "");
        let error = answered(&header(11_000), 1024).await.0.unwrap_err();
        assert_eq!(error.message(), "Proxy response headers too large");
    }

    proptest! {
        #[test]
        fn what_follows_the_header_is_left_for_the_server(
            fields in prop::collection::vec("[A-Za-z]{1,8}: [ -~]{0,20}\r\n", 0..5),
            greeting in "[ -~\r\n]{0,60}",
            piece in 1..400_usize,
        ) {
            let response = format!("HTTP/1.1 200 OK\r\n{}\r\n{greeting}", fields.concat());
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (outcome, _) = runtime.block_on(answered(response.as_bytes(), piece));
            prop_assert_eq!(outcome.unwrap(), greeting);
        }
    }
}
