//! Counters, shared by all connections of a sink.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A snapshot of a sink's counters.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "camelCase")]
        #[non_exhaustive]
        pub struct Stats { $($(#[$doc])* pub $name: u64,)* }

        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64,)* }

        impl Counters {
            pub(crate) fn snapshot(&self) -> Stats {
                Stats { $($name: self.$name.load(Relaxed),)* }
            }

            /// Starts again from nothing; connections that are open stay counted as open.
            pub(crate) fn reset(&self) {
                let open = self.open.load(Relaxed);
                $(self.$name.store(0, Relaxed);)*
                self.open.store(open, Relaxed);
                self.max_open.store(open, Relaxed);
            }
        }
    };
}

counters! {
    /// Connections accepted.
    connections,
    /// Connections open now.
    open,
    /// Most connections open at once.
    max_open,
    /// Connections that ended without QUIT.
    without_quit,
    /// Messages accepted.
    messages,
    /// Recipients of the accepted messages.
    recipients,
    /// Octets of the accepted messages, after un-stuffing.
    bytes,
    /// Octets read, decrypted.
    received,
    /// Reads that gave octets.
    reads,
    /// EHLO, HELO and LHLO commands.
    ehlo,
    /// MAIL commands.
    mail,
    /// RCPT commands.
    rcpt,
    /// DATA commands.
    data,
    /// BDAT commands.
    bdat,
    /// RSET commands.
    rset,
    /// NOOP commands.
    noop,
    /// QUIT commands.
    quit,
    /// Commands the sink does not know.
    unknown,
    /// AUTH commands.
    auth_attempts,
    /// AUTH commands that failed.
    auth_failures,
    /// Full TLS handshakes.
    tls_full,
    /// TLS handshakes that resumed a session.
    tls_resumed,
    /// TLS handshakes that failed.
    tls_failed,
    /// Faults of the script that were acted out.
    faults,
    /// Violation: a command line that ended with a bare LF, or a bare LF in a body.
    bare_lf,
    /// Violation: a bare CR in a body.
    bare_cr,
    /// Violation: octets behind a command that must be the last of its group, or several commands
    /// at once without PIPELINING.
    bad_pipelining,
    /// Violation: octets before the greeting was written.
    early_input,
    /// Violation: octets behind STARTTLS.
    starttls_injection,
    /// Violation: a command line longer than the sink reads.
    long_lines,
    /// Violation: commands the sink cannot parse, or with parameters it did not offer.
    bad_commands,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// Adds `n`.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    if n > 0 {
        counter.fetch_add(n, Relaxed);
    }
}
