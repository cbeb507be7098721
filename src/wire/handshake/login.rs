//! AUTH: which mechanism, with what, and one more try with a fresh token.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::{Code, Error, Phase, Result};

use super::super::command::Command;
use super::super::credentials::{Credentials, Secret};
use super::super::reply::Reply;
use super::super::sasl::{Exchange, Mechanism, masked};
use super::{Handshake, State, Step, unexpected};

#[derive(Debug)]
pub(super) struct Login {
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

    /// Begins the login if there is anyone to log in and the server wants it.
    pub(super) fn login(&mut self) -> Result<Step> {
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

    pub(super) fn auth(&mut self, mut login: Login, reply: &Reply) -> Result<Step> {
        if reply.code == 334 && login.rounds < MAX_CHALLENGES {
            return self.answer(login, reply);
        }
        if reply.is_positive() {
            let text = reply.text.get(4..).unwrap_or_default();
            login.exchange.accept_final(text).map_err(|text| refused(&login, text, reply))?;
            if login.exchange.may_succeed() {
                self.authenticated = true;
                self.state = State::Ready;
                return Ok(Step::Ready);
            }
        }
        if let Some(text) = login.exchange.missing_challenge() {
            return Err(refused(&login, text, reply));
        }
        if login.method == Mechanism::CramMd5 {
            return Err(refused(&login, "Invalid login sequence while waiting for \"235\"", reply));
        }
        let Some(token) = login.token.filter(|_| !login.renewed && !reply.is_closing()) else {
            return Err(self.invalid_login(login.method.name(), &reply.text));
        };
        self.state = State::Token { method: login.method, refused: Some((token, reply.text.clone())) };
        Ok(Step::Token { renew: true })
    }

    /// Answers a challenge.
    fn answer(&mut self, mut login: Login, reply: &Reply) -> Result<Step> {
        login.rounds += 1;
        let challenge = reply.text.get(4..).unwrap_or_default();
        let open = login.exchange.answers_name() || login.exchange.answers_nothing();
        let answer = login.exchange.answer(challenge).map_err(|text| refused(&login, text, reply))?;
        let answer = BASE64.encode(answer);
        let user = self.options.credentials.as_ref().map_or("", |c| c.user.as_str());
        let shown = if open { answer.clone() } else { BASE64.encode(masked(login.method, user)) };
        self.send(&Command::AuthLine { line: &answer, shown: &shown })?;
        self.state = State::Auth(login);
        Ok(Step::Reply)
    }

    fn invalid_login(&self, method: &str, reply: &str) -> Error {
        Error::new(Code::Auth, "Invalid login")
            .response(reply)
            .command(format!("AUTH {method}"))
            .at(Phase::Auth)
    }
}

fn refused(login: &Login, text: &'static str, reply: &Reply) -> Error {
    let command = format!("AUTH {}", login.method.name());
    Error::new(Code::Auth, text).response(&*reply.text).command(command)
}

fn api_auth(text: String) -> Error {
    Error::new(Code::Auth, text).command("API")
}
