//! Messages in line, each at a place that it keeps.
//!
//! Nearly all of them come at the end and leave at the front, and there may be a hundred thousand,
//! so they stand in a ring of 16 octets a message. One that leaves from the middle leaves a gap,
//! which goes when the front reaches it or when there are as many gaps as messages.

use std::collections::VecDeque;

/// Stands where a message has left.
const GONE: u64 = u64::MAX;
/// Gaps that are not worth closing, and places that are kept when nobody stands in line.
const FEW: usize = 64;

/// Messages by their place in line. The first one is never a gap.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: VecDeque<Waiting>,
    gaps: usize,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    place: u64,
    id: u64,
}

impl Line {
    /// Messages in line.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() - self.gaps
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The message in front.
    pub(super) fn first(&self) -> Option<u64> {
        self.waiting.front().map(|waiting| waiting.id)
    }

    /// Places and messages, from the front.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.waiting.iter().filter(|waiting| waiting.id != GONE).map(|waiting| (waiting.place, waiting.id))
    }

    /// Puts a message at its place.
    pub(super) fn insert(&mut self, place: u64, id: u64) {
        let waiting = Waiting { place, id };
        if self.waiting.back().is_none_or(|last| last.place < place) {
            self.waiting.push_back(waiting);
        } else {
            // It comes back, so it belongs near the front: the ring moves what stands before it.
            let at = self.waiting.partition_point(|other| other.place < place);
            self.waiting.insert(at, waiting);
        }
    }

    /// Takes the message in front.
    pub(super) fn pop(&mut self) -> Option<u64> {
        let first = self.waiting.pop_front()?;
        self.close_up();
        Some(first.id)
    }

    /// Takes the message at this place. Tells whether there was one.
    pub(super) fn remove(&mut self, place: u64) -> bool {
        let Ok(at) = self.waiting.binary_search_by_key(&place, |waiting| waiting.place) else { return false };
        let Some(waiting) = self.waiting.get_mut(at).filter(|waiting| waiting.id != GONE) else {
            return false;
        };
        waiting.id = GONE;
        self.gaps += 1;
        self.close_up();
        true
    }

    /// Closes the gaps in front, and all of them once they are many.
    fn close_up(&mut self) {
        while self.waiting.front().is_some_and(|first| first.id == GONE) {
            self.waiting.pop_front();
            self.gaps -= 1;
        }
        if self.gaps > self.len().max(FEW) {
            self.waiting.retain(|waiting| waiting.id != GONE);
            self.gaps = 0;
        }
        if self.waiting.is_empty() && self.waiting.capacity() > FEW {
            self.waiting = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Append(usize),
        Pop,
        /// Takes out one of those in line, by its rank.
        Remove(usize),
        /// Puts one of those that were taken back.
        Return(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1..200_usize).prop_map(Step::Append),
            Just(Step::Pop),
            any::<usize>().prop_map(Step::Remove),
            any::<usize>().prop_map(Step::Return),
        ]
    }

    proptest! {
        /// The model is a sorted map from places to messages.
        #[test]
        fn everybody_leaves_in_the_order_of_the_places(steps in prop::collection::vec(step(), 1..300)) {
            let (mut line, mut model) = (Line::default(), BTreeMap::new());
            let (mut last, mut taken) = (0, Vec::new());
            for step in steps {
                match step {
                    Step::Append(count) => for _ in 0..count {
                        last += 1;
                        line.insert(last, last + 1000);
                        model.insert(last, last + 1000);
                    },
                    Step::Pop => {
                        let first = model.pop_first();
                        taken.extend(first);
                        prop_assert_eq!(line.pop(), first.map(|(_, id)| id));
                    }
                    Step::Remove(rank) => {
                        let place = model.keys().nth(rank % model.len().max(1)).copied().unwrap_or(last + 1);
                        prop_assert_eq!(line.remove(place), model.remove(&place).is_some());
                        prop_assert!(!line.remove(place));
                    }
                    Step::Return(which) => if !taken.is_empty() {
                        let (place, id) = taken.swap_remove(which % taken.len());
                        line.insert(place, id);
                        model.insert(place, id);
                    },
                }
                prop_assert_eq!((line.len(), line.is_empty()), (model.len(), model.is_empty()));
                prop_assert_eq!(line.first(), model.values().next().copied());
                prop_assert!(line.gaps <= line.len().max(FEW));
            }
            prop_assert!(line.iter().eq(model));
        }
    }

    #[test]
    fn a_long_line_that_has_left_takes_no_memory() {
        let mut line = Line::default();
        (1..=10_000).for_each(|place| line.insert(place, place));
        (2..=10_000).for_each(|place| assert!(line.remove(place)));
        assert!(line.waiting.len() <= 2 * FEW, "{}", line.waiting.len());
        assert_eq!((line.pop(), line.pop()), (Some(1), None));
        assert!(line.waiting.capacity() <= FEW);
    }
}
