//! What holds whatever happens, in whatever order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Something that happens to the pool.
#[derive(Clone, Debug)]
enum Input {
    Submit { lane: u8, timeout: Option<u64> },
    GiveUp(usize),
    Ready(usize),
    ConnectFails { at: usize, error: u8 },
    Ok(usize),
    Back { at: usize, error: u8 },
    Lost { at: usize, idle: bool },
    Wait(u64),
    Pause(bool),
    Rotate,
    Resize(usize),
    Depth(usize, usize),
}

fn input() -> impl Strategy<Value = Input> {
    let at = 0..100_usize;
    prop_oneof![
        6 => (0..3u8, prop::option::weighted(0.1, 1..5000u64))
            .prop_map(|(lane, timeout)| Input::Submit { lane, timeout }),
        1 => at.clone().prop_map(Input::GiveUp),
        5 => at.clone().prop_map(Input::Ready),
        1 => (at.clone(), 0..6u8).prop_map(|(at, error)| Input::ConnectFails { at, error }),
        8 => at.clone().prop_map(Input::Ok),
        2 => (at.clone(), 0..6u8).prop_map(|(at, error)| Input::Back { at, error }),
        1 => (at.clone(), any::<bool>()).prop_map(|(at, idle)| Input::Lost { at, idle }),
        4 => (0..3000u64).prop_map(Input::Wait),
        1 => any::<bool>().prop_map(Input::Pause),
        1 => Just(Input::Rotate),
        1 => (1..6usize).prop_map(Input::Resize),
        1 => (at, 1..4usize).prop_map(|(at, depth)| Input::Depth(at, depth)),
    ]
}

fn options() -> impl Strategy<Value = PoolOptions> {
    let sizes = (1..6usize, 0..3usize, 1..4usize, 1..8u32);
    let bounds = (prop::option::of(0..4u32), prop::option::of(1..6u32), prop::option::of(1..4000u64));
    (sizes, bounds, any::<[bool; 3]>()).prop_map(|(sizes, bounds, [doubt, learn, life])| PoolOptions {
        max_connections: sizes.0,
        min_connections: sizes.1,
        max_connecting: sizes.2,
        max_messages: sizes.3,
        max_requeues: bounds.0,
        rate: bounds.1.map(|limit| RateLimit { limit, delta: ms(1000) }),
        queue_timeout: bounds.2.map(ms),
        idle_timeout: Some(ms(2000)),
        max_lifetime: life.then(|| ms(5000)),
        max_queue: Some(40),
        retry_in_doubt: doubt,
        learn_limits: learn,
        ..PoolOptions::default()
    })
}

fn error(kind: u8) -> Error {
    match kind {
        0 => refused("550 5.1.1 no such user"),
        1 => refused("421 4.7.0 too many messages in this session"),
        2 => refused("432 4.3.2 Concurrent connections limit exceeded"),
        3 => refused("454 Throttling failure: Maximum sending rate exceeded."),
        4 => bad_password(),
        _ => broken(),
    }
}

/// The other side of the bed, and the books.
struct World {
    bed: Bed,
    depth: usize,
    /// Connections that live, with what they hold.
    open: BTreeMap<u64, BTreeSet<u64>>,
    connecting: BTreeSet<u64>,
    told_to_go: BTreeSet<u64>,
    submitted: u64,
    lanes: BTreeMap<u64, u8>,
    settled: BTreeMap<u64, u32>,
    first_starts: BTreeMap<u8, Vec<u64>>,
    started: BTreeSet<u64>,
    starts: Vec<Instant>,
    ended: u32,
}

impl World {
    fn new(options: PoolOptions) -> Self {
        let mut world = Self {
            bed: Bed::new(options),
            depth: 1,
            open: BTreeMap::new(),
            connecting: BTreeSet::new(),
            told_to_go: BTreeSet::new(),
            submitted: 0,
            lanes: BTreeMap::new(),
            settled: BTreeMap::new(),
            first_starts: BTreeMap::new(),
            started: BTreeSet::new(),
            starts: Vec::new(),
            ended: 0,
        };
        world.read();
        world
    }

