//! What can go wrong, as plain values that cross rooms.
//!
//! An [`Error`] says which rule failed ([`Code`], nodemailer's names), how far the message had
//! come ([`Phase`]) and what the server answered. It does not decide what happens next: the pool
//! reads it and decides. It becomes a JavaScript `Error` in the facade, never here.

mod system;

use std::borrow::Cow;
use std::fmt;

pub use system::SystemError;

/// Result of everything in the engine that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The kind of a failure; its name is what JavaScript sees as `err.code`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// The name JavaScript sees.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

codes! {
    /// The connection ended or could not be used.
    Connection = "ECONNECTION",
    /// A wait ran out.
    TimedOut = "ETIMEDOUT",
    /// The operating system reported a socket error.
    Socket = "ESOCKET",
    /// The host name did not resolve.
    Dns = "EDNS",
    /// STARTTLS or the handshake on a handed-over socket failed.
    Tls = "ETLS",
    /// REQUIRETLS was asked for and cannot be honoured (RFC 8689).
    RequireTls = "EREQUIRETLS",
    /// The server broke the protocol.
    Protocol = "EPROTOCOL",
    /// The envelope is invalid or was refused.
    Envelope = "EENVELOPE",
    /// The message was refused, or is larger than the server takes.
    Message = "EMESSAGE",
    /// A content stream or file could not be read.
    Stream = "ESTREAM",
    /// The caller's signal aborted the message.
    Abort = "EABORT",
    /// Authentication failed.
    Auth = "EAUTH",
    /// Authentication is required and no credentials were given.
    NoAuth = "ENOAUTH",
    /// An OAuth2 token could not be had.
    OAuth2 = "EOAUTH2",
    /// The proxy refused or could not be used.
    Proxy = "EPROXY",
    /// The configuration is not usable.
    Config = "ECONFIG",
    /// More recipients than `maxRecipients`.
    MaxRecipients = "EMAXRECIPIENTS",
    /// The `otp` field is not usable.
    Otp = "EOTP",
    /// File access is disabled.
    FileAccess = "EFILEACCESS",
    /// URL access is disabled.
    UrlAccess = "EURLACCESS",
    /// The queue is at `maxQueue` or `maxQueueBytes`.
    QueueFull = "EQUEUEFULL",
    /// The message waited longer than `queueTimeout`.
    QueueTimeout = "EQUEUETIMEOUT",
    /// A DKIM key cannot sign.
    Dkim = "EDKIM",
    /// The engine itself failed; a bug in postpool.
    Internal = "EINTERNAL",
}

/// How far a message had come when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Still waiting for a connection.
    Queue,
    /// Resolving, dialling, speaking to a proxy, or implicit TLS.
    Connect,
    /// Waiting for the server's greeting.
    Greeting,
    /// EHLO, LHLO or HELO.
    Ehlo,
    /// STARTTLS and its handshake.
    Tls,
    /// AUTH.
    Auth,
    /// MAIL and RCPT, or a check before them.
    Envelope,
    /// DATA and the body, before end-of-data left.
    Data,
    /// End-of-data left and no final reply came: delivered or not, nobody can tell.
    InDoubt,
    /// The server answered end-of-data with a refusal.
    Rejected,
}

impl Phase {
    /// The name JavaScript sees as `err.phase`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Ehlo => "ehlo",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Envelope => "envelope",
            Self::Data => "data",
            Self::InDoubt => "in-doubt",
            Self::Rejected => "rejected",
        }
    }
}

/// A recipient the server refused, with the reason.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The address as it was given.
    pub recipient: String,
    /// The refusal.
    pub error: Error,
}

/// A failure. Cheap to move; equality is by content only in tests.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    message: Cow<'static, str>,
    phase: Option<Phase>,
    command: Option<Cow<'static, str>>,
    response: Option<String>,
    timeout: Option<&'static str>,
    system: Option<SystemError>,
    refusals: Vec<Refusal>,
    accepted: Vec<String>,
    causes: Vec<Error>,
    /// The connection cannot be used any more.
    fatal: bool,
    /// The server's TLS is one this engine does not speak.
    tls_incompatible: bool,
}

