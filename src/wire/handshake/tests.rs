//! Scripts of replies against the handshake, and what it must write in between.

use super::*;

fn options() -> HandshakeOptions {
    HandshakeOptions {
        name: "me.example".into(),
        server: ("mx.example".into(), 587),
        nonce: "nonce".into(),
        log: true,
        ..HandshakeOptions::default()
    }
}

fn with_login(method: Option<&str>) -> HandshakeOptions {
    HandshakeOptions {
        credentials: Some(Credentials {
            user: "user".into(),
            password: Some(Secret::new("s3cret")),
            oauth2: false,
            method: method.map(str::to_owned),
        }),
        ..options()
    }
}

fn reply(text: &str) -> Reply {
    Reply { code: text[..3].parse().unwrap_or(0), text: text.to_owned() }
}

/// Feeds replies; gives all that was written and the last step.
fn run(machine: &mut Handshake, replies: &[&str]) -> (String, Result<Step>) {
    let mut written = String::new();
    let mut step = Ok(Step::Reply);
    for text in replies {
        step = machine.reply(&reply(text));
        written.push_str(&String::from_utf8(machine.take_output()).unwrap());
        match step {
            Ok(Step::StartTls) => step = machine.secured(),
            Ok(Step::Token { .. }) | Err(_) => break,
            _ => {}
        }
        written.push_str(&String::from_utf8(machine.take_output()).unwrap());
    }
    (written, step)
}

#[test]
fn the_usual_ways_to_get_ready() {
    let ehlo = "250-mx\n250-PIPELINING\n250 SIZE 10";
    let tls = "250-mx\n250 STARTTLS";
    let auth = "250-mx\n250 AUTH PLAIN LOGIN";
    let cases: Vec<(HandshakeOptions, Vec<&str>, &str)> = vec![
        (options(), vec!["220 hi", ehlo], "EHLO me.example\r\n"),
        (HandshakeOptions { lmtp: true, ..options() }, vec!["220 hi", ehlo], "LHLO me.example\r\n"),
        (options(), vec!["220 hi", "502 what", "250 fine"], "EHLO me.example\r\nHELO me.example\r\n"),
        (
            options(),
            vec!["220 hi", tls, "220 go", ehlo],
            "EHLO me.example\r\nSTARTTLS\r\nEHLO me.example\r\n",
        ),
        (HandshakeOptions { ignore_tls: true, ..options() }, vec!["220 hi", tls], "EHLO me.example\r\n"),
        (
            HandshakeOptions { ignore_tls: true, require_tls: true, ..options() },
            vec!["220 hi", ehlo, "220 go", ehlo],
            "EHLO me.example\r\nSTARTTLS\r\nEHLO me.example\r\n",
        ),
        (
            HandshakeOptions { opportunistic_tls: true, ..with_login(None) },
            vec!["220 hi", "250-mx\n250-AUTH PLAIN\n250 STARTTLS", "454 no"],
            "EHLO me.example\r\nSTARTTLS\r\n",
        ),
        (with_login(None), vec!["220 hi", ehlo], "EHLO me.example\r\n"),
        (
            with_login(None),
            vec!["220 hi", auth, "235 ok"],
            "EHLO me.example\r\nAUTH PLAIN AHVzZXIAczNjcmV0\r\n",
        ),
        (
            with_login(Some("LOGIN")),
            vec!["220 hi", auth, "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 ok"],
            "EHLO me.example\r\nAUTH LOGIN\r\ndXNlcg==\r\nczNjcmV0\r\n",
        ),
        (
            HandshakeOptions { force_auth: true, ..with_login(None) },
            vec!["220 hi", ehlo, "235 ok"],
            "EHLO me.example\r\nAUTH PLAIN AHVzZXIAczNjcmV0\r\n",
        ),
    ];
    for (options, replies, expected) in cases {
        let mut machine = Handshake::new(options);
        let (written, step) = run(&mut machine, &replies);
        assert_eq!(written, expected);
        assert_eq!(step.unwrap(), Step::Ready);
        let logged = format!("{:?}", machine.take_log());
        assert!(!logged.contains("czNjcmV0") && !logged.contains("s3cret"), "{logged}");
    }
}

