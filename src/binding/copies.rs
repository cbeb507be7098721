//! Copies of the caller's `Buffer`s, which the caller may change once the message is queued.
//!
//! Many messages often carry the same attachment. Where the octets of a `Buffer` are still those of
//! a copy that a waiting message holds, that copy is shared: comparing is cheaper than copying, and
//! the attachment is held once. The memory of large copies is used again: asking the system for five
//! megabytes takes the JavaScript thread several times as long as copying them.

use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;

use super::outbox::lock;

/// Smaller ones are copied without looking; in octets.
const WORTH_SHARING: usize = 16 * 1024;
/// Copies that are remembered.
const REMEMBERED: usize = 16;
/// The memory of smaller copies is given back; in octets.
const WORTH_KEEPING: usize = 256 * 1024;
/// Memory that is kept for the next copies, for all pools of the process; in octets.
const KEPT: usize = 8 * 1024 * 1024;

/// Copies that may still be in use, the latest last.
#[derive(Debug, Default)]
pub(super) struct Copies(Mutex<Vec<Remembered>>);

#[derive(Debug)]
struct Remembered {
    /// Where the original was: a hint, as another `Buffer` may have taken its place.
    address: usize,
    copy: Weak<Copied>,
}

#[derive(Debug)]
struct Copied(Vec<u8>);

/// One message's share in a copy.
struct Share(Arc<Copied>);

impl AsRef<[u8]> for Share {
    fn as_ref(&self) -> &[u8] {
        &self.0.0
    }
}

impl Copies {
    /// The octets as they are now.
    pub(super) fn of(&self, octets: &[u8]) -> Bytes {
        if octets.len() < WORTH_SHARING {
            return Bytes::copy_from_slice(octets);
        }
        let address = octets.as_ptr().addr();
        let mut remembered = lock(&self.0);
        let known = remembered.iter().filter(|known| known.address == address);
        let same = known.filter_map(|known| known.copy.upgrade()).find(|copy| copy.0 == octets);
        let copy = same.unwrap_or_else(|| {
            let copy = Arc::new(Copied::new(octets, &SPARE));
            remembered.retain(|known| known.address != address && known.copy.strong_count() > 0);
            if remembered.len() == REMEMBERED {
                remembered.remove(0);
            }
            remembered.push(Remembered { address, copy: Arc::downgrade(&copy) });
            copy
        });
        Bytes::from_owner(Share(copy))
    }
}

impl Copied {
    fn new(octets: &[u8], spare: &Spare) -> Self {
        let mut copy = spare.take(octets.len());
        copy.extend_from_slice(octets);
        Self(copy)
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        SPARE.keep(std::mem::take(&mut self.0));
    }
}

static SPARE: Spare = Spare(Mutex::new(Vec::new()));

/// Memory of copies nobody needs any more, the latest last.
#[derive(Debug)]
struct Spare(Mutex<Vec<Vec<u8>>>);

impl Spare {
    /// Empty, with room for so many octets and at most twice as many, or what the allocator gives.
    fn take(&self, octets: usize) -> Vec<u8> {
        let mut kept = lock(&self.0);
        let fits = |memory: &Vec<u8>| (octets..=2 * octets).contains(&memory.capacity());
        match kept.iter().rposition(fits) {
            Some(at) => kept.remove(at),
            None => Vec::with_capacity(octets),
        }
    }

    /// Keeps memory in place of what was kept the longest.
    fn keep(&self, mut memory: Vec<u8>) {
        if !(WORTH_KEEPING..=KEPT).contains(&memory.capacity()) {
            return;
        }
        memory.clear();
        let mut kept = lock(&self.0);
        kept.push(memory);
        while kept.iter().map(Vec::capacity).sum::<usize>() > KEPT {
            kept.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 3 * 1024 * 1024;

    #[test]
    fn equal_octets_in_one_place_are_held_once_and_changed_ones_apart() {
        let copies = Copies::default();
        let mut octets = vec![1; WORTH_SHARING];
        let first = copies.of(&octets);
        assert_eq!(first.as_ptr(), copies.of(&octets).as_ptr());
        octets[0] = 2;
        let second = copies.of(&octets);
        assert_ne!(first.as_ptr(), second.as_ptr());
        assert_eq!((first[0], second[0]), (1, 2));
    }

    #[test]
    fn memory_of_a_large_copy_is_used_for_the_next_one_of_about_its_size() {
        let spare = Spare(Mutex::default());
        spare.keep(vec![1; LARGE]);
        let room = |octets| spare.take(octets).capacity();
        assert_eq!([room(LARGE / 4), room(LARGE + 1)], [LARGE / 4, LARGE + 1]);
        let again = spare.take(LARGE - 5);
        assert_eq!((again.capacity(), again.len()), (LARGE, 0));
        assert_eq!(room(LARGE - 5), LARGE - 5);
    }

    #[test]
    fn no_more_memory_is_kept_than_allowed_and_the_latest_stays() {
        let spare = Spare(Mutex::default());
        for size in [WORTH_KEEPING - 1, KEPT + 1, LARGE, LARGE, LARGE + 1] {
            spare.keep(Vec::with_capacity(size));
        }
        let sizes: Vec<_> = lock(&spare.0).iter().map(Vec::capacity).collect();
        assert_eq!(sizes, [LARGE, LARGE + 1]);
    }
}
