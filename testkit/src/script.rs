//! The script: where, when and how the sink misbehaves.
//!
//! A [`Rule`] names a [`Step`] of the session, conditions that all have to hold, and an
//! [`Action`]. The first rule that applies decides; delays of rules before it add up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point of the session at which a rule can apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Step {
    /// The connection is open, the greeting not yet written.
    Connect,
    /// The greeting.
    Greeting,
    /// EHLO, HELO or LHLO.
    Ehlo,
    /// STARTTLS, before the handshake.
    Starttls,
    /// The TLS handshake, once the client has begun it.
    Tls,
    /// AUTH, before the exchange.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT; `k` counts the recipients of the transaction.
    Rcpt,
    /// DATA.
    Data,
    /// The body, once more than `after` octets of it came.
    Body,
    /// A chunk of BDAT was read; `k` counts the chunks of the message.
    Bdat,
    /// End-of-data came. What closes, resets or falls silent here has not accepted the message.
    EndOfData,
    /// The reply to end-of-data. The message is accepted first, unless the action is a refusal or
    /// a 421. In LMTP `k` counts the replies.
    FinalReply,
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
    /// Nothing came for `after` milliseconds between two transactions.
    Idle,
    /// Any command: EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, BDAT, RSET, NOOP, QUIT.
    Any,
}

impl Step {
    fn is_command(self) -> bool {
        !matches!(
            self,
            Self::Connect
                | Self::Greeting
                | Self::Tls
                | Self::Body
                | Self::EndOfData
                | Self::FinalReply
                | Self::Idle
        )
    }
}

/// What the sink does at a step. "The reply" is what it would have said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Action {
    /// Close without a reply.
    Fin,
    /// Tear the connection down without a reply.
    Rst,
    /// Reply 421 and close.
    #[serde(rename = "421")]
    Bye,
    /// Reply this: code, text, lines separated by `\n`. A positive reply (2xx, for DATA 3xx)
    /// replaces the words only, any other refuses.
    Reply(String),
    /// Write a line that is no reply.
    Garbage,
    /// Write these characters instead of the reply, which `{reply}` stands for.
    Raw(String),
    /// Write the reply and one reply too many.
    Extra,
    /// Write the reply and, with it, the reply to whatever comes next.
    Early,
    /// Write the reply octet by octet.
    Split,
    /// Write the reply octet by octet, this many milliseconds apart.
    Drip(u64),
    /// Write this many octets of the reply, then end like this.
    Cut {
        /// Octets written.
        bytes: usize,
        /// What follows.
        then: End,
    },
    /// Write the reply, then close.
    ReplyFin,
    /// Say nothing any more, but go on reading.
    Silence,
    /// Neither read nor write any more.
    Stall,
    /// Go on after this many milliseconds.
    Delay(u64),
}

/// How a reply that was cut off ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Close.
    Fin,
    /// Tear the connection down.
    Rst,
    /// Say nothing any more.
    Silence,
}

/// One line of a script. A condition that is absent always holds; all count from 1.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Rule {
    /// Where.
    pub at: Step,
    /// What.
    #[serde(rename = "do")]
    pub action: Action,
    /// Which recipient, chunk or LMTP reply.
    #[serde(default)]
    pub k: Option<u64>,
    /// Which connection of the sink.
    #[serde(default)]
    pub connection: Option<u64>,
    /// Which MAIL of the connection; 0 is the time before the first.
    #[serde(default)]
    pub message: Option<u64>,
    /// Which address, `*` for any characters: the recipient at RCPT, the sender at MAIL, one of
    /// them later on. Case does not matter.
    #[serde(default)]
    pub address: Option<String>,
    /// Octets of the body, or milliseconds of idleness.
    #[serde(default)]
    pub after: u64,
    /// Only the nth time that everything above holds.
    #[serde(default)]
    pub nth: Option<u64>,
    /// Every nth time that everything above holds.
    #[serde(default)]
    pub every: Option<u64>,
    /// At most so often.
    #[serde(default)]
    pub times: Option<u64>,
    /// Share of the cases, 0 to 1.
    #[serde(default)]
    pub probability: Option<f64>,
}

impl Rule {
    /// A rule without conditions.
    pub fn new(at: Step, action: Action) -> Self {
        Self {
            at,
            action,
            k: None,
            connection: None,
            message: None,
            address: None,
            after: 0,
            nth: None,
            every: None,
            times: None,
            probability: None,
        }
    }

