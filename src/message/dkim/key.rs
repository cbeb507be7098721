//! Signing keys: parsed once, then kept, since parsing costs nearly as much as signing.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaKeyPair};

use super::Hash;
use crate::error::{Code, Error, Result};

/// Keys kept; a program signs with a few.
const KEPT: usize = 64;

/// Keys by the hash of their DER, which itself is not kept.
static KEYS: LazyLock<Mutex<HashMap<Vec<u8>, SigningKey>>> = LazyLock::new(Mutex::default);

/// A key that can sign.
#[derive(Clone)]
pub(super) enum SigningKey {
    Rsa(Arc<RsaKeyPair>),
    Ed25519(Arc<Ed25519KeyPair>),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.algorithm())
    }
}

impl SigningKey {
    /// Parses PKCS#8 in DER. The error says what is wrong with the key.
    pub(super) fn load(der: &[u8]) -> Result<Self, String> {
        let name = digest(&SHA256, der).as_ref().to_vec();
        let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.get(&name) {
            return Ok(key.clone());
        }
        let key = Self::parse(der)?;
        if keys.len() >= KEPT {
            keys.clear();
        }
        keys.insert(name, key.clone());
        Ok(key)
    }

    fn parse(der: &[u8]) -> Result<Self, String> {
        if let Ok(key) = Ed25519KeyPair::from_pkcs8(der) {
            return Ok(Self::Ed25519(Arc::new(key)));
        }
        RsaKeyPair::from_pkcs8(der)
            .map(|key| Self::Rsa(Arc::new(key)))
            .map_err(|error| format!("not an RSA or Ed25519 private key this engine takes ({error})"))
    }

    /// The first part of the `a=` tag.
    pub(super) const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "rsa",
            Self::Ed25519(_) => "ed25519",
        }
    }

    /// Signs the canonical headers.
    pub(super) fn sign(&self, headers: &[u8], hash: Hash) -> Result<Vec<u8>> {
        match self {
            Self::Rsa(key) => {
                let encoding = match hash {
                    Hash::Sha256 => &RSA_PKCS1_SHA256,
                    Hash::Sha512 => &RSA_PKCS1_SHA512,
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &SystemRandom::new(), headers, &mut signature)
                    .map_err(|_| Error::new(Code::Dkim, "DKIM signature failed"))?;
                Ok(signature)
            }
            // What is signed is the hash, not the headers (RFC 8463 §3).
            Self::Ed25519(key) => Ok(key.sign(digest(&SHA256, headers).as_ref()).as_ref().to_vec()),
        }
    }
}
