//! A bed for the schedule: inputs go in as calls, what it wants comes out as short lines, time is
//! a number.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Action, Schedule};
use crate::connection::{Closed, ConnectionId, Order, Ready, Undelivered};
use crate::error::{Code, Error, Phase, Result};
use crate::mail::{Body, Envelope, Message, Prepared, Receipt};
use crate::pool::common::Common;
use crate::pool::{PoolEvent, PoolOptions, RateLimit, Resize, Submission};

mod connection_tests;
mod failure_tests;
mod host_tests;
mod learn_tests;
mod lifecycle_tests;
mod property_tests;
mod queue_tests;
mod rate_tests;

#[derive(Debug)]
struct Letter {
    bytes: usize,
    recipients: usize,
    replayable: bool,
}

impl Message for Letter {
    fn prepare(&self) -> Result<Prepared> {
        Ok(Prepared {
            envelope: Envelope::default(),
            message_id: String::new(),
            body: Body::Whole(bytes::Bytes::new()),
        })
    }

    fn replayable(&self) -> bool {
        self.replayable
    }

    fn held_bytes(&self) -> usize {
        self.bytes
    }

    fn recipients(&self) -> usize {
        self.recipients
    }
}

fn letter(id: u64) -> Submission {
    let message = Arc::new(Letter { bytes: 100, recipients: 1, replayable: true });
    Submission { id, message, lane: None, timeout: None }
}

fn receipt() -> Receipt {
    Receipt {
        envelope: Envelope::default(),
        message_id: String::new(),
        accepted: Vec::new(),
        refused: Vec::new(),
        ehlo: None,
        envelope_time: 3,
        message_time: 5,
        message_size: 100,
        response: "250 OK".into(),
    }
}

fn broken() -> Error {
    Error::new(Code::Connection, "Connection closed unexpectedly").at(Phase::Envelope)
}

fn refused(reply: &str) -> Error {
    Error::new(Code::Envelope, "Mail command failed").response(reply).command("MAIL FROM").at(Phase::Envelope)
}

fn unreachable_server() -> Error {
    Error::new(Code::Socket, "connect ECONNREFUSED").command("CONN").at(Phase::Connect)
}

