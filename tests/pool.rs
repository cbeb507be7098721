//! The pool at work: real connections to a server that breaks where it is told to.

#[path = "pool/kit.rs"]
mod kit;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kit::{Client, Letter, Outcome, server, settings, tasks, until};
use postpool::error::{Code, Phase};
use postpool::pool::{CloseReason, HandshakeOptions, PoolEvent, PoolOptions, RateLimit, Settings};
use postpool_testkit::{Action, Config, Limits, Rule, Sink, Step};

fn all_sent(outcomes: &[(u64, Outcome)]) -> bool {
    outcomes.iter().all(|(_, outcome)| outcome.is_ok())
}

/// Numbers of the messages the server took, in order.
fn delivered(sink: &Sink) -> Vec<u64> {
    let number = |address: &str| address.strip_prefix('m')?.split('@').next()?.parse().ok();
    sink.messages().iter().filter_map(|message| number(&message.to[0].address)).collect()
}

fn sorted(mut ids: Vec<u64>) -> Vec<u64> {
    ids.sort_unstable();
    ids
}

fn single() -> PoolOptions {
    PoolOptions { max_connections: 1, ..PoolOptions::default() }
}

#[tokio::test]
async fn messages_leave_in_order_over_a_connection_that_is_kept() {
    let (sink, settings) = server(Config::default()).await;
    let mut client = Client::new(single(), settings);
    client.submit(0..50);
    assert!(all_sent(&client.settle(50).await));
    assert_eq!(delivered(&sink), (0..50).collect::<Vec<_>>());
    assert_eq!(sink.stats().connections, 1);
}

#[tokio::test]
async fn a_drained_pool_says_goodbye_and_leaves_nothing_running() {
    let (sink, settings) = server(Config::default()).await;
    let before = tasks();
    let mut client = Client::new(PoolOptions::default(), settings);
    client.submit(0..200);
    client.pool().drain();
    let events = client.ended().await;
    let sent =
        events.iter().filter(|event| matches!(event, PoolEvent::Settled { result: Ok(_), .. })).count();
    assert_eq!((sent, sorted(delivered(&sink))), (200, (0..200).collect()));
    sink.closed().await;
    assert_eq!(sink.stats().without_quit, 0);
    until(|| tasks() <= before).await;
}

#[tokio::test]
async fn a_pool_whose_handles_are_dropped_sends_what_it_holds_and_ends() {
    let (sink, settings) = server(Config::default()).await;
    let before = tasks();
    let mut client = Client::new(PoolOptions { min_connections: 2, ..PoolOptions::default() }, settings);
    client.submit(0..20);
    drop(client.pool().clone());
    client.submit(20..40);
    client.handle = None;
    client.ended().await;
    assert_eq!(delivered(&sink).len(), 40);
    sink.closed().await;
    until(|| tasks() <= before).await;
}

#[tokio::test]
async fn an_abandoned_pool_is_gone_at_once() {
    let script = vec![Rule::new(Step::FinalReply, Action::Silence)];
    let (sink, settings) = server(Config { script, ..Config::default() }).await;
    let before = tasks();
    let client = Client::new(PoolOptions::default(), settings);
    client.submit(0..20);
    until(|| sink.stats().messages > 0).await;
    client.pool().abandon();
    sink.closed().await;
    until(|| tasks() <= before).await;
}

#[tokio::test]
async fn a_pool_that_ended_still_answers() {
    let (_sink, settings) = server(Config::default()).await;
    let mut client = Client::new(PoolOptions::default(), settings);
    // These cross the end of the pool or come after it; each is answered.
    client.pool().close(false, 0);
    client.submit([1]);
    client.pool().verify(7);
    let (mut refused, mut verified, mut ended) = (false, false, false);
    while !(refused && verified && ended) {
        match client.event().await {
            PoolEvent::Settled { id: 1, result: Err(_), .. } => refused = true,
            PoolEvent::Verified(7, _) => verified = true,
            PoolEvent::Ended => ended = true,
            _ => {}
        }
    }
    client.submit([2]);
    let (id, outcome) = client.settled().await;
    assert_eq!((id, outcome.map_err(|error| error.code())), (2, Err(Code::Connection)));
    client.pool().verify(8);
    assert!(matches!(client.event().await, PoolEvent::Verified(8, _)));
}

