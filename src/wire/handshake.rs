//! From the greeting to the end of authentication, one reply at a time.
//!
//! The machine says what it wants next ([`Step`]); what needs another party, such as a TLS
//! handshake, an OAuth2 token or a custom authentication handler, is done outside and reported
//! back. Nothing learned before TLS survives it (RFC 3207 §4.2).

use crate::error::{Code, Error, Phase, Result};

use super::capabilities::Capabilities;
use super::command::{Command, LogLine};
use super::credentials::{Credentials, Secret};
use super::reply::Reply;
use super::sasl::Mechanism;
use login::Login;

mod login;

/// How a connection is set up.
#[derive(Clone, Debug, Default)]
pub struct HandshakeOptions {
    /// Argument of EHLO, LHLO and HELO.
    pub name: String,
    /// Speak LMTP.
    pub lmtp: bool,
    /// The connection is encrypted from the start.
    pub secure: bool,
    /// Never send STARTTLS.
    pub ignore_tls: bool,
    /// Send STARTTLS whether announced or not, and go no further without it.
    pub require_tls: bool,
    /// Go on in clear if the server refuses STARTTLS; never with credentials.
    pub opportunistic_tls: bool,
    /// Authenticate though the server did not announce AUTH.
    pub force_auth: bool,
    /// Who logs in; `None` to send without.
    pub credentials: Option<Credentials>,
    /// Mechanisms with a handler of the caller's, upper case.
    pub custom_methods: Vec<String>,
    /// Server name and port, for OAUTHBEARER.
    pub server: (String, u16),
    /// Fresh random printable text without commas, for SCRAM.
    pub nonce: String,
    /// Keep log lines.
    pub log: bool,
}

/// What the machine wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Write what [`Handshake::take_output`] gives and hand in the next reply.
    Reply,
    /// Do the TLS handshake, then call [`Handshake::secured`].
    StartTls,
    /// Get a token, a fresh one if `renew`, then call [`Handshake::token`].
    Token {
        /// The server refused the last one.
        renew: bool,
    },
    /// Let the caller's handler authenticate, by [`Handshake::custom_command`] and
    /// [`Handshake::custom_done`].
    Custom {
        /// The mechanism, upper case.
        method: String,
    },
    /// Messages can be sent.
    Ready,
}

/// The machine.
#[derive(Debug)]
pub struct Handshake {
    options: HandshakeOptions,
    state: State,
    secure: bool,
    capabilities: Capabilities,
    authenticated: bool,
    out: Vec<u8>,
    log: Vec<LogLine>,
}

#[derive(Debug)]
enum State {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Upgrading,
    Token { method: Mechanism, refused: Option<(Secret, String)> },
    Auth(Login),
    Custom,
    Ready,
}

