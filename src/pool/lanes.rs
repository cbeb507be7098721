//! The queue: lanes served in proportion to their weight, first in first out inside a lane.
//!
//! Each lane has a virtual time that grows by 1/weight for every message taken from it; the lane
//! that lags behind is served next. A lane that was empty starts at the time of the others, so
//! waiting earns no credit. One lane behaves as a plain queue.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Virtual time of one message at weight 1; a multiple of many weights, so shares are exact.
const STRIDE: u64 = 5_040_000;

/// The queue of message numbers.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    by_name: HashMap<Arc<str>, usize>,
    /// Virtual time of the last message taken.
    clock: u64,
    len: usize,
}

#[derive(Debug)]
struct Lane {
    name: Arc<str>,
    weight: u64,
    time: u64,
    queue: VecDeque<u64>,
    /// Numbers in the queue that were not given up.
    live: usize,
}

/// A lane in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LaneView {
    /// Name.
    pub name: Arc<str>,
    /// Messages waiting.
    pub len: usize,
    /// The oldest of them.
    pub oldest: Option<u64>,
}

impl Lanes {
    /// Lanes with these weights; others come into being with weight 1.
    pub(super) fn new(weights: impl IntoIterator<Item = (Arc<str>, u32)>) -> Self {
        let mut lanes = Self { lanes: Vec::new(), by_name: HashMap::new(), clock: 0, len: 0 };
        for (name, weight) in weights {
            let at = lanes.lane(&name);
            lanes.lanes[at].weight = u64::from(weight.max(1));
        }
        lanes
    }

    /// Messages waiting.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Queues at the end of a lane.
    pub(super) fn push_back(&mut self, lane: &Arc<str>, id: u64) {
        let at = self.awake(lane);
        self.lanes[at].queue.push_back(id);
        self.lanes[at].live += 1;
        self.len += 1;
    }

    /// Queues at the front of a lane: a message that was taken and comes back.
    pub(super) fn push_front(&mut self, lane: &Arc<str>, id: u64) {
        let at = self.awake(lane);
        self.lanes[at].queue.push_front(id);
        self.lanes[at].live += 1;
        self.len += 1;
    }

    /// The message that is due; call [`skip`](Self::skip) before.
    pub(super) fn front(&self) -> Option<u64> {
        self.due().and_then(|at| self.lanes[at].queue.front().copied())
    }

    /// Takes the message that is due.
    pub(super) fn pop(&mut self) -> Option<u64> {
        let due = self.due()?;
        let lane = &mut self.lanes[due];
        let id = lane.queue.pop_front()?;
        self.clock = lane.time;
        lane.time += STRIDE / lane.weight;
        lane.live -= 1;
        self.len -= 1;
        Some(id)
    }

    /// A message was given up while it waited. Its number stays in the lane until its turn comes
    /// and is dropped there by [`skip`](Self::skip): taking 100,000 out of the middle, one by one,
    /// would take a search each.
    pub(super) fn forget(&mut self, lane: &Arc<str>) {
        if let Some(lane) = self.by_name.get(lane).and_then(|at| self.lanes.get_mut(*at)) {
            lane.live = lane.live.saturating_sub(1);
            self.len -= 1;
        }
    }

    /// Drops numbers that are not alive any more from the front of every lane.
    pub(super) fn skip(&mut self, is_alive: impl Fn(u64) -> bool) {
        for lane in &mut self.lanes {
            while lane.queue.front().is_some_and(|id| !is_alive(*id)) {
                lane.queue.pop_front();
            }
        }
    }

    /// The lanes as they are.
    pub(super) fn view(&self) -> Vec<LaneView> {
        let view = |lane: &Lane| LaneView {
            name: Arc::clone(&lane.name),
            len: lane.live,
            oldest: lane.queue.front().copied(),
        };
        self.lanes.iter().map(view).collect()
    }

    fn due(&self) -> Option<usize> {
        let waiting = self.lanes.iter().enumerate().filter(|(_, lane)| !lane.queue.is_empty());
        waiting.min_by_key(|(at, lane)| (lane.time, *at)).map(|(at, _)| at)
    }

    /// The lane, brought to the present if it had nothing to send.
    fn awake(&mut self, name: &Arc<str>) -> usize {
        let at = self.lane(name);
        let clock = self.clock;
        let lane = &mut self.lanes[at];
        if lane.queue.is_empty() {
            lane.time = lane.time.max(clock);
        }
        at
    }

    fn lane(&mut self, name: &Arc<str>) -> usize {
        if let Some(at) = self.by_name.get(name) {
            return *at;
        }
        let at = self.lanes.len();
        self.lanes.push(Lane {
            name: Arc::clone(name),
            weight: 1,
            time: self.clock,
            queue: VecDeque::new(),
            live: 0,
        });
        self.by_name.insert(Arc::clone(name), at);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Arc<str> {
        Arc::from(text)
    }

    #[test]
    fn one_lane_is_a_plain_queue_with_a_way_back_to_its_front() {
        let mut lanes = Lanes::new([]);
        let only = name("");
        (1..=3).for_each(|id| lanes.push_back(&only, id));
        assert_eq!(lanes.pop(), Some(1));
        lanes.push_front(&only, 1);
        lanes.forget(&only);
        assert_eq!(lanes.len(), 2);
        assert_eq!(lanes.pop(), Some(1));
        lanes.skip(|id| id != 2);
        assert_eq!([lanes.pop(), lanes.pop()], [Some(3), None]);
        assert_eq!(lanes.len(), 0);
    }

    #[test]
    fn lanes_share_in_proportion_to_their_weight() {
        let (fast, bulk) = (name("fast"), name("bulk"));
        let mut lanes = Lanes::new([(Arc::clone(&fast), 10), (Arc::clone(&bulk), 1)]);
        for id in 0..1100 {
            lanes.push_back(&fast, id);
            lanes.push_back(&bulk, 10_000 + id);
        }
        let taken: Vec<_> = (0..1100).filter_map(|_| lanes.pop()).collect();
        let bulk_taken = taken.iter().filter(|id| **id >= 10_000).count();
        assert!((99..=101).contains(&bulk_taken), "{bulk_taken}");
    }

    #[test]
    fn a_lane_that_was_empty_is_served_soon_but_earns_no_credit() {
        let (a, b) = (name("a"), name("b"));
        let mut lanes = Lanes::new([]);
        (0..100).for_each(|id| lanes.push_back(&a, id));
        (0..50).for_each(|_| _ = lanes.pop());
        (200..230).for_each(|id| lanes.push_back(&b, id));
        let next: Vec<_> = (0..10).filter_map(|_| lanes.pop()).collect();
        assert!(next.iter().position(|id| *id >= 200).is_some_and(|at| at <= 1), "{next:?}");
        assert!((4..=6).contains(&next.iter().filter(|id| **id >= 200).count()), "{next:?}");
    }
}