#[test]
fn every_refusal_has_the_code_command_and_text_nodemailer_gives() {
    let ehlo = "250 mx";
    let auth = "250-mx\n250 AUTH PLAIN LOGIN CRAM-MD5";
    type Case<'a> = (HandshakeOptions, Vec<&'a str>, &'a str, &'a str, &'a str, Phase);
    let cases: Vec<Case<'_>> = vec![
        (
            options(),
            vec!["554 no"],
            "EPROTOCOL",
            "CONN",
            "Invalid greeting. response=554 no: 554 no",
            Phase::Greeting,
        ),
        (
            options(),
            vec!["220 hi", "421 bye"],
            "ECONNECTION",
            "EHLO",
            "Server terminates connection. response=421 bye: 421 bye",
            Phase::Ehlo,
        ),
        (
            options(),
            vec!["220 hi", "500 a", "500 b"],
            "EPROTOCOL",
            "HELO",
            "Invalid HELO. response=500 b: 500 b",
            Phase::Ehlo,
        ),
        (
            HandshakeOptions { lmtp: true, ..options() },
            vec!["220 hi", "500 a"],
            "EPROTOCOL",
            "LHLO",
            "Invalid LHLO. response=500 a: 500 a",
            Phase::Ehlo,
        ),
        (
            HandshakeOptions { require_tls: true, ..options() },
            vec!["220 hi", ehlo, "502 no"],
            "ETLS",
            "STARTTLS",
            "Error upgrading connection with STARTTLS: 502 no",
            Phase::Tls,
        ),
        (
            with_login(None),
            vec!["220 hi", auth, "535 5.7.8 bad"],
            "EAUTH",
            "AUTH PLAIN",
            "Invalid login: 535 5.7.8 bad",
            Phase::Auth,
        ),
        (
            with_login(Some("LOGIN")),
            vec!["220 hi", auth, "235 ok"],
            "EAUTH",
            "AUTH LOGIN",
            "Invalid login sequence while waiting for \"334 VXNlcm5hbWU6\": 235 ok",
            Phase::Auth,
        ),
        (
            with_login(Some("CRAM-MD5")),
            vec!["220 hi", auth, "334 PDE4OTY+", "535 bad"],
            "EAUTH",
            "AUTH CRAM-MD5",
            "Invalid login sequence while waiting for \"235\": 535 bad",
            Phase::Auth,
        ),
        (
            with_login(Some("NTLM")),
            vec!["220 hi", auth],
            "EAUTH",
            "API",
            "Unknown authentication method \"NTLM\"",
            Phase::Auth,
        ),
    ];
    for (options, replies, code, command, message, phase) in cases {
        let mut machine = Handshake::new(options);
        let error = run(&mut machine, &replies).1.unwrap_err();
        assert_eq!((error.code().name(), error.command_name()), (code, Some(command)));
        assert_eq!(error.message(), message);
        assert!(error.is_fatal());
        if command != "API" {
            assert_eq!(error.phase(), Some(phase), "{message}");
        }
    }
}

#[test]
fn credentials_with_nul_are_never_sent() {
    let mut options = with_login(None);
    options.credentials.as_mut().unwrap().user = "user\0admin".into();
    let mut machine = Handshake::new(options);
    let (written, step) = run(&mut machine, &["220 hi", "250-mx\n250 AUTH PLAIN LOGIN"]);
    assert_eq!(written, "EHLO me.example\r\n");
    assert_eq!(step.unwrap_err().code(), Code::Auth);
}

#[test]
fn a_refused_token_is_renewed_once() {
    let mut options = with_login(None);
    options.credentials.as_mut().unwrap().oauth2 = true;
    let mut machine = Handshake::new(options);
    let (_, step) = run(&mut machine, &["220 hi", "250-mx\n250 AUTH XOAUTH2"]);
    assert_eq!(step.unwrap(), Step::Token { renew: false });
    machine.token(Secret::new("old")).unwrap();
    machine.take_output();
    // The server explains itself, then refuses.
    assert_eq!(machine.reply(&reply("334 eyJzdGF0dXMiOiI0MDAifQ==")).unwrap(), Step::Reply);
    assert_eq!(machine.take_output(), b"\r\n");
    assert_eq!(machine.reply(&reply("535 expired")).unwrap(), Step::Token { renew: true });
    machine.token(Secret::new("new")).unwrap();
    assert!(!machine.take_output().is_empty());
    let error = machine.reply(&reply("535 still no")).unwrap_err();
    assert_eq!(error.message(), "Invalid login: 535 still no");
}

#[test]
fn a_renewed_token_that_is_the_refused_one_is_not_tried_again() {
    let mut options = with_login(None);
    options.credentials.as_mut().unwrap().oauth2 = true;
    let mut machine = Handshake::new(options);
    run(&mut machine, &["220 hi", "250-mx\n250 AUTH OAUTHBEARER"]).1.unwrap();
    machine.token(Secret::new("same")).unwrap();
    machine.reply(&reply("535 no")).unwrap();
    machine.take_output();
    let error = machine.token(Secret::new("same")).unwrap_err();
    assert_eq!(error.command_name(), Some("AUTH OAUTHBEARER"));
    assert!(machine.take_output().is_empty());
}

#[test]
fn a_server_that_challenges_for_ever_is_given_up() {
    let mut machine = Handshake::new(with_login(Some("PLAIN")));
    run(&mut machine, &["220 hi", "250-mx\n250 AUTH PLAIN"]).1.unwrap();
    let error = (0..100).find_map(|_| machine.reply(&reply("334 eA==")).err()).unwrap();
    assert_eq!(error.code(), Code::Auth);
}
