//! What the server said it can do, read from its reply to EHLO or LHLO.
//!
//! Keywords are read from the start of their line only: a host name or a greeting that happens to
//! contain `DSN` announces nothing.

use std::sync::Arc;

use super::reply::Reply;
use super::sasl::Mechanism;

/// Extensions the server announced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// EHLO lines after the first, as `info.ehlo` shows them; `None` after HELO.
    pub lines: Option<Arc<[String]>>,
    /// RFC 2920.
    pub pipelining: bool,
    /// RFC 3030.
    pub chunking: bool,
    /// RFC 3030.
    pub binary_mime: bool,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 6531.
    pub smtp_utf8: bool,
    /// RFC 3461.
    pub dsn: bool,
    /// RFC 1870: `Some(0)` where no maximum was named.
    pub size: Option<u64>,
    /// RFC 3207.
    pub start_tls: bool,
    /// RFC 8689.
    pub require_tls: bool,
    /// RFC 2034.
    pub enhanced_status_codes: bool,
    /// RFC 9422.
    pub limits: Limits,
    /// The word AUTH was announced, with or without mechanisms.
    pub auth: bool,
    /// Mechanisms the client knows, in the client's order of preference.
    pub mechanisms: Vec<Mechanism>,
    /// All announced mechanism names, upper case.
    pub mechanism_names: Vec<String>,
}

/// Limits the server announced (RFC 9422); advisory, obeyed all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Transactions in one session.
    pub mail_max: Option<u32>,
    /// Recipients in one transaction.
    pub rcpt_max: Option<u32>,
}

impl Capabilities {
    /// Reads a positive reply to EHLO or LHLO.
    pub fn parse(reply: &Reply) -> Self {
        let lines: Vec<String> = reply.lines().filter(|l| !l.is_empty()).skip(1).map(str::to_owned).collect();
        let mut capabilities = Self::default();
        for line in &lines {
            capabilities.read_line(line);
        }
        capabilities.sort_mechanisms();
        capabilities.lines = Some(lines.into());
        capabilities
    }

    /// What is assumed after HELO: nothing, but authentication may be tried as nodemailer does.
    pub fn after_helo() -> Self {
        Self { auth: true, ..Self::default() }
    }

    /// The same session without authentication: it failed to encrypt, so credentials stay home.
    #[must_use]
    pub fn without_auth(mut self) -> Self {
        self.auth = false;
        self.mechanisms.clear();
        self.mechanism_names.clear();
        self
    }

    /// Names as nodemailer hands them to custom authentication handlers.
    pub fn extension_names(&self) -> Vec<&'static str> {
        [
            ("SMTPUTF8", self.smtp_utf8),
            ("DSN", self.dsn),
            ("8BITMIME", self.eight_bit_mime),
            ("REQUIRETLS", self.require_tls),
            ("PIPELINING", self.pipelining),
            ("SIZE", self.size.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, on)| on.then_some(name))
        .collect()
    }

    fn read_line(&mut self, line: &str) {
        let keyword_end = line.find([' ', '\t', '=']).unwrap_or(line.len());
        let (keyword, rest) = line.split_at(keyword_end);
        let rest = rest.trim_start_matches(['=', ' ', '\t']);
        match keyword.to_ascii_uppercase().as_str() {
            "PIPELINING" => self.pipelining = true,
            "CHUNKING" => self.chunking = true,
            "BINARYMIME" => self.binary_mime = true,
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtp_utf8 = true,
            "DSN" => self.dsn = true,
            "STARTTLS" => self.start_tls = true,
            "REQUIRETLS" => self.require_tls = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            "SIZE" => {
                self.size = Some(rest.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0))
            }
            "LIMITS" => self.limits = Limits::parse(rest),
            "AUTH" => self.read_mechanisms(rest),
            _ => {}
        }
    }

    fn read_mechanisms(&mut self, list: &str) {
        self.auth = true;
        for name in list.split([' ', '\t', '=']).filter(|name| !name.is_empty()) {
            let name = name.to_ascii_uppercase();
            if !self.mechanism_names.contains(&name) {
                self.mechanism_names.push(name);
            }
        }
    }

    fn sort_mechanisms(&mut self) {
        let names = &self.mechanism_names;
        self.mechanisms =
            Mechanism::PREFERENCE.into_iter().filter(|m| names.iter().any(|name| name == m.name())).collect();
    }
}

impl Limits {
    fn parse(list: &str) -> Self {
        let mut limits = Self::default();
        for item in list.split_whitespace() {
            let Some((name, value)) = item.split_once('=') else { continue };
            // 0 would forbid sending at all; no server means that.
            let value = value.parse().ok().filter(|n| *n > 0);
            match name.to_ascii_uppercase().as_str() {
                "MAILMAX" => limits.mail_max = value,
                "RCPTMAX" => limits.rcpt_max = value,
                _ => {}
            }
        }
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Capabilities {
        Capabilities::parse(&Reply { code: 250, text: text.to_owned() })
    }

    #[test]
    fn keywords_count_only_at_the_start_of_a_line() {
        let seen = parse("250-dsn.example PIPELINING\n250-X DSN\n250-SIZE 1000\n250 chunking");
        assert!(!seen.pipelining && !seen.dsn && seen.chunking);
        assert_eq!(seen.size, Some(1000));
    }

    #[test]
    fn mechanisms_come_in_the_order_of_preference_whatever_the_spelling() {
        let seen = parse("250-x\n250-AUTH=LOGIN cram-md5\n250 AUTH LOGIN PLAIN  GSSAPI");
        assert_eq!(seen.mechanisms, [Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5]);
        assert_eq!(seen.mechanism_names, ["LOGIN", "CRAM-MD5", "PLAIN", "GSSAPI"]);
    }

    #[test]
    fn limits_are_read_and_nonsense_is_not() {
        let seen = parse("250-x\n250 LIMITS MAILMAX=5 RCPTMAX=0 RCPTDOMAINMAX=1 FOO");
        assert_eq!(seen.limits, Limits { mail_max: Some(5), rcpt_max: None });
    }

    #[test]
    fn the_lines_are_kept_as_the_caller_sees_them() {
        let seen = parse("250-mx.example at your service\n250-SIZE 35882577\n250 SMTPUTF8");
        assert_eq!(seen.lines.as_deref(), Some(&["SIZE 35882577".to_owned(), "SMTPUTF8".to_owned()][..]));
    }
}
