//! TLS to a server, accepting what Node accepts.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::stream::server_name;
use crate::error::{Code, Error, Result, SystemError};

/// A protocol version that rustls speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
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
    /// Cipher suites in OpenSSL's names; empty for all.
    pub ciphers: Vec<String>,
    /// Application protocols to offer.
    pub alpn: Vec<Vec<u8>>,
    /// Any trusted certificate may end a chain, not only self-signed ones.
    pub partial_chain: bool,
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
            partial_chain: false,
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
        let mut roots = RootCertStore::empty();
        for pem in options.ca.iter().flatten().chain([&options.roots]) {
            roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).flatten());
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new(Code::Config, error.to_string()))?
            .with_root_certificates(roots);
        let config = if options.key.is_empty() {
            builder.with_no_client_auth()
        } else {
            let chain = CertificateDer::pem_slice_iter(&options.cert).flatten().collect();
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(options.key.clone()));
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| Error::new(Code::Config, error.to_string()))?
        };
        Ok(Self { config: Arc::new(config), servername: options.servername })
    }

    /// The name given by `tls.servername`.
    pub(super) fn servername(&self) -> Option<&str> {
        self.servername.as_deref().filter(|name| !name.is_empty())
    }

    pub(super) async fn client_handshake<S>(&self, stream: S, name: &str) -> Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = server_name(name)
            .ok_or_else(|| Error::new(Code::Socket, "Invalid server name").command("CONN"))?;
        TlsConnector::from(self.config.clone())
            .connect(name, stream)
            .await
            .map_err(|error| handshake_failed(&error))
    }
}

fn handshake_failed(error: &io::Error) -> Error {
    Error::new(Code::Socket, error.to_string()).command("CONN").fatal().system(SystemError::default())
}
