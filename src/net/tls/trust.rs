//! The certificates a chain may end at.
//!
//! As in Node, only a self-signed certificate ends a chain; others among the trusted ones help to
//! build it. A server whose self-signed certificate is itself among them is trusted by that alone.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::certificate::Certificate;

/// Root sets kept parsed: one in the usual process, more only where the defaults change meanwhile.
const KEPT: usize = 4;

static PARSED: Mutex<Vec<(Vec<u8>, Arc<Trust>)>> = Mutex::new(Vec::new());

/// Whom to trust.
#[derive(Debug)]
pub(super) struct Trust {
    /// Self-signed certificates.
    pub(super) anchors: RootCertStore,
    /// The same ones, to find a server's own.
    own: HashSet<CertificateDer<'static>>,
    /// The rest, used to build chains.
    pub(super) intermediates: Vec<CertificateDer<'static>>,
}

/// A chain that does not reach an anchor: OpenSSL's name for the reason, and its text.
pub(super) type Gap = (&'static str, &'static str);

impl Trust {
    /// Reads trusted certificates, each PEM with any number of certificates or one in DER. Like
    /// Node, takes what it can read and leaves the rest.
    pub(super) fn parse<'a>(sources: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut trust =
            Self { anchors: RootCertStore::empty(), own: HashSet::new(), intermediates: Vec::new() };
        for der in sources.into_iter().flat_map(certificates) {
            let Some(certificate) = Certificate::parse(&der) else { continue };
            if !certificate.is_self_issued() {
                trust.intermediates.push(der);
                continue;
            }
            // OpenSSL checks an anchor's validity, webpki does not.
            if u64::try_from(certificate.not_after).is_ok_and(|end| end >= now) {
                // What webpki cannot use as an issuer can still be a server's own certificate.
                let _ = trust.anchors.add(der.clone());
            }
            trust.own.insert(der);
        }
        trust
    }

    /// Default roots from PEM; parsed once a process as long as the text stays the same.
    pub(super) fn roots(pem: &[u8]) -> Arc<Self> {
        let mut parsed = PARSED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, trust)) = parsed.iter().find(|(text, _)| text == pem) {
            return trust.clone();
        }
        let trust = Arc::new(Self::parse([pem]));
        if parsed.len() == KEPT {
            parsed.remove(0);
        }
        parsed.push((pem.to_vec(), trust.clone()));
        trust
    }

    /// Whether this very certificate is self-signed and trusted.
    pub(super) fn contains(&self, der: &CertificateDer<'_>) -> bool {
        self.own.contains(der)
    }

    /// Follows issuer names from `leaf` and says where the way to an anchor ends; `None` if it does
    /// not. Nothing is verified: this finds the words for a chain that did not verify.
    pub(super) fn gap(&self, leaf: &Certificate<'_>, sent: &[CertificateDer<'_>]) -> Option<Gap> {
        if leaf.is_self_issued() {
            return Some(("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate"));
        }
        let known: Vec<_> = self.intermediates.iter().filter_map(|der| Certificate::parse(der)).collect();
        let sent: Vec<_> = sent.iter().filter_map(|der| Certificate::parse(der)).collect();
        let mut gap = ("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate");
        let mut issuer = leaf.issuer;
        // Each step uses up a certificate, unless names go in a circle.
        for _ in 0..=known.len() + sent.len() {
            // webpki keeps a name as the content of its sequence, as it is here.
            if self.anchors.roots.iter().any(|anchor| anchor.subject.as_ref() == issuer) {
                return None;
            }
            let next = if let Some(next) = known.iter().find(|next| next.subject == issuer) {
                gap = ("UNABLE_TO_GET_ISSUER_CERT", "unable to get issuer certificate");
                next
            } else if let Some(next) = sent.iter().find(|next| next.subject == issuer) {
                gap = ("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "unable to get local issuer certificate");
                next
            } else {
                break;
            };
            if next.is_self_issued() {
                return Some(("SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain"));
            }
            issuer = next.issuer;
        }
        Some(gap)
    }
}

fn certificates(source: &[u8]) -> Vec<CertificateDer<'static>> {
    if Certificate::parse(source).is_some() {
        return vec![CertificateDer::from(source.to_vec())];
    }
    CertificateDer::pem_slice_iter(source).flatten().collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn pem() -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        CertificateParams::default().self_signed(&key).unwrap().pem().into_bytes()
    }

    #[test]
    fn the_same_roots_are_parsed_once_and_a_few_sets_are_kept() {
        let first = pem();
        let trust = Trust::roots(&first);
        assert_eq!(trust.own.len(), 1);
        assert!(Arc::ptr_eq(&trust, &Trust::roots(&first)));
        for _ in 0..KEPT {
            assert!(!Arc::ptr_eq(&trust, &Trust::roots(&pem())));
        }
        assert!(!Arc::ptr_eq(&trust, &Trust::roots(&first)), "the oldest set made room");
        assert_eq!(PARSED.lock().unwrap().len(), KEPT);
    }

    #[test]
    fn what_is_no_certificate_is_left_out() {
        let damaged = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let trust = Trust::parse([&b"text"[..], b"", damaged, &pem()]);
        assert_eq!((trust.own.len(), trust.intermediates.len()), (1, 0));
    }
}
