//! What the protocol wants done to the connection.

use std::time::Duration;

/// One thing to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Write these octets, in one write if the connection takes them.
    Write(Vec<u8>),
    /// Write these octets one at a time, with this pause after each.
    Drip(Vec<u8>, Duration),
    /// Wait before doing anything else; nothing is read meanwhile.
    Delay(Duration),
    /// Begin the TLS handshake.
    StartTls,
    /// Write no more and close in good order (FIN).
    Close,
    /// Tear the connection down (RST).
    Reset,
    /// Neither read nor write any more, but keep the connection.
    Stall,
}

/// A list of effects. Writes next to each other become one, unless every reply is flushed.
#[derive(Debug, Default)]
pub struct Effects {
    list: Vec<Effect>,
    flush_each: bool,
}

impl Effects {
    /// An empty list; with `flush_each` writes are never joined.
    pub fn new(flush_each: bool) -> Self {
        Self { list: Vec::new(), flush_each }
    }

    /// Takes what is to be done, in order.
    pub fn take(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.list)
    }

    pub(crate) fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    /// Lets `render` append to the write at the end of the list.
    pub(crate) fn write(&mut self, render: impl FnOnce(&mut Vec<u8>)) {
        if let Some(Effect::Write(bytes)) = self.list.last_mut()
            && !self.flush_each
        {
            return render(bytes);
        }
        let mut bytes = Vec::with_capacity(128);
        render(&mut bytes);
        self.list.push(Effect::Write(bytes));
    }

    pub(crate) fn last(&self) -> Option<&Effect> {
        self.list.last()
    }

    /// Whether the session, or its plain-text part, is over.
    pub(crate) fn ended(&self) -> bool {
        matches!(self.list.last(), Some(Effect::Close | Effect::Reset | Effect::StartTls | Effect::Stall))
    }
}
