//! How a record is written: tokens with NUL between them.
//!
//! The first five are the settings (JSON, empty if there are none), the number of recipients, the
//! most there may be (empty for nodemailer's bound), the date, and random octets in hexadecimal: 16
//! for the id, and before them, if there are parts within, those for the boundaries. Then come the
//! parts, each token of one character telling what follows:
//!
//! | token | then | |
//! |---|---|---|
//! | `=` | name, value | a header with a plain value |
//! | `@` | name, list | an address header in the common form |
//! | `+` | | a `Message-ID` that is generated |
//! | `P`, `H` | | the `Content-Type` of a plain text, of HTML, in UTF-8 |
//! | `{` | JSON | any other header |
//! | `f`, `F` | name; the same as JSON | the file name |
//! | `t` | text | content that is a text |
//! | `p` | index | content beside the record |
//! | `c`, `r` | JSON | other content; a part as the caller made it |
//! | `(` … `)` | | a part within |
//!
//! Settings that hold the parts themselves need none of the other tokens.

use std::str::{FromStr, Split};

use serde::Deserialize;

use super::{Content, Field, Node, Record};
use crate::error::{Code, Error, Result};

const END: char = '\0';
/// Parts within parts; a message that is composed here has four at most.
const MAX_DEPTH: usize = 16;
/// Hexadecimal digits of the random octets that make the id.
const ID_DIGITS: usize = 32;
/// Most recipients of a message whose record says nothing else.
const MAX_RECIPIENTS: usize = 100_000;

impl Record {
    /// Reads a record.
    pub(in crate::message) fn read(text: &str) -> Result<Self> {
        let mut tokens = Tokens(text.split(END));
        let settings = tokens.next()?;
        let mut record: Self = json(if settings.is_empty() { "{}" } else { settings })?;
        if tokens.next().is_err() {
            return Ok(record);
        }
        record.max_recipients = tokens.number_or(MAX_RECIPIENTS)?;
        tokens.next()?.clone_into(&mut record.date);
        record.identify(tokens.next()?);
        record.root = tokens.node(0)?;
        Ok(record)
    }

    /// Takes what has to be the message's own from random octets.
    fn identify(&mut self, seed: &str) {
        let (boundary, id) =
            seed.split_at_checked(seed.len().saturating_sub(ID_DIGITS)).unwrap_or((seed, seed));
        if self.boundary.is_empty() {
            boundary.clone_into(&mut self.boundary);
        }
        if self.id.is_empty() {
            self.id = in_groups(id);
        }
    }
}

/// The number of recipients, which can be had without reading the whole record. Recipients that are
/// named twice count twice.
pub(in crate::message) fn stated_recipients(text: &str) -> usize {
    text.split(END).nth(1).and_then(|number| number.parse().ok()).unwrap_or(1)
}

/// Hexadecimal digits as a UUID groups them.
fn in_groups(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + 4);
    for (at, digit) in digits.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(digit);
    }
    out
}

struct Tokens<'a>(Split<'a, char>);

impl<'a> Tokens<'a> {
    fn next(&mut self) -> Result<&'a str> {
        self.0.next().ok_or_else(|| malformed("it ends early"))
    }

    fn number<T: FromStr>(&mut self) -> Result<T> {
        self.next()?.parse().map_err(|_| malformed("not a number"))
    }

    /// A number, or this one if the token is empty.
    fn number_or(&mut self, usual: usize) -> Result<usize> {
        let token = self.next()?;
        if token.is_empty() { Ok(usual) } else { token.parse().map_err(|_| malformed("not a number")) }
    }

    fn json<T: Deserialize<'a>>(&mut self) -> Result<T> {
        json(self.next()?)
    }

    /// One part, up to its end.
    fn node(&mut self, depth: usize) -> Result<Node> {
        let mut node = Node::default();
        while let Some(token) = self.0.next() {
            match token {
                "=" => node.headers.push(Field::new(self.next()?, self.next()?)),
                "@" => node.headers.push(Field::list(self.next()?, self.next()?)),
                "+" => node.headers.push(Field { generated: true, ..Field::new("Message-ID", "") }),
                "P" => node.headers.push(Field::new("Content-Type", "text/plain; charset=utf-8")),
                "H" => node.headers.push(Field::new("Content-Type", "text/html; charset=utf-8")),
                "{" => node.headers.push(self.json()?),
                "f" => node.filename = Some(self.next()?.to_owned()),
                "F" => node.filename = Some(self.json()?),
                "t" => node.content = Some(Content::Text(self.next()?.to_owned())),
                "p" => node.content = Some(Content::Part(self.number()?)),
                "c" => node.content = Some(self.json()?),
                "r" => node.raw = Some(self.json()?),
                "(" if depth < MAX_DEPTH => node.nodes.push(self.node(depth + 1)?),
                ")" if depth > 0 => return Ok(node),
                _ => return Err(malformed("an unknown token")),
            }
        }
        if depth > 0 { Err(malformed("a part does not end")) } else { Ok(node) }
    }
}

