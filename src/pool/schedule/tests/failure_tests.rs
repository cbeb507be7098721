//! What is tried again, what fails, and how soon.

use super::*;

fn single() -> PoolOptions {
    PoolOptions { max_connections: 1, ..PoolOptions::default() }
}

/// Opens what is asked for and ends it like this, until nothing is left; gives all lines and the
/// time it took.
fn until_settled(bed: &mut Bed, error: &Error, silent: bool) -> (Vec<String>, Duration) {
    let origin = bed.now;
    let mut all = Vec::new();
    while !bed.schedule.jobs.is_empty() {
        let lines = bed.seen();
        for id in lines.iter().filter_map(|line| line.strip_prefix("open ")?.parse().ok()) {
            bed.end(id, Some(error.clone()), silent);
        }
        all.extend(lines);
        bed.wait(ms(10));
        assert!(bed.now - origin < ms(600_000), "{all:?}");
    }
    all.extend(bed.seen());
    (all, bed.now - origin)
}

fn count(lines: &[String], start: &str) -> usize {
    lines.iter().filter(|line| line.starts_with(start)).count()
}

#[test]
fn what_the_server_refuses_fails_and_its_connection_stays() {
    let mut bed = Bed::new(single());
    bed.submit([1, 2]);
    bed.ready(1);
    bed.back(1, 1, refused("550 5.1.1 no such user"), false);
    bed.sees(&["open 1", "send 1 on 1", "failed 1 EENVELOPE/envelope", "send 2 on 1"]);
}

#[test]
fn a_message_lost_with_a_connection_that_worked_goes_again_at_once() {
    let mut bed = Bed::new(single());
    bed.submit([1, 2]);
    bed.ready(1);
    bed.ok(1, 1);
    bed.lines.clear();
    bed.lost(1);
    bed.sees(&["requeued 2 #1", "closed 1 lost", "empty", "open 2"]);
}

#[test]
fn with_a_server_that_never_worked_pauses_double_and_end() {
    let mut bed = Bed::new(single());
    bed.submit([1]);
    let origin = bed.now;
    let mut tries = Vec::new();
    while !bed.schedule.jobs.is_empty() {
        for line in bed.seen() {
            if let Some(id) = line.strip_prefix("open ").and_then(|id| id.parse().ok()) {
                tries.push((bed.now - origin).as_millis());
                bed.ready(id);
                bed.lost(id);
            }
        }
        bed.wait(ms(1));
    }
    assert_eq!(tries, [0, 50, 150, 350, 750, 1550], "the first, and maxRequeues more");
    assert!(bed.seen().contains(&"failed 1 ECONNECTION/envelope".into()));
}

#[test]
fn max_requeues_bounds_the_attempts() {
    for max in 0..4 {
        let mut bed = Bed::new(PoolOptions { max_requeues: Some(max), ..single() });
        bed.submit([1]);
        for id in 1..=u64::from(max) + 1 {
            bed.ready(id);
            bed.lost(id);
            bed.wait(ms(3000));
        }
        let lines = bed.seen();
        assert_eq!((count(&lines, "requeued"), count(&lines, "failed")), (max as usize, 1), "{lines:?}");
    }
}

#[test]
fn silence_after_a_command_fails_the_message_and_only_that_one() {
    let mut bed = Bed::new(single());
    bed.depth = 2;
    bed.submit([1, 2]);
    bed.ready(1);
    bed.lines.clear();
    let silence = Error::new(Code::TimedOut, "Timeout").at(Phase::Envelope).timeout("SOCKET_TIMEOUT");
    bed.back(1, 1, silence, true);
    bed.back(1, 2, broken(), true);
    bed.sees(&["failed 1 ETIMEDOUT/envelope", "requeued 2 #1"]);
}

