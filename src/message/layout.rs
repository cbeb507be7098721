//! Lays a record out: every header and delimiter in order, with the contents between them still
//! to be encoded.

use std::ops::Range;

use super::Part;
use super::encode::Transfer;
use super::header::{write_field, write_value};
use super::param::{Structured, legacy_name};
use super::record::{Content, Field, Node, Record};
use super::text::{
    Encoding, has_header_control, has_longer_lines, is_plain, is_plain_wide, preferred, preferred_wide,
};
use super::word;

/// A message in order.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// Headers and delimiters of all parts.
    pub(super) frame: Vec<u8>,
    /// What follows what.
    pub(super) pieces: Vec<Piece>,
}

/// A stretch of a message.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// Octets of the frame.
    Frame(Range<usize>),
    /// Content and how it is encoded.
    Content(Source, Transfer),
}

/// Where content is.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// The short text of a node.
    Text(String),
    /// A value beside the record.
    Part(usize),
    /// A file, to be encoded by chunks or, if `whole`, at once: quoted-printable shows it.
    File { path: String, whole: bool },
}

/// What a value is, as far as its encoding depends on it.
enum Value<'a> {
    /// Text in UTF-8.
    Text(&'a [u8]),
    /// Text in UTF-16 that does not go as `7bit`.
    Wide(&'a [u16]),
    Octets(&'a [u8]),
    Unread,
}

struct Writer<'a> {
    record: &'a Record,
    parts: &'a [Part],
    layout: Layout,
    /// Start of the frame octets that no piece names yet.
    open: usize,
    /// Parts seen so far: a boundary ends with its part's number.
    nodes: usize,
}

/// Lays out the record's tree. `root` is taken out of the record and completed on the way.
pub(super) fn lay_out(record: &Record, root: Node, parts: &[Part]) -> Layout {
    let mut writer = Writer { record, parts, layout: Layout::default(), open: 0, nodes: 0 };
    writer.node(root, true);
    writer.close_frame();
    writer.layout
}

impl Writer<'_> {
    fn node(&mut self, mut node: Node, is_root: bool) {
        self.nodes += 1;
        if let Some(raw) = &node.raw {
            return self.content(source(raw), Transfer::Identity);
        }
        let nr = self.nodes;
        let content = node.content.take();
        let value = content.as_ref().map(|content| value_of(content, self.parts)).filter(Value::is_content);
        let name = value.as_ref().and_then(|value| transfer_name(&node, value, self.record.encoding));
        if let Some(name) = &name {
            node.set_header("Content-Transfer-Encoding", name.clone());
        }
        self.complete(&mut node, is_root);
        let non_ascii = value.as_ref().is_some_and(Value::is_text_beyond_ascii);
        let kind = self.headers(&node, nr, non_ascii);
        self.put(b"\r\n");
        if let (Some(content), Some(_)) = (&content, &value) {
            self.content(source(content), transfer(name.as_deref(), &kind));
        }
        if let Some(boundary) = kind.boundary {
            self.parts_between(node.nodes, &boundary);
        }
    }

    fn parts_between(&mut self, nodes: Vec<Node>, boundary: &str) {
        for (i, node) in nodes.into_iter().enumerate() {
            self.put(if i > 0 { b"\r\n--" } else { b"--" });
            self.put(boundary.as_bytes());
            self.put(b"\r\n");
            self.node(node, false);
        }
        self.put(b"\r\n--");
        self.put(boundary.as_bytes());
        self.put(b"--\r\n");
    }

    /// Adds the headers every part, or every message, must have.
    fn complete(&self, node: &mut Node, is_root: bool) {
        if node.filename.is_some() && !node.header("Content-Disposition").is_some_and(Field::is_set) {
            node.set_header("Content-Disposition", "attachment");
        }
        if !is_root {
            return;
        }
        if !node.header("Date").is_some_and(Field::is_set) {
            node.set_header("Date", self.record.date.clone());
        }
        if !node.header("MIME-Version").is_some_and(Field::is_set) {
            node.set_header("MIME-Version", "1.0");
        }
        // Content-Type comes last, so that a single part's headers read like a part's.
        for at in (0..node.headers.len().saturating_sub(1)).rev() {
            if node.headers[at].key == "Content-Type" {
                let field = node.headers.remove(at);
                node.headers.push(field);
            }
        }
    }

    fn headers(&mut self, node: &Node, nr: usize, non_ascii: bool) -> Kind {
        let mut kind = Kind::default();
        let filename = node.filename.as_deref();
        let encoding = self.record.encoding;
        for field in &node.headers {
            let out = &mut self.layout.frame;
            let name = self.record.names.get(&field.key).unwrap_or(&field.key);
            match field.key.as_str() {
                _ if field.prepared.is_some() => write_field(name, field, encoding, out),
                "Bcc" => (),
                "Content-Disposition" => {
                    let mut header = structured(field);
                    if let Some(filename) = filename {
                        header.set("filename", filename);
                    }
                    write_value(name, &header.build(), out);
                }
                "Content-Type" => {
                    let header = kind.content_type(structured(field), self.record, nr, non_ascii);
                    write_value(name, &content_type(header, filename, encoding), out);
                }
                _ => write_field(name, field, encoding, out),
            }
        }
        kind
    }

    fn content(&mut self, source: Source, transfer: Transfer) {
        self.close_frame();
        self.layout.pieces.push(Piece::Content(source, transfer));
    }

    fn put(&mut self, octets: &[u8]) {
        self.layout.frame.extend_from_slice(octets);
    }

    fn close_frame(&mut self) {
        let end = self.layout.frame.len();
        if end > self.open {
            self.layout.pieces.push(Piece::Frame(self.open..end));
            self.open = end;
        }
    }
}

