//! Limits on the rate, shared by all connections whatever closes.

use proptest::prelude::*;

use super::*;

/// Answers what was sent since the last time at once; gives how many messages started, or nothing
/// when there was nothing to answer.
fn answer(bed: &mut Bed) -> Option<usize> {
    let lines = bed.seen();
    let mut starts = 0;
    for line in &lines {
        let words: Vec<_> = line.split(' ').collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or_default();
        match words[0] {
            "open" => bed.ready(number(1)),
            "quit" => bed.gone(number(1)),
            "send" => {
                starts += 1;
                bed.ok(number(3), number(1));
            }
            _ => {}
        }
    }
    (!lines.is_empty()).then_some(starts)
}

/// Answers whatever is sent at once, for `time`; gives when each message started.
fn starts(bed: &mut Bed, time: Duration) -> Vec<Duration> {
    let origin = bed.now;
    let mut starts = Vec::new();
    while bed.now - origin < time {
        match answer(bed) {
            Some(count) => starts.extend(std::iter::repeat_n(bed.now - origin, count)),
            None => bed.wait(ms(1)),
        }
    }
    starts
}

/// The pools of several accounts on one clock. Whoever is woken goes on at once.
struct Accounts {
    beds: Vec<Bed>,
    time: Duration,
    /// When which of them started a message.
    starts: Vec<(Duration, usize)>,
}

impl Accounts {
    fn new(count: usize, options: &PoolOptions) -> Self {
        let common = Common::new(options);
        let mut beds: Vec<_> = (0..count).map(|_| Bed::beside(&common, options.clone())).collect();
        let now = beds[0].now;
        beds.iter_mut().for_each(|bed| bed.now = now);
        Self { beds, time: Duration::ZERO, starts: Vec::new() }
    }

    fn run(&mut self, time: Duration) {
        let until = self.time + time;
        while self.time < until {
            let mut moved = false;
            for (number, bed) in self.beds.iter_mut().enumerate() {
                bed.go();
                if let Some(count) = answer(bed) {
                    moved = true;
                    self.starts.extend(std::iter::repeat_n((self.time, number), count));
                }
            }
            if !moved {
                self.beds.iter_mut().for_each(|bed| bed.wait(ms(1)));
                self.time += ms(1);
            }
        }
    }

    fn of(&self, number: usize) -> usize {
        self.starts.iter().filter(|(_, who)| *who == number).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn one_limit_holds_for_all_accounts_together(
        limit in 1..6u32,
        delta in 50..400u64,
        max_messages in 1..5u32,
        steps in prop::collection::vec((0..3usize, 0..6u64, 0..300u64, any::<bool>()), 1..30),
    ) {
        let mut accounts = Accounts::new(3, &PoolOptions { max_messages, ..limited(limit, delta) });
        let (mut handed, mut last) = ([0; 3], [0; 3]);
        for (who, count, pause, paused) in steps {
            accounts.beds[who].do_with(|schedule| schedule.pause(paused));
            accounts.beds[who].submit(last[who] + 1..=last[who] + count);
            last[who] += count;
            handed[who] += count;
            accounts.run(ms(pause));
        }
        accounts.beds.iter_mut().for_each(|bed| bed.do_with(|schedule| schedule.pause(false)));
        let left = handed.iter().sum::<u64>() as usize - accounts.starts.len();
        accounts.run(ms(delta) * (left as u32 / limit + 2));
        let times: Vec<_> = accounts.starts.iter().map(|(at, _)| *at).collect();
        prop_assert!(most_in_a_window(&times, ms(delta)) <= limit as usize);
        for (who, count) in handed.iter().enumerate() {
            prop_assert_eq!(accounts.of(who) as u64, *count, "no start is wasted, nobody is forgotten");
        }
    }
}

#[test]
fn an_account_with_little_to_send_does_not_wait_behind_one_with_much() {
    let mut accounts = Accounts::new(2, &limited(5, 1000));
    accounts.beds[0].submit(0..1000);
    accounts.run(ms(1500));
    accounts.beds[1].submit(0..10);
    accounts.run(ms(5000));
    assert_eq!(accounts.of(1), 10, "every second start is its own");
    assert_eq!(accounts.starts.len(), 35, "and none is lost");
}

#[test]
fn a_pool_that_is_gone_holds_nobody_up() {
    let mut accounts = Accounts::new(2, &limited(1, 1000));
    accounts.beds[0].submit(0..10);
    accounts.beds[1].submit(0..10);
    accounts.run(ms(1500));
    accounts.beds.remove(0);
    accounts.starts.clear();
    accounts.run(ms(4000));
    assert_eq!(accounts.of(0), 4);
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
