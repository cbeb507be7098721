//! `Content-Type` and `Content-Disposition`: a value and its parameters (RFC 2045 §5.1), long or
//! foreign ones as continuations (RFC 2231).

use super::text::{is_space, quoted};

/// A parsed header value.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub(super) struct Structured {
    /// What comes before the parameters.
    pub(super) value: String,
    /// Parameters in order, unquoted.
    pub(super) params: Vec<(String, String)>,
}

impl Structured {
    /// Reads a value whose parameters, if any, are plain tokens: `text/plain; charset=utf-8`.
    pub(super) fn simple(text: &str) -> Self {
        let mut tokens = text.split("; ");
        let mut header = Self { value: tokens.next().unwrap_or_default().to_owned(), params: Vec::new() };
        for (name, value) in tokens.filter_map(|token| token.split_once('=')) {
            // Of several parameters of one name the first counts.
            if header.get(name).is_none() {
                header.params.push((name.to_owned(), value.to_owned()));
            }
        }
        header
    }

    /// A parameter's value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Sets a parameter in its place, or at the end.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        match self.params.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.params.push((name.to_owned(), value.to_owned())),
        }
    }

    /// The header value as text.
    pub(super) fn build(&self) -> String {
        let mut out: String = self.value.chars().filter(|c| !is_ctl(*c)).collect();
        for (key, value) in &self.params {
            let name: String = key.chars().filter(|c| !is_ctl(*c)).collect();
            if is_plain(value) && value.len() < 75 {
                let bare = !value.is_empty()
                    && !value.contains(needs_quotes)
                    && !value.contains('\'')
                    && !value.starts_with('-');
                push_param(&mut out, &name, value, bare);
            } else {
                push_continuations(&mut out, &name, value);
            }
        }
        out
    }
}

fn push_param(out: &mut String, name: &str, value: &str, bare: bool) {
    out.push_str("; ");
    out.push_str(name);
    out.push('=');
    out.push_str(&if bare { value.into() } else { std::borrow::Cow::Owned(quoted(value)) });
}

const fn is_ctl(c: char) -> bool {
    (c as u32) < 0x20 || c as u32 == 0x7f
}

/// A value that can stand in a parameter, quoted or not. What looks like an encoded word would be
/// decoded by receivers, so it cannot.
fn is_plain(value: &str) -> bool {
    !value.contains(|c: char| is_ctl(c) || c == '"' || !c.is_ascii()) && !value.contains("=?")
}

/// Specials that only a quoted string can hold.
pub(super) fn needs_quotes(c: char) -> bool {
    is_space(c) || r#""\;:/=(),<>@[]?"#.contains(c)
}

/// One line of a value that does not fit one parameter.
struct Section {
    text: String,
    encoded: bool,
}

/// Columns a section may take.
const SECTION: usize = 50;

fn push_continuations(out: &mut String, name: &str, value: &str) {
    let sections = if is_plain(value) { plain_sections(value) } else { encoded_sections(value) };
    for (nr, Section { text, encoded }) in sections.iter().enumerate() {
        let star = if *encoded { "*" } else { "" };
        let bare = *encoded
            || !(text.contains(needs_quotes) || text.starts_with(['-', '\'']) || text.ends_with('\''));
        push_param(out, &format!("{name}*{nr}{star}"), text, bare);
    }
}

fn plain_sections(value: &str) -> Vec<Section> {
    let chunk = |c: &[u8]| Section { text: String::from_utf8_lossy(c).into_owned(), encoded: false };
    value.as_bytes().chunks(SECTION).map(chunk).collect()
}