/// What a part's `Content-Type` says.
#[derive(Default)]
struct Kind {
    /// Lower case, without parameters.
    name: String,
    /// Set for multipart.
    boundary: Option<String>,
}

impl Kind {
    /// Takes note of the type and completes its parameters.
    fn content_type(
        &mut self,
        mut header: Structured,
        record: &Record,
        nr: usize,
        non_ascii: bool,
    ) -> Structured {
        header.value.retain(|c| !is_boundary_control(c));
        self.name = header.value.trim_matches(super::text::is_space).to_lowercase();
        if self.name.starts_with("multipart/") {
            let clean =
                |text: &str| -> String { text.chars().filter(|c| !is_boundary_control(*c)).collect() };
            let declared = header.get("boundary").filter(|b| !b.is_empty()).or(self.boundary.as_deref());
            let declared = declared.map(clean).filter(|boundary| !boundary.is_empty());
            let boundary = declared.unwrap_or_else(|| {
                format!("{}-{}-Part_{nr}", clean(&record.prefix), clean(&record.boundary))
            });
            header.set("boundary", &boundary);
            self.boundary = Some(boundary);
        } else {
            self.boundary = None;
        }
        if non_ascii && is_text_plain(&header.value) {
            header.set("charset", "utf-8");
        }
        header
    }
}

/// A delimiter line can hold no control character.
const fn is_boundary_control(c: char) -> bool {
    (c as u32) < 0x20 || c as u32 == 0x7f
}

fn is_text_plain(value: &str) -> bool {
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    value.strip_prefix("text/plain").is_some_and(|rest| !rest.as_bytes().first().is_some_and(word))
}

/// The header's value with its parameters, whether they came parsed or not.
fn structured(field: &Field) -> Structured {
    match &field.structured {
        Some(parsed) => parsed.clone(),
        None => Structured::simple(&field.text),
    }
}

fn content_type(mut header: Structured, filename: Option<&str>, encoding: Option<Encoding>) -> String {
    let Some(filename) = filename else { return header.build() };
    // The name follows from the file name; a second one would contradict it.
    header
        .params
        .retain(|(key, _)| !matches!(key.as_bytes(), [b'n' | b'N', rest @ ..] if is_name_rest(rest)));
    let encoded = if has_header_control(filename) || filename.contains(['\t', '\r', '\n']) {
        word::encode(filename, encoding.unwrap_or_else(|| preferred(filename.as_bytes())))
    } else {
        word::encode_text(filename, encoding)
    };
    format!("{}; name={}", header.build(), legacy_name(filename, &encoded))
}

