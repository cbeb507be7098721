//! A long run against a server that breaks in every way it knows, with books on both sides.
//!
//! `POSTPOOL_SOAK` is the number of messages, 3,000 unless it is set. A long run prints what it
//! counted: `POSTPOOL_SOAK=200000 cargo test --release --test soak -- --nocapture`.

#[path = "pool/kit.rs"]
mod kit;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use kit::{Client, server, tasks, until};
use postpool::pool::{PoolEvent, PoolOptions, Settings};
use postpool_testkit::{Action, Capture, Config, End, Rule, Sink, Step};

/// Waves after which both sides compare their books.
const WAVES: u64 = 20;
/// Share of the messages that meet a fault.
const FAULTS: f64 = 0.01;

/// One rule for every way to break, at every step.
fn script() -> Vec<Rule> {
    let each = |actions: &[Action], steps: &[Step]| -> Vec<(Step, Action)> {
        steps.iter().flat_map(|step| actions.iter().map(|action| (*step, action.clone()))).collect()
    };
    let refuse = |codes: &[&str]| codes.iter().map(|code| Action::Reply((*code).into())).collect::<Vec<_>>();
    let breaks = [
        Action::Fin,
        Action::Rst,
        Action::Silence,
        Action::Cut { bytes: 2, then: End::Fin },
        Action::Garbage,
    ];
    let slow = [Action::Split, Action::Drip(1), Action::Delay(5), Action::ReplyFin, Action::Bye];
    let refusals = refuse(&[
        "450 4.7.1 greylisted",
        "550 5.7.1 no",
        "421 4.7.0 too many messages in this session",
        "432 4.3.2 Concurrent connections limit exceeded",
    ]);
    let commands = [Step::Mail, Step::Rcpt, Step::Data, Step::FinalReply];
    let mut often = each(&breaks, &commands);
    often.extend(each(&slow, &commands));
    often.extend(each(&refusals, &commands));
    often.extend(each(&[Action::Fin, Action::Rst, Action::Silence], &[Step::Body, Step::EndOfData]));
    let mut rare = each(&breaks, &[Step::Greeting, Step::Ehlo]);
    rare.extend(each(&slow, &[Step::Greeting, Step::Ehlo, Step::Quit]));
    rare.extend(each(&[Action::Fin, Action::Rst], &[Step::Connect, Step::Quit]));
    let share = FAULTS / often.len() as f64;
    let often = often.into_iter().map(|(step, action)| Rule::new(step, action).with_probability(share));
    let rare = rare.into_iter().map(|(step, action)| Rule::new(step, action).with_probability(FAULTS / 10.0));
    let idle = [Action::Fin, Action::Rst, Action::Bye].map(|action| Rule::new(Step::Idle, action).after(1));
    often.chain(rare).chain(idle.into_iter().map(|rule| rule.with_probability(FAULTS))).collect()
}

#[derive(Debug, Default)]
struct Books {
    sent: u64,
    failed: u64,
    in_doubt: u64,
    requeued: u64,
    learned: u64,
    closed: u64,
}

/// Sends one wave; gives what the caller was told of each message.
async fn wave(
    client: &mut Client,
    ids: std::ops::Range<u64>,
    books: &mut Books,
) -> HashMap<u64, &'static str> {
    let count = (ids.end - ids.start) as usize;
    client.submit(ids);
    let mut told = HashMap::with_capacity(count);
    while told.len() < count {
        match client.event().await {
            PoolEvent::Settled { id, result, .. } => {
                let (word, counter) = match &result {
                    Ok(_) => ("sent", &mut books.sent),
                    Err(error) if error.maybe_delivered() => ("in doubt", &mut books.in_doubt),
                    Err(_) => ("failed", &mut books.failed),
                };
                *counter += 1;
                assert_eq!(told.insert(id, word), None, "message {id} settled twice");
            }
            PoolEvent::Requeued { .. } => books.requeued += 1,
            PoolEvent::LimitLearned { .. } => books.learned += 1,
            PoolEvent::Closed { .. } => books.closed += 1,
            _ => {}
        }
    }
    told
}

/// Compares what the caller was told with what the server took.
fn compare(told: &HashMap<u64, &'static str>, sink: &Sink) {
    let mut taken: HashMap<u64, u32> = HashMap::new();
    for message in sink.messages() {
        let address = &message.to[0].address;
        let id = address[1..].split('@').next().and_then(|number| number.parse().ok());
        *taken.entry(id.expect("a message of ours")).or_default() += 1;
    }
    for (id, word) in told {
        let times = taken.remove(id).unwrap_or_default();
        let right = match *word {
            "sent" => times == 1,
            "failed" => times == 0,
            _ => times <= 1,
        };
        assert!(right, "message {id}: the caller was told {word}, the server took it {times} times");
    }
    assert!(taken.is_empty(), "the server took what nobody sent: {taken:?}");
}

/// Octets of memory in use, where the system says so.
fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    text.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * 4096)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_has_one_outcome_and_both_sides_agree_on_it() {
    let wanted: u64 = std::env::var("POSTPOOL_SOAK").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000);
    let capture = Capture { messages: usize::MAX, body_bytes: 0, total_bytes: 0 };
    let config = Config { script: script(), capture, check_line_ends: false, ..Config::default() };
    let (sink, settings) = server(config).await;
    let settings = Settings { socket_timeout: Duration::from_millis(500), ..settings };
    let settings = Settings { greeting_timeout: Duration::from_millis(500), ..settings };
    let before = tasks();
    let options = PoolOptions { max_connections: 10, max_connecting: 4, ..PoolOptions::default() };
    let mut client = Client::new(options, settings);
    let (mut books, mut after_warm_up, mut faults) = (Books::default(), None, 0);
    let started = Instant::now();
    let each = wanted.div_ceil(WAVES);
    for number in 0..WAVES {
        let told = wave(&mut client, number * each..(number + 1) * each, &mut books).await;
        compare(&told, &sink);
        faults += sink.stats().faults;
        sink.reset();
        if number == WAVES / 4 {
            after_warm_up = memory();
        }
    }
    let (took, grown) =
        (started.elapsed(), memory().zip(after_warm_up).map(|(now, then)| now.saturating_sub(then)));
    client.pool().drain();
    client.ended().await;
    sink.closed().await;
    until(|| tasks() <= before).await;
    let total = books.sent + books.failed + books.in_doubt;
    println!("{total} messages in {took:.1?}: {books:?}, {faults} faults, memory grew by {grown:?} octets");
    assert_eq!(total, each * WAVES);
    assert!(faults > 0 && books.sent > total * 9 / 10, "{books:?}");
    assert!(grown.is_none_or(|octets| octets < 16 << 20), "memory grew by {grown:?} octets");
}
