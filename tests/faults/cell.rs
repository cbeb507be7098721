//! One cell: a server with one fault, a pool, a handful of messages, and the comparison of what
//! was claimed with what arrived.

use std::fmt;
use std::time::Duration;

use postpool::error::{Error, Result};
use postpool::mail::Receipt;
use postpool::pool::PoolOptions;
use postpool_testkit::{Auth, Config, Message, Rule, Sink, Step};
use tokio::time::{sleep, timeout};

use crate::axes::{Fault, Place, Rung};
use crate::support::{Letter, Office, PATIENCE, Waits, credentials, settings};

/// Messages in each half of a run.
const HALF: usize = 3;
/// The message the fault strikes, where it strikes one.
const VICTIM: usize = 2;
const SMALL: usize = 2000;
/// More than the engine puts into one chunk, and more than it pushes before anyone accepted.
const LARGE: usize = 1024 * 1024 + 200_000;

/// A point of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) rung: Rung,
    pub(crate) place: Place,
    pub(crate) fault: Fault,
}

/// How the messages of a cell ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) sent: usize,
    pub(crate) failed: usize,
    pub(crate) in_doubt: usize,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {} / {}", self.rung.name(), self.place.name(), self.fault.name())
    }
}

impl Cell {
    /// `None` where the fault has no meaning: nothing is said in the middle of a body that could
    /// be said too slowly, and only what comes before its end can shift the verdict on a message.
    pub(crate) fn new(place: Place, fault: Fault, rung: Rung) -> Option<Self> {
        let mute = place == Place::MidBody && matches!(fault, Fault::Split | Fault::Drip);
        let late = fault == Fault::Shift && !matches!(place, Place::Mail | Place::Rcpt | Place::Data);
        (!mute && !late).then_some(Self { rung, place, fault })
    }