fn json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| malformed(&error.to_string()))
}

fn malformed(why: &str) -> Error {
    Error::new(Code::Internal, format!("message record: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &str = "00112233445566778899aabbccddeeff0123456789abcdef";

    fn record(settings: &str, parts: &str) -> Result<Record> {
        Record::read(&format!("{settings}|2|100|today|{SEED}{parts}").replace('|', "\0"))
    }

    #[test]
    fn what_every_message_has_stands_in_front() {
        let record = record("", "").expect("record");
        assert_eq!((record.max_recipients, record.date.as_str()), (100, "today"));
        assert_eq!(record.boundary, "0011223344556677");
        assert_eq!(record.id, "8899aabb-ccdd-eeff-0123-456789abcdef");
        assert!(record.root.headers.is_empty());
    }

    #[test]
    fn what_is_usual_need_not_be_said() {
        let record = Record::read(&format!("\x001\0\0today\0{}", &SEED[16..])).expect("record");
        assert_eq!((record.max_recipients, record.boundary.as_str()), (100_000, ""));
        assert_eq!(record.id, "8899aabb-ccdd-eeff-0123-456789abcdef");
    }

    #[test]
    fn settings_win_over_what_is_random() {
        let record = record(r#"{"boundary":"b","id":"i","requireTls":true}"#, "").expect("record");
        assert_eq!((record.boundary.as_str(), record.id.as_str()), ("b", "i"));
        assert!(record.require_tls);
    }

    #[test]
    fn parts_hold_headers_contents_and_parts() {
        let record = record(
            "",
            "|=|Subject|Hello|@|To|a@b.c, d@e.f|+|P|H|{|{\"k\":\"X\",\"v\":\"a\\u0000b\"}\
             |(|=|Content-Type|text/plain|t|text|)|(|f|name|p|3|)|(|F|\"n\\u0000\"|c|{\"file\":\"/a\"}|)|(|r|{\"part\":1}|)",
        );
        let root = record.expect("record").root;
        let values: Vec<_> =
            root.headers.iter().map(|field| (field.key.as_str(), field.text.as_str())).collect();
        let (plain, html) = ("text/plain; charset=utf-8", "text/html; charset=utf-8");
        assert_eq!(values[..3], [("Subject", "Hello"), ("To", ""), ("Message-ID", "")]);
        assert_eq!(values[3..], [("Content-Type", plain), ("Content-Type", html), ("X", "a\0b")]);
        assert_eq!(root.headers[1].addresses().map(<[_]>::len), Some(2));
        assert!(root.headers[2].generated);
        let [text, part, file, raw] = &root.nodes[..] else { panic!("four parts") };
        assert!(matches!(&text.content, Some(Content::Text(text)) if text == "text"));
        assert!(matches!(part.content, Some(Content::Part(3))) && part.filename.as_deref() == Some("name"));
        assert!(matches!(&file.content, Some(Content::File(path)) if path == "/a"));
        assert_eq!(file.filename.as_deref(), Some("n\0"));
        assert!(matches!(raw.raw, Some(Content::Part(1))));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for parts in ["|", "|=", "|=|Subject", "|p|x", "|{|", "|)", "|(", "|c|{}", &"|(".repeat(20)] {
            assert_eq!(record("", parts).expect_err(parts).code(), Code::Internal, "{parts}");
        }
        assert!(record("{", "").is_err());
        assert!(Record::read("").is_ok());
    }

    #[test]
    fn recipients_are_known_without_reading_the_record() {
        for (text, recipients) in [("|12|100", 12), ("{}|0|", 0), ("{}", 1), ("", 1), ("|x", 1)] {
            assert_eq!(stated_recipients(&text.replace('|', "\0")), recipients, "{text:?}");
        }
    }
}
