//! The record of one message: what the caller's options came to, with nothing left to decide but
//! the bytes. It crosses from JavaScript as text, see [`read`], with the large values beside it.

mod read;

use std::cell::OnceCell;
use std::collections::HashMap;

use serde::Deserialize;

use super::address::{self, Address, Entry};
use super::dkim;
use super::param::Structured;
use super::text::Encoding;
pub(super) use read::stated_recipients;

/// A whole message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// Shared part of the multipart boundaries, unique to the message.
    #[serde(default)]
    pub(super) boundary: String,
    /// What a boundary begins with.
    #[serde(default = "default_prefix")]
    pub(super) prefix: String,
    /// Encoding the caller wants for header words and text bodies.
    #[serde(default)]
    pub(super) encoding: Option<Encoding>,
    /// Line ends the caller wants.
    #[serde(default)]
    pub(super) newline: Option<Newline>,
    /// The moment of sending as a `Date` value.
    #[serde(default)]
    pub(super) date: String,
    /// Left part of a `Message-ID` to generate.
    #[serde(default)]
    pub(super) id: String,
    /// The caller's own envelope.
    #[serde(default)]
    pub(super) envelope: Option<Addressees>,
    /// Delivery status notification.
    #[serde(default)]
    pub(super) dsn: Option<Dsn>,
    /// Size in octets as the caller announced it.
    #[serde(default)]
    pub(super) size: Option<u64>,
    /// The caller asked for `BODY=8BITMIME`.
    #[serde(default, rename = "use8BitMime")]
    pub(super) use_8bit_mime: bool,
    /// The caller asked for REQUIRETLS.
    #[serde(default, rename = "requireTls")]
    pub(super) require_tls: bool,
    /// Most recipients the message may have, 0 for any number.
    #[serde(default, rename = "maxRecipients")]
    pub(super) max_recipients: usize,
    /// How the message is signed.
    #[serde(default)]
    pub(super) dkim: Option<dkim::Options>,
    /// Names the caller writes headers by, where they are not the usual ones.
    #[serde(default)]
    pub(super) names: HashMap<String, String>,
    /// The tree of parts.
    #[serde(default)]
    pub(super) root: Node,
}

fn default_prefix() -> String {
    "--_NmP".to_owned()
}

/// Line ends of the finished message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Newline {
    /// CR LF everywhere.
    Windows,
    /// LF everywhere.
    Unix,
}

/// An envelope's addresses.
#[derive(Debug, Deserialize)]
pub(super) struct Addressees {
    pub(super) from: String,
    pub(super) to: Vec<String>,
}

/// [`crate::mail::Dsn`] as the record spells it.
#[derive(Debug, Deserialize)]
pub(super) struct Dsn {
    pub(super) ret: Option<String>,
    pub(super) envid: Option<String>,
    pub(super) notify: Option<String>,
    pub(super) orcpt: Option<String>,
}

/// One part with its headers.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Node {
    /// Headers in order.
    pub(super) headers: Vec<Field>,
    /// File name, for `Content-Disposition` and `Content-Type`.
    pub(super) filename: Option<String>,
    /// Content to encode.
    pub(super) content: Option<Content>,
    /// The whole part as the caller made it, headers included.
    pub(super) raw: Option<Content>,
    /// The parts within.
    pub(super) nodes: Vec<Self>,
}

/// Where content comes from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Content {
    /// A short text.
    Text(String),
    /// A value beside the record.
    Part(usize),
    /// A file to read while the message is sent.
    File(String),
    /// A file to read at once, as nodemailer does where two parts share it.
    Whole(String),
}

/// A header and its value. At most one of the values is set.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Field {
    /// The name as it is written.
    #[serde(rename = "k")]
    pub(super) key: String,
    /// Text to encode as the header asks for.
    #[serde(rename = "v")]
    pub(super) text: String,
    /// Addresses.
    #[serde(rename = "a")]
    entries: Option<Vec<Entry>>,
    /// Message ids of `References`, an entry each for what the caller gave.
    #[serde(rename = "ids")]
    pub(super) ids: Option<Vec<String>>,
    /// The text is written as it is; `true` if it is to be folded.
    #[serde(rename = "prepared")]
    pub(super) prepared: Option<bool>,
    /// The text parsed, for `Content-Type` and `Content-Disposition` with parameters.
    #[serde(rename = "s")]
    pub(super) structured: Option<Structured>,
    /// The value is generated.
    #[serde(rename = "gen")]
    pub(super) generated: bool,
    #[serde(skip)]
    read: OnceCell<Vec<Address>>,
}

impl Field {
    /// A header with a plain value.
    pub(super) fn new(key: &str, text: impl Into<String>) -> Self {
        Self { key: key.to_owned(), text: text.into(), ..Self::default() }
    }

    /// An address header that is one list in the common form.
    fn list(key: &str, list: &str) -> Self {
        Self { key: key.to_owned(), entries: Some(vec![Entry::list(list)]), ..Self::default() }
    }

    /// The addresses of an address header, read on first use.
    pub(super) fn addresses(&self) -> Option<&[Address]> {
        let entries = self.entries.as_ref()?;
        Some(self.read.get_or_init(|| address::read(entries)))
    }

    /// Whether there is a value, empty ones not counted.
    pub(super) fn is_set(&self) -> bool {
        !self.text.is_empty() || self.entries.is_some() || self.ids.is_some() || self.prepared.is_some()
    }
}

impl Node {
    /// The first header of that name.
    pub(super) fn header(&self, key: &str) -> Option<&Field> {
        self.headers.iter().find(|field| field.key == key)
    }

    /// Replaces the first header of that name and drops the others, or adds one.
    pub(super) fn set_header(&mut self, key: &str, text: impl Into<String>) {
        let Some(first) = self.headers.iter().position(|field| field.key == key) else {
            self.headers.push(Field::new(key, text));
            return;
        };
        self.headers[first] = Field::new(key, text);
        let mut at = 0;
        self.headers.retain(|field| {
            at += 1;
            at <= first + 1 || field.key != key
        });
    }
}
