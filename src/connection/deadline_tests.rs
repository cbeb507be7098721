//! Every wait ends, however the server fills it.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep};

use super::peer_tests::*;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// The server's part up to the point where it falls silent: what it says, and how many lines it
/// hears after each. The last of the lines is never answered.
type Part = &'static [(&'static str, usize)];

const STEPS: [(Part, &str); 5] = [
    (&[("", 1)], "1:ETIMEDOUT/envelope!"),
    (&[("", 1), ("250 ok|", 1)], "1:ETIMEDOUT/envelope!"),
    (&[("", 1), ("250 ok|", 1), ("250 ok|", 1)], "1:ETIMEDOUT/data!"),
    (&[("", 1), ("250 ok|", 1), ("250 ok|", 1), ("354 go|", 2)], "1:ETIMEDOUT/in-doubt*"),
    (&[("", 1), ("250 ok|", 1), ("250-first line|", 0)], "1:ETIMEDOUT/envelope!"),
];

async fn play(rig: &mut Rig, part: Part) {
    for (words, lines) in part {
        rig.say(words).await;
        rig.hear(*lines).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_costs_one_timeout_at_every_step() {
    for (part, expected) in STEPS {
        let mut rig = Rig::ready(Pipelining::Off, PLAIN).await;
        rig.send(Note::to(&["b@x"]));
        play(&mut rig, part).await;
        let since = Instant::now();
        assert_eq!(rig.outcome().await, expected);
        assert_eq!(since.elapsed().as_secs(), SILENCE.as_secs(), "{part:?}");
        assert_eq!(rig.closed().await.unwrap().timeout_kind(), Some("SOCKET_TIMEOUT"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_drips_gets_no_more_time_than_a_silent_one() {
    for (part, expected) in STEPS {
        let mut rig = Rig::ready(Pipelining::Off, PLAIN).await;
        rig.send(Note::to(&["b@x"]));
        play(&mut rig, part).await;
        let since = Instant::now();
        let Rig { mut io, mut reports, .. } = rig;
        let drip = tokio::spawn(async move {
            for byte in b"250 a reply that takes its time".iter().cycle() {
                if io.write_all(&[*byte]).await.is_err() {
                    return;
                }
                sleep(SECOND).await;
            }
        });
        let settled = reports.recv().await;
        assert!(format!("{settled:?}").contains("ETIMEDOUT"), "{settled:?}");
        assert!(since.elapsed() < SILENCE + SECOND, "{expected} after {:?}", since.elapsed());
        assert!(since.elapsed() + SECOND > SILENCE);
        drip.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_setup_has_its_deadlines_too() {
    for (words, kind, wait) in [
        ("", "GREETING_TIMEOUT", GREETING),
        ("220-welcome|220-to ", "GREETING_TIMEOUT", GREETING),
        ("220 me|", "SOCKET_TIMEOUT", SILENCE),
        ("220 me|250-me|25", "SOCKET_TIMEOUT", SILENCE),
    ] {
        let since = Instant::now();
        let mut rig = Rig::start(settings(Pipelining::Auto), 1 << 16);
        for piece in words.split_inclusive("me|").take(2) {
            rig.say(piece).await;
            tokio::task::yield_now().await;
        }
        let error = rig.closed().await.unwrap();
        assert_eq!(
            (error.timeout_kind(), since.elapsed().as_secs()),
            (Some(kind), wait.as_secs()),
            "{words}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_the_body_is_given_up() {
    let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
    rig.send(Note::of(4 << 20));
    rig.hear(3).await;
    rig.say("250 ok|250 ok|354 go|").await;
    let since = Instant::now();
    assert_eq!(rig.outcome().await, "1:ETIMEDOUT/data!*");
    // The octets that fit into the pipe have earned their time.
    assert!(since.elapsed() < SILENCE + Duration::from_secs((1 << 16) / 500 + 1), "{:?}", since.elapsed());
}

/// How long it takes until a body of 16 KiB is settled when the server reads so fast.
async fn body_at(octets_a_second: usize) -> (String, u64) {
    let mut rig = Rig::start(settings(Pipelining::Auto), 1024);
    rig.say("220 me|").await;
    rig.hear(1).await;
    rig.say(PIPELINING).await;
    assert!(matches!(rig.reports.recv().await, Some(Report::Ready(_))));
    rig.send(Note::of(16 * 1024));
    rig.hear(3).await;
    rig.say("250 ok|250 ok|354 go|").await;
    let since = Instant::now();
    let mut heard = Vec::new();
    let mut buffer = vec![0; octets_a_second];
    while !heard.ends_with(b"\r\n.\r\n") {
        sleep(SECOND).await;
        match rig.io.read(&mut buffer).await {
            Ok(count) if count > 0 => heard.extend_from_slice(&buffer[..count]),
            _ => return (rig.outcome().await, since.elapsed().as_secs()),
        }
    }
    rig.say("250 taken|").await;
    (rig.outcome().await, since.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_borne_and_one_below_the_lowest_rate_is_not() {
    let (outcome, seconds) = body_at(600).await;
    assert_eq!(outcome, "1:ok(b@x)");
    assert!(seconds > 2 * SILENCE.as_secs(), "it took longer than one timeout: {seconds}");
    let (outcome, seconds) = body_at(100).await;
    assert_eq!(outcome, "1:ETIMEDOUT/data!*");
    // The whole body would take 164 seconds.
    assert!(seconds < 3 * SILENCE.as_secs(), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_stalls_is_given_up_and_a_slow_one_is_not() {
    let piece = |pause| (pause, Ok(Bytes::from_static(b"piece ")));
    for (pieces, expected) in [
        (vec![piece(SILENCE - SECOND); 4], "1:ok(b@x)"),
        (vec![piece(SECOND), piece(SILENCE * 3)], "1:ETIMEDOUT/data!*"),
    ] {
        let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
        rig.send(Note::in_pieces(pieces));
        rig.hear(3).await;
        rig.say("250 ok|250 ok|354 go|").await;
        if expected.ends_with(')') {
            rig.hear(2).await;
            rig.say("250 taken|").await;
        }
        assert_eq!(rig.outcome().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn goodbye_is_waited_for_five_seconds() {
    let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
    sleep(Duration::from_secs(2)).await;
    rig.order(Order::Quit);
    assert_eq!(rig.hear(1).await, "QUIT|");
    let since = Instant::now();
    assert!(rig.closed().await.is_none());
    assert_eq!(since.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn nothing_to_do_for_too_long_ends_the_connection_without_blame() {
    let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
    let since = Instant::now();
    assert!(rig.closed().await.is_none());
    assert_eq!(since.elapsed().as_secs(), SILENCE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_token_nobody_brings_is_not_waited_for_for_ever() {
    let mut settings = settings(Pipelining::Auto);
    let credentials = Credentials { user: "me".into(), oauth2: true, ..Credentials::default() };
    settings.handshake.credentials = Some(credentials);
    let mut rig = Rig::start(settings, 1 << 16);
    rig.say("220 me|").await;
    rig.hear(1).await;
    rig.say("250-me|250 AUTH XOAUTH2|").await;
    assert!(matches!(rig.reports.recv().await, Some(Report::TokenWanted { renew: false })));
    let since = Instant::now();
    let error = rig.closed().await.unwrap();
    assert_eq!((error.phase(), since.elapsed()), (Some(Phase::Auth), SILENCE));
}
