//! Command lines, taken apart.

/// A command, as far as it can be understood without the session's state.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    Hello {
        verb: Verb,
        name: &'a str,
    },
    Mail(Path<'a>),
    Rcpt(Path<'a>),
    Data,
    Bdat {
        size: u64,
        last: bool,
    },
    Auth {
        mechanism: &'a str,
        initial: Option<&'a str>,
    },
    StartTls,
    Rset,
    Noop,
    Vrfy,
    Quit,
    /// A known command with a malformed argument.
    Malformed(&'static str),
    Unknown,
}

/// The three ways to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Ehlo,
    Helo,
    Lhlo,
}

/// The argument of MAIL and RCPT.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path<'a> {
    /// What stands between the angle brackets.
    pub(crate) address: &'a str,
    /// Parameters as they came.
    pub(crate) params: Vec<&'a str>,
}

impl<'a> Command<'a> {
    /// Parses a line without its line end.
    pub(crate) fn parse(line: &'a str) -> Self {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let bare =
            |command| if argument.is_empty() { command } else { Self::Malformed("no argument allowed") };
        match verb.to_ascii_uppercase().as_str() {
            "MAIL" => path(argument, "FROM:").map_or(Self::Malformed("MAIL FROM:<address>"), Self::Mail),
            "RCPT" => match path(argument, "TO:") {
                Some(path) if !path.address.is_empty() => Self::Rcpt(path),
                _ => Self::Malformed("RCPT TO:<address>"),
            },
            "DATA" => bare(Self::Data),
            "BDAT" => bdat(argument).unwrap_or(Self::Malformed("BDAT size [LAST]")),
            "RSET" => bare(Self::Rset),
            "NOOP" => Self::Noop,
            "QUIT" => bare(Self::Quit),
            "EHLO" => hello(Verb::Ehlo, argument),
            "HELO" => hello(Verb::Helo, argument),
            "LHLO" => hello(Verb::Lhlo, argument),
            "AUTH" => auth(argument),
            "STARTTLS" => bare(Self::StartTls),
            "VRFY" | "EXPN" => Self::Vrfy,
            _ => Self::Unknown,
        }
    }
}

impl Command<'_> {
    /// Whether other commands may follow it in its group (RFC 2920 §3.1).
    pub(crate) fn groups(&self) -> bool {
        matches!(
            self,
            Self::Mail(_)
                | Self::Rcpt(_)
                | Self::Bdat { .. }
                | Self::Rset
                | Self::Malformed(_)
                | Self::Unknown
        )
    }
}

fn hello(verb: Verb, name: &str) -> Command<'_> {
    let valid = !name.is_empty() && !name.contains([' ', '\0']);
    if valid { Command::Hello { verb, name } } else { Command::Malformed("a host name is missing") }
}

fn auth(argument: &str) -> Command<'_> {
    let mut words = argument.split(' ').filter(|word| !word.is_empty());
    match (words.next(), words.next(), words.next()) {
        (Some(mechanism), initial, None) => Command::Auth { mechanism, initial },
        _ => Command::Malformed("AUTH mechanism [initial-response]"),
    }
}

fn bdat(argument: &str) -> Option<Command<'_>> {
    let (size, rest) = argument.split_once(' ').unwrap_or((argument, ""));
    let last = match rest {
        "" => false,
        word if word.eq_ignore_ascii_case("LAST") => true,
        _ => return None,
    };
    let digits = !size.is_empty() && size.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| size.parse().ok()).flatten().map(|size| Command::Bdat { size, last })
}

fn path<'a>(argument: &'a str, keyword: &str) -> Option<Path<'a>> {
    let head = argument.get(..keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let inner = argument[keyword.len()..].trim_start_matches(' ').strip_prefix('<')?;
    let end = closing_bracket(inner)?;
    let (address, rest) = (&inner[..end], &inner[end + 1..]);
    if !rest.is_empty() && !rest.starts_with(' ') {
        return None;
    }
    let params: Vec<_> = rest.split(' ').filter(|word| !word.is_empty()).collect();
    let clean = !address.contains(['\0', '<']) && !params.iter().any(|p| p.contains(['\0', '<']));
    clean.then_some(Path { address, params })
}

/// The first `>` that is not in a quoted local part.
fn closing_bracket(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_recognised_without_case() {
        for (line, expected) in [
            ("ehlo me.test", Command::Hello { verb: Verb::Ehlo, name: "me.test" }),
            ("DATA", Command::Data),
            ("data now", Command::Malformed("no argument allowed")),
            ("BDAT 12", Command::Bdat { size: 12, last: false }),
            ("bdat 0 last", Command::Bdat { size: 0, last: true }),
            ("BDAT +1", Command::Malformed("BDAT size [LAST]")),
            ("BDAT 1 FIRST", Command::Malformed("BDAT size [LAST]")),
            ("AUTH plain AGE=", Command::Auth { mechanism: "plain", initial: Some("AGE=") }),
            ("NOOP anything", Command::Noop),
            ("MAILX", Command::Unknown),
            ("", Command::Unknown),
        ] {
            assert_eq!(Command::parse(line), expected, "{line}");
        }
    }

    #[test]
    fn paths_are_taken_apart() {
        for (line, expected) in [
            ("MAIL FROM:<>", Some(("", vec![]))),
            ("MAIL FROM:<a@b> SIZE=3 BODY=8BITMIME", Some(("a@b", vec!["SIZE=3", "BODY=8BITMIME"]))),
            ("MAIL FROM: <a@b>", Some(("a@b", vec![]))),
            ("MAIL FROM:<\"a>\\\"b\"@c>", Some(("\"a>\\\"b\"@c", vec![]))),
            ("MAIL FROM:a@b", None),
            ("MAIL FROM:<a@b", None),
            ("MAIL FROM:<a@b>SIZE=3", None),
            ("MAIL FROM:<a<b>", None),
        ] {
            let parsed = match Command::parse(line) {
                Command::Mail(path) => Some((path.address, path.params)),
                _ => None,
            };
            assert_eq!(parsed, expected, "{line}");
        }
        assert_eq!(Command::parse("RCPT TO:<>"), Command::Malformed("RCPT TO:<address>"));
    }
}
