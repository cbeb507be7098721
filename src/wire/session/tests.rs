//! Scripts of replies against the session: what leaves together, and what each message is told.

mod body_tests;
mod ending_tests;

use proptest::prelude::*;

use super::*;
use crate::error::{Phase, Result};
use crate::wire::reply::Reply;

fn options(pipelining: bool, chunking: bool, window: usize) -> SessionOptions {
    SessionOptions { lmtp: false, pipelining, chunking, window, log: false }
}

fn envelope(to: &[&str]) -> Envelope {
    Envelope { from: "a@x".into(), to: to.iter().map(|to| (*to).to_owned()).collect(), ..Envelope::default() }
}

fn submit(session: &mut Session, id: u64, to: &[&str]) {
    session.submit(id, envelope(to), MailParams::default(), Some(4));
}

fn reply(text: &str) -> Reply {
    Reply { code: text.get(..3).and_then(|c| c.parse().ok()).unwrap_or(0), text: text.to_owned() }
}

/// Writes a body wherever one is wanted, and gives all that left, as if it had been written.
fn flush(session: &mut Session) -> String {
    while session.wants_body().is_some() {
        session.write_body(b"hi");
        session.end_body();
    }
    let out = String::from_utf8(session.output().to_vec()).unwrap();
    session.written(out.len());
    out.replace("\r\n", "|")
}

fn feed(session: &mut Session, replies: &[&str]) -> Result<()> {
    replies.iter().try_for_each(|text| session.reply(&reply(text)))
}

/// `id:ok(accepted)`, or `id:CODE/phase` with `!` where it may be sent again.
fn outcomes(session: &mut Session) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(event) = session.next_event() {
        if let Event::Settled(id, outcome) = event {
            seen.push(match outcome {
                Outcome::Accepted(taken) => format!("{id}:ok({})", taken.accepted.join(",")),
                Outcome::Failed(Failure { error, unsent }) => {
                    let phase = error.phase().map_or("none", Phase::name);
                    format!("{id}:{}/{phase}{}", error.code().name(), if unsent { "!" } else { "" })
                }
            });
        }
    }
    seen
}

#[test]
fn without_pipelining_each_command_waits_for_its_reply() {
    let mut session = Session::new(options(false, false, 1));
    submit(&mut session, 1, &["b@x", "c@x"]);
    let mut wire = vec![flush(&mut session)];
    for text in ["250 ok", "250 ok", "550 no", "354 go", "250 taken"] {
        feed(&mut session, &[text]).unwrap();
        wire.push(flush(&mut session));
    }
    assert_eq!(wire, ["MAIL FROM:<a@x>|", "RCPT TO:<b@x>|", "RCPT TO:<c@x>|", "DATA|", "hi|.|", ""]);
    assert_eq!(outcomes(&mut session), ["1:ok(b@x)"]);
}

#[test]
fn with_pipelining_the_envelope_leaves_in_one_piece() {
    let mut session = Session::new(options(true, false, 1));
    submit(&mut session, 1, &["b@x"]);
    submit(&mut session, 2, &["c@x"]);
    assert_eq!(flush(&mut session), "MAIL FROM:<a@x>|RCPT TO:<b@x>|DATA|");
    feed(&mut session, &["250 ok", "250 ok", "354 go"]).unwrap();
    assert_eq!(flush(&mut session), "hi|.|");
    feed(&mut session, &["250 taken"]).unwrap();
    assert_eq!(flush(&mut session), "MAIL FROM:<a@x>|RCPT TO:<c@x>|DATA|");
    assert_eq!(outcomes(&mut session), ["1:ok(b@x)"]);
}

#[test]
fn with_a_window_the_next_envelope_leaves_behind_the_body() {
    let mut session = Session::new(options(true, false, 2));
    for (id, to) in [(1, "b@x"), (2, "c@x"), (3, "d@x")] {
        submit(&mut session, id, &[to]);
    }
    flush(&mut session);
    feed(&mut session, &["250", "250", "354"]).unwrap();
    assert_eq!(flush(&mut session), "hi|.|RSET|MAIL FROM:<a@x>|RCPT TO:<c@x>|DATA|");
    feed(&mut session, &["250 one", "250 reset", "250", "250", "354"]).unwrap();
    assert_eq!(flush(&mut session), "hi|.|RSET|MAIL FROM:<a@x>|RCPT TO:<d@x>|DATA|");
    assert_eq!(outcomes(&mut session), ["1:ok(b@x)"]);
}

