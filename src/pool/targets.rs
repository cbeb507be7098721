//! The hosts a pool sends to: what is known of each, and which one gets the next connection.
//!
//! Pure like the schedule that asks it. A host that fails is avoided for a while, longer each time,
//! as long as another one works; when none does, each is tried again as if it were alone.

use std::ops::{Index, IndexMut};
use std::time::Duration;

use tokio::time::Instant;

use super::learn::{Learned, Limits};

/// First time a host that failed is avoided, doubled each time.
const AVOID: Duration = Duration::from_millis(500);
/// Longest such time.
const AVOID_MAX: Duration = Duration::from_secs(30);

/// All hosts of a pool, in the order the caller gave them.
#[derive(Debug)]
pub(super) struct Targets(Vec<Target>);

/// What is known of a host.
#[derive(Debug)]
pub(super) struct Target {
    /// Limits it has shown.
    pub(super) learned: Learned,
    /// A connection of this generation logged in, or needed no login.
    pub(super) login_works: bool,
    /// No connection is opened before.
    held_until: Option<Instant>,
    /// Another host is preferred before.
    avoided_until: Option<Instant>,
    /// Rounds of connections that failed in a row without a message getting through.
    failures: u32,
    /// When the last of them failed.
    failed_at: Option<Instant>,
}

/// The connections of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// Being made.
    pub(super) connecting: usize,
    /// Of any kind.
    pub(super) open: usize,
    /// Messages in flight.
    pub(super) in_flight: usize,
}

/// A host in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TargetState {
    /// It failed, and others are preferred.
    pub avoided: bool,
    /// Limits it has shown.
    pub learned: Limits,
}

impl Targets {
    pub(super) fn new(count: usize, learn: bool) -> Self {
        Self((0..count.max(1)).map(|_| Target::new(learn)).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Target> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Target> {
        self.0.iter_mut()
    }

    /// Whether a host is known that may be connected to and has not failed lately.
    pub(super) fn any_fit(&self) -> bool {
        self.0.iter().any(Target::is_fit)
    }

    /// Connections each host could get right now; those under `probe` try a login first.
    pub(super) fn room<'a>(
        &'a self,
        loads: &'a [Load],
        probe: bool,
    ) -> impl Iterator<Item = (usize, usize)> + 'a {
        let any_fit = self.any_fit();
        let all = self.0.iter().zip(loads).enumerate();
        all.filter(move |(_, (target, _))| target.is_fit() || !any_fit)
            .map(move |(number, (target, load))| (number, target.room(*load, probe)))
    }

    /// The host for the next connection: the one with the least, the first of several.
    pub(super) fn choose(&self, loads: &[Load], probe: bool) -> Option<usize> {
        let open = self.room(loads, probe).filter(|(_, room)| *room > 0);
        let load = |number: usize| loads.get(number).map(|load| (load.connecting, load.open));
        open.map(|(number, _)| number).min_by_key(|number| (load(*number), *number))
    }

    /// Until when every host wants no further message, if all of them do.
    pub(super) fn wait(&self, now: Instant) -> Option<Instant> {
        self.0.iter().map(|target| target.learned.wait(now)).min()?
    }

    /// When the first host that wants no further message now will take one.
    pub(super) fn next_pace(&self, now: Instant) -> Option<Instant> {
        self.0.iter().filter_map(|target| target.learned.wait(now)).min()
    }

    /// Time passed.
    pub(super) fn pass(&mut self, now: Instant) {
        for target in &mut self.0 {
            target.held_until = target.held_until.filter(|at| now < *at);
            target.avoided_until = target.avoided_until.filter(|at| now < *at);
        }
    }

    /// A new generation of connections: what failed with the old one may work now.
    pub(super) fn renew(&mut self) {
        for target in &mut self.0 {
            let learned = std::mem::replace(&mut target.learned, Learned::new(false));
            *target = Target { learned, ..Target::new(false) };
        }
    }
}

impl Target {
    fn new(learn: bool) -> Self {
        Self {
            learned: Learned::new(learn),
            login_works: false,
            held_until: None,
            avoided_until: None,
            failures: 0,
            failed_at: None,
        }
    }

    fn is_fit(&self) -> bool {
        self.held_until.is_none() && self.avoided_until.is_none()
    }

    /// Connections that could be opened. A login nobody has seen succeed is tried by one
    /// connection: a wrong password is wrong for all of them, and servers lock accounts.
    fn room(&self, load: Load, probe: bool) -> usize {
        if self.held_until.is_some() {
            return 0;
        }
        let most = self.learned.connections().unwrap_or(usize::MAX).saturating_sub(load.open);
        if probe && !self.login_works { most.min(1_usize.saturating_sub(load.connecting)) } else { most }
    }

