//! What a server means by a temporary refusal, where it means the pool and not the message.
//!
//! Three things hide behind 421 and 45x, and each asks for another answer: too many connections,
//! too many messages on this one, too many in too short a time. A quota that is used up for the
//! day, a mailbox that gets too much mail and too many recipients are none of them: the caller is
//! told.

use crate::error::{Code, Error, Phase};

/// A limit a reply speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Hint {
    /// This connection took as many messages as it may.
    SessionUsedUp,
    /// There are more connections than the server wants.
    TooManyConnections,
    /// Messages come faster than the server wants.
    TooFast,
}

/// Words of refusals that concern the message, its recipients or the account.
const NOT_THE_POOL: [&str; 8] =
    ["recipient", "rcpt", "quota", "daily", "mailbox", "receiving", "too many errors", "login"];
const CONNECTIONS: [&str; 6] = [
    "connections",
    "concurrent",
    "simultaneous",
    "connection rate",
    "sender thread limit",
    "all server ports are busy",
];
const SESSION: [&str; 6] =
    ["per session", "per connection", "this session", "this connection", "one connection", "one session"];
const MESSAGES: [&str; 3] = ["message", "mail", "transaction"];
const FAST: [&str; 8] = [
    "throttl",
    "rate limit",
    "sending rate",
    "submission rate",
    "too fast",
    "too quickly",
    "slow down",
    "relay limit exceeded",
];

/// What the refusal of a message says about a limit. What may be tried again is refused before its
/// body left, or after it for coming too fast.
pub(in crate::pool) fn of_message(error: &Error) -> Option<Hint> {
    if !error.refused().is_empty() || error.command_name() == Some("RCPT TO") {
        return None;
    }
    let hint = of_reply(error)?;
    match error.phase()? {
        Phase::Envelope | Phase::Data => Some(hint),
        Phase::Rejected if error.code() == Code::Message && hint == Hint::TooFast => Some(hint),
        _ => None,
    }
}

/// What a reply says about a limit.
pub(in crate::pool) fn of_reply(error: &Error) -> Option<Hint> {
    let reply = error.reply()?;
    let code = error.reply_code()?;
    if !(400..500).contains(&code) {
        return None;
    }
    let text = reply.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if code == 432 && error.enhanced_code() == Some("4.3.2") {
        Some(Hint::TooManyConnections)
    } else if says(&NOT_THE_POOL) {
        None
    } else if says(&SESSION) && says(&MESSAGES) || says(&["no more transactions", "no more messages"]) {
        Some(Hint::SessionUsedUp)
    } else if says(&CONNECTIONS) {
        Some(Hint::TooManyConnections)
    } else if says(&["too many messages", "too many transactions"]) && code == 421 {
        Some(Hint::SessionUsedUp)
    } else if says(&FAST) || says(&["too much mail", "too many messages"]) || is_try_later(error, &text) {
        Some(Hint::TooFast)
    } else {
        None
    }
}

/// Gmail's way to say so.
fn is_try_later(error: &Error, text: &str) -> bool {
    matches!(error.enhanced_code(), Some("4.7.0" | "4.4.5")) && text.contains("try again later")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_real_providers() {
        use Hint::{SessionUsedUp, TooFast, TooManyConnections};
        let table = [
            // Amazon SES
            ("454 Throttling failure: Maximum sending rate exceeded.", Some(TooFast)),
            ("454 Throttling failure: Daily message quota exceeded.", None),
            (
                "421 Connection closed by server. Maximum message count per session reached",
                Some(SessionUsedUp),
            ),
            // Microsoft 365, Exchange
            ("432 4.3.2 Concurrent connections limit exceeded", Some(TooManyConnections)),
            ("432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", Some(TooManyConnections)),
            (
                "421 4.3.2 The maximum number of concurrent server connections has exceeded a limit, \
                 closing transmission channel",
                Some(TooManyConnections),
            ),
            (
                "421 4.4.2 Message submission rate for this client has exceeded the configured limit",
                Some(TooFast),
            ),
            ("452 4.3.1 Insufficient system resources", None),
            // Gmail, Workspace
            ("421 4.7.0 Try again later, closing connection.", Some(TooFast)),
            ("421 4.4.5 Server busy, try again later.", Some(TooFast)),
            ("450-4.2.1 Peak SMTP relay limit exceeded for customer.\n450 4.2.1 See support", Some(TooFast)),
            (
                "450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents \
                 additional messages from being delivered.",
                None,
            ),
            ("454 4.7.0 Too many login attempts, please try again later.", None),
            ("550 5.4.5 Daily user sending limit exceeded.", None),
            // SocketLabs, MailerSend, Yahoo, Orange
            ("421 4.4.5 Too many connections from your host", Some(TooManyConnections)),
            ("421 Too many messages, reconnect", Some(SessionUsedUp)),
            ("421 Max message per connection reached", Some(SessionUsedUp)),
            ("421 4.3.2 All server ports are busy", Some(TooManyConnections)),
            ("421 Too many connections, slow down. OFR005_104 [104]", Some(TooManyConnections)),
            // Postfix
            ("421 4.7.0 mx.example Error: too many connections from 192.0.2.1", Some(TooManyConnections)),
            ("450 4.7.1 Error: too much mail from 192.0.2.1", Some(TooFast)),
            ("421 4.7.0 mx.example Error: too many errors", None),
            ("452 4.5.3 Error: too many recipients", None),
            // Exim, Sendmail
            ("421 Too many concurrent SMTP connections; please try again later.", Some(TooManyConnections)),
            ("421 Too many messages in this connection", Some(SessionUsedUp)),
            ("421 4.3.2 Connection rate limit exceeded.", Some(TooManyConnections)),
            // RFC 9422
            ("451 4.5.3 No more transactions in this session", Some(SessionUsedUp)),
            // None of this
            ("421 4.3.0 Temporary system problem", None),
            ("421 4.4.2 Idle timeout, closing connection", None),
            ("450 4.7.1 Greylisted, corporate policy", None),
            ("451 4.3.0 Queue file write error", None),
            ("550 5.7.1 Too many connections", None),
            ("250 2.0.0 Ok: rate limit", None),
        ];
        for (reply, hint) in table {
            let error = Error::new(Code::Envelope, "Mail command failed").response(reply);
            assert_eq!(of_reply(&error), hint, "{reply}");
        }
    }

    #[test]
    fn where_it_is_said_decides_what_may_go_again() {
        let throttled = "454 Throttling failure: Maximum sending rate exceeded.";
        let used_up = "421 Too many messages in this connection";
        let refusal = |code, reply, command: &'static str, phase| {
            of_message(&Error::new(code, "refused").response(reply).command(command).at(phase))
        };
        let (mail, data, rcpt) = ("MAIL FROM", "DATA", "RCPT TO");
        assert_eq!(refusal(Code::Envelope, throttled, mail, Phase::Envelope), Some(Hint::TooFast));
        assert_eq!(refusal(Code::Envelope, used_up, data, Phase::Data), Some(Hint::SessionUsedUp));
        assert_eq!(refusal(Code::Message, throttled, data, Phase::Rejected), Some(Hint::TooFast));
        assert_eq!(refusal(Code::Message, used_up, data, Phase::Rejected), None);
        assert_eq!(refusal(Code::Connection, throttled, data, Phase::InDoubt), None);
        assert_eq!(refusal(Code::Envelope, throttled, rcpt, Phase::Envelope), None);
    }
}
