//! When connections open, which one takes a message, when they go.

use super::*;

#[test]
fn connections_are_numbered_from_one_in_the_order_they_are_opened() {
    let mut bed = Bed::new(PoolOptions::default());
    bed.sees(&[]);
    bed.submit(1..=3);
    bed.sees(&["open 1", "open 2"]);
    bed.ready(2);
    bed.ready(1);
    bed.sees(&["send 1 on 2", "open 3", "send 2 on 1"]);
    bed.ready(3);
    bed.sees(&["send 3 on 3"]);
}

#[test]
fn an_idle_pool_opens_nothing_and_waits_for_nothing() {
    let mut bed = Bed::new(PoolOptions::default());
    bed.wait(ms(1_000_000));
    bed.sees(&[]);
    assert_eq!(bed.schedule.next_wake(), None);
}

#[test]
fn never_more_than_max_connections_are_open() {
    let options = PoolOptions { max_connections: 3, max_connecting: 10, ..PoolOptions::default() };
    let mut bed = Bed::new(options);
    bed.submit(1..=10);
    bed.sees(&["open 1", "open 2", "open 3"]);
    (1..=3).for_each(|id| bed.ready(id));
    bed.submit(11..=20);
    bed.sees(&["send 1 on 1", "send 2 on 2", "send 3 on 3"]);
}

#[test]
fn never_more_than_max_connecting_handshakes_run_at_once() {
    for max_connecting in 1..=4 {
        let mut bed = Bed::new(PoolOptions { max_connecting, ..PoolOptions::default() });
        bed.submit(1..=20);
        assert_eq!(bed.seen().len(), max_connecting);
        bed.submit(21..=30);
        bed.wait(ms(750));
        bed.sees(&[]);
        bed.ready(1);
        let next = format!("open {}", max_connecting + 1);
        bed.sees(&["send 1 on 1", &next]);
    }
}

#[test]
fn warming_up_counts_as_connecting_too() {
    let mut bed = Bed::new(PoolOptions { min_connections: 3, ..PoolOptions::default() });
    bed.sees(&["open 1", "open 2"]);
    bed.submit(1..=5);
    bed.sees(&[]);
    bed.ready(1);
    bed.sees(&["send 1 on 1", "open 3"]);
}

#[test]
fn min_connections_are_kept_up() {
    let mut bed = Bed::warm(PoolOptions { min_connections: 2, ..PoolOptions::default() }, 2);
    bed.wait(ms(5000));
    bed.gone(1);
    bed.sees(&["closed 1 lost", "open 3"]);
}

#[test]
fn a_server_that_does_not_answer_the_warm_up_is_asked_less_and_less() {
    let mut bed = Bed::new(PoolOptions { min_connections: 2, ..PoolOptions::default() });
    let mut opened = 0;
    for _ in 0..600 {
        for line in bed.seen() {
            if let Some(id) = line.strip_prefix("open ") {
                opened += 1;
                bed.end(id.parse().unwrap_or_default(), Some(unreachable_server()), false);
            }
        }
        bed.wait(ms(100));
    }
    assert!((10..=24).contains(&opened), "{opened} attempts in a minute");
    bed.submit([1]);
    let lines = bed.seen();
    assert!(
        lines.first().is_some_and(|line| line.starts_with("open")),
        "a message waits for none of that: {lines:?}"
    );
}

#[test]
fn a_message_waiting_for_a_handshake_takes_a_connection_that_comes_free() {
    let mut bed = Bed::warm(PoolOptions::default(), 1);
    bed.submit([1, 2]);
    bed.sees(&["send 1 on 1", "open 2"]);
    bed.ok(1, 1);
    bed.sees(&["sent 1", "send 2 on 1"]);
    bed.ready(2);
    bed.sees(&[]);
}

#[test]
fn a_returned_connection_is_used_again_before_another_is_opened() {
    let mut bed = Bed::warm(PoolOptions::default(), 1);
    for id in 1..=5 {
        bed.submit([id]);
        bed.ok(1, id);
    }
    assert_eq!(bed.open(), 1);
    assert!(bed.seen().iter().all(|line| !line.starts_with("open")));
}

#[test]
fn the_connection_with_the_least_in_flight_takes_the_next_message_not_the_slow_one() {
    let options = PoolOptions { max_connections: 2, min_connections: 2, ..PoolOptions::default() };
    let mut bed = Bed::new(options);
    bed.depth = 3;
    bed.ready(1);
    bed.ready(2);
    bed.submit(1..=6);
    let expected = ["send 1 on 1", "send 2 on 2", "send 3 on 1", "send 4 on 2", "send 5 on 1", "send 6 on 2"];
    assert_eq!(bed.seen()[2..], expected);
    // The first is slow: what comes goes to the second, even when both have room.
    bed.ok(2, 2);
    bed.ok(2, 4);
    bed.ok(1, 1);
    bed.lines.clear();
    bed.submit([7, 8]);
    bed.sees(&["send 7 on 2", "send 8 on 1"]);
}