#[test]
fn with_chunking_whole_transactions_leave_back_to_back_with_rset_between() {
    let mut session = Session::new(options(true, true, 8));
    submit(&mut session, 1, &["b@x"]);
    let one = "MAIL FROM:<a@x>|RCPT TO:<b@x>|BDAT 4 LAST|hi|RSET|";
    assert_eq!(flush(&mut session), format!("RSET|{one}"));
    submit(&mut session, 2, &["c@x"]);
    submit(&mut session, 3, &["d@x"]);
    assert_eq!(flush(&mut session), one.replace("b@x", "c@x") + &one.replace("b@x", "d@x"));
    feed(&mut session, &["250", "250", "250", "250 one"]).unwrap();
    assert!(outcomes(&mut session).is_empty(), "the mark is still to come");
    feed(&mut session, &["250", "250", "550 no", "503 no", "250", "250", "250", "250 three", "250"]).unwrap();
    assert_eq!(outcomes(&mut session), ["1:ok(b@x)", "2:EENVELOPE/envelope", "3:ok(d@x)"]);
    assert!(!session.awaits_reply());
}

#[test]
fn the_window_bounds_what_is_in_flight() {
    let mut session = Session::new(options(true, true, 2));
    for id in 1..=5 {
        submit(&mut session, id, &["b@x"]);
    }
    assert_eq!(flush(&mut session).matches("MAIL").count(), 2);
    feed(&mut session, &["250", "250", "250", "250 taken", "250"]).unwrap();
    assert_eq!(flush(&mut session).matches("MAIL").count(), 1);
}

#[test]
fn a_refused_transaction_is_closed_by_rset_in_the_next_write() {
    for (replies, expected) in [
        (&["250", "550 5.1.1 no", "554 no valid recipients"][..], "1:EENVELOPE/envelope"),
        (&["550 no", "503 no", "503 no"], "1:EENVELOPE/envelope"),
        (&["250", "250", "451 later"], "1:EENVELOPE/data"),
    ] {
        let mut session = Session::new(options(true, false, 2));
        submit(&mut session, 1, &["b@x"]);
        flush(&mut session);
        feed(&mut session, replies).unwrap();
        assert_eq!(outcomes(&mut session), [expected]);
        submit(&mut session, 2, &["c@x"]);
        assert_eq!(flush(&mut session), "RSET|MAIL FROM:<a@x>|RCPT TO:<c@x>|DATA|");
        feed(&mut session, &["250 reset", "250", "250", "354"]).unwrap();
        flush(&mut session);
        feed(&mut session, &["250 taken"]).unwrap();
        assert_eq!(outcomes(&mut session), ["2:ok(c@x)"]);
    }
}

