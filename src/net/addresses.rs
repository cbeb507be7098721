//! What this process knows of addresses: how many connections lead to each, and which failed.
//!
//! A host may have several. New connections go to the one with the fewest; one that failed is tried
//! after the others for a while. It is never left out: what is known may be out of date.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// First time an address that failed is put last, doubled each time.
const AVOID: Duration = Duration::from_secs(10);
/// Longest such time.
const AVOID_MAX: Duration = Duration::from_secs(300);
/// Addresses without a connection that are remembered at most.
const CAPACITY: usize = 1000;

/// The addresses of this process.
pub(super) static ADDRESSES: LazyLock<Addresses> = LazyLock::new(Addresses::default);

#[derive(Clone, Debug, Default)]
pub(super) struct Addresses(Arc<Mutex<HashMap<SocketAddr, Seen>>>);

#[derive(Debug, Default)]
struct Seen {
    /// Connections that are open or being made.
    open: usize,
    /// Failures in a row.
    failures: u32,
    avoided_until: Option<Instant>,
}

/// A connection to an address, for as long as it is kept. One whose attempt was decided and that is
/// dropped before it [`works`](Self::works) counts as a failure.
#[derive(Debug)]
pub(super) struct Lease {
    addresses: Addresses,
    address: SocketAddr,
    doubtful: bool,
}

impl Addresses {
    /// Brings forward what has fewer connections, and puts what failed last; the order stays
    /// otherwise.
    pub(super) fn sort(&self, candidates: &mut [SocketAddr], now: Instant) {
        let seen = self.seen();
        candidates.sort_by_key(|address| {
            let known = seen.get(address);
            let avoided = known.and_then(|known| known.avoided_until).is_some_and(|until| now < until);
            (avoided, known.map_or(0, |known| known.open))
        });
    }

    /// A connection to this address is being made.
    pub(super) fn lease(&self, address: SocketAddr) -> Lease {
        self.seen().entry(address).or_default().open += 1;
        Lease { addresses: self.clone(), address, doubtful: false }
    }

    /// The map is whole between any two statements, so a panic elsewhere does not spoil it.
    fn seen(&self) -> MutexGuard<'_, HashMap<SocketAddr, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// The attempt has an outcome: it failed, or whether the server is of any use is to be seen.
    pub(super) fn decided(&mut self) {
        self.doubtful = true;
    }

    /// The server takes messages.
    pub(super) fn works(&mut self) {
        self.doubtful = false;
        if let Some(known) = self.addresses.seen().get_mut(&self.address) {
            known.failures = 0;
            known.avoided_until = None;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut seen = self.addresses.seen();
        let Some(known) = seen.get_mut(&self.address) else { return };
        known.open -= 1;
        if self.doubtful {
            let pause = AVOID.saturating_mul(1 << known.failures.min(16)).min(AVOID_MAX);
            known.failures += 1;
            known.avoided_until = Some(Instant::now() + pause);
        }
        if known.open == 0 && known.failures == 0 {
            seen.remove(&self.address);
        } else if seen.len() > CAPACITY {
            seen.retain(|_, known| known.open > 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 587))
    }

    fn first(addresses: &Addresses) -> SocketAddr {
        let mut candidates = [address(1), address(2), address(3)];
        addresses.sort(&mut candidates, Instant::now());
        candidates[0]
    }

    #[test]
    fn connections_spread_over_the_addresses_and_fill_what_became_free() {
        let addresses = Addresses::default();
        let mut leases: Vec<_> = (0..6).map(|_| addresses.lease(first(&addresses))).collect();
        let order: Vec<_> = leases.iter().map(|lease| lease.address).collect();
        assert_eq!(order, [1, 2, 3, 1, 2, 3].map(address));
        leases.remove(4);
        assert_eq!(first(&addresses), address(2));
        leases.clear();
        assert!(addresses.seen().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_fails_is_put_last_ever_longer_until_it_works() {
        let addresses = Addresses::default();
        for pause in [10, 20, 40, 80, 160, 300, 300] {
            addresses.lease(address(1)).decided();
            assert_eq!(first(&addresses), address(2));
            tokio::time::advance(Duration::from_secs(pause) - Duration::from_millis(1)).await;
            assert_eq!(first(&addresses), address(2), "{pause}");
            tokio::time::advance(Duration::from_millis(1)).await;
            assert_eq!(first(&addresses), address(1), "{pause}");
        }
        addresses.lease(address(1)).decided();
        let mut lease = addresses.lease(address(1));
        lease.decided();
        lease.works();
        drop(lease);
        assert_eq!((first(&addresses), addresses.seen().len()), (address(1), 0));
    }

    #[test]
    fn a_server_that_accepts_and_is_of_no_use_has_failed_and_a_race_that_was_lost_has_not() {
        let addresses = Addresses::default();
        drop(addresses.lease(address(1)));
        assert_eq!(first(&addresses), address(1));
        addresses.lease(address(1)).decided();
        assert_eq!(first(&addresses), address(2));
    }

    #[test]
    fn failures_of_ever_new_addresses_are_forgotten() {
        let addresses = Addresses::default();
        for number in 0..3000_u16 {
            addresses.lease(SocketAddr::from(([192, 0, 2, 1], number))).decided();
        }
        assert!(addresses.seen().len() <= CAPACITY);
    }
}
