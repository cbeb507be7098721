//! Limits on the rate, shared by all connections whatever closes.

use super::*;

/// Answers whatever is sent at once, for `time`; gives when each message started.
fn starts(bed: &mut Bed, time: Duration) -> Vec<Duration> {
    let origin = bed.now;
    let mut starts = Vec::new();
    while bed.now - origin < time {
        let lines = bed.seen();
        for line in &lines {
            let words: Vec<_> = line.split(' ').collect();
            let number = |at: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or_default();
            match words[0] {
                "open" => bed.ready(number(1)),
                "quit" => bed.gone(number(1)),
                "send" => {
                    starts.push(bed.now - origin);
                    bed.ok(number(3), number(1));
                }
                _ => {}
            }
        }
        if lines.is_empty() {
            bed.wait(ms(1));
        }
    }
    starts
}

fn most_in_a_window(starts: &[Duration], window: Duration) -> usize {
    let inside = |from: &Duration| starts.iter().filter(|at| *at >= from && **at < *from + window).count();
    starts.iter().map(inside).max().unwrap_or_default()
}

fn limited(limit: u32, delta: u64) -> PoolOptions {
    PoolOptions { rate: Some(RateLimit { limit, delta: ms(delta) }), ..PoolOptions::default() }
}

#[test]
fn a_limit_of_five_is_five_in_any_window_and_not_one_less() {
    let mut bed = Bed::new(limited(5, 1000));
    bed.submit(0..100);
    let starts = starts(&mut bed, ms(10_000));
    assert_eq!(most_in_a_window(&starts, ms(1000)), 5);
    assert_eq!(starts.len(), 50);
}

#[test]
fn a_limit_holds_across_connections_that_close_after_every_message() {
    let mut bed = Bed::new(PoolOptions { max_messages: 1, ..limited(3, 1000) });
    bed.submit(0..40);
    let starts = starts(&mut bed, ms(5000));
    assert_eq!((most_in_a_window(&starts, ms(1000)), starts.len()), (3, 15));
}

#[test]
fn a_limit_holds_across_a_change_of_size() {
    let mut bed = Bed::new(limited(4, 1000));
    bed.submit(0..100);
    let mut all = starts(&mut bed, ms(1500));
    let rate = Some(Some(RateLimit { limit: 4, delta: ms(1000) }));
    bed.do_with(|schedule| schedule.resize(Resize { rate, ..Resize::default() }));
    bed.do_with(|schedule| schedule.rotate());
    all.extend(starts(&mut bed, ms(3000)).into_iter().map(|at| at + ms(1500)));
    assert_eq!(most_in_a_window(&all, ms(1000)), 4);
}

#[test]
fn recipients_and_octets_have_limits_of_their_own() {
    let mut bed = Bed::new(PoolOptions { max_recipients_per_second: Some(10), ..PoolOptions::default() });
    for id in 0..9 {
        let message = Arc::new(Letter { bytes: 1, recipients: 4, replayable: true });
        bed.submit_with(|submission| submission.message = message, id);
    }
    assert_eq!(starts(&mut bed, ms(3000)).len(), 6);
    let mut bed = Bed::new(PoolOptions { max_bytes_per_second: Some(250), ..PoolOptions::default() });
    bed.submit(0..9);
    assert_eq!(starts(&mut bed, ms(3000)).len(), 6);
}

#[test]
fn a_message_held_back_needs_no_further_connection() {
    let mut bed = Bed::new(limited(1, 60_000));
    bed.submit(0..50);
    bed.ready(1);
    bed.ok(1, 0);
    bed.wait(ms(30_000));
    bed.submit(50..60);
    bed.sees(&["open 1", "send 0 on 1", "sent 0"]);
}

#[test]
fn under_a_limit_a_message_starts_when_it_is_handed_out() {
    let mut bed = Bed::new(PoolOptions { max_connections: 1, ..limited(100, 1000) });
    bed.depth = 2;
    bed.submit(0..5);
    bed.ready(1);
    bed.sees(&["open 1", "send 0 on 1"]);
}

#[test]
fn a_limit_that_is_lifted_holds_nobody_back() {
    let mut bed = Bed::new(limited(1, 60_000));
    bed.submit(0..3);
    bed.ready(1);
    bed.ok(1, 0);
    bed.lines.clear();
    bed.do_with(|schedule| schedule.resize(Resize { rate: Some(None), ..Resize::default() }));
    bed.ok(1, 1);
    let lines = bed.seen();
    assert!(lines.contains(&"send 1 on 1".into()) && lines.contains(&"send 2 on 1".into()), "{lines:?}");
}
