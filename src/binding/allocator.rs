//! The engine's own memory, apart from Node's: what the JavaScript thread allocates for a message is
//! freed on another thread, which most allocators are slow at, and a large attachment should find
//! the pages of the one before it.

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;