impl Error {
    /// A failure with nodemailer's message text, without the server's reply appended.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            phase: None,
            command: None,
            response: None,
            timeout: None,
            system: None,
            refusals: Vec::new(),
            accepted: Vec::new(),
            causes: Vec::new(),
            fatal: false,
            tls_incompatible: false,
        }))
    }

    /// Says how far the message had come.
    #[must_use]
    pub fn at(mut self, phase: Phase) -> Self {
        self.0.phase = Some(phase);
        self
    }

    /// Says how far the message had come, unless that is known already.
    #[must_use]
    pub fn at_if_unset(mut self, phase: Phase) -> Self {
        self.0.phase.get_or_insert(phase);
        self
    }

    /// Names the command in nodemailer's words: `CONN`, `API`, `MAIL FROM`, `AUTH PLAIN`, …
    #[must_use]
    pub fn command(mut self, command: impl Into<Cow<'static, str>>) -> Self {
        self.0.command = Some(command.into());
        self
    }

    /// Adds the server's reply: to `response`, and to the message as nodemailer does.
    #[must_use]
    pub fn response(mut self, reply: impl Into<String>) -> Self {
        let reply = reply.into();
        if !reply.is_empty() {
            self.0.message = Cow::Owned(format!("{}: {reply}", self.0.message));
            self.0.response = Some(reply);
        }
        self
    }

    /// Says which wait ran out: `CONNECT_TIMEOUT`, `GREETING_TIMEOUT`, `UPGRADE_TIMEOUT`,
    /// `SOCKET_TIMEOUT`, …
    #[must_use]
    pub fn timeout(mut self, kind: &'static str) -> Self {
        self.0.timeout = Some(kind);
        self
    }

    /// Adds what the operating system said.
    #[must_use]
    pub fn system(mut self, system: SystemError) -> Self {
        self.0.system = Some(system);
        self
    }

    /// Adds the recipients that were refused.
    #[must_use]
    pub fn refusals(mut self, refusals: Vec<Refusal>) -> Self {
        self.0.refusals = refusals;
        self
    }

    /// Adds the recipients of a part of the message that was taken.
    #[must_use]
    pub fn accepted(mut self, recipients: Vec<String>) -> Self {
        self.0.accepted = recipients;
        self
    }

    /// Adds the failures this one sums up, one for each address that was tried.
    #[must_use]
    pub fn causes(mut self, causes: Vec<Self>) -> Self {
        self.0.causes = causes;
        self
    }

    /// Marks that the connection cannot be used after this.
    #[must_use]
    pub fn fatal(mut self) -> Self {
        self.0.fatal = true;
        self
    }

    /// Marks that the server speaks a TLS this engine cannot: an older version, or only ciphers or
    /// key types it does not have. A certificate that does not verify is never marked.
    #[must_use]
    pub fn tls_incompatible(mut self) -> Self {
        self.0.tls_incompatible = true;
        self
    }

    /// The kind.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The full text, with the server's reply.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// How far the message had come.
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }

    /// The command that failed.
    pub fn command_name(&self) -> Option<&str> {
        self.0.command.as_deref()
    }

    /// The server's reply, lines joined by `\n`.
    pub fn reply(&self) -> Option<&str> {
        self.0.response.as_deref()
    }

    /// The three digits of the server's reply.
    pub fn reply_code(&self) -> Option<u16> {
        let digits = self.0.response.as_deref()?;
        let end = digits.bytes().take_while(u8::is_ascii_digit).count();
        digits[..end].parse().ok().filter(|code| *code != 0)
    }

    /// The enhanced status code of the reply's first line, `5.1.1` (RFC 2034).
    pub fn enhanced_code(&self) -> Option<&str> {
        enhanced_code(self.0.response.as_deref()?)
    }

    /// Which wait ran out.
    pub fn timeout_kind(&self) -> Option<&'static str> {
        self.0.timeout
    }

    /// What the operating system said.
    pub fn system_error(&self) -> Option<&SystemError> {
        self.0.system.as_ref()
    }

    /// The refused recipients.
    pub fn refused(&self) -> &[Refusal] {
        &self.0.refusals
    }

    /// Recipients of a part of the message that was taken.
    pub fn taken_for(&self) -> &[String] {
        &self.0.accepted
    }

    /// The failures this one sums up; in JavaScript an `AggregateError` and its `errors`.
    pub fn summed(&self) -> &[Self] {
        &self.0.causes
    }

    /// Whether the connection is beyond use.
    pub fn is_fatal(&self) -> bool {
        self.0.fatal
    }

    /// Whether the server speaks a TLS this engine cannot, and another engine may.
    pub fn is_tls_incompatible(&self) -> bool {
        self.0.tls_incompatible
    }

    /// Whether the message may have been delivered all the same.
    pub fn maybe_delivered(&self) -> bool {
        self.0.phase == Some(Phase::InDoubt)
    }

    /// Whether the connection ended, rather than what was sent over it being refused.
    pub fn is_transient(&self) -> bool {
        self.reply_code() == Some(421)
            || matches!(self.0.code, Code::Connection | Code::Socket | Code::TimedOut)
    }
}

/// Finds an enhanced status code (RFC 3463) right after the reply code.
pub fn enhanced_code(reply: &str) -> Option<&str> {
    let rest = reply.get(4..)?;
    let token = rest.split([' ', '\n', '\r']).next()?;
    let mut parts = token.split('.');
    let class = parts.next()?;
    let valid = |part: Option<&str>| {
        part.is_some_and(|p| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))
    };
    let shape = matches!(class, "2" | "4" | "5")
        && valid(parts.next())
        && valid(parts.next())
        && parts.next().is_none();
    shape.then_some(token)
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("code", &self.0.code.name())
            .field("message", &self.0.message)
            .field("phase", &self.0.phase)
            .field("command", &self.0.command)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_appended_to_the_message_and_its_code_is_read() {
        let error = Error::new(Code::Envelope, "Mail command failed").response("550 5.1.1 no such user");
        assert_eq!(error.message(), "Mail command failed: 550 5.1.1 no such user");
        assert_eq!(error.reply_code(), Some(550));
        assert_eq!(error.enhanced_code(), Some("5.1.1"));
    }

    #[test]
    fn only_a_well_formed_enhanced_code_counts() {
        for (reply, expected) in [
            ("250 2.0.0 OK", Some("2.0.0")),
            ("550-5.7.1 first\n550 5.7.1 last", Some("5.7.1")),
            ("550 5.7 no", None),
            ("550 3.7.1 no", None),
            ("550 5.7.1.2 no", None),
            ("250", None),
            ("250 Ok", None),
        ] {
            assert_eq!(enhanced_code(reply), expected, "{reply}");
        }
    }

    #[test]
    fn a_421_counts_as_the_connection_ending_whatever_the_code() {
        assert!(Error::new(Code::Envelope, "x").response("421 bye").is_transient());
        assert!(!Error::new(Code::Envelope, "x").response("450 later").is_transient());
    }
}
