//! The exchanges of SMTP AUTH (RFC 4954): what to answer to each challenge.
//!
//! An exchange knows nothing of commands or replies; it is handed the decoded challenge and gives
//! the undecoded answer. Passwords and tokens stay inside [`Secret`].

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac as _};
use md5::Md5;

use super::credentials::Secret;

/// A mechanism the engine speaks by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// The de facto LOGIN.
    Login,
    /// RFC 2195.
    CramMd5,
    /// RFC 7677.
    ScramSha256,
    /// Google's OAuth 2.0 mechanism.
    XOAuth2,
    /// RFC 7628.
    OAuthBearer,
}

impl Mechanism {
    /// Order in which one is chosen when the caller named none: nodemailer's, then what it lacks.
    pub const PREFERENCE: [Self; 6] =
        [Self::Plain, Self::Login, Self::CramMd5, Self::XOAuth2, Self::ScramSha256, Self::OAuthBearer];

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::XOAuth2 => "XOAUTH2",
            Self::OAuthBearer => "OAUTHBEARER",
        }
    }

    /// Finds a mechanism by its registered name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::PREFERENCE.into_iter().find(|m| m.name().eq_ignore_ascii_case(name))
    }

    /// Whether the secret is a token rather than a password.
    pub const fn takes_token(self) -> bool {
        matches!(self, Self::XOAuth2 | Self::OAuthBearer)
    }
}

/// One authentication, from the initial response to the last challenge.
pub(super) struct Exchange {
    user: String,
    secret: Secret,
    state: State,
}

enum State {
    /// Everything was in the initial response; further challenges are answered with nothing.
    Plain,
    LoginUser,
    LoginPassword,
    Cram,
    ScramFirst {
        nonce: String,
    },
    ScramFinal {
        server_signature: Vec<u8>,
    },
    Token(Mechanism),
    Done,
}

/// An answer as a log may show it: the user's name, never the secret.
pub(super) fn masked(mechanism: Mechanism, user: &str) -> Vec<u8> {
    match mechanism {
        Mechanism::Plain => format!("\0{user}\0{MASK}"),
        Mechanism::CramMd5 => format!("{user} {MASK}"),
        Mechanism::XOAuth2 => format!("user={user}\x01auth=Bearer {MASK}\x01\x01"),
        Mechanism::Login | Mechanism::ScramSha256 | Mechanism::OAuthBearer => MASK.to_owned(),
    }
    .into_bytes()
}

/// What stands for a secret in a log.
const MASK: &str = "/* secret */";

/// Why a challenge cannot be answered, in the words nodemailer uses where it has any.
pub(super) type Refusal = &'static str;

impl Exchange {
    /// Starts an exchange. `nonce` must be fresh random printable text without commas; `host` and
    /// `port` name the server (OAUTHBEARER says whom it speaks to).
    pub(super) fn new(
        mechanism: Mechanism,
        user: &str,
        secret: Secret,
        nonce: &str,
        server: (&str, u16),
    ) -> (Self, Option<Vec<u8>>) {
        let mut initial = None;
        let state = match mechanism {
            Mechanism::Plain => {
                initial = Some(format!("\0{user}\0{}", secret.expose()).into_bytes());
                State::Plain
            }
            Mechanism::Login => State::LoginUser,
            Mechanism::CramMd5 => State::Cram,
            Mechanism::ScramSha256 => {
                let first = format!("n={},r={nonce}", scram_name(user));
                initial = Some(format!("n,,{first}").into_bytes());
                State::ScramFirst { nonce: nonce.to_owned() }
            }
            Mechanism::XOAuth2 => {
                initial =
                    Some(format!("user={user}\x01auth=Bearer {}\x01\x01", secret.expose()).into_bytes());
                State::Token(mechanism)
            }
            Mechanism::OAuthBearer => {
                let (host, port) = server;
                let token = secret.expose();
                let name = scram_name(user);
                initial = Some(
                    format!("n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01")
                        .into_bytes(),
                );
                State::Token(mechanism)
            }
        };
        (Self { user: user.to_owned(), secret, state }, initial)
    }

