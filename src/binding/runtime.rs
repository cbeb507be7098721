//! The threads of all pools in this process, apart from Node's own.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

/// Blocking threads at most: for files, names and large messages.
const BLOCKING_THREADS: usize = 16;

/// The runtime, started when the first pool is.
pub(super) fn runtime() -> std::io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(worker_threads())
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("postpool")
        .enable_all()
        .build()?;
    Ok(RUNTIME.get_or_init(|| runtime))
}

/// Half the cores and at most four: one saturates most servers, and Node needs the rest.
/// `POSTPOOL_THREADS` overrides it.
fn worker_threads() -> usize {
    let asked = std::env::var("POSTPOOL_THREADS").ok().and_then(|text| text.parse().ok());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    asked.unwrap_or_else(|| (cores / 2).clamp(1, 4)).clamp(1, 64)
}
