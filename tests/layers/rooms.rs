//! The table of rooms in the architecture page.

use std::collections::BTreeSet;

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Room {
    /// Name of the top-level module.
    pub(crate) name: String,
    may_use: BTreeSet<String>,
    /// External crates it stays away from.
    pub(crate) must_not_name: BTreeSet<String>,
}

impl Room {
    /// Whether it has a door to a room; every room may use itself.
    pub(crate) fn may_use(&self, room: &str) -> bool {
        self.name == room || self.may_use.contains(room)
    }
}

/// The rows under the heading "Rooms": name, description, rooms to use, crates not to name.
pub(crate) fn parse(page: &str) -> Vec<Room> {
    let section = page.split("\n## ").find(|section| section.starts_with("Rooms\n")).unwrap_or_default();
    section.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Room> {
    let cells: Vec<_> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let [name, _, rooms, crates] = cells[..] else { return None };
    let name = name.strip_prefix('`')?.strip_suffix('`')?.to_owned();
    Some(Room { name, may_use: list(rooms), must_not_name: list(crates) })
}

fn list(cell: &str) -> BTreeSet<String> {
    cell.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
