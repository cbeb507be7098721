//! The server's side of SASL: one exchange against the sink's account.

use aws_lc_rs::{digest, hmac as sha2, pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use md5::Md5;

use crate::config::Auth;

/// SCRAM's iteration count; the least RFC 7677 allows.
const ITERATIONS: u32 = 4096;

/// What the exchange says next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// 334 with this text, not yet base64.
    Challenge(Vec<u8>),
    /// 235, or 535.
    Done(bool),
}

/// An exchange that has begun.
#[derive(Debug)]
pub(crate) struct Exchange {
    account: Auth,
    state: State,
}

#[derive(Debug)]
enum State {
    Plain,
    LoginUser,
    LoginPassword {
        user: Vec<u8>,
    },
    CramMd5 {
        challenge: Vec<u8>,
    },
    Bearer {
        oauthbearer: bool,
    },
    /// The client has to answer the error with an empty or dummy response.
    BearerFailed,
    ScramFirst {
        nonce: String,
    },
    ScramFinal {
        auth_message: String,
        nonce: String,
        salted: [u8; 32],
    },
    ScramAccepted,
}

/// The mechanisms an account allows, in the order they are offered.
pub(crate) fn mechanisms(account: &Auth) -> Vec<String> {
    if !account.mechanisms.is_empty() {
        return account.mechanisms.iter().map(|name| name.to_ascii_uppercase()).collect();
    }
    let mut names = Vec::new();
    if account.password.is_some() {
        names.extend(["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"]);
    }
    if account.token.is_some() {
        names.extend(["XOAUTH2", "OAUTHBEARER"]);
    }
    names.into_iter().map(Into::into).collect()
}

impl Exchange {
    /// Begins; `None` if the mechanism is not offered.
    pub(crate) fn new(account: &Auth, mechanism: &str, host_name: &str) -> Option<Self> {
        let name = mechanism.to_ascii_uppercase();
        if !mechanisms(account).contains(&name) {
            return None;
        }
        let state = match name.as_str() {
            "PLAIN" => State::Plain,
            "LOGIN" => State::LoginUser,
            "CRAM-MD5" => State::CramMd5 { challenge: format!("<{}@{host_name}>", nonce()).into_bytes() },
            "SCRAM-SHA-256" => State::ScramFirst { nonce: nonce() },
            "XOAUTH2" => State::Bearer { oauthbearer: false },
            "OAUTHBEARER" => State::Bearer { oauthbearer: true },
            _ => return None,
        };
        Some(Self { account: account.clone(), state })
    }

    /// The account's name.
    pub(crate) fn user(&self) -> &str {
        &self.account.user
    }

    /// What the server says before it has heard anything.
    pub(crate) fn opening(&self) -> Turn {
        Turn::Challenge(match &self.state {
            State::LoginUser => b"Username:".to_vec(),
            State::CramMd5 { challenge } => challenge.clone(),
            _ => Vec::new(),
        })
    }

    /// Takes the client's response, decoded.
    pub(crate) fn respond(&mut self, response: &[u8]) -> Turn {
        match std::mem::replace(&mut self.state, State::BearerFailed) {
            State::Plain => Turn::Done(self.plain(response)),
            State::LoginUser => {
                self.state = State::LoginPassword { user: response.to_vec() };
                Turn::Challenge(b"Password:".to_vec())
            }
            State::LoginPassword { user } => Turn::Done(self.password_is(&user, response)),
            State::CramMd5 { challenge } => Turn::Done(self.cram_md5(&challenge, response)),
            State::Bearer { oauthbearer } => self.bearer(response, oauthbearer),
            State::BearerFailed => Turn::Done(false),
            State::ScramFirst { nonce } => self.scram_first(response, &nonce).unwrap_or(Turn::Done(false)),
            State::ScramFinal { auth_message, nonce, salted } => {
                self.scram_final(response, &auth_message, &nonce, &salted).unwrap_or(Turn::Done(false))
            }
            State::ScramAccepted => Turn::Done(response.is_empty()),
        }
    }

