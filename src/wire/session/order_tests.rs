//! Servers that are honest but for one reply too many or too few: what is claimed stays true.

use proptest::prelude::*;

use super::super::reply::Reply;
use super::*;

/// How a server words what went well.
#[derive(Clone, Copy, Debug)]
struct Wording {
    reset: &'static str,
    mail: &'static str,
    rcpt: &'static str,
    taken: &'static str,
}

const POSTFIX: Wording = Wording {
    reset: "250 2.0.0 Ok",
    mail: "250 2.1.0 Ok",
    rcpt: "250 2.1.5 Ok",
    taken: "250 2.0.0 Ok: 9 bytes queued as 4X1",
};
const EXIM: Wording =
    Wording { reset: "250 Reset OK", mail: "250 OK", rcpt: "250 Accepted", taken: "250 OK id=1s-1" };
/// Only the final reply is told from the others.
const PLAIN: Wording =
    Wording { reset: "250 ok", mail: "250 ok", rcpt: "250 ok", taken: "250 ok queued as 7" };
/// Nothing is told apart.
const MUTE: Wording = Wording { taken: "250 ok", ..PLAIN };

/// What the server thinks of a message.
#[derive(Clone, Debug)]
struct Fate {
    sender: bool,
    recipients: Vec<bool>,
    body: bool,
}

impl Fate {
    fn delivered(&self) -> Vec<String> {
        let taken = self.sender && self.body;
        let recipients = self.recipients.iter().enumerate();
        recipients.filter(|(_, is_taken)| taken && **is_taken).map(|(at, _)| format!("r{at}@x")).collect()
    }

    fn replies(&self, wording: Wording) -> Vec<&'static str> {
        let mut replies = vec![if self.sender { wording.mail } else { "550 5.7.1 no" }];
        replies.extend(self.recipients.iter().map(|is_taken| match (self.sender, is_taken) {
            (true, true) => wording.rcpt,
            (true, false) => "550 5.1.1 nobody",
            (false, _) => "503 5.5.1 no sender",
        }));
        let nobody = !self.sender || !self.recipients.contains(&true);
        replies.push(match (nobody, self.body) {
            (true, _) => "554 5.5.1 no valid recipients",
            (false, true) => wording.taken,
            (false, false) => "554 5.7.1 spam",
        });
        replies.push(wording.reset);
        replies
    }
}

fn any_fate() -> impl Strategy<Value = Fate> {
    let mostly = || prop::bool::weighted(0.8);
    (mostly(), prop::collection::vec(mostly(), 1..4), mostly()).prop_map(|(sender, recipients, body)| Fate {
        sender,
        recipients,
        body,
    })
}

/// All messages in flight at once, then these replies, then the end.
fn run(fates: &[Fate], replies: &[&str]) -> Vec<Outcome> {
    let options = SessionOptions { lmtp: false, pipelining: true, chunking: true, window: 8, log: false };
    let mut session = Session::new(options);
    for (id, fate) in (0..).zip(fates) {
        let to = (0..fate.recipients.len()).map(|at| format!("r{at}@x")).collect();
        let envelope = Envelope { from: "a@x".into(), to, ..Envelope::default() };
        session.submit(id, envelope, MailParams::default(), Some(4));
        session.write_body(b"hi");
        session.end_body();
    }
    session.written(session.output().len());
    let reason = replies.iter().find_map(|text| {
        let code = text[..3].parse().unwrap();
        session.reply(&Reply { code, text: (*text).to_owned() }).err()
    });
    session.lost(&reason.unwrap_or_else(|| Error::new(Code::TimedOut, "Timeout")));
    let settled = std::iter::from_fn(|| session.next_event()).filter_map(|event| match event {
        Event::Settled(_, outcome) => Some(outcome),
        Event::Began(_) | Event::BodyOpen(_) => None,
    });
    settled.collect()
}

/// The messages whose outcome is in doubt; panics at a claim that is not true.
fn judge(fates: &[Fate], outcomes: &[Outcome]) -> usize {
    assert_eq!(fates.len(), outcomes.len());
    let mut in_doubt = 0;
    for (fate, outcome) in fates.iter().zip(outcomes) {
        match outcome {
            Outcome::Accepted(accepted) => assert_eq!(accepted.accepted, fate.delivered()),
            Outcome::Failed(failure) if failure.error.maybe_delivered() => in_doubt += 1,
            Outcome::Failed(_) => assert_eq!(fate.delivered(), Vec::<String>::new(), "claimed as failed"),
        }
    }
    in_doubt
}

fn stream(fates: &[Fate], wording: Wording) -> Vec<&'static str> {
    let replies = fates.iter().flat_map(|fate| fate.replies(wording));
    std::iter::once(wording.reset).chain(replies).collect()
}

#[test]
fn a_surplus_and_then_a_refusal_are_not_given_to_the_wrong_message() {
    let fine = Fate { sender: true, recipients: vec![true, true], body: true };
    let spam = Fate { body: false, ..fine.clone() };
    let partly = Fate { recipients: vec![true, false], ..fine.clone() };
    for wording in [POSTFIX, EXIM, PLAIN] {
        for second in [&spam, &partly, &fine] {
            let fates = [fine.clone(), second.clone(), fine.clone()];
            let mut replies = stream(&fates, wording);
            // Behind the second message's MAIL.
            replies.insert(7, wording.mail);
            assert_eq!(judge(&fates, &run(&fates, &replies)), 2, "{wording:?} {second:?}");
        }
    }
}

#[test]
fn a_server_whose_replies_cannot_be_told_apart_gets_no_second_message_by_bdat() {
    let options = SessionOptions { lmtp: false, pipelining: true, chunking: true, window: 1, log: false };
    let mut session = Session::new(options);
    let envelope = Envelope { from: "a@x".into(), to: vec!["r0@x".into()], ..Envelope::default() };
    for id in 0..2 {
        session.submit(id, envelope.clone(), MailParams::default(), Some(4));
    }
    session.end_body();
    session.written(session.output().len());
    let fate = Fate { sender: true, recipients: vec![true], body: true };
    for text in stream(&[fate], MUTE) {
        session.reply(&Reply { code: 250, text: text.to_owned() }).unwrap();
    }
    assert!(session.gave_up_chunking());
    assert!(session.output().ends_with(b"DATA\r\n"));
}

#[derive(Clone, Copy, Debug)]
enum Slip {
    /// The reply before once more.
    Twice,
    Surplus(&'static str),
    Missing,
}

fn any_slip() -> impl Strategy<Value = Slip> {
    prop_oneof![
        Just(Slip::Twice),
        Just(Slip::Missing),
        prop::sample::select(vec![
            "250 2.0.0 Ok",
            "250 ok",
            "250 Reset OK",
            "550 5.5.2 what",
            "421 4.0.0 bye"
        ])
        .prop_map(Slip::Surplus),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn one_slip_of_the_server_makes_no_claim_untrue(
        fates in prop::collection::vec(any_fate(), 1..7),
        wording in prop::sample::select(vec![POSTFIX, EXIM, PLAIN]),
        slip in any_slip(),
        at in any::<prop::sample::Index>(),
    ) {
        let mut replies = stream(&fates, wording);
        // The first one gives the words the others are known by.
        let at = 1 + at.index(replies.len() - 1);
        match slip {
            Slip::Twice => replies.insert(at, replies[at - 1]),
            Slip::Surplus(text) => replies.insert(at, text),
            Slip::Missing if wording.mail == wording.reset => {}
            Slip::Missing => { replies.remove(at); }
        }
        judge(&fates, &run(&fates, &replies));
    }
}
