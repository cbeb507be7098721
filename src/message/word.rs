//! Encoded words (RFC 2047) for what a header cannot carry as it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::encode::qp;
use super::text::{Encoding, has_header_control, is_space, preferred};

/// Characters a word's payload may take: 52 columns less `=?UTF-8?Q?` and `?=`.
const PAYLOAD: usize = 40;
/// Octets of text whose base64 fits the payload.
const PAYLOAD_OCTETS: usize = 30;
/// Between two words of one text.
const SEAM: [&str; 2] = ["?= =?UTF-8?Q?", "?= =?UTF-8?B?"];

/// The text as one or more encoded words, none over 52 columns.
pub(super) fn encode(text: &str, encoding: Encoding) -> String {
    match encoding {
        Encoding::Q => {
            let payload = q_payload(text);
            let mut out = String::with_capacity(payload.len() * 5 / 4 + 32);
            out.push_str("=?UTF-8?Q?");
            split_q(&payload, &mut out);
            out.push_str("?=");
            out
        }
        Encoding::B => b_words(text),
    }
}

/// Unstructured header text: as it is where that reads the same everywhere, else encoded whole.
/// `forced` overrides the choice between Q and B.
pub(super) fn encode_text(text: &str, forced: Option<Encoding>) -> String {
    if has_header_control(text) || needs_encoding(text) {
        encode(text, forced.unwrap_or_else(|| preferred(text.as_bytes())))
    } else {
        text.to_owned()
    }
}

/// Whether text without control characters must be encoded.
fn needs_encoding(text: &str) -> bool {
    text.bytes().any(|b| b == b'"' || b >= 0x80) || looks_encoded_but_is_not(text)
}

fn q_payload(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(bytes.len() * 2);
    for (i, &byte) in bytes.iter().enumerate() {
        // White space at the end of a line or of the text is escaped, as in a body.
        let escaped = !qp::is_literal(byte)
            || (qp::is_blank(byte) && matches!(bytes.get(i + 1), None | Some(b'\r' | b'\n')));
        match byte {
            b' ' if !escaped => out.push('_'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'!' | b'*' | b'+' | b'-' | b'/' => {
                out.push(char::from(byte))
            }
            _ => qp::push_escape(byte, &mut out),
        }
    }
    out
}

/// Splits a payload so that no escape and no UTF-8 sequence is cut.
fn split_q(payload: &str, out: &mut String) {
    let bytes = payload.as_bytes();
    let mut at = 0;
    while bytes.len() - at > PAYLOAD {
        let mut end = at + PAYLOAD;
        if bytes[end - 1] == b'=' {
            end -= 1;
        } else if bytes[end - 2] == b'=' {
            end -= 2;
        }
        let whole_escapes = end;
        // An escape that continues a sequence belongs to the word its sequence began in.
        while end > at && continues_sequence(&bytes[end..]) {
            end = end.saturating_sub(3).max(at);
        }
        if end == at {
            end = whole_escapes;
        }
        out.push_str(&payload[at..end]);
        out.push_str(SEAM[0]);
        at = end;
    }
    out.push_str(&payload[at..]);
}

/// Whether the payload goes on with an escape that cannot begin a character.
fn continues_sequence(rest: &[u8]) -> bool {
    let [b'=', high, low, ..] = rest else { return false };
    let hex = |b: &u8| char::from(*b).to_digit(16);
    matches!((hex(high), hex(low)), (Some(high), Some(low)) if (0x80..0xc2).contains(&(high * 16 + low)))
}

fn b_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3 / 2 + 32);
    out.push_str("=?UTF-8?B?");
    if text.len().div_ceil(3) * 4 <= PAYLOAD_OCTETS {
        BASE64.encode_string(text, &mut out);
    } else {
        let mut start = 0;
        for (at, c) in text.char_indices() {
            if at > start && at + c.len_utf8() - start > PAYLOAD_OCTETS {
                BASE64.encode_string(&text[start..at], &mut out);
                out.push_str(SEAM[1]);
                start = at;
            }
        }
        BASE64.encode_string(&text[start..], &mut out);
    }
    out.push_str("?=");
    out
}

