//! Verifies a server's certificate: webpki's chain and signatures, Node's rules around them.
//!
//! What webpki refuses though OpenSSL may take it is [`Refusal::Unjudged`], not a certificate that
//! does not verify: another engine, which verifies it in full, can be asked.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::certificate::Certificate;
use super::identity;
use super::trust::Trust;

/// Smallest RSA key that the crypto library checks signatures of.
const SMALLEST_RSA: usize = 2048;

/// Why a certificate is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It does not verify: OpenSSL's name for the reason, and Node's text.
    Unverified(&'static str, String),
    /// It has a form or algorithm that is not known here.
    Unjudged(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unverified(_, text) | Self::Unjudged(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refusal))))
    }
}

/// Accepts a certificate that chains to `trust` and names the server; without `trust` any, as
/// `rejectUnauthorized: false` asks. Signatures of the handshake are checked either way.
pub(super) struct Verifier {
    pub(super) trust: Option<Arc<Trust>>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("verifies", &self.trust.is_some()).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(trust) = &self.trust {
            let leaf = Certificate::parse(end_entity)
                .ok_or_else(|| Refusal::Unjudged("the certificate is malformed".to_owned()))?;
            in_time(&leaf, now)?;
            if !trust.contains(end_entity) {
                self.chain(trust, end_entity, &leaf, intermediates, now)?;
            }
            identity::check(&server_name.to_str(), &leaf).map_err(|reason| {
                let text = format!("Hostname/IP does not match certificate's altnames: {reason}");
                Refusal::Unverified("ERR_TLS_CERT_ALTNAME_INVALID", text)
            })?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms).map_err(|error| small_key(cert, error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms).map_err(|error| small_key(cert, error))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl Verifier {
    fn chain(
        &self,
        trust: &Trust,
        end_entity: &CertificateDer<'_>,
        leaf: &Certificate<'_>,
        sent: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let verified = ParsedCertificate::try_from(end_entity).and_then(|parsed| {
            let known: Vec<_> = trust.intermediates.iter().chain(sent).cloned().collect();
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                &trust.anchors,
                &known,
                now,
                self.algorithms.all,
            )
        });
        verified.map_err(|error| refusal(error, trust, leaf, sent))
    }
}

fn in_time(leaf: &Certificate<'_>, now: UnixTime) -> Result<(), Refusal> {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < leaf.not_before {
        return Err(unverified("CERT_NOT_YET_VALID", "certificate is not yet valid"));
    }
    if now > leaf.not_after {
        return Err(unverified("CERT_HAS_EXPIRED", "certificate has expired"));
    }
    Ok(())
}

fn unverified(code: &'static str, text: &str) -> Refusal {
    Refusal::Unverified(code, text.to_owned())
}

/// What webpki said, as OpenSSL would have.
fn refusal(error: Error, trust: &Trust, leaf: &Certificate<'_>, sent: &[CertificateDer<'_>]) -> Error {
    use CertificateError as E;
    let Error::InvalidCertificate(reason) = error else { return error };
    if let Some((code, text)) = trust.gap(leaf, sent) {
        return unverified(code, text).into();
    }
    match reason {
        E::Expired | E::ExpiredContext { .. } => unverified("CERT_HAS_EXPIRED", "certificate has expired"),
        E::NotValidYet | E::NotValidYetContext { .. } => {
            unverified("CERT_NOT_YET_VALID", "certificate is not yet valid")
        }
        E::UnknownIssuer => {
            unverified("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate")
        }
        E::BadSignature => unverified("CERT_SIGNATURE_FAILURE", "certificate signature failure"),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            unverified("INVALID_PURPOSE", "unsuitable certificate purpose")
        }
        // webpki's own names; what is not here is a form it does not know.
        E::Other(other) => match other.to_string().as_str() {
            "EndEntityUsedAsCa" => unverified("INVALID_CA", "invalid CA certificate"),
            "PathLenConstraintViolated" => {
                unverified("PATH_LENGTH_EXCEEDED", "path length constraint exceeded")
            }
            "NameConstraintViolation" => unverified("PERMITTED_VIOLATION", "permitted subtree violation"),
            unknown => Refusal::Unjudged(unknown.to_owned()),
        },
        unknown => Refusal::Unjudged(format!("{unknown:?}")),
    }
    .into()
}

/// A signature of the handshake that did not verify, told apart from one by a key too small to
/// check.
fn small_key(cert: &CertificateDer<'_>, error: Error) -> Error {
    let bits = Certificate::parse(cert).and_then(|certificate| certificate.rsa_bits);
    match bits {
        Some(bits) if bits < SMALLEST_RSA => Refusal::Unjudged(format!("RSA key of {bits} bits")).into(),
        _ => error,
    }
}
