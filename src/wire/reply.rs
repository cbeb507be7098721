//! The reply reader: any split of bytes in, whole replies out.
//!
//! It keeps the text as the server sent it, because `info.response` and `err.response` show it.
//! It decides nothing about what a reply means.

use memchr::memchr;

use crate::error::{Code, Error, Result};

/// One reply of the server, multi-line replies as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits, 0 where the line does not begin with any.
    pub code: u16,
    /// All lines with their codes, joined by `\n`.
    pub text: String,
}

impl Reply {
    /// Whether the server did what was asked.
    pub fn is_positive(&self) -> bool {
        self.class() == 2
    }

    /// Whether the server waits for more, as after DATA.
    pub fn is_intermediate(&self) -> bool {
        self.class() == 3
    }

    /// Whether the server is about to close the connection (RFC 5321 §3.8).
    pub fn is_closing(&self) -> bool {
        self.code == 421
    }

    /// Whether it can be the verdict on a command of a transaction: some codes belong to the
    /// greeting, to AUTH, HELP or QUIT alone (RFC 5321 §4.2.2, RFC 4954 §6).
    pub fn answers_transaction(&self) -> bool {
        matches!(self.class(), 2 | 4 | 5) && !matches!(self.code, 211 | 214 | 220 | 221 | 235)
    }

    /// First digit of the code.
    pub fn class(&self) -> u16 {
        self.code / 100
    }

    /// What stands behind the code on each line.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.split('\n').map(|line| line.get(4..).unwrap_or("").trim())
    }
}

/// Collects bytes until they make a reply.
#[derive(Debug)]
pub struct ReplyReader {
    buffer: Vec<u8>,
    /// Where the next line starts.
    start: usize,
    /// Bytes from `start` already searched for a line end.
    searched: usize,
    /// Lines of the reply that is being received.
    partial: Vec<u8>,
    partial_code: Option<u16>,
    /// Blank lines since the last reply; there may be as many as octets.
    blank: usize,
    max_size: usize,
}

impl ReplyReader {
    /// A reader that gives up on a reply of more than `max_size` octets.
    pub fn new(max_size: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            partial: Vec::new(),
            partial_code: None,
            blank: 0,
            max_size,
        }
    }

    /// Takes bytes from the server. Call [`next_reply`](Self::next_reply) until it gives `None` before the
    /// next call, so that the buffer holds at most one unfinished line.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole reply, `None` when more bytes are needed.
    pub fn next_reply(&mut self) -> Result<Option<Reply>> {
        while let Some(line) = self.next_line() {
            let (from, to) = line;
            if self.buffer[from..to].iter().all(u8::is_ascii_whitespace) && self.partial.is_empty() {
                self.blank += 1;
                self.check_size(self.blank)?;
                continue;
            }
            let line = &self.buffer[from..to];
            let (code, more) = split_code(line);
            if self.partial_code.is_some_and(|first| first != code) {
                return Err(too_odd("Server sent different codes in one reply", line));
            }
            if !self.partial.is_empty() {
                self.partial.push(b'\n');
            }
            self.partial.extend_from_slice(line);
            if more {
                self.partial_code = Some(code);
                self.check_size(self.partial.len())?;
                continue;
            }
            self.partial_code = None;
            self.blank = 0;
            return Ok(Some(Reply { code, text: decode(std::mem::take(&mut self.partial)) }));
        }
        self.compact();
        self.check_size(self.buffer.len() + self.partial.len())?;
        Ok(None)
    }

    /// Whether anything is buffered: an unfinished line, or lines nobody asked for.
    pub fn has_buffered(&self) -> bool {
        self.start < self.buffer.len() || !self.partial.is_empty()
    }

    /// What is left when the connection closes: an unfinished reply, if it reads like a refusal.
    pub fn take_refusal_fragment(&mut self) -> Option<String> {
        let rest = self.buffer.split_off(self.start.min(self.buffer.len()));
        self.buffer.clear();
        self.start = 0;
        self.searched = 0;
        let text = decode(rest);
        let text = text.trim();
        let bytes = text.as_bytes();
        let refusal = bytes.len() > 3
            && matches!(bytes[0], b'4' | b'5')
            && bytes[1..3].iter().all(u8::is_ascii_digit)
            && matches!(bytes[3], b' ' | b'-');
        refusal.then(|| text.to_owned())
    }

    /// Bounds of the next line without its line end, and steps over it.
    fn next_line(&mut self) -> Option<(usize, usize)> {
        let found = memchr(b'\n', &self.buffer[self.searched.max(self.start)..]);
        let Some(offset) = found else {
            self.searched = self.buffer.len();
            return None;
        };
        let end = self.searched.max(self.start) + offset;
        let from = self.start;
        self.start = end + 1;
        self.searched = self.start;
        let to = if end > from && self.buffer[end - 1] == b'\r' { end - 1 } else { end };
        Some((from, to))
    }

    fn compact(&mut self) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
    }

    fn check_size(&self, size: usize) -> Result<()> {
        if size > self.max_size {
            return Err(Error::new(Code::Protocol, "Server response exceeds maximum allowed size")
                .command("CONN")
                .fatal());
        }
        Ok(())
    }
}