    /// Enters what the schedule did.
    fn read(&mut self) {
        for line in self.bed.seen() {
            let words: Vec<_> = line.split(' ').collect();
            let number = |at: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or_default();
            match words[0] {
                "open" => {
                    self.open.insert(number(1), BTreeSet::new());
                    self.connecting.insert(number(1));
                    let max = self.bed.schedule.options.max_connections;
                    let staying = self.open.keys().filter(|id| !self.told_to_go.contains(id)).count();
                    assert!(staying <= max && self.open.len() <= 2 * max);
                }
                "send" => self.started(number(1), number(3)),
                "quit" | "abort" => _ = self.told_to_go.insert(number(1)),
                "sent" | "failed" => *self.settled.entry(number(1)).or_default() += 1,
                "ended" => self.ended += 1,
                _ => {}
            }
        }
        let handshakes = self.connecting.difference(&self.told_to_go).count();
        assert!(handshakes <= self.bed.schedule.options.max_connecting);
        assert!(self.settled.values().all(|times| *times == 1), "{:?}", self.settled);
    }

    fn started(&mut self, id: u64, connection: u64) {
        assert!(!self.connecting.contains(&connection) && !self.told_to_go.contains(&connection));
        assert!(!self.settled.contains_key(&id));
        let held = self.open.entry(connection).or_default();
        let is_first = held.is_empty();
        assert!(held.insert(id));
        assert!(held.len() <= self.depth.max(3));
        let working = self.open.values().filter(|held| !held.is_empty()).count();
        assert!(!is_first || working <= self.bed.schedule.options.max_connections);
        self.starts.push(self.bed.now);
        if self.started.insert(id) {
            let lane = self.lanes.get(&id).copied().unwrap_or_default();
            self.first_starts.entry(lane).or_default().push(id);
        }
    }

