//! The queue: lanes served in proportion to their weight, first in first out inside a lane.
//!
//! Each lane has a virtual time at which its next message is due, 1/weight after the one before
//! (self-clocked fair queueing); the lane whose message is due first is served next. A lane that
//! was empty starts from the time of the others, so waiting earns no credit, and lanes that are
//! new cannot push aside those that wait. One lane behaves as a plain queue.
//!
//! Every message has a place in line that it keeps: one that was taken and comes back stands where
//! it stood, in front of all that came after it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::line::Line;

/// Virtual time of one message at weight 1; a multiple of many weights, so shares are exact.
const STRIDE: u64 = 5_040_000;
/// Lanes below which empty ones are not looked for.
const FEW: usize = 64;

/// The queue of message numbers.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: HashMap<Arc<str>, Lane>,
    /// Lanes with messages by the time of their next one.
    due: BTreeSet<(u64, Arc<str>)>,
    /// Virtual time of the last message taken.
    clock: u64,
    len: usize,
    /// Number of lanes at which those without messages are dropped.
    sweep_at: usize,
}

#[derive(Debug)]
struct Lane {
    weight: u64,
    /// It was named in the options.
    named: bool,
    time: u64,
    queue: Line,
    bytes: usize,
}

/// A lane in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LaneView {
    /// Name.
    pub(super) name: Arc<str>,
    /// Messages waiting.
    pub(super) len: usize,
    /// Octets they hold.
    pub(super) bytes: usize,
    /// The first of them.
    pub(super) first: Option<u64>,
}

impl Lanes {
    /// Lanes with these weights; others come into being with weight 1.
    pub(super) fn new(weights: impl IntoIterator<Item = (Arc<str>, u32)>) -> Self {
        let named =
            |(name, weight): (Arc<str>, u32)| (name, Lane::new(u64::from(weight).clamp(1, STRIDE), true));
        Self { lanes: weights.into_iter().map(named).collect(), sweep_at: FEW, ..Self::default() }
    }

    /// Messages waiting.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Queues a message of so many octets at its place in line.
    pub(super) fn insert(&mut self, name: &Arc<str>, place: u64, id: u64, bytes: usize) {
        self.sweep();
        let clock = self.clock;
        let lane = self.lanes.entry(Arc::clone(name)).or_insert_with(|| Lane::new(1, false));
        if lane.queue.is_empty() {
            lane.time = clock + STRIDE / lane.weight;
            self.due.insert((lane.time, Arc::clone(name)));
        }
        lane.queue.insert(place, id);
        lane.bytes += bytes;
        self.len += 1;
    }

    /// Takes a message of so many octets out of the line.
    pub(super) fn remove(&mut self, name: &Arc<str>, place: u64, bytes: usize) {
        let Some(lane) = self.lanes.get_mut(name) else { return };
        if !lane.queue.remove(place) {
            return;
        }
        lane.bytes -= bytes;
        self.len -= 1;
        if lane.queue.is_empty() {
            self.due.remove(&(lane.time, Arc::clone(name)));
        }
    }

    /// The message that is due.
    pub(super) fn front(&self) -> Option<u64> {
        let (_, name) = self.due.first()?;
        self.lanes.get(name)?.queue.first()
    }

    /// Takes the message that is due, of so many octets.
    pub(super) fn pop(&mut self, bytes: usize) -> Option<u64> {
        let (time, name) = self.due.pop_first()?;
        let lane = self.lanes.get_mut(&name)?;
        let id = lane.queue.pop()?;
        lane.bytes -= bytes;
        self.len -= 1;
        self.clock = time;
        lane.time = time + STRIDE / lane.weight;
        if !lane.queue.is_empty() {
            self.due.insert((lane.time, name));
        }
        Some(id)
    }

    /// Up to `count` messages of the lanes that are due first, the longest in line first.
    pub(super) fn foremost(&self, count: usize) -> Vec<u64> {
        let lanes = self.due.iter().take(count).filter_map(|(_, name)| self.lanes.get(name));
        let mut found: Vec<_> = lanes.flat_map(|lane| lane.queue.iter().take(count)).collect();
        found.sort_unstable();
        found.into_iter().take(count).map(|(_, id)| id).collect()
    }

    /// The lanes that have messages or a weight, by name.
    pub(super) fn view(&self) -> Vec<LaneView> {
        let seen = self.lanes.iter().filter(|(_, lane)| lane.named || !lane.queue.is_empty());
        let view = |(name, lane): (&Arc<str>, &Lane)| LaneView {
            name: Arc::clone(name),
            len: lane.queue.len(),
            bytes: lane.bytes,
            first: lane.queue.first(),
        };
        let mut views: Vec<_> = seen.map(view).collect();
        views.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        views
    }

