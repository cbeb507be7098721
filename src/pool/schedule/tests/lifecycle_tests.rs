//! Close, drain, pause, resize, rotate.

use super::*;

fn two() -> PoolOptions {
    PoolOptions { max_connections: 2, ..PoolOptions::default() }
}

#[test]
fn close_fails_the_queue_finishes_what_is_on_its_way_and_ends_once() {
    let mut bed = Bed::warm(two(), 2);
    bed.submit(1..=4);
    bed.lines.clear();
    bed.do_with(|schedule| schedule.close(false, 2));
    bed.sees(&["failed 3 ECONNECTION/queue", "failed 4 ECONNECTION/queue", "quit 1", "quit 2"]);
    bed.ok(1, 1);
    bed.gone(1);
    bed.ok(2, 2);
    bed.sees(&["sent 1", "closed 1 poolClosed", "sent 2"]);
    bed.gone(2);
    bed.sees(&["closed 2 poolClosed", "empty", "ended"]);
    bed.do_with(|schedule| schedule.close(true, 0));
    bed.do_with(Schedule::drain);
    bed.sees(&[]);
    assert!(bed.schedule.has_ended() && bed.schedule.timers.is_empty());
}

#[test]
fn what_waits_is_given_back_for_another_engine_and_what_is_on_its_way_is_finished() {
    let mut bed = Bed::warm(PoolOptions { max_connections: 1, ..PoolOptions::default() }, 1);
    bed.submit(1..=3);
    bed.lines.clear();
    bed.do_with(Schedule::give_back);
    bed.sees(&[
        "given back 2",
        "failed 2 ECONNECTION/queue",
        "given back 3",
        "failed 3 ECONNECTION/queue",
        "quit 1",
    ]);
    bed.back(1, 1, broken(), false);
    bed.sees(&["failed 1 ECONNECTION/envelope"]);
}

#[test]
fn a_message_is_given_back_when_only_another_engine_speaks_the_tls_of_the_server() {
    let mut bed = Bed::new(PoolOptions { max_connections: 1, ..PoolOptions::default() });
    bed.submit([1]);
    bed.end(1, Some(unreachable_server().tls_incompatible()), false);
    bed.sees(&["open 1", "closed 1 connectFailed", "given back 1", "failed 1 ESOCKET/connect", "empty"]);
}

#[test]
fn close_leaves_the_messages_nodemailer_would_have_handed_out() {
    let mut bed = Bed::new(two());
    bed.submit(1..=5);
    bed.do_with(|schedule| schedule.close(false, 2));
    bed.sees(&[
        "open 1",
        "open 2",
        "failed 3 ECONNECTION/queue",
        "failed 4 ECONNECTION/queue",
        "failed 5 ECONNECTION/queue",
    ]);
    bed.ready(1);
    bed.ready(2);
    bed.sees(&["send 1 on 1", "send 2 on 2", "quit 1", "quit 2"]);
}

#[test]
fn close_of_a_pool_that_does_nothing_ends_at_once() {
    let mut bed = Bed::new(two());
    bed.do_with(|schedule| schedule.close(false, 0));
    bed.sees(&["ended"]);
    bed.submit([1]);
    bed.sees(&["failed 1 ECONNECTION/queue"]);
}

#[test]
fn a_forced_close_drops_everything_and_tries_nothing_again() {
    let mut bed = Bed::warm(two(), 1);
    bed.submit(1..=3);
    bed.lines.clear();
    bed.do_with(|schedule| schedule.close(true, 2));
    bed.sees(&["failed 2 ECONNECTION/queue", "failed 3 ECONNECTION/queue", "abort 1", "abort 2"]);
    bed.lost(1);
    bed.lost(2);
    bed.sees(&[
        "failed 1 ECONNECTION/envelope",
        "closed 1 poolClosed",
        "closed 2 poolClosed",
        "empty",
        "ended",
    ]);
}

#[test]
fn close_ends_a_pause_between_attempts() {
    let mut bed = Bed::new(two());
    bed.submit([1]);
    bed.ready(1);
    bed.lost(1);
    bed.lines.clear();
    bed.do_with(|schedule| schedule.close(false, 1));
    bed.sees(&["failed 1 ECONNECTION/queue", "ended"]);
}

#[test]
fn close_while_paused_still_lets_out_what_was_assigned() {
    let mut bed = Bed::warm(two(), 1);
    bed.do_with(|schedule| schedule.pause(true));
    bed.submit([1, 2]);
    bed.do_with(|schedule| schedule.close(false, 1));
    bed.ok(1, 1);
    bed.gone(1);
    bed.sees(&[
        "failed 2 ECONNECTION/queue",
        "send 1 on 1",
        "quit 1",
        "sent 1",
        "closed 1 poolClosed",
        "empty",
        "ended",
    ]);
}

