//! TLS to a server, accepting what Node accepts.

mod certificate;
mod failure;
mod identity;
mod trust;
mod verify;

use std::fmt;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedCipherSuite, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use self::trust::Trust;
use self::verify::Verifier;
use crate::error::{Code, Error, Result};

pub(super) use self::failure::stream_failed;

/// OpenSSL's names of the cipher suites rustls has.
const CIPHERS: [(&str, &SupportedCipherSuite); 9] = {
    use rustls::crypto::aws_lc_rs::cipher_suite as suite;
    [
        ("TLS_AES_256_GCM_SHA384", &suite::TLS13_AES_256_GCM_SHA384),
        ("TLS_AES_128_GCM_SHA256", &suite::TLS13_AES_128_GCM_SHA256),
        ("TLS_CHACHA20_POLY1305_SHA256", &suite::TLS13_CHACHA20_POLY1305_SHA256),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", &suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
        ("ECDHE-ECDSA-AES128-GCM-SHA256", &suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", &suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
        ("ECDHE-RSA-AES256-GCM-SHA384", &suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
        ("ECDHE-RSA-AES128-GCM-SHA256", &suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
        ("ECDHE-RSA-CHACHA20-POLY1305", &suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    ]
};

/// A protocol version that rustls speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl TlsVersion {
    /// The version Node calls `TLSv1.2` or `TLSv1.3`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "TLSv1.2" => Some(Self::V1_2),
            "TLSv1.3" => Some(Self::V1_3),
            _ => None,
        }
    }
}

/// What the caller asked for; `Tls::new` makes it into a configuration.
#[derive(Clone)]
pub struct TlsOptions {
    /// Certificates to trust instead of `roots`, each PEM (one or more certificates) or DER. An
    /// empty list that is present trusts nobody.
    pub ca: Option<Vec<Vec<u8>>>,
    /// PEM of the certificates trusted by default; read only without `ca`, and parsed once a
    /// process.
    pub roots: Vec<u8>,
    /// Chain of the client's certificate, PEM, leaf first.
    pub cert: Vec<u8>,
    /// Key of the client's certificate, PKCS#8 DER.
    pub key: Vec<u8>,
    /// Refuse a certificate that does not verify; true by default.
    pub reject_unauthorized: bool,
    /// `tls.servername`.
    pub servername: Option<String>,
    /// Lowest version; 1.2 by default.
    pub min_version: Option<TlsVersion>,
    /// Highest version; 1.3 by default.
    pub max_version: Option<TlsVersion>,
    /// Cipher suites in OpenSSL's names, most wanted first; empty for all. Where none of TLS 1.3 is
    /// among them it keeps all of its own, as in OpenSSL.
    pub ciphers: Vec<String>,
    /// Application protocols to offer.
    pub alpn: Vec<Vec<u8>>,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            ca: None,
            roots: Vec::new(),
            cert: Vec::new(),
            key: Vec::new(),
            reject_unauthorized: true,
            servername: None,
            min_version: None,
            max_version: None,
            ciphers: Vec::new(),
            alpn: Vec::new(),
        }
    }
}

impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions").field("servername", &self.servername).finish_non_exhaustive()
    }
}

/// TLS settings of a pool. Share one value: its sessions resume.
pub struct Tls {
    config: Arc<ClientConfig>,
    servername: Option<String>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("servername", &self.servername).finish_non_exhaustive()
    }
}

impl Tls {
    /// Builds the configuration; fails on what cannot be honoured.
    pub fn new(options: TlsOptions) -> Result<Self> {
        let provider = provider(&options.ciphers)?;
        let verifier = Verifier {
            trust: options.reject_unauthorized.then(|| trust(&options)),
            algorithms: provider.signature_verification_algorithms,
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&versions(&options))
            .map_err(|error| unusable(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = if options.key.is_empty() {
            builder.with_no_client_auth()
        } else {
            let chain = CertificateDer::pem_slice_iter(&options.cert).flatten().collect();
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(options.key));
            builder.with_client_auth_cert(chain, key).map_err(|error| unusable(&error))?
        };
        config.alpn_protocols = options.alpn;
        let servername = options.servername.filter(|name| !name.is_empty());
        Ok(Self { config: Arc::new(config), servername })
    }

    /// The name given by `tls.servername`.
    pub(super) fn servername(&self) -> Option<&str> {
        self.servername.as_deref()
    }

    pub(super) async fn handshake<S>(&self, stream: S, name: &str) -> Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // A name that is none in DNS cannot be said in SNI here; Node says anything.
        let name = ServerName::try_from(name.to_owned()).map_err(|_| failure::unsayable_name())?;
        let connecting = TlsConnector::from(self.config.clone()).connect(name, stream);
        connecting.await.map_err(|error| failure::handshake_failed(&error))
    }
}

fn trust(options: &TlsOptions) -> Arc<Trust> {
    match &options.ca {
        Some(ca) => Arc::new(Trust::parse(ca.iter().map(Vec::as_slice))),
        None => Trust::roots(&options.roots),
    }
}

/// The crypto library, named: the process may hold another default.
fn provider(ciphers: &[String]) -> Result<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    if ciphers.is_empty() {
        return Ok(provider);
    }
    let mut suites = Vec::with_capacity(ciphers.len());
    for name in ciphers {
        let known = CIPHERS.iter().find(|(known, _)| known == name);
        let (_, suite) = known.ok_or_else(|| Error::new(Code::Config, format!("Unknown cipher {name:?}")))?;
        suites.push(**suite);
    }
    if !suites.iter().any(|suite| suite.tls13().is_some()) {
        suites.extend(provider.cipher_suites.iter().filter(|suite| suite.tls13().is_some()));
    }
    provider.cipher_suites = suites;
    Ok(provider)
}

fn versions(options: &TlsOptions) -> Vec<&'static SupportedProtocolVersion> {
    let lowest = options.min_version.unwrap_or(TlsVersion::V1_2);
    let highest = options.max_version.unwrap_or(TlsVersion::V1_3);
    let all = [(TlsVersion::V1_2, &TLS12), (TlsVersion::V1_3, &TLS13)];
    let wanted = all.into_iter().filter(|(version, _)| (lowest..=highest).contains(version));
    wanted.map(|(_, version)| version).collect()
}

fn unusable(error: &rustls::Error) -> Error {
    Error::new(Code::Config, error.to_string())
}
