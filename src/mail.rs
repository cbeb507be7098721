//! The values that cross rooms: an envelope, a message that can be opened, what became of it.
//!
//! Nothing here speaks SMTP, MIME or JavaScript; a room that needs one of these values need not
//! know the room that made it.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::error::{Refusal, Result};

/// Who sends to whom, and how the server is asked to treat it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Sender address, empty for the null sender.
    pub from: String,
    /// Recipient addresses, in order.
    pub to: Vec<String>,
    /// Delivery status notification (RFC 3461).
    pub dsn: Option<Dsn>,
    /// Size in octets as the caller announced it.
    pub size: Option<u64>,
    /// The caller asked for `BODY=8BITMIME`.
    pub use_8bit_mime: bool,
    /// The caller asked for REQUIRETLS (RFC 8689).
    pub require_tls: bool,
}

/// Delivery status notification parameters, checked and in canonical form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dsn {
    /// `FULL` or `HDRS`.
    pub ret: Option<String>,
    /// Envelope identifier, not yet xtext.
    pub envid: Option<String>,
    /// `NEVER`, or a comma separated list of `SUCCESS`, `FAILURE`, `DELAY`.
    pub notify: Option<String>,
    /// `type;address`, not yet xtext.
    pub orcpt: Option<String>,
}

/// A message ready to leave: its envelope and its bytes.
#[derive(Debug)]
pub struct Prepared {
    /// Who sends to whom.
    pub envelope: Envelope,
    /// `Message-ID` with angle brackets.
    pub message_id: String,
    /// RFC 5322 bytes before dot-stuffing; line ends may still be bare.
    pub body: Body,
}

/// The bytes of a message.
#[derive(Debug)]
pub enum Body {
    /// All of it, in memory.
    Whole(Bytes),
    /// Pulled chunk by chunk, once.
    Chunks(Box<dyn ChunkSource>),
    /// Composed where it is needed, once.
    Composed(Box<dyn Composer>),
}

impl Body {
    /// Appends the next octets, whatever kind of body it is; `None` after the last.
    pub fn poll_octets(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Option<Result<()>>> {
        let chunk = match self {
            Self::Whole(bytes) if bytes.is_empty() => None,
            Self::Whole(bytes) => Some(std::mem::take(bytes)),
            Self::Chunks(source) => ready!(source.poll_chunk(cx)).transpose()?,
            Self::Composed(composer) => return composer.poll_compose(cx, out).map_ok(drop),
        };
        Poll::Ready(chunk.map(|chunk| {
            out.extend_from_slice(&chunk);
            Ok(())
        }))
    }
}

/// A body that is made while it is sent: a file, or a stream of the caller's.
pub trait ChunkSource: Send + std::fmt::Debug {
    /// The next chunk, `None` after the last. Call again only after it was ready.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>>;
}

/// A body that is composed while it is sent, into the buffer it is sent from.
pub trait Composer: Send + std::fmt::Debug {
    /// Octets of the whole body, where that is known before it is composed.
    fn size(&self) -> Option<u64>;

    /// Whether it holds octets above 127, as far as that is known before it is composed.
    fn is_eight_bit(&self) -> bool;

    /// Appends the next octets, some ten thousand at a time, and says what is known of them; `None`
    /// after the last. Call again only after it was ready.
    fn poll_compose(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Option<Result<Lines>>>;
}

/// What is known of the lines in a stretch of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Nothing.
    Any,
    /// CR and LF stand together, the stretch does not end between them, and no line begins with a
    /// dot: nothing has to be looked at before it travels.
    Plain,
}

/// A message in the queue. It is prepared when a connection is about to take it, and once more
/// for every further attempt; each time gives the same bytes.
pub trait Message: Send + Sync + std::fmt::Debug {
    /// Envelope and bytes. An error here fails the message before anything of it is sent.
    fn prepare(&self) -> Result<Prepared>;

    /// Whether `prepare` can be called again after the body was read.
    fn replayable(&self) -> bool;

    /// Octets the message holds in memory while it waits; for queue bounds.
    fn held_bytes(&self) -> usize;

    /// Number of recipients, as far as it is known without preparing; for rate limits.
    fn recipients(&self) -> usize {
        1
    }
}

/// What the server said about a message it took.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The envelope it was sent under.
    pub envelope: Envelope,
    /// `Message-ID` with angle brackets.
    pub message_id: String,
    /// Recipients the server took.
    pub accepted: Vec<String>,
    /// Recipients it refused.
    pub refused: Vec<Refusal>,
    /// EHLO lines after the first.
    pub ehlo: Option<Arc<[String]>>,
    /// Milliseconds from the first command to the reply to DATA.
    pub envelope_time: u64,
    /// Milliseconds from there to the final reply.
    pub message_time: u64,
    /// Octets on the wire with dot-stuffing and the final dot.
    pub message_size: u64,
    /// The final reply, lines joined by `\n`.
    pub response: String,
}
