//! Mailboxes in headers and the envelope they make.
//!
//! The common forms of an address list are read here. Everything else (comments, groups, IDN,
//! broken input) arrives already read and normalised by nodemailer's own parser.

use std::collections::HashSet;

use serde::Deserialize;

use super::record::Field;
use super::text::{Encoding, is_space, preferred, quoted};
use super::word;

/// What an address header holds, as the record carries it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    /// A list in the common form: `a@b.c`, `Name <a@b.c>`, `"Name, too" <a@b.c>`, commas between.
    list: Option<String>,
    /// Display name of the address or the group.
    name: String,
    /// A normalised address.
    address: Option<String>,
    /// The members of a group.
    group: Option<Vec<Self>>,
}

/// One mailbox with the address in normal form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mailbox {
    pub(super) name: String,
    pub(super) address: String,
}

/// A mailbox or a named list of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    Mailbox(Mailbox),
    Group(String, Vec<Mailbox>),
}

/// Reads the entries of one header.
pub(super) fn read(entries: &[Entry]) -> Vec<Address> {
    let mut found = Vec::with_capacity(entries.len());
    for entry in entries {
        if let Some(list) = &entry.list {
            read_list(list, |mailbox| found.push(Address::Mailbox(mailbox)));
        } else if let Some(group) = &entry.group {
            let members = group.iter().filter_map(Entry::mailbox).collect();
            found.push(Address::Group(entry.name.clone(), members));
        } else {
            found.extend(entry.mailbox().map(Address::Mailbox));
        }
    }
    found
}

impl Entry {
    /// A list in the common form.
    pub(super) fn list(list: &str) -> Self {
        Self { list: Some(list.to_owned()), ..Self::default() }
    }

    fn mailbox(&self) -> Option<Mailbox> {
        let address = self.address.clone().filter(|address| !address.is_empty())?;
        Some(Mailbox { name: self.name.clone(), address })
    }
}

/// Reads a list in the common form. Quoted names have no escapes in it.
fn read_list(list: &str, mut found: impl FnMut(Mailbox)) {
    let mut rest = list;
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if rest.is_empty() {
            return;
        }
        let (quoted_name, after) = match rest.strip_prefix('"').and_then(|r| r.split_once('"')) {
            Some((name, after)) => (Some(name), after),
            None => (None, rest),
        };
        let stop = after.find([',', '<']).unwrap_or(after.len());
        let before = &after[..stop];
        let (name, address) = match after[stop..].strip_prefix('<') {
            Some(angle) => {
                let (address, tail) = angle.split_once('>').unwrap_or((angle, ""));
                rest = tail;
                (quoted_name.unwrap_or(before).trim(), address.trim())
            }
            None => {
                rest = &after[stop..];
                ("", before.trim())
            }
        };
        // A name that repeats the address says nothing.
        let name = if name == address { "" } else { name };
        if !address.is_empty() {
            found(Mailbox { name: name.to_owned(), address: lower_domain(address) });
        }
    }
}

/// The address with its domain in lower case; the local part may be case sensitive.
fn lower_domain(address: &str) -> String {
    let mut address = address.to_owned();
    if let Some(at) = address.rfind('@') {
        address[at..].make_ascii_lowercase();
    }
    address
}

/// The header value: names encoded where they must be, addresses as they are.
pub(super) fn header_value(addresses: &[Address], forced: Option<Encoding>) -> String {
    let mut out = String::new();
    for (i, address) in addresses.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        match address {
            Address::Mailbox(mailbox) => push_mailbox(mailbox, forced, &mut out),
            Address::Group(name, members) => {
                push_name(name, forced, &mut out);
                out.push(':');
                for (i, member) in members.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    push_mailbox(member, forced, &mut out);
                }
                out.push(';');
            }
        }
    }
    out
}

fn push_mailbox(mailbox: &Mailbox, forced: Option<Encoding>, out: &mut String) {
    let bare = mailbox.name.is_empty() && is_unambiguous(&mailbox.address);
    if !mailbox.name.is_empty() {
        push_name(&mailbox.name, forced, out);
        out.push(' ');
    }
    out.push_str(if bare { "" } else { "<" });
    out.push_str(&mailbox.address);
    out.push_str(if bare { "" } else { ">" });
}

/// Whether the address reads as one address without angle brackets.
fn is_unambiguous(address: &str) -> bool {
    let part =
        |text: &str| !text.is_empty() && !text.contains(|c| is_space(c) || r#""(),:;<>@[\]"#.contains(c));
    address.split_once('@').is_some_and(|(local, domain)| part(local) && part(domain))
}

fn push_name(name: &str, forced: Option<Encoding>, out: &mut String) {
    if name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b' ')) {
        out.push_str(name);
    } else if name.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        out.push_str(&quoted(name));
    } else {
        out.push_str(&word::encode(name, forced.unwrap_or_else(|| preferred(name.as_bytes()))));
    }
}

/// The envelope the headers make: the sender from From, or else from the first of Reply-To and
/// Sender, the recipients from To, Cc and Bcc, each once.
pub(super) fn envelope(fields: &[Field]) -> (String, Vec<String>) {
    let mut from = String::new();
    let mut to = Vec::new();
    let mut seen = HashSet::new();
    for field in fields {
        let Some(addresses) = field.addresses() else { continue };
        let mailboxes = addresses.iter().flat_map(Address::mailboxes);
        match field.key.as_str() {
            "From" => from = mailboxes.map(|m| &m.address).next().cloned().unwrap_or(from),
            "Reply-To" | "Sender" if from.is_empty() => {
                from = mailboxes.map(|m| &m.address).next().cloned().unwrap_or_default();
            }
            "To" | "Cc" | "Bcc" => {
                to.extend(mailboxes.filter(|m| seen.insert(m.address.as_str())).map(|m| m.address.clone()));
            }
            _ => (),
        }
    }
    (from, to)
}

impl Address {
    fn mailboxes(&self) -> &[Mailbox] {
        match self {
            Self::Mailbox(mailbox) => std::slice::from_ref(mailbox),
            Self::Group(_, members) => members,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        read_list(text, |m| found.push((m.name, m.address)));
        found
    }

    #[test]
    fn the_common_forms_are_read() {
        let pair = |name: &str, address: &str| (name.to_owned(), address.to_owned());
        assert_eq!(
            list(r#"a@B.c, Bob  Smith <Bob@X.org>,"Doe, J." <j@d.e>, <x@y.z>,"p@q.r" <p@q.r>"#),
            [
                pair("", "a@b.c"),
                pair("Bob  Smith", "Bob@x.org"),
                pair("Doe, J.", "j@d.e"),
                pair("", "x@y.z"),
                pair("", "p@q.r")
            ]
        );
    }

    #[test]
    fn an_address_with_specials_goes_into_angle_brackets() {
        let mailbox = |name: &str, address: &str| {
            Address::Mailbox(Mailbox { name: name.into(), address: address.into() })
        };
        let value = header_value(
            &[mailbox("", "\"a,b\"@c.d"), mailbox("O'Brien", "o@b.c"), mailbox("J\u{f6}rg", "j@x.y")],
            None,
        );
        assert_eq!(value, "<\"a,b\"@c.d>, \"O'Brien\" <o@b.c>, =?UTF-8?Q?J=C3=B6rg?= <j@x.y>");
    }

    proptest::proptest! {
        #[test]
        fn reading_any_list_ends(text in "[a-z@<>\", .\u{e9}]{0,80}") {
            read_list(&text, |_| ());
        }
    }
}