    /// Runs the cell and says what was wrong, if anything.
    pub(crate) async fn run(self) -> Result<Tally, String> {
        let sink = Sink::new(self.server()).map_err(|error| error.to_string())?;
        let address = sink.listen("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let waits = Waits(Duration::from_millis(if self.fault.is_slow() { 600 } else { 5000 }));
        let mut settings = settings(address, self.rung.pipelining(), waits);
        if self.place == Place::Auth {
            settings.handshake.credentials = Some(credentials("user", "password"));
        }
        let mut office = Office::open(self.pool(), settings);

        let mut letters: Vec<Letter> = (0..2 * HALF).map(|n| self.letter(n)).collect();
        for letter in &letters[..HALF] {
            office.post(letter.clone());
        }
        if self.place == Place::Idle {
            ensure(office.settle().await, "a message has no outcome")?;
            struck(&sink).await?;
        }
        for letter in &letters[HALF..] {
            office.post(letter.clone());
        }
        ensure(office.settle().await, "a message has no outcome")?;
        struck(&sink).await?;
        let probe = Letter::new("<probe@faults.test>", "probe@faults.test", &["probe@to.test"], SMALL);
        let next = office.deliver(probe.clone()).await;
        letters.push(probe);
        ensure(next.is_ok(), format!("the next message failed: {next:?}"))?;
        ensure(office.close().await, "the pool does not end")?;
        ensure(timeout(PATIENCE, sink.closed()).await.is_ok(), "a connection stays open")?;
        self.judge(&letters, &office, &sink.messages())
    }

    fn server(self) -> Config {
        let mut script = vec![self.place.rule(self.fault, self.rung)];
        if self.place == Place::Rset {
            // A transaction without a taker has to be closed by RSET on every rung.
            script.push(Rule::reply(Step::Rcpt, "550 5.1.1 Nobody").matching("*victim*"));
        }
        if self.fault == Fault::Shift {
            script.push(Rule::reply(Step::EndOfData, "554 5.7.1 Spam").matching("*victim*"));
        }
        Config {
            pipelining: self.rung != Rung::Single,
            chunking: self.rung == Rung::Stream,
            starttls: matches!(self.place, Place::StartTls | Place::TlsHandshake),
            auth: (self.place == Place::Auth).then(|| Auth::password("user", "password")),
            script,
            ..Config::default()
        }
    }

    fn pool(self) -> PoolOptions {
        let max_messages = if self.place == Place::Quit { 2 } else { 100 };
        PoolOptions { max_connections: 1, max_messages, ..PoolOptions::default() }
    }

    fn letter(self, number: usize) -> Letter {
        let victim = number == VICTIM && (self.place.has_victim() || self.place == Place::Rset);
        let name = if victim { "victim".to_owned() } else { format!("m{number}") };
        let to = ["a", "b", "c"].map(|to| format!("{to}.{name}@to.test"));
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        let chunked = self.rung == Rung::Stream && matches!(self.place, Place::Data | Place::MidBody);
        let size = if victim && chunked { LARGE } else { SMALL };
        let id = format!("<{name}@faults.test>");
        let mut letter = Letter::new(&id, &format!("{name}@faults.test"), &to, size);
        if victim && self.place == Place::MidBody {
            // The rest waits long enough for the fault to strike first.
            letter.pause = Some((size - size / 10, Duration::from_millis(80)));
        }
        letter
    }

    /// Compares claims with facts.
    fn judge(self, letters: &[Letter], office: &Office, arrived: &[Message]) -> Result<Tally, String> {
        let mut tally = Tally::default();
        for (number, letter) in (1..).zip(letters) {
            let outcomes = office.outcomes.get(&number).map_or(&[][..], Vec::as_slice);
            let [outcome] = outcomes else {
                return Err(format!("{} has {} outcomes", letter.id, outcomes.len()));
            };
            let copies: Vec<&Message> = arrived.iter().filter(|message| is_of(message, letter)).collect();
            self.compare(letter, outcome, &copies).map_err(|why| format!("{}: {why}", letter.id))?;
            match outcome {
                Ok(_) => tally.sent += 1,
                Err(error) if error.maybe_delivered() => tally.in_doubt += 1,
                Err(_) => tally.failed += 1,
            }
        }
        let strangers = arrived.iter().filter(|message| !letters.iter().any(|letter| is_of(message, letter)));
        ensure(strangers.count() == 0, "the server has a message nobody sent")?;
        self.bound(tally)?;
        Ok(tally)
    }

    fn compare(self, letter: &Letter, outcome: &Result<Receipt>, copies: &[&Message]) -> Result<(), String> {
        ensure(copies.len() <= 1, format!("delivered {} times", copies.len()))?;
        for copy in copies {
            ensure(copy.from == letter.envelope.from, format!("delivered under the sender {}", copy.from))?;
            ensure(copy.body == letter.body, "delivered with another body")?;
        }
        match outcome {
            Ok(receipt) => {
                let [copy] = copies else { return Err("claimed as sent, not delivered".into()) };
                let to: Vec<&str> = copy.to.iter().map(|to| to.address.as_str()).collect();
                ensure(to == receipt.accepted, format!("sent to {:?}, taken for {to:?}", receipt.accepted))?;
                ensure(receipt.message_id == letter.id, "another message's receipt")
            }
            Err(error) if error.maybe_delivered() => self.may_be_in_doubt(error),
            Err(error) => {
                ensure(copies.is_empty(), format!("claimed as failed, delivered: {error:?}"))?;
                ensure(error.phase().is_some(), format!("a failure without a phase: {error:?}"))
            }
        }
    }

    /// Doubt is for messages whose end-of-data may have left, not an excuse for everything.
    fn may_be_in_doubt(self, error: &Error) -> Result<(), String> {
        // A server that falls silent in the middle of a body gets its end all the same.
        let ended = matches!(self.place, Place::MidBody | Place::EndOfData | Place::FinalReply);
        let ahead = self.rung == Rung::Stream && !self.place.is_setup() && self.place != Place::Quit;
        let behind = self.rung == Rung::BehindBody && self.place.has_victim();
        ensure(ended || ahead || behind, format!("in doubt without reason: {error:?}"))
    }

    /// What a fault may cost at most.
    fn bound(self, tally: Tally) -> Result<(), String> {
        let refused = usize::from(self.place == Place::Rset);
        // Word that the connection closes comes too late for messages already on their way.
        let late = self.place == Place::Idle && self.rung == Rung::Stream;
        let harmless = (self.fault == Fault::Split && !late) || self.place == Place::Quit;
        let lost = tally.failed + tally.in_doubt;
        ensure(!harmless || lost == refused, format!("a harmless fault cost messages: {tally:?}"))?;
        let alone = self.rung < Rung::Stream && self.place != Place::Auth;
        ensure(!alone || lost <= refused + 1, format!("one fault cost more than one message: {tally:?}"))
    }
}

/// Waits until the script has acted; a cell whose fault never strikes would prove nothing.
async fn struck(sink: &Sink) -> Result<(), String> {
    let strikes = async {
        while sink.stats().faults == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, strikes).await.map_err(|_| "the fault did not strike".to_owned())
}

fn is_of(message: &Message, letter: &Letter) -> bool {
    message.body.starts_with(format!("Message-ID: {}\r\n", letter.id).as_bytes())
}

fn ensure(holds: bool, otherwise: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