    fn pick<'a>(from: impl Iterator<Item = &'a u64>, at: usize) -> Option<u64> {
        let all: Vec<_> = from.collect();
        (!all.is_empty()).then(|| *all[at % all.len()])
    }

    fn busy(&self, at: usize) -> Option<(u64, u64)> {
        let pairs: Vec<_> =
            self.open.iter().flat_map(|(id, held)| held.iter().map(move |job| (*id, *job))).collect();
        (!pairs.is_empty()).then(|| pairs[at % pairs.len()])
    }

    fn ready(&self, at: usize) -> Option<u64> {
        Self::pick(self.open.keys().filter(|id| !self.connecting.contains(id)), at)
    }

    fn apply(&mut self, input: Input) {
        match input {
            Input::Submit { lane, timeout } => {
                self.submitted += 1;
                let id = self.submitted;
                self.lanes.insert(id, lane);
                let lane = Some(Arc::from(format!("{lane}")));
                self.bed
                    .submit_with(|submission| (submission.lane, submission.timeout) = (lane, timeout), id);
            }
            Input::GiveUp(at) if self.submitted > 0 => {
                let id = at as u64 % self.submitted + 1;
                self.bed.do_with(|schedule| schedule.give_up(id, Error::new(Code::Abort, "aborted")));
            }
            Input::Ready(at) => {
                if let Some(id) = Self::pick(self.connecting.iter(), at) {
                    self.connecting.remove(&id);
                    self.bed.ready(id);
                }
            }
            Input::ConnectFails { at, error: kind } => {
                if let Some(id) = Self::pick(self.connecting.iter(), at) {
                    self.gone(id, Some(error(kind)), kind == 5);
                }
            }
            Input::Ok(at) => {
                if let Some((connection, id)) = self.busy(at) {
                    self.open.entry(connection).or_default().remove(&id);
                    self.bed.ok(connection, id);
                }
            }
            Input::Back { at, error: kind } => {
                if let Some((connection, id)) = self.busy(at) {
                    self.open.entry(connection).or_default().remove(&id);
                    self.bed.back(connection, id, error(kind), kind != 0);
                }
            }
            Input::Lost { at, idle } => {
                if let Some(id) = self.ready(at) {
                    self.gone(id, (!idle).then(broken), false);
                }
            }
            Input::Wait(time) => self.wait(time),
            Input::Pause(paused) => self.bed.do_with(|schedule| schedule.pause(paused)),
            Input::Rotate => self.bed.do_with(Schedule::rotate),
            Input::Resize(max) => {
                let resize = Resize { max_connections: Some(max), ..Resize::default() };
                self.bed.do_with(|schedule| schedule.resize(resize));
            }
            Input::Depth(at, depth) => {
                self.depth = self.depth.max(depth);
                if let Some(id) = self.ready(at) {
                    self.bed.do_with(|schedule| schedule.depth(id, depth));
                }
            }
            Input::GiveUp(_) => {}
        }
        self.read();
    }

    fn gone(&mut self, id: u64, error: Option<Error>, silent: bool) {
        self.open.remove(&id);
        self.connecting.remove(&id);
        self.bed.end(id, error, silent);
    }

    /// Time passes in steps, so that every start is entered at its time.
    fn wait(&mut self, time: u64) {
        let until = self.bed.now + ms(time);
        while self.bed.now < until {
            let next = self.bed.schedule.next_wake().filter(|at| *at < until).unwrap_or(until);
            let step = next.saturating_duration_since(self.bed.now);
            self.bed.wait(step.max(ms(1)).min(until - self.bed.now));
            self.read();
        }
    }

    /// A connection that was told to go, is ready and holds nothing.
    fn leaving(&self) -> Option<u64> {
        let goes = |id: &&u64| self.told_to_go.contains(*id) && !self.connecting.contains(*id);
        self.open.keys().find(goes).copied()
    }

    /// A server that behaves, until nothing is left to do.
    fn finish(&mut self) {
        self.bed.do_with(|schedule| schedule.pause(false));
        self.bed.do_with(Schedule::drain);
        self.read();
        for _ in 0..5000 {
            if self.ended > 0 {
                return;
            }
            while let Some(id) = self.connecting.iter().next().copied() {
                self.connecting.remove(&id);
                if self.told_to_go.contains(&id) {
                    self.gone(id, Some(broken()), false);
                } else {
                    self.bed.ready(id);
                }
                self.read();
            }
            while let Some((connection, id)) = self.busy(0) {
                self.open.entry(connection).or_default().remove(&id);
                self.bed.ok(connection, id);
                self.read();
            }
            while let Some(id) = self.leaving() {
                self.gone(id, None, false);
                self.read();
            }
            self.wait(50);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_happens_every_message_settles_once_and_no_bound_is_broken(
        options in options(),
        inputs in prop::collection::vec(input(), 1..150),
    ) {
        let rate = options.rate;
        let mut world = World::new(options);
        for input in inputs {
            world.apply(input);
        }
        world.finish();
        prop_assert_eq!(world.ended, 1);
        prop_assert_eq!(world.settled.len() as u64, world.submitted);
        prop_assert!(world.open.is_empty(), "connections left: {:?}", world.open);
        let schedule = &world.bed.schedule;
        prop_assert!(schedule.jobs.is_empty() && schedule.lanes.len() == 0);
        prop_assert_eq!((schedule.queued_bytes, schedule.delayed), (0, 0));
        for (lane, ids) in &world.first_starts {
            prop_assert!(ids.is_sorted(), "lane {}: {:?}", lane, ids);
        }
        if let Some(rate) = rate {
            for from in &world.starts {
                let inside = world.starts.iter().filter(|at| *at >= from && **at < *from + rate.delta);
                prop_assert!(inside.count() <= rate.limit as usize);
            }
        }
    }
}
