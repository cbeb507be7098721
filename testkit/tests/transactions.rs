//! The well-behaved side: transactions by DATA and BDAT, what is captured, what is counted.

#![allow(clippy::unwrap_used)]

mod support;

use postpool_testkit::{Config, Habit, Limits};
use support::{Client, GROUP};

#[tokio::test]
async fn a_message_by_data_is_captured_without_its_stuffing() {
    let mut client = Client::ready(Config::default()).await;
    assert_eq!(client.codes(GROUP, 3).await, [250, 250, 354]);
    assert_eq!(client.ask("a: b\r\n\r\n..dot\r\n.").await, "250 2.0.0 Ok: queued as 1");
    assert_eq!(client.ask("QUIT").await, "221 2.0.0 Bye");
    assert_eq!(client.rest().await, (String::new(), None));
    let message = &client.sink.messages()[0];
    assert_eq!((message.connection, message.ordinal, message.from.as_str()), (1, 1, "a@x"));
    assert_eq!(message.to[0].address, "b@y");
    assert_eq!(message.body, b"a: b\r\n\r\n.dot\r\n");
    let stats = client.sink.stats();
    assert_eq!((stats.messages, stats.recipients, stats.bytes), (1, 1, message.body.len() as u64));
    assert_eq!((stats.bad_pipelining, stats.without_quit), (0, 0));
}

#[tokio::test]
async fn a_body_and_the_next_group_may_come_in_one_write() {
    let mut client = Client::ready(Config { record: true, ..Config::default() }).await;
    client.codes(GROUP, 3).await;
    assert_eq!(client.codes(&format!("one\r\n.\r\n{GROUP}"), 4).await, [250, 250, 250, 354]);
    assert_eq!(client.codes("two\r\n.\r\n", 1).await, [250]);
    let reads: Vec<_> = client.sink.reads().into_iter().map(|read| read.commands).collect();
    let group = ["MAIL FROM:<a@x>", "RCPT TO:<b@y>", "DATA"];
    assert_eq!(reads[1], group);
    assert_eq!(reads[2], [&["."][..], &group].concat());
    assert_eq!(reads[3], ["."]);
    assert_eq!(client.sink.stats().bad_pipelining, 0);
}

#[tokio::test]
async fn chunks_make_one_message_and_windows_of_them_several() {
    let mut client = Client::ready(Config { chunking: true, ..Config::default() }).await;
    let message = "RSET\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nBDAT 5\r\nhelloBDAT 3 LAST\r\n\r\n.";
    let codes = client.codes(&message.repeat(3), 15).await;
    assert_eq!(codes, [250; 15]);
    let messages = client.sink.messages();
    assert_eq!(messages.len(), 3);
    assert!(messages.iter().all(|message| message.body == b"hello\r\n." && message.chunks == 2));
}

#[tokio::test]
async fn octets_of_a_refused_chunk_are_read_all_the_same() {
    let mut client = Client::ready(Config { chunking: true, ..Config::default() }).await;
    assert_eq!(client.codes("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", 2).await, [503, 250]);
}

/// MAIL and a refused RCPT, then DATA or BDAT, then MAIL of the next sender without RSET.
async fn after_refusal(habit: Habit, content: &str) -> (Vec<u16>, Vec<String>) {
    let config = Config { habit, chunking: true, ..Config::default() };
    let mut client = Client::ready(config).await;
    let refused = format!("MAIL FROM:<one@x>\r\nRCPT TO:<ü@y>\r\n{content}");
    let next = "MAIL FROM:<two@x>\r\nRCPT TO:<b@y>\r\nBDAT 2 LAST\r\nhi";
    let codes = client.codes(&format!("{refused}{next}"), 6).await;
    let senders = client.sink.messages().into_iter().map(|message| message.from).collect();
    (codes, senders)
}

