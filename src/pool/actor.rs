//! The one task that owns a schedule: it passes inputs in and carries actions out.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::common::Seat;
use super::schedule::{Action, Schedule, pool_closed};
use super::{EventSink, PoolEvent, PoolOptions, Request, Submission};
use crate::connection::{self, ConnectionId, Handle, Order, Report, Reports, Settings};
use crate::error::{Code, Error, Phase};

/// Inputs taken at once, so that their events leave in one batch.
const BATCH: usize = 256;

/// What arrives in the pool's mailbox.
#[derive(Debug)]
pub(super) enum Mail {
    Request(Request),
    Report(ConnectionId, Report),
}

/// Starts the task; gives its mailbox.
pub(super) fn start(
    options: PoolOptions,
    hosts: Vec<Arc<Settings>>,
    seat: Seat,
    sink: impl EventSink + Clone,
) -> mpsc::UnboundedSender<Mail> {
    let (sender, inbox) = mpsc::unbounded_channel();
    let mut last_words = sink.clone();
    let actor = Actor {
        schedule: Schedule::new(options, hosts.len(), seat),
        hosts,
        mailbox: sender.clone(),
        links: HashMap::new(),
        verifying: HashMap::new(),
        events: Vec::new(),
        sink,
    };
    let task = tokio::spawn(actor.run(inbox));
    tokio::spawn(async move {
        if task.await.is_err_and(|error| error.is_panic()) {
            let error = Error::new(Code::Internal, "The pool failed: a bug in postpool").at(Phase::InDoubt);
            last_words.deliver(vec![PoolEvent::Crashed(error)]);
        }
    });
    sender
}

/// The actor's end of a connection.
struct Link {
    orders: mpsc::UnboundedSender<Order>,
    task: AbortHandle,
}

struct Actor<S> {
    schedule: Schedule,
    hosts: Vec<Arc<Settings>>,
    mailbox: mpsc::UnboundedSender<Mail>,
    links: HashMap<ConnectionId, Link>,
    /// Connections of a `verify`: the number of the host, and the caller's until it was answered.
    verifying: HashMap<ConnectionId, (usize, Option<u64>)>,
    events: Vec<PoolEvent>,
    sink: S,
}

impl<S: EventSink> Actor<S> {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Mail>) {
        let mut batch = Vec::with_capacity(BATCH);
        let our_turn = self.schedule.wake();
        self.advance();
        while !(self.schedule.has_ended() && self.verifying.is_empty()) {
            let wake = self.schedule.next_wake();
            tokio::select! {
                () = our_turn.notified() => {}
                _ = inbox.recv_many(&mut batch, BATCH) => {}
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
            // Connections that are ready as well get their turn first: what they report leaves in
            // one batch, and wakes its reader once.
            tokio::task::yield_now().await;
            Self::gather(&mut inbox, &mut batch);
            for mail in batch.drain(..) {
                match mail {
                    Mail::Request(Request::Abandon) => return self.abandon(),
                    Mail::Request(request) => self.request(request),
                    Mail::Report(id, report) => self.report(id, report),
                }
            }
            self.schedule.tick(Instant::now());
            self.advance();
        }
        self.refuse_the_rest(&mut inbox);
    }

    /// Takes what has arrived meanwhile.
    fn gather(inbox: &mut mpsc::UnboundedReceiver<Mail>, batch: &mut Vec<Mail>) {
        while batch.len() < BATCH
            && let Ok(mail) = inbox.try_recv()
        {
            batch.push(mail);
        }
    }

    /// Requests that crossed the end of the pool.
    fn refuse_the_rest(&mut self, inbox: &mut mpsc::UnboundedReceiver<Mail>) {
        inbox.close();
        while let Ok(mail) = inbox.try_recv() {
            if let Mail::Request(request) = mail {
                self.events.extend(refusals(&request));
            }
        }
        if !self.events.is_empty() {
            self.sink.deliver(std::mem::take(&mut self.events));
        }
    }

    /// Carries out what the schedule wants, then tells the owner.
    fn advance(&mut self) {
        self.schedule.advance(Instant::now());
        for action in self.schedule.take_actions() {
            match action {
                Action::Open(id, target) => self.open(id, target),
                Action::Order(id, order) => self.order(id, order),
                Action::Event(event) => self.events.push(event),
            }
        }
        if !self.events.is_empty() {
            self.sink.deliver(std::mem::take(&mut self.events));
        }
    }

