//! The end of a connection, or of trust in it: what each message is told then.

use super::*;

#[test]
fn a_body_taken_after_it_was_refused_is_in_doubt_and_ends_the_connection() {
    let mut session = Session::new(options(true, true, 8));
    submit(&mut session, 1, &["b@x"]);
    submit(&mut session, 2, &["c@x"]);
    flush(&mut session);
    let error =
        feed(&mut session, &["250", "250", "250", "250 one", "250", "503 already given", "250", "250 taken"])
            .unwrap_err();
    session.lost(&error);
    assert_eq!(outcomes(&mut session), ["1:ok(b@x)", "2:EPROTOCOL/in-doubt"]);
    let mut session = Session::new(options(true, true, 8));
    submit(&mut session, 1, &["b@x"]);
    flush(&mut session);
    let error = feed(&mut session, &["250", "250", "550 no", "250 taken"]).unwrap_err();
    session.lost(&error);
    assert_eq!(outcomes(&mut session), ["1:EPROTOCOL/in-doubt"]);
}

#[test]
fn a_lost_connection_tells_each_message_what_it_means_for_it() {
    let gone = closed_unexpectedly(None);
    // Nothing answered; the envelope accepted; DATA answered; end-of-data out; all rungs.
    let mut session = Session::new(options(true, false, 2));
    submit(&mut session, 1, &["b@x"]);
    submit(&mut session, 2, &["b@x"]);
    flush(&mut session);
    feed(&mut session, &["250", "250", "354"]).unwrap();
    flush(&mut session);
    session.lost(&gone);
    assert_eq!(outcomes(&mut session), ["1:ECONNECTION/in-doubt", "2:ECONNECTION/envelope!"]);

    let mut session = Session::new(options(true, true, 8));
    for id in 1..=3 {
        submit(&mut session, id, &["b@x"]);
    }
    flush(&mut session);
    feed(&mut session, &["250", "250", "250", "250 taken", "250", "250", "250", "250 taken"]).unwrap();
    assert_eq!(outcomes(&mut session), ["1:ok(b@x)"]);
    // The second was answered; only its mark is missing.
    session.lost(&gone);
    assert_eq!(outcomes(&mut session), ["2:ok(b@x)", "3:ECONNECTION/in-doubt"]);
}

#[test]
fn end_of_data_that_was_not_written_is_not_in_doubt() {
    let mut session = Session::new(options(true, false, 2));
    submit(&mut session, 1, &["b@x"]);
    flush(&mut session);
    feed(&mut session, &["250", "250", "354"]).unwrap();
    session.write_body(b"hi");
    session.end_body();
    let all = session.output().len();
    session.written(all - 1);
    session.lost(&closed_unexpectedly(None));
    assert_eq!(outcomes(&mut session), ["1:ECONNECTION/data!"]);
}

#[test]
fn a_421_fails_its_message_and_leaves_the_others_unsent() {
    let mut session = Session::new(options(true, false, 2));
    submit(&mut session, 1, &["b@x"]);
    submit(&mut session, 2, &["b@x"]);
    flush(&mut session);
    feed(&mut session, &["421 too many messages in this session"]).unwrap();
    assert!(session.is_over());
    session.lost(&closed_unexpectedly(None));
    assert_eq!(outcomes(&mut session), ["1:EENVELOPE/envelope!", "2:ECONNECTION/envelope!"]);
}

/// Three chunked messages in flight, of which the first was taken.
fn three_in_chunks() -> Session {
    let mut session = Session::new(options(true, true, 8));
    for id in 1..=3 {
        submit(&mut session, id, &["b@x"]);
    }
    flush(&mut session);
    feed(&mut session, &["250 reset", "250", "250", "250 taken", "250 reset"]).unwrap();
    session
}