    /// A refusal: `Rule::reply(Step::Mail, "451 4.3.0 Later")`.
    pub fn reply(at: Step, reply: impl Into<String>) -> Self {
        Self::new(at, Action::Reply(reply.into()))
    }

    /// The kth recipient, chunk or LMTP reply only.
    #[must_use]
    pub fn k(mut self, k: u64) -> Self {
        self.k = Some(k);
        self
    }

    /// The nth connection only.
    #[must_use]
    pub fn on_connection(mut self, connection: u64) -> Self {
        self.connection = Some(connection);
        self
    }

    /// The nth message of a connection only.
    #[must_use]
    pub fn on_message(mut self, message: u64) -> Self {
        self.message = Some(message);
        self
    }

    /// Addresses of this form only.
    #[must_use]
    pub fn matching(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// After so many octets of the body, or milliseconds of idleness.
    #[must_use]
    pub fn after(mut self, after: u64) -> Self {
        self.after = after;
        self
    }

    /// The nth time only.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = Some(nth);
        self
    }

    /// Every nth time.
    #[must_use]
    pub fn every(mut self, every: u64) -> Self {
        self.every = Some(every);
        self
    }

    /// Once only.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.times = Some(1);
        self
    }

    /// In this share of the cases.
    #[must_use]
    pub fn with_probability(mut self, probability: f64) -> Self {
        self.probability = Some(probability);
        self
    }

    fn holds(&self, moment: &Moment<'_>) -> bool {
        let is = |wanted: Option<u64>, actual| wanted.is_none_or(|wanted| wanted == actual);
        let step = self.at == moment.step || (self.at == Step::Any && moment.step.is_command());
        step && is(self.k, moment.k)
            && is(self.connection, moment.connection)
            && is(self.message, moment.message)
            && self.address.as_deref().is_none_or(|form| moment.addresses.iter().any(|a| glob(form, a)))
    }
}

/// Where a session is.
#[derive(Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) step: Step,
    pub(crate) k: u64,
    pub(crate) connection: u64,
    pub(crate) message: u64,
    pub(crate) addresses: &'a [&'a str],
}

/// What the script says about a moment.
#[derive(Debug, Default)]
pub(crate) struct Fired {
    pub(crate) delay: Duration,
    pub(crate) action: Option<Action>,
    /// The rule's `after`.
    pub(crate) after: u64,
}

/// The rules of a sink and how often each has applied.
#[derive(Debug)]
pub(crate) struct Script {
    armed: AtomicBool,
    state: Mutex<State>,
    seed: u64,
}

#[derive(Debug)]
struct State {
    rules: Vec<(Rule, Tally)>,
    random: u64,
}

#[derive(Debug, Default)]
struct Tally {
    held: u64,
    fired: u64,
}

impl Script {
    pub(crate) fn new(rules: Vec<Rule>, seed: u64) -> Self {
        let state = Mutex::new(State { rules: Vec::new(), random: seed });
        let script = Self { armed: AtomicBool::new(false), state, seed };
        script.set(rules);
        script
    }

    /// Replaces the rules and forgets what was counted.
    pub(crate) fn set(&self, rules: Vec<Rule>) {
        let mut state = self.lock();
        self.armed.store(!rules.is_empty(), Ordering::Release);
        state.random = self.seed;
        state.rules = rules.into_iter().map(|rule| (rule, Tally::default())).collect();
    }

    /// Whether there is any rule; free of locks, for the sessions that have none.
    pub(crate) fn armed(&self) -> bool {
        self.armed.load(Ordering::Acquire)
    }

    /// Applies the rules to a moment.
    pub(crate) fn fire(&self, moment: &Moment<'_>) -> Fired {
        let mut state = self.lock();
        let State { rules, random } = &mut *state;
        let mut fired = Fired::default();
        for (rule, tally) in rules.iter_mut().filter(|(rule, _)| rule.holds(moment)) {
            if !tally.due(rule, random) {
                continue;
            }
            if let Action::Delay(ms) = rule.action {
                fired.delay += Duration::from_millis(ms);
                continue;
            }
            fired.action = Some(rule.action.clone());
            fired.after = rule.after;
            break;
        }
        fired
    }