    fn request(&mut self, request: Request) {
        let now = Instant::now();
        match request {
            Request::Submit(submissions) => {
                submissions.into_iter().for_each(|submission| self.schedule.submit(submission, now));
            }
            Request::Cancel(id) => {
                let error = Error::new(Code::Abort, "Message sending aborted");
                self.schedule.give_up(id, error);
            }
            Request::Verify(id) => self.verify_at(0, id),
            Request::Close { force, assigned } => self.schedule.close(force, assigned),
            Request::Drain => self.schedule.drain(),
            Request::GiveBack => self.schedule.give_back(),
            Request::Pause(paused) => self.schedule.pause(paused),
            Request::Resize(resize) => self.schedule.resize(resize),
            Request::Rotate(hosts) => {
                if hosts.len() == self.hosts.len() {
                    self.hosts = hosts;
                }
                self.schedule.rotate();
            }
            Request::Token(id, token) => self.order(id, Order::Token(token)),
            Request::AuthCommand(id, line) => self.order(id, Order::AuthCommand(line)),
            Request::AuthDone(id, result) => self.order(id, Order::AuthDone(result)),
            Request::Stats(id) => {
                let snapshot = self.schedule.snapshot(now);
                self.events.push(PoolEvent::Stats(id, Box::new(snapshot)));
            }
            Request::Abandon => {}
        }
    }

    fn report(&mut self, id: ConnectionId, report: Report) {
        let now = Instant::now();
        match report {
            Report::TokenWanted { renew } => self.events.push(PoolEvent::TokenWanted(id, renew)),
            Report::CustomAuth(auth) => self.events.push(PoolEvent::CustomAuth(id, auth)),
            Report::AuthReply(text) => self.events.push(PoolEvent::AuthReply(id, text)),
            Report::Log(lines) => self.events.push(PoolEvent::Log(id, lines)),
            report if self.verifying.contains_key(&id) => self.verify(id, report),
            Report::Ready(ready) => self.schedule.ready(id, ready, now),
            Report::Settled { id: job, result } => self.schedule.settled(id, job, result, now),
            Report::Depth(depth) => self.schedule.depth(id, depth),
            Report::Closed(closed) => {
                self.links.remove(&id);
                self.schedule.closed(id, closed, now);
            }
        }
    }

    /// A connection that only has to get ready.
    fn verify(&mut self, id: ConnectionId, report: Report) {
        match report {
            Report::Ready(ready) => {
                self.order(id, Order::Quit);
                if let Some(request) = self.verifying.get_mut(&id).and_then(|(_, request)| request.take()) {
                    self.events.push(PoolEvent::Verified(request, Ok(ready)));
                }
            }
            Report::Closed(closed) => {
                self.links.remove(&id);
                match self.verifying.remove(&id) {
                    Some((target, Some(request))) if target + 1 < self.hosts.len() => {
                        self.verify_at(target + 1, request);
                    }
                    Some((_, Some(request))) => {
                        let closed_early = || Error::new(Code::Connection, "Connection closed");
                        let error = closed.error.unwrap_or_else(closed_early);
                        self.events.push(PoolEvent::Verified(request, Err(error)));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Tries this host; when it fails, the next. One that works will do.
    fn verify_at(&mut self, target: usize, request: u64) {
        let connection = self.schedule.next_connection();
        self.verifying.insert(connection, (target, Some(request)));
        self.open(connection, target);
    }

    fn open(&mut self, id: ConnectionId, target: usize) {
        let Some(settings) = self.hosts.get(target) else { return };
        let to = self.mailbox.clone();
        let Handle { orders, task } =
            connection::open(Arc::clone(settings), Reports { to, wrap: Mail::Report, id });
        self.links.insert(id, Link { orders, task: task.abort_handle() });
    }

    fn order(&mut self, id: ConnectionId, order: Order) {
        if let Some(link) = self.links.get(&id)
            && let Err(mpsc::error::SendError(Order::Send(job))) = link.orders.send(order)
        {
            // The connection ended while the order was on its way.
            let error = connection::lost().at(Phase::Envelope);
            let result = Err(connection::Undelivered { error, unsent: true, body_read: false, so_far: None });
            self.schedule.settled(id, job.id, result, Instant::now());
        }
    }

    /// The owner is gone: nobody is told anything any more.
    fn abandon(self) {
        for link in self.links.values() {
            link.task.abort();
        }
    }
}

/// What a pool that ended answers.
pub(super) fn refusals(request: &Request) -> Vec<PoolEvent> {
    let error = pool_closed();
    let refused = |submission: &Submission| PoolEvent::Settled {
        id: submission.id,
        result: Err(error.clone()),
        connection: None,
    };
    match request {
        Request::Submit(submissions) => submissions.iter().map(refused).collect(),
        Request::Verify(id) => vec![PoolEvent::Verified(*id, Err(error))],
        _ => Vec::new(),
    }
}
