//! Orders at every step: cancel, quit, abort, and a pool that goes away.

use std::time::Duration;

use bytes::Bytes;

use super::peer_tests::*;
use super::*;
use crate::error::Code;

/// The server's part up to the point where the order comes.
type Part = &'static [(&'static str, usize)];

/// With PIPELINING and a window of two: the second message leaves behind the first one's body.
const STEPS: [(Part, &str); 4] = [
    (&[("", 3)], "envelope"),
    (&[("", 3), ("250 ok|", 0)], "envelope"),
    (&[("", 3), ("250 ok|250 ok|", 0)], "data"),
    (&[("", 3), ("250 ok|250 ok|354 go|", 5)], "in-doubt"),
];

async fn play(rig: &mut Rig, part: Part) {
    for (words, lines) in part {
        rig.say(words).await;
        rig.hear(*lines).await;
        // Let the connection take what was said.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_cancelled_at_every_step_and_says_how_far_it_came() {
    for (part, phase) in STEPS {
        let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
        let id = rig.send(Note::to(&["b@x"]));
        rig.send(Note::to(&["c@x"]));
        play(&mut rig, part).await;
        rig.order(Order::Cancel(id, given_up()));
        let read = if phase == "in-doubt" { "*" } else { "" };
        assert_eq!(rig.outcome().await, format!("1:EABORT/{phase}{read}"), "{part:?}");
        // The server may be stuck on it: what waits behind it is not kept waiting.
        assert_eq!(rig.outcome().await, "2:ECONNECTION/envelope!", "{part:?}");
        assert!(rig.closed().await.is_none());
        let rest = rig.hear_out().await;
        assert!(!rest.contains("|.|"), "an aborted body must not be ended: {rest}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_cancelled_behind_one_in_doubt_leaves_that_one_its_reply() {
    let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
    rig.send(Note::to(&["b@x"]));
    let second = rig.send(Note::to(&["c@x"]));
    play(&mut rig, STEPS[3].0).await;
    rig.order(Order::Cancel(second, given_up()));
    assert_eq!(rig.outcome().await, "2:EABORT/envelope");
    rig.say("250 taken|").await;
    assert_eq!(rig.outcome().await, "1:ok(b@x)");
    assert!(rig.closed().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_message_is_cancelled_in_the_middle_of_its_body() {
    let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
    let piece = |pause| (Duration::from_secs(pause), Ok(Bytes::from_static(b"half a line")));
    let id = rig.send(Note::in_pieces(vec![piece(0), piece(5)]));
    rig.hear(3).await;
    rig.say("250 ok|250 ok|354 go|").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    rig.order(Order::Cancel(id, given_up()));
    assert_eq!(rig.outcome().await, "1:EABORT/data*");
    assert_eq!(rig.hear_out().await, "half a line");
}

#[tokio::test(start_paused = true)]
async fn a_message_in_parts_that_is_cancelled_after_the_first_tells_who_got_it() {
    let mut rig = Rig::ready(Pipelining::Auto, "250-me|250-PIPELINING|250 LIMITS RCPTMAX=1|").await;
    let id = rig.send(Note::to(&["b@x", "c@x", "d@x"]));
    rig.hear(3).await;
    rig.say("250 ok|250 ok|354 go|").await;
    rig.hear(2).await;
    rig.say("250 taken|").await;
    rig.hear(3).await;
    rig.order(Order::Cancel(id, given_up()));
    let Some(Report::Settled { result: Err(undelivered), .. }) = rig.reports.recv().await else {
        panic!("no failure")
    };
    assert_eq!(undelivered.error.phase(), Some(Phase::Envelope));
    let error = undelivered.so_far.unwrap().close(&undelivered.error).unwrap_err();
    assert_eq!((error.code(), error.phase()), (Code::Abort, Some(Phase::InDoubt)));
    assert_eq!(error.taken_for(), ["b@x"]);
    let others: Vec<_> = error.refused().iter().map(|refusal| refusal.recipient.as_str()).collect();
    assert_eq!(others, ["c@x", "d@x"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_not_begun_is_cancelled_at_no_cost() {
    let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
    rig.send(Note::to(&["b@x"]));
    let second = rig.send(Note::to(&["c@x"]));
    let third = rig.send(Note { held: 1 << 20, ..Note::to(&["d@x"]) });
    rig.hear(3).await;
    for id in [second, third] {
        rig.order(Order::Cancel(id, given_up()));
        let expected = format!("{id}:EABORT/queue");
        assert_eq!(rig.outcome().await, expected);
    }
    rig.say("250 ok|250 ok|354 go|").await;
    assert_eq!(rig.hear(2).await, "hi|.|");
    rig.say("250 taken|").await;
    assert_eq!(rig.outcome().await, "1:ok(b@x)");
    // Too late, and of nobody: neither does anything.
    rig.order(Order::Cancel(1, given_up()));
    rig.order(Order::Cancel(99, given_up()));
    rig.send(Note::to(&["e@x"]));
    assert_eq!(rig.hear(3).await, "MAIL FROM:<a@x>|RCPT TO:<e@x>|DATA|");
}

#[tokio::test(start_paused = true)]
async fn quit_leaves_behind_the_last_body_and_every_message_is_sent() {
    let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
    rig.send(Note::to(&["b@x"]));
    rig.send(Note::to(&["c@x"]));
    rig.order(Order::Quit);
    rig.hear(3).await;
    rig.say("250 ok|250 ok|354 go|").await;
    assert_eq!(rig.hear(6).await, "hi|.|RSET|MAIL FROM:<a@x>|RCPT TO:<c@x>|DATA|");
    rig.say("250 taken|250 reset|250 ok|250 ok|354 go|").await;
    assert_eq!(rig.hear(3).await, "hi|.|QUIT|");
    rig.say("250 taken|221 bye|").await;
    assert_eq!(rig.outcome().await, "1:ok(b@x)");
    assert_eq!(rig.outcome().await, "2:ok(c@x)");
    assert!(rig.closed().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn without_pipelining_quit_waits_for_the_final_reply() {
    let mut rig = Rig::ready(Pipelining::Auto, PLAIN).await;
    rig.send(Note::to(&["b@x"]));
    rig.order(Order::Quit);
    for words in ["", "250 ok|", "250 ok|"] {
        rig.say(words).await;
        rig.hear(1).await;
    }
    rig.say("354 go|").await;
    assert_eq!(rig.hear(2).await, "hi|.|");
    rig.say("250 taken|").await;
    assert_eq!(rig.hear(1).await, "QUIT|");
    assert_eq!(rig.outcome().await, "1:ok(b@x)");
}

#[tokio::test(start_paused = true)]
async fn abort_drops_everything_at_once_and_tells_who_may_go_again() {
    for (part, phase) in STEPS {
        let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
        rig.send(Note::to(&["b@x"]));
        rig.send(Note::to(&["c@x"]));
        play(&mut rig, part).await;
        rig.order(Order::Abort(given_up().fatal()));
        let mark = if phase == "in-doubt" { "*" } else { "!" };
        assert_eq!(rig.outcome().await, format!("1:EABORT/{phase}{mark}"));
        assert_eq!(rig.outcome().await, "2:EABORT/envelope!");
        assert_eq!(rig.closed().await.unwrap().message(), "given up");
    }
}

#[tokio::test(start_paused = true)]
async fn abort_ends_the_setup_at_every_step() {
    for (words, phase) in
        [("", Phase::Greeting), ("220 me|", Phase::Ehlo), ("220 me|250-me|250 STARTTLS|", Phase::Tls)]
    {
        let mut rig = Rig::start(settings(Pipelining::Auto), 1 << 16);
        tokio::time::sleep(Duration::from_millis(1)).await;
        for reply in words.split_inclusive("me|") {
            rig.say(reply).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        rig.order(Order::Abort(given_up()));
        let error = rig.closed().await.unwrap();
        assert_eq!((error.message(), error.phase()), ("given up", Some(phase)), "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_is_gone_gets_its_messages_sent_and_the_server_a_goodbye() {
    let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
    rig.send(Note::to(&["b@x"]));
    rig.hear(3).await;
    let Rig { mut io, reports, orders, .. } = rig;
    drop((orders, reports));
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    io.write_all(b"250 ok\r\n250 ok\r\n354 go\r\n").await.unwrap();
    let mut body = [0; 7];
    io.read_exact(&mut body).await.unwrap();
    io.write_all(b"250 taken\r\n").await.unwrap();
    let mut rest = String::new();
    io.read_to_string(&mut rest).await.unwrap();
    assert_eq!((&body[..], rest.as_str()), (&b"hi\r\n.\r\n"[..], "QUIT\r\n"));
}

#[tokio::test(start_paused = true)]
async fn orders_that_cross_the_end_are_unsent() {
    let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
    rig.say("421 me is closing|").await;
    rig.send(Note::to(&["b@x"]));
    assert_eq!(rig.outcome().await, "1:ECONNECTION/envelope!");
    assert_eq!(rig.hear_out().await, "");
}
