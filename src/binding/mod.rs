//! The only room that knows JavaScript: it converts and forwards, and decides nothing.
//!
//! [`engine`] is the class JavaScript sees; [`options`] reads its options, [`events`] carries what
//! happens back in batches, [`streamed`] is a message whose bytes JavaScript makes, [`files`] reads
//! attachments, [`text`] takes strings over, [`announced`] tells the log when a message is begun, [`runtime`] holds the threads.

mod allocator;
mod announced;
mod compose;
mod engine;
mod events;
mod files;
mod options;
mod runtime;
mod streamed;
mod text;