    /// Counts a failure, once for the connections that were tried together; gives how many there
    /// were before.
    pub(super) fn failed(&mut self, opened_at: Instant, now: Instant) -> u32 {
        if self.failed_at.is_none_or(|last| last < opened_at) || self.failures == 0 {
            self.failures += 1;
            self.failed_at = Some(now);
        }
        let before = self.failures - 1;
        let pause = AVOID.saturating_mul(1 << before.min(16)).min(AVOID_MAX);
        self.avoided_until = self.avoided_until.max(Some(now + pause));
        before
    }

    /// No connection before this moment.
    pub(super) fn hold(&mut self, until: Instant) {
        self.held_until = self.held_until.max(Some(until));
    }

    /// A connection takes messages.
    pub(super) fn answered(&mut self) {
        self.login_works = true;
        self.held_until = None;
        self.avoided_until = None;
    }

    /// A message got through.
    pub(super) fn worked(&mut self) {
        self.failures = 0;
    }

    pub(super) fn view(&self, now: Instant) -> TargetState {
        TargetState {
            avoided: self.avoided_until.is_some_and(|at| now < at),
            learned: self.learned.view(now),
        }
    }
}

impl Index<usize> for Targets {
    type Output = Target;

    fn index(&self, number: usize) -> &Target {
        &self.0[number]
    }
}

impl IndexMut<usize> for Targets {
    fn index_mut(&mut self, number: usize) -> &mut Target {
        &mut self.0[number]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn loads<const N: usize>(pairs: [(usize, usize); N]) -> [Load; N] {
        pairs.map(|(connecting, open)| Load { connecting, open, in_flight: 0 })
    }

    #[test]
    fn the_host_with_the_least_gets_the_next_connection() {
        let targets = Targets::new(3, true);
        for (load, chosen) in [
            ([(0, 0), (0, 0), (0, 0)], 0),
            ([(1, 1), (0, 0), (0, 0)], 1),
            ([(0, 1), (0, 1), (0, 0)], 2),
            // One that is slow to answer does not get a second before the others have theirs.
            ([(1, 1), (0, 3), (0, 4)], 1),
            ([(2, 2), (1, 4), (1, 3)], 2),
        ] {
            assert_eq!(targets.choose(&loads(load), false), Some(chosen), "{load:?}");
        }
    }

    #[test]
    fn a_host_that_failed_is_avoided_ever_longer_and_preferred_again_once_it_works() {
        let mut targets = Targets::new(2, true);
        let mut now = Instant::now();
        let idle = loads([(0, 0), (0, 0)]);
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            targets[0].failed(now, now);
            let back = now + SECOND / 2 * pause;
            targets.pass(back - Duration::from_millis(1));
            assert_eq!(targets.choose(&idle, false), Some(1), "{pause}");
            targets.pass(back);
            assert_eq!(targets.choose(&idle, false), Some(0), "{pause}");
            now = back + SECOND;
        }
        targets[0].failed(now, now);
        targets[0].answered();
        assert_eq!(targets.choose(&idle, false), Some(0));
    }

    #[test]
    fn when_all_hosts_fail_each_is_tried_as_if_it_were_alone() {
        let mut targets = Targets::new(2, true);
        let now = Instant::now();
        let idle = loads([(0, 0), (0, 0)]);
        for number in 0..2 {
            targets[number].failed(now, now);
            targets[number].hold(now + SECOND / 10);
        }
        assert_eq!((targets.choose(&idle, false), targets.any_fit()), (None, false));
        targets.pass(now + SECOND / 10);
        assert_eq!((targets.choose(&idle, false), targets.any_fit()), (Some(0), false));
    }

    #[test]
    fn a_host_that_is_full_is_no_reason_to_ask_one_that_failed() {
        let mut targets = Targets::new(2, true);
        let now = Instant::now();
        targets[0].failed(now, now);
        targets[1].learned.too_many_connections(2, now);
        assert_eq!(targets.choose(&loads([(0, 0), (0, 1)]), false), Some(1));
        assert_eq!(targets.choose(&loads([(0, 0), (0, 2)]), false), None);
    }

    #[test]
    fn a_login_is_tried_once_on_each_host() {
        let mut targets = Targets::new(2, true);
        let choose = |targets: &Targets, pairs| targets.choose(&loads(pairs), true);
        assert_eq!(choose(&targets, [(1, 1), (0, 0)]), Some(1));
        assert_eq!(choose(&targets, [(1, 1), (1, 1)]), None);
        targets[0].answered();
        assert_eq!(choose(&targets, [(1, 2), (1, 1)]), Some(0));
    }
}