    /// Answers a challenge; `text` is what stood behind `334 `.
    pub(super) fn answer(&mut self, text: &str) -> Result<Vec<u8>, Refusal> {
        let state = std::mem::replace(&mut self.state, State::Done);
        let (answer, next) = match state {
            State::LoginUser => (self.user.clone().into_bytes(), State::LoginPassword),
            State::LoginPassword => (self.secret.expose().as_bytes().to_vec(), State::Done),
            State::Cram => {
                (self.cram(&decode(text).filter(|c| !c.is_empty()).ok_or(NO_CHALLENGE)?)?, State::Done)
            }
            State::ScramFirst { nonce } => self.scram(&nonce, &decode(text).ok_or(NO_CHALLENGE)?)?,
            State::ScramFinal { server_signature } => {
                check_scram_final(&decode(text).ok_or(NO_CHALLENGE)?, &server_signature)?;
                (Vec::new(), State::Done)
            }
            // The server wants to say why it refuses the token; the empty answer lets it.
            State::Token(Mechanism::OAuthBearer) => (vec![1], State::Done),
            State::Plain | State::Token(_) | State::Done => (Vec::new(), State::Done),
        };
        self.state = next;
        Ok(answer)
    }

    /// Whether the next answer is the user's name, which is no secret.
    pub(super) fn answers_name(&self) -> bool {
        matches!(self.state, State::LoginUser)
    }

    /// Whether the next answer holds nothing.
    pub(super) fn answers_nothing(&self) -> bool {
        matches!(self.state, State::Plain | State::Token(_) | State::Done)
    }

    /// Whether success may be believed now: SCRAM proves the server as well.
    pub(super) fn may_succeed(&self) -> bool {
        matches!(self.state, State::Plain | State::Token(_) | State::Done)
    }

    /// What nodemailer says when the server does not send the challenge that is due.
    pub(super) fn missing_challenge(&self) -> Option<Refusal> {
        match self.state {
            State::LoginUser => Some(NO_LOGIN_USER),
            State::LoginPassword => Some(NO_LOGIN_PASSWORD),
            State::Cram | State::ScramFirst { .. } => Some(NO_CHALLENGE),
            _ => None,
        }
    }

    fn cram(&self, challenge: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut mac =
            <Hmac<Md5>>::new_from_slice(self.secret.expose().as_bytes()).map_err(|_| NO_CHALLENGE)?;
        mac.update(challenge);
        let digest = mac.finalize().into_bytes();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("{} {hex}", self.user).into_bytes())
    }

    /// RFC 5802 §3, with SHA-256 and without channel binding.
    fn scram(&self, client_nonce: &str, challenge: &[u8]) -> Result<(Vec<u8>, State), Refusal> {
        use aws_lc_rs::{digest, hmac, pbkdf2};
        let server_first = std::str::from_utf8(challenge).map_err(|_| BAD_SCRAM)?;
        let field = |key: &str| server_first.split(',').find_map(|item| item.strip_prefix(key));
        let nonce = field("r=").filter(|nonce| nonce.starts_with(client_nonce)).ok_or(BAD_SCRAM)?;
        let salt = field("s=").and_then(|salt| BASE64.decode(salt).ok()).ok_or(BAD_SCRAM)?;
        let rounds = field("i=").and_then(|i| i.parse::<std::num::NonZeroU32>().ok()).ok_or(BAD_SCRAM)?;
        if nonce.len() <= client_nonce.len() || !(4096..=MAX_SCRAM_ROUNDS).contains(&rounds.get()) {
            return Err(BAD_SCRAM);
        }
        let mut salted = [0; digest::SHA256_OUTPUT_LEN];
        let password = self.secret.expose().as_bytes();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password, &mut salted);
        let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
        let client_key = sign(&salted, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        let bare = format!("c=biws,r={nonce}");
        let auth = format!("n={},r={client_nonce},{server_first},{bare}", scram_name(&self.user));
        let signature = sign(stored_key.as_ref(), auth.as_bytes());
        let proof: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server_key = sign(&salted, b"Server Key");
        let server_signature = sign(server_key.as_ref(), auth.as_bytes()).as_ref().to_vec();
        Ok((
            format!("{bare},p={}", BASE64.encode(proof)).into_bytes(),
            State::ScramFinal { server_signature },
        ))
    }

    /// SCRAM's last message may stand in the success reply (`235 <base64>`).
    pub(super) fn accept_final(&mut self, text: &str) -> Result<(), Refusal> {
        let State::ScramFinal { server_signature } = &self.state else { return Ok(()) };
        let last = text.split_ascii_whitespace().filter_map(decode).next_back().ok_or(BAD_SCRAM)?;
        check_scram_final(&last, server_signature)?;
        self.state = State::Done;
        Ok(())
    }
}

