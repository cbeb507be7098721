//! What a sink offers and how it treats its clients.
//!
//! The same record comes from Rust tests, from the `sink` binary's flags and, as JSON in
//! camelCase, from JavaScript tests.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::script::Rule;

/// The settings of a sink. The default is a plain, friendly ESMTP server with PIPELINING.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Name in the greeting and in the reply to EHLO.
    pub host_name: String,
    /// Speak LMTP: LHLO instead of EHLO, one final reply for each recipient.
    pub lmtp: bool,
    /// Know HELO only; EHLO is answered with 502.
    pub helo_only: bool,
    /// Offer PIPELINING.
    pub pipelining: bool,
    /// Offer CHUNKING (BDAT).
    pub chunking: bool,
    /// Offer BINARYMIME. Needs `chunking`.
    pub binary_mime: bool,
    /// Offer 8BITMIME.
    pub eight_bit_mime: bool,
    /// Offer SMTPUTF8.
    pub smtp_utf8: bool,
    /// Offer DSN.
    pub dsn: bool,
    /// Offer ENHANCEDSTATUSCODES, and use them.
    pub enhanced_status_codes: bool,
    /// Offer REQUIRETLS once the connection is encrypted.
    pub require_tls: bool,
    /// Offer SIZE with this maximum in octets (0: no maximum), and refuse what is larger.
    pub size: Option<u64>,
    /// Recipients and messages the sink takes.
    pub limits: Limits,
    /// Offer AUTH and check what comes.
    pub auth: Option<Auth>,
    /// Offer STARTTLS.
    pub starttls: bool,
    /// Speak TLS from the first byte.
    pub tls: bool,
    /// Certificate chain as a PEM file; the built-in certificate for `localhost` if absent.
    pub cert: Option<PathBuf>,
    /// Private key as a PEM file.
    pub key: Option<PathBuf>,
    /// What becomes of a transaction whose DATA or BDAT was refused.
    pub habit: Habit,
    /// End the connection when the client sends more than it may at that point.
    pub strict: bool,
    /// Round trip in milliseconds, half of it added in each direction.
    pub rtt: u64,
    /// Leave Nagle's algorithm on and write each reply by itself.
    pub nagle: bool,
    /// Size in octets of the socket buffers and of one read, for a server that is easily clogged.
    pub window: Option<usize>,
    /// What is kept of the messages.
    pub capture: Capture,
    /// Keep the order of commands and reads.
    pub record: bool,
    /// Count bare CR and LF in bodies. Costs time with large messages.
    pub check_line_ends: bool,
    /// Where to misbehave.
    pub script: Vec<Rule>,
    /// Seed of the script's probabilities.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host_name: "sink.test".into(),
            lmtp: false,
            helo_only: false,
            pipelining: true,
            chunking: false,
            binary_mime: false,
            eight_bit_mime: true,
            smtp_utf8: true,
            dsn: true,
            enhanced_status_codes: true,
            require_tls: false,
            size: None,
            limits: Limits::default(),
            auth: None,
            starttls: false,
            tls: false,
            cert: None,
            key: None,
            habit: Habit::default(),
            strict: false,
            rtt: 0,
            nagle: false,
            window: None,
            capture: Capture::default(),
            record: false,
            check_line_ends: true,
            script: Vec::new(),
            seed: 1,
        }
    }
}

impl Config {
    /// Half a round trip, if there is any.
    pub(crate) fn one_way(&self) -> Option<Duration> {
        (self.rtt > 0).then(|| Duration::from_micros(self.rtt.saturating_mul(500)))
    }
}

/// Bounds the sink keeps to (RFC 9422).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// MAIL commands on one connection; one more is answered with 421.
    pub mail_max: Option<u64>,
    /// Recipients of one message; one more is answered with 452.
    pub rcpt_max: Option<u64>,
    /// Announce the bounds with LIMITS rather than only keep them.
    pub advertise: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { mail_max: None, rcpt_max: None, advertise: true }
    }
}

/// The one account the sink knows.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Auth {
    /// User name.
    pub user: String,
    /// Password; without one every password is wrong.
    #[serde(default)]
    pub password: Option<String>,
    /// OAuth 2 bearer token; without one every token is wrong.
    #[serde(default)]
    pub token: Option<String>,
    /// Mechanisms offered, in this order; all that the account allows if empty.
    #[serde(default)]
    pub mechanisms: Vec<String>,
    /// Refuse MAIL before AUTH with 530. On by default.
    #[serde(default = "yes")]
    pub required: bool,
}

fn yes() -> bool {
    true
}

impl Auth {
    /// An account with a password that must be used.
    pub fn password(user: impl Into<String>, password: impl Into<String>) -> Self {
        let password = Some(password.into());
        Self { user: user.into(), password, token: None, mechanisms: Vec::new(), required: true }
    }

    /// An account with a bearer token that must be used.
    pub fn token(user: impl Into<String>, token: impl Into<String>) -> Self {
        let token = Some(token.into());
        Self { user: user.into(), password: None, token, mechanisms: Vec::new(), required: true }
    }

    /// Offers these mechanisms only.
    #[must_use]
    pub fn mechanisms<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.mechanisms = names.into_iter().map(Into::into).collect();
        self
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth")
            .field("user", &self.user)
            .field("required", &self.required)
            .finish_non_exhaustive()
    }
}

/// What becomes of a transaction whose DATA or BDAT was refused because it has no recipient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Habit {
    /// It ends; MAIL may follow.
    Tidy,
    /// It stays open after DATA and ends with `BDAT … LAST`.
    #[default]
    Postfix,
    /// It stays open after both. MAIL is answered `503 sender already given`, and recipients and
    /// body that follow are accepted under the old sender.
    Exim,
}

/// How much is kept of accepted messages. Counting goes on when a bound is reached.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Capture {
    /// Messages kept.
    pub messages: usize,
    /// Octets kept of one body.
    pub body_bytes: usize,
    /// Octets kept of all bodies.
    pub total_bytes: usize,
}

impl Capture {
    /// Keeps nothing.
    pub const NONE: Self = Self { messages: 0, body_bytes: 0, total_bytes: 0 };
}

impl Default for Capture {
    fn default() -> Self {
        Self { messages: 10_000, body_bytes: 16 << 20, total_bytes: 256 << 20 }
    }
}
