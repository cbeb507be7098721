//! Order, lanes, bounds, time-outs and giving up.

use super::*;
use crate::pool::LaneWeight;

/// The message numbers of the `send` lines.
fn sends(lines: &[String]) -> Vec<u64> {
    let id = |line: &String| line.strip_prefix("send ")?.split(' ').next()?.parse().ok();
    lines.iter().filter_map(id).collect()
}

/// Sends everything over connection 1, one after another; gives the order.
fn run_dry(bed: &mut Bed) -> Vec<u64> {
    let mut order = sends(&bed.seen());
    let mut done = 0;
    while done < order.len() {
        let id = order[done];
        done += 1;
        bed.ok(1, id);
        order.extend(sends(&bed.seen()));
    }
    order
}

fn single() -> PoolOptions {
    PoolOptions { max_connections: 1, max_messages: u32::MAX, ..PoolOptions::default() }
}

#[test]
fn first_in_first_out() {
    let mut bed = Bed::new(single());
    bed.submit([5, 3, 9, 1, 7]);
    bed.ready(1);
    assert_eq!(run_dry(&mut bed), [5, 3, 9, 1, 7]);
}

#[test]
fn what_comes_back_goes_first_in_its_old_order() {
    let mut bed = Bed::new(single());
    bed.depth = 3;
    bed.submit(1..=6);
    bed.ready(1);
    bed.ok(1, 1);
    bed.lines.clear();
    bed.lost(1);
    bed.ready(2);
    let lines = bed.seen();
    assert_eq!(sends(&lines), [2, 3, 4]);
    assert!(lines.contains(&"requeued 2 #1".into()) && lines.contains(&"requeued 4 #1".into()), "{lines:?}");
}

#[test]
fn a_password_reset_does_not_wait_behind_a_newsletter() {
    let lane = |name: &str, weight| LaneWeight { name: name.into(), weight };
    let mut bed = Bed::new(PoolOptions { lanes: vec![lane("reset", 10), lane("bulk", 1)], ..single() });
    bed.in_lane("bulk", 1..=1000);
    bed.ready(1);
    bed.in_lane("reset", [2001, 2002]);
    let order = run_dry(&mut bed);
    assert_eq!(order[..3], [1, 2001, 2002]);
    assert_eq!(order.len(), 1002);
}

#[test]
fn over_max_queue_is_refused_with_a_code_and_room_is_room_again() {
    let mut bed = Bed::new(PoolOptions { max_queue: Some(2), ..single() });
    bed.submit(1..=3);
    bed.sees(&["failed 3 EQUEUEFULL/queue", "open 1"]);
    bed.ready(1);
    bed.submit([4, 5]);
    bed.sees(&["send 1 on 1", "failed 5 EQUEUEFULL/queue"]);
}

#[test]
fn over_max_queue_bytes_is_refused_unless_it_is_alone() {
    let mut bed = Bed::new(PoolOptions { max_queue_bytes: Some(250), ..single() });
    bed.submit(1..=3);
    bed.sees(&["failed 3 EQUEUEFULL/queue", "open 1"]);
    bed.ready(1);
    bed.ok(1, 1);
    bed.ok(1, 2);
    bed.lines.clear();
    bed.do_with(|schedule| schedule.pause(true));
    let large = || Arc::new(Letter { bytes: 1000, recipients: 1, replayable: true });
    bed.submit_with(|submission| submission.message = large(), 4);
    bed.submit_with(|submission| submission.message = large(), 5);
    bed.sees(&["failed 5 EQUEUEFULL/queue"]);
    assert_eq!(bed.schedule.queued_bytes, 1000);
}

#[test]
fn what_waits_longer_than_queue_timeout_fails_in_order_and_what_is_on_its_way_does_not() {
    let mut bed = Bed::new(PoolOptions { queue_timeout: Some(ms(500)), ..single() });
    bed.submit([1, 2]);
    bed.ready(1);
    bed.wait(ms(100));
    bed.submit([3]);
    bed.wait(ms(399));
    bed.sees(&["open 1", "send 1 on 1"]);
    bed.wait(ms(1));
    bed.sees(&["failed 2 EQUEUETIMEOUT/queue"]);
    bed.wait(ms(1000));
    bed.sees(&["failed 3 EQUEUETIMEOUT/queue"]);
    bed.ok(1, 1);
    bed.sees(&["sent 1"]);
}

#[test]
fn a_message_that_came_back_waits_anew() {
    let mut bed = Bed::new(PoolOptions { queue_timeout: Some(ms(500)), ..single() });
    bed.submit([1]);
    bed.ready(1);
    bed.wait(ms(400));
    bed.lost(1);
    bed.lines.clear();
    bed.wait(ms(499));
    bed.sees(&["open 2"]);
    bed.wait(ms(1));
    bed.sees(&["failed 1 EQUEUETIMEOUT/queue"]);
}

