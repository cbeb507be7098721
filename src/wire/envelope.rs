//! What of an envelope may be sent on this connection, and with which parameters.
//!
//! Everything is checked before a byte leaves, so that a message that cannot go costs neither the
//! connection nor its neighbours anything.

use std::fmt::Write as _;

use crate::error::{Code, Error, Phase, Result};
use crate::mail::{Dsn, Envelope};

use super::capabilities::Capabilities;

/// Parameters of MAIL and RCPT, each with its leading space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailParams {
    /// Behind `MAIL FROM:<…>`.
    pub mail: String,
    /// Behind `RCPT TO:<…>`.
    pub rcpt: String,
}

/// Checks an envelope against the server and gives the parameters to send with it.
///
/// `size` is the octet count of the body where it is known; `eight_bit` says that the body holds
/// octets above 127.
pub fn check(
    envelope: &Envelope,
    capabilities: &Capabilities,
    secure: bool,
    size: Option<u64>,
    eight_bit: bool,
) -> Result<MailParams> {
    check_addresses(envelope)?;
    let mut params = MailParams::default();
    if needs_utf8(envelope) {
        if !capabilities.smtp_utf8 {
            let text = "Internationalized mailbox name not allowed: the server does not offer SMTPUTF8";
            return Err(refuse(Code::Envelope, text, "MAIL FROM"));
        }
        params.mail.push_str(" SMTPUTF8");
    }
    if (envelope.use_8bit_mime || eight_bit) && capabilities.eight_bit_mime {
        params.mail.push_str(" BODY=8BITMIME");
    }
    add_size(&mut params, envelope.size.or(size), capabilities)?;
    if let Some(dsn) = envelope.dsn.as_ref().filter(|_| capabilities.dsn) {
        add_dsn(&mut params, dsn);
    }
    if envelope.require_tls {
        require_tls(capabilities, secure)?;
        params.mail.push_str(" REQUIRETLS");
    }
    Ok(params)
}

fn check_addresses(envelope: &Envelope) -> Result<()> {
    if envelope.to.is_empty() {
        return Err(refuse(Code::Envelope, "No recipients defined", "API"));
    }
    if is_unsafe(&envelope.from) {
        return Err(refuse(Code::Envelope, format!("Invalid sender {}", quoted(&envelope.from)), "API"));
    }
    match envelope.to.iter().find(|to| to.is_empty() || is_unsafe(to)) {
        Some(to) => Err(refuse(Code::Envelope, format!("Invalid recipient {}", quoted(to)), "API")),
        None => Ok(()),
    }
}

/// Whether an address could end its command or its angle brackets.
fn is_unsafe(address: &str) -> bool {
    address.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | b'<' | b'>' | 0))
}

fn needs_utf8(envelope: &Envelope) -> bool {
    !envelope.from.is_ascii() || envelope.to.iter().any(|to| !to.is_ascii())
}

fn add_size(params: &mut MailParams, size: Option<u64>, capabilities: &Capabilities) -> Result<()> {
    let (Some(size), Some(max)) = (size.filter(|size| *size > 0), capabilities.size) else { return Ok(()) };
    if max > 0 && size > max {
        return Err(refuse(Code::Message, format!("Message size larger than allowed {max}"), "MAIL FROM"));
    }
    let _ = write!(params.mail, " SIZE={size}");
    Ok(())
}

fn add_dsn(params: &mut MailParams, dsn: &Dsn) {
    let mut add = |out: fn(&mut MailParams) -> &mut String, key: &str, value: &Option<String>| {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            let _ = write!(out(params), " {key}={}", xtext(value));
        }
    };
    add(|p| &mut p.mail, "RET", &dsn.ret);
    add(|p| &mut p.mail, "ENVID", &dsn.envid);
    add(|p| &mut p.rcpt, "NOTIFY", &dsn.notify);
    add(|p| &mut p.rcpt, "ORCPT", &dsn.orcpt);
}

