//! The misbehaving side: every action where a client meets it.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::ErrorKind::ConnectionReset;
use std::time::Duration;

use postpool_testkit::{Action, Config, End, Rule, Sink, Step};
use support::{Client, GROUP};
use tokio::time::Instant;

fn with(rules: impl Into<Vec<Rule>>) -> Config {
    Config { script: rules.into(), ..Config::default() }
}

#[tokio::test]
async fn a_connection_ends_before_the_greeting_as_asked() {
    for (action, text, end) in [
        (Action::Fin, "", None),
        (Action::Rst, "", Some(ConnectionReset)),
        (Action::Bye, "421 Service shutting down\r\n", None),
        (Action::Cut { bytes: 3, then: End::Fin }, "220", None),
        (Action::Cut { bytes: 3, then: End::Rst }, "220", Some(ConnectionReset)),
        (Action::ReplyFin, "220 sink.test ESMTP ready\r\n", None),
    ] {
        for step in [Step::Connect, Step::Greeting] {
            let sink = Sink::new(with([Rule::new(step, action.clone())])).unwrap();
            assert_eq!(Client::on(&sink).rest().await, (text.to_owned(), end), "{step:?} {action:?}");
        }
    }
}

#[tokio::test]
async fn refusals_hit_inside_a_pipelined_group() {
    let rules = [
        Rule::reply(Step::Rcpt, "550 5.1.1 no such user").matching("*@bad.test"),
        Rule::reply(Step::Rcpt, "450-4.2.1 busy\n450 4.2.1 later").k(3),
    ];
    let mut client = Client::ready(with(rules)).await;
    client
        .send("MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nRCPT TO:<C@BAD.test>\r\nRCPT TO:<d@y>\r\nDATA\r\n")
        .await;
    for expected in [
        "250 2.1.0 Ok",
        "250 2.1.5 Ok",
        "550 5.1.1 no such user",
        "450-4.2.1 busy|450 4.2.1 later",
        "354 End data with <CR><LF>.<CR><LF>",
    ] {
        assert_eq!(client.reply().await, expected);
    }
    assert_eq!(client.codes("hi\r\n.\r\n", 1).await, [250]);
    assert_eq!(client.sink.messages()[0].to.len(), 1);
}

#[tokio::test]
async fn at_the_end_of_data_the_message_is_lost_and_at_the_final_reply_it_is_taken() {
    for (step, action, accepted) in [
        (Step::EndOfData, Action::Fin, 0),
        (Step::EndOfData, Action::Rst, 0),
        (Step::EndOfData, Action::Bye, 0),
        (Step::FinalReply, Action::Fin, 1),
        (Step::FinalReply, Action::Rst, 1),
        (Step::FinalReply, Action::Cut { bytes: 2, then: End::Fin }, 1),
        (Step::FinalReply, Action::Garbage, 1),
        (Step::FinalReply, Action::Bye, 0),
        (Step::FinalReply, Action::Reply("554 no".into()), 0),
        (Step::FinalReply, Action::Reply("250 other words".into()), 1),
    ] {
        for (chunking, content, replies) in
            [(false, "DATA\r\n", 3), (true, "BDAT 4 LAST\r\nhi\r\nQUIT\r\n", 2)]
        {
            let config = Config { chunking, ..with([Rule::new(step, action.clone())]) };
            let mut client = Client::ready(config).await;
            client.codes(&format!("MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\n{content}"), replies).await;
            if !chunking {
                client.send("hi\r\n.\r\nQUIT\r\n").await;
            }
            client.rest().await;
            assert_eq!(client.sink.stats().messages, accepted, "{step:?} {action:?} {content:?}");
        }
    }
}

#[tokio::test]
async fn replies_are_spoilt_as_asked() {
    for (action, expected) in [
        (Action::Garbage, "\u{16}\u{3}\u{1}\u{fffd}\u{fffd} this is not a reply\r\n"),
        (Action::Extra, "250 2.0.0 Ok\r\n250 2.0.0 Surplus reply\r\n"),
        (Action::Split, "250 2.0.0 Ok\r\n"),
        (Action::Drip(10), "250 2.0.0 Ok\r\n"),
        (Action::Raw("{reply}250 more\r\n".into()), "250 2.0.0 Ok\r\n250 more\r\n"),
    ] {
        let mut client = Client::ready(with([Rule::new(Step::Rset, action.clone())])).await;
        client.send("RSET\r\nQUIT\r\n").await;
        let (text, _) = client.rest().await;
        assert_eq!(text, format!("{expected}221 2.0.0 Bye\r\n"), "{action:?}");
    }
}

#[tokio::test]
async fn an_early_reply_takes_the_place_of_the_next_one() {
    let mut client = Client::ready(with([Rule::new(Step::Mail, Action::Early)])).await;
    assert_eq!(client.codes("MAIL FROM:<a@x>\r\n", 2).await, [250, 250]);
    client.send("RCPT TO:<b@y>\r\nQUIT\r\n").await;
    assert_eq!(client.rest().await.0, "221 2.0.0 Bye\r\n");
}