#[test]
fn what_is_in_doubt_is_reported_or_sent_again_if_the_caller_says_so() {
    for (retry_in_doubt, expected) in [(false, "failed 1 ECONNECTION/in-doubt"), (true, "requeued 1 #1")] {
        for code in [Code::Connection, Code::TimedOut] {
            let mut bed = Bed::new(PoolOptions { retry_in_doubt, ..single() });
            bed.submit([1]);
            bed.ready(1);
            bed.lines.clear();
            bed.back(1, 1, Error::new(code, "gone").at(Phase::InDoubt), false);
            bed.sees(&[&expected.replace("ECONNECTION", code.name())]);
        }
    }
}

#[test]
fn a_stream_that_was_read_fails_and_one_that_was_not_goes_again() {
    for (body_read, expected) in [(true, "failed 1 ESTREAM/data"), (false, "requeued 1 #1")] {
        let mut bed = Bed::new(single());
        let stream = Arc::new(Letter { bytes: 0, recipients: 1, replayable: false });
        bed.submit_with(|submission| submission.message = stream, 1);
        bed.ready(1);
        bed.lines.clear();
        let undelivered = Undelivered { error: broken(), unsent: true, body_read, so_far: None };
        let now = bed.now;
        bed.do_with(|schedule| schedule.settled(1, 1, Err(undelivered), now));
        bed.sees(&[expected]);
    }
}

#[test]
fn a_server_out_of_reach_fails_max_connections_messages_a_round() {
    for (max_connections, max_connecting) in [(5, 2), (5, 1), (5, 5), (3, 10), (1, 2), (7, 3)] {
        let mut bed = Bed::new(PoolOptions { max_connections, max_connecting, ..PoolOptions::default() });
        bed.submit(1..=100);
        let opened: Vec<u64> =
            bed.seen().iter().filter_map(|line| line.strip_prefix("open ")?.parse().ok()).collect();
        for id in opened {
            bed.end(id, Some(unreachable_server()), false);
        }
        let lines = bed.seen();
        assert_eq!(count(&lines, "failed"), max_connections, "{max_connections} {max_connecting}");
        assert_eq!(count(&lines, "open"), 0);
        bed.wait(ms(99));
        bed.sees(&[]);
        bed.wait(ms(1));
        assert!(count(&bed.seen(), "open") > 0);
    }
}

#[test]
fn a_message_that_came_after_the_attempt_began_gets_its_own() {
    let mut bed = Bed::new(single());
    bed.submit([1]);
    bed.wait(ms(10));
    bed.submit([2]);
    bed.end(1, Some(unreachable_server()), false);
    bed.sees(&["open 1", "closed 1 connectFailed", "failed 1 ESOCKET/connect", "empty"]);
    bed.wait(ms(100));
    bed.sees(&["open 2"]);
}

#[test]
fn a_refused_login_fails_what_waits_once_and_is_tried_again_ever_later() {
    let mut bed = Bed::new(PoolOptions::default());
    let origin = bed.now;
    let mut attempts = Vec::new();
    for round in 0..6 {
        bed.submit(round * 100..round * 100 + 10);
        while !bed.schedule.jobs.is_empty() {
            let lines = bed.seen();
            for id in lines.iter().filter_map(|line| line.strip_prefix("open ")?.parse().ok()) {
                attempts.push((bed.now - origin).as_secs());
                bed.end(id, Some(bad_password()), false);
            }
            bed.wait(ms(1000));
        }
    }
    attempts.dedup();
    assert_eq!(attempts, [0, 1, 3, 7, 15, 31], "seconds");
}

#[test]
fn attempts_that_fail_do_not_fail_what_a_working_connection_can_take() {
    let errors = [bad_password(), unreachable_server(), refused("421 4.7.0 too many connections")];
    for error in errors {
        let mut bed = Bed::warm(PoolOptions::default(), 1);
        bed.submit(1..=20);
        bed.end(2, Some(error.clone()), false);
        bed.end(3, Some(error), false);
        for id in 1..=20 {
            bed.ok(1, id);
        }
        let lines = bed.seen();
        assert_eq!((count(&lines, "sent"), count(&lines, "failed")), (20, 0), "{lines:?}");
    }
}