#[tokio::test]
async fn verify_connects_beside_the_pool_and_says_what_is_wrong() {
    let script = vec![Rule::reply(Step::Greeting, "554 5.3.2 no").nth(2)];
    let (sink, settings) = server(Config { script, ..Config::default() }).await;
    let mut client = Client::new(PoolOptions::default(), settings);
    client.pool().verify(1);
    assert!(matches!(client.event().await, PoolEvent::Verified(1, Ok(_))));
    client.pool().verify(2);
    let PoolEvent::Verified(2, Err(error)) = client.event().await else { panic!("a failure") };
    assert_eq!(error.reply_code(), Some(554));
    assert_eq!(sink.stats().messages, 0);
}

#[tokio::test]
async fn a_connection_task_that_panics_fails_its_messages_and_no_others() {
    let (sink, settings) = server(Config::default()).await;
    let mut client = Client::new(PoolOptions { max_connections: 2, ..PoolOptions::default() }, settings);
    client.submit(0..20);
    client.send(Letter { bomb: true, ..Letter::new(99) });
    client.submit(20..40);
    let outcomes = client.settle(41).await;
    let failed: Vec<_> =
        outcomes.iter().filter_map(|(id, outcome)| Some((*id, outcome.as_ref().err()?))).collect();
    let codes: Vec<_> = failed.iter().map(|(_, error)| error.code()).collect();
    assert!(failed.iter().any(|(id, _)| *id == 99), "{failed:?}");
    assert!(codes.iter().all(|code| *code == Code::Internal), "{failed:?}");
    assert!(failed.len() <= 2, "only what was on that connection: {failed:?}");
    let claimed: Vec<_> = outcomes.iter().filter(|(_, o)| o.is_ok()).map(|(id, _)| *id).collect();
    assert!(claimed.iter().all(|id| delivered(&sink).contains(id)));
}

#[tokio::test]
async fn an_owner_that_panics_hears_of_it_and_later_messages_are_answered() {
    let (sink, settings) = server(Config::default()).await;
    let mut client = Client::new(PoolOptions::default(), settings);
    client.bomb.store(true, Ordering::Relaxed);
    client.submit(0..5);
    while !matches!(client.event().await, PoolEvent::Crashed(_)) {}
    client.submit([9]);
    assert!(matches!(client.settled().await, (9, Err(_))));
    sink.closed().await;
}

#[tokio::test]
async fn connections_that_keep_breaking_do_not_starve_the_pool() {
    let script = vec![
        Rule::new(Step::Mail, Action::Rst).every(5),
        Rule::new(Step::Data, Action::Fin).every(7),
        Rule::new(Step::Rcpt, Action::Bye).every(11),
        Rule::new(Step::Greeting, Action::Fin).every(6),
    ];
    let (sink, settings) = server(Config { script, ..Config::default() }).await;
    let options = PoolOptions { max_requeues: None, ..PoolOptions::default() };
    let mut client = Client::new(options, settings);
    client.submit(0..300);
    let outcomes = client.settle(300).await;
    assert!(all_sent(&outcomes), "{outcomes:?}");
    assert_eq!(sorted(delivered(&sink)), (0..300).collect::<Vec<_>>());
}