#[test]
fn behind_the_last_word_of_a_server_nothing_is_in_doubt() {
    let gone = closed_unexpectedly(None);
    for (replies, second) in [
        (&["421 too many messages"][..], "2:EENVELOPE/envelope!"),
        (&["250", "250", "250 taken", "554 too many nonmail commands"], "2:EPROTOCOL/in-doubt"),
        (&["250", "250", "250 taken", "421 too many messages"], "2:ok(b@x)"),
    ] {
        let mut session = three_in_chunks();
        feed(&mut session, replies).unwrap();
        session.lost(&gone);
        assert_eq!(outcomes(&mut session), ["1:ok(b@x)", second, "3:ECONNECTION/envelope!"], "{replies:?}");
    }
    let mut session = Session::new(options(true, true, 8));
    submit(&mut session, 1, &["b@x"]);
    flush(&mut session);
    feed(&mut session, &["554 too many nonmail commands"]).unwrap();
    session.lost(&gone);
    assert_eq!(outcomes(&mut session), ["1:ECONNECTION/envelope!"]);
    // It has to show that by closing.
    let mut session = three_in_chunks();
    feed(&mut session, &["421 too many messages"]).unwrap();
    assert!(!session.is_over());
    let error = feed(&mut session, &["250 sender"]).unwrap_err();
    session.lost(&error);
    let doubt = ["1:ok(b@x)", "2:EPROTOCOL/in-doubt", "3:EPROTOCOL/in-doubt"];
    assert_eq!(outcomes(&mut session), doubt);
}

#[test]
fn a_server_that_goes_on_or_falls_silent_after_refusing_rset_has_not_said_its_last_word() {
    let refused = || {
        let mut session = Session::new(options(true, true, 8));
        submit(&mut session, 1, &["b@x"]);
        flush(&mut session);
        feed(&mut session, &["502 what is RSET?"]).unwrap();
        session
    };
    let mut session = refused();
    let error = feed(&mut session, &["503 sender already given"]).unwrap_err();
    session.lost(&error);
    assert_eq!(outcomes(&mut session), ["1:EPROTOCOL/in-doubt"]);
    let mut session = refused();
    session.lost(&Error::new(Code::TimedOut, "Timeout"));
    assert!(outcomes(&mut session)[0].ends_with("/in-doubt"));
}

#[test]
fn replies_out_of_turn_end_the_connection() {
    let mut idle = Session::new(options(true, false, 2));
    assert!(feed(&mut idle, &["250 hello?"]).is_err());
    let mut idle = Session::new(options(true, false, 2));
    feed(&mut idle, &["421 idle too long"]).unwrap();
    assert!(idle.is_over());
    // A surplus 250 shifts the replies: what comes where 354 is due is believed by nobody.
    let mut shifted = Session::new(options(true, false, 2));
    submit(&mut shifted, 1, &["b@x"]);
    flush(&mut shifted);
    assert!(feed(&mut shifted, &["250", "250", "250"]).is_err());
    assert_eq!(flush(&mut shifted), "");
    shifted.lost(&closed_unexpectedly(None));
    assert_eq!(outcomes(&mut shifted), ["1:ECONNECTION/data!"]);
}

#[test]
fn a_reply_that_comes_before_its_command_left_is_refused() {
    let mut session = Session::new(options(false, false, 1));
    submit(&mut session, 1, &["b@x"]);
    flush(&mut session);
    // The surplus reply is there before RCPT is written, which waits in the output.
    assert!(feed(&mut session, &["250 ok", "250 surplus"]).is_err());
    session.lost(&closed_unexpectedly(None));
    assert_eq!(outcomes(&mut session), ["1:ECONNECTION/envelope!"]);
}

#[test]
fn words_that_are_no_reply_are_no_verdict() {
    for (chunking, replies, expected) in [
        (true, &["?"][..], "1:EPROTOCOL/in-doubt"),
        (true, &["250", "250", "?"], "1:EPROTOCOL/in-doubt"),
        (true, &["250", "250", "250", "250 taken", "?"], "1:EPROTOCOL/in-doubt"),
        (false, &["?"], "1:EPROTOCOL/envelope!"),
        (false, &["250", "250", "?"], "1:EPROTOCOL/data!"),
    ] {
        let mut session = Session::new(options(true, chunking, 2));
        submit(&mut session, 1, &["b@x"]);
        flush(&mut session);
        let error = feed(&mut session, replies).unwrap_err();
        session.lost(&error);
        assert_eq!(outcomes(&mut session), [expected], "{replies:?}");
    }
}

#[test]
fn a_body_refused_before_its_end_is_not_sent_again() {
    for (text, expected) in [("552 too large", "1:EMESSAGE/rejected"), ("?", "1:EPROTOCOL/data!")] {
        let mut session = Session::new(options(true, false, 2));
        submit(&mut session, 1, &["b@x"]);
        submit(&mut session, 2, &["b@x"]);
        flush(&mut session);
        feed(&mut session, &["250", "250", "354"]).unwrap();
        session.write_body(b"hi");
        let error = feed(&mut session, &[text]).unwrap_err();
        session.lost(&error);
        assert_eq!(outcomes(&mut session), [expected, "2:EPROTOCOL/envelope!"]);
    }
}
