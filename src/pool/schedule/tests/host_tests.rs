//! Several hosts: the least loaded gets what comes, one that fails gets nothing and harms nobody.

use super::*;

const CONNECTIONS: &str = "421 4.7.0 Error: too many connections from 192.0.2.1";
const SESSION: &str = "421 4.7.0 Too many messages in this session";
const THROTTLED: &str = "454 Throttling failure: Maximum sending rate exceeded.";

/// The numbers of the connections that were opened, with their hosts.
fn opened(bed: &mut Bed) -> Vec<(u64, usize)> {
    let parse = |line: &String| {
        let words: Vec<_> = line.strip_prefix("open ")?.split(" at ").collect();
        Some((words[0].parse().ok()?, words.get(1).map_or(0, |host| host.parse().unwrap_or_default())))
    };
    bed.seen().iter().filter_map(parse).collect()
}

/// Plays both hosts until nothing is left to do: connections of `dead` hosts fail, the others work.
/// Gives how many connections each host was asked for.
fn play(bed: &mut Bed, dead: &[usize], time: Duration) -> [usize; 2] {
    let (mut asked, until) = ([0; 2], bed.now + time);
    let mut results = Vec::new();
    while bed.now < until && !bed.schedule.jobs.is_empty() {
        let lines = bed.seen();
        results.extend(lines.iter().filter(|line| line.starts_with("failed")).cloned());
        for line in &lines {
            let words: Vec<_> = line.split(' ').collect();
            let number = |at: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or_default();
            match words[0] {
                "open" => {
                    let host = number(3) as usize;
                    asked[host] += 1;
                    match dead.contains(&host) {
                        true => bed.end(number(1), Some(unreachable_server()), false),
                        false => bed.ready(number(1)),
                    }
                }
                "quit" => bed.gone(number(1)),
                "send" => bed.ok(number(3), number(1)),
                _ => {}
            }
        }
        if lines.is_empty() {
            bed.wait(ms(10));
        }
    }
    bed.lines.extend(results);
    asked
}

