//! Copies of the caller's `Buffer`s, which the caller may change once the message is queued.
//!
//! Many messages often carry the same attachment. Where the octets of a `Buffer` are still those of
//! a copy that a waiting message holds, that copy is shared: comparing is cheaper than copying, and
//! the attachment is held once.

use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;

use super::outbox::lock;

/// Smaller ones are copied without looking; in octets.
const WORTH_SHARING: usize = 16 * 1024;
/// Copies that are remembered.
const REMEMBERED: usize = 16;

/// Copies that may still be in use, the latest last.
#[derive(Debug, Default)]
pub(super) struct Copies(Mutex<Vec<Remembered>>);

#[derive(Debug)]
struct Remembered {
    /// Where the original was: a hint, as another `Buffer` may have taken its place.
    address: usize,
    copy: Weak<Vec<u8>>,
}

/// One message's share in a copy.
struct Share(Arc<Vec<u8>>);

impl AsRef<[u8]> for Share {
    fn as_ref(&self) -> &[u8] {
        &self.0
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
        let same = known.filter_map(|known| known.copy.upgrade()).find(|copy| **copy == octets);
        let copy = same.unwrap_or_else(|| {
            let copy = Arc::new(octets.to_vec());
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
