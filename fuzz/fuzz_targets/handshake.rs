//! Arbitrary bytes of a server against the way from the greeting to the end of the login.

#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use postpool::wire::{Credentials, Handshake, HandshakeOptions, LogLine, ReplyReader, Secret, Step};

#[path = "../support/model.rs"]
mod model;

const PASSWORD: &str = "correct horse battery";
/// `PASSWORD` in base64 as LOGIN sends it.
const ENCODED: &str = "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5";

#[derive(Arbitrary, Debug)]
struct Input {
    lmtp: bool,
    secure: bool,
    ignore_tls: bool,
    require_tls: bool,
    opportunistic_tls: bool,
    force_auth: bool,
    login: Option<Login>,
    server: Vec<Said>,
}

#[derive(Arbitrary, Debug)]
struct Login {
    oauth2: bool,
    custom: bool,
    method: Option<Method>,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Method {
    Plain,
    Login,
    CramMd5,
    Scram,
    XOAuth2,
    Bearer,
    Unknown,
}

#[derive(Arbitrary, Debug)]
enum Said {
    Greeting,
    Capabilities(u8),
    Ok,
    Go,
    Challenge(Vec<u8>),
    No,
    Anything(Vec<u8>),
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::Scram => "SCRAM-SHA-256",
            Self::XOAuth2 => "XOAUTH2",
            Self::Bearer => "OAUTHBEARER",
            Self::Unknown => "GSSAPI",
        }
    }
}

impl Said {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Greeting => b"220 me\r\n".to_vec(),
            Self::Capabilities(which) => {
                let mut text = "250-me\r\n".to_owned();
                let offers = [
                    "STARTTLS",
                    "AUTH PLAIN",
                    "AUTH=LOGIN",
                    "AUTH CRAM-MD5 SCRAM-SHA-256",
                    "AUTH XOAUTH2 OAUTHBEARER",
                    "SIZE 10",
                    "LIMITS MAILMAX=3 RCPTMAX=x",
                    "PIPELINING",
                ];
                for (bit, offer) in offers.into_iter().enumerate() {
                    if which & (1 << bit) != 0 {
                        text += &format!("250-{offer}\r\n");
                    }
                }
                (text + "250 HELP\r\n").into_bytes()
            }
            Self::Ok => b"235 ok\r\n".to_vec(),
            Self::Go => b"220 go\r\n".to_vec(),
            Self::Challenge(text) => [b"334 ", &text[..], b"\r\n"].concat(),
            Self::No => b"535 no\r\n".to_vec(),
            Self::Anything(bytes) => bytes,
        }
    }
}

fn options(input: &Input) -> HandshakeOptions {
    let credentials = input.login.as_ref().map(|login| Credentials {
        user: "user".into(),
        password: Some(Secret::new(PASSWORD)),
        oauth2: login.oauth2,
        method: login.method.map(|method| method.name().to_owned()),
    });
    HandshakeOptions {
        name: "client.test".into(),
        lmtp: input.lmtp,
        secure: input.secure,
        ignore_tls: input.ignore_tls,
        require_tls: input.require_tls,
        opportunistic_tls: input.opportunistic_tls,
        force_auth: input.force_auth,
        credentials,
        custom_methods: input.login.iter().filter(|l| l.custom).map(|_| "CRAM-MD5".to_owned()).collect(),
        server: ("server.test".into(), 25),
        nonce: "nonce".into(),
        log: true,
    }
}

fuzz_target!(|input: Input| {
    let require_tls = input.require_tls;
    let mut handshake = Handshake::new(options(&input));
    let mut reader = ReplyReader::new(2048);
    for said in input.server {
        let bytes = said.bytes();
        reader.feed(&bytes);
        loop {
            let Ok(next) = reader.next_reply() else { return };
            let Some(reply) = next else { break };
            let Ok(mut step) = handshake.reply(&reply) else { return };
            if step == Step::StartTls {
                if reader.has_buffered() {
                    return;
                }
                let Ok(next) = handshake.secured() else { return };
                assert!(handshake.is_secure());
                assert!(handshake.capabilities().mechanisms.is_empty(), "learned before TLS");
                step = next;
            }
            if let Step::Token { .. } = step {
                let Ok(next) = handshake.token(Secret::new(PASSWORD)) else { return };
                step = next;
            }
            if let Step::Custom { .. } = step {
                step = handshake.custom_done();
            }
            check(&mut handshake, require_tls);
            if step == Step::Ready {
                assert!(!require_tls || handshake.is_secure());
                return;
            }
        }
    }
});

/// What is written are whole lines, none of them a secret in clear where TLS was required.
fn check(handshake: &mut Handshake, require_tls: bool) {
    let output = handshake.take_output();
    assert!(output.len() < 16 * 1024, "{} octets for one reply", output.len());
    let mut rest = &output[..];
    while !rest.is_empty() {
        let (line, behind) = model::line(rest).expect("whole lines");
        assert!(!line.contains(&0));
        assert!(!(require_tls && !handshake.is_secure() && line.starts_with(b"AUTH")), "a login in clear");
        rest = behind;
    }
    for line in handshake.take_log() {
        if let LogLine::Client(text) = line {
            assert!(!text.contains(PASSWORD) && !text.contains(ENCODED), "a secret in the log");
        }
    }
    assert!(!format!("{handshake:?}").contains(PASSWORD));
}
