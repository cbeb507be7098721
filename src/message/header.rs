//! One header field to bytes: each kind of value in its own encoding, then folded.

use super::address;
use super::fold::fold_into;
use super::record::Field;
use super::text::{Encoding, is_space, one_line, without_controls};
use super::word;

/// Appends the field under `name` with its line break; nothing when the value comes to nothing.
pub(super) fn write_field(name: &str, field: &Field, forced: Option<Encoding>, out: &mut Vec<u8>) {
    match field.prepared {
        Some(fold) => {
            // A prepared header is written as it is, its name included.
            let line = format!("{}: {}", field.key, field.text);
            if fold {
                fold_into(&line, out);
            } else {
                out.extend_from_slice(line.as_bytes());
            }
            out.extend_from_slice(b"\r\n");
        }
        None => write_value(name, &value(field, forced), out),
    }
}

/// Appends a field whose value is encoded already.
pub(super) fn write_value(name: &str, value: &str, out: &mut Vec<u8>) {
    if value.chars().all(is_space) {
        return;
    }
    fold_into(&format!("{name}: {value}"), out);
    out.extend_from_slice(b"\r\n");
}

/// The value as one unfolded line.
fn value(field: &Field, forced: Option<Encoding>) -> String {
    if let Some(addresses) = field.addresses() {
        return address::header_value(addresses, forced);
    }
    let text = one_line(&field.text);
    match field.key.as_str() {
        // Message ids and structured values have no room for encoded words; what cannot be in a
        // header at all is dropped instead.
        "Message-ID" | "In-Reply-To" | "Content-ID" => in_brackets(&without_controls(&text)),
        "OTP-Token" => without_controls(&text).into_owned(),
        "References" => references(field.ids.as_deref().unwrap_or_default()),
        _ => word::encode_text(&text, forced),
    }
}

fn in_brackets(id: &str) -> String {
    let open = if id.starts_with('<') { "" } else { "<" };
    let close = if id.len() + open.len() > 0 && id.ends_with('>') { "" } else { ">" };
    format!("{open}{id}{close}")
}

/// Message ids, each in brackets, one space between.
fn references(entries: &[String]) -> String {
    let mut ids = Vec::new();
    for entry in entries {
        let line = one_line(entry);
        let line = without_controls(&line);
        let line = close_up(line.trim_matches(is_space));
        let mut words = line.split(is_space).filter(|word| !word.is_empty()).peekable();
        if words.peek().is_none() {
            ids.push(in_brackets(""));
        }
        ids.extend(words.map(in_brackets));
    }
    ids.join(" ")
}

/// Removes the white space inside every pair of brackets.
fn close_up(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(open) = rest.find('<') {
        let Some(length) = rest[open..].find('>') else { break };
        out.push_str(&rest[..open]);
        out.extend(rest[open..=open + length].chars().filter(|c| !is_space(*c)));
        rest = &rest[open + length + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(key: &str, text: &str) -> String {
        let mut out = Vec::new();
        write_field(key, &Field::new(key, text), None, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn no_value_can_end_its_header_early() {
        assert_eq!(written("Subject", "a\r\nBcc: x@y.z"), "Subject: a Bcc: x@y.z\r\n");
        assert_eq!(written("Message-ID", "<a\r\nb>"), "Message-ID: <a b>\r\n");
        assert_eq!(written("OTP-Token", "a\0b\nc"), "OTP-Token: ab c\r\n");
        assert_eq!(written("X-A", "a\0b"), "X-A: =?UTF-8?Q?a=00b?=\r\n");
    }

    #[test]
    fn blank_values_leave_no_header() {
        assert_eq!(written("Subject", " \t"), "");
        assert_eq!(written("Content-ID", ""), "Content-ID: <>\r\n");
    }

    #[test]
    fn references_are_closed_up_and_bracketed() {
        let entries = ["a@b <c @d>".to_owned(), "e>".to_owned(), String::new()];
        assert_eq!(references(&entries), "<a@b> <c@d> <e> <>");
    }

    proptest::proptest! {
        #[test]
        fn a_field_is_lines_that_start_with_its_name_or_white_space(text in "\\PC{0,200}|[ -~\r\n\t\u{0}]{0,200}") {
            for key in ["Subject", "Message-ID", "OTP-Token", "X-Any"] {
                let out = written(key, &text);
                for (nr, line) in out.split("\r\n").enumerate().filter(|(_, line)| !line.is_empty()) {
                    proptest::prop_assert!(nr > 0 && line.starts_with(is_space) || line.starts_with(key), "{line:?}");
                    proptest::prop_assert!(!line.contains(['\r', '\n']));
                }
            }
        }
    }
}
