//! DKIM signatures (RFC 6376) with relaxed canonicalization, RSA or Ed25519 (RFC 8463).
//!
//! The header is nodemailer's to the byte: the same tags in the same order, the same folding.

mod canonical;
mod key;

use serde::Deserialize;

pub(super) use canonical::{BodyHash, HeadSplitter};
use canonical::{Head, relaxed_value};
use key::SigningKey;

use super::Part;
use super::fold::fold_into;
use crate::error::{Code, Error, Result};

/// Headers that are signed unless the caller names others (RFC 6376 §5.4.1 and OTP-Token).
const DEFAULT_FIELDS: &str = "From:Sender:Reply-To:Subject:Date:Message-ID:To:Cc:MIME-Version:Content-Type:\
    Content-Transfer-Encoding:Content-ID:Content-Description:Resent-Date:Resent-From:Resent-Sender:Resent-To:\
    Resent-Cc:Resent-Message-ID:In-Reply-To:References:List-Id:List-Help:List-Unsubscribe:List-Subscribe:\
    List-Post:List-Owner:List-Archive:OTP-Token";

/// How a message is signed, as the record carries it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Options {
    keys: Vec<KeyOptions>,
    #[serde(default)]
    hash: Hash,
    /// Names of the headers to sign, colons between.
    header_field_names: Option<String>,
    /// Names of headers not to sign.
    #[serde(default)]
    skip_fields: String,
}

/// The key of one signature.
#[derive(Debug, Deserialize)]
struct KeyOptions {
    domain: String,
    selector: String,
    /// The key, PKCS#8 in DER, beside the record.
    part: Option<usize>,
    /// Why there is no key.
    #[serde(default)]
    error: String,
}

/// Hash of body and headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Hash {
    #[default]
    Sha256,
    Sha512,
}

impl Hash {
    const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

/// The keys and rules to sign one message with.
#[derive(Debug)]
pub(super) struct Signer {
    keys: Vec<(String, String, SigningKey)>,
    hash: Hash,
    fields: String,
    skip: String,
}

impl Signer {
    /// Takes the keys from beside the record. A key that cannot sign is an error here, before
    /// anything is sent: a message is never sent unsigned instead.
    pub(super) fn new(options: &Options, parts: &[Part]) -> Result<Self> {
        let key = |options: &KeyOptions| {
            let der = options.part.and_then(|index| parts.get(index)).map(Part::octets);
            let key = match der {
                Some(der) => SigningKey::load(der),
                None => Err(options.error.clone()),
            };
            let named = |reason: String| {
                let (selector, domain) = (&options.selector, &options.domain);
                Error::new(
                    Code::Dkim,
                    format!("DKIM key {selector}._domainkey.{domain} cannot sign: {reason}"),
                )
            };
            Ok((options.domain.clone(), options.selector.clone(), key.map_err(named)?))
        };
        Ok(Self {
            keys: options.keys.iter().map(key).collect::<Result<_>>()?,
            hash: options.hash,
            fields: options.header_field_names.clone().unwrap_or_else(|| DEFAULT_FIELDS.to_owned()),
            skip: options.skip_fields.clone(),
        })
    }

    /// A hash of the body to feed and give to [`Signer::headers`].
    pub(super) fn body_hash(&self) -> BodyHash {
        BodyHash::new(self.hash)
    }

    /// The signature headers to put before `head`.
    pub(super) fn headers(&self, head: &[u8], body_hash: &[u8]) -> Result<Vec<u8>> {
        let head = Head::parse(head);
        let (names, lines) = head.select(&self.fields, &self.skip);
        let body_hash = encodify::base64::STANDARD.encode(body_hash);
        let mut out = Vec::new();
        for (domain, selector, key) in &self.keys {
            let header = self.unsigned_header(key.algorithm(), domain, selector, &names, &body_hash);
            let mut signed = lines.clone();
            signed.extend_from_slice(b"dkim-signature:");
            relaxed_value(&header, &mut signed);
            let signature = key.sign(&signed, self.hash)?;
            out.extend_from_slice(&header);
            push_signature(&encodify::base64::STANDARD.encode(signature), &mut out);
            out.extend_from_slice(b"\r\n");
        }
        Ok(out)
    }

    /// The header with an empty signature.
    fn unsigned_header(
        &self,
        algorithm: &str,
        domain: &str,
        selector: &str,
        names: &[u8],
        body_hash: &str,
    ) -> Vec<u8> {
        let hash = self.hash.name();
        let names = String::from_utf8_lossy(names);
        let line = format!(
            "DKIM-Signature: v=1; a={algorithm}-{hash}; c=relaxed/relaxed; d={domain}; q=dns/txt; s={selector}; \
             bh={body_hash}; h={names}"
        );
        let mut out = Vec::with_capacity(line.len() + 400);
        fold_into(&line, &mut out);
        out.extend_from_slice(b";\r\n b=");
        out
    }
}

/// The signature in lines of 75, the first shorter for what stands before it.
fn push_signature(signature: &str, out: &mut Vec<u8>) {
    let (first, rest) = signature.as_bytes().split_at(signature.len().min(73));
    out.extend_from_slice(first);
    for line in rest.chunks(75) {
        out.extend_from_slice(b"\r\n ");
        out.extend_from_slice(line);
    }
}
