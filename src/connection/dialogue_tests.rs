//! What a server may say, and what it may not.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::io::{DuplexStream, ReadBuf, duplex};

use super::peer_tests::*;
use super::*;
use crate::error::Code;

#[tokio::test(start_paused = true)]
async fn a_server_that_writes_before_it_reads_on_blocks_nobody() {
    const MESSAGES: usize = 20;
    // Each reply alone is larger than the pipe: a client that wrote without reading would hang.
    let chatter = |code: &str| format!("{code}-{}\r\n{code} done\r\n", "x".repeat(200));
    for (pipelining, ehlo) in [(Pipelining::Auto, PIPELINING), (Pipelining::Window(8), FULL)] {
        let mut rig = Rig::start(settings(pipelining), 64);
        rig.say("220 me|").await;
        rig.hear(1).await;
        rig.say(ehlo).await;
        assert!(matches!(rig.reports.recv().await, Some(Report::Ready(_))));
        for _ in 0..MESSAGES {
            rig.send(Note::of(500));
        }
        let Rig { io, mut reports, orders, .. } = rig;
        tokio::spawn(async move {
            let (reader, mut writer) = tokio::io::split(io);
            let mut lines = BufReader::new(reader).lines();
            let mut in_body = false;
            while let Ok(Some(line)) = lines.next_line().await {
                let code = match line.as_str() {
                    "DATA" => "354",
                    "." => "250",
                    body if in_body || body.starts_with("xxx") => {
                        // The line of a chunk stands for the chunk.
                        if in_body {
                            continue;
                        }
                        "250"
                    }
                    chunk if chunk.starts_with("BDAT") => continue,
                    _ => "250",
                };
                in_body = line == "DATA";
                writer.write_all(chatter(code).as_bytes()).await.unwrap();
            }
        });
        for _ in 0..MESSAGES {
            let mut report = reports.recv().await;
            while matches!(report, Some(Report::Depth(_))) {
                report = reports.recv().await;
            }
            assert!(matches!(&report, Some(Report::Settled { result: Ok(_), .. })), "{report:?}");
        }
        drop(orders);
    }
}

