//! What went wrong in TLS, in the words of Node and OpenSSL.

use std::borrow::Cow;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};

use super::verify::Refusal;
use crate::error::{Error, SystemError};
use crate::net::failure::socket;

/// OpenSSL's names for the alerts it tells apart; Node puts `ERR_SSL_` before them.
const ALERTS: [(u8, &str); 20] = [
    (10, "SSLV3_ALERT_UNEXPECTED_MESSAGE"),
    (20, "SSLV3_ALERT_BAD_RECORD_MAC"),
    (22, "TLSV1_ALERT_RECORD_OVERFLOW"),
    (40, "SSLV3_ALERT_HANDSHAKE_FAILURE"),
    (42, "SSLV3_ALERT_BAD_CERTIFICATE"),
    (43, "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"),
    (44, "SSLV3_ALERT_CERTIFICATE_REVOKED"),
    (45, "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
    (46, "SSLV3_ALERT_CERTIFICATE_UNKNOWN"),
    (47, "SSLV3_ALERT_ILLEGAL_PARAMETER"),
    (48, "TLSV1_ALERT_UNKNOWN_CA"),
    (49, "TLSV1_ALERT_ACCESS_DENIED"),
    (50, "TLSV1_ALERT_DECODE_ERROR"),
    (51, "TLSV1_ALERT_DECRYPT_ERROR"),
    (70, "TLSV1_ALERT_PROTOCOL_VERSION"),
    (71, "TLSV1_ALERT_INSUFFICIENT_SECURITY"),
    (80, "TLSV1_ALERT_INTERNAL_ERROR"),
    (112, "TLSV1_UNRECOGNIZED_NAME"),
    (116, "TLSV13_ALERT_CERTIFICATE_REQUIRED"),
    (120, "TLSV1_ALERT_NO_APPLICATION_PROTOCOL"),
];

/// A failed read, write or handshake.
pub(in crate::net) fn stream_failed(error: &io::Error, syscall: &'static str) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => tls_failed(tls),
        None => Error::socket(error, syscall),
    }
}

/// A failed handshake. A peer that goes away in the middle of it has its own words in Node.
pub(super) fn handshake_failed(error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        let text = "Client network socket disconnected before secure TLS connection was established";
        return socket(text, named("ECONNRESET"));
    }
    stream_failed(error, "read")
}

/// A server name that cannot be written in SNI here.
pub(super) fn unsayable_name() -> Error {
    openssl("INVALID_SERVER_NAME", None).tls_incompatible()
}

fn tls_failed(error: &rustls::Error) -> Error {
    use rustls::Error as E;
    match error {
        E::InvalidCertificate(reason) => certificate_failed(reason),
        E::AlertReceived(alert) => alert_received(*alert),
        E::PeerIncompatible(reason) => {
            openssl("UNSUPPORTED_PROTOCOL", Some(format!("{reason:?}"))).tls_incompatible()
        }
        // Not TLS at all: a server that speaks in the clear on this port.
        E::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            openssl("WRONG_VERSION_NUMBER", None)
        }
        other => openssl("PROTOCOL_ERROR", Some(other.to_string())),
    }
}

fn certificate_failed(reason: &CertificateError) -> Error {
    let refusal = match reason {
        CertificateError::Other(other) => other.0.downcast_ref::<Refusal>(),
        _ => None,
    };
    match refusal {
        Some(Refusal::Unverified(code, text)) => socket(text.clone(), named(code)),
        Some(Refusal::Unjudged(text)) => {
            openssl("WRONG_CERTIFICATE_TYPE", Some(text.clone())).tls_incompatible()
        }
        // Only a signature of the handshake is left.
        None => match reason {
            CertificateError::BadSignature => openssl("BAD_SIGNATURE", None),
            _ => openssl("WRONG_CERTIFICATE_TYPE", Some(format!("{reason:?}"))).tls_incompatible(),
        },
    }
}

fn alert_received(alert: AlertDescription) -> Error {
    use AlertDescription as A;
    let number = u8::from(alert);
    let known = ALERTS.iter().find(|(known, _)| *known == number);
    let name = known.map_or(Cow::Borrowed("TLSV1_ALERT"), |(_, name)| Cow::Borrowed(*name));
    let error = openssl(&name, Some(format!("SSL alert number {number}")));
    // No version, cipher or key exchange in common. A server that misses a client certificate may
    // say the same; the other engine then fails alike.
    match alert {
        A::HandshakeFailure | A::ProtocolVersion | A::InsufficientSecurity => error.tls_incompatible(),
        _ => error,
    }
}

/// `ERR_SSL_WRONG_VERSION_NUMBER`, with the text OpenSSL makes of the name.
fn openssl(name: &str, detail: Option<String>) -> Error {
    let reason = name.to_ascii_lowercase().replace('_', " ");
    let text = detail
        .map_or_else(|| format!("SSL routines:{reason}"), |detail| format!("SSL routines:{reason}:{detail}"));
    socket(text, named(&format!("ERR_SSL_{name}")))
}

fn named(code: &str) -> SystemError {
    SystemError { code: code.to_owned(), ..SystemError::default() }
}