#[test]
fn drain_sends_everything_even_what_comes_back_then_ends() {
    let mut bed = Bed::warm(PoolOptions { max_connections: 1, ..two() }, 1);
    bed.submit([1, 2, 3]);
    bed.ok(1, 1);
    bed.lines.clear();
    bed.do_with(Schedule::drain);
    bed.submit([4]);
    bed.sees(&["failed 4 ECONNECTION/queue"]);
    bed.ok(1, 2);
    bed.sees(&["sent 2", "send 3 on 1", "quit 1"]);
    bed.lost(1);
    bed.sees(&["requeued 3 #1", "closed 1 poolClosed", "empty", "open 2"]);
    bed.ready(2);
    bed.ok(2, 3);
    bed.gone(2);
    bed.sees(&["send 3 on 2", "quit 2", "sent 3", "closed 2 poolClosed", "empty", "ended"]);
}

#[test]
fn drain_lets_a_handshake_go_that_nobody_waits_for() {
    let mut bed = Bed::warm(two(), 1);
    bed.submit([1, 2]);
    bed.ok(1, 1);
    bed.lines.clear();
    bed.do_with(Schedule::drain);
    bed.sees(&["quit 1", "abort 2"]);
    bed.end(2, Some(broken()), false);
    bed.ok(1, 2);
    bed.gone(1);
    bed.sees(&["closed 2 poolClosed", "sent 2", "closed 1 poolClosed", "empty", "ended"]);
}

#[test]
fn a_paused_pool_finishes_what_is_on_its_way_and_starts_nothing() {
    let mut bed = Bed::warm(two(), 1);
    bed.submit([1]);
    bed.do_with(|schedule| schedule.pause(true));
    bed.do_with(|schedule| schedule.pause(true));
    bed.submit([2, 3]);
    bed.ok(1, 1);
    bed.wait(ms(10_000));
    bed.sees(&["send 1 on 1", "sent 1"]);
    bed.do_with(|schedule| schedule.pause(false));
    bed.sees(&["send 2 on 1", "open 2"]);
    bed.do_with(|schedule| schedule.pause(false));
    bed.sees(&[]);
}

#[test]
fn an_attempt_that_fails_in_a_paused_pool_fails_no_message() {
    let mut bed = Bed::new(two());
    bed.submit([1]);
    bed.do_with(|schedule| schedule.pause(true));
    bed.lines.clear();
    bed.end(1, Some(unreachable_server()), false);
    bed.sees(&["closed 1 connectFailed", "empty"]);
}

#[test]
fn a_smaller_pool_lets_go_of_those_with_the_least_to_do() {
    let mut bed = Bed::warm(PoolOptions { max_connections: 4, ..two() }, 4);
    bed.submit([1, 2]);
    bed.lines.clear();
    bed.do_with(|schedule| schedule.resize(Resize { max_connections: Some(1), ..Resize::default() }));
    bed.sees(&["quit 4", "quit 3", "quit 2"]);
    bed.ok(2, 2);
    for id in [4, 3, 2] {
        bed.gone(id);
    }
    bed.submit([3]);
    bed.sees(&["sent 2", "closed 4 resized", "closed 3 resized", "closed 2 resized"]);
    assert_eq!(bed.open(), 1);
}

#[test]
fn a_larger_pool_opens_at_once_what_the_queue_asks_for() {
    let mut bed = Bed::warm(PoolOptions { max_connections: 1, ..two() }, 1);
    bed.submit(1..=3);
    bed.lines.clear();
    bed.do_with(|schedule| schedule.resize(Resize { max_connections: Some(3), ..Resize::default() }));
    bed.sees(&["open 2", "open 3"]);
    let more = Resize { min_connections: Some(9), max_connections: Some(4), ..Resize::default() };
    bed.do_with(|schedule| schedule.resize(more));
    bed.ready(2);
    assert_eq!(bed.open(), 4);
}

#[test]
fn generations_never_mix() {
    let mut bed = Bed::warm(PoolOptions { max_connections: 3, ..two() }, 2);
    bed.submit([1, 2, 3]);
    bed.sees(&["send 1 on 1", "send 2 on 2", "open 3"]);
    bed.do_with(Schedule::rotate);
    bed.sees(&["quit 1", "quit 2", "abort 3", "open 4"]);
    // An old handshake that succeeds all the same takes nothing.
    bed.ready(3);
    bed.ok(1, 1);
    bed.sees(&["sent 1"]);
    bed.end(3, Some(broken()), false);
    bed.sees(&["closed 3 rotated"]);
    bed.gone(1);
    bed.ready(4);
    bed.sees(&["closed 1 rotated", "send 3 on 4"]);
}

#[test]
fn rotation_keeps_min_connections_up_and_waits_for_no_old_failure() {
    let mut bed = Bed::new(PoolOptions { min_connections: 1, ..two() });
    bed.end(1, Some(bad_password()), false);
    bed.wait(ms(10));
    bed.sees(&["open 1", "closed 1 connectFailed", "empty"]);
    bed.do_with(Schedule::rotate);
    bed.sees(&["open 2"]);
    bed.ready(2);
    bed.do_with(Schedule::rotate);
    bed.sees(&["quit 2", "open 3"]);
}
