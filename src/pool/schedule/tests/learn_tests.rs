//! Limits of the server: learned, kept to, and invisible to the caller.

use super::*;

const SESSION: &str = "421 4.7.0 Too many messages in this session";
const CONNECTIONS: &str = "421 4.7.0 Error: too many connections from 192.0.2.1";
const THROTTLED: &str = "454 Throttling failure: Maximum sending rate exceeded.";

#[test]
fn a_session_that_is_used_up_is_replaced_and_no_caller_sees_it() {
    let mut bed =
        Bed::new(PoolOptions { max_connections: 1, max_requeues: Some(0), ..PoolOptions::default() });
    bed.submit(1..=20);
    bed.ready(1);
    bed.ok(1, 1);
    bed.ok(1, 2);
    bed.lines.clear();
    bed.back(1, 3, refused(SESSION), true);
    bed.sees(&["quit 1", "learned messages 2", "requeued 3 #0", "open 2"]);
    bed.gone(1);
    bed.ready(2);
    bed.ok(2, 3);
    bed.sees(&["closed 1 maxMessages", "send 3 on 2", "sent 3", "send 4 on 2", "quit 2", "open 3"]);
}

#[test]
fn open_connections_keep_to_what_another_one_learned() {
    let mut bed = Bed::warm(PoolOptions { max_connections: 2, ..PoolOptions::default() }, 2);
    bed.submit(1..=4);
    bed.ok(1, 1);
    bed.ok(2, 2);
    bed.lines.clear();
    bed.back(1, 3, refused("451 4.5.3 No more transactions in this session"), false);
    bed.sees(&["quit 1", "learned messages 1", "quit 2", "requeued 3 #0", "open 3"]);
}

#[test]
fn a_server_that_counts_connections_that_leave_refuses_one_attempt_and_no_message() {
    for (error, silent) in [(refused(CONNECTIONS), false), (refused("554 5.3.2 no"), false), (broken(), true)]
    {
        let options = PoolOptions { max_connections: 1, max_messages: 1, ..PoolOptions::default() };
        let mut bed = Bed::new(PoolOptions { max_requeues: Some(0), ..options });
        bed.submit(1..=4);
        bed.ready(1);
        bed.sees(&["open 1", "send 1 on 1", "quit 1", "open 2"]);
        bed.end(2, Some(error.at(Phase::Greeting)), silent);
        bed.sees(&["closed 2 connectFailed", "learned connections 1"]);
        bed.wait(ms(2000));
        bed.ok(1, 1);
        bed.sees(&["sent 1"]);
        bed.gone(1);
        bed.sees(&["closed 1 maxMessages", "empty", "open 3"]);
        bed.ready(3);
        bed.ok(3, 2);
        bed.sees(&["send 2 on 3", "quit 3", "sent 2"]);
        bed.wait(ms(60_000));
        bed.sees(&["open 4"]);
    }
}

#[test]
fn a_learned_number_of_messages_is_tried_again_after_a_while() {
    let mut bed = Bed::new(PoolOptions { max_connections: 1, ..PoolOptions::default() });
    bed.submit(1..=100);
    let (mut id, mut most) = (1, 0);
    for connection in 1..=20 {
        bed.ready(connection);
        let mut sent = 0;
        while bed.schedule.connections[&connection].in_flight.contains(&id) {
            if connection == 1 && sent == 1 {
                bed.back(connection, id, refused(SESSION), true);
                break;
            }
            bed.ok(connection, id);
            (id, sent) = (id + 1, sent + 1);
        }
        most = most.max(sent);
        bed.gone(connection);
    }
    assert_eq!(most, 4, "doubled after 8 connections that kept to it, and again after 8 more");
}

#[test]
fn a_server_that_closes_after_the_same_number_again_and_again_is_understood() {
    let mut bed = Bed::new(PoolOptions { max_connections: 1, ..PoolOptions::default() });
    bed.submit(1..=40);
    let mut next = 1;
    for connection in 1..=3 {
        bed.ready(connection);
        for _ in 0..5 {
            bed.ok(connection, next);
            next += 1;
        }
        bed.wait(ms(3));
        bed.lost(connection);
    }
    let lines = bed.seen();
    assert!(lines.contains(&"learned messages 5".into()), "{lines:?}");
    bed.ready(4);
    (0..4).for_each(|at| bed.ok(4, next + at));
    assert!(bed.seen().contains(&"quit 4".into()));
}

#[test]
fn idle_connections_go_before_a_server_that_is_known_to_close_them() {
    let mut bed = Bed::warm(PoolOptions::default(), 1);
    for (connection, id) in [(1, 1), (2, 2)] {
        bed.submit([id]);
        bed.ready(connection);
        bed.ok(connection, id);
        bed.wait(ms(10_000));
        bed.gone(connection);
    }
    let lines = bed.seen();
    assert!(lines.contains(&"learned idle 9000".into()), "{lines:?}");
    bed.submit([3]);
    bed.ready(3);
    bed.ok(3, 3);
    bed.lines.clear();
    bed.wait(ms(8999));
    bed.sees(&[]);
    bed.wait(ms(1));
    bed.sees(&["quit 3"]);
}