const NO_LOGIN_USER: Refusal = "Invalid login sequence while waiting for \"334 VXNlcm5hbWU6\"";
const NO_LOGIN_PASSWORD: Refusal = "Invalid login sequence while waiting for \"334 UGFzc3dvcmQ6\"";
const NO_CHALLENGE: Refusal = "Invalid login sequence while waiting for server challenge string";
const BAD_SCRAM: Refusal = "Invalid SCRAM message from server";
/// A server that asks for more work than this is attacking, not protecting.
const MAX_SCRAM_ROUNDS: u32 = 1_000_000;

fn check_scram_final(message: &[u8], expected: &[u8]) -> Result<(), Refusal> {
    let text = std::str::from_utf8(message).map_err(|_| BAD_SCRAM)?;
    let sent = text.split(',').find_map(|item| item.strip_prefix("v=")).ok_or(BAD_SCRAM)?;
    let sent = BASE64.decode(sent).map_err(|_| BAD_SCRAM)?;
    if sent == expected { Ok(()) } else { Err("The server does not know the password (SCRAM signature)") }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.trim()).ok()
}

fn scram_name(user: &str) -> String {
    user.replace('=', "=3D").replace(',', "=2C")
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchange(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(mechanism: Mechanism, user: &str, secret: &str, nonce: &str) -> (Exchange, Option<Vec<u8>>) {
        Exchange::new(mechanism, user, Secret::new(secret), nonce, ("mail.example", 587))
    }

    #[test]
    fn plain_and_tokens_say_everything_at_once() {
        for (mechanism, expected) in [
            (Mechanism::Plain, "\0user\0s3cret"),
            (Mechanism::XOAuth2, "user=user\x01auth=Bearer s3cret\x01\x01"),
            (
                Mechanism::OAuthBearer,
                "n,a=user,\x01host=mail.example\x01port=587\x01auth=Bearer s3cret\x01\x01",
            ),
        ] {
            let (exchange, initial) = start(mechanism, "user", "s3cret", "n");
            assert_eq!(initial.unwrap(), expected.as_bytes());
            assert!(exchange.may_succeed());
        }
    }

    #[test]
    fn login_answers_user_then_password_whatever_the_prompt() {
        let (mut exchange, initial) = start(Mechanism::Login, "user", "s3cret", "n");
        assert!(initial.is_none() && !exchange.may_succeed());
        assert_eq!(exchange.answer("anything").unwrap(), b"user");
        assert_eq!(exchange.answer("").unwrap(), b"s3cret");
        assert!(exchange.may_succeed());
    }

    #[test]
    fn cram_md5_gives_the_digest_of_the_standard() {
        // RFC 2195 §2
        let (mut exchange, _) = start(Mechanism::CramMd5, "tim", "tanstaaftanstaaf", "n");
        let challenge = "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+";
        assert_eq!(exchange.answer(challenge).unwrap(), b"tim b913a602c7eda7a495b4e6e7334d3890");
        for challenge in ["not base64!", ""] {
            let (mut exchange, _) = start(Mechanism::CramMd5, "tim", "x", "n");
            assert!(exchange.answer(challenge).is_err());
        }
    }

    #[test]
    fn scram_gives_the_proof_of_the_standard_and_checks_the_server() {
        // RFC 7677 §3
        let (mut exchange, initial) = start(Mechanism::ScramSha256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(initial.unwrap(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let answer = exchange.answer(&BASE64.encode(first)).unwrap();
        let expected = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(String::from_utf8(answer).unwrap(), expected);
        assert!(!exchange.may_succeed());
        let good = BASE64.encode("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert!(exchange.accept_final(&BASE64.encode("v=AAAA")).is_err());
        assert!(exchange.accept_final(&format!("2.7.0 {good}")).is_ok());
        assert!(exchange.may_succeed());
    }

    #[test]
    fn scram_refuses_a_server_that_changes_the_nonce_or_the_work() {
        for first in [
            "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=nonce,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=noncex,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1",
            "r=noncex,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=999999999",
            "r=noncex,i=4096",
            "e=unknown-user",
        ] {
            let (mut exchange, _) = start(Mechanism::ScramSha256, "u", "p", "nonce");
            assert!(exchange.answer(&BASE64.encode(first)).is_err(), "{first}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let (exchange, _) = start(Mechanism::Plain, "user", "s3cret", "n");
        assert!(!format!("{exchange:?}{:?}", Secret::new("s3cret")).contains("s3cret"));
    }
}
