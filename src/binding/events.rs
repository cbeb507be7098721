//! What happens in a pool, as the JSON that `lib/native.js` reads.

use serde::{Serialize, Serializer};
use serde_json::json;

use crate::error::{Error, Refusal};
use crate::mail::Receipt;
use crate::pool::{LogLine, Percentiles, PoolEvent, Ready, Snapshot, WindowState};

/// An event as JavaScript is told of it.
pub(super) struct Told(pub(super) PoolEvent);

impl Serialize for Told {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            // What comes of nearly every message: written without a tree of values.
            PoolEvent::Settled { id, result: Ok(receipt), connection } => {
                Sent::new(*id, receipt, *connection).serialize(serializer)
            }
            other => event(other).serialize(serializer),
        }
    }
}

#[derive(Serialize)]
struct Sent<'a> {
    k: &'static str,
    id: u64,
    c: Option<u64>,
    et: u64,
    mt: u64,
    ms: u64,
    r: &'a str,
    mid: &'a str,
    from: &'a str,
    to: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<serde_json::Value>,
}

impl<'a> Sent<'a> {
    fn new(id: u64, receipt: &'a Receipt, connection: Option<u64>) -> Self {
        let partly = !receipt.refused.is_empty();
        Self {
            k: "sent",
            id,
            c: connection,
            et: receipt.envelope_time,
            mt: receipt.message_time,
            ms: receipt.message_size,
            r: &receipt.response,
            mid: &receipt.message_id,
            from: &receipt.envelope.from,
            to: &receipt.envelope.to,
            accepted: partly.then_some(&receipt.accepted),
            refused: partly.then(|| refusals(&receipt.refused)),
        }
    }
}

fn event(event: &PoolEvent) -> serde_json::Value {
    match event {
        PoolEvent::Settled { result: Ok(_), .. } | PoolEvent::Stats(..) | PoolEvent::GivenBack(..) => {
            serde_json::Value::Null
        }
        PoolEvent::Settled { id, result: Err(error), connection } => {
            json!({ "k": "failed", "id": id, "c": connection, "e": failure(error) })
        }
        PoolEvent::Requeued { id, attempt, error } => {
            json!({ "k": "requeued", "id": id, "attempt": attempt, "e": failure(error) })
        }
        PoolEvent::Assigned { id, connection, messages } => {
            json!({ "k": "assigned", "id": id, "c": connection, "n": messages })
        }
        PoolEvent::Created { connection, target } => {
            json!({ "k": "created", "c": connection, "h": target })
        }
        PoolEvent::Ready(connection, details) => {
            json!({ "k": "ready", "c": connection, "d": ready(details) })
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
        PoolEvent::Verified(id, Ok(details)) => json!({ "k": "verified", "id": id, "d": ready(details) }),
        PoolEvent::Verified(id, Err(error)) => json!({ "k": "verified", "id": id, "e": failure(error) }),
        PoolEvent::Log(connection, lines) => json!({
            "k": "log", "c": connection, "lines": lines.iter().map(log_line).collect::<Vec<_>>(),
        }),
        PoolEvent::Ended => json!({ "k": "ended" }),
        PoolEvent::Crashed(error) => json!({ "k": "crashed", "e": failure(error) }),
    }
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

fn log_line(line: &LogLine) -> (char, &str) {
    match line {
        LogLine::Client(text) => ('C', text),
        LogLine::Server(text) => ('S', text),
    }
}

pub(super) fn stats(snapshot: &Snapshot) -> serde_json::Value {
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
