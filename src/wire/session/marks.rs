//! Replies to RSET as marks in the stream of replies.
//!
//! Replies carry no number, so they are matched by counting, and one that nobody asked for shifts
//! all that follow: a refusal is then read as the answer to another command. Behind DATA the 354
//! shows it. Where bodies go by BDAT every reply is a 250 as good as the next one, and a connection
//! under load never pauses for the surplus to show up.
//!
//! There every body is followed by RSET, which the next transaction needs in front of it anyway
//! ([`Session`](super::Session)), and what became of a message counts once that RSET is answered
//! as such. A server says it is reset in always the same words, and in other words that it took a
//! message: a reply read one place too early or too late puts other words where the mark is due.
//! The first RSET of a connection stands before any transaction and gives the words.
//!
//! What this cannot show: a surplus that comes after the mark was read says nothing about what came
//! before it. And a server that takes a message in the very words it is reset in gives no marks: it
//! is noticed at its first message, sent alone, and gets no other by BDAT. On the other rungs a
//! second reply between 354 and the final one is taken for the final one: up to the reply both
//! servers, the one that repeats itself and the one that answers, have said the same, so no client
//! can tell them apart without waiting for what may never come.

use super::super::reply::Reply;

/// How the server words its reply to RSET.
#[derive(Debug, Default)]
pub(super) struct Marks {
    reset: Option<String>,
    /// A message was taken in other words.
    told_apart: bool,
    blurred: bool,
}

impl Marks {
    /// Takes the reply where RSET's is due; gives whether it is RSET's.
    pub(super) fn fits(&mut self, reply: &Reply) -> bool {
        if !reply.is_positive() || !reply.answers_transaction() {
            return false;
        }
        match &self.reset {
            Some(known) => same_words(known, &reply.text),
            None => {
                self.reset = Some(reply.text.clone());
                true
            }
        }
    }

    /// Takes the reply to a message that was taken, once its mark was read; gives whether it may be
    /// believed. A server that used other words before and RSET's now has left a reply out.
    pub(super) fn taken_with(&mut self, reply: &Reply) -> bool {
        if !self.reads_as_reset(reply) {
            self.told_apart = true;
            return true;
        }
        self.blurred = true;
        !self.told_apart
    }

    /// Whether the reply is worded as RSET's.
    pub(super) fn reads_as_reset(&self, reply: &Reply) -> bool {
        self.reset.as_ref().is_some_and(|known| same_words(known, &reply.text))
    }

    /// Whether the server takes messages in the words it is reset in.
    pub(super) fn are_blurred(&self) -> bool {
        self.blurred
    }
}

/// Whether two replies differ in nothing but numbers and identifiers.
fn same_words(one: &str, other: &str) -> bool {
    words(one).eq(words(other))
}

/// The words of a reply, with the same word for whatever has a digit in it. Reply code and
/// enhanced code (RFC 2034) stay.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().enumerate().map(|(at, word)| {
        let code = at == 0 || (at == 1 && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
        let varies = !code && word.bytes().any(|byte| byte.is_ascii_digit());
        if varies { "#" } else { word }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_servers_reset_and_take_messages_in_different_words() {
        for (reset, again, taken) in [
            ("250 2.0.0 Ok", "250 2.0.0 Ok", "250 2.0.0 Ok: 812 bytes queued as 4Xk1"),
            ("250 Reset OK", "250 Reset OK", "250 OK id=1sAbCd-000001-2x"),
            ("250 2.0.0 Resetting", "250 2.0.0 Resetting", "250 2.6.0 <1@x> Queued mail for delivery"),
            (
                "250 2.1.5 Flushed a1-2b.5 - gsmtp",
                "250 2.1.5 Flushed c3-4d.6 - gsmtp",
                "250 2.0.0 OK 17 x1 - gsmtp",
            ),
            (
                "250 2.0.0 Reset state",
                "250 2.0.0 Reset state",
                "250 2.0.0 3AM7x Message accepted for delivery",
            ),
            ("250 Ok", "250 Ok", "250 Ok 0100018f-1"),
        ] {
            assert!(same_words(reset, again), "{reset}");
            assert!(!same_words(reset, taken), "{taken}");
        }
        assert!(!same_words("250 2.1.0 Ok", "250 2.1.5 Ok"));
        assert!(same_words("250 OK", "250 OK"));
    }
}
