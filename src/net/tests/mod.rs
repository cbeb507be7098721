//! The room as a whole, over loopback sockets against rustls servers.

mod certificates;
mod reaching;
mod sessions;

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

fn pem(party: &Party) -> Vec<u8> {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(&party.der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n")).into_bytes()
}
