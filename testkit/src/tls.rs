//! The TLS side of a sink: certificates, and one configuration whose sessions can be resumed.

use std::fs;
use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Config;

/// The built-in certificate: self-signed, for `localhost`, `127.0.0.1` and `::1`.
pub const TEST_CERT_PEM: &str = include_str!("../certs/localhost.cert.pem");
/// The key of [`TEST_CERT_PEM`]. Everybody has it: it protects nothing.
pub const TEST_KEY_PEM: &str = include_str!("../certs/localhost.key.pem");

pub(crate) fn server_config(config: &Config) -> io::Result<Arc<ServerConfig>> {
    let cert = config.cert.as_ref().map_or_else(|| Ok(TEST_CERT_PEM.into()), fs::read)?;
    let key = config.key.as_ref().map_or_else(|| Ok(TEST_KEY_PEM.into()), fs::read)?;
    let chain = CertificateDer::pem_slice_iter(&cert).collect::<Result<Vec<_>, _>>().map_err(invalid)?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(invalid)?;
    let mut tls = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(invalid)?;
    tls.ticketer = Ticketer::new().map_err(invalid)?;
    Ok(Arc::new(tls))
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
