//! Names, proxies and the deadline on the way to a server.

use super::*;

#[tokio::test]
async fn the_name_in_the_tls_options_wins_over_servername_and_host() {
    for (in_options, servername, expected) in [
        (Some("a.example"), Some("b.example"), "a.example"),
        (Some(""), Some("b.example"), "b.example"),
        (None, None, "127.0.0.1"),
    ] {
        let tls = TlsOptions { servername: in_options.map(str::to_owned), ..unverified() };
        let target = Target { servername: servername.map(str::to_owned), ..target(1, "", tls) };
        assert_eq!(target.server_name(), expected);
    }
}

#[tokio::test]
async fn an_https_proxy_carries_a_session_inside_a_session() {
    let proxy_party = Party::new(None, "proxy", named(&["127.0.0.1"]));
    let server = Party::new(None, "own", named(&["mail.example"]));
    let server_port = serve_tls(server.server(&[], BOTH)).await;
    let acceptor = proxy_party.server(&[], BOTH);
    let proxy_port = serve(move |socket| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut client) = acceptor.accept(socket).await else { return };
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(client.read_u8().await.unwrap());
            }
            let mut upstream = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port)).await.unwrap();
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let _ = copy_bidirectional(&mut client, &mut upstream).await;
        }
    })
    .await;
    let via = |tls: TlsOptions| {
        let kind = ProxyKind::Http(Some(Arc::new(Tls::new(tls).unwrap())));
        Proxy { kind, host: "127.0.0.1".to_owned(), port: proxy_port, username: None, password: None }
    };
    let direct = target(server_port, "mail.example", trusting(&[&server]));

    let through = Target { proxy: Some(via(trusting(&[&proxy_party]))), ..direct.clone() };
    let mut stream = open(&through).await.unwrap();
    assert!(stream.is_secure());
    assert_eq!(greeting(&mut stream).await, GREETING);

    // TLS to the proxy alone does not make the way to the server secure.
    let plain = Target { secure: false, ..through.clone() };
    assert!(!open(&plain).await.unwrap().is_secure());
    assert_eq!(open(&plain).await.unwrap().tls_info(), None);

    let unknown = Target { proxy: Some(via(trusting(&[&server]))), ..direct };
    let error = open(&unknown).await.unwrap_err();
    assert_eq!(reason(&error), ("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate"));
}

#[tokio::test(start_paused = true)]
async fn the_resolver_has_its_own_time_and_no_more_than_is_left() {
    let target = target(1, "", unverified());
    for (left, expected) in [(WAIT * 2, WAIT), (WAIT / 2, WAIT / 2), (Duration::ZERO, Duration::ZERO)] {
        assert_eq!(resolver_time(&target, Instant::now() + left), expected);
    }
}

#[tokio::test]
async fn one_deadline_bounds_all_of_connecting() {
    let silent = serve(|socket| async move {
        // Held open until the client goes.
        let (mut reader, _writer) = tokio::io::split(socket);
        let _ = reader.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let tunnelling = serve(|mut socket| async move {
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let _ = socket.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let late = async |proxy| {
        let target = Target { proxy, ..target(silent, "mail.example", unverified()) };
        let error = connect(&target, Instant::now() + Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error.code(), Code::TimedOut);
        (error.message().to_owned(), error.timeout_kind())
    };
    // At once, for the wait is a real one.
    let (direct, at_proxy, in_tunnel) =
        tokio::join!(late(None), late(Some(proxy_at(silent))), late(Some(proxy_at(tunnelling))));
    assert_eq!(direct, ("Connection timeout".to_owned(), Some("CONNECT_TIMEOUT")));
    assert_eq!(at_proxy, ("Proxy socket timed out".to_owned(), None));
    assert_eq!(in_tunnel, ("TLS handshake timed out".to_owned(), Some("UPGRADE_TIMEOUT")));
}

fn proxy_at(port: u16) -> Proxy {
    let kind = ProxyKind::Http(None);
    Proxy { kind, host: "127.0.0.1".to_owned(), port, username: None, password: None }
}
