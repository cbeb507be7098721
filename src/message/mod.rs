//! A mail record to RFC 5322 bytes: headers, addresses, parts, encoders.
//!
//! The bytes are those nodemailer makes from the same options. What those options mean was
//! decided where the record was made; here it is only written. No IO but reading attachment files
//! through the opener a message is given.

mod address;
mod body;
mod dkim;
mod encode;
mod fold;
mod header;
mod layout;
mod param;
mod part;
mod record;
mod stream;
#[cfg(test)]
mod tests;
mod text;
mod word;

use std::sync::Arc;

use crate::error::{Code, Error, Result};
use crate::mail::{Body, ChunkSource, Dsn, Envelope, Message, Prepared};
use body::Assembly;
use dkim::Signer;
use layout::{Layout, Piece, Source};
pub use part::{Part, Wide};
use record::Record;
use stream::Outgoing;

/// Opens the files of a message.
pub trait FileOpener: Send + Sync + std::fmt::Debug {
    /// The file's octets in chunks of 64 KiB, the last one shorter: soft line breaks depend on it.
    /// What goes wrong is said by the source, not here.
    fn open(&self, path: &str) -> Box<dyn ChunkSource>;
}

impl<T: FileOpener + ?Sized> FileOpener for Arc<T> {
    fn open(&self, path: &str) -> Box<dyn ChunkSource> {
        (**self).open(path)
    }
}

/// A message as it waits: its record, not yet read, and the values beside it. An opener of files
/// that has no size costs a message nothing.
#[derive(Debug)]
pub struct Recorded<F> {
    record: Box<str>,
    parts: Box<[Part]>,
    recipients: usize,
    files: F,
}

impl<F: FileOpener> Recorded<F> {
    /// A message from its record and the values it refers to.
    pub fn new(record: impl Into<Box<str>>, parts: impl Into<Box<[Part]>>, files: F) -> Self {
        let record = record.into();
        Self { recipients: record::stated_recipients(&record), record, parts: parts.into(), files }
    }
}

impl<F: FileOpener + Clone + 'static> Message for Recorded<F> {
    fn prepare(&self) -> Result<Prepared> {
        let mut record = Record::read(&self.record)?;
        let mut root = std::mem::take(&mut record.root);
        let envelope = envelope(&record, &root)?;
        let message_id = message_id(&record, &mut root, &envelope.from);
        let parts: Arc<[Part]> = self.parts.iter().cloned().collect();
        let layout = layout::lay_out(&record, root, &parts);
        let signer = record.dkim.as_ref().map(|options| Signer::new(options, &parts)).transpose()?;
        // A signature stands before the body it is made of, and new line ends change the length.
        let is_verbatim = signer.is_none() && record.newline.is_none();
        let composed = |layout, signer| {
            let assembly = Assembly::new(layout, Arc::clone(&parts), Arc::new(self.files.clone()));
            Body::Composed(Box::new(Outgoing::new(assembly, signer, record.newline)))
        };
        let body = if has_files(&layout) {
            composed(layout, signer)
        } else if is_verbatim && body::has_large(&layout, &parts) {
            composed(body::all_but_large(&layout, &parts), None)
        } else {
            Body::Whole(body::whole(&layout, &parts, signer.as_ref(), record.newline)?.into())
        };
        Ok(Prepared { envelope, message_id, body })
    }

    fn replayable(&self) -> bool {
        true
    }

    fn recipients(&self) -> usize {
        self.recipients
    }

    fn held_bytes(&self) -> usize {
        self.record.len() + self.parts.iter().map(Part::held).sum::<usize>()
    }
}

fn has_files(layout: &Layout) -> bool {
    layout.pieces.iter().any(|piece| matches!(piece, Piece::Content(Source::File { .. }, _)))
}

/// The caller's envelope, or the one the headers make.
fn envelope(record: &Record, root: &record::Node) -> Result<Envelope> {
    let (from, to) = match &record.envelope {
        Some(given) => (given.from.clone(), given.to.clone()),
        None => address::envelope(&root.headers),
    };
    let (count, limit) = (to.len(), record.max_recipients);
    if limit > 0 && count > limit {
        let text =
            format!("Message has {count} recipients, which is over the {limit} allowed by maxRecipients");
        return Err(Error::new(Code::MaxRecipients, text));
    }
    let dsn = record.dsn.as_ref().map(|dsn| Dsn {
        ret: dsn.ret.clone(),
        envid: dsn.envid.clone(),
        notify: dsn.notify.clone(),
        orcpt: dsn.orcpt.clone(),
    });
    let Record { size, use_8bit_mime, require_tls, .. } = *record;
    Ok(Envelope { from, to, dsn, size, use_8bit_mime, require_tls })
}

/// The message's id as its header has it, generated where the record asks for it.
fn message_id(record: &Record, root: &mut record::Node, sender: &str) -> String {
    let Some(field) = root.headers.iter_mut().find(|field| field.key == "Message-ID") else {
        return String::new();
    };
    if field.generated {
        let domain = sender.rsplit('@').next().filter(|_| !sender.is_empty()).unwrap_or("localhost");
        field.text = format!("<{}@{domain}>", record.id);
    }
    field.text.clone()
}