/// The code of a line, and whether the reply goes on after it.
fn split_code(line: &[u8]) -> (u16, bool) {
    let digits = line.len() >= 3 && line[..3].iter().all(u8::is_ascii_digit);
    if !digits {
        return (0, false);
    }
    let code = line[..3].iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match line.get(3) {
        None | Some(b' ' | b'\t') => (code, false),
        Some(b'-') => (code, true),
        Some(_) => (0, false),
    }
}

fn too_odd(text: &'static str, line: &[u8]) -> Error {
    Error::new(Code::Protocol, text).response(decode(line.to_vec())).command("CONN").fatal()
}

/// UTF-8 where it is valid, else byte for byte, as nodemailer shows it.
fn decode(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| error.as_bytes().iter().map(|b| char::from(*b)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(reader: &mut ReplyReader) -> Result<Vec<Reply>> {
        let mut replies = Vec::new();
        while let Some(reply) = reader.next_reply()? {
            replies.push(reply);
        }
        Ok(replies)
    }

    #[test]
    fn replies_are_read_whatever_their_form() {
        type Case = (&'static [u8], &'static [(u16, &'static str)]);
        let cases: &[Case] = &[
            (b"220 hi\r\n", &[(220, "220 hi")]),
            (b"250-a\r\n250-b\r\n250 c\r\n", &[(250, "250-a\n250-b\n250 c")]),
            (b"250\r\n354 go\n", &[(250, "250"), (354, "354 go")]),
            (b"\r\n250 ok\r\n", &[(250, "250 ok")]),
            (b"2500 no\r\n", &[(0, "2500 no")]),
            (b"garbage\r\n", &[(0, "garbage")]),
            (b"250 caf\xc3\xa9\r\n", &[(250, "250 caf\u{e9}")]),
            (b"250 caf\xe9\r\n", &[(250, "250 caf\u{e9}")]),
        ];
        for (input, expected) in cases {
            let mut reader = ReplyReader::new(1000);
            reader.feed(input);
            let replies = read_all(&mut reader).unwrap();
            let seen: Vec<_> = replies.iter().map(|r| (r.code, r.text.as_str())).collect();
            assert_eq!(seen, *expected, "{input:?}");
            assert!(!reader.has_buffered());
        }
    }

    #[test]
    fn different_codes_in_one_reply_are_refused() {
        let mut reader = ReplyReader::new(1000);
        reader.feed(b"250-a\r\n550 b\r\n");
        assert_eq!(reader.next_reply().unwrap_err().code(), Code::Protocol);
    }

    #[test]
    fn neither_an_endless_line_nor_an_endless_reply_is_read() {
        for piece in [&b"xxxxxxxxxx"[..], b"250-xxxxx\r\n", b"\r\n"] {
            let mut reader = ReplyReader::new(100);
            let mut fed = 0;
            let error = loop {
                reader.feed(piece);
                fed += piece.len();
                assert!(fed < 300, "never refused");
                if let Err(error) = reader.next_reply() {
                    break error;
                }
            };
            assert!(error.is_fatal());
        }
    }

    #[test]
    fn only_an_unfinished_refusal_is_kept_when_the_connection_closes() {
        for (input, expected) in [("550 no", Some("550 no")), ("250 yes", None), ("55", None), ("", None)] {
            let mut reader = ReplyReader::new(100);
            reader.feed(input.as_bytes());
            assert!(reader.next_reply().unwrap().is_none());
            assert_eq!(reader.take_refusal_fragment().as_deref(), expected);
        }
    }

    proptest! {
        #[test]
        fn the_split_of_bytes_does_not_matter(cuts in proptest::collection::vec(1usize..6, 1..40)) {
            let stream = b"220 hi\r\n250-a\r\n250 b\r\n\r\n354\n550 5.1.1 \xc3\xa9 no\r\n";
            let mut whole = ReplyReader::new(1000);
            whole.feed(stream);
            let expected = read_all(&mut whole).unwrap();
            let mut reader = ReplyReader::new(1000);
            let mut seen = Vec::new();
            let mut rest = &stream[..];
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() { break; }
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                reader.feed(head);
                seen.extend(read_all(&mut reader).unwrap());
                rest = tail;
            }
            prop_assert_eq!(seen, expected);
        }

        #[test]
        fn arbitrary_bytes_never_panic_nor_pile_up(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..30)) {
            let mut reader = ReplyReader::new(200);
            for chunk in chunks {
                reader.feed(&chunk);
                if read_all(&mut reader).is_err() { break; }
                prop_assert!(reader.buffer.len() + reader.partial.len() <= 200);
            }
        }
    }
}
