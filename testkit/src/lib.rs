//! A fast SMTP and LMTP server that can misbehave on request, for tests and benchmarks.
//!
//! [`Sink`] is the server: it runs sessions over TCP, over an in-memory pipe, or over any
//! [`Transport`]. [`Config`] says what it offers, a list of [`Rule`]s where it breaks, and the
//! sink's counters and captured messages say what really arrived. [`Server`] is the protocol
//! alone, without socket or clock.
//!
//! It stores nothing and delivers nothing. It is no model of a well-behaved server either: where
//! real servers differ it does what a [`Config`] asks for.
//!
//! ```
//! use postpool_testkit::{Action, Config, Rule, Sink, Step};
//! # async fn example() -> std::io::Result<()> {
//! let sink = Sink::new(Config {
//!     chunking: true,
//!     script: vec![Rule::new(Step::FinalReply, Action::Rst).on_message(2).once()],
//!     ..Config::default()
//! })?;
//! let address = sink.listen("127.0.0.1:0").await?;
//! // … send to `address` …
//! assert_eq!(sink.stats().messages, sink.messages().len() as u64);
//! # Ok(()) }
//! ```

mod auth;
mod body;
mod capture;
mod clock;
mod command;
mod config;
mod effect;
mod envelope;
mod link;
mod pipe;
mod reply;
mod script;
mod server;
mod shell;
mod sink;
mod stats;
mod tls;
mod transport;

pub use capture::{Message, Read, Recipient};
pub use config::{Auth, Capture, Config, Habit, Limits};
pub use effect::{Effect, Effects};
pub use pipe::{Pipe, pipe};
pub use script::{Action, End, Rule, Step};
pub use server::{Handshake, Server};
pub use sink::Sink;
pub use stats::Stats;
pub use tls::{TEST_CERT_PEM, TEST_KEY_PEM};
pub use transport::Transport;