/// Sections of a value with characters that must be escaped. A section without any is written
/// plain; one that turns out to need escapes is begun again.
fn encoded_sections(value: &str) -> Vec<Section> {
    let chars: Vec<char> = value.chars().collect();
    let mut sections = Vec::new();
    let mut line = "utf-8''".to_owned();
    let mut encoded = true;
    let mut restart = 0;
    let mut i = 0;
    while let Some(&c) = chars.get(i) {
        let mut piece = if !encoded && c == ' ' { " ".to_owned() } else { escape(c) };
        if !encoded && !is_char(&piece, c) {
            if escaped_len(&line) + piece.len() < SECTION {
                // The plain line gets an escape after all: all of it has to be escaped.
                encoded = true;
                line.clear();
                i = restart;
                continue;
            }
            sections.push(Section { text: std::mem::take(&mut line), encoded: false });
            encoded = true;
        }
        if line.len() + piece.len() >= SECTION {
            sections.push(Section { text: line, encoded });
            piece = if c == ' ' { " ".to_owned() } else { escape(c) };
            encoded = !is_char(&piece, c);
            restart = i;
            line = piece;
        } else {
            line.push_str(&piece);
        }
        i += 1;
    }
    if !line.is_empty() {
        sections.push(Section { text: line, encoded });
    }
    sections
}

fn is_char(piece: &str, c: char) -> bool {
    let mut chars = piece.chars();
    chars.next() == Some(c) && chars.next().is_none()
}

const fn is_unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '!' | '~')
}

/// A character, or its UTF-8 in percent escapes.
fn escape(c: char) -> String {
    if is_unreserved(c) {
        return c.to_string();
    }
    c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn escaped_len(line: &str) -> usize {
    line.chars().map(|c| if is_unreserved(c) { 1 } else { 3 * c.len_utf8() }).sum()
}

/// The `name` parameter some clients want in `Content-Type`: an encoded word in a quoted string,
/// which no standard allows and which they read all the same.
pub(super) fn legacy_name(filename: &str, encoded: &str) -> String {
    let special = |c: char| needs_quotes(c) || c == '\'';
    if encoded != filename || encoded.contains(special) || encoded.starts_with('-') {
        quoted(encoded)
    } else {
        encoded.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> String {
        let mut header = Structured { value: "attachment".into(), params: Vec::new() };
        header.set(name, value);
        header.build()
    }

    #[test]
    fn plain_values_are_quoted_only_when_they_must_be() {
        assert_eq!(with("filename", "a.pdf"), "attachment; filename=a.pdf");
        assert_eq!(with("filename", "a b.pdf"), "attachment; filename=\"a b.pdf\"");
        assert_eq!(with("filename", "a\\b"), "attachment; filename=\"a\\\\b\"");
        assert_eq!(with("filename", "-a"), "attachment; filename=\"-a\"");
        assert_eq!(with("flag", ""), "attachment; flag=\"\"");
    }

    #[test]
    fn foreign_values_are_percent_encoded_in_sections() {
        assert_eq!(with("filename", "ü.pdf"), "attachment; filename*0*=utf-8''%C3%BC.pdf");
        assert_eq!(with("filename", "a\"b"), "attachment; filename*0*=utf-8''a%22b");
    }

    proptest::proptest! {
        #[test]
        fn any_value_gives_sections_within_bounds_that_hold_it(value in "\\PC{1,200}") {
            let sections = encoded_sections(&value);
            let mut decoded = Vec::new();
            for (nr, section) in sections.iter().enumerate() {
                proptest::prop_assert!(section.text.len() <= SECTION + 12);
                let text = if nr == 0 { section.text.trim_start_matches("utf-8''") } else { &section.text };
                if section.encoded {
                    decode_percent(text, &mut decoded);
                } else {
                    decoded.extend_from_slice(text.as_bytes());
                }
            }
            proptest::prop_assert_eq!(decoded, value.as_bytes());
        }
    }

    fn decode_percent(text: &str, out: &mut Vec<u8>) {
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            if byte == b'%' {
                let hex = [bytes.next().expect("hex"), bytes.next().expect("hex")];
                let hex = std::str::from_utf8(&hex).expect("ascii");
                out.push(u8::from_str_radix(hex, 16).expect("hex"));
            } else {
                out.push(byte);
            }
        }
    }
}
