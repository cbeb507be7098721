//! The engine of postpool: a pooled SMTP and LMTP client on tokio.
//!
//! Data flows one way: `binding` → `pool` → `connection` → `wire` and `net`; `message` turns a
//! mail record into bytes. `mail` and `error` are the values that cross rooms. The picture and the
//! table of allowed imports are in `docs/architecture.md`; `tests/layers.rs` holds the code to it.

#[cfg(feature = "node")]
mod binding;
pub mod connection;
pub mod error;
pub mod mail;
pub mod message;
pub mod net;
pub mod pool;
pub mod wire;
