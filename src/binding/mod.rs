//! The only room that knows JavaScript: it converts and forwards, and decides nothing.
//!
//! [`engine`] is the class JavaScript sees; [`options`] reads its options, [`outbox`] carries
//! [`events`] back in batches, [`text`] and [`copies`] take strings and buffers over, [`streamed`] is a
//! message whose bytes JavaScript makes, [`files`] reads attachments, [`announced`] tells the log when
//! a message is begun, [`runtime`] holds the threads.

/// Messages are made on one thread and freed on another. The system's allocator locks one heap
/// against the other for that, about once a message.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod announced;
mod compose;
mod copies;
mod engine;
mod events;
mod files;
mod options;
mod outbox;
mod runtime;
mod streamed;
mod text;
