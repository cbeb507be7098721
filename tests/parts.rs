//! More recipients than the server takes at once (RFC 9422 RCPTMAX), and a connection that ends
//! between the parts: everybody gets the message once, and the caller is told of it once.

mod support;

use std::time::Duration;

use postpool::connection::Pipelining;
use postpool::error::{Error, Phase, Refusal, Result};
use postpool::mail::Receipt;
use postpool::pool::PoolOptions;
use postpool_testkit::{Action, Config, End, Limits, Rule, Sink, Step};
use support::{Letter, Office, Waits, settings};

const TO: [&str; 5] = ["r1@x", "r2@x", "r3@x", "r4@x", "r5@x"];
const WAITS: Waits = Waits(Duration::from_secs(5));
/// Rungs 0, 1, 2 and 3.
const RUNGS: [Pipelining; 4] =
    [Pipelining::Off, Pipelining::Window(1), Pipelining::Window(2), Pipelining::Window(8)];

/// Sends one letter to five recipients, two at once; gives the outcome and who got it.
async fn run(script: Vec<Rule>, pipelining: Pipelining, pool: PoolOptions) -> (Result<Receipt>, Vec<String>) {
    let limits = Limits { rcpt_max: Some(2), ..Limits::default() };
    let config = Config { limits, script, chunking: true, ..Config::default() };
    let sink = Sink::new(config).expect("a valid configuration");
    let address = sink.listen("127.0.0.1:0").await.expect("a free port");
    let mut office = Office::open(pool, settings(address, pipelining, WAITS));
    let outcome = office.deliver(Letter::new("<1@x>", "from@x", &TO, 300)).await;
    assert!(office.close().await);
    assert!(office.close().await);
    let mut got: Vec<_> =
        sink.messages().into_iter().flat_map(|message| message.to).map(|to| to.address).collect();
    got.sort_unstable();
    (outcome, got)
}

/// At the second part, over the first connection.
fn second(step: Step, action: Action) -> Vec<Rule> {
    vec![Rule::new(step, action).on_connection(1).on_message(2)]
}

fn sorted(recipients: &[String]) -> Vec<&str> {
    let mut recipients: Vec<_> = recipients.iter().map(String::as_str).collect();
    recipients.sort_unstable();
    recipients
}

fn names(refusals: &[Refusal]) -> Vec<&str> {
    refusals.iter().map(|refusal| refusal.recipient.as_str()).collect()
}

fn is_in_doubt(error: &Error) -> bool {
    error.phase() == Some(Phase::InDoubt) && error.maybe_delivered()
}

#[tokio::test]
async fn parts_that_were_not_sent_go_over_another_connection() {
    let bye = || Action::Reply("421 4.7.0 Enough".into());
    for (step, action) in [
        (Step::Mail, Action::Fin),
        (Step::Mail, Action::Rst),
        (Step::Mail, Action::Bye),
        (Step::Rcpt, Action::Fin),
        (Step::Rcpt, bye()),
        (Step::Data, Action::Fin),
        (Step::FinalReply, Action::Bye),
    ] {
        for pipelining in &RUNGS[..3] {
            let case = format!("{step:?} {action:?} {pipelining:?}");
            let script = second(step, action.clone());
            let (outcome, got) = run(script, *pipelining, PoolOptions::default()).await;
            let receipt = outcome.unwrap_or_else(|error| panic!("{case}: {error:?}"));
            assert_eq!(sorted(&receipt.accepted), TO, "{case}");
            assert!(receipt.refused.is_empty(), "{case}");
            assert_eq!(receipt.envelope.to, TO, "{case}");
            assert_eq!(got, TO, "{case}");
        }
    }
}

#[tokio::test]
async fn a_part_in_doubt_puts_the_message_in_doubt_and_the_others_get_it() {
    let ahead = (Step::Mail, Action::Fin, &RUNGS[3..]);
    let ended = (Step::EndOfData, Action::Fin, &RUNGS[..]);
    let taken = (Step::FinalReply, Action::Cut { bytes: 2, then: End::Rst }, &RUNGS[..]);
    for (step, action, rungs) in [ahead, ended, taken] {
        for pipelining in rungs {
            let case = format!("{step:?} {action:?} {pipelining:?}");
            let script = second(step, action.clone());
            let (outcome, got) = run(script, *pipelining, PoolOptions::default()).await;
            let error = outcome.expect_err(&case);
            assert!(is_in_doubt(&error), "{case}: {error:?}");
            assert_eq!(sorted(error.taken_for()), ["r1@x", "r2@x", "r5@x"], "{case}");
            assert_eq!(names(error.refused()), ["r3@x", "r4@x"], "{case}");
            assert!(error.refused().iter().all(|refusal| is_in_doubt(&refusal.error)), "{case}");
            let arrived = if step == Step::FinalReply { &TO[..] } else { &["r1@x", "r2@x", "r5@x"] };
            assert_eq!(got, arrived, "{case}");
        }
    }
}

#[tokio::test]
async fn a_part_in_doubt_goes_again_where_the_caller_wants_that() {
    let pool = PoolOptions { retry_in_doubt: true, ..PoolOptions::default() };
    let script = second(Step::EndOfData, Action::Fin);
    let (outcome, got) = run(script, Pipelining::Window(2), pool).await;
    assert_eq!(sorted(&outcome.expect("sent").accepted), TO);
    assert_eq!(got, TO);
}

#[tokio::test]
async fn parts_that_never_get_through_are_refused_and_the_rest_was_sent() {
    let script = vec![Rule::new(Step::Rcpt, Action::Fin).matching("r3@x")];
    for max_requeues in [0, 2] {
        let pool = PoolOptions { max_requeues: Some(max_requeues), ..PoolOptions::default() };
        let (outcome, got) = run(script.clone(), Pipelining::Window(1), pool).await;
        let receipt = outcome.expect("sent");
        assert_eq!(sorted(&receipt.accepted), ["r1@x", "r2@x"]);
        assert_eq!(names(&receipt.refused), ["r3@x", "r4@x", "r5@x"]);
        assert!(receipt.refused.iter().all(|refusal| refusal.error.phase() == Some(Phase::Envelope)));
        assert_eq!(got, ["r1@x", "r2@x"]);
    }
}

#[tokio::test]
async fn a_refused_part_leaves_the_others_as_they_are() {
    let script = second(Step::EndOfData, Action::Reply("554 5.7.1 Spam".into()));
    for pipelining in RUNGS {
        let (outcome, got) = run(script.clone(), pipelining, PoolOptions::default()).await;
        let receipt = outcome.expect("sent");
        assert_eq!(sorted(&receipt.accepted), ["r1@x", "r2@x", "r5@x"]);
        assert_eq!(names(&receipt.refused), ["r3@x", "r4@x"]);
        assert!(receipt.refused.iter().all(|refusal| refusal.error.phase() == Some(Phase::Rejected)));
        assert_eq!(got, ["r1@x", "r2@x", "r5@x"]);
    }
}

#[tokio::test]
async fn a_connection_that_is_used_up_sends_all_parts_before_it_goes() {
    for pipelining in RUNGS {
        let pool = PoolOptions { max_messages: 1, max_requeues: Some(0), ..PoolOptions::default() };
        let (outcome, got) = run(Vec::new(), pipelining, pool).await;
        assert_eq!(sorted(&outcome.expect("sent").accepted), TO);
        assert_eq!(got, TO);
    }
}
