//! Holds `src/` to the table of rooms in `docs/architecture.md`.
//!
//! The table is the rule, so that page and code cannot drift apart. The sources are split into
//! tokens and the paths among them resolved; names are compared, not types. What is compiled for
//! tests alone is not looked at.

#[path = "layers/rooms.rs"]
mod rooms;
#[path = "layers/source.rs"]
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use rooms::Room;
use source::Reference;

/// What is wrong in one file of a room, one line each.
fn violations(room: &Room, rooms: &[Room], file: &Path, text: &str) -> Vec<String> {
    let references = source::references(text, &source::module_path(file));
    let complaint = |reference: Reference| match reference {
        Reference::Crate(name) => {
            let known = rooms.iter().any(|other| other.name == name);
            (known && !room.may_use(&name)).then(|| format!("{}: crate::{name}", file.display()))
        }
        Reference::Glob => Some(format!("{}: crate::* hides what is used", file.display())),
        Reference::External(name) => {
            room.must_not_name.contains(&name).then(|| format!("{}: {name}::", file.display()))
        }
    };
    references.into_iter().filter_map(complaint).collect()
}

/// Every Rust file below `folder`, as paths relative to `base`.
fn rust_files(base: &Path, folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            rust_files(base, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path.strip_prefix(base).expect("a path below its base").to_owned());
        }
    }
}

/// `tests.rs`, `session_tests.rs`: modules that their parent declares under `#[cfg(test)]`.
fn holds_tests(file: &Path) -> bool {
    file.file_stem().is_some_and(|stem| stem == "tests" || stem.to_string_lossy().ends_with("_tests"))
}

fn the_rooms() -> Vec<Room> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/architecture.md")).expect("docs/architecture.md");
    rooms::parse(&page)
}

#[test]
fn every_room_uses_only_the_rooms_and_crates_it_has_a_door_to() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rooms = the_rooms();
    let mut files = Vec::new();
    rust_files(&base, &base, &mut files);
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| *file != Path::new("lib.rs") && !holds_tests(file)) {
        let name = source::module_path(file).first().cloned().unwrap_or_default();
        match rooms.iter().find(|room| room.name == name) {
            Some(room) => {
                let text = fs::read_to_string(base.join(file)).expect("a readable source");
                wrong.extend(violations(room, &rooms, file, &text));
            }
            None => wrong.push(format!("{}: no such room in docs/architecture.md", file.display())),
        }
    }
    assert!(wrong.is_empty(), "against docs/architecture.md:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_of_rooms_is_read_as_it_stands() {
    let rooms = the_rooms();
    let names: Vec<_> = rooms.iter().map(|room| room.name.as_str()).collect();
    assert_eq!(names, ["binding", "message", "pool", "connection", "wire", "net", "mail", "error"]);
    let room = |name: &str| rooms.iter().find(|room| room.name == name).expect("a room of the table");
    assert!(room("pool").may_use("connection") && !room("pool").may_use("wire"));
    assert!(room("wire").must_not_name.contains("tokio"));
    assert!(!room("error").may_use("mail") && room("error").may_use("error"));
}

#[test]
fn a_reach_past_the_doors_is_found_in_every_form() {
    let page = "\n## Rooms\n\n\
        | `wire` | the protocol | error | tokio, rustls |\n\
        | `pool` | | wire, error | |\n\
        | `net` | | error | |\n\
        | `mail` | | | |\n\
        | `error` | | | |\n";
    let rooms = rooms::parse(page);
    let wire = &rooms[0];
    for (text, found) in [
        ("use crate::error::Error;", 0),
        ("use crate::pool::Pool;", 1),
        ("pub(crate) use crate::{error::{Error, Phase}, pool::{self, Pool}, net};", 2),
        ("use crate::{\n    error, // crate::pool\n    /* net:: /* nested */ */ mail as letter,\n};", 1),
        ("fn f() -> crate::net::Stream { crate :: pool :: open() }", 2),
        ("use super::super::pool::Pool;", 1),
        ("use super::super::{net, error};", 1),
        ("mod inner { use super::super::super::mail::Envelope; }", 1),
        ("use crate::*;", 1),
        ("use tokio::net::TcpStream;", 1),
        ("use ::{rustls::pki_types, std::io};", 1),
        ("async fn f() { tokio::time::sleep(d).await }", 1),
        ("fn f() { my::tokio::spawn(); self.tokio::<u8>(); }", 0),
        ("extern crate tokio;", 1),
        ("const A: &str = \"crate::pool\"; const B: &str = r#\"\"tokio::x\"#; const C: char = '\"';", 0),
        ("fn f<'a>(x: &'a str) -> char { '\\'' } use crate::pool::X;", 1),
        ("#[cfg(test)]\nmod tests { use crate::pool::X; fn f() { tokio::spawn(g()) } }", 0),
        ("#[cfg(test)] use crate::pool::X;\nuse crate::mail::Y;", 1),
        ("#[cfg(all(test, unix))]\npub(crate) fn helper() { crate::pool::x() }\nuse crate::mail::Y;", 1),
        ("#[cfg(feature = \"test\")] use crate::pool::X;", 1),
        ("pub(in crate::wire) fn f() { $crate::pool::x!() }", 1),
    ] {
        let wrong = violations(wire, &rooms, Path::new("wire/session.rs"), text);
        assert_eq!(wrong.len(), found, "{text}\n{wrong:?}");
    }
}
