//! The room as a whole, over loopback sockets against rustls servers.

use std::net::{Ipv4Addr, SocketAddr};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::error::Code;

const WAIT: Duration = Duration::from_secs(10);
const GREETING: &[u8] = b"220 hello\r\n";

/// A certificate with its key, able to issue others.
struct Party {
    params: CertificateParams,
    key: KeyPair,
    der: CertificateDer<'static>,
}

impl Party {
    /// Signed by itself where there is no issuer.
    fn new(issuer: Option<&Self>, common_name: &str, edit: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        edit(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = match issuer {
            None => params.self_signed(&key),
            Some(issuer) => params.signed_by(&key, &Issuer::from_params(&issuer.params, &issuer.key)),
        };
        let der = certificate.unwrap().der().clone();
        Self { params, key, der }
    }

    fn authority(issuer: Option<&Self>, common_name: &str) -> Self {
        Self::new(issuer, common_name, is_authority)
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    fn server(&self, chain: &[&Self], versions: &[&'static SupportedProtocolVersion]) -> TlsAcceptor {
        let chain =
            std::iter::once(self).chain(chain.iter().copied()).map(|party| party.der.clone()).collect();
        let config =
            server_config(versions).with_no_client_auth().with_single_cert(chain, self.key()).unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn server_config(
    versions: &[&'static SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap()
}

fn is_authority(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
}

fn names(names: &[&str]) -> Vec<SanType> {
    let name = |name: &&str| match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName((*name).try_into().unwrap()),
    };
    names.iter().map(name).collect()
}

fn named(list: &[&str]) -> impl FnOnce(&mut CertificateParams) {
    let list = names(list);
    move |params| params.subject_alt_names = list
}

const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12, &rustls::version::TLS13];

/// Serves every connection to a new loopback port.
async fn serve<F>(each: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(each(socket));
        }
    });
    port
}

/// Greets, then waits for the client to go.
async fn greet(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    stream.write_all(GREETING).await.unwrap();
    stream.flush().await.unwrap();
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

async fn serve_tls(acceptor: TlsAcceptor) -> u16 {
    serve(move |socket| {
        let accepting = acceptor.accept(socket);
        async move {
            if let Ok(stream) = accepting.await {
                greet(stream).await;
            }
        }
    })
    .await
}

fn target(port: u16, servername: &str, tls: TlsOptions) -> Target {
    Target {
        host: "127.0.0.1".to_owned(),
        port,
        secure: true,
        servername: Some(servername.to_owned()),
        local_address: None,
        proxy: None,
        tls: Arc::new(Tls::new(tls).unwrap()),
        dns_timeout: WAIT,
    }
}

fn trusting(parties: &[&Party]) -> TlsOptions {
    let ca = parties.iter().map(|party| party.der.to_vec()).collect();
    TlsOptions { ca: Some(ca), ..TlsOptions::default() }
}

fn unverified() -> TlsOptions {
    TlsOptions { reject_unauthorized: false, ..TlsOptions::default() }
}

async fn open(target: &Target) -> Result<Stream> {
    connect(target, Instant::now() + WAIT).await
}

async fn greeting(stream: &mut Stream) -> Vec<u8> {
    let mut greeting = vec![0; GREETING.len()];
    stream.read_exact(&mut greeting).await.unwrap();
    greeting
}

/// The reason a handshake failed, as JavaScript sees it: `originalCode` and message.
fn reason(error: &Error) -> (&str, &str) {
    assert_eq!((error.code(), error.command_name()), (Code::Socket, Some("CONN")), "{error:?}");
    (&error.system_error().unwrap().code, error.message())
}

#[tokio::test]
async fn certificates_are_accepted_and_refused_as_in_node() {
    let root = Party::authority(None, "root");
    let other = Party::authority(None, "other");
    let middle = Party::authority(Some(&root), "middle");
    let leaf = Party::new(Some(&root), "leaf", named(&["mail.example", "*.wild.example", "10.0.0.1"]));
    let deep = Party::new(Some(&middle), "deep", named(&["mail.example"]));
    let by_name = Party::new(Some(&root), "mail.example", |_| {});
    let expired = Party::new(Some(&root), "expired", |params| {
        named(&["mail.example"])(params);
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let early =
        Party::new(Some(&root), "early", |params| params.not_before = rcgen::date_time_ymd(4000, 1, 1));
    let own = Party::new(None, "own", named(&["mail.example"]));
    let own_authority = Party::authority(None, "mail.example");
    let expired_root = Party::new(None, "expired root", |params| {
        is_authority(params);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let under_expired = Party::new(Some(&expired_root), "leaf", named(&["mail.example"]));

    const OK: Option<(&str, &str)> = None;
    const NAME: &str = "ERR_TLS_CERT_ALTNAME_INVALID";
    const LEAF: Option<(&str, &str)> =
        Some(("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate"));
    let altnames = |reason: &str| format!("Hostname/IP does not match certificate's altnames: {reason}");
    let wrong_host = altnames(
        "Host: b.example. is not in the cert's altnames: DNS:mail.example, DNS:*.wild.example, IP Address:10.0.0.1",
    );
    let wrong_ip = altnames("IP: 10.0.0.2 is not in the cert's list: 10.0.0.1");
    let wrong_cn = altnames("Host: b.example. is not cert's CN: mail.example");

    type Case<'a> = (&'a Party, &'a [&'a Party], &'a [&'a Party], &'a str, Option<(&'a str, &'a str)>);
    let cases: &[Case<'_>] = &[
        (&leaf, &[], &[&root], "mail.example", OK),
        (&leaf, &[], &[&other, &root], "a.wild.example", OK),
        (&leaf, &[], &[&root], "10.0.0.1", OK),
        (&leaf, &[], &[&root], "b.example", Some((NAME, &wrong_host))),
        (&leaf, &[], &[&root], "10.0.0.2", Some((NAME, &wrong_ip))),
        (&leaf, &[], &[&other], "mail.example", LEAF),
        (&leaf, &[], &[], "mail.example", LEAF),
        (&leaf, &[], &[&leaf], "mail.example", LEAF),
        (
            &leaf,
            &[&root],
            &[&other],
            "mail.example",
            Some(("SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain")),
        ),
        (&deep, &[&middle], &[&root], "mail.example", OK),
        (&deep, &[], &[&root, &middle], "mail.example", OK),
        (&deep, &[], &[&root], "mail.example", LEAF),
        (
            &deep,
            &[&middle],
            &[&other],
            "mail.example",
            Some(("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "unable to get local issuer certificate")),
        ),
        (
            &deep,
            &[&middle],
            &[&middle],
            "mail.example",
            Some(("UNABLE_TO_GET_ISSUER_CERT", "unable to get issuer certificate")),
        ),
        (&by_name, &[], &[&root], "mail.example", OK),
        (&by_name, &[], &[&root], "b.example", Some((NAME, &wrong_cn))),
        (&expired, &[], &[&root], "mail.example", Some(("CERT_HAS_EXPIRED", "certificate has expired"))),
        (&expired, &[], &[&other], "mail.example", Some(("CERT_HAS_EXPIRED", "certificate has expired"))),
        (&early, &[], &[&root], "mail.example", Some(("CERT_NOT_YET_VALID", "certificate is not yet valid"))),
        (&own, &[], &[&own], "mail.example", OK),
        (&own_authority, &[], &[&own_authority], "mail.example", OK),
        (&own_authority, &[], &[&own_authority], "b.example", Some((NAME, &wrong_cn))),
        (
            &own,
            &[],
            &[&root],
            "mail.example",
            Some(("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate")),
        ),
        (
            &own_authority,
            &[],
            &[],
            "mail.example",
            Some(("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate")),
        ),
        (&under_expired, &[], &[&expired_root], "mail.example", LEAF),
    ];
    for (index, (party, chain, trusted, name, expected)) in cases.iter().enumerate() {
        let port = serve_tls(party.server(chain, BOTH)).await;
        let outcome = open(&target(port, name, trusting(trusted))).await;
        let failure = outcome.as_ref().err();
        assert_eq!(failure.map(reason), *expected, "case {index}");
        assert!(!failure.is_some_and(Error::is_tls_incompatible), "case {index} does not verify anywhere");
        // Whatever is wrong with it: it is taken where that was asked for.
        assert!(open(&target(port, name, unverified())).await.is_ok(), "case {index}");
    }
}

#[tokio::test]
async fn a_handshake_over_a_session_says_what_was_agreed_on() {
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
async fn a_client_certificate_is_shown() {
    let root = Party::authority(None, "root");
    let server = Party::new(Some(&root), "server", named(&["mail.example"]));
    let client = Party::new(Some(&root), "client", |_| {});
    let mut roots = RootCertStore::empty();
    roots.add(root.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let config = server_config(BOTH)
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server.der.clone()], server.key())
        .unwrap();
    let port = serve_tls(TlsAcceptor::from(Arc::new(config))).await;

    let pem = rcgen_pem(&client);
    let shown = TlsOptions { cert: pem, key: client.key.serialize_der(), ..trusting(&[&root]) };
    let mut stream = open(&target(port, "mail.example", shown)).await.unwrap();
    assert_eq!(greeting(&mut stream).await, GREETING);

    let mut stream = open(&target(port, "mail.example", trusting(&[&root]))).await.unwrap();
    let error = stream.read(&mut [0; 16]).await.unwrap_err();
    let error = Stream::failure(&error, "read");
    let text = "SSL routines:tlsv13 alert certificate required:SSL alert number 116";
    assert_eq!(reason(&error), ("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", text));
    assert!(!error.is_tls_incompatible());
}

fn rcgen_pem(party: &Party) -> Vec<u8> {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(&party.der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n")).into_bytes()
}

#[tokio::test]
async fn trusted_certificates_are_read_from_pem_among_other_text() {
    let own = Party::new(None, "own", named(&["mail.example"]));
    let other = Party::authority(None, "other");
    let port = serve_tls(own.server(&[], BOTH)).await;
    let pem = [b"# roots\n".to_vec(), rcgen_pem(&other), b"between\n".to_vec(), rcgen_pem(&own)].concat();
    let as_ca = TlsOptions { ca: Some(vec![b"nothing".to_vec(), pem.clone()]), ..TlsOptions::default() };
    let as_roots = TlsOptions { roots: pem.clone(), ..TlsOptions::default() };
    assert!(open(&target(port, "mail.example", as_ca)).await.is_ok());
    assert!(open(&target(port, "mail.example", as_roots)).await.is_ok());
    // `ca` replaces the roots.
    let neither = TlsOptions { roots: pem, ..trusting(&[&other]) };
    assert!(open(&target(port, "mail.example", neither)).await.is_err());
}

#[test]
fn settings_that_cannot_be_honoured_are_refused() {
    let own = Party::new(None, "own", |_| {});
    let stranger = Party::new(None, "stranger", |_| {});
    for options in [
        TlsOptions { ciphers: vec!["AES128-SHA".to_owned()], ..TlsOptions::default() },
        TlsOptions { cert: rcgen_pem(&own), key: b"no key".to_vec(), ..TlsOptions::default() },
        TlsOptions { cert: rcgen_pem(&own), key: stranger.key.serialize_der(), ..TlsOptions::default() },
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

#[tokio::test]
async fn one_deadline_bounds_all_of_connecting() {
    let silent = serve(|socket| async move {
        // Held open until the client goes.
        let (mut reader, _writer) = tokio::io::split(socket);
        let _ = reader.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let mute_proxy = || proxy_at(silent);
    let tunnelling = serve(|mut socket| async move {
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let _ = socket.read_to_end(&mut Vec::new()).await;
    })
    .await;
    for (proxy, message, kind) in [
        (None, "Connection timeout", Some("CONNECT_TIMEOUT")),
        (Some(mute_proxy()), "Proxy socket timed out", None),
        (Some(proxy_at(tunnelling)), "TLS handshake timed out", Some("UPGRADE_TIMEOUT")),
    ] {
        let target = Target { proxy, ..target(silent, "mail.example", unverified()) };
        let error = connect(&target, Instant::now() + Duration::from_millis(100)).await.unwrap_err();
        assert_eq!((error.code(), error.message(), error.timeout_kind()), (Code::TimedOut, message, kind));
    }
}

fn proxy_at(port: u16) -> Proxy {
    let kind = ProxyKind::Http(None);
    Proxy { kind, host: "127.0.0.1".to_owned(), port, username: None, password: None }
}