#[test]
fn refusals_narrow_the_window_until_no_body_leaves_unasked() {
    let mut session = Session::new(options(true, true, 8));
    let mut most = Vec::new();
    let mut id = 0;
    submit(&mut session, id, &["b@x"]);
    flush(&mut session);
    feed(&mut session, &["250 reset"]).unwrap();
    for _ in 0..8 {
        while session.transactions.iter().all(|t| t.stage != Stage::Start) {
            id += 1;
            submit(&mut session, id, &["b@x"]);
            flush(&mut session);
        }
        most.push(session.transactions.iter().filter(|t| t.stage != Stage::Start).count());
        feed(&mut session, &["250", "550 no", "503 nobody", "250 reset"]).unwrap();
    }
    assert_eq!(most, [8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(flush(&mut session), "MAIL FROM:<a@x>|RCPT TO:<b@x>|");
    feed(&mut session, &["250", "250"]).unwrap();
    assert_eq!(flush(&mut session), "BDAT 4 LAST|hi|RSET|");
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let lmtp = SessionOptions { lmtp: true, ..options(true, false, 2) };
    for (finals, expected) in [
        (&["250 a", "550 b", "250 c"][..], "1:ok(b@x,d@x)"),
        (&["550 a", "450 b", "550 c"], "1:EMESSAGE/rejected"),
    ] {
        let mut session = Session::new(lmtp);
        submit(&mut session, 1, &["b@x", "c@x", "d@x", "no@x"]);
        submit(&mut session, 2, &["e@x"]);
        flush(&mut session);
        feed(&mut session, &["250", "250", "250", "250", "550 no", "354"]).unwrap();
        flush(&mut session);
        feed(&mut session, finals).unwrap();
        assert_eq!(outcomes(&mut session), [expected]);
        feed(&mut session, &["250 reset", "250", "250", "354"]).unwrap();
        flush(&mut session);
        feed(&mut session, &["250 e"]).unwrap();
        assert_eq!(outcomes(&mut session), ["2:ok(e@x)"]);
    }
}

#[test]
fn in_lmtp_too_an_envelope_without_a_taker_is_no_refused_body() {
    let mut session = Session::new(SessionOptions { lmtp: true, ..options(true, true, 8) });
    submit(&mut session, 1, &["b@x"]);
    submit(&mut session, 2, &["b@x"]);
    flush(&mut session);
    let first = ["250 reset", "250", "550 no", "554 nobody", "250 reset"];
    feed(&mut session, &first).unwrap();
    feed(&mut session, &["250", "250", "552 full", "250 reset"]).unwrap();
    assert_eq!(outcomes(&mut session), ["1:EENVELOPE/envelope", "2:EMESSAGE/rejected"]);
}

#[test]
fn quit_leaves_behind_the_last_body() {
    let mut session = Session::new(options(true, false, 2));
    submit(&mut session, 1, &["b@x"]);
    session.quit();
    flush(&mut session);
    feed(&mut session, &["250", "250", "354"]).unwrap();
    assert_eq!(flush(&mut session), "hi|.|QUIT|");
    feed(&mut session, &["250 taken", "221 bye"]).unwrap();
    assert!(session.is_over());
    assert_eq!(outcomes(&mut session), ["1:ok(b@x)"]);
}

#[test]
fn text_that_would_break_a_command_fails_before_anything_is_written() {
    let mut session = Session::new(options(true, false, 2));
    submit(&mut session, 1, &["b@x", "c@x>\r\nDATA"]);
    assert_eq!(flush(&mut session), "");
    assert_eq!(outcomes(&mut session), ["1:EPROTOCOL/envelope"]);
}

fn any_reply() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => Just("250 ok".to_owned()),
        3 => Just("354 go".to_owned()),
        2 => Just("550 no".to_owned()),
        1 => Just("451 later".to_owned()),
        1 => Just("421 bye".to_owned()),
        1 => Just("garbage".to_owned()),
    ]
}

proptest! {
    #[test]
    fn whatever_the_server_says_every_message_settles_exactly_once(
        replies in proptest::collection::vec(any_reply(), 0..60),
        (pipelining, chunking, lmtp) in any::<(bool, bool, bool)>(),
        window in 1usize..5,
        messages in proptest::collection::vec(1usize..4, 1..6),
    ) {
        let mut session = Session::new(SessionOptions { lmtp, ..options(pipelining, chunking, window) });
        let mut settled = Vec::new();
        let mut note = |session: &mut Session| {
            while let Some(event) = session.next_event() {
                if let Event::Settled(id, _) = event { settled.push(id); }
            }
        };
        for (id, recipients) in messages.iter().enumerate() {
            submit(&mut session, id as u64, &vec!["b@x"; *recipients]);
        }
        flush(&mut session);
        let mut failure = None;
        for text in &replies {
            if let Err(error) = session.reply(&reply(text)) { failure = Some(error); break; }
            if session.is_over() { break; }
            flush(&mut session);
            note(&mut session);
        }
        session.lost(&failure.unwrap_or_else(|| closed_unexpectedly(None)));
        note(&mut session);
        settled.sort_unstable();
        prop_assert_eq!(settled, (0..messages.len() as u64).collect::<Vec<_>>());
    }
}