    /// Drops lanes without messages: names come from messages, and there may be one for each of a
    /// million tenants.
    fn sweep(&mut self) {
        if self.lanes.len() < self.sweep_at {
            return;
        }
        self.lanes.retain(|_, lane| lane.named || !lane.queue.is_empty());
        self.sweep_at = (self.lanes.len() * 2).max(FEW);
    }
}

impl Lane {
    fn new(weight: u64, named: bool) -> Self {
        Self { weight, named, time: 0, queue: Line::default(), bytes: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Arc<str> {
        Arc::from(text)
    }

    fn fill(lanes: &mut Lanes, lane: &Arc<str>, ids: std::ops::Range<u64>) {
        ids.for_each(|id| lanes.insert(lane, id, id, 10));
    }

    #[test]
    fn one_lane_is_a_plain_queue_to_which_a_message_returns_at_its_old_place() {
        let mut lanes = Lanes::default();
        let only = name("");
        fill(&mut lanes, &only, 1..6);
        assert_eq!([lanes.pop(10), lanes.pop(10)], [Some(1), Some(2)]);
        lanes.insert(&only, 1, 1, 10);
        lanes.insert(&only, 2, 2, 10);
        lanes.remove(&only, 4, 10);
        assert_eq!((lanes.len(), lanes.front()), (4, Some(1)));
        assert_eq!(lanes.foremost(3), [1, 2, 3]);
        assert_eq!(lanes.view().iter().map(|lane| (lane.len, lane.bytes)).collect::<Vec<_>>(), [(4, 40)]);
        let rest: Vec<_> = std::iter::from_fn(|| lanes.pop(10)).collect();
        assert_eq!((rest, lanes.len(), lanes.front()), (vec![1, 2, 3, 5], 0, None));
    }

    #[test]
    fn lanes_share_in_proportion_to_their_weight() {
        let (fast, bulk) = (name("fast"), name("bulk"));
        let mut lanes = Lanes::new([(Arc::clone(&fast), 10), (Arc::clone(&bulk), 1)]);
        fill(&mut lanes, &fast, 0..1100);
        fill(&mut lanes, &bulk, 10_000..11_100);
        let bulk_taken = (0..1100).filter_map(|_| lanes.pop(10)).filter(|id| *id >= 10_000).count();
        assert_eq!(bulk_taken, 100);
    }

    #[test]
    fn a_lane_that_was_empty_is_served_soon_but_earns_no_credit() {
        let (a, b) = (name("a"), name("b"));
        let mut lanes = Lanes::default();
        fill(&mut lanes, &a, 0..100);
        (0..50).for_each(|_| _ = lanes.pop(10));
        fill(&mut lanes, &b, 200..230);
        let next: Vec<_> = (0..10).filter_map(|_| lanes.pop(10)).collect();
        assert!(next.iter().position(|id| *id >= 200).is_some_and(|at| at <= 1), "{next:?}");
        assert!((4..=6).contains(&next.iter().filter(|id| **id >= 200).count()), "{next:?}");
    }

    #[test]
    fn a_stream_of_new_lanes_does_not_starve_one_that_waits() {
        let mut lanes = Lanes::default();
        let patient = name("zzz");
        fill(&mut lanes, &patient, 0..100);
        let mut served = 0;
        for tenant in 1000..1100 {
            lanes.insert(&name(&format!("tenant {tenant}")), tenant, tenant, 10);
            served += usize::from(lanes.pop(10).is_some_and(|id| id < 1000));
        }
        assert!(served >= 10, "{served}");
    }

    #[test]
    fn taking_the_last_message_out_of_a_lane_leaves_the_others_due() {
        let (a, b) = (name("a"), name("b"));
        let mut lanes = Lanes::default();
        lanes.insert(&a, 1, 1, 10);
        lanes.insert(&b, 2, 2, 10);
        lanes.remove(&a, 1, 10);
        lanes.remove(&a, 1, 10);
        assert_eq!((lanes.len(), lanes.pop(10), lanes.pop(10)), (1, Some(2), None));
    }

    #[test]
    fn a_lane_for_each_of_many_tenants_leaves_nothing_behind() {
        let mut lanes = Lanes::new([(name("kept"), 3)]);
        for tenant in 0..10_000 {
            lanes.insert(&name(&format!("tenant {tenant}")), tenant, tenant, 10);
            assert_eq!(lanes.pop(10), Some(tenant));
        }
        assert!(lanes.lanes.len() < 2 * FEW, "{}", lanes.lanes.len());
        assert_eq!(lanes.view(), [LaneView { name: name("kept"), len: 0, bytes: 0, first: None }]);
    }
}