#[test]
fn a_server_that_closes_before_its_greeting_is_tried_again_max_requeues_times() {
    let mut bed = Bed::new(PoolOptions::default());
    bed.submit(1..=3);
    let (lines, took) = until_settled(&mut bed, &broken().at(Phase::Greeting), true);
    assert_eq!((count(&lines, "requeued"), count(&lines, "failed")), (15, 3), "{lines:?}");
    assert!(lines.contains(&"failed 3 ECONNECTION/greeting".into()), "{lines:?}");
    assert!(took >= ms(1550) && took < ms(4000), "{took:?}");
}

#[test]
fn connections_that_keep_breaking_do_not_starve_the_pool() {
    let mut bed = Bed::new(PoolOptions { max_requeues: None, ..PoolOptions::default() });
    bed.submit(1..=200);
    let mut sent = 0;
    let mut round = 0;
    while sent < 200 {
        round += 1;
        assert!(round < 20_000);
        for line in bed.seen() {
            let words: Vec<_> = line.split(' ').collect();
            let number = |at: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or_default();
            match words[0] {
                "open" if number(1) % 3 == 0 => bed.end(number(1), Some(unreachable_server()), false),
                "open" => bed.ready(number(1)),
                "send" if number(3) % 3 == 1 => bed.lost(number(3)),
                "send" => bed.ok(number(3), number(1)),
                "quit" => bed.gone(number(1)),
                "sent" | "failed" => sent += 1,
                _ => {}
            }
        }
        bed.wait(ms(5));
    }
    assert!(bed.now.elapsed() < ms(1), "virtual time only");
}

#[test]
fn a_server_that_closes_every_connection_at_once_is_not_asked_in_a_circle() {
    let mut bed = Bed::new(PoolOptions { min_connections: 1, ..PoolOptions::default() });
    let mut opened = 0;
    for _ in 0..6000 {
        for line in bed.seen() {
            if let Some(id) = line.strip_prefix("open ").and_then(|id| id.parse().ok()) {
                opened += 1;
                bed.ready(id);
                bed.gone(id);
            }
        }
        bed.wait(ms(10));
    }
    assert!((20..=45).contains(&opened), "{opened} connections in a minute");
}

#[test]
fn a_task_that_failed_leaves_its_messages_in_doubt_and_nobody_else() {
    let mut bed = Bed::new(PoolOptions { max_connections: 2, ..PoolOptions::default() });
    bed.submit([1, 2]);
    bed.ready(1);
    bed.ready(2);
    bed.lines.clear();
    let error = Some(Error::new(Code::Internal, "a bug").at(Phase::InDoubt));
    let now = bed.now;
    bed.do_with(|schedule| schedule.closed(1, Closed { was_ready: true, error, silent: false }, now));
    bed.sees(&["closed 1 lost", "failed 1 EINTERNAL/in-doubt"]);
    bed.ok(2, 2);
    bed.sees(&["sent 2"]);
}

#[test]
fn a_second_report_of_the_same_message_is_not_heard() {
    let mut bed = Bed::new(single());
    bed.submit([1]);
    bed.ready(1);
    bed.ok(1, 1);
    bed.ok(1, 1);
    bed.back(1, 1, broken(), true);
    bed.sees(&["open 1", "send 1 on 1", "sent 1"]);
}

#[test]
fn a_login_refused_for_now_does_not_fail_the_queue() {
    let later = Error::new(Code::Auth, "Invalid login").response("454 4.7.0 later").command("AUTH PLAIN");
    for (error, all) in [(later.at(Phase::Auth), false), (bad_password(), true)] {
        let mut bed = Bed::new(PoolOptions { login: true, ..PoolOptions::default() });
        bed.submit(1..=20);
        bed.sees(&["open 1"]);
        bed.end(1, Some(error), false);
        assert_eq!(count(&bed.seen(), "failed") == 20, all);
    }
}
