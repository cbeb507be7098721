//! Soft line breaks where nodemailer has them.

/// Octets a line may take, soft break included.
const WIDTH: usize = 76;
/// The part of a line, from its end, where a break at white space or punctuation is preferred.
const MARGIN: usize = WIDTH / 3;
const SOFT: &[u8; 3] = b"=\r\n";

/// Breaks encoded text into lines of at most [`WIDTH`] octets.
pub(super) fn wrap(text: &[u8], out: &mut Vec<u8>) {
    if text.len() <= WIDTH {
        out.extend_from_slice(text);
        return;
    }
    let mut written = out.len();
    let mut at = 0;
    let mut feed = next_feed(text, 0);
    while at < text.len() {
        if feed < at {
            feed = next_feed(text, at);
        }
        let rest = &text[at..];
        // Whole windows are copied; what is too much of one is overwritten by the next.
        if out.len() < written + WIDTH + SOFT.len() {
            out.resize(written + wrapped_len(rest.len()) + 2 * WIDTH, 0);
        }
        let window = &rest[..rest.len().min(WIDTH)];
        let (take, soft) = cut(window, rest.len(), feed - at < window.len());
        match (window.first_chunk::<WIDTH>(), out[written..].first_chunk_mut::<WIDTH>()) {
            (Some(line), Some(room)) => *room = *line,
            _ => out[written..written + take].copy_from_slice(&window[..take]),
        }
        written += take;
        if soft {
            out[written..written + SOFT.len()].copy_from_slice(SOFT);
            written += SOFT.len();
        }
        at += take;
    }
    out.truncate(written);
}

/// What a soft break may stand behind.
static IS_SEPARATOR: [bool; 256] = {
    let mut separators = [false; 256];
    let mut rest: &[u8] = b" \t.,!?";
    while let [first, more @ ..] = rest {
        separators[*first as usize] = true;
        rest = more;
    }
    separators
};

/// Octets to expect of text so long, once it is broken into lines.
pub(super) const fn wrapped_len(text: usize) -> usize {
    text + text / 20
}

/// Where the next LF is, the end of the text if there is none.
fn next_feed(text: &[u8], from: usize) -> usize {
    memchr::memchr(b'\n', &text[from..]).map_or(text.len(), |at| from + at)
}

/// How much of `window` makes the next line, and whether a soft break follows it. `rest` is how
/// much text there is from the start of the window; `has_feed` says whether the window has an LF.
fn cut(window: &[u8], rest: usize, has_feed: bool) -> (usize, bool) {
    if let Some(end) = has_feed.then(|| hard_break(window)).flatten() {
        return (end, false);
    }
    let mut take = match separator(window) {
        Some(end) => end,
        None => without_cut_escape(window, rest),
    };
    if take == 0 {
        take = window.len();
    }
    if take >= rest || window[take - 1] == b'\n' {
        return (take, false);
    }
    if take == WIDTH {
        take -= if ends_with_escape(&window[..take]) { 3 } else { 1 };
    }
    (take, true)
}

/// End of the line break that ends this line, if there is one to use.
fn hard_break(window: &[u8]) -> Option<usize> {
    let mut last_lf = None;
    for at in memchr::memchr_iter(b'\n', window) {
        if at > 0 && window[at - 1] == b'\r' {
            return Some(at + 1);
        }
        last_lf = Some(at);
    }
    // A lone LF counts at the end of the window, or late in it with no CR behind it.
    let lf = last_lf?;
    let late = lf >= window.len().saturating_sub(MARGIN) && !window[lf..].contains(&b'\r');
    (lf + 1 == window.len() || late).then_some(lf + 1)
}

/// End of the last white space or punctuation near the end of a long window.
fn separator(window: &[u8]) -> Option<usize> {
    if window.len() <= WIDTH - MARGIN {
        return None;
    }
    let tail = window.len() - MARGIN;
    let found = window[tail..].iter().rposition(|b| IS_SEPARATOR[usize::from(*b)]);
    found.map(|at| tail + at + 1)
}

/// Length of the window without an escape, or a UTF-8 sequence of escapes, that its end cuts.
fn without_cut_escape(window: &[u8], rest: usize) -> usize {
    let len = window.len();
    let partial = (1..=2).find(|back| len >= *back && window[len - back] == b'=');
    if partial.is_none() && !ends_with_escape(window) {
        return len;
    }
    let mut end = len - partial.unwrap_or(0);
    while end > 3 && end < rest && !is_one_character(&window[..end]) && ends_with_escape(&window[..end]) {
        let lead = unhex(window[end - 2]) * 16 + unhex(window[end - 1]);
        if lead < 0x80 {
            break;
        }
        end -= 3;
        if lead >= 0xc0 {
            break;
        }
    }
    end
}

fn ends_with_escape(line: &[u8]) -> bool {
    matches!(line, [.., b'=', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// One to four escapes and nothing else.
fn is_one_character(line: &[u8]) -> bool {
    matches!(line.len(), 3 | 6 | 9 | 12) && line.chunks(3).all(ends_with_escape)
}

const fn unhex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.saturating_sub(b'A') + 10,
    }
}
