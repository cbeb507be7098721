//! The matrix as a page of Markdown.

use std::fmt::Write as _;

use crate::Verdict;
use crate::axes::{Fault, Place, Rung};
use crate::cell::{Cell, Tally};

const HEAD: &str = "# The fault matrix

Each cell is a run of `tests/faults.rs`: a pool with one connection sends seven messages over loopback TCP to a server of
the test kit, which misbehaves once. In every cell must hold:

- each message has exactly one outcome;
- what the pool claims is what the server has: a message that was sent is there once, with its own sender, recipients and
  body; one that failed is not there, unless its error is labelled `maybeDelivered`; only a message whose end-of-data may
  have left is labelled so;
- no fault costs more than one message, but on rung 3, where several are in flight, and at AUTH, where a refused login
  fails what waits (at RSET a second one has failed before: it is refused on purpose, to make RSET necessary);
- the pool delivers the next message, and ends in good order.

A cell says what the fault cost: nothing (`·`, all seven were sent), messages that failed (`f`) or are in doubt (`d`). A
message that was provably not delivered is sent again on another connection, which is why most faults cost nothing; one
whose time ran out fails, as with nodemailer. On rung 3 the figures depend on how much was in flight.

## One reply too many

Replies carry no number; a surplus one shifts all behind it, and a refusal is then read as the answer to another command.
The column `extra, refusal` is that: a surplus reply, and the message refused at its end. On rungs 0 to 2 the 354 to
DATA shows a shift before a body leaves. On rung 3 the RSET behind each body does: an outcome counts once that RSET is
answered in the words the server resets in, so that it is true, or in doubt. Everything else in flight is in doubt too,
and the host is not met on rung 3 again.

Not to be known by any client is whether a second reply follows the final one. A server that answers end-of-data with 250
and then, on second thoughts, with 554 has said up to the 250 what a server says that took the message; waiting for a
second reply has no end. postpool believes the first one, on rung 3 only if RSET is answered next.

Written by `FAULTS_PAGE=docs/faults.md cargo test --test faults`.
";

pub(crate) fn render(results: &[(Cell, Verdict)]) -> String {
    let passed = results.iter().filter(|(_, verdict)| verdict.is_ok()).count();
    let mut page = HEAD.to_owned();
    let _ = write!(page, "\nCells run: {}. Passed: {passed}.\n", results.len());
    for rung in Rung::ALL {
        table(&mut page, results, rung);
    }
    page
}

fn table(page: &mut String, results: &[(Cell, Verdict)], rung: Rung) {
    let mut rows =
        vec![[""].into_iter().chain(Fault::ALL.map(Fault::name)).map(str::to_owned).collect::<Vec<_>>()];
    for place in Place::ALL {
        let found = |fault| results.iter().find(|(cell, _)| *cell == Cell { rung, place, fault });
        let cells = Fault::ALL.into_iter().map(|fault| shown(found(fault).map(|(_, verdict)| verdict)));
        rows.push([place.name().to_owned()].into_iter().chain(cells).collect());
    }
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0))
        .collect();
    let title = rung.name();
    let _ = writeln!(page, "\n## {}{}\n", title[..1].to_uppercase(), &title[1..]);
    for (number, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(text, width)| format!("{text:width$}"));
        let _ = writeln!(page, "| {} |", cells.collect::<Vec<_>>().join(" | "));
        if number == 0 {
            let rules = widths.iter().map(|width| "-".repeat(*width));
            let _ = writeln!(page, "| {} |", rules.collect::<Vec<_>>().join(" | "));
        }
    }
}

fn shown(verdict: Option<&Verdict>) -> String {
    match verdict {
        None => String::new(),
        Some(Err(_)) => "FAILED".into(),
        Some(Ok(Tally { failed: 0, in_doubt: 0, .. })) => "·".into(),
        Some(Ok(Tally { failed, in_doubt, .. })) => {
            let parts = [(*failed, 'f'), (*in_doubt, 'd')].into_iter().filter(|(count, _)| *count > 0);
            parts.map(|(count, kind)| format!("{count}{kind}")).collect::<Vec<_>>().join(" ")
        }
    }
}
