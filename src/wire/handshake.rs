//! From the greeting to the end of authentication, one reply at a time.
//!
//! The machine says what it wants next ([`Step`]); what needs another party, such as a TLS
//! handshake, an OAuth2 token or a custom authentication handler, is done outside and reported
//! back. Nothing learned before TLS survives it (RFC 3207 §4.2).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::{Code, Error, Phase, Result};

use super::capabilities::Capabilities;
use super::command::{Command, LogLine};
use super::reply::Reply;
use super::sasl::{Exchange, Mechanism, masked};

/// A password or token; shown by nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Who logs in and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// User name, may be empty.
    pub user: String,
    /// Password, where there is one.
    pub password: Option<Secret>,
    /// Log in with an OAuth2 token, asked for when it is needed.
    pub oauth2: bool,
    /// Mechanism the caller insists on, upper case.
    pub method: Option<String>,
}

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

#[derive(Debug)]
struct Login {
    exchange: Exchange,
    method: Mechanism,
    token: Option<Secret>,
    /// The token is already the second one.
    renewed: bool,
    /// Challenges answered; bounded.
    rounds: u8,
}

/// More challenges than any mechanism needs.
const MAX_CHALLENGES: u8 = 8;

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

    /// The token that was asked for.
    pub fn token(&mut self, token: Secret) -> Result<Step> {
        let State::Token { method, refused } = std::mem::replace(&mut self.state, State::Ready) else {
            return Err(unexpected("API"));
        };
        let renewed = refused.is_some();
        if let Some((_, reply)) = refused.filter(|(old, _)| *old == token) {
            return Err(self.invalid_login(method.name(), &reply).fatal());
        }
        self.begin(method, token, renewed)
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

    /// Begins the login if there is anyone to log in and the server wants it.
    fn login(&mut self) -> Result<Step> {
        let wanted = self.capabilities.auth || self.options.force_auth;
        let Some(credentials) = self.options.credentials.clone().filter(|_| wanted) else {
            self.state = State::Ready;
            return Ok(Step::Ready);
        };
        let name = self.choose_method(&credentials);
        if self.options.custom_methods.contains(&name) {
            self.state = State::Custom;
            return Ok(Step::Custom { method: name });
        }
        let mechanism = Mechanism::by_name(&name);
        if mechanism.is_some_and(Mechanism::takes_token) && credentials.oauth2 {
            let method = mechanism.unwrap_or(Mechanism::XOAuth2);
            self.state = State::Token { method, refused: None };
            return Ok(Step::Token { renew: false });
        }
        let password =
            credentials.password.filter(|p| !p.expose().is_empty() && !credentials.user.is_empty());
        let Some(password) = password else {
            return Err(api_auth(format!("Missing credentials for \"{name}\"")));
        };
        match mechanism.filter(|m| !m.takes_token()) {
            Some(mechanism) => self.begin(mechanism, password, false),
            None => Err(api_auth(format!("Unknown authentication method \"{name}\""))),
        }
    }

    /// nodemailer's choice: the caller's method, a token's, else the first one both sides know.
    fn choose_method(&self, credentials: &Credentials) -> String {
        let offered = &self.capabilities.mechanisms;
        let custom = |name: &str| self.options.custom_methods.iter().any(|m| m == name);
        let can_token = credentials.oauth2;
        if let Some(method) = &credentials.method
            && (method != "XOAUTH2" || can_token || custom("XOAUTH2"))
        {
            return method.clone();
        }
        if can_token {
            let only_bearer =
                offered.contains(&Mechanism::OAuthBearer) && !offered.contains(&Mechanism::XOAuth2);
            let method = if only_bearer { Mechanism::OAuthBearer } else { Mechanism::XOAuth2 };
            return method.name().to_owned();
        }
        let usable = offered.iter().find(|m| !m.takes_token() || custom(m.name()));
        usable.map_or("PLAIN", |m| m.name()).to_owned()
    }

    fn begin(&mut self, method: Mechanism, secret: Secret, renewed: bool) -> Result<Step> {
        let user = self.options.credentials.as_ref().map(|c| c.user.clone()).unwrap_or_default();
        if user.contains('\0') || secret.expose().contains('\0') {
            // It would end a field of PLAIN, and no server takes it (RFC 4616 §2).
            return Err(api_auth("Credentials must not contain NUL".to_owned()));
        }
        let (host, port) = &self.options.server;
        let token = method.takes_token().then(|| secret.clone());
        let (exchange, initial) = Exchange::new(method, &user, secret, &self.options.nonce, (host, *port));
        let initial = initial.map(|bytes| BASE64.encode(bytes));
        let shown = BASE64.encode(masked(method, &user));
        self.send(&Command::Auth { mechanism: method.name(), initial: initial.as_deref(), shown: &shown })?;
        self.state = State::Auth(Login { exchange, method, token, renewed, rounds: 0 });
        Ok(Step::Reply)
    }

    fn auth(&mut self, mut login: Login, reply: &Reply) -> Result<Step> {
        let method = login.method.name();
        let fail = |text: &'static str| {
            let command = format!("AUTH {method}");
            Error::new(Code::Auth, text).response(&*reply.text).command(command)
        };
        if reply.code == 334 && login.rounds < MAX_CHALLENGES {
            login.rounds += 1;
            let challenge = reply.text.get(4..).unwrap_or_default();
            let open = login.exchange.answers_name() || login.exchange.answers_nothing();
            let answer = BASE64.encode(login.exchange.answer(challenge).map_err(fail)?);
            let user = self.options.credentials.as_ref().map_or("", |c| c.user.as_str());
            let shown = if open { answer.clone() } else { BASE64.encode(masked(login.method, user)) };
            self.send(&Command::AuthLine { line: &answer, shown: &shown })?;
            self.state = State::Auth(login);
            return Ok(Step::Reply);
        }
        if reply.is_positive() {
            login.exchange.accept_final(reply.text.get(4..).unwrap_or_default()).map_err(fail)?;
            if login.exchange.may_succeed() {
                self.authenticated = true;
                self.state = State::Ready;
                return Ok(Step::Ready);
            }
        }
        if let Some(text) = login.exchange.missing_challenge() {
            return Err(fail(text));
        }
        match login.token.filter(|_| !login.renewed && !reply.is_closing()) {
            Some(token) => {
                self.state =
                    State::Token { method: login.method, refused: Some((token, reply.text.clone())) };
                Ok(Step::Token { renew: true })
            }
            None if login.method == Mechanism::CramMd5 => {
                Err(fail("Invalid login sequence while waiting for \"235\""))
            }
            None => Err(self.invalid_login(method, &reply.text)),
        }
    }

    fn invalid_login(&self, method: &str, reply: &str) -> Error {
        Error::new(Code::Auth, "Invalid login")
            .response(reply)
            .command(format!("AUTH {method}"))
            .at(Phase::Auth)
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

fn api_auth(text: String) -> Error {
    Error::new(Code::Auth, text).command("API")
}

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
