//! Drives a ready connection: reads, orders, bodies and writes, whichever can go on.
//!
//! Reading comes first, always: what the server said while the connection was idle (a FIN, a 421,
//! stray bytes) is known before the next message is begun, at no round trip. Writing and reading
//! never wait for each other, so a server that stops reading while it writes cannot block both.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::deadline::Deadline;
use super::delivery::{Delivery, OpenBody};
use super::ladder::{Ladder, Rung};
use super::setup::{Connected, timeout};
use super::{Job, Order, Report, Reports, Settings, Socket, Undelivered};
use crate::error::{Code, Error, Phase, Result};
use crate::mail::{Prepared, Receipt};
use crate::wire::{
    Capabilities, Event, Outcome, Progress, ReplyReader, Session, SessionOptions, closed_unexpectedly,
    unexpected,
};

/// Octets waiting to be written above which no more body is taken.
const HIGH_WATER: usize = 256 * 1024;
/// Octets of a body encoded at a time.
const PIECE: usize = 64 * 1024;
/// A message that holds more than this is prepared on a thread that may block.
const PREPARE_INLINE: usize = 512 * 1024;
/// How long a server may take to answer QUIT.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

fn session_options(capabilities: &Capabilities, settings: &Settings, rung: Rung) -> SessionOptions {
    SessionOptions {
        lmtp: settings.handshake.lmtp,
        pipelining: capabilities.pipelining && rung.level > 0,
        chunking: rung.level == 3,
        window: rung.window,
        log: settings.handshake.log,
    }
}

/// Drives the connection until it ends; gives the reason unless it was asked to end.
pub(super) async fn drive<S: Socket, T>(
    connected: Connected<S>,
    settings: &Arc<Settings>,
    orders: mpsc::UnboundedReceiver<Order>,
    reports: &Reports<T>,
) -> Option<Error> {
    let capabilities = connected.handshake.capabilities().clone();
    let mut driver = Driver {
        socket: connected.socket,
        reader: connected.reader,
        session: Session::new(session_options(&capabilities, settings, connected.rung)),
        secure: connected.handshake.is_secure(),
        capabilities,
        rung: connected.rung,
        ladder: Arc::clone(&settings.ladder),
        orders,
        reports,
        waiting: VecDeque::new(),
        preparing: None,
        deliveries: Vec::new(),
        next_sequence: 0,
        body: None,
        buffer: vec![0; 16 * 1024].into_boxed_slice(),
        deadline: Deadline::new(settings.socket_timeout),
        asked_to_quit: false,
        unwritable: None,
        leaving: false,
    };
    let end = poll_fn(|cx| driver.poll(cx)).await;
    driver.finish(end).await
}

/// Why the loop ended.
enum End {
    /// QUIT was answered, or everyone is gone.
    Asked,
    /// A message was given up half-way.
    Dropped,
    /// The server closed, with 421 or a FIN, while nothing was in flight.
    Idle,
    /// Something went wrong.
    Failed(Error),
}

struct Driver<'a, S, T> {
    socket: S,
    reader: ReplyReader,
    session: Session,
    capabilities: Capabilities,
    secure: bool,
    rung: Rung,
    ladder: Arc<Ladder>,
    orders: mpsc::UnboundedReceiver<Order>,
    reports: &'a Reports<T>,
    /// Jobs not yet prepared.
    waiting: VecDeque<Job>,
    preparing: Option<(Job, JoinHandle<Result<Prepared>>)>,
    /// What is in the session's window, by the session's number for the part.
    deliveries: Vec<(u64, Delivery)>,
    next_sequence: u64,
    body: Option<(u64, OpenBody)>,
    buffer: Box<[u8]>,
    deadline: Deadline,
    asked_to_quit: bool,
    /// Why nothing can be written any more. What the server said before it closed, such as 421, is
    /// worth more than a broken pipe: it is read to its end.
    unwritable: Option<Error>,
    /// Dropped once no neighbour of a message that was given up can be in doubt.
    leaving: bool,
}