#[test]
fn a_server_that_wants_fewer_connections_gets_fewer_for_a_while() {
    let mut bed = Bed::warm(PoolOptions { max_connections: 5, ..PoolOptions::default() }, 3);
    bed.submit(1..=60);
    bed.lines.clear();
    bed.end(4, Some(refused(CONNECTIONS)), false);
    bed.end(5, Some(refused(CONNECTIONS)), false);
    let lines = bed.seen();
    assert!(lines.contains(&"learned connections 4".into()), "the sibling was still being made: {lines:?}");
    assert!(lines.contains(&"learned connections 3".into()), "{lines:?}");
    bed.wait(ms(50_000));
    bed.sees(&[]);
    bed.wait(ms(80_000));
    assert_eq!(bed.seen(), ["open 6"], "one more is tried after a while");
}

#[test]
fn too_many_connections_said_to_a_message_sends_it_over_another() {
    let mut bed =
        Bed::warm(PoolOptions { max_connections: 3, max_requeues: Some(0), ..PoolOptions::default() }, 3);
    bed.submit(1..=3);
    bed.lines.clear();
    bed.back(3, 3, refused("432 4.3.2 Concurrent connections limit exceeded"), false);
    bed.sees(&["quit 3", "learned connections 2", "requeued 3 #0"]);
    bed.ok(1, 1);
    bed.sees(&["sent 1", "send 3 on 1"]);
    bed.gone(3);
    bed.submit(4..=9);
    bed.sees(&["closed 3 resized"]);
}

#[test]
fn a_server_without_room_for_even_one_is_tried_again_and_the_caller_told_at_last() {
    let mut bed = Bed::new(PoolOptions { max_connections: 1, ..PoolOptions::default() });
    bed.submit([1]);
    let mut lines = Vec::new();
    for _ in 0..5000 {
        let seen = bed.seen();
        for id in seen.iter().filter_map(|line| line.strip_prefix("open ")?.parse().ok()) {
            bed.end(id, Some(refused(CONNECTIONS).at(Phase::Greeting)), false);
        }
        lines.extend(seen);
        bed.wait(ms(1));
    }
    let attempts = lines.iter().filter(|line| line.starts_with("open")).count();
    assert_eq!((attempts, lines.last().map(String::as_str)), (6, Some("empty")), "{lines:?}");
    assert!(lines.contains(&"failed 1 EENVELOPE/greeting".into()), "{lines:?}");
}

#[test]
fn a_throttled_pool_slows_down_and_recovers_without_a_failure() {
    let mut bed =
        Bed::warm(PoolOptions { max_connections: 1, max_messages: u32::MAX, ..PoolOptions::default() }, 1);
    bed.submit(1..=10_000);
    let (origin, mut window, mut refusals, mut sent_late) = (bed.now, Vec::new(), 0, 0);
    // The server takes 20 messages a second; each takes it 10 ms.
    while bed.now - origin < ms(60_000) {
        for line in bed.seen() {
            let words: Vec<_> = line.split(' ').collect();
            let id = words.get(1).and_then(|word| word.parse().ok()).unwrap_or_default();
            assert_ne!(words[0], "failed", "{line}");
            if words[0] != "send" {
                continue;
            }
            bed.wait(ms(10));
            let now = bed.now;
            window.retain(|at| now - *at < ms(1000));
            if window.len() < 20 {
                window.push(now);
                sent_late += usize::from(now - origin > ms(30_000));
                bed.ok(1, id);
            } else {
                refusals += 1;
                bed.back(1, id, refused(THROTTLED), false);
            }
        }
        bed.wait(ms(5));
    }
    assert!(refusals > 0 && refusals < 200, "{refusals} refusals in a minute");
    assert!(sent_late > 30 * 10, "{sent_late} sent in the last 30 s: more than half of what is allowed");
}

#[test]
fn a_message_refused_after_its_body_for_coming_too_fast_goes_again() {
    let mut bed = Bed::warm(PoolOptions::default(), 1);
    bed.submit([1]);
    bed.lines.clear();
    let error =
        Error::new(Code::Message, "Message failed").response(THROTTLED).command("DATA").at(Phase::Rejected);
    bed.back(1, 1, error, false);
    let lines = bed.seen();
    assert_eq!(lines.last().map(String::as_str), Some("requeued 1 #1"), "{lines:?}");
    bed.wait(ms(2500));
    bed.sees(&["send 1 on 1"]);
}

#[test]
fn with_learning_off_the_caller_sees_it_all() {
    let mut bed = Bed::warm(PoolOptions { learn_limits: false, ..PoolOptions::default() }, 2);
    bed.submit([1, 2]);
    bed.lines.clear();
    bed.back(1, 1, refused(THROTTLED), false);
    bed.back(2, 2, refused("432 4.3.2 Concurrent connections limit exceeded"), false);
    bed.sees(&["failed 1 EENVELOPE/envelope", "failed 2 EENVELOPE/envelope"]);
}

#[test]
fn what_was_learned_is_shown() {
    let mut bed = Bed::warm(PoolOptions { max_connections: 3, ..PoolOptions::default() }, 3);
    bed.submit(1..=4);
    bed.ok(1, 1);
    bed.back(1, 4, refused(SESSION), true);
    bed.back(2, 2, refused("432 4.3.2 Concurrent connections limit exceeded"), false);
    bed.back(3, 3, refused(THROTTLED), false);
    let now = bed.now;
    let learned = bed.schedule.snapshot(now).targets[0].learned;
    assert_eq!((learned.messages, learned.connections, learned.idle), (Some(1), Some(1), None));
    assert!(learned.rate.is_some_and(|rate| rate > 0.0), "{learned:?}");
}
