//! A transaction: sender, recipients, and what was promised about the body.

use crate::capture::Recipient;
use crate::config::Config;
use crate::reply::Reply;
use crate::script::Fired;

/// One mail transaction, from an accepted MAIL until its end.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    pub(crate) ordinal: u64,
    pub(crate) from: String,
    pub(crate) params: Vec<String>,
    pub(crate) to: Vec<Recipient>,
    /// Recipients that were refused.
    pub(crate) refused: u64,
    /// RCPT commands so far.
    pub(crate) rcpts: u64,
    pub(crate) binary: bool,
    pub(crate) chunks: u64,
    /// A chunk was refused: only RSET helps (RFC 3030 §2).
    pub(crate) broken: bool,
    /// Octets of the body so far.
    pub(crate) size: u64,
    /// What is kept of the body.
    pub(crate) body: Vec<u8>,
    /// A fault that waits for its number of octets.
    pub(crate) trap: Option<Fired>,
    /// The reply was given before the octets it is for had come.
    pub(crate) answered: bool,
}

impl Transaction {
    /// Counts a piece of the body, and keeps it up to `limit` octets in all.
    pub(crate) fn push(&mut self, piece: &[u8], limit: usize) {
        self.size += piece.len() as u64;
        let room = limit.saturating_sub(self.body.len());
        self.body.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    /// The addresses a script's pattern is held against.
    pub(crate) fn addresses(&self) -> Vec<&str> {
        std::iter::once(self.from.as_str()).chain(self.to.iter().map(|to| to.address.as_str())).collect()
    }
}

const UNKNOWN: Reply = Reply::new(555, "5.5.4", "Parameter not offered");
const MALFORMED: Reply = Reply::new(501, "5.5.4", "Malformed parameter");
const NOT_ASCII: Reply = Reply::new(553, "5.6.7", "SMTPUTF8 is required for this address");

/// Checks MAIL against what was offered. `secure` says whether the connection is encrypted.
pub(crate) fn check_mail(config: &Config, secure: bool, address: &str, params: &[&str]) -> Result<(), Reply> {
    for (name, value) in pairs(params)? {
        match (name.as_str(), value) {
            ("SIZE", Some(value)) if config.size.is_some() => check_size(config, value)?,
            ("BODY", Some(value)) => check_body(config, value)?,
            ("SMTPUTF8", None) if config.smtp_utf8 => {}
            ("RET", Some("FULL" | "HDRS")) if config.dsn => {}
            ("ENVID", Some(value)) if config.dsn => check_xtext(value)?,
            ("REQUIRETLS", None) if config.require_tls && secure => {}
            ("AUTH", Some(value)) if config.auth.is_some() => check_xtext(value)?,
            ("SIZE" | "SMTPUTF8" | "RET" | "ENVID" | "REQUIRETLS" | "AUTH", _) => return Err(UNKNOWN),
            _ => return Err(UNKNOWN),
        }
    }
    let utf8 = params.iter().any(|param| param.eq_ignore_ascii_case("SMTPUTF8"));
    if address.is_ascii() || utf8 { Ok(()) } else { Err(NOT_ASCII) }
}

/// Checks RCPT; `utf8` says whether MAIL asked for SMTPUTF8.
pub(crate) fn check_rcpt(config: &Config, utf8: bool, address: &str, params: &[&str]) -> Result<(), Reply> {
    for (name, value) in pairs(params)? {
        match (name.as_str(), value) {
            ("NOTIFY", Some(value)) if config.dsn => check_notify(value)?,
            ("ORCPT", Some(value)) if config.dsn => {
                let (kind, rest) = value.split_once(';').ok_or(MALFORMED)?;
                if kind.is_empty() || rest.is_empty() {
                    return Err(MALFORMED);
                }
                check_xtext(rest)?;
            }
            _ => return Err(UNKNOWN),
        }
    }
    if address.is_ascii() || utf8 { Ok(()) } else { Err(NOT_ASCII) }
}

/// Name in upper case and value of each parameter; none may come twice.
fn pairs<'a>(params: &[&'a str]) -> Result<Vec<(String, Option<&'a str>)>, Reply> {
    let mut pairs: Vec<(String, Option<&str>)> = Vec::with_capacity(params.len());
    for param in params {
        let (name, value) = param.split_once('=').map_or((*param, None), |(name, value)| (name, Some(value)));
        let name = name.to_ascii_uppercase();
        if pairs.iter().any(|(other, _)| *other == name) {
            return Err(MALFORMED);
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

fn check_size(config: &Config, value: &str) -> Result<(), Reply> {
    let size: u64 = value.parse().map_err(|_| MALFORMED)?;
    if too_large(config, size) { Err(TOO_LARGE) } else { Ok(()) }
}

/// The refusal of a message over SIZE.
pub(crate) const TOO_LARGE: Reply = Reply::new(552, "5.3.4", "Message size exceeds fixed limit");

/// Whether a message is over the maximum (RFC 1870: 0 is none).
pub(crate) fn too_large(config: &Config, size: u64) -> bool {
    config.size.is_some_and(|max| max > 0 && size > max)
}

fn check_body(config: &Config, value: &str) -> Result<(), Reply> {
    let offered = match value.to_ascii_uppercase().as_str() {
        "7BIT" | "8BITMIME" => config.eight_bit_mime,
        "BINARYMIME" => config.binary_mime && config.chunking,
        _ => return Err(MALFORMED),
    };
    if offered { Ok(()) } else { Err(UNKNOWN) }
}

fn check_notify(value: &str) -> Result<(), Reply> {
    let known = |word: &str| matches!(word.to_ascii_uppercase().as_str(), "SUCCESS" | "FAILURE" | "DELAY");
    if value.eq_ignore_ascii_case("NEVER") || value.split(',').all(known) { Ok(()) } else { Err(MALFORMED) }
}

/// Printable ASCII without `=`, `+` only in front of two upper-case hexadecimal digits (RFC 3461
/// §4), or UTF-8 (RFC 6533).
fn check_xtext(value: &str) -> Result<(), Reply> {
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        let hex = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
        let valid = match byte {
            b'+' => hex(bytes.next()) && hex(bytes.next()),
            b'=' => false,
            _ => byte > b' ' && byte != 0x7f,
        };
        if !valid {
            return Err(MALFORMED);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_taken_only_if_they_were_offered_and_are_well_formed() {
        let all = Config {
            size: Some(100),
            chunking: true,
            binary_mime: true,
            require_tls: true,
            ..Config::default()
        };
        let none = Config { eight_bit_mime: false, smtp_utf8: false, dsn: false, ..Config::default() };
        for (param, accepted) in [
            ("SIZE=100", true),
            ("SIZE=101", false),
            ("SIZE=x", false),
            ("BODY=8BITMIME", true),
            ("BODY=BINARYMIME", true),
            ("BODY=9BIT", false),
            ("SMTPUTF8", true),
            ("SMTPUTF8=1", false),
            ("RET=HDRS", true),
            ("RET=ALL", false),
            ("ENVID=a+2Bb", true),
            ("ENVID=a+2bb", false),
            ("ENVID=a=b", false),
            ("REQUIRETLS", true),
            ("X-OTHER", false),
        ] {
            assert_eq!(check_mail(&all, true, "a@b", &[param]).is_ok(), accepted, "{param}");
            assert!(check_mail(&none, true, "a@b", &[param]).is_err(), "{param} was not offered");
        }
        assert!(check_mail(&all, false, "a@b", &["REQUIRETLS"]).is_err(), "only under TLS");
        assert!(check_mail(&all, false, "a@b", &["SMTPUTF8", "smtputf8"]).is_err(), "twice");
        for (param, accepted) in [
            ("NOTIFY=NEVER", true),
            ("NOTIFY=SUCCESS,DELAY", true),
            ("NOTIFY=SUCCESS,NEVER", false),
            ("ORCPT=rfc822;a+2Bb@c", true),
            ("ORCPT=a@b", false),
        ] {
            assert_eq!(check_rcpt(&all, false, "a@b", &[param]).is_ok(), accepted, "{param}");
        }
    }

    #[test]
    fn a_mailbox_beyond_ascii_needs_smtputf8() {
        let config = Config::default();
        assert!(check_mail(&config, false, "jõgeva@b", &[]).is_err());
        assert!(check_mail(&config, false, "jõgeva@b", &["SMTPUTF8"]).is_ok());
        assert!(check_rcpt(&config, false, "jõgeva@b", &[]).is_err());
        assert!(check_rcpt(&config, true, "jõgeva@b", &[]).is_ok());
    }
}
