//! Folding of header lines at white space (RFC 5322 §2.2.3).

use super::text::is_space;

/// Units a folded line may take.
const WIDTH: usize = 76;

/// Appends `line` to `out`, broken before white space so that no line is longer than it must be.
pub(super) fn fold_into(line: &str, out: &mut Vec<u8>) {
    let bytes = line.as_bytes();
    if line.len() < WIDTH {
        out.extend_from_slice(bytes);
    } else if line.is_ascii() {
        let mut from = 0;
        for at in breaks(bytes) {
            out.extend_from_slice(&bytes[from..at]);
            out.extend_from_slice(b"\r\n");
            from = at;
        }
        out.extend_from_slice(&bytes[from..]);
    } else {
        fold_wide(line, out);
    }
}

/// The same for a line with characters beyond ASCII: columns are UTF-16 units.
fn fold_wide(line: &str, out: &mut Vec<u8>) {
    let units: Vec<u16> = line.encode_utf16().collect();
    let mut breaks = breaks(&units).into_iter().peekable();
    let mut column = 0;
    let mut buffer = [0; 4];
    for c in line.chars() {
        if breaks.next_if_eq(&column).is_some() {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        column += c.len_utf16();
    }
}

/// Where a line break goes, in units.
fn breaks<T: Copy + Into<u32>>(units: &[T]) -> Vec<usize> {
    let code = |at: usize| -> u32 { units[at].into() };
    let space = |at: usize| char::from_u32(code(at)).is_some_and(is_space);
    let mut found = Vec::new();
    let mut at = 0;
    while units.len() - at >= WIDTH {
        let end = at + WIDTH;
        if let Some(lf) = (at..end).find(|&i| matches!(code(i), 0x0a | 0x0d)) {
            // The line is broken already, which only a prepared value can be.
            let crlf = code(lf) == 0x0d && lf + 1 < end && code(lf + 1) == 0x0a;
            at = lf + 1 + usize::from(crlf);
            continue;
        }
        let mut cut = end;
        if let Some(last) = (at..end).rev().find(|&i| space(i)) {
            let start = (at..last).rev().find(|&i| !space(i)).map_or(at, |i| i + 1);
            if start > at {
                cut = start;
            }
        }
        if cut == end {
            // No place to break: the word goes on to its end, however long.
            cut = (end..units.len()).find(|&i| space(i)).unwrap_or(units.len());
        }
        at = cut;
        if at < units.len() {
            found.push(at);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(line: &str) -> String {
        let mut out = Vec::new();
        fold_into(line, &mut out);
        String::from_utf8(out).expect("folding keeps the text")
    }

    #[test]
    fn short_lines_and_words_without_space_stay_whole() {
        assert_eq!(fold("Subject: hello"), "Subject: hello");
        let word = "x".repeat(200);
        assert_eq!(fold(&word), word);
    }

    #[test]
    fn a_break_goes_before_the_last_white_space_that_fits() {
        let line = format!("{} {} tail", "a".repeat(40), "b".repeat(30));
        assert_eq!(fold(&line), format!("{} {}\r\n tail", "a".repeat(40), "b".repeat(30)));
    }

    #[test]
    fn columns_are_utf16_units() {
        let line = format!("{} {}", "é".repeat(60), "é".repeat(30));
        assert_eq!(fold(&line), format!("{}\r\n {}", "é".repeat(60), "é".repeat(30)));
    }

    proptest::proptest! {
        #[test]
        fn folding_only_adds_line_breaks(line in "[ -~é]{0,400}") {
            proptest::prop_assert_eq!(fold(&line).replace("\r\n", ""), line);
        }
    }
}