/// Whether a receiver would read part of the text as an encoded word though it is not a valid one
/// that stands alone. Such text has to be encoded to be read as what it says.
fn looks_encoded_but_is_not(text: &str) -> bool {
    let mut from = 0;
    // The bounds of a word are kept while the search is inside it: a word may hold many `=?`.
    let mut bounds = (0, 0);
    while let Some(found) = text[from..].find("=?") {
        let at = from + found;
        bounds = word_around(text, at, bounds);
        let (start, word_end) = bounds;
        let look_alike = look_alike_end(text, at);
        let end = look_alike.unwrap_or(word_end);
        if end > word_end {
            // The look-alike runs across white space, on to the word it ends in.
            bounds = word_around(text, end - 1, bounds);
        }
        let word = &text[start..bounds.1];
        let looks = look_alike.is_some() || (start == at && word.len() >= 4 && word.ends_with("?="));
        let valid = start == at && bounds.1 == end && word.len() <= 75 && is_encoded_word(word);
        if looks && !valid {
            return true;
        }
        from = if look_alike.is_some() { end } else { at + 2 };
    }
    false
}

/// Bounds of the word that holds the octet at `at`, unless `known` are they.
fn word_around(text: &str, at: usize, known: (usize, usize)) -> (usize, usize) {
    if at < known.1 {
        return known;
    }
    let start = text[known.1..at].char_indices().rev().find(|(_, c)| is_space(*c));
    let start = start.map_or(known.1, |(i, c)| known.1 + i + c.len_utf8());
    (start, text[at..].find(is_space).map_or(text.len(), |i| at + i))
}

/// End of what a lenient decoder takes for an encoded word at `at`: it tolerates white space.
fn look_alike_end(text: &str, at: usize) -> Option<usize> {
    let after = |from: usize| text[from..].find('?').map(|i| from + i);
    let charset = after(at + 2)?;
    let encoding = text.as_bytes().get(charset + 1)?;
    let closed = text.as_bytes().get(charset + 2) == Some(&b'?');
    if !matches!(encoding, b'B' | b'b' | b'Q' | b'q') || !closed {
        return None;
    }
    let end = after(charset + 3)?;
    (text.as_bytes().get(end + 1) == Some(&b'=')).then_some(end + 2)
}

/// An encoded word as RFC 2047 §2 spells it.
fn is_encoded_word(word: &str) -> bool {
    let inner = word.strip_prefix("=?").and_then(|w| w.strip_suffix("?="));
    let Some((charset, rest)) = inner.and_then(|w| w.split_once('?')) else { return false };
    let Some((encoding, payload)) = rest.split_once('?') else { return false };
    let token = |c: char| !is_space(c) && !r#"()<>@,;:"/[]?.="#.contains(c);
    !charset.is_empty()
        && charset.chars().all(token)
        && matches!(encoding, "B" | "b" | "Q" | "q")
        && !payload.is_empty()
        && payload.chars().all(|c| c != '?' && !is_space(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_look_alikes_that_are_not_words_are_encoded() {
        for (text, encoded) in [
            ("plain", false),
            ("=?utf-8?Q?a?=", false),
            ("see =?utf-8?Q?a?= here", false),
            ("=?utf-8?Q?a b?=", true),
            ("=?utf-8?X?x?=", true),
            ("x=?utf-8?Q?a?=", true),
            ("=?utf-8?Q?a?=x", true),
            ("=?", false),
            ("=?=", false),
            ("=??=", true),
            ("a=?b", false),
        ] {
            assert_eq!(looks_encoded_but_is_not(text), encoded, "{text}");
        }
    }

    #[test]
    fn words_never_split_a_character() {
        let text = "😀é".repeat(20);
        for encoding in [Encoding::Q, Encoding::B] {
            for word in encode(&text, encoding).split(' ') {
                assert!(word.len() <= 52 && is_encoded_word(word), "{word}");
                let payload = &word[10..word.len() - 2];
                let bytes = match encoding {
                    Encoding::B => BASE64.decode(payload).expect("base64"),
                    Encoding::Q => {
                        payload.split('=').skip(1).map(|h| u8::from_str_radix(h, 16).expect("hex")).collect()
                    }
                };
                assert!(String::from_utf8(bytes).is_ok(), "{word}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_words_that_hold_it(text in "\\PC{1,200}") {
            let decoded: Vec<u8> = encode(&text, Encoding::B)
                .split(' ')
                .flat_map(|word| BASE64.decode(&word[10..word.len() - 2]).expect("base64"))
                .collect();
            proptest::prop_assert_eq!(decoded, text.as_bytes());
        }

        #[test]
        fn looking_for_words_never_panics(text in "[=?BQ a-c\u{a0}é]{0,60}") {
            looks_encoded_but_is_not(&text);
        }
    }
}
