//! Bodies: when they may leave, what leaves, and what one costs that cannot be finished.

use crate::mail::Lines;
use crate::wire::session::body::PUSH_LIMIT;

use super::*;

#[test]
fn a_large_chunked_body_waits_for_a_recipient() {
    let mut session = Session::new(options(true, true, 8));
    session.submit(1, envelope(&["b@x"]), MailParams::default(), Some(PUSH_LIMIT + 1));
    assert_eq!(flush(&mut session), "RSET|MAIL FROM:<a@x>|RCPT TO:<b@x>|");
    feed(&mut session, &["250", "250", "550 no"]).unwrap();
    assert_eq!(flush(&mut session), "");
    assert_eq!(outcomes(&mut session), ["1:EENVELOPE/envelope"]);
    submit(&mut session, 2, &["c@x"]);
    assert!(flush(&mut session).starts_with("RSET|MAIL"));
}

#[test]
fn a_lone_dot_ends_only_a_message_nobody_takes() {
    let mut session = Session::new(options(true, false, 2));
    submit(&mut session, 1, &["b@x"]);
    flush(&mut session);
    feed(&mut session, &["250", "550 no", "354 go"]).unwrap();
    assert_eq!(flush(&mut session), ".|");
    feed(&mut session, &["554 none"]).unwrap();
    assert_eq!(outcomes(&mut session), ["1:EENVELOPE/envelope"]);
    // A server that refused the sender and takes DATA is not given a message of any kind.
    submit(&mut session, 2, &["b@x"]);
    flush(&mut session);
    assert!(feed(&mut session, &["250", "550 no", "250", "354 go"]).is_err());
    assert_eq!(outcomes(&mut session), ["2:EENVELOPE/envelope"]);
    assert_eq!(flush(&mut session), "");
}

/// A session whose message was let through to its body.
fn at_the_body() -> Session {
    let mut session = Session::new(options(true, false, 1));
    submit(&mut session, 1, &["b@x"]);
    flush(&mut session);
    feed(&mut session, &["250 ok", "250 ok", "354 go"]).unwrap();
    session
}

#[test]
fn a_piece_composed_in_place_is_stuffed_like_one_that_was_handed_over() {
    let mut session = at_the_body();
    let more = session.compose_body(|out| {
        out.extend_from_slice(b".a\n.b\r\n");
        (Lines::Any, "more")
    });
    session.compose_body(|out| (Lines::Plain, out.extend_from_slice(b"QUJD")));
    session.end_body();
    assert_eq!((more, flush(&mut session).as_str()), ("more", "..a|..b|QUJD|.|"));
}

#[test]
fn a_body_that_has_no_piece_yet_has_not_begun() {
    let mut session = at_the_body();
    session.compose_body(|_| (Lines::Any, ()));
    assert_eq!(session.progress(1), Some(Progress::Envelope));
    session.compose_body(|out| (Lines::Any, out.push(b'a')));
    assert_eq!(session.progress(1), Some(Progress::Body));
}

#[test]
fn a_peer_that_is_always_behind_does_not_make_the_buffer_as_long_as_the_body() {
    let mut session = at_the_body();
    let piece = "0123456789abcde\n".repeat(4096);
    let mut seen = Vec::new();
    for _ in 0..64 {
        session.write_body(piece.as_bytes());
        let taken = session.output().len() - 1;
        seen.extend_from_slice(&session.output()[..taken]);
        session.written(taken);
        assert!(session.out.capacity() < 1024 * 1024);
    }
    session.end_body();
    seen.extend_from_slice(session.output());
    assert_eq!(seen, format!("{}.\r\n", piece.replace('\n', "\r\n").repeat(64)).into_bytes());
}

#[test]
fn a_chunked_body_that_cannot_be_finished_costs_only_itself() {
    let mut session = Session::new(options(true, true, 8));
    submit(&mut session, 1, &["b@x"]);
    assert!(session.abort_body(Error::new(Code::Stream, "file is gone")));
    submit(&mut session, 2, &["c@x"]);
    assert_eq!(
        flush(&mut session),
        "RSET|MAIL FROM:<a@x>|RCPT TO:<b@x>|RSET|MAIL FROM:<a@x>|RCPT TO:<c@x>|BDAT 4 LAST|hi|RSET|"
    );
    feed(&mut session, &["250", "250", "250", "250", "250", "250", "250 taken", "250"]).unwrap();
    assert_eq!(outcomes(&mut session), ["1:ESTREAM/none", "2:ok(c@x)"]);
    let mut plain = Session::new(options(true, false, 2));
    submit(&mut plain, 1, &["b@x"]);
    flush(&mut plain);
    feed(&mut plain, &["250", "250", "354"]).unwrap();
    assert!(!plain.abort_body(Error::new(Code::Stream, "file is gone")));
}