/// RFC 8689: only over TLS, and only to a server that will pass the demand on.
fn require_tls(capabilities: &Capabilities, secure: bool) -> Result<()> {
    let text = if !secure {
        "REQUIRETLS can only be used over TLS connections (RFC 8689)"
    } else if !capabilities.require_tls {
        "Server does not support REQUIRETLS extension (RFC 8689)"
    } else {
        return Ok(());
    };
    Err(refuse(Code::RequireTls, text, "MAIL FROM"))
}

fn refuse(code: Code, text: impl Into<std::borrow::Cow<'static, str>>, command: &'static str) -> Error {
    Error::new(code, text).command(command).at(Phase::Envelope)
}

/// RFC 3461 §4: everything outside `!`–`~`, and `+` and `=`, as `+XX`.
fn xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'+' | b'=' => _ = write!(out, "+{byte:02X}"),
            b'!'..=b'~' => out.push(char::from(byte)),
            _ => _ = write!(out, "+{byte:02X}"),
        }
    }
    out
}

/// The text in double quotes as JavaScript's `JSON.stringify` shows it.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => _ = write!(out, "\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(from: &str, to: &[&str]) -> Envelope {
        Envelope {
            from: from.into(),
            to: to.iter().map(|to| (*to).to_owned()).collect(),
            ..Envelope::default()
        }
    }

    fn full() -> Capabilities {
        Capabilities {
            smtp_utf8: true,
            eight_bit_mime: true,
            dsn: true,
            size: Some(1000),
            require_tls: true,
            ..Capabilities::default()
        }
    }

    #[test]
    fn bad_addresses_are_named_before_anything_is_sent() {
        for (from, to, expected) in [
            ("a@b", &[][..], "No recipients defined"),
            ("a@b\r\nDATA", &["c@d"][..], r#"Invalid sender "a@b\r\nDATA""#),
            ("<a@b>", &["c@d"], r#"Invalid sender "<a@b>""#),
            ("a@b", &["c@d", ""], r#"Invalid recipient """#),
            ("a@b", &["c@d", "x\ny"], r#"Invalid recipient "x\ny""#),
            ("a@b", &["c\0d"], "Invalid recipient \"c\\u0000d\""),
        ] {
            let error = check(&envelope(from, to), &full(), false, None, false).unwrap_err();
            assert_eq!((error.code(), error.message()), (Code::Envelope, expected));
            assert_eq!(error.phase(), Some(Phase::Envelope));
        }
    }

    #[test]
    fn parameters_are_sent_only_where_the_server_offers_them() {
        let mut mail = envelope("ä@b", &["c@d"]);
        mail.use_8bit_mime = true;
        mail.dsn = Some(Dsn {
            ret: Some("HDRS".into()),
            envid: Some("a+b =\r\n".into()),
            notify: Some("SUCCESS,DELAY".into()),
            orcpt: Some("rfc822;ü@x".into()),
        });
        let params = check(&mail, &full(), false, Some(10), false).unwrap();
        assert_eq!(params.mail, " SMTPUTF8 BODY=8BITMIME SIZE=10 RET=HDRS ENVID=a+2Bb+20+3D+0D+0A");
        assert_eq!(params.rcpt, " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;+C3+BC@x");
        mail.from = "a@b".into();
        let params = check(&mail, &Capabilities::default(), false, Some(10), true).unwrap();
        assert_eq!(params, MailParams::default());
    }

    #[test]
    fn what_the_server_cannot_take_is_refused_before_sending() {
        let utf8 = check(&envelope("a@b", &["ü@d"]), &Capabilities::default(), false, None, false);
        assert_eq!(utf8.unwrap_err().code(), Code::Envelope);
        let size = check(&envelope("a@b", &["c@d"]), &full(), false, Some(1001), false).unwrap_err();
        assert_eq!((size.code(), size.message()), (Code::Message, "Message size larger than allowed 1000"));
        let mut tls = envelope("a@b", &["c@d"]);
        tls.require_tls = true;
        assert!(check(&tls, &full(), true, None, false).is_ok());
        assert_eq!(check(&tls, &full(), false, None, false).unwrap_err().code(), Code::RequireTls);
        let without = Capabilities::default();
        assert_eq!(check(&tls, &without, true, None, false).unwrap_err().code(), Code::RequireTls);
    }
}