#[tokio::test]
async fn close_at_any_moment_settles_everything_once() {
    for events_before in [0, 1, 3, 10, 40, 80] {
        for force in [false, true] {
            let (sink, settings) = server(Config::default()).await;
            let mut client = Client::new(PoolOptions::default(), settings);
            client.submit(0..100);
            let mut settled = Vec::new();
            let mut note = |event: &PoolEvent| {
                if let PoolEvent::Settled { id, result, .. } = event {
                    settled.push((*id, result.is_ok(), result.as_ref().is_err_and(|e| e.maybe_delivered())));
                }
            };
            for _ in 0..events_before {
                note(&client.event().await);
            }
            client.pool().close(force, 5);
            client.pool().close(force, 5);
            client.ended().await.iter().for_each(note);
            sink.closed().await;
            settled.sort_unstable();
            assert_eq!(settled.iter().map(|(id, ..)| *id).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
            let taken = sorted(delivered(&sink));
            let claimed = |id: &u64| settled.iter().any(|(other, ok, doubt)| other == id && (*ok || *doubt));
            assert!(taken.iter().all(claimed), "delivered and called failed");
            assert!(
                settled.iter().all(|(id, ok, _)| !ok || taken.contains(id)),
                "called sent and not delivered"
            );
        }
    }
}

#[tokio::test]
async fn a_message_can_be_given_up_wherever_it_is() {
    let steps = [
        Step::Connect,
        Step::Greeting,
        Step::Ehlo,
        Step::Mail,
        Step::Rcpt,
        Step::Data,
        Step::EndOfData,
        Step::FinalReply,
    ];
    for step in steps {
        let script = vec![Rule::new(step, Action::Silence).once()];
        let (sink, settings) = server(Config { script, ..Config::default() }).await;
        let before = tasks();
        let mut client = Client::new(single(), settings);
        client.submit([1]);
        until(|| sink.stats().faults == 1).await;
        client.pool().cancel(1);
        let (id, outcome) = client.settled().await;
        let error = outcome.expect_err("a message given up");
        assert_eq!((id, error.code()), (1, Code::Abort), "{step:?}");
        let in_doubt = matches!(step, Step::EndOfData | Step::FinalReply);
        assert_eq!(error.phase() == Some(Phase::InDoubt), in_doubt, "{step:?}");
        client.pool().cancel(1);
        client.pool().close(true, 0);
        client.ended().await;
        sink.closed().await;
        until(|| tasks() <= before).await;
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_costs_one_message_and_not_those_behind_it() {
    let script = vec![Rule::new(Step::Data, Action::Silence).once()];
    let (sink, settings) = server(Config { script: script.clone(), ..Config::default() }).await;
    let settings = Settings { socket_timeout: Duration::from_millis(200), ..settings };
    let options = PoolOptions { max_requeues: Some(1), ..single() };
    for cancelled in [false, true] {
        let mut client = Client::new(options.clone(), settings.clone());
        client.submit(1..=5);
        until(|| sink.stats().faults == 1).await;
        if cancelled {
            client.pool().cancel(1);
        }
        let outcomes = client.settle(5).await;
        let code = outcomes[0].1.as_ref().err().map(|error| error.code());
        assert_eq!(code, Some(if cancelled { Code::Abort } else { Code::TimedOut }));
        assert!(all_sent(&outcomes[1..]), "{outcomes:?}");
        assert_eq!(sorted(delivered(&sink)), [2, 3, 4, 5]);
        sink.reset();
        sink.set_script(script.clone());
    }
}

#[tokio::test]
async fn a_server_that_closes_idle_connections_is_never_seen_by_the_caller() {
    for action in [Action::Fin, Action::Rst, Action::Bye] {
        let script = vec![Rule::new(Step::Idle, action.clone()).after(1)];
        let (sink, settings) = server(Config { script, ..Config::default() }).await;
        let mut client = Client::new(single(), settings);
        for id in 1..=10 {
            client.submit([id]);
            let (_, outcome) = client.settled().await;
            assert!(outcome.is_ok(), "{action:?}: {outcome:?}");
            until(|| sink.stats().open == 0 || id % 3 == 0).await;
        }
        assert_eq!(sorted(delivered(&sink)), (1..=10).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_session_limit_is_learned_and_invisible() {
    let limits = Limits { mail_max: Some(4), advertise: false, ..Limits::default() };
    let (sink, settings) = server(Config { limits, ..Config::default() }).await;
    let mut client = Client::new(PoolOptions { max_requeues: Some(1), ..single() }, settings);
    client.submit(0..40);
    assert!(all_sent(&client.settle(40).await));
    assert_eq!(sorted(delivered(&sink)), (0..40).collect::<Vec<_>>());
    let stats = sink.stats();
    assert!(stats.mail <= 44, "{} MAIL commands for 40 messages", stats.mail);
}

#[tokio::test]
async fn generations_never_mix() {
    let (sink, first) = server(Config::default()).await;
    let named = |name: &str| Settings {
        handshake: HandshakeOptions { name: name.into(), ..HandshakeOptions::default() },
        ..first.clone()
    };
    let mut client = Client::new(PoolOptions::default(), named("old.test"));
    client.submit(0..50);
    for _ in 0..20 {
        assert!(client.settled().await.1.is_ok());
    }
    client.pool().rotate(vec![Arc::new(named("new.test"))]);
    client.submit(50..100);
    client.settle(80).await;
    let rotated_before = |id: u64| id < 50;
    for message in sink.messages() {
        let id: u64 =
            message.to[0].address[1..].split('@').next().and_then(|n| n.parse().ok()).unwrap_or_default();
        assert!(message.hello == "new.test" || rotated_before(id), "{id} left under {}", message.hello);
    }
    assert_eq!(sink.messages().len(), 100);
}

#[tokio::test]
async fn a_rate_limit_holds_while_connections_break() {
    let script = vec![Rule::new(Step::FinalReply, Action::ReplyFin).every(2)];
    let (sink, settings) = server(Config { script, record: true, ..Config::default() }).await;
    let rate = RateLimit { limit: 4, delta: Duration::from_millis(200) };
    let mut client = Client::new(PoolOptions { rate: Some(rate), ..PoolOptions::default() }, settings);
    let started = std::time::Instant::now();
    client.submit(0..20);
    assert!(all_sent(&client.settle(20).await));
    assert!(started.elapsed() >= Duration::from_millis(800), "{:?}", started.elapsed());
    assert_eq!(sink.stats().messages, 20);
}

#[tokio::test]
async fn of_two_hosts_the_one_that_breaks_harms_no_message() {
    for action in [Action::Rst, Action::Fin, Action::Reply("421 4.3.0 not today".into())] {
        let script = vec![Rule::new(Step::Greeting, action)];
        let (broken, first) = server(Config { script, ..Config::default() }).await;
        let (sink, second) = server(Config::default()).await;
        let options = PoolOptions { max_messages: 10, max_requeues: Some(0), ..PoolOptions::default() };
        let mut client = Client::with_hosts(options, vec![first, second]);
        client.submit(0..100);
        assert!(all_sent(&client.settle(100).await));
        assert_eq!(sorted(delivered(&sink)), (0..100).collect::<Vec<_>>());
        assert!(broken.stats().connections > 0);
    }
}

#[tokio::test]
async fn a_closed_port_fails_with_the_systems_words() {
    let (sink, found) = server(Config::default()).await;
    drop(sink);
    let mut client = Client::new(single(), settings(found.target.port));
    client.submit([1]);
    let (_, outcome) = client.settled().await;
    let error = outcome.expect_err("nobody listens");
    assert_eq!(error.system_error().map(|system| system.code.as_str()), Some("ECONNREFUSED"));
    client.pool().drain();
    let events = client.ended().await;
    let closed =
        |event: &PoolEvent| matches!(event, PoolEvent::Closed { reason: CloseReason::ConnectFailed, .. });
    assert!(events.iter().filter(|event| closed(event)).count() <= 1, "{events:?}");
}
