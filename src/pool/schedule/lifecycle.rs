//! Closing, draining, pausing, resizing, rotating.

use std::collections::HashSet;

use super::{Action, CloseReason, Mode, Place, Schedule, State, pool_closed};
use crate::connection::{ConnectionId, Order};
use crate::error::{Code, Error};
use crate::pool::{PoolEvent, Resize};

impl Schedule {
    /// Fails the queue but for its first `assigned` messages, which nodemailer would have handed
    /// out by now, and lets the connections go.
    pub(in crate::pool) fn close(&mut self, force: bool, assigned: usize) {
        self.mode = Mode::Closed;
        self.paused = false;
        let in_flight: usize = self.connections.values().map(|c| c.in_flight.len()).sum();
        let keep = if force { 0 } else { assigned.saturating_sub(in_flight) };
        let kept: HashSet<u64> = self.lanes.foremost(keep).into_iter().collect();
        let waiting = self.jobs.iter().filter(|(id, job)| match job.place {
            Place::Sent(_) => false,
            Place::Delayed(_) => true,
            Place::Queued => !kept.contains(id),
        });
        let mut doomed: Vec<(u64, u64)> = waiting.map(|(id, job)| (job.number, *id)).collect();
        doomed.sort_unstable();
        for (_, id) in doomed {
            self.fail(id, pool_closed(), None);
        }
        if force {
            let text = "Reached maximum number of retries after connection was closed";
            self.abort_all(&Error::new(Code::Connection, text).fatal());
        }
    }

    fn abort_all(&mut self, error: &Error) {
        for connection in self.connections.values_mut() {
            connection.state = State::Leaving(CloseReason::PoolClosed);
            self.actions.push(Action::Order(connection.id, Order::Abort(error.clone())));
        }
    }

    /// Closes, and gives what waits back for another engine to send.
    pub(in crate::pool) fn give_back(&mut self) {
        self.gives_back = true;
        self.close(false, 0);
    }

    /// Sends what is queued, then ends.
    pub(in crate::pool) fn drain(&mut self) {
        if self.mode == Mode::Running {
            self.mode = Mode::Draining;
            self.paused = false;
        }
    }

    /// Stops or resumes handing out messages. A pool that closes does not stop any more.
    pub(in crate::pool) fn pause(&mut self, paused: bool) {
        self.paused = paused && self.mode == Mode::Running;
    }

    /// Changes bounds.
    pub(in crate::pool) fn resize(&mut self, resize: Resize) {
        if let Some(max) = resize.max_connections {
            self.options.max_connections = max.max(1);
        }
        if let Some(min) = resize.min_connections {
            self.options.min_connections = min;
            self.warm_after = None;
        }
        if let Some(rate) = resize.rate {
            self.options.rate = rate;
            self.seat.change_rate(rate);
        }
        let surplus = self.staying().saturating_sub(self.options.max_connections);
        let mut staying: Vec<_> = self.connections.values().filter(|c| !c.is_leaving()).collect();
        // Those with the least to finish go, the youngest of several.
        staying.sort_by_key(|c| (c.state == State::Ready, c.in_flight.len(), std::cmp::Reverse(c.id)));
        let surplus: Vec<ConnectionId> = staying.into_iter().take(surplus).map(|c| c.id).collect();
        for id in surplus {
            self.retire(id, CloseReason::Resized);
        }
    }

    /// Connections of now finish what they have and go; new ones follow new settings. What was
    /// learned from failures of the old ones does not hold them up.
    pub(in crate::pool) fn rotate(&mut self) {
        self.retire_all(CloseReason::Rotated);
        self.targets.renew();
        self.warm_after = None;
    }

    fn retire_all(&mut self, reason: CloseReason) {
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            self.retire(id, reason);
        }
    }

    /// Ends a closed pool whose work is done.
    pub(super) fn end_if_done(&mut self) {
        if self.mode == Mode::Running || self.lanes.len() > 0 || self.delayed > 0 {
            return;
        }
        self.retire_all(CloseReason::PoolClosed);
        if self.connections.is_empty() && !self.ended {
            self.ended = true;
            self.tell(PoolEvent::Ended);
        }
    }
}
