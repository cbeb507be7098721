//! What became of the messages, told to the pool; and of all that is left when the connection ends.

use std::ops::ControlFlow;
use std::time::Duration;

use super::{Driver, End, Socket};
use crate::connection::delivery::JobResult;
use crate::connection::ladder::Rung;
use crate::connection::{Order, Report, Undelivered};
use crate::error::{Code, Error, Phase};
use crate::wire::{Event, Outcome, closed_unexpectedly};

impl<S: Socket, T> Driver<'_, S, T> {
    pub(super) fn handle_events(&mut self) {
        while let Some(event) = self.session.next_event() {
            match event {
                Event::Began(sequence) => {
                    if let Some((_, delivery)) = self.deliveries.iter_mut().find(|(at, _)| *at == sequence) {
                        delivery.began();
                    }
                }
                Event::BodyOpen(_) => {}
                Event::Settled(sequence, outcome) => self.part_settled(sequence, outcome),
            }
        }
        let lines = self.session.take_log();
        if !lines.is_empty() {
            self.reports.send(Report::Log(lines));
        }
    }

    fn part_settled(&mut self, sequence: u64, outcome: Outcome) {
        if self.body.as_ref().is_some_and(|(open, _)| *open == sequence) {
            self.body = None;
        }
        if matches!(outcome, Outcome::Accepted(_)) {
            self.taken();
        }
        // One that was given up is told of already.
        let Some(at) = self.deliveries.iter().position(|(at, _)| *at == sequence) else { return };
        let (_, delivery) = self.deliveries.remove(at);
        let id = delivery.job.id;
        match delivery.part_settled(outcome) {
            ControlFlow::Break(result) => self.settle(id, result),
            ControlFlow::Continue(delivery) => self.submit_part(delivery),
        }
        self.say_goodbye_if_done();
    }

    /// The host manages this rung: all of its window is used from now on. One whose replies cannot
    /// be told apart goes on by DATA.
    fn taken(&mut self) {
        if self.session.gave_up_chunking() && self.rung.level == 3 {
            self.ladder.leave(self.rung);
            self.rung = Rung { window: 1, ..Rung::BEHIND_BODY };
        }
        self.ladder.taken(self.rung);
        if self.rung.window < self.rung.proven_window {
            self.rung.window = self.rung.proven_window;
            self.session.set_window(self.rung.window);
            self.reports.send(Report::Depth(self.rung.depth()));
        }
    }

    pub(super) fn settle(&self, id: u64, result: JobResult) {
        self.reports.send(Report::Settled { id, result });
    }

    /// Settles everything that is left and closes the socket.
    pub(super) async fn finish(mut self, end: End) -> Option<Error> {
        let (failed, error) = match end {
            End::Failed(error) => (true, error),
            End::Asked | End::Idle | End::Dropped => (false, closed_unexpectedly(None)),
        };
        if failed && error.code() == Code::Protocol && self.rung.level == 3 {
            // Nowhere else do replies out of order cost more than one message.
            self.ladder.leave(self.rung);
        } else if failed && self.session.in_flight() > 0 && is_unexplained(&error) {
            self.ladder.broke(self.rung);
        }
        // Silence is the fault of a message in flight; what waits behind it lost its connection.
        let innocent = error.code() == Code::TimedOut && self.session.in_flight() > 0;
        let lost = if innocent { closed_unexpectedly(None) } else { error.clone() };
        // A message in parts goes on with its next one, which is lost like the one before.
        while self.session.in_flight() > 0 {
            self.session.lost(&error);
            self.handle_events();
        }
        self.waiting.extend(self.preparing.take().map(|(job, _)| job));
        // Orders that crossed our end.
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            if let Order::Send(job) = order {
                self.waiting.push_back(job);
            }
        }
        for job in std::mem::take(&mut self.waiting) {
            let error = lost.clone().at(Phase::Envelope);
            self.settle(job.id, Err(Undelivered::untouched(error, true)));
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