fn bad_password() -> Error {
    Error::new(Code::Auth, "Invalid login").response("535 5.7.8 no").command("AUTH PLAIN").at(Phase::Auth)
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

struct Bed {
    schedule: Schedule,
    now: Instant,
    lines: Vec<String>,
    depth: usize,
    mail_max: Option<u32>,
}

impl Bed {
    fn new(options: PoolOptions) -> Self {
        Self::beside(&Common::new(&options), options)
    }

    /// A bed whose limits on the rate are shared with others.
    fn beside(common: &Common, options: PoolOptions) -> Self {
        Self::around(Schedule::new(options, 1, common.join()))
    }

    /// A bed with several hosts; connections to others than the first say where they go.
    fn with_hosts(hosts: usize, options: PoolOptions) -> Self {
        let seat = Common::new(&options).join();
        Self::around(Schedule::new(options, hosts, seat))
    }

    fn around(schedule: Schedule) -> Self {
        let mut bed = Self { schedule, now: Instant::now(), lines: Vec::new(), depth: 1, mail_max: None };
        bed.go();
        bed
    }

    /// A bed with `count` connections that are ready, and `count` messages settled to get there.
    fn warm(options: PoolOptions, count: u64) -> Self {
        let mut bed = Self::new(PoolOptions { min_connections: count as usize, ..options.clone() });
        (1..=count).for_each(|id| bed.ready(id));
        bed.schedule.resize(Resize { min_connections: Some(options.min_connections), ..Resize::default() });
        bed.lines.clear();
        bed
    }

    /// Carries on after an input and writes down what comes of it.
    fn go(&mut self) {
        self.schedule.advance(self.now);
        for action in self.schedule.take_actions() {
            self.lines.extend(line(&action));
        }
    }

    fn submit(&mut self, ids: impl IntoIterator<Item = u64>) {
        ids.into_iter().for_each(|id| self.schedule.submit(letter(id), self.now));
        self.go();
    }

    fn submit_with(&mut self, change: impl FnOnce(&mut Submission), id: u64) {
        let mut submission = letter(id);
        change(&mut submission);
        self.schedule.submit(submission, self.now);
        self.go();
    }

    fn in_lane(&mut self, lane: &str, ids: impl IntoIterator<Item = u64>) {
        for id in ids {
            self.schedule.submit(Submission { lane: Some(lane.into()), ..letter(id) }, self.now);
        }
        self.go();
    }

    fn ready(&mut self, id: ConnectionId) {
        let ready = Ready {
            depth: self.depth,
            mail_max: self.mail_max,
            ehlo: None,
            offers_auth: false,
            authenticated: false,
            peer: Some(("192.0.2.1".into(), 587)),
            local: None,
            tls: None,
            took: ms(20),
        };
        self.schedule.ready(id, Box::new(ready), self.now);
        self.go();
    }

    fn ok(&mut self, connection: ConnectionId, id: u64) {
        self.schedule.settled(connection, id, Ok(Box::new(receipt())), self.now);
        self.go();
    }

    fn back(&mut self, connection: ConnectionId, id: u64, error: Error, unsent: bool) {
        let undelivered = Undelivered { error, unsent, body_read: false, so_far: None };
        self.schedule.settled(connection, id, Err(undelivered), self.now);
        self.go();
    }

    /// A connection ends: what it has comes back unsent, then it is gone.
    fn end(&mut self, id: ConnectionId, error: Option<Error>, silent: bool) {
        let held = self.schedule.connections.get(&id).map(|c| c.in_flight.clone()).unwrap_or_default();
        for job in held {
            let error = error.clone().unwrap_or_else(broken);
            let undelivered = Undelivered { error, unsent: true, body_read: false, so_far: None };
            self.schedule.settled(id, job, Err(undelivered), self.now);
        }
        self.schedule.closed(id, Closed { was_ready: true, error, silent }, self.now);
        self.go();
    }

    fn lost(&mut self, id: ConnectionId) {
        self.end(id, Some(broken()), false);
    }

    /// A connection that was asked to go has gone.
    fn gone(&mut self, id: ConnectionId) {
        self.end(id, None, false);
    }

    /// Time passes; every timer is served when it is due.
    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.schedule.next_wake().filter(|at| *at <= until) {
            assert!(at > self.now || self.schedule.timers.len() < 1000, "timers must not spin");
            self.now = self.now.max(at);
            self.schedule.tick(self.now);
            self.go();
        }
        self.now = until;
        self.go();
    }

    /// What happened since the last time this was asked.
    fn seen(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    #[track_caller]
    fn sees(&mut self, expected: &[&str]) {
        assert_eq!(self.seen(), expected);
    }

    fn do_with(&mut self, input: impl FnOnce(&mut Schedule)) {
        input(&mut self.schedule);
        self.go();
    }

    fn open(&self) -> usize {
        self.schedule.connections.len()
    }
}

fn line(action: &Action) -> Option<String> {
    Some(match action {
        Action::Open(id, 0) => format!("open {id}"),
        Action::Open(id, host) => format!("open {id} at {host}"),
        Action::Order(id, Order::Send(job)) => format!("send {} on {id}", job.id),
        Action::Order(id, Order::Quit) => format!("quit {id}"),
        Action::Order(id, Order::Abort(_)) => format!("abort {id}"),
        Action::Order(id, Order::Cancel(job, _)) => format!("cancel {job} on {id}"),
        Action::Order(id, order) => format!("{order:?} to {id}"),
        Action::Event(event) => return event_line(event),
    })
}

fn event_line(event: &PoolEvent) -> Option<String> {
    Some(match event {
        PoolEvent::Settled { id, result: Ok(_), .. } => format!("sent {id}"),
        PoolEvent::Settled { id, result: Err(error), .. } => {
            let phase = error.phase().map_or("-", Phase::name);
            format!("failed {id} {}/{phase}", error.code().name())
        }
        PoolEvent::Requeued { id, attempt, .. } => format!("requeued {id} #{attempt}"),
        PoolEvent::Closed { connection, reason, .. } => format!("closed {connection} {}", reason.name()),
        PoolEvent::LimitLearned { kind, value, .. } => format!("learned {kind} {value}"),
        PoolEvent::Assigned { id, connection, messages } => {
            format!("assigned {id} to {connection} as {messages}")
        }
        PoolEvent::GivenBack(id, _) => format!("given back {id}"),
        PoolEvent::Empty => "empty".into(),
        PoolEvent::Ended => "ended".into(),
        PoolEvent::Created { .. } | PoolEvent::Ready(..) => return None,
        other => format!("{other:?}"),
    })
}