#[tokio::test(start_paused = true)]
async fn one_reply_too_many_is_noticed_at_every_step() {
    for (replies, expected) in [
        (&["250 ok|250 surplus|"][..], "1:EPROTOCOL/envelope!"),
        (&["250 ok|", "250 ok|250 surplus|"], "1:EPROTOCOL/data!"),
        (&["250 ok|", "250 ok|", "354 go|250 early|"], "1:EPROTOCOL/data!"),
        (&["250 ok|", "250 ok|", "354 go|", "250 taken|250 surplus|"], "1:ok(b@x)"),
        (&["250-one code|354 and another|"], "1:EPROTOCOL/envelope!"),
        (&["250 ok|2"], "1:EPROTOCOL/envelope!"),
        (&["what?|"], "1:EPROTOCOL/envelope!"),
    ] {
        let mut rig = Rig::ready(Pipelining::Off, PLAIN).await;
        rig.send(Note::to(&["b@x"]));
        for reply in replies {
            let lines = if reply.starts_with("250 taken") { 2 } else { 1 };
            rig.hear(lines).await;
            rig.say(reply).await;
        }
        assert_eq!(rig.outcome().await, expected, "{replies:?}");
        assert_eq!(rig.closed().await.unwrap().code(), Code::Protocol, "{replies:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_comes_while_idle_ends_the_connection_before_the_next_message() {
    for (words, blamed) in [("421 too long idle|", false), ("250 hello?|", true), ("garbage|", true)] {
        let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
        rig.say(words).await;
        let closed = rig.closed().await;
        assert_eq!(closed.is_some(), blamed, "{words}: {closed:?}");
        assert_eq!(rig.hear_out().await, "", "{words}");
    }
    // Half a reply is noticed when there is something to send.
    let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
    rig.say("25").await;
    tokio::task::yield_now().await;
    rig.send(Note::to(&["b@x"]));
    assert_eq!(rig.outcome().await, "1:EPROTOCOL/envelope!");
    assert_eq!(rig.hear_out().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_421_in_flight_leaves_the_others_unsent() {
    let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
    for to in ["b@x", "c@x", "d@x"] {
        rig.send(Note::to(&[to]));
    }
    rig.hear(3).await;
    rig.say("421 4.7.0 too many messages|").await;
    for expected in ["1:EENVELOPE/envelope!", "2:ECONNECTION/envelope!", "3:ECONNECTION/envelope!"] {
        assert_eq!(rig.outcome().await, expected);
    }
    assert!(rig.closed().await.unwrap().reply().unwrap().starts_with("421 "));
}

#[tokio::test(start_paused = true)]
async fn more_recipients_than_the_server_takes_at_once_go_in_parts() {
    const EHLO: &str = "250-me|250-PIPELINING|250 LIMITS RCPTMAX=2|";
    let to = ["b@x", "c@x", "d@x", "e@x", "f@x"];
    let taken = "250 ok|250 ok|250 ok|354 go|";
    let refused = "250 ok|250 ok|550 5.1.1 no|354 go|";
    for (finals, expected) in [
        (["250 1|", "250 2|", "250 3|"], "1:ok(b@x,d@x,e@x,f@x)"),
        (["250 1|", "550 no|", "250 3|"], "1:ok(b@x,f@x)"),
        (["550 no|", "550 no|", "250 3|"], "1:ok(f@x)"),
        (["550 no|", "550 no|", "550 no|"], "1:EMESSAGE/rejected*"),
    ] {
        let mut rig = Rig::ready(Pipelining::Auto, EHLO).await;
        rig.send(Note::to(&to));
        assert_eq!(rig.hear(4).await, "MAIL FROM:<a@x>|RCPT TO:<b@x>|RCPT TO:<c@x>|DATA|");
        // What the server says to each envelope, and how many commands follow its part.
        let parts = [(refused, 4), (taken, 3), ("250 ok|250 ok|354 go|", 0)];
        for ((envelope, next), reply) in parts.into_iter().zip(finals) {
            rig.say(envelope).await;
            assert_eq!(rig.hear(2).await, "hi|.|");
            rig.say(reply).await;
            rig.hear(next).await;
        }
        assert_eq!(rig.outcome().await, expected, "{finals:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_in_parts_goes_back_once_when_the_connection_is_lost() {
    const EHLO: &str = "250-me|250-PIPELINING|250 LIMITS RCPTMAX=1|";
    for (said, expected) in
        [(&[][..], "ECONNECTION/envelope"), (&["250 ok|250 ok|354 go|", "250 taken|"], "ok(b@x)")]
    {
        let mut rig = Rig::ready(Pipelining::Auto, EHLO).await;
        rig.send(Note::to(&["b@x", "c@x", "d@x"]));
        rig.hear(3).await;
        for words in said {
            rig.say(words).await;
            rig.hear(if words.starts_with("250 taken") { 3 } else { 2 }).await;
        }
        let Rig { io, mut reports, orders, .. } = rig;
        drop(io);
        let Some(Report::Settled { result: Err(it), .. }) = reports.recv().await else {
            panic!("no outcome")
        };
        assert!(it.unsent);
        let so_far = it.so_far.unwrap();
        assert!(so_far.has_left());
        // What the caller would be told if it went no further.
        let seen = match so_far.close(&it.error) {
            Ok(receipt) => {
                assert_eq!(receipt.refused.len(), 2);
                format!("ok({})", receipt.accepted.join(","))
            }
            Err(error) => format!("{}/{}", error.code().name(), error.phase().unwrap().name()),
        };
        assert_eq!(seen, expected);
        assert!(matches!(reports.recv().await, Some(Report::Closed(_))));
        drop(orders);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_server_cannot_take_is_refused_before_anything_is_sent() {
    let mut rig = Rig::ready(Pipelining::Auto, "250-me|250-PIPELINING|250 SIZE 1000|").await;
    let mut tls = Note::to(&["b@x"]);
    tls.envelope.require_tls = true;
    let broken = Note { broken: true, ..Note::default() };
    let cases = [
        (Note::of(1001), "EMESSAGE/envelope"),
        (Note::to(&["ü@x"]), "EENVELOPE/envelope"),
        (Note::to(&[]), "EENVELOPE/envelope"),
        (tls, "EREQUIRETLS/envelope"),
        (broken, "ESTREAM/envelope"),
    ];
    for (number, (note, expected)) in (1..).zip(cases) {
        rig.send(note);
        assert_eq!(rig.outcome().await, format!("{number}:{expected}"));
    }
    // The connection is as good as before.
    rig.send(Note::to(&["b@x"]));
    assert_eq!(rig.hear(3).await, "MAIL FROM:<a@x> SIZE=2|RCPT TO:<b@x>|DATA|");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_is_never_ended() {
    let piece = || (Default::default(), Ok(Bytes::from_static(b"half")));
    let failing = || Note::in_pieces(vec![piece(), (Default::default(), Err(given_up()))]);
    let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
    rig.send(failing());
    rig.send(Note::to(&["c@x"]));
    rig.hear(3).await;
    rig.say("250 ok|250 ok|354 go|").await;
    assert_eq!(rig.outcome().await, "1:EABORT/data*");
    assert_eq!(rig.outcome().await, "2:ECONNECTION/envelope!");
    assert_eq!(rig.hear_out().await, "half");
    // A chunked one costs nobody else anything.
    let mut rig = Rig::ready(Pipelining::Window(8), FULL).await;
    rig.send(failing());
    rig.send(Note::to(&["c@x"]));
    rig.hear(3).await;
    rig.say("250 reset|250 ok|250 ok|").await;
    assert_eq!(rig.outcome().await, "1:EABORT/data*");
    let next = "RSET|MAIL FROM:<a@x> SIZE=2|RCPT TO:<c@x>|BDAT 4 LAST|hi|RSET|";
    assert_eq!(rig.hear(6).await, next);
    rig.say("250 reset|250 ok|250 ok|250 taken|250 reset|").await;
    assert_eq!(rig.outcome().await, "2:ok(c@x)");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_read_is_known_to_be_gone() {
    let pieces = || Note::in_pieces(vec![(Default::default(), Ok(Bytes::from_static(b"once")))]);
    for (words, expected) in
        [("", "1:ECONNECTION/envelope!"), ("250 ok|250 ok|354 go|", "1:ECONNECTION/in-doubt*")]
    {
        let mut rig = Rig::ready(Pipelining::Auto, PIPELINING).await;
        rig.send(pieces());
        rig.hear(3).await;
        rig.say(words).await;
        rig.hear(if words.is_empty() { 0 } else { 2 }).await;
        let Rig { io, mut reports, orders, .. } = rig;
        drop(io);
        let Some(Report::Settled { result: Err(it), .. }) = reports.recv().await else {
            panic!("no failure")
        };
        let seen = format!(
            "1:{}/{}{}{}",
            it.error.code().name(),
            it.error.phase().unwrap().name(),
            if it.unsent { "!" } else { "" },
            if it.body_read { "*" } else { "" }
        );
        assert_eq!(seen, expected);
        drop(orders);
    }
}

#[tokio::test(start_paused = true)]
async fn lmtp_is_in_doubt_until_the_last_recipient_is_answered() {
    let mut settings = settings(Pipelining::Auto);
    settings.handshake.lmtp = true;
    let mut rig = Rig::ready_with(settings, PIPELINING).await;
    rig.send(Note::to(&["b@x", "c@x"]));
    rig.hear(4).await;
    rig.say("250 ok|250 ok|250 ok|354 go|").await;
    rig.hear(2).await;
    rig.say("250 b|").await;
    tokio::task::yield_now().await;
    rig.order(Order::Abort(given_up()));
    assert_eq!(rig.outcome().await, "1:EABORT/in-doubt*");
}

/// A pipe that can be cut: writing fails at once, what is left to read comes a little later.
struct Cut {
    io: DuplexStream,
    cut: Arc<AtomicBool>,
    late: usize,
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.load(Ordering::Relaxed) && self.late > 0 {
            self.late -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Cut {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.cut.load(Ordering::Relaxed) {
            true => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            false => Pin::new(&mut self.io).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Socket for Cut {
    async fn start_tls(self, _: &Target) -> crate::error::Result<Self> {
        Ok(self)
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_server_said_before_it_closed_is_read_although_writing_has_failed() {
    for (last_words, expected) in [
        ("421 enough|", ["2:EENVELOPE/envelope!", "3:ECONNECTION/envelope!", "4:ECONNECTION/envelope!"]),
        ("250 ok|250 ok|250 taken|250 reset|", ["2:ok(c@x)", "3:ESOCKET/in-doubt", "4:ESOCKET/data!"]),
    ] {
        let (client, io) = duplex(1 << 16);
        let cut = Arc::new(AtomicBool::new(false));
        let socket = Cut { io: client, cut: Arc::clone(&cut), late: 20 };
        let mut rig = Rig::over(settings(Pipelining::Window(8)), socket, io);
        rig.shake_hands(FULL).await;
        rig.send(Note::to(&["b@x"]));
        rig.hear(6).await;
        rig.say("250 reset|250 ok|250 ok|250 taken|250 reset|").await;
        assert_eq!(rig.outcome().await, "1:ok(b@x)");
        rig.send(Note::to(&["c@x"]));
        rig.send(Note::to(&["d@x"]));
        rig.hear(10).await;
        cut.store(true, Ordering::Relaxed);
        rig.say(last_words).await;
        rig.send(Note::to(&["e@x"]));
        rig.io.shutdown().await.expect("an open pipe");
        let outcomes = [rig.outcome().await, rig.outcome().await, rig.outcome().await];
        assert_eq!(outcomes.map(|outcome| outcome.replace('*', "")), expected);
    }
}
