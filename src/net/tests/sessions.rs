//! What a TLS session is like, and what a handshake that fails is called.

use super::*;
use std::io::Write;

#[tokio::test]
async fn a_secured_stream_says_what_was_agreed_on() {
    let own = Party::new(None, "own", named(&["mail.example"]));
    let port = serve_tls(own.server(&[], BOTH)).await;
    for (max_version, ciphers, version, cipher) in [
        (None, &["TLS_AES_128_GCM_SHA256"][..], "TLSv1.3", "TLS_AES_128_GCM_SHA256"),
        (Some(TlsVersion::V1_2), &["ECDHE-ECDSA-CHACHA20-POLY1305"], "TLSv1.2", {
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
        }),
        // A list for TLS 1.2 alone leaves TLS 1.3 its own.
        (None, &["ECDHE-ECDSA-CHACHA20-POLY1305"], "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
    ] {
        let ciphers = ciphers.iter().map(|&name| name.to_owned()).collect();
        let tls = TlsOptions { max_version, ciphers, ..trusting(&[&own]) };
        let mut stream = open(&target(port, "mail.example", tls)).await.unwrap();
        let info = stream.tls_info().unwrap();
        assert_eq!((info.version, info.cipher.as_str(), info.resumed), (version, cipher, false));
        assert_eq!(info.alpn, None);
        assert!(stream.is_secure());
        assert_eq!(stream.peer_addr(), Some(SocketAddr::from(([127, 0, 0, 1], port))));
        stream.rearm_quickack();
        assert_eq!(greeting(&mut stream).await, GREETING);
    }
}

#[tokio::test]
async fn sessions_resume_across_connections() {
    let own = Party::new(None, "own", named(&["mail.example"]));
    for version in BOTH {
        let port = serve_tls(own.server(&[], &[*version])).await;
        let target = target(port, "mail.example", trusting(&[&own]));
        let mut resumed = Vec::new();
        for _ in 0..3 {
            let mut stream = open(&target).await.unwrap();
            // Tickets come with what the server says first.
            greeting(&mut stream).await;
            resumed.push(stream.tls_info().unwrap().resumed);
        }
        assert_eq!(resumed, [false, true, true], "{version:?}");
    }
}

#[tokio::test]
async fn an_application_protocol_is_agreed_on() {
    let own = Party::new(None, "own", |_| {});
    let mut config =
        server_config(BOTH).with_no_client_auth().with_single_cert(vec![own.der.clone()], own.key()).unwrap();
    config.alpn_protocols = vec![b"smtp".to_vec()];
    let port = serve_tls(TlsAcceptor::from(Arc::new(config))).await;
    let offering =
        |name: &[u8]| target(port, "own", TlsOptions { alpn: vec![name.to_vec()], ..unverified() });
    let stream = open(&offering(b"smtp")).await.unwrap();
    assert_eq!(stream.tls_info().unwrap().alpn.as_deref(), Some(&b"smtp"[..]));
    let error = open(&offering(b"lmtp")).await.unwrap_err();
    assert_eq!(reason(&error).0, "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL");
}

#[tokio::test]
async fn what_came_whole_before_a_broken_record_can_be_read() {
    let own = Party::new(None, "own", named(&["mail.example"]));
    let acceptor = own.server(&[], BOTH);
    let port = serve(move |socket| {
        let accepting = acceptor.accept(socket);
        async move {
            // As Exim does that has enough: one more reply, past TLS.
            let (mut socket, mut session) = accepting.await.unwrap().into_inner();
            session.writer().write_all(GREETING).unwrap();
            let mut records = Vec::new();
            while session.wants_write() {
                session.write_tls(&mut records).unwrap();
            }
            records.extend_from_slice(b"554 Too many nonmail commands\r\n");
            socket.write_all(&records).await.unwrap();
        }
    })
    .await;
    let mut stream = open(&target(port, "mail.example", trusting(&[&own]))).await.unwrap();
    let mut buffer = [0; 4];
    let mut read = Vec::new();
    let error = loop {
        match stream.read(&mut buffer).await {
            Ok(count) => read.extend_from_slice(&buffer[..count]),
            Err(error) => break error,
        }
        assert!(read.len() <= GREETING.len());
    };
    assert_eq!(read, GREETING);
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_connection_cut_without_a_farewell_has_ended() {
    let own = Party::new(None, "own", |_| {});
    let acceptor = own.server(&[], BOTH);
    let port = serve(move |socket| {
        let accepting = acceptor.accept(socket);
        async move {
            let mut stream = accepting.await.unwrap();
            stream.write_all(GREETING).await.unwrap();
            stream.flush().await.unwrap();
            // The socket alone is closed: no `close_notify` goes out.
            stream.get_mut().0.shutdown().await.unwrap();
        }
    })
    .await;
    let mut received = Vec::new();
    open(&target(port, "own", unverified())).await.unwrap().read_to_end(&mut received).await.unwrap();
    assert_eq!(received, GREETING);
}

#[tokio::test]
async fn starttls_secures_a_stream_that_was_plain() {
    let own = Party::new(None, "own", named(&["mail.example"]));
    let acceptor = own.server(&[], BOTH);
    let port = serve(move |mut socket| {
        let acceptor = acceptor.clone();
        async move {
            socket.write_all(GREETING).await.unwrap();
            if let Ok(stream) = acceptor.accept(socket).await {
                greet(stream).await;
            }
        }
    })
    .await;
    let target = Target { secure: false, ..target(port, "mail.example", trusting(&[&own])) };
    let mut stream = open(&target).await.unwrap();
    assert!(!stream.is_secure());
    assert_eq!(stream.tls_info(), None);
    assert_eq!(greeting(&mut stream).await, GREETING);
    let mut stream = stream.start_tls(&target).await.unwrap();
    assert!(stream.is_secure());
    assert_eq!(greeting(&mut stream).await, GREETING);
}

#[test]
fn settings_that_cannot_be_honoured_are_refused() {
    let own = Party::new(None, "own", |_| {});
    let stranger = Party::new(None, "stranger", |_| {});
    for options in [
        TlsOptions { ciphers: vec!["AES128-SHA".to_owned()], ..TlsOptions::default() },
        TlsOptions { cert: pem(&own), key: b"no key".to_vec(), ..TlsOptions::default() },
        TlsOptions { cert: pem(&own), key: stranger.key.serialize_der(), ..TlsOptions::default() },
        TlsOptions {
            min_version: Some(TlsVersion::V1_3),
            max_version: Some(TlsVersion::V1_2),
            ..TlsOptions::default()
        },
    ] {
        assert_eq!(Tls::new(options).unwrap_err().code(), Code::Config);
    }
}

/// What comes of a server that reads the client's first flight and answers with `answer`.
async fn answered(answer: &'static [u8]) -> Error {
    let port = serve(move |mut socket| async move {
        let mut hello = [0; 1024];
        let _ = socket.read(&mut hello).await;
        socket.write_all(answer).await.unwrap();
    })
    .await;
    open(&target(port, "mail.example", unverified())).await.unwrap_err()
}

#[tokio::test]
async fn a_server_whose_tls_is_foreign_is_told_from_one_that_is_broken() {
    const TLS_1_0_HELLO: &[u8] = b"\x16\x03\x01\0\x2a\x02\0\0\x26\x03\x01\
        0123456789abcdef0123456789abcdef\0\0\x2f\0";
    for (answer, code, text, incompatible) in [
        (
            &b"\x15\x03\x01\0\x02\x02\x28"[..],
            "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
            "SSL routines:sslv3 alert handshake failure:SSL alert number 40",
            true,
        ),
        (
            b"\x15\x03\x01\0\x02\x02\x46",
            "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
            "SSL routines:tlsv1 alert protocol version:SSL alert number 70",
            true,
        ),
        (
            TLS_1_0_HELLO,
            "ERR_SSL_UNSUPPORTED_PROTOCOL",
            "SSL routines:unsupported protocol:ServerDoesNotSupportTls12Or13",
            true,
        ),
        (
            b"\x15\x03\x01\0\x02\x02\x50",
            "ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR",
            "SSL routines:tlsv1 alert internal error:SSL alert number 80",
            false,
        ),
        (
            b"220 mail.example ESMTP\r\n",
            "ERR_SSL_WRONG_VERSION_NUMBER",
            "SSL routines:wrong version number",
            false,
        ),
        (
            b"",
            "ECONNRESET",
            "Client network socket disconnected before secure TLS connection was established",
            false,
        ),
    ] {
        let error = answered(answer).await;
        assert_eq!(reason(&error), (code, text));
        assert_eq!(error.is_tls_incompatible(), incompatible, "{code}");
    }
}
