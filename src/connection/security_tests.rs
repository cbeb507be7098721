//! A server, or someone in the path, that means harm: STARTTLS, floods, and what may be in a log.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::peer_tests::*;
use super::*;
use crate::error::Code;

const PASSWORD: &str = "p4ssw0rd-of-the-user";

fn with_login(user: &str) -> Settings {
    let mut settings = settings(Pipelining::Auto);
    settings.handshake.credentials = Some(Credentials {
        user: user.into(),
        password: Some(Secret::new(PASSWORD)),
        oauth2: false,
        method: None,
    });
    settings
}

/// Plays the server line by line, a reply for each line heard, and gives all that was heard.
async fn play(rig: &mut Rig, replies: &[&str]) -> String {
    let mut heard = String::new();
    for (number, reply) in replies.iter().enumerate() {
        if number > 0 {
            heard += &rig.hear(1).await;
        }
        rig.say(reply).await;
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn a_reply_slipped_in_behind_the_one_to_starttls_ends_the_connection() {
    for injected in ["250 me|", "2", "\u{16}\u{3}"] {
        let mut rig = Rig::start(with_login("me"), 1 << 16);
        let go = format!("220 go|{injected}");
        let heard = play(&mut rig, &["220 me|", "250-me|250-AUTH PLAIN|250 STARTTLS|", &go]).await;
        assert_eq!(heard, "EHLO client.test|STARTTLS|");
        let error = rig.closed().await.unwrap();
        assert_eq!((error.code(), error.phase()), (Code::Tls, Some(Phase::Tls)), "{injected:?}");
        assert_eq!(rig.hear_out().await, "", "nothing may be sent after it");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_learned_before_tls_is_used_after_it() {
    let mut settings = with_login("me");
    settings.pipelining = Pipelining::Window(8);
    let mut rig = Rig::start(settings, 1 << 16);
    let clear = "250-me|250-PIPELINING|250-CHUNKING|250-AUTH PLAIN|250-SIZE 1|250-SMTPUTF8|250 STARTTLS|";
    let heard = play(&mut rig, &["220 me|", clear, "220 go|", "250 me|"]).await;
    assert_eq!(heard, "EHLO client.test|STARTTLS|EHLO client.test|");
    let Some(Report::Ready(ready)) = rig.reports.recv().await else { panic!("not ready") };
    assert_eq!((ready.depth, ready.offers_auth, ready.authenticated), (1, false, false));
    // Larger than the forgotten SIZE, one command at a time, and by DATA.
    rig.send(Note::to(&["b@x"]));
    assert_eq!(rig.hear(1).await, "MAIL FROM:<a@x>|");
    rig.say("250 ok|").await;
    assert_eq!(rig.hear(1).await, "RCPT TO:<b@x>|");
    rig.send(Note::to(&["ü@x"]));
    rig.say("250 ok|").await;
    assert_eq!(rig.hear(1).await, "DATA|");
    rig.say("354 go|").await;
    rig.hear(1).await;
    rig.say("250 taken|").await;
    assert_eq!(rig.outcome().await, "1:ok(b@x)");
    assert_eq!(rig.outcome().await, "2:EENVELOPE/envelope");
}

#[tokio::test(start_paused = true)]
async fn tls_that_is_required_cannot_be_stripped() {
    for (offer, answer) in
        [("250 AUTH PLAIN|", "502 what?|"), ("250-AUTH PLAIN|250 STARTTLS|", "454 not now|")]
    {
        for opportunistic in [false, true] {
            let mut settings = with_login("me");
            settings.handshake.require_tls = true;
            settings.handshake.ignore_tls = true;
            settings.handshake.opportunistic_tls = opportunistic;
            let mut rig = Rig::start(settings, 1 << 16);
            let heard = play(&mut rig, &["220 me|", &format!("250-me|{offer}"), answer]).await;
            assert_eq!(heard, "EHLO client.test|STARTTLS|");
            let error = rig.closed().await.unwrap();
            assert_eq!((error.code(), error.phase()), (Code::Tls, Some(Phase::Tls)));
            assert_eq!(rig.hear_out().await, "");
        }
    }
    // Nor by a server that knows no EHLO.
    let mut settings = with_login("me");
    settings.handshake.require_tls = true;
    let mut rig = Rig::start(settings, 1 << 16);
    play(&mut rig, &["220 me|", "502 what?|"]).await;
    assert_eq!(rig.closed().await.unwrap().phase(), Some(Phase::Ehlo));
    assert_eq!(rig.hear_out().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_refused_starttls_never_leads_to_a_login_in_clear() {
    let mut settings = with_login("me");
    settings.handshake.opportunistic_tls = true;
    let mut rig = Rig::start(settings, 1 << 16);
    let offer = "250-me|250-AUTH PLAIN|250 STARTTLS|";
    let heard = play(&mut rig, &["220 me|", offer, "454 not now|"]).await;
    assert_eq!(heard, "EHLO client.test|STARTTLS|");
    let Some(Report::Ready(ready)) = rig.reports.recv().await else { panic!("not ready") };
    assert!(!ready.authenticated);
    rig.send(Note::to(&["b@x"]));
    assert_eq!(rig.hear(1).await, "MAIL FROM:<a@x>|");
}

/// What the server can write until the connection gives up, in octets.
async fn flooded(rig: Rig, flood: &[u8]) -> (usize, Option<Report>) {
    let Rig { io, mut reports, orders, .. } = rig;
    let (mut reader, mut writer) = tokio::io::split(io);
    tokio::spawn(async move {
        let mut sunk = Vec::new();
        let _ = reader.read_to_end(&mut sunk).await;
    });
    let mut written = 0;
    while writer.write_all(flood).await.is_ok() {
        written += flood.len();
        assert!(written < 1 << 20, "swallows everything");
        tokio::task::yield_now().await;
    }
    let mut last = None;
    while let Some(report) = reports.recv().await {
        last = Some(report);
    }
    drop(orders);
    (written, last)
}

#[tokio::test(start_paused = true)]
async fn floods_of_every_kind_end_the_connection_soon() {
    let endless_line = [b'2'; 500];
    let endless_reply = b"250-more\r\n".repeat(50);
    let endless_replies = b"250 more\r\n".repeat(50);
    let blank_lines = b"\r\n".repeat(250);
    for flood in [&endless_line[..], &endless_reply, &endless_replies, &blank_lines] {
        for ready in [false, true] {
            let rig = if ready {
                let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
                rig.send(Note::to(&["b@x"]));
                rig.hear(3).await;
                rig
            } else {
                Rig::start(settings(Pipelining::Auto), 1 << 16)
            };
            let (written, last) = flooded(rig, flood).await;
            // The reply may be so large, and the pipe and one read hold a little more.
            assert!(written <= 2000 + (1 << 16) + (16 << 10), "{written} octets");
            let Some(Report::Closed(closed)) = last else { panic!("{last:?}") };
            let error = closed.error.unwrap();
            assert_eq!(error.code(), Code::Protocol, "{error:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_would_break_a_command_is_never_written() {
    for name in ["me\r\nMAIL FROM:<evil@x>", "me\nQUIT", "me\0"] {
        let mut settings = settings(Pipelining::Auto);
        settings.handshake.name = name.into();
        let mut rig = Rig::start(settings, 1 << 16);
        rig.say("220 me|").await;
        assert_eq!(rig.closed().await.unwrap().code(), Code::Protocol);
        assert_eq!(rig.hear_out().await, "");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_of_the_callers_cannot_write_two_commands_in_one() {
    let mut settings = with_login("me");
    settings.handshake.custom_methods = vec!["PLAIN".into()];
    let mut rig = Rig::start(settings, 1 << 16);
    play(&mut rig, &["220 me|", "250-me|250 AUTH PLAIN|"]).await;
    assert!(matches!(rig.reports.recv().await, Some(Report::CustomAuth(_))));
    rig.order(Order::AuthCommand("AUTH PLAIN x\r\nMAIL FROM:<evil@x>".into()));
    let error = rig.closed().await.unwrap();
    assert_eq!((error.code(), error.phase()), (Code::Protocol, Some(Phase::Auth)));
    assert_eq!(rig.hear_out().await, "");
}

#[tokio::test(start_paused = true)]
async fn the_challenges_of_a_server_cannot_go_on_for_ever() {
    let mut settings = with_login("me");
    settings.handshake.credentials.as_mut().unwrap().method = Some("PLAIN".into());
    let mut rig = Rig::start(settings, 1 << 16);
    play(&mut rig, &["220 me|", "250-me|250 AUTH PLAIN|"]).await;
    for rounds in 0.. {
        assert!(rounds < 20, "answers for ever");
        rig.hear(1).await;
        rig.say("334 |").await;
        tokio::task::yield_now().await;
        if let Ok(Report::Closed(closed)) = rig.reports.try_recv() {
            assert_eq!(closed.error.unwrap().phase(), Some(Phase::Auth));
            break;
        }
    }
}
