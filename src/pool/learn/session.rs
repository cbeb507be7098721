//! How many messages a server takes on one connection, as it said or showed.
//!
//! It may have meant something else, or mean it no longer: after some connections that kept to the
//! number, twice as many are tried. Each time that proves wrong at the same number, it takes twice
//! as many connections until the next try.

/// Connections that keep to a limit before more is tried.
const PATIENCE: u32 = 8;
/// Most of them.
const PATIENCE_MAX: u32 = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SessionLimit {
    /// Messages that are tried.
    messages: u32,
    /// Messages after which the server wanted no more.
    refused_after: u32,
    /// Connections that kept to it.
    kept: u32,
    patience: u32,
}

impl SessionLimit {
    /// The server wanted no more after so many messages.
    pub(super) fn refused_after(messages: u32, known: Option<Self>) -> Self {
        let patience = match known {
            Some(known) if known.refused_after == messages && known.messages > messages => {
                (known.patience * 2).min(PATIENCE_MAX)
            }
            Some(known) if known.refused_after == messages => known.patience,
            _ => PATIENCE,
        };
        Self { messages, refused_after: messages, kept: 0, patience }
    }

    pub(super) fn messages(self) -> u32 {
        self.messages
    }

    /// A connection ended after so many messages without complaint.
    pub(super) fn kept_to(mut self, messages: u32) -> Option<Self> {
        if messages < self.messages {
            return Some(self);
        }
        self.kept += 1;
        if self.kept >= self.patience {
            self.kept = 0;
            self.messages = self.messages.checked_mul(2)?;
        }
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_true_limit_is_tested_ever_more_rarely() {
        let mut limit = SessionLimit::refused_after(5, None);
        let mut refusals = 1;
        for _ in 0..10_000 {
            limit = if limit.messages() > 5 {
                refusals += 1;
                SessionLimit::refused_after(5, Some(limit))
            } else {
                limit.kept_to(5).unwrap_or(limit)
            };
        }
        assert!((10..20).contains(&refusals), "{refusals}");
    }

    #[test]
    fn a_chance_refusal_is_soon_forgotten() {
        let mut limit = SessionLimit::refused_after(1, None);
        for _ in 0..7 * PATIENCE {
            limit = limit.kept_to(limit.messages()).unwrap_or(limit);
        }
        assert_eq!(limit.messages(), 128);
    }

    #[test]
    fn connections_that_ended_early_say_nothing() {
        let limit = SessionLimit::refused_after(5, None);
        assert_eq!((0..100).try_fold(limit, |limit, _| limit.kept_to(4)), Some(limit));
    }
}