impl Handshake {
    /// Starts by waiting for the greeting.
    pub fn new(options: HandshakeOptions) -> Self {
        Self {
            secure: options.secure,
            options,
            state: State::Greeting,
            capabilities: Capabilities::default(),
            authenticated: false,
            out: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Bytes to write.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Log lines since the last call.
    pub fn take_log(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.log)
    }

    /// What the server announced last.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Whether the login succeeded.
    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// Whether the connection is encrypted.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Where a message that fails now has come to.
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Greeting => Phase::Greeting,
            State::Ehlo | State::Helo => Phase::Ehlo,
            State::StartTls | State::Upgrading => Phase::Tls,
            State::Token { .. } | State::Auth(_) | State::Custom => Phase::Auth,
            State::Ready => Phase::Envelope,
        }
    }

    /// Takes the next reply.
    pub fn reply(&mut self, reply: &Reply) -> Result<Step> {
        if self.options.log {
            self.log.push(LogLine::Server(reply.text.clone()));
        }
        let phase = self.phase();
        let step = match std::mem::replace(&mut self.state, State::Ready) {
            State::Greeting => self.greeting(reply),
            State::Ehlo => self.ehlo(reply),
            State::Helo => self.helo(reply),
            State::StartTls => self.start_tls(reply),
            State::Auth(login) => self.auth(login, reply),
            State::Upgrading | State::Token { .. } | State::Custom | State::Ready => {
                Err(unexpected("CONN").response(reply.text.clone()))
            }
        };
        step.map_err(|error| error.at_if_unset(phase).fatal())
    }

    /// The TLS handshake is done: forget everything and start over.
    pub fn secured(&mut self) -> Result<Step> {
        self.secure = true;
        self.capabilities = Capabilities::default();
        self.hello()
    }

    /// Sends a line of the caller's authentication handler.
    pub fn custom_command(&mut self, line: &str) -> Result<()> {
        self.send(&Command::Custom(line))
    }

    /// A reply to the caller's authentication handler, for the log.
    pub fn custom_reply(&mut self, reply: &Reply) {
        if self.options.log {
            self.log.push(LogLine::Server(reply.text.clone()));
        }
    }

    /// The caller's authentication handler succeeded.
    pub fn custom_done(&mut self) -> Step {
        self.authenticated = true;
        self.state = State::Ready;
        Step::Ready
    }

    fn greeting(&mut self, reply: &Reply) -> Result<Step> {
        if reply.code != 220 {
            let text = format!("Invalid greeting. response={}", reply.text);
            return Err(Error::new(Code::Protocol, text).response(&*reply.text).command("CONN"));
        }
        self.hello()
    }

    fn hello(&mut self) -> Result<Step> {
        let name = std::mem::take(&mut self.options.name);
        let sent = self.send(&if self.options.lmtp { Command::Lhlo(&name) } else { Command::Ehlo(&name) });
        self.options.name = name;
        sent?;
        self.state = State::Ehlo;
        Ok(Step::Reply)
    }

    fn ehlo(&mut self, reply: &Reply) -> Result<Step> {
        if reply.is_positive() {
            return self.announced(reply);
        }
        let text = &reply.text;
        if self.options.lmtp {
            let message = format!("Invalid LHLO. response={text}");
            return Err(Error::new(Code::Protocol, message).response(&**text).command("LHLO"));
        }
        if reply.is_closing() {
            let message = format!("Server terminates connection. response={text}");
            return Err(Error::new(Code::Connection, message).response(&**text).command("EHLO"));
        }
        if self.options.require_tls && !self.secure {
            let message = format!("EHLO failed but HELO does not support required STARTTLS. response={text}");
            return Err(Error::new(Code::Connection, message).response(&**text).command("EHLO"));
        }
        let name = std::mem::take(&mut self.options.name);
        let sent = self.send(&Command::Helo(&name));
        self.options.name = name;
        sent?;
        self.state = State::Helo;
        Ok(Step::Reply)
    }

    fn announced(&mut self, reply: &Reply) -> Result<Step> {
        self.capabilities = Capabilities::parse(reply);
        let options = &self.options;
        let ignore = options.ignore_tls && !options.require_tls;
        if !self.secure && !ignore && (self.capabilities.start_tls || options.require_tls) {
            self.send(&Command::StartTls)?;
            self.state = State::StartTls;
            return Ok(Step::Reply);
        }
        self.login()
    }

    fn helo(&mut self, reply: &Reply) -> Result<Step> {
        if !reply.is_positive() {
            let message = format!("Invalid HELO. response={}", reply.text);
            return Err(Error::new(Code::Protocol, message).response(&*reply.text).command("HELO"));
        }
        self.capabilities = Capabilities::after_helo();
        self.login()
    }

    fn start_tls(&mut self, reply: &Reply) -> Result<Step> {
        if reply.is_positive() {
            self.state = State::Upgrading;
            return Ok(Step::StartTls);
        }
        if self.options.opportunistic_tls && !self.options.require_tls && !reply.is_closing() {
            self.capabilities = std::mem::take(&mut self.capabilities).without_auth();
            return self.login();
        }
        let message = "Error upgrading connection with STARTTLS";
        Err(Error::new(Code::Tls, message).response(&*reply.text).command("STARTTLS"))
    }

    fn send(&mut self, command: &Command<'_>) -> Result<()> {
        if self.options.log {
            self.log.push(LogLine::Client(command.to_string()));
        }
        command.encode(&mut self.out)
    }
}

/// A reply nobody waits for.
pub fn unexpected(command: &'static str) -> Error {
    Error::new(Code::Protocol, "Unexpected Response").command(command).fatal()
}

#[cfg(test)]
mod tests;
