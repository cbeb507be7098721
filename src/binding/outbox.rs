//! Events on their way to JavaScript: in order, in batches, through one callback.

use std::collections::HashMap;
use std::fmt;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status};
use serde::Serialize;

use super::events::{Told, stats};
use crate::mail::Message;
use crate::pool::{EventSink, PoolEvent, Snapshot};

/// `Weak`: waiting for events does not keep Node alive by itself; [`Outbox::hold`] does while a
/// message is pending.
type Callback = ThreadsafeFunction<(), (), String, Status, false, true>;

/// How long a snapshot may take. The pool's task makes it between two inputs, within microseconds;
/// a pool that has ended makes none.
const SNAPSHOT_PATIENCE: Duration = Duration::from_millis(250);

/// The events of one pool that JavaScript has not seen yet.
#[derive(Clone)]
pub(super) struct Outbox(Arc<Inner>);

struct Inner {
    batch: Mutex<Batch>,
    callback: Mutex<Option<Callback>>,
    asked: Mutex<Asked>,
}

/// The snapshot JavaScript waits for.
#[derive(Default)]
struct Asked {
    id: u64,
    answer: Option<SyncSender<String>>,
}

#[derive(Default)]
struct Batch {
    events: Events,
    /// Messages that were given back with these events.
    given_back: Vec<(u64, Arc<dyn Message>)>,
    /// Those of the batch that JavaScript deals with: it has them until it asks for the next one.
    offered: HashMap<u64, Arc<dyn Message>>,
    /// A call is under way, or JavaScript is dealing with the last batch.
    announced: bool,
}

/// A JSON array without its closing bracket, made on the engine's threads: one string crosses and
/// one parse reads it, which costs the JavaScript thread less than a property call for every field.
#[derive(Default)]
struct Events(Vec<u8>);

impl Events {
    fn push(&mut self, event: &impl Serialize) {
        let before = self.0.len();
        self.0.push(if before == 0 { b'[' } else { b',' });
        if serde_json::to_writer(&mut self.0, event).is_err() {
            self.0.truncate(before);
        }
    }

    fn append(&mut self, more: Self) {
        match (self.0.first_mut(), more.0.split_first()) {
            (None, _) => *self = more,
            (Some(_), None) => {}
            (Some(_), Some((_, rest))) => {
                self.0.push(b',');
                self.0.extend_from_slice(rest);
            }
        }
    }

    /// The array, and an empty one in its place; none when there is nothing in it.
    fn take(&mut self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let mut json = std::mem::take(&mut self.0);
        json.push(b']');
        String::from_utf8(json).ok()
    }
}

impl Batch {
    /// Hands over what has gathered.
    fn take(&mut self) -> Option<String> {
        self.offered = self.given_back.drain(..).collect();
        self.events.take()
    }
}

impl Outbox {
    /// An outbox that empties itself into `callback`.
    pub(super) fn new(callback: &Function<'_, String, ()>) -> napi::Result<Self> {
        let inner =
            Arc::new(Inner { batch: Mutex::default(), callback: Mutex::new(None), asked: Mutex::default() });
        let source = Arc::downgrade(&inner);
        let function =
            callback.build_threadsafe_function::<()>().weak::<true>().build_callback(move |_| {
                // Called on the JavaScript thread: take whatever has gathered by now.
                let events = source.upgrade().and_then(|inner| lock(&inner.batch).take());
                Ok(events.unwrap_or_default())
            })?;
        *lock(&inner.callback) = Some(function);
        Ok(Self(inner))
    }

    /// Keeps Node alive, or no longer.
    pub(super) fn hold(&self, env: &Env, hold: bool) -> napi::Result<()> {
        let mut callback = lock(&self.0.callback);
        let Some(callback) = callback.as_mut() else { return Ok(()) };
        // Marked deprecated in favour of cloning, which cannot express this: the calls themselves
        // are Node's own and current.
        #[allow(deprecated)]
        if hold { callback.refer(env) } else { callback.unref(env) }
    }

    /// Adds an event and makes sure that somebody comes for it.
    pub(super) fn push(&self, event: &impl Serialize) {
        let mut events = Events::default();
        events.push(event);
        self.append(events, Vec::new());
    }

    fn append(&self, events: Events, given_back: Vec<(u64, Arc<dyn Message>)>) {
        let mut batch = lock(&self.0.batch);
        batch.events.append(events);
        batch.given_back.extend(given_back);
        if batch.announced || batch.events.0.is_empty() {
            return;
        }
        batch.announced = true;
        drop(batch);
        if let Some(callback) = lock(&self.0.callback).as_ref() {
            callback.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// JavaScript has dealt with a batch and asks for the next one. When there is none yet, it is
    /// announced once there is.
    pub(super) fn next(&self) -> Option<String> {
        let mut batch = lock(&self.0.batch);
        let events = batch.take();
        batch.announced = events.is_some();
        events
    }

    /// A message that was given back with the batch JavaScript deals with.
    pub(super) fn take_back(&self, id: u64) -> Option<Arc<dyn Message>> {
        lock(&self.0.batch).offered.remove(&id)
    }

    /// Asks for a snapshot and waits for it.
    pub(super) fn snapshot(&self, ask: impl FnOnce(u64)) -> Option<String> {
        let (answer, snapshot) = sync_channel(1);
        let mut asked = lock(&self.0.asked);
        asked.id += 1;
        asked.answer = Some(answer);
        let id = asked.id;
        drop(asked);
        ask(id);
        snapshot.recv_timeout(SNAPSHOT_PATIENCE).ok()
    }

    /// Hands a snapshot to whoever waits for it; one that came too late is dropped.
    fn answer(&self, id: u64, snapshot: &Snapshot) {
        let mut asked = lock(&self.0.asked);
        if asked.id == id
            && let Some(answer) = asked.answer.take()
        {
            let _ = answer.send(stats(snapshot).to_string());
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbox")
    }
}

impl EventSink for Outbox {
    fn deliver(&mut self, events: Vec<PoolEvent>) {
        let (mut told, mut given_back) = (Events::default(), Vec::new());
        for event in events {
            match event {
                PoolEvent::Stats(id, snapshot) => self.answer(id, &snapshot),
                PoolEvent::GivenBack(id, message) => given_back.push((id, message)),
                event => told.push(&Told(event)),
            }
        }
        self.append(told, given_back);
    }
}

/// A poisoned lock means that a panic was caught elsewhere; the data are whole all the same.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