#[test]
fn a_connection_takes_messages_in_advance_only_for_what_no_other_will_be_free_for() {
    let mut bed = Bed::new(PoolOptions { max_connections: 2, max_connecting: 1, ..PoolOptions::default() });
    bed.depth = 2;
    bed.submit([1, 2]);
    bed.ready(1);
    bed.sees(&["open 1", "send 1 on 1", "open 2"]);
    bed.submit([3]);
    bed.sees(&["send 2 on 1"]);
    bed.ready(2);
    bed.submit([4, 5]);
    bed.sees(&["send 3 on 2", "send 4 on 2"]);
    bed.ok(1, 1);
    bed.sees(&["sent 1", "send 5 on 1"]);
}

#[test]
fn nothing_is_put_behind_a_large_message() {
    let mut bed = Bed::new(PoolOptions { max_connections: 1, ..PoolOptions::default() });
    bed.depth = 2;
    let large = Arc::new(Letter { bytes: 1 << 20, recipients: 1, replayable: true });
    bed.submit_with(|submission| submission.message = large, 1);
    bed.ready(1);
    bed.submit([2, 3]);
    bed.sees(&["open 1", "send 1 on 1"]);
    bed.ok(1, 1);
    bed.sees(&["sent 1", "send 2 on 1", "send 3 on 1"]);
}

#[test]
fn a_depth_that_sinks_is_kept_to() {
    let mut bed = Bed::new(PoolOptions { max_connections: 1, ..PoolOptions::default() });
    bed.depth = 4;
    bed.submit(1..=10);
    bed.ready(1);
    bed.sees(&["open 1", "send 1 on 1", "send 2 on 1", "send 3 on 1", "send 4 on 1"]);
    bed.do_with(|schedule| schedule.depth(1, 1));
    (1..=3).for_each(|id| bed.ok(1, id));
    bed.sees(&["sent 1", "sent 2", "sent 3"]);
    bed.ok(1, 4);
    bed.sees(&["sent 4", "send 5 on 1"]);
}

#[test]
fn a_used_up_connection_says_goodbye_behind_its_last_message_and_is_replaced_at_once() {
    let mut bed = Bed::new(PoolOptions { max_connections: 1, max_messages: 2, ..PoolOptions::default() });
    bed.submit(1..=3);
    bed.ready(1);
    bed.ok(1, 1);
    bed.sees(&["open 1", "send 1 on 1", "sent 1", "send 2 on 1", "quit 1", "open 2"]);
    bed.ok(1, 2);
    bed.gone(1);
    bed.sees(&["sent 2", "closed 1 maxMessages"]);
}

#[test]
fn a_connection_made_ahead_of_time_takes_nothing_until_one_that_leaves_is_done() {
    let mut bed = Bed::new(PoolOptions { max_connections: 1, max_messages: 1, ..PoolOptions::default() });
    bed.submit(1..=2);
    bed.ready(1);
    bed.ready(2);
    bed.sees(&["open 1", "send 1 on 1", "quit 1", "open 2"]);
    bed.ok(1, 1);
    bed.sees(&["sent 1", "send 2 on 2", "quit 2"]);
}

#[test]
fn a_goodbye_keeps_nobody_waiting_and_as_many_linger_as_may_stay() {
    let options = PoolOptions { max_connections: 2, max_messages: 1, ..PoolOptions::default() };
    let mut bed = Bed::warm(options, 2);
    bed.submit(1..=6);
    bed.sees(&["send 1 on 1", "quit 1", "send 2 on 2", "quit 2", "open 3", "open 4"]);
    (1..=2).for_each(|id| bed.ok(id, id));
    (3..=4).for_each(|id| bed.ready(id));
    // Four are there, and the server does not answer QUIT: the oldest goodbye is cut short.
    let sent = ["sent 1", "sent 2", "send 3 on 3", "quit 3", "abort 1", "send 4 on 4", "quit 4", "abort 2"];
    bed.sees(&sent);
    bed.ok(3, 3);
    bed.sees(&["sent 3"]);
    bed.end(1, Some(broken()), false);
    bed.sees(&["closed 1 maxMessages", "open 5"]);
}

#[test]
fn without_learning_a_goodbye_counts() {
    let options = PoolOptions { learn_limits: false, max_connections: 1, ..PoolOptions::default() };
    let mut bed = Bed::new(PoolOptions { max_messages: 1, ..options });
    bed.submit(1..=2);
    bed.ready(1);
    bed.ok(1, 1);
    bed.sees(&["open 1", "send 1 on 1", "quit 1", "sent 1"]);
    bed.gone(1);
    bed.sees(&["closed 1 maxMessages", "empty", "open 2"]);
}

