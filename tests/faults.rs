//! The fault matrix: everything that can go wrong at every point of a session, on every rung of
//! the pipelining ladder, through a real pool over TCP.
//!
//! In each cell several messages are sent and one fault strikes. What must hold afterwards:
//! every message has exactly one outcome; what the pool claims is what the server has, but for
//! messages in doubt, which are labelled so; and the pool delivers the next message.
//!
//! `FAULTS_PAGE=docs/faults.md cargo test --test faults` writes the page from the run.

mod support;

#[path = "faults/axes.rs"]
mod axes;
#[path = "faults/cell.rs"]
mod cell;
#[path = "faults/page.rs"]
mod page;

use std::sync::Arc;
use std::time::Instant;

use axes::{Fault, Place, Rung};
use cell::{Cell, Tally};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Cells at work at once; most of them wait for a timeout most of the time.
const AT_ONCE: usize = 40;

/// What came of a cell: figures, or what was wrong.
type Verdict = Result<Tally, String>;

/// The cells of the matrix that `FAULTS_CELL`, a part of a cell's name, asks for; all without it.
fn wanted() -> Vec<Cell> {
    let filter = std::env::var("FAULTS_CELL").unwrap_or_default();
    let cells = Rung::ALL.into_iter().flat_map(|rung| {
        Place::ALL.into_iter().flat_map(move |place| {
            Fault::ALL.into_iter().filter_map(move |fault| Cell::new(place, fault, rung))
        })
    });
    cells.filter(|cell| cell.to_string().contains(&filter)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_goes_wrong_every_message_gets_one_true_outcome() {
    let started = Instant::now();
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for cell in wanted() {
        let gate = Arc::clone(&gate);
        running.spawn(async move {
            let _turn = gate.acquire_owned().await;
            (cell, cell.run().await)
        });
    }
    let mut results: Vec<(Cell, Verdict)> = running.join_all().await;
    results.sort_by_key(|(cell, _)| *cell);
    let page = page::render(&results);
    println!("{page}\n{} cells in {:.1} s", results.len(), started.elapsed().as_secs_f64());
    if let Ok(path) = std::env::var("FAULTS_PAGE") {
        std::fs::write(path, &page).expect("a page that can be written");
    }
    let wrong: Vec<String> = results
        .iter()
        .filter_map(|(cell, verdict)| verdict.as_ref().err().map(|why| format!("{cell}: {why}")))
        .collect();
    assert!(!results.is_empty() && wrong.is_empty(), "{} cells failed\n{}", wrong.len(), wrong.join("\n"));
}
