//! Commands, and the only place that ends a line towards the server.
//!
//! A command is refused here if any text in it contains CR, LF or NUL: whatever the caller handed
//! over, it stays one line.

use std::fmt;

use crate::error::{Code, Error, Phase, Result};

use super::envelope::MailParams;

/// A command line, before it is written.
#[derive(Clone, Copy)]
pub(super) enum Command<'a> {
    Ehlo(&'a str),
    Lhlo(&'a str),
    Helo(&'a str),
    StartTls,
    Mail {
        from: &'a str,
        params: &'a MailParams,
    },
    Rcpt {
        to: &'a str,
        params: &'a MailParams,
    },
    Data,
    Bdat {
        size: usize,
        last: bool,
    },
    Rset,
    Quit,
    /// `AUTH MECHANISM [initial-response]`; the response is secret, `shown` stands for it in a log.
    Auth {
        mechanism: &'a str,
        initial: Option<&'a str>,
        shown: &'a str,
    },
    /// A base64 line of an authentication exchange; secret, `shown` stands for it in a log.
    AuthLine {
        line: &'a str,
        shown: &'a str,
    },
    /// A line a custom authentication handler made; secret but for its verb.
    Custom(&'a str),
}

impl Command<'_> {
    /// Writes the command and its line end. Nothing is written when the text is unsafe.
    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        use std::io::Write as _;
        let from = out.len();
        // Writing to a Vec cannot fail.
        let _ = match self {
            Self::Ehlo(name) => write!(out, "EHLO {name}"),
            Self::Lhlo(name) => write!(out, "LHLO {name}"),
            Self::Helo(name) => write!(out, "HELO {name}"),
            Self::StartTls => write!(out, "STARTTLS"),
            Self::Mail { from, params } => write!(out, "MAIL FROM:<{from}>{}", params.mail),
            Self::Rcpt { to, params } => write!(out, "RCPT TO:<{to}>{}", params.rcpt),
            Self::Data => write!(out, "DATA"),
            Self::Bdat { size, last } => write!(out, "BDAT {size}{}", if *last { " LAST" } else { "" }),
            Self::Rset => write!(out, "RSET"),
            Self::Quit => write!(out, "QUIT"),
            Self::Auth { mechanism, initial: None, .. } => write!(out, "AUTH {mechanism}"),
            Self::Auth { mechanism, initial: Some(text), .. } => write!(out, "AUTH {mechanism} {text}"),
            Self::AuthLine { line, .. } => write!(out, "{line}"),
            Self::Custom(text) => write!(out, "{text}"),
        };
        if out[from..].iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            out.truncate(from);
            return Err(Error::new(Code::Protocol, "A command must not contain CR, LF or NUL").command("API"));
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Whether the command is one line.
    pub(super) fn check(&self) -> Result<()> {
        self.encode(&mut Vec::with_capacity(64)).map_err(|error| error.at(Phase::Envelope))
    }
}

/// What a log may show of a command: never a secret.
impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auth { mechanism, initial: Some(_), shown } => write!(f, "AUTH {mechanism} {shown}"),
            Self::AuthLine { shown, .. } => f.write_str(shown),
            Self::Custom(text) => f.write_str(&mask_custom(text)),
            command => {
                let mut line = Vec::new();
                if command.encode(&mut line).is_err() {
                    return f.write_str("/* refused */");
                }
                f.write_str(String::from_utf8_lossy(&line).trim_end())
            }
        }
    }
}

impl fmt::Debug for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Keeps `AUTH MECHANISM` of a custom line; the rest carries credentials in whatever shape.
fn mask_custom(text: &str) -> String {
    let mut words = text.split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(verb), Some(mechanism), rest) if verb.eq_ignore_ascii_case("AUTH") => {
            let secret = if rest.is_some() { " /* secret */" } else { "" };
            format!("{verb} {mechanism}{secret}")
        }
        _ => "/* secret */".to_owned(),
    }
}

/// A line of the transaction log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogLine {
    /// What the client sent, secrets masked.
    Client(String),
    /// What the server answered.
    Server(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_end_or_nul_anywhere_in_a_command_is_refused() {
        let clean = MailParams::default();
        let dirty = MailParams { mail: " SIZE=1\r\nRCPT".into(), rcpt: " NOTIFY=a\nb".into() };
        let commands = [
            Command::Ehlo("a\r\nMAIL FROM:<x>"),
            Command::Helo("a\nb"),
            Command::Lhlo("a\0"),
            Command::Mail { from: "a\r\n", params: &clean },
            Command::Mail { from: "a", params: &dirty },
            Command::Rcpt { to: "a\nDATA", params: &clean },
            Command::Rcpt { to: "a", params: &dirty },
            Command::Auth { mechanism: "PLAIN\r\n", initial: None, shown: "" },
            Command::Auth { mechanism: "PLAIN", initial: Some("x\r"), shown: "" },
            Command::AuthLine { line: "a\nb", shown: "" },
            Command::Custom("AUTH X\r\nMAIL"),
        ];
        for command in commands {
            let mut out = b"before".to_vec();
            assert!(command.encode(&mut out).is_err(), "{command}");
            assert_eq!(out, b"before");
        }
    }

    #[test]
    fn secrets_never_reach_the_log() {
        for (command, expected) in [
            (
                Command::Auth { mechanism: "PLAIN", initial: Some("czNjcjN0"), shown: "shown" },
                "AUTH PLAIN shown",
            ),
            (Command::AuthLine { line: "czNjcjN0", shown: "shown" }, "shown"),
            (Command::Custom("AUTH NTLM czNjcjN0"), "AUTH NTLM /* secret */"),
            (Command::Custom("AUTH NTLM"), "AUTH NTLM"),
            (Command::Custom("czNjcjN0"), "/* secret */"),
            (Command::Bdat { size: 3, last: true }, "BDAT 3 LAST"),
        ] {
            assert_eq!(command.to_string(), expected);
            assert_eq!(format!("{command:?}"), expected);
        }
    }
}