#[tokio::test(start_paused = true)]
async fn a_delay_and_a_drip_take_their_time() {
    let rules = [Rule::new(Step::Noop, Action::Delay(500)).once(), Rule::new(Step::Rset, Action::Drip(100))];
    let mut client = Client::ready(with(rules)).await;
    let start = Instant::now();
    client.ask("NOOP").await;
    assert_eq!(start.elapsed(), Duration::from_millis(500));
    client.ask("RSET").await;
    let octets = "250 2.0.0 Ok\r\n".len() as u32;
    assert_eq!(start.elapsed(), Duration::from_millis(500) + Duration::from_millis(100) * (octets - 1));
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_reads_on_and_a_stalled_one_does_not() {
    let group = format!("{GROUP}{}", "x".repeat(1 << 20));
    for (action, reads) in [(Action::Silence, true), (Action::Stall, false)] {
        let mut client = Client::ready(with([Rule::new(Step::Data, action.clone())])).await;
        let written = tokio::time::timeout(Duration::from_secs(60), client.send(&group)).await;
        assert_eq!(written.is_ok(), reads, "{action:?}");
        assert_eq!(client.reply().await, "250 2.1.0 Ok");
        assert_eq!(client.reply().await, "250 2.1.5 Ok");
        let more = tokio::time::timeout(Duration::from_secs(60), client.reply()).await;
        assert!(more.is_err(), "{action:?}");
    }
}

#[tokio::test]
async fn a_body_is_cut_off_after_its_octets() {
    for (action, text, end) in [
        (Action::Fin, "", None),
        (Action::Rst, "", Some(ConnectionReset)),
        (Action::Bye, "421 4.3.2 Service shutting down\r\n", None),
    ] {
        let mut client = Client::ready(with([Rule::new(Step::Body, action.clone()).after(4)])).await;
        client.codes(GROUP, 3).await;
        client.send("1234").await;
        tokio::task::yield_now().await;
        client.send("5").await;
        assert_eq!(client.rest().await, (text.to_owned(), end), "{action:?}");
        assert_eq!(client.sink.stats().messages, 0);
    }
}

#[tokio::test]
async fn a_refusal_within_the_body_is_the_only_reply() {
    let mut client = Client::ready(with([Rule::reply(Step::Body, "552 too much")])).await;
    client.codes(GROUP, 3).await;
    client.send("12").await;
    assert_eq!(client.reply().await, "552 too much");
    client.send("34\r\n.\r\nQUIT\r\n").await;
    assert_eq!(client.rest().await.0, "221 2.0.0 Bye\r\n");
    assert_eq!(client.sink.stats().messages, 0);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_ended_between_messages_only() {
    let rule = Rule::new(Step::Idle, Action::Bye).after(1000).on_message(1);
    let mut client = Client::ready(with([rule])).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    client.codes(GROUP, 3).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    client.codes("hi\r\n.\r\n", 1).await;
    let start = Instant::now();
    assert_eq!(client.rest().await.0, "421 4.3.2 Service shutting down\r\n");
    assert_eq!(start.elapsed(), Duration::from_secs(1));
}

#[tokio::test]
async fn an_lmtp_server_refuses_one_recipient_after_the_body() {
    let config = Config { lmtp: true, ..with([Rule::reply(Step::FinalReply, "452 full").k(2)]) };
    let mut client = Client::ready(config).await;
    let group = "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nRCPT TO:<c@y>\r\nDATA\r\n";
    client.codes(group, 4).await;
    assert_eq!(client.codes("hi\r\n.\r\n", 2).await, [250, 452]);
    assert_eq!(client.sink.messages()[0].to[0].address, "b@y");
    assert_eq!(client.sink.stats().recipients, 1);
}

#[tokio::test]
async fn a_chunk_that_was_refused_spoils_those_behind_it() {
    let config = Config { chunking: true, ..with([Rule::reply(Step::Bdat, "451 no").k(1)]) };
    let mut client = Client::ready(config).await;
    let group = "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nBDAT 2\r\nhiBDAT 2 LAST\r\nho";
    assert_eq!(client.codes(group, 4).await, [250, 250, 451, 503]);
    assert_eq!(client.sink.stats().messages, 0);
}

#[tokio::test]
async fn a_new_script_is_obeyed_by_open_connections() {
    let mut client = Client::ready(Config::default()).await;
    assert_eq!(client.codes("NOOP\r\n", 1).await, [250]);
    client.sink.set_script(vec![Rule::reply(Step::Any, "451 later").once()]);
    assert_eq!(client.codes("NOOP\r\nNOOP\r\n", 2).await, [451, 250]);
    assert_eq!(client.sink.stats().faults, 1);
}