#[test]
fn the_server_may_allow_fewer_messages_than_the_options() {
    let mut bed = Bed::new(PoolOptions { max_connections: 1, ..PoolOptions::default() });
    bed.mail_max = Some(1);
    bed.submit([1, 2]);
    bed.ready(1);
    bed.sees(&["open 1", "send 1 on 1", "quit 1", "open 2"]);
}

#[test]
fn an_idle_connection_goes_after_idle_timeout_and_not_before() {
    let mut bed = Bed::warm(PoolOptions { idle_timeout: Some(ms(1000)), ..PoolOptions::default() }, 1);
    bed.wait(ms(600));
    bed.submit([1]);
    bed.wait(ms(600));
    bed.ok(1, 1);
    bed.wait(ms(999));
    bed.sees(&["send 1 on 1", "sent 1"]);
    bed.wait(ms(1));
    bed.sees(&["quit 1"]);
    bed.submit([2]);
    bed.sees(&["open 2"]);
    bed.gone(1);
    bed.sees(&["closed 1 idle"]);
}

#[test]
fn min_connections_outlive_the_idle_timeout() {
    let options = PoolOptions { min_connections: 1, idle_timeout: Some(ms(1000)), ..PoolOptions::default() };
    let mut bed = Bed::warm(options, 3);
    bed.wait(ms(10_000));
    bed.sees(&["quit 1", "quit 2"]);
}

#[test]
fn connections_opened_together_do_not_all_reach_their_lifetime_together() {
    let options =
        PoolOptions { max_lifetime: Some(ms(10_000)), max_connections: 20, ..PoolOptions::default() };
    let mut bed = Bed::warm(PoolOptions { max_connecting: 20, ..options }, 20);
    let born = bed.now;
    let mut ends = Vec::new();
    while ends.len() < 20 {
        bed.wait(ms(10));
        let quits = bed.seen().iter().filter(|line| line.starts_with("quit")).count();
        ends.extend(std::iter::repeat_n(bed.now - born, quits));
    }
    assert!(ends.iter().all(|age| (ms(9000)..=ms(10_000)).contains(age)), "{ends:?}");
    ends.dedup();
    assert!(ends.len() > 10, "{ends:?}");
}

#[test]
fn a_connection_at_its_lifetime_finishes_what_it_has() {
    let options = PoolOptions { max_lifetime: Some(ms(1000)), max_connections: 1, ..PoolOptions::default() };
    let mut bed = Bed::warm(options, 1);
    bed.submit([1, 2]);
    bed.wait(ms(1000));
    bed.sees(&["send 1 on 1", "quit 1", "open 2"]);
    bed.ok(1, 1);
    bed.gone(1);
    bed.sees(&["sent 1", "closed 1 maxLifetime"]);
}

#[test]
fn a_connection_that_is_gone_leaves_no_timer_behind() {
    let options = PoolOptions { max_lifetime: Some(ms(3_600_000)), ..PoolOptions::default() };
    let mut bed = Bed::warm(options, 3);
    bed.wait(ms(5000));
    (1..=3).for_each(|id| bed.gone(id));
    assert!(bed.schedule.timers.is_empty(), "{:?}", bed.schedule.timers);
}

#[test]
fn a_snapshot_shows_what_is_there() {
    let mut bed = Bed::warm(PoolOptions { max_connections: 2, ..PoolOptions::default() }, 2);
    bed.in_lane("bulk", 1..=5);
    bed.ok(1, 1);
    bed.wait(ms(70));
    let now = bed.now;
    let snapshot = bed.schedule.snapshot(now);
    let states: Vec<_> = snapshot.connections.iter().map(|c| (c.id, c.state, c.messages, c.bytes)).collect();
    assert_eq!(states, [(1, "busy", 2, 100), (2, "busy", 1, 0)]);
    let lane = &snapshot.lanes[0];
    assert_eq!((lane.name.as_str(), lane.queued, lane.bytes, lane.oldest), ("bulk", 2, 200, 70));
    assert_eq!((snapshot.queued_bytes, snapshot.totals.sent, snapshot.totals.bytes), (200, 1, 100));
    assert_eq!((snapshot.latency.wait.count, snapshot.latency.connect.p50), (3, 20.0));
    assert_eq!((snapshot.latency.envelope.max, snapshot.latency.data.max), (3.0, 5.0));
}

#[test]
fn a_login_that_was_not_seen_to_work_is_tried_by_one_connection() {
    let mut bed = Bed::new(PoolOptions { login: true, ..PoolOptions::default() });
    bed.submit(1..=20);
    assert_eq!(bed.seen().len(), 1, "one connection tries the password");
    bed.ready(1);
    assert_eq!(bed.schedule.connecting(), 2, "it works: the others follow");
}
