//! What lies under the protocol: TCP, TLS, latency, small windows.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::ErrorKind::ConnectionReset;
use std::sync::Arc;
use std::time::Duration;

use postpool_testkit::{Action, Config, Rule, Sink, Step, TEST_CERT_PEM};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use support::{Client, GROUP};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

/// Trusts the built-in certificate and no other.
#[derive(Debug)]
struct Exactly(CertificateDer<'static>);

impl ServerCertVerifier for Exactly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        assert_eq!(*end_entity, self.0);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verify_tls12_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        vec![rustls::SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

fn connector() -> TlsConnector {
    let cert = CertificateDer::from_pem_slice(TEST_CERT_PEM.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Exactly(cert)))
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// Writes a line and reads what is there next.
async fn ask(io: &mut (impl AsyncRead + AsyncWrite + Unpin), line: &str) -> String {
    io.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    io.flush().await.unwrap();
    heard(io).await
}

async fn heard(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut buffer = vec![0; 4096];
    let n = io.read(&mut buffer).await.unwrap();
    String::from_utf8_lossy(&buffer[..n]).into_owned()
}

#[tokio::test]
async fn starttls_forgets_the_clear_part_and_sessions_resume() {
    let sink = Sink::new(Config { starttls: true, require_tls: true, ..Config::default() }).unwrap();
    let connector = connector();
    for round in 0..2 {
        let mut io = sink.connect();
        heard(&mut io).await;
        let offer = ask(&mut io, "EHLO me.test").await;
        assert!(offer.contains("STARTTLS") && !offer.contains("REQUIRETLS"));
        assert!(ask(&mut io, "STARTTLS").await.starts_with("220"));
        let mut tls = connector.connect("localhost".try_into().unwrap(), io).await.unwrap();
        assert!(ask(&mut tls, "MAIL FROM:<a@x>").await.starts_with("503"), "round {round}");
        let offer = ask(&mut tls, "EHLO me.test").await;
        assert!(!offer.contains("STARTTLS") && offer.contains("REQUIRETLS"));
        ask(&mut tls, "MAIL FROM:<a@x> REQUIRETLS\r\nRCPT TO:<b@y>\r\nDATA").await;
        assert!(ask(&mut tls, ".").await.starts_with("250"));
    }
    let stats = sink.stats();
    assert_eq!((stats.tls_full, stats.tls_resumed), (1, 1));
    assert!(sink.messages().iter().all(|message| message.secure));
}

#[tokio::test]
async fn octets_behind_starttls_are_dropped_and_counted() {
    let mut client = Client::ready(Config { starttls: true, ..Config::default() }).await;
    client.send("STARTTLS\r\nMAIL FROM:<a@x>\r\n").await;
    assert_eq!(client.reply().await, "220 2.0.0 Ready to start TLS");
    let tls = connector().connect("localhost".try_into().unwrap(), client.io).await;
    assert!(ask(&mut tls.unwrap(), "EHLO me.test").await.starts_with("250-"));
    let stats = client.sink.stats();
    assert_eq!((stats.starttls_injection, stats.mail), (1, 0));
}

#[tokio::test]
async fn implicit_tls_comes_before_the_greeting() {
    let sink = Sink::new(Config { tls: true, ..Config::default() }).unwrap();
    let mut tls = connector().connect("localhost".try_into().unwrap(), sink.connect()).await.unwrap();
    assert!(heard(&mut tls).await.starts_with("220 "));
    assert!(ask(&mut tls, "QUIT").await.starts_with("221 "));
    assert_eq!(tls.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_handshake_ends_as_the_script_has_it() {
    for action in [Action::Fin, Action::Rst, Action::Bye, Action::Garbage, Action::Reply("454 no".into())] {
        let script = vec![Rule::new(Step::Tls, action.clone())];
        let sink = Sink::new(Config { tls: true, script, ..Config::default() }).unwrap();
        let error = connector().connect("localhost".try_into().unwrap(), sink.connect()).await.unwrap_err();
        let reset = error.kind() == ConnectionReset;
        assert_eq!(reset, action == Action::Rst, "{action:?} {error}");
        assert_eq!(sink.stats().tls_full, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_trickles_as_the_script_has_it() {
    for (action, least) in [(Action::Split, 0), (Action::Drip(10), 5)] {
        let script = vec![Rule::new(Step::Tls, action.clone())];
        let sink = Sink::new(Config { tls: true, script, ..Config::default() }).unwrap();
        let start = Instant::now();
        let mut tls = connector().connect("localhost".try_into().unwrap(), sink.connect()).await.unwrap();
        assert!(heard(&mut tls).await.starts_with("220 "));
        // A certificate and what belongs to it are more than 500 octets.
        assert!(start.elapsed() >= Duration::from_secs(least), "{action:?}");
        let stats = sink.stats();
        assert_eq!((stats.tls_full, stats.faults), (1, 1));
    }
}

#[tokio::test]
async fn tcp_connections_are_closed_and_torn_down() {
    for (action, reset) in [(Action::Fin, false), (Action::Rst, true)] {
        let script = vec![Rule::new(Step::Body, action.clone()).after(1000)];
        let sink = Sink::new(Config { script, ..Config::default() }).unwrap();
        let mut io = TcpStream::connect(sink.listen("127.0.0.1:0").await.unwrap()).await.unwrap();
        heard(&mut io).await;
        ask(&mut io, "EHLO me.test").await;
        io.write_all(GROUP.as_bytes()).await.unwrap();
        let mut replies = String::new();
        while !replies.contains("354") {
            replies.push_str(&heard(&mut io).await);
        }
        // More than the server has read when it ends the connection.
        let written = io.write_all(&vec![b'x'; 8 << 20]).await;
        let end = io.read(&mut [0; 64]).await;
        if reset {
            assert!(written.is_err() || end.is_err(), "{action:?}");
        } else {
            assert_eq!((written.is_ok(), end.unwrap()), (true, 0), "{action:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_round_trip_takes_its_time_and_pipelining_saves_it() {
    let rtt = Duration::from_millis(50);
    let sink = Sink::new(Config { rtt: 50, chunking: true, ..Config::default() }).unwrap();
    let mut client = Client::on(&sink);
    let start = Instant::now();
    client.reply().await;
    assert_eq!(start.elapsed(), rtt / 2);
    client.ask("EHLO me.test").await;
    assert_eq!(start.elapsed(), rtt / 2 + rtt);
    let start = Instant::now();
    client.codes(&"RSET\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nBDAT 2 LAST\r\nhi".repeat(20), 80).await;
    assert_eq!(start.elapsed(), rtt);
    client.send("QUIT\r\n").await;
    assert_eq!(client.rest().await.0, "221 2.0.0 Bye\r\n");
    assert_eq!(sink.stats().messages, 20);
}

#[tokio::test(start_paused = true)]
async fn a_long_line_does_not_limit_the_rate() {
    let sink = Sink::new(Config { rtt: 50, ..Config::default() }).unwrap();
    let mut client = Client::on(&sink);
    client.reply().await;
    client.ask("EHLO me.test").await;
    client.codes(GROUP, 3).await;
    let start = Instant::now();
    let body = "0123456789abcdef\r\n".repeat(250_000);
    client.send(&body).await;
    client.codes(".\r\n", 1).await;
    assert_eq!(start.elapsed(), Duration::from_millis(50));
    assert_eq!(sink.stats().bytes, body.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn a_clogged_server_stops_reading_while_it_cannot_write() {
    let sink = Sink::new(Config { window: Some(64), ..Config::default() }).unwrap();
    let (mut near, far) = postpool_testkit::pipe(64);
    tokio::spawn(async move { sink.serve(far).await });
    heard(&mut near).await;
    ask(&mut near, "EHLO me.test").await;
    let group = "NOOP\r\n".repeat(1000);
    let clogged = tokio::time::timeout(Duration::from_millis(50), near.write_all(group.as_bytes())).await;
    assert!(clogged.is_err(), "the server should have stopped reading");
}

#[tokio::test(start_paused = true)]
async fn octets_before_the_greeting_are_a_violation() {
    let script = vec![Rule::new(Step::Connect, Action::Delay(20))];
    let sink = Sink::new(Config { script, ..Config::default() }).unwrap();
    let mut client = Client::on(&sink);
    client.send("EHLO me.test\r\n").await;
    assert!(client.reply().await.starts_with("220 "));
    assert!(client.reply().await.starts_with("250-"));
    assert_eq!(sink.stats().early_input, 1);
}

#[tokio::test]
async fn connections_are_counted_until_they_end() {
    let sink = Sink::new(Config::default()).unwrap();
    let (mut first, mut second) = (Client::on(&sink), Client::on(&sink));
    first.reply().await;
    second.reply().await;
    first.send("QUIT\r\n").await;
    first.rest().await;
    drop((first, second));
    sink.closed().await;
    let stats = sink.stats();
    assert_eq!((stats.connections, stats.open, stats.max_open, stats.without_quit), (2, 0, 2, 1));
}