#[test]
fn a_timeout_ends_a_message_where_it_is() {
    let mut bed = Bed::new(PoolOptions { timeout: Some(ms(500)), ..single() });
    bed.submit([1, 2]);
    bed.submit_with(|submission| submission.timeout = Some(100), 3);
    bed.ready(1);
    bed.lines.clear();
    bed.wait(ms(100));
    bed.sees(&["failed 3 ETIMEDOUT/queue"]);
    bed.wait(ms(400));
    bed.sees(&["cancel 1 on 1", "failed 2 ETIMEDOUT/queue"]);
    bed.wait(ms(400));
    bed.sees(&[]);
}

#[test]
fn giving_up_takes_a_message_from_the_queue_at_once() {
    let mut bed = Bed::new(single());
    bed.submit(1..=3);
    let abort = || Error::new(Code::Abort, "aborted");
    bed.do_with(|schedule| schedule.give_up(2, abort()));
    bed.do_with(|schedule| schedule.give_up(2, abort()));
    bed.do_with(|schedule| schedule.give_up(99, abort()));
    bed.sees(&["open 1", "failed 2 EABORT/queue"]);
    bed.ready(1);
    assert_eq!(run_dry(&mut bed), [1, 3]);
}

#[test]
fn a_message_given_up_on_a_connection_that_breaks_is_not_tried_again() {
    let mut bed = Bed::new(single());
    bed.submit([1]);
    bed.ready(1);
    bed.do_with(|schedule| schedule.give_up(1, Error::new(Code::Abort, "aborted")));
    bed.do_with(|schedule| schedule.give_up(1, Error::new(Code::TimedOut, "too late")));
    bed.sees(&["open 1", "send 1 on 1", "cancel 1 on 1"]);
    bed.lost(1);
    bed.sees(&["failed 1 EABORT/envelope", "closed 1 lost", "empty"]);
}

#[test]
fn an_answer_that_came_first_stands_against_giving_up() {
    let mut bed = Bed::new(single());
    bed.submit([1, 2]);
    bed.ready(1);
    for id in [1, 2] {
        bed.do_with(|schedule| schedule.give_up(id, Error::new(Code::Abort, "aborted")));
        bed.lines.clear();
    }
    bed.ok(1, 1);
    bed.sees(&["sent 1"]);
}

#[test]
fn the_neighbours_of_a_message_given_up_go_again_free_and_at_once() {
    let mut bed = Bed::new(PoolOptions { max_requeues: Some(0), ..single() });
    bed.depth = 2;
    bed.submit([1, 2]);
    bed.ready(1);
    bed.do_with(|schedule| schedule.give_up(1, Error::new(Code::Abort, "aborted")));
    bed.lines.clear();
    bed.lost(1);
    let expected = ["failed 1 EABORT/envelope", "requeued 2 #0", "closed 1 lost", "empty", "open 2"];
    bed.sees(&expected);
}

#[test]
fn a_settled_message_leaves_no_timer_and_no_octet_behind() {
    let options = PoolOptions {
        timeout: Some(ms(60_000)),
        queue_timeout: Some(ms(60_000)),
        idle_timeout: None,
        ..single()
    };
    let mut bed = Bed::new(options);
    bed.submit(1..=50);
    bed.ready(1);
    assert_eq!(run_dry(&mut bed).len(), 50);
    bed.submit([51]);
    bed.back(1, 51, refused("550 no"), false);
    assert!(bed.schedule.timers.is_empty() && bed.schedule.jobs.is_empty());
    assert_eq!((bed.schedule.queued_bytes, bed.schedule.lanes.len()), (0, 0));
}

/// How the time of `work` grows when its size is multiplied by eight: about 8 if linear, 64 if
/// quadratic. The fastest of some runs counts, so that other work on the machine does not.
fn growth(work: impl Fn(u64)) -> f64 {
    let fastest = |size| {
        let time = |_| {
            let started = std::time::Instant::now();
            work(size);
            started.elapsed()
        };
        (0..5).map(time).min().unwrap_or_default().as_secs_f64()
    };
    fastest(16_000) / fastest(2_000)
}

#[test]
fn work_grows_with_the_queue_and_not_with_its_square() {
    let cancelled = |size: u64| {
        let mut schedule = Schedule::new(single(), 1, Common::new(&single()).join());
        let now = Instant::now();
        (0..size).for_each(|id| schedule.submit(letter(id), now));
        (0..size).rev().for_each(|id| schedule.give_up(id, Error::new(Code::Abort, "aborted")));
        assert_eq!(schedule.lanes.len(), 0);
    };
    let unreachable = |size: u64| {
        let mut bed = Bed::new(PoolOptions { max_connecting: 1, ..single() });
        bed.submit(0..size);
        let mut connection = 0;
        while !bed.schedule.jobs.is_empty() {
            connection += 1;
            bed.end(connection, Some(unreachable_server()), false);
            bed.wait(ms(100));
        }
    };
    let sent = |size: u64| {
        let mut bed = Bed::new(single());
        bed.submit(0..size);
        bed.ready(1);
        (0..size).for_each(|id| bed.ok(1, id));
        assert!(bed.schedule.jobs.is_empty());
    };
    for (name, factor) in
        [("cancelled", growth(cancelled)), ("unreachable", growth(unreachable)), ("sent", growth(sent))]
    {
        assert!(factor < 32.0, "{name}: eight times the work took {factor:.1} times as long");
    }
}
