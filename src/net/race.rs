//! Several addresses, one connection: RFC 8305 without its DNS part.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::error::{Code, Error, Result, SystemError};

/// Head start of an attempt over the next one: RFC 8305's Connection Attempt Delay.
const STAGGER: Duration = Duration::from_millis(250);

/// The order in which addresses are tried: random inside a family, so that connections spread over
/// the addresses of a host; families in turn, IPv6 first, so that a family that does not work costs
/// one head start.
pub(super) fn order(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let random = RandomState::new();
    let (mut v6, mut v4): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv6);
    v6.sort_by_cached_key(|address| random.hash_one(address));
    v4.sort_by_cached_key(|address| random.hash_one(address));
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut ordered = Vec::with_capacity(v6.len() + v4.len());
    while v6.len() + v4.len() > 0 {
        ordered.extend(v6.next());
        ordered.extend(v4.next());
    }
    ordered
}

/// Attempts the candidates in turn, the next one when the last has failed or has had its head
/// start, and gives the first that succeeds. The others are dropped.
pub(super) async fn race<C, T, F>(candidates: Vec<C>, attempt: impl Fn(C) -> F) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut waiting = candidates.into_iter();
    if waiting.len() == 1
        && let Some(only) = waiting.next()
    {
        return attempt(only).await;
    }
    let mut running = JoinSet::new();
    let mut failures = Vec::new();
    loop {
        if let Some(candidate) = waiting.next() {
            running.spawn(attempt(candidate));
        }
        let outcome = tokio::select! {
            ended = running.join_next() => ended,
            () = sleep(STAGGER), if waiting.len() > 0 => continue,
        };
        match outcome {
            Some(Ok(Ok(winner))) => return Ok(winner),
            Some(Ok(Err(error))) => failures.push(error),
            Some(Err(panic)) => failures.push(Error::new(Code::Internal, panic.to_string())),
            None => return Err(summary(failures)),
        }
    }
}

/// One failure for all attempts. Node gives an `AggregateError` with an empty message and the code
/// of the first; here the message names them.
fn summary(mut failures: Vec<Error>) -> Error {
    failures.dedup_by(|a, b| a.message() == b.message());
    if failures.len() == 1 {
        return failures.remove(0);
    }
    let texts: Vec<&str> = failures.iter().map(Error::message).collect();
    let first = failures.first().and_then(Error::system_error).map(|system| system.code.clone());
    let system = SystemError { code: first.unwrap_or_default(), ..SystemError::default() };
    super::failure::socket(texts.join("; "), system).causes(failures)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::*;

    /// A candidate: milliseconds until it ends, and whether it then succeeds.
    type Candidate = (u64, bool);

    async fn run(candidates: &[Candidate]) -> (Result<u64>, u64) {
        let started = Instant::now();
        let winner = race(candidates.to_vec(), |(wait, succeeds)| async move {
            sleep(Duration::from_millis(wait)).await;
            let failure =
                || super::super::failure::socket(format!("failed after {wait}"), SystemError::default());
            succeeds.then_some(wait).ok_or_else(failure)
        })
        .await;
        (winner, u64::try_from(started.elapsed().as_millis()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_address_starts_after_a_head_start_or_a_failure() {
        const HANGS: u64 = 1_000_000;
        for (candidates, winner, took) in [
            (&[(10, true), (1, true)][..], 10, 10),
            (&[(HANGS, true), (10, true)], 10, 260),
            (&[(100, false), (10, true)], 10, 110),
            (&[(HANGS, true), (HANGS, true), (20, true)], 20, 520),
            // The first is slower than its head start and still wins.
            (&[(300, true), (100, true)], 300, 300),
            // A failure starts the next at once, also while another one hangs.
            (&[(HANGS, true), (50, false), (5, true)], 5, 305),
        ] {
            let (outcome, elapsed) = run(candidates).await;
            assert_eq!((outcome.unwrap(), elapsed), (winner, took), "{candidates:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_fail_every_failure_is_told() {
        let (outcome, _) = run(&[(1, false), (2, false)]).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.message(), "failed after 1; failed after 2");
        assert_eq!(error.summed().len(), 2);
        let (outcome, _) = run(&[(1, false), (1, false)]).await;
        assert!(outcome.unwrap_err().summed().is_empty(), "the same failure twice is one failure");
    }

    proptest! {
        #[test]
        fn every_address_is_tried_once_and_families_alternate(v6 in 0..5u16, v4 in 0..5u8) {
            let six = (0..v6).map(|n| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n]));
            let four = (0..v4).map(|n| IpAddr::from([192, 0, 2, n]));
            let all: Vec<IpAddr> = four.chain(six).collect();
            let ordered = order(all.clone());
            prop_assert_eq!(ordered.len(), all.len());
            prop_assert_eq!(ordered.iter().collect::<HashSet<_>>(), all.iter().collect::<HashSet<_>>());
            let both = 2 * usize::from(v6.min(u16::from(v4)));
            for (index, address) in ordered.iter().take(both).enumerate() {
                prop_assert_eq!(address.is_ipv6(), index % 2 == 0);
            }
        }
    }

    #[test]
    fn the_first_address_is_not_always_the_same() {
        let all: Vec<IpAddr> = (0..8).map(|n| IpAddr::from([192, 0, 2, n])).collect();
        let firsts: HashSet<IpAddr> = (0..64).filter_map(|_| order(all.clone()).first().copied()).collect();
        assert!(firsts.len() > 1);
    }
}