impl<S: Socket, T> Driver<'_, S, T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let mut moved = false;
            for step in
                [Self::poll_read, Self::poll_orders, Self::poll_prepare, Self::poll_body, Self::poll_write]
            {
                match step(self, cx) {
                    Poll::Ready(Ok(())) => moved = true,
                    Poll::Ready(Err(end)) => return Poll::Ready(end),
                    Poll::Pending => {}
                }
            }
            if self.leaving && self.deliveries.is_empty() {
                return Poll::Ready(End::Dropped);
            }
            if self.session.is_over() && (self.session.output().is_empty() || self.unwritable.is_some()) {
                return Poll::Ready(self.over());
            }
            if !moved {
                break;
            }
        }
        let leaving = self.asked_to_quit && self.is_idle();
        ready!(self.deadline.poll(if leaving { Some(CLOSE_TIMEOUT) } else { None }, cx));
        let active = self.session.awaits_reply() || !self.session.output().is_empty() || self.body.is_some();
        Poll::Ready(match (leaving, active) {
            (true, _) => End::Asked,
            (false, true) => End::Failed(timeout("Timeout", "SOCKET_TIMEOUT")),
            (false, false) => End::Idle,
        })
    }

    fn over(&self) -> End {
        match self.session.closing_reply() {
            Some(reply) if self.session.in_flight() > 0 || !self.waiting.is_empty() => End::Failed(
                Error::new(Code::Connection, "Server closed the connection")
                    .response(reply)
                    .command("CONN")
                    .fatal(),
            ),
            Some(_) => End::Idle,
            None => End::Asked,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let mut buffer = ReadBuf::new(&mut self.buffer);
        match ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer)) {
            Ok(()) if !buffer.filled().is_empty() => self.reader.feed(buffer.filled()),
            end => {
                let failure = end.err().map(|error| S::failure(&error, "read"));
                return Poll::Ready(Err(self.closed(failure)));
            }
        }
        Poll::Ready(self.read_replies().map_err(End::Failed))
    }

    fn read_replies(&mut self) -> Result<()> {
        while let Some(reply) = self.reader.next_reply()? {
            self.deadline.progress();
            let outcome = self.session.reply(&reply);
            self.handle_events();
            outcome?;
            if self.session.is_over() {
                return Ok(());
            }
        }
        if self.session.awaits_group() {
            self.socket.rearm_quickack();
        }
        Ok(())
    }

    /// Nothing more can be read: the server's last word explains it, or else what failed first.
    fn closed(&mut self, failure: Option<Error>) -> End {
        let fragment = self.reader.take_refusal_fragment().filter(|_| failure.is_none());
        let last_word = fragment.or_else(|| self.session.refused_reset().map(str::to_owned));
        let unexplained = self.unwritable.take().or(failure).filter(|_| last_word.is_none());
        self.broken(unexplained.unwrap_or_else(|| closed_unexpectedly(last_word)))
    }

    /// A connection that ends with nothing in flight is no failure.
    fn broken(&self, error: Error) -> End {
        let idle = self.session.in_flight() == 0 && self.waiting.is_empty() && self.preparing.is_none();
        if idle && error.reply().is_none() { End::Idle } else { End::Failed(error) }
    }

    fn poll_orders(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        match ready!(self.orders.poll_recv(cx)) {
            Some(Order::Send(job)) => self.waiting.push_back(job),
            Some(Order::Cancel(id, reason)) => return Poll::Ready(self.cancel(id, reason)),
            Some(Order::Abort(reason)) => return Poll::Ready(Err(End::Failed(reason))),
            Some(Order::Quit) => self.asked_to_quit = true,
            Some(Order::Token(_) | Order::AuthCommand(_) | Order::AuthDone(_)) => {}
            None if self.is_idle() && !self.asked_to_quit => self.asked_to_quit = true,
            None => return Poll::Pending,
        }
        if self.asked_to_quit && self.waiting.is_empty() && self.preparing.is_none() {
            self.say_goodbye();
        }
        Poll::Ready(Ok(()))
    }

    fn say_goodbye(&mut self) {
        if self.session.in_flight() == 0 {
            self.deadline.start();
        }
        self.session.quit();
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.preparing.is_none() && self.deliveries.is_empty()
    }

    /// Gives a message up. The caller is told at once what that means; the connection ends only
    /// if half a body was written, for there is no other way to take that back.
    fn cancel(&mut self, id: u64, reason: Error) -> Result<(), End> {
        if let Some(at) = self.waiting.iter().position(|job| job.id == id) {
            self.waiting.remove(at);
        } else if self.preparing.as_ref().is_some_and(|(job, _)| job.id == id) {
            self.preparing = None;
        } else if let Some(at) = self.deliveries.iter().position(|(_, delivery)| delivery.job.id == id) {
            return self.cancel_begun(at, id, reason);
        } else {
            return Ok(());
        }
        self.give_up(id, reason.at_if_unset(Phase::Queue), false);
        Ok(())
    }

    fn cancel_begun(&mut self, at: usize, id: u64, reason: Error) -> Result<(), End> {
        let (sequence, delivery) = self.deliveries.remove(at);
        let progress = self.session.progress(sequence);
        let body_read = matches!(progress, Some(Progress::Body | Progress::Ended));
        let (phase, outcome) = match progress {
            None | Some(Progress::Waiting) => {
                self.session.withdraw(sequence);
                (Phase::Queue, Ok(()))
            }
            // Its body will not be opened when its turn comes.
            Some(Progress::Envelope) => (Phase::Envelope, Ok(())),
            Some(Progress::Data) => (Phase::Data, Ok(())),
            Some(Progress::Ended) => (Phase::InDoubt, Ok(())),
            Some(Progress::Body) => {
                self.body = None;
                let goes_on = self.session.abort_body(reason.clone());
                (Phase::Data, if goes_on { Ok(()) } else { Err(End::Failed(closed_unexpectedly(None))) })
            }
        };
        // Some of its recipients may have got it in an earlier part.
        let phase = if delivery.is_partly_taken() { Phase::InDoubt } else { phase };
        self.give_up(id, reason.at(phase), body_read);
        self.handle_events();
        if progress.is_some_and(|progress| progress != Progress::Waiting) {
            outcome?;
            return self.leave_behind();
        }
        outcome
    }

    /// A message was given up after its commands left, perhaps because the server is stuck on it:
    /// nothing new comes here. The connection is dropped at once unless that would put a
    /// neighbour in doubt.
    fn leave_behind(&mut self) -> Result<(), End> {
        let in_doubt = |(sequence, _): &(u64, Delivery)| {
            matches!(self.session.progress(*sequence), Some(Progress::Body | Progress::Ended))
        };
        if !self.deliveries.iter().any(in_doubt) {
            return Err(End::Dropped);
        }
        self.leaving = true;
        self.reports.send(Report::Depth(0));
        Ok(())
    }

    fn give_up(&self, id: u64, error: Error, body_read: bool) {
        self.settle(id, Err(Undelivered { error, unsent: false, body_read }));
    }

    fn poll_prepare(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let (job, prepared) = match &mut self.preparing {
            Some((_, task)) => {
                let prepared = ready!(Pin::new(task).poll(cx));
                let Some((job, _)) = self.preparing.take() else { return Poll::Pending };
                (job, prepared.unwrap_or_else(|_| Err(panicked())))
            }
            None => {
                let Some(job) = self.waiting.pop_front() else { return Poll::Pending };
                if job.message.held_bytes() > PREPARE_INLINE {
                    let message = Arc::clone(&job.message);
                    self.preparing = Some((job, tokio::task::spawn_blocking(move || message.prepare())));
                    return Poll::Ready(Ok(()));
                }
                let prepared = job.message.prepare();
                (job, prepared)
            }
        };
        self.submit(job, prepared);
        if self.asked_to_quit && self.waiting.is_empty() && self.preparing.is_none() {
            self.say_goodbye();
        }
        Poll::Ready(Ok(()))
    }

    fn submit(&mut self, job: Job, prepared: Result<Prepared>) {
        let id = job.id;
        let delivery =
            prepared.and_then(|prepared| Delivery::new(job, prepared, &self.capabilities, self.secure));
        match delivery {
            Ok(delivery) => self.submit_part(delivery),
            Err(error) => {
                let error = error.at_if_unset(Phase::Envelope);
                self.settle(id, Err(Undelivered { error, unsent: false, body_read: false }));
            }
        }
    }

    fn submit_part(&mut self, mut delivery: Delivery) {
        let Some(envelope) = delivery.next_part() else { return };
        self.next_sequence += 1;
        let sequence = self.next_sequence;
        if self.session.in_flight() == 0 {
            self.deadline.start();
        }
        let (params, size) = (delivery.params.clone(), delivery.size);
        self.deliveries.push((sequence, delivery));
        self.session.submit(sequence, envelope, params, size);
        self.handle_events();
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        if self.session.output().len() >= HIGH_WATER {
            return Poll::Pending;
        }
        let Some(sequence) = self.session.wants_body() else { return Poll::Pending };
        if self.body.as_ref().is_none_or(|(open, _)| *open != sequence) {
            match self.open_body(sequence) {
                Ok(body) => self.body = Some((sequence, body)),
                Err(error) => return Poll::Ready(self.body_failed(error)),
            }
        }
        let Some((_, body)) = &mut self.body else { return Poll::Pending };
        match body {
            OpenBody::Whole(bytes) => {
                let piece = bytes.split_to(bytes.len().min(PIECE));
                self.session.write_body(&piece);
                if !bytes.is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
            OpenBody::Chunks(source) => match ready!(source.poll_chunk(cx)) {
                Some(Ok(piece)) => {
                    self.deadline.progress();
                    self.session.write_body(&piece);
                    return Poll::Ready(Ok(()));
                }
                Some(Err(error)) => return Poll::Ready(self.body_failed(error)),
                None => {}
            },
        }
        self.body = None;
        self.session.end_body();
        self.handle_events();
        Poll::Ready(Ok(()))
    }

    fn open_body(&mut self, sequence: u64) -> Result<OpenBody> {
        match self.deliveries.iter_mut().find(|(open, _)| *open == sequence) {
            Some((_, delivery)) => delivery.open_body(),
            // It was given up after its envelope left: its caller knows already.
            None => Err(closed_unexpectedly(None)),
        }
    }

    /// A body that cannot be completed must not be ended either: an accepted recipient would get
    /// half a message.
    fn body_failed(&mut self, error: Error) -> Result<(), End> {
        self.body = None;
        let goes_on = self.session.abort_body(error.at_if_unset(Phase::Data));
        self.handle_events();
        if goes_on { Ok(()) } else { Err(End::Failed(closed_unexpectedly(None))) }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        if self.session.output().is_empty() || self.unwritable.is_some() {
            return Poll::Pending;
        }
        if self.reader.has_buffered() && !self.session.reply_is_due() {
            // The beginning of a reply to what was not sent yet.
            return Poll::Ready(Err(End::Failed(unexpected("CONN"))));
        }
        match ready!(Pin::new(&mut self.socket).poll_write(cx, self.session.output())) {
            Ok(count) if count > 0 => {
                self.session.written(count);
                self.deadline.wrote(count);
            }
            Ok(_) => return Poll::Ready(Err(self.broken(closed_unexpectedly(None)))),
            Err(error) => self.unwritable = Some(S::failure(&error, "write")),
        }
        if self.session.output().is_empty() {
            // A TLS layer may hold bytes back until it is flushed; plain TCP does nothing here.
            if let Poll::Ready(Err(error)) = Pin::new(&mut self.socket).poll_flush(cx) {
                self.unwritable = Some(S::failure(&error, "write"));
            }
            self.socket.rearm_quickack();
        }
        Poll::Ready(Ok(()))
    }

    fn handle_events(&mut self) {
        while let Some(event) = self.session.next_event() {
            match event {
                Event::Began(sequence) => {
                    if let Some((_, delivery)) = self.deliveries.iter_mut().find(|(at, _)| *at == sequence) {
                        delivery.began();
                    }
                }
                Event::BodyOpen(_) => {}
                Event::Settled(sequence, outcome) => {
                    if self.body.as_ref().is_some_and(|(open, _)| *open == sequence) {
                        self.body = None;
                    }
                    if matches!(outcome, Outcome::Accepted(_)) {
                        self.taken();
                    }
                    let Some(at) = self.deliveries.iter().position(|(at, _)| *at == sequence) else {
                        continue;
                    };
                    let (_, mut delivery) = self.deliveries.remove(at);
                    match delivery.part_settled(outcome, &self.capabilities) {
                        Some(result) => self.settle(delivery.job.id, result),
                        None => self.submit_part(delivery),
                    }
                }
            }
        }
        let lines = self.session.take_log();
        if !lines.is_empty() {
            self.reports.send(Report::Log(lines));
        }
    }

    /// The host manages this rung: all of its window is used from now on.
    fn taken(&mut self) {
        self.ladder.taken(self.rung);
        if self.rung.window < self.rung.proven_window {
            self.rung.window = self.rung.proven_window;
            self.session.set_window(self.rung.window);
            self.reports.send(Report::Depth(self.rung.window));
        }
    }

    fn settle(&self, id: u64, result: Result<Box<Receipt>, Undelivered>) {
        self.reports.send(Report::Settled { id, result });
    }

    /// Settles everything that is left and closes the socket.
    async fn finish(mut self, end: End) -> Option<Error> {
        let (failed, error) = match end {
            End::Failed(error) => (true, error),
            End::Asked | End::Idle | End::Dropped => (false, closed_unexpectedly(None)),
        };
        if failed && self.session.in_flight() > 0 && is_unexplained(&error) {
            self.ladder.broke(self.rung);
        }
        // A message in parts goes on with its next one, which is lost like the one before.
        while self.session.in_flight() > 0 {
            self.session.lost(&error);
            self.handle_events();
        }
        for job in self.waiting.drain(..).chain(self.preparing.take().map(|(job, _)| job)) {
            let error = error.clone().at(Phase::Envelope);
            self.reports.send(Report::Settled {
                id: job.id,
                result: Err(Undelivered { error, unsent: true, body_read: false }),
            });
        }
        // Orders that crossed our end: their messages were not begun.
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            if let Order::Send(job) = order {
                let error = error.clone().at(Phase::Envelope);
                self.settle(job.id, Err(Undelivered { error, unsent: true, body_read: false }));
            }
        }
        let _ = tokio::time::timeout(
            Duration::from_secs(1),
            tokio::io::AsyncWriteExt::shutdown(&mut self.socket),
        )
        .await;
        failed.then_some(error)
    }
}

/// Whether a connection ended mid-message for no reason anybody gave.
fn is_unexplained(error: &Error) -> bool {
    error.reply().is_none() && matches!(error.code(), Code::Connection | Code::Socket | Code::TimedOut)
        || error.code() == Code::Protocol
}

fn panicked() -> Error {
    Error::new(Code::Internal, "The message could not be composed: a bug in postpool").at(Phase::Envelope)
}
