//! The stream towards the server: what was put into it, and how much of it was handed on.
//!
//! Positions in the stream are counted from its beginning, so that a message can be asked whether
//! its end-of-data was written. The log of what was said to the server and by it is kept here, too.

use super::super::command::{Command, LogLine};

/// Capacity a buffer may keep once it is empty, in octets: a large attachment must not hold its
/// buffer for the life of the connection.
const KEPT: usize = 256 * 1024;

/// Bytes on their way to the socket.
#[derive(Debug)]
pub(super) struct Outgoing {
    buffer: Vec<u8>,
    /// How much of `buffer` was handed to the socket.
    written: usize,
    /// Octets ever put into `buffer`.
    position: u64,
    log: Option<Vec<LogLine>>,
}

impl Outgoing {
    pub(super) fn new(log: bool) -> Self {
        Self { buffer: Vec::new(), written: 0, position: 0, log: log.then(Vec::new) }
    }

    /// Bytes to hand to the socket.
    pub(super) fn pending(&self) -> &[u8] {
        &self.buffer[self.written..]
    }

    /// So many of them were handed over.
    pub(super) fn written(&mut self, count: usize) {
        self.written = (self.written + count).min(self.buffer.len());
        if self.written == self.buffer.len() {
            self.buffer.clear();
            self.written = 0;
            self.buffer.shrink_to(KEPT);
        } else if self.written >= KEPT {
            // A peer that is always a little behind must not make the buffer as long as the body.
            self.buffer.drain(..self.written);
            self.written = 0;
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Octets of the stream so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Octets of the stream that were handed to the socket.
    pub(super) fn sent(&self) -> u64 {
        self.position - self.pending().len() as u64
    }

    pub(super) fn put<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let before = self.buffer.len();
        let result = write(&mut self.buffer);
        self.position += (self.buffer.len() - before) as u64;
        result
    }

    pub(super) fn command(&mut self, command: &Command<'_>) {
        let from = self.buffer.len();
        // Only commands that passed their check get here; of another one nothing is written.
        self.put(|out| command.encode(out).unwrap_or_default());
        if let Some(log) = &mut self.log {
            let line = String::from_utf8_lossy(&self.buffer[from..]);
            log.push(LogLine::Client(line.trim_end().to_owned()));
        }
    }

    /// Notes what the server said.
    pub(super) fn heard(&mut self, text: &str) {
        if let Some(log) = &mut self.log {
            log.push(LogLine::Server(text.to_owned()));
        }
    }

    pub(super) fn take_log(&mut self) -> Vec<LogLine> {
        self.log.as_mut().map(std::mem::take).unwrap_or_default()
    }
}