#[tokio::test]
async fn a_transaction_without_recipients_stays_open_as_habit_has_it() {
    let (data, bdat) = ("DATA\r\n", "BDAT 1 LAST\r\nx");
    for (habit, content, codes, sender) in [
        (Habit::Tidy, data, [250, 553, 554, 250, 250, 250], "two@x"),
        (Habit::Tidy, bdat, [250, 553, 554, 250, 250, 250], "two@x"),
        (Habit::Postfix, data, [250, 553, 554, 503, 250, 250], "one@x"),
        (Habit::Postfix, bdat, [250, 553, 554, 250, 250, 250], "two@x"),
        (Habit::Exim, data, [250, 553, 503, 503, 250, 250], "one@x"),
        (Habit::Exim, bdat, [250, 553, 503, 503, 250, 250], "one@x"),
    ] {
        let seen = after_refusal(habit, content).await;
        assert_eq!(seen, (codes.to_vec(), vec![sender.to_owned()]), "{habit:?} {content:?}");
    }
}

#[tokio::test]
async fn limits_are_announced_and_kept() {
    let limits = Limits { mail_max: Some(2), rcpt_max: Some(1), advertise: true };
    let mut client = Client::greeted(Config { limits, ..Config::default() }).await;
    assert!(client.ask("EHLO me.test").await.ends_with("|250 LIMITS MAILMAX=2 RCPTMAX=1"));
    let group = "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nRCPT TO:<c@y>\r\nRSET\r\n";
    assert_eq!(client.codes(&group.repeat(2), 8).await, [250, 250, 452, 250].repeat(2));
    assert_eq!(client.codes("MAIL FROM:<a@x>\r\n", 1).await, [421]);
    assert_eq!(client.rest().await, (String::new(), None));
}

#[tokio::test]
async fn size_is_kept_when_announced_and_when_it_arrives() {
    let mut client = Client::greeted(Config { size: Some(10), ..Config::default() }).await;
    assert!(client.ask("EHLO me.test").await.contains("250 SIZE 10"));
    assert_eq!(client.codes("MAIL FROM:<a@x> SIZE=11\r\n", 1).await, [552]);
    client.codes(GROUP, 3).await;
    assert_eq!(client.codes("12345678901\r\n.\r\n", 1).await, [552]);
    assert_eq!(client.sink.stats().messages, 0);
}

#[tokio::test]
async fn lmtp_replies_once_for_each_recipient() {
    let mut client = Client::ready(Config { lmtp: true, ..Config::default() }).await;
    let group = "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nRCPT TO:<c@y>\r\nDATA\r\n";
    assert_eq!(client.codes(group, 4).await, [250, 250, 250, 354]);
    assert_eq!(client.codes("hi\r\n.\r\n", 2).await, [250, 250]);
    assert_eq!(client.codes("EHLO me.test\r\n", 1).await, [502]);
    assert_eq!(client.sink.stats().recipients, 2);
}

#[tokio::test]
async fn a_server_without_ehlo_speaks_helo() {
    let mut client = Client::greeted(Config { helo_only: true, ..Config::default() }).await;
    assert_eq!(client.codes("EHLO me.test\r\n", 1).await, [502]);
    assert_eq!(client.ask("HELO me.test").await, "250 sink.test");
    assert_eq!(client.ask("MAIL FROM:<a@x>").await, "250 Ok");
}

#[tokio::test]
async fn violations_are_counted() {
    let mut client = Client::greeted(Config::default()).await;
    client.codes("EHLO me.test\r\nNOOP\r\n", 2).await;
    client.codes("NOOP\n", 1).await;
    client.codes(GROUP, 3).await;
    client.codes("a\nb\rc\r\n.\r\n", 1).await;
    client.codes(&format!("{GROUP}x\r\n.\r\n"), 4).await;
    let stats = client.sink.stats();
    assert_eq!((stats.bare_lf, stats.bare_cr, stats.bad_pipelining), (2, 1, 2));
}

#[tokio::test]
async fn a_strict_server_ends_what_is_pipelined_without_leave() {
    let config = Config { pipelining: false, strict: true, ..Config::default() };
    let mut client = Client::ready(config).await;
    assert_eq!(client.codes("MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\n", 2).await, [250, 500]);
    assert_eq!(client.rest().await, (String::new(), None));
}

#[tokio::test]
async fn a_line_without_end_is_not_stored_for_ever() {
    let mut client = Client::ready(Config::default()).await;
    client.send(vec![b'A'; 65 * 1024]).await;
    assert_eq!(client.reply().await, "500 5.5.6 Line too long");
    assert_eq!(client.rest().await, (String::new(), None));
}