/// Whether what follows an `n` makes `name` or a section of it.
fn is_name_rest(rest: &[u8]) -> bool {
    rest.len() >= 3 && rest[..3].eq_ignore_ascii_case(b"ame") && matches!(rest.get(3), None | Some(b'*'))
}

fn value_of<'a>(content: &'a Content, parts: &'a [Part]) -> Value<'a> {
    match content {
        Content::Text(text) => Value::Text(text.as_bytes()),
        Content::File(_) | Content::Whole(_) => Value::Unread,
        Content::Part(index) => match parts.get(*index) {
            Some(Part::Text(text)) => Value::Text(text),
            Some(Part::Bytes(bytes)) => Value::Octets(bytes),
            Some(part @ Part::Wide(wide)) if is_plain_wide(wide.units()) => Value::Text(part.octets()),
            Some(Part::Wide(wide)) => Value::Wide(wide.units()),
            None => Value::Octets(&[]),
        },
    }
}

fn source(content: &Content) -> Source {
    match content {
        Content::Text(text) => Source::Text(text.clone()),
        Content::Part(index) => Source::Part(*index),
        Content::File(path) => Source::File { path: path.clone(), whole: false },
        Content::Whole(path) => Source::File { path: path.clone(), whole: true },
    }
}

impl Value<'_> {
    fn is_text_beyond_ascii(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_ascii(),
            Self::Wide(units) => units.iter().fold(0, |all, unit| all | unit) >= 0x80,
            Self::Octets(_) | Self::Unread => false,
        }
    }

    /// An empty text is no content at all, empty octets are.
    fn is_content(&self) -> bool {
        !matches!(self, Self::Text(text) if text.is_empty())
    }
}

/// The value of `Content-Transfer-Encoding`, `None` to leave the header as it is.
fn transfer_name(node: &Node, value: &Value<'_>, wanted: Option<Encoding>) -> Option<String> {
    let lower = |key: &str| {
        let text = node.header(key).map(|field| field.text.as_str()).unwrap_or_default();
        text.to_lowercase().trim_matches(super::text::is_space).to_owned()
    };
    let declared = lower("Content-Transfer-Encoding");
    if declared == "base64" || declared == "quoted-printable" {
        return Some(declared);
    }
    let kind = lower("Content-Type");
    let name = if kind.starts_with("text/") {
        text_transfer(value, wanted).to_owned()
    } else if declared.is_empty() && !kind.starts_with("multipart/") && !kind.starts_with("message/") {
        "base64".to_owned()
    } else {
        declared
    };
    Some(name).filter(|name| !name.is_empty())
}

fn text_transfer(value: &Value<'_>, wanted: Option<Encoding>) -> &'static str {
    let encoding = match value {
        Value::Text(text) if is_plain(text) && !has_longer_lines(text, 76) => {
            return "7bit";
        }
        Value::Text(text) => wanted.unwrap_or_else(|| preferred(text)),
        Value::Wide(units) => wanted.unwrap_or_else(|| preferred_wide(units)),
        Value::Octets(octets) => {
            wanted.unwrap_or_else(|| preferred(String::from_utf8_lossy(octets).as_bytes()))
        }
        Value::Unread => wanted.unwrap_or(Encoding::Q),
    };
    match encoding {
        Encoding::Q => "quoted-printable",
        Encoding::B => "base64",
    }
}

fn transfer(name: Option<&str>, kind: &Kind) -> Transfer {
    match name {
        Some("base64") => Transfer::Base64,
        Some("quoted-printable") => Transfer::QuotedPrintable { binary: !kind.name.starts_with("text/") },
        _ => Transfer::Identity,
    }
}