#[test]
fn connections_spread_over_the_hosts() {
    let mut bed = Bed::with_hosts(3, PoolOptions { max_connections: 6, ..PoolOptions::default() });
    bed.submit(1..=100);
    let mut hosts = Vec::new();
    for _ in 0..10 {
        for (id, host) in opened(&mut bed) {
            hosts.push(host);
            bed.ready(id);
        }
    }
    assert_eq!(hosts, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn the_host_with_the_least_in_flight_gets_the_next_message() {
    let mut bed = Bed::with_hosts(2, PoolOptions { max_connections: 4, ..PoolOptions::default() });
    bed.submit(1..=4);
    (1..=4).for_each(|id| bed.ready(id));
    let hosts: Vec<_> = opened(&mut bed).into_iter().map(|(_, host)| host).collect();
    assert_eq!(hosts, [0, 1, 0, 1]);
    // The second host is slow: one connection of each is free, and the first host has nothing else.
    bed.ok(1, 1);
    bed.ok(3, 3);
    bed.ok(2, 2);
    bed.lines.clear();
    bed.submit([5, 6, 7]);
    bed.sees(&["send 5 on 1", "send 6 on 2", "send 7 on 3"]);
}

#[test]
fn a_host_out_of_reach_fails_no_message_and_is_asked_ever_less() {
    for dead in 0..2 {
        let options = PoolOptions { max_messages: 10, max_requeues: Some(0), ..PoolOptions::default() };
        let mut bed = Bed::with_hosts(2, options);
        let mut asked = [0; 2];
        for round in 0..60 {
            bed.submit(round * 100..round * 100 + 20);
            let more = play(&mut bed, &[dead], ms(60_000));
            asked = [asked[0] + more[0], asked[1] + more[1]];
            bed.wait(ms(1000));
        }
        assert!(bed.schedule.jobs.is_empty());
        assert!(bed.seen().iter().all(|line| !line.starts_with("failed")));
        assert!((2..=12).contains(&asked[dead]), "host {dead} of {asked:?}");
    }
}

#[test]
fn when_no_host_can_be_reached_messages_fail_as_with_one() {
    let mut bed = Bed::with_hosts(2, PoolOptions::default());
    bed.submit(1..=5);
    play(&mut bed, &[0, 1], ms(1000));
    let failed = bed.seen().iter().filter(|line| line.starts_with("failed")).count();
    assert_eq!((failed, bed.schedule.jobs.len()), (5, 0));
}

#[test]
fn a_host_that_comes_back_gets_its_share_again() {
    let mut bed = Bed::with_hosts(2, PoolOptions { max_messages: 5, ..PoolOptions::default() });
    bed.submit(0..10);
    play(&mut bed, &[1], ms(10_000));
    bed.wait(ms(31_000));
    bed.submit(100..300);
    let asked = play(&mut bed, &[], ms(60_000));
    assert!(asked[0].abs_diff(asked[1]) <= 4, "{asked:?}");
}

#[test]
fn a_host_that_never_answers_keeps_one_slot_and_the_other_carries_on() {
    let mut bed = Bed::with_hosts(2, PoolOptions { login: true, max_messages: 5, ..PoolOptions::default() });
    bed.submit(0..50);
    let mut silent = 0;
    for _ in 0..100 {
        for line in bed.seen() {
            let words: Vec<_> = line.split(' ').collect();
            let number = |at: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or_default();
            match words[0] {
                "open" if number(3) == 0 => silent += 1,
                "open" => bed.ready(number(1)),
                "quit" => bed.gone(number(1)),
                "send" => bed.ok(number(3), number(1)),
                _ => {}
            }
        }
    }
    assert_eq!((silent, bed.schedule.jobs.len()), (1, 0));
}

#[test]
fn limits_are_learned_of_each_host_by_itself() {
    let mut bed = Bed::with_hosts(2, PoolOptions { max_connections: 2, ..PoolOptions::default() });
    bed.submit(1..=9);
    bed.ready(1);
    bed.ready(2);
    bed.ok(1, 1);
    bed.back(1, 3, refused(SESSION), true);
    bed.back(2, 2, refused(THROTTLED), false);
    bed.end(3, Some(refused(CONNECTIONS).at(Phase::Greeting)), false);
    let now = bed.now;
    let targets = bed.schedule.snapshot(now).targets;
    let [first, second] = [targets[0].learned, targets[1].learned];
    assert_eq!((first.messages, first.rate, first.connections), (Some(1), None, Some(1)));
    assert_eq!((second.messages, second.connections), (None, None));
    assert!(second.rate.is_some());
}

#[test]
fn a_host_that_wants_fewer_messages_does_not_slow_the_other() {
    let mut bed = Bed::with_hosts(2, PoolOptions { max_connections: 2, ..PoolOptions::default() });
    bed.submit(1..=40);
    bed.ready(1);
    bed.ready(2);
    bed.back(1, 1, refused(THROTTLED), false);
    for id in 2..=20 {
        let held: Vec<_> = bed.schedule.connections[&2].in_flight.clone();
        assert_eq!(held.len(), 1, "the second host always has one, before {id}");
        bed.ok(2, held[0]);
    }
    bed.wait(ms(5000));
    assert!(!bed.schedule.connections[&1].in_flight.is_empty(), "the first goes on at its pace");
}

#[test]
fn a_wrong_password_is_tried_once_at_each_host() {
    let mut bed = Bed::with_hosts(2, PoolOptions { login: true, ..PoolOptions::default() });
    bed.submit(1..=20);
    bed.end(1, Some(bad_password()), false);
    assert!(bed.seen().iter().all(|line| !line.starts_with("failed")), "the other may take it");
    bed.end(2, Some(bad_password()), false);
    let lines = bed.seen();
    assert_eq!(lines.iter().filter(|line| line.starts_with("failed")).count(), 20, "{lines:?}");
}