    fn plain(&self, response: &[u8]) -> bool {
        let mut parts = response.split(|byte| *byte == 0);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(_), Some(user), Some(password), None) => self.password_is(user, password),
            _ => false,
        }
    }

    fn password_is(&self, user: &[u8], password: &[u8]) -> bool {
        let expected = self.account.password.as_deref().map(str::as_bytes);
        user == self.account.user.as_bytes() && expected == Some(password)
    }

    fn cram_md5(&self, challenge: &[u8], response: &[u8]) -> bool {
        let Some(password) = &self.account.password else { return false };
        let Ok(mut mac) = Hmac::<Md5>::new_from_slice(password.as_bytes()) else { return false };
        mac.update(challenge);
        let digest: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        response == format!("{} {digest}", self.account.user).as_bytes()
    }

    fn bearer(&self, response: &[u8], oauthbearer: bool) -> Turn {
        let text = String::from_utf8_lossy(response);
        let mut fields = text.split('\x01');
        let head = fields.next().unwrap_or_default();
        let user = if oauthbearer {
            head.strip_prefix("n,").and_then(|h| h.trim_end_matches(',').strip_prefix("a="))
        } else {
            head.strip_prefix("user=")
        };
        let token = fields.find_map(|field| field.strip_prefix("auth=Bearer "));
        let known = user == Some(&self.account.user) || (oauthbearer && head == "n,,");
        if known && token.is_some() && token == self.account.token.as_deref() {
            return Turn::Done(true);
        }
        // respond() has moved on to BearerFailed already.
        Turn::Challenge(br#"{"status":"401","schemes":"bearer","scope":"mail"}"#.to_vec())
    }

    fn scram_first(&mut self, response: &[u8], server_nonce: &str) -> Option<Turn> {
        let text = std::str::from_utf8(response).ok()?;
        let bare = text.strip_prefix("n,").or_else(|| text.strip_prefix("y,"))?.split_once(',')?.1;
        let (user, client_nonce) = bare.strip_prefix("n=")?.split_once(",r=")?;
        let user = user.replace("=2C", ",").replace("=3D", "=");
        let password = self.account.password.as_ref().filter(|_| user == self.account.user)?;
        let salt = digest::digest(&digest::SHA256, self.account.user.as_bytes());
        let nonce = format!("{client_nonce}{server_nonce}");
        let first = format!("r={nonce},s={},i={ITERATIONS}", STANDARD.encode(salt.as_ref()));
        let auth_message = format!("{bare},{first}");
        let salted = salted_password(password, salt.as_ref());
        self.state = State::ScramFinal { auth_message, nonce, salted };
        Some(Turn::Challenge(first.into_bytes()))
    }

    fn scram_final(&mut self, response: &[u8], auth: &str, nonce: &str, salted: &[u8; 32]) -> Option<Turn> {
        let text = std::str::from_utf8(response).ok()?;
        let (without_proof, proof) = text.rsplit_once(",p=")?;
        let (binding, given_nonce) = without_proof.strip_prefix("c=")?.split_once(",r=")?;
        if given_nonce != nonce || !matches!(binding, "biws" | "eSws") {
            return None;
        }
        let auth_message = format!("{auth},{without_proof}");
        let client_key = hmac_sha256(salted, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        let signature = hmac_sha256(stored_key.as_ref(), auth_message.as_bytes());
        let expected: Vec<u8> =
            client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        if STANDARD.decode(proof).ok()? != expected {
            return None;
        }
        let server_key = hmac_sha256(salted, b"Server Key");
        let proof = hmac_sha256(server_key.as_ref(), auth_message.as_bytes());
        self.state = State::ScramAccepted;
        Some(Turn::Challenge(format!("v={}", STANDARD.encode(proof.as_ref())).into_bytes()))
    }
}

fn salted_password(password: &str, salt: &[u8]) -> [u8; 32] {
    let mut salted = [0; 32];
    let iterations = std::num::NonZeroU32::new(ITERATIONS).unwrap_or(std::num::NonZeroU32::MIN);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password.as_bytes(), &mut salted);
    salted
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> sha2::Tag {
    sha2::sign(&sha2::Key::new(sha2::HMAC_SHA256, key), message)
}

fn nonce() -> String {
    let mut bytes = [0; 18];
    // A generator that fails leaves zeros, which only makes this challenge predictable.
    let _ = rand::fill(&mut bytes);
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(account: &Auth, mechanism: &str) -> Exchange {
        Exchange::new(account, mechanism, "sink.test").expect("an offered mechanism")
    }

    #[test]
    fn plain_and_login_take_the_account_and_nothing_else() {
        let account = Auth::password("user", "secret");
        for (response, accepted) in [
            ("\0user\0secret", true),
            ("other\0user\0secret", true),
            ("\0user\0Secret", false),
            ("\0User\0secret", false),
            ("user\0secret", false),
            ("\0user\0secret\0", false),
            ("", false),
        ] {
            assert_eq!(
                begin(&account, "plain").respond(response.as_bytes()),
                Turn::Done(accepted),
                "{response:?}"
            );
        }
        for (password, accepted) in [("secret", true), ("wrong", false)] {
            let mut login = begin(&account, "LOGIN");
            assert_eq!(login.opening(), Turn::Challenge(b"Username:".to_vec()));
            assert_eq!(login.respond(b"user"), Turn::Challenge(b"Password:".to_vec()));
            assert_eq!(login.respond(password.as_bytes()), Turn::Done(accepted));
        }
    }

    #[test]
    fn cram_md5_gives_the_digest_of_rfc_2195() {
        let exchange = begin(&Auth::password("tim", "tanstaaftanstaaf"), "CRAM-MD5");
        let challenge = b"<1896.697170952@postoffice.reston.mci.net>";
        assert!(exchange.cram_md5(challenge, b"tim b913a602c7eda7a495b4e6e7334d3890"));
        assert!(!exchange.cram_md5(challenge, b"tim b913a602c7eda7a495b4e6e7334d3891"));
    }

    #[test]
    fn scram_checks_the_proof_of_rfc_7677_and_gives_its_signature() {
        let mut exchange = begin(&Auth::password("user", "pencil"), "SCRAM-SHA-256");
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        let auth = format!("n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let salted = salted_password("pencil", &salt);
        let response = format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        let turn = exchange.scram_final(response.as_bytes(), &auth, nonce, &salted);
        let expected = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".to_vec();
        assert_eq!(turn, Some(Turn::Challenge(expected)));
        assert_eq!(exchange.respond(b""), Turn::Done(true));
        let wrong = format!("c=biws,r={nonce},p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert_eq!(exchange.scram_final(wrong.as_bytes(), &auth, nonce, &salted), None);
    }

    #[test]
    fn a_whole_scram_exchange_succeeds_with_the_password_only() {
        let begun = || {
            let mut exchange = begin(&Auth::password("user", "pencil"), "SCRAM-SHA-256");
            exchange.state = State::ScramFirst { nonce: "server".into() };
            let first = "r=clientserver,s=BPiZbadjt6lpsQKO4wB1aerzpjVIbdqyEdUSyFud+Ps=,i=4096";
            assert_eq!(exchange.respond(b"n,,n=user,r=client"), Turn::Challenge(first.as_bytes().to_vec()));
            exchange
        };
        // Made with Python's hashlib from the exchange above.
        let proof = "s4ipMuxM3jVrREHLu0KJF62/DOXUjiDEPyLXYTXvwYE=";
        let signature = "A3sF8BomikPNCMH3c67MkE4OdUv8tmksTdbOvqU2sBI=";
        let mut exchange = begun();
        let turn = exchange.respond(format!("c=biws,r=clientserver,p={proof}").as_bytes());
        assert_eq!(turn, Turn::Challenge(format!("v={signature}").into_bytes()));
        assert_eq!(exchange.respond(b""), Turn::Done(true));
        for wrong in
            [format!("c=biws,r=client,p={proof}"), format!("c=eSws,r=clientserver,p={proof}"), String::new()]
        {
            assert_eq!(begun().respond(wrong.as_bytes()), Turn::Done(false), "{wrong}");
        }
        let mut other = begin(&Auth::password("user", "pencil"), "SCRAM-SHA-256");
        assert_eq!(other.respond(b"n,,n=other,r=client"), Turn::Done(false));
    }

    #[test]
    fn a_refused_token_is_explained_before_it_fails() {
        let account = Auth::token("user", "t0ken");
        for (mechanism, response, accepted) in [
            ("XOAUTH2", "user=user\x01auth=Bearer t0ken\x01\x01", true),
            ("XOAUTH2", "user=user\x01auth=Bearer old\x01\x01", false),
            ("XOAUTH2", "user=other\x01auth=Bearer t0ken\x01\x01", false),
            ("OAUTHBEARER", "n,a=user,\x01host=h\x01port=25\x01auth=Bearer t0ken\x01\x01", true),
            ("OAUTHBEARER", "n,a=user,\x01auth=Bearer old\x01\x01", false),
        ] {
            let mut exchange = begin(&account, mechanism);
            match exchange.respond(response.as_bytes()) {
                Turn::Done(done) => assert!(done && accepted, "{mechanism} {response:?}"),
                Turn::Challenge(text) => {
                    assert!(!accepted && text.starts_with(b"{"), "{mechanism} {response:?}");
                    assert_eq!(exchange.respond(b"\x01"), Turn::Done(false));
                }
            }
        }
    }

    #[test]
    fn only_offered_mechanisms_begin() {
        let account = Auth::password("user", "secret").mechanisms(["plain"]);
        assert!(Exchange::new(&account, "PLAIN", "h").is_some());
        assert!(Exchange::new(&account, "LOGIN", "h").is_none());
        assert!(Exchange::new(&Auth::token("user", "t"), "PLAIN", "h").is_none());
    }
}
