//! Replies as they go on the wire.

use std::borrow::Cow;

/// A reply; the text may have several lines, separated by `\n`.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    code: u16,
    enhanced: &'static str,
    text: Cow<'static, str>,
}

impl Reply {
    /// No reply at all, where the client waits for none.
    pub(crate) const NOTHING: Self = Self::new(0, "", "");

    pub(crate) const fn new(code: u16, enhanced: &'static str, text: &'static str) -> Self {
        Self { code, enhanced, text: Cow::Borrowed(text) }
    }

    pub(crate) fn owned(code: u16, enhanced: &'static str, text: String) -> Self {
        Self { code, enhanced, text: Cow::Owned(text) }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.code == 0
    }

    /// Appends the reply with CRLF; the enhanced status code only if it is `enhanced`.
    pub(crate) fn render(&self, enhanced: bool, out: &mut Vec<u8>) {
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let separator = if lines.peek().is_some() { '-' } else { ' ' };
            out.extend_from_slice(&digits(self.code));
            out.push(separator as u8);
            if enhanced && !self.enhanced.is_empty() {
                out.extend_from_slice(self.enhanced.as_bytes());
                out.push(b' ');
            }
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn digits(code: u16) -> [u8; 3] {
    let digit = |n: u16| b'0' + (n % 10) as u8;
    [digit(code / 100), digit(code / 10), digit(code)]
}

/// A script's reply: its text as it is, every line ended with CRLF.
pub(crate) fn verbatim(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    for line in text.trim_end_matches(['\r', '\n']).split('\n') {
        out.extend_from_slice(line.trim_end_matches('\r').as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_carries_the_code_and_only_the_last_one_a_space() {
        let mut out = Vec::new();
        Reply::new(250, "", "sink.test\nPIPELINING\nDSN").render(true, &mut out);
        assert_eq!(out, b"250-sink.test\r\n250-PIPELINING\r\n250 DSN\r\n");
    }

    #[test]
    fn enhanced_codes_are_left_out_when_they_are_not_offered() {
        for (enhanced, expected) in [(true, "250 2.1.0 Ok\r\n"), (false, "250 Ok\r\n")] {
            let mut out = Vec::new();
            Reply::new(250, "2.1.0", "Ok").render(enhanced, &mut out);
            assert_eq!(out, expected.as_bytes());
        }
    }

    #[test]
    fn a_scripts_reply_keeps_its_text_and_gains_line_ends() {
        assert_eq!(verbatim("550-a\n550 b"), b"550-a\r\n550 b\r\n");
        assert_eq!(verbatim("550-a\r\n550 b\r\n"), b"550-a\r\n550 b\r\n");
    }
}