    /// The shortest idleness a rule waits for, without counting it as a case.
    pub(crate) fn idle_after(&self, moment: &Moment<'_>) -> Option<Duration> {
        let state = self.lock();
        let waits = state.rules.iter().filter(|(rule, tally)| rule.holds(moment) && !tally.spent(rule));
        waits.map(|(rule, _)| Duration::from_millis(rule.after)).min()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    /// Counts a case and says whether the rule applies to it.
    fn due(&mut self, rule: &Rule, random: &mut u64) -> bool {
        self.held += 1;
        let chosen = rule.nth.is_none_or(|nth| nth == self.held)
            && rule.every.is_none_or(|every| every > 0 && self.held.is_multiple_of(every))
            && rule.times.is_none_or(|times| self.fired < times)
            && rule.probability.is_none_or(|share| uniform(random) < share);
        self.fired += u64::from(chosen);
        chosen
    }

    fn spent(&self, rule: &Rule) -> bool {
        rule.times.is_some_and(|times| self.fired >= times) || rule.nth.is_some_and(|nth| self.held >= nth)
    }
}

/// A number in 0..1 (SplitMix64): the same for the same seed everywhere.
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Whether `text` has the form `pattern`, in which `*` stands for any characters.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(found) = rest.find(part) else { return false };
        rest = &rest[found + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment<'a>(step: Step, addresses: &'a [&'a str]) -> Moment<'a> {
        Moment { step, k: 1, connection: 1, message: 1, addresses }
    }

    fn fires(script: &Script, times: usize) -> Vec<bool> {
        (0..times).map(|_| script.fire(&moment(Step::Mail, &["a@b"])).action.is_some()).collect()
    }

    #[test]
    fn patterns_match_as_a_whole_and_without_case() {
        for (pattern, text, expected) in [
            ("a@b", "A@B", true),
            ("a@b", "a@bc", false),
            ("*@bad.test", "x@bad.test", true),
            ("*@bad.test", "x@bad.test.org", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("*", "", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn conditions_of_number_count_the_cases_that_hold() {
        let refuse = || Rule::reply(Step::Mail, "451 no");
        for (rule, expected) in [
            (refuse().nth(2), [false, true, false, false]),
            (refuse().every(2), [false, true, false, true]),
            (refuse().once(), [true, false, false, false]),
            (refuse().matching("*@c"), [false; 4]),
            (refuse().on_connection(2), [false; 4]),
            (refuse().k(1), [true; 4]),
            (Rule::reply(Step::Any, "451 no"), [true; 4]),
            (Rule::reply(Step::Body, "451 no"), [false; 4]),
        ] {
            let script = Script::new(vec![rule.clone()], 1);
            assert_eq!(fires(&script, 4), expected, "{rule:?}");
        }
    }

    #[test]
    fn a_probability_is_kept_and_repeats_with_its_seed() {
        let script = |seed| Script::new(vec![Rule::reply(Step::Mail, "451 no").with_probability(0.1)], seed);
        let refused = fires(&script(7), 10_000);
        let share = refused.iter().filter(|refused| **refused).count();
        assert!((900..1100).contains(&share), "{share} of 10000");
        assert_eq!(refused, fires(&script(7), 10_000));
        assert_ne!(refused, fires(&script(8), 10_000));
    }

    #[test]
    fn delays_add_up_to_the_action_behind_them() {
        let delay = |ms| Rule::new(Step::Mail, Action::Delay(ms));
        let script = Script::new(vec![delay(5), delay(7), Rule::new(Step::Mail, Action::Fin), delay(9)], 1);
        let fired = script.fire(&moment(Step::Mail, &[]));
        assert_eq!((fired.delay, fired.action), (Duration::from_millis(12), Some(Action::Fin)));
    }

    #[test]
    fn rules_are_read_from_json() {
        let rules: Vec<Rule> = serde_json::from_str(
            r#"[
                {"at":"connect","do":"421"},
                {"at":"final-reply","do":{"cut":{"bytes":3,"then":"rst"}},"message":2},
                {"at":"rcpt","do":{"reply":"550 no"},"k":2,"address":"*@x"},
                {"at":"body","do":{"drip":10},"after":100}
            ]"#,
        )
        .expect("a valid script");
        assert_eq!(rules[0].action, Action::Bye);
        assert_eq!(rules[1].action, Action::Cut { bytes: 3, then: End::Rst });
        assert_eq!(rules[3].after, 100);
        assert!(serde_json::from_str::<Rule>(r#"{"at":"mail","do":"fin","typo":1}"#).is_err());
    }
}
