//! The only room that knows JavaScript: it converts and forwards, and decides nothing.

mod compose;
mod files;
