//! Drives a ready connection: reads, orders, bodies and writes, whichever can go on.
//!
//! Reading comes first, always: what the server said while the connection was idle (a FIN, a 421,
//! stray bytes) is known before the next message is begun, at no round trip. Writing and reading
//! never wait for each other, so a server that stops reading while it writes cannot block both.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::deadline::Deadline;
use super::delivery::Delivery;
use super::ladder::{Ladder, Rung};
use super::setup::{Connected, timeout};
use super::{Job, Order, Reports, Settings, Socket};
use crate::error::{Code, Error, Result};
use crate::mail::{Body, Prepared};
use crate::wire::{Capabilities, ReplyReader, Session, SessionOptions};

mod orders;
mod outcomes;
mod sending;
mod transfer;

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
        buffer: connected.buffer,
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
    body: Option<(u64, Body)>,
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
        let closing = leaving || self.session.closing_reply().is_some();
        ready!(self.deadline.poll(if closing { Some(CLOSE_TIMEOUT) } else { None }, cx));
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

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.preparing.is_none() && self.deliveries.is_empty()
    }
}
