//! SMTP and LMTP as state machines: bytes in, bytes and outcomes out.
//!
//! No socket, no clock, no runtime and no JavaScript live here. [`Handshake`] takes a new
//! connection from the greeting to the end of authentication, one reply at a time; [`Session`]
//! then carries messages, several in flight where the server allows it. Both hand out bytes and
//! are told how many of them were written, which is how they know what a lost connection means
//! for each message.

mod capabilities;
mod command;
mod credentials;
mod encoder;
mod envelope;
mod handshake;
mod reply;
mod sasl;
mod session;
mod transaction;

pub use capabilities::{Capabilities, Limits};
pub use command::LogLine;
pub use credentials::{Credentials, Secret};
pub use encoder::BodyEncoder;
pub use envelope::{MailParams, check as check_envelope};
pub use handshake::{Handshake, HandshakeOptions, Step, unexpected};
pub use reply::{Reply, ReplyReader};
pub use sasl::Mechanism;
pub use session::{Event, Progress, Session, SessionOptions, closed_unexpectedly};
pub use transaction::{Accepted, Failure, Outcome};
