//! What a sink keeps: accepted messages, and the order of commands and reads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use crate::config::Capture;

/// Reads a sink remembers when it records them.
const MAX_READS: usize = 100_000;

/// A message the sink accepted.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Message {
    /// Connection it came on, counted from 1.
    pub connection: u64,
    /// Which MAIL of the connection it was, counted from 1.
    pub ordinal: u64,
    /// Sender, empty for the null sender.
    pub from: String,
    /// Parameters of MAIL, as they came.
    pub params: Vec<String>,
    /// Recipients that were accepted; in LMTP, to the end.
    pub to: Vec<Recipient>,
    /// Name given with EHLO, HELO or LHLO.
    pub hello: String,
    /// User, if there was AUTH.
    pub user: Option<String>,
    /// Whether the connection was encrypted.
    pub secure: bool,
    /// Chunks of BDAT; 0 for DATA.
    pub chunks: u64,
    /// Octets of the body after un-stuffing, all of them.
    pub size: u64,
    /// The body after un-stuffing, base64 in JSON; cut off at the bounds of [`Capture`].
    #[serde(serialize_with = "base64")]
    pub body: Vec<u8>,
}

/// A recipient that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recipient {
    /// Address without angle brackets.
    pub address: String,
    /// Parameters of RCPT, as they came.
    pub params: Vec<String>,
}

/// The commands that came in one read. Reads that only held a part of a body are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Read {
    /// Connection, counted from 1.
    pub connection: u64,
    /// Command lines, of AUTH only the mechanism; `.` for the end of a body.
    pub commands: Vec<String>,
}

fn base64<S: Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(body))
}

/// What was captured so far.
#[derive(Debug, Default)]
pub(crate) struct Log {
    messages: Vec<Message>,
    reads: Vec<Read>,
    body_bytes: usize,
}

impl Log {
    pub(crate) fn message(&mut self, mut message: Message, bounds: &Capture) {
        if self.messages.len() >= bounds.messages {
            return;
        }
        message.body.truncate(bounds.total_bytes.saturating_sub(self.body_bytes));
        self.body_bytes += message.body.len();
        self.messages.push(message);
    }

    pub(crate) fn read(&mut self, read: Read) {
        if self.reads.len() < MAX_READS {
            self.reads.push(read);
        }
    }

    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    pub(crate) fn reads(&self) -> &[Read] {
        &self.reads
    }
}
