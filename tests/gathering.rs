//! What happens in one turn of the engine's thread reaches the pool's owner together.

#[path = "pool/kit.rs"]
mod kit;

use std::sync::Arc;

use kit::{PATIENCE, server};
use postpool::pool::{EventSink, Pool, PoolEvent, PoolOptions};
use postpool_testkit::Config;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How many events each delivery had.
#[derive(Clone)]
struct Sizes(mpsc::UnboundedSender<usize>);

impl EventSink for Sizes {
    fn deliver(&mut self, events: Vec<PoolEvent>) {
        let _ = self.0.send(events.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn tasks_that_are_ready_have_their_turn_before_the_owner_is_told() {
    const TASKS: usize = 5;
    let (_sink, settings) = server(Config::default()).await;
    let (to, mut sizes) = mpsc::unbounded_channel();
    let pool = Pool::start(PoolOptions::default(), vec![Arc::new(settings)], Sizes(to));
    let asked = pool.clone();
    // From a task, so that all of them wait in the queue of the one thread that also runs the pool.
    tokio::spawn(async move {
        for number in 0..TASKS {
            let asked = asked.clone();
            tokio::spawn(async move { asked.stats(number as u64) });
        }
    });
    let first = timeout(PATIENCE, sizes.recv()).await.expect("a delivery").expect("a pool");
    assert_eq!(first, TASKS, "the owner was woken for each");
    drop(pool);
}
