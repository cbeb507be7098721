//! What happens in a pool, on its way to JavaScript: in order, in batches, through one callback.
//!
//! A batch is JSON made on the engine's threads: one string crosses and one parse reads it, which
//! costs the JavaScript thread less than a property call for every field.

use std::fmt;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status};
use serde::Serialize;
use serde_json::json;

use crate::error::{Error, Refusal};
use crate::mail::Receipt;
use crate::pool::{EventSink, LogLine, Percentiles, PoolEvent, Ready, Snapshot, WindowState};

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
    /// A JSON array without its closing bracket.
    json: String,
    /// A call is under way, or JavaScript is dealing with the last batch.
    announced: bool,
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
                Ok(source.upgrade().map(|inner| inner.take()).unwrap_or_default())
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

    /// Adds events and makes sure that somebody comes for them.
    pub(super) fn push<T: Serialize>(&self, events: impl IntoIterator<Item = T>) {
        let mut batch = lock(&self.0.batch);
        for event in events {
            let Ok(text) = serde_json::to_string(&event) else { continue };
            let separator = if batch.json.is_empty() { '[' } else { ',' };
            batch.json.push(separator);
            batch.json.push_str(&text);
        }
        if batch.announced || batch.json.is_empty() {
            return;
        }
        batch.announced = true;
        drop(batch);
        self.0.announce();
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

    /// JavaScript has dealt with a batch. The next one is announced only now, so that other work
    /// on the event loop gets its turn in between.
    pub(super) fn next(&self) {
        let mut batch = lock(&self.0.batch);
        batch.announced = !batch.json.is_empty();
        if batch.announced {
            drop(batch);
            self.0.announce();
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbox")
    }
}

impl Inner {
    fn announce(&self) {
        if let Some(callback) = lock(&self.callback).as_ref() {
            callback.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    fn take(&self) -> String {
        let mut batch = lock(&self.batch);
        let mut json = std::mem::take(&mut batch.json);
        if !json.is_empty() {
            json.push(']');
        }
        json
    }
}

impl EventSink for Outbox {
    fn deliver(&mut self, events: Vec<PoolEvent>) {
        let told = events.into_iter().filter_map(|told| match told {
            PoolEvent::Stats(id, snapshot) => {
                self.answer(id, &snapshot);
                None
            }
            other => Some(event(other)),
        });
        self.push(told);
    }
}

/// A poisoned lock means that a panic was caught elsewhere; the data are whole all the same.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn event(event: PoolEvent) -> serde_json::Value {
    match event {
        PoolEvent::Settled { id, result: Ok(receipt), connection } => sent(id, &receipt, connection),
        PoolEvent::Settled { id, result: Err(error), connection } => {
            json!({ "k": "failed", "id": id, "c": connection, "e": failure(&error) })
        }
        PoolEvent::Requeued { id, attempt, error } => {
            json!({ "k": "requeued", "id": id, "attempt": attempt, "e": failure(&error) })
        }
        PoolEvent::Assigned { id, connection, messages } => {
            json!({ "k": "assigned", "id": id, "c": connection, "n": messages })
        }
        PoolEvent::Created { connection, target } => {
            json!({ "k": "created", "c": connection, "h": target })
        }
        PoolEvent::Ready(connection, details) => {
            json!({ "k": "ready", "c": connection, "d": ready(&details) })
        }
        PoolEvent::Closed { connection, reason, error, age, messages } => json!({
            "k": "closed", "c": connection, "reason": reason.name(), "age": age, "n": messages,
            "e": error.as_ref().map(failure),
        }),
        PoolEvent::Empty => json!({ "k": "empty" }),
        PoolEvent::LimitLearned { target, kind, value } => {
            json!({ "k": "limit", "h": target, "kind": kind, "value": value })
        }
        PoolEvent::TokenWanted(connection, renew) => json!({ "k": "token", "c": connection, "renew": renew }),
        PoolEvent::CustomAuth(connection, auth) => json!({
            "k": "auth", "c": connection, "method": auth.method, "extensions": auth.extensions,
            "mechanisms": auth.mechanisms, "maxSize": auth.max_size,
        }),
        PoolEvent::AuthReply(connection, text) => json!({ "k": "authReply", "c": connection, "text": text }),
        PoolEvent::Verified(id, Ok(details)) => json!({ "k": "verified", "id": id, "d": ready(&details) }),
        PoolEvent::Verified(id, Err(error)) => json!({ "k": "verified", "id": id, "e": failure(&error) }),
        PoolEvent::Log(connection, lines) => json!({
            "k": "log", "c": connection, "lines": lines.into_iter().map(log_line).collect::<Vec<_>>(),
        }),
        PoolEvent::Ended => json!({ "k": "ended" }),
        PoolEvent::Stats(..) => serde_json::Value::Null,
        PoolEvent::Crashed(error) => json!({ "k": "crashed", "e": failure(&error) }),
    }
}

fn sent(id: u64, receipt: &Receipt, connection: Option<u64>) -> serde_json::Value {
    let envelope = &receipt.envelope;
    let mut event = json!({
        "k": "sent", "id": id, "c": connection, "et": receipt.envelope_time, "mt": receipt.message_time,
        "ms": receipt.message_size, "r": receipt.response, "mid": receipt.message_id,
        "from": envelope.from, "to": envelope.to,
    });
    if !receipt.refused.is_empty() {
        event["accepted"] = json!(receipt.accepted);
        event["refused"] = refusals(&receipt.refused);
    }
    event
}

fn refusals(refused: &[Refusal]) -> serde_json::Value {
    refused.iter().map(|r| json!({ "recipient": r.recipient, "e": failure(&r.error) })).collect()
}

/// An error as a plain record; the facade makes the `Error`, in the caller's realm.
pub(super) fn failure(error: &Error) -> serde_json::Value {
    let mut record = json!({
        "code": error.code().name(), "message": error.message(), "phase": error.phase().map(|p| p.name()),
    });
    let mut set = |key: &str, value: Option<serde_json::Value>| {
        if let Some(value) = value {
            record[key] = value;
        }
    };
    set("command", error.command_name().map(Into::into));
    set("response", error.reply().map(Into::into));
    set("responseCode", error.reply_code().map(Into::into));
    set("enhancedCode", error.enhanced_code().map(Into::into));
    set("timeoutType", error.timeout_kind().map(Into::into));
    set("refused", (!error.refused().is_empty()).then(|| refusals(error.refused())));
    set("accepted", (!error.taken_for().is_empty()).then(|| error.taken_for().into()));
    set("tlsIncompatible", error.is_tls_incompatible().then_some(true.into()));
    set(
        "system",
        error.system_error().map(|system| {
            json!({
                "code": system.code, "errno": system.errno, "syscall": system.syscall,
                "address": system.address, "port": system.port, "path": system.path,
            })
        }),
    );
    record
}

fn ready(ready: &Ready) -> serde_json::Value {
    json!({
        "ehlo": ready.ehlo.as_deref(), "offersAuth": ready.offers_auth, "authenticated": ready.authenticated,
        "peer": ready.peer, "local": ready.local, "took": u64::try_from(ready.took.as_millis()).unwrap_or(u64::MAX),
        "tls": ready.tls.as_ref().map(|tls| json!({
            "version": tls.version, "cipher": tls.cipher, "resumed": tls.resumed,
        })),
    })
}

fn log_line(line: LogLine) -> (char, String) {
    match line {
        LogLine::Client(text) => ('C', text),
        LogLine::Server(text) => ('S', text),
    }
}

fn stats(snapshot: &Snapshot) -> serde_json::Value {
    let (totals, latency) = (&snapshot.totals, &snapshot.latency);
    json!({
        "connections": snapshot.connections.iter().map(|c| json!({
            "id": c.id, "host": c.target, "state": c.state, "age": c.age, "messages": c.messages, "inFlight": c.in_flight,
            "bytes": c.bytes, "peer": c.peer, "tls": c.tls.map(|tls| tls.0),
            "resumed": c.tls.map(|tls| tls.1),
        })).collect::<Vec<_>>(),
        "lanes": snapshot.lanes.iter().map(|lane| json!({
            "name": lane.name, "queued": lane.queued, "bytes": lane.bytes, "oldest": lane.oldest,
        })).collect::<Vec<_>>(),
        "delayed": snapshot.delayed,
        "queuedBytes": snapshot.queued_bytes,
        "limiter": {
            "rate": window(snapshot.rate), "recipients": window(snapshot.recipients),
            "bytes": window(snapshot.bytes),
        },
        "hosts": snapshot.targets.iter().map(|target| json!({
            "avoided": target.avoided,
            "learned": {
                "messages": target.learned.messages, "idle": target.learned.idle,
                "connections": target.learned.connections, "rate": target.learned.rate,
            },
        })).collect::<Vec<_>>(),
        "totals": {
            "sent": totals.sent, "failed": totals.failed, "inDoubt": totals.in_doubt,
            "requeued": totals.requeued, "bytes": totals.bytes, "failedByCode": totals.failed_by_code,
            "failedByReply": totals.failed_by_reply,
            "handshakes": { "full": totals.handshakes_full, "resumed": totals.handshakes_resumed },
        },
        "latency": {
            "wait": percentiles(latency.wait), "connect": percentiles(latency.connect),
            "envelope": percentiles(latency.envelope), "data": percentiles(latency.data),
        },
    })
}

fn window(window: Option<WindowState>) -> Option<serde_json::Value> {
    window.map(|window| json!({ "limit": window.limit, "used": window.used }))
}

fn percentiles(p: Percentiles) -> serde_json::Value {
    json!({ "count": p.count, "mean": p.mean, "p50": p.p50, "p95": p.p95, "p99": p.p99, "max": p.max })
}
