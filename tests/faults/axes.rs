//! The three axes of the matrix, in the words of the page and of the test kit.

use postpool::connection::Pipelining;
use postpool_testkit::{Action, End, Rule, Step};

/// Where the fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    BeforeGreeting,
    Greeting,
    Ehlo,
    StartTls,
    TlsHandshake,
    Auth,
    Mail,
    Rcpt,
    Data,
    MidBody,
    EndOfData,
    FinalReply,
    Rset,
    Quit,
    Idle,
}

/// What happens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    Fin,
    Rst,
    Bye,
    Later,
    Never,
    Garbage,
    Extra,
    Shift,
    Early,
    Split,
    Silence,
    Drip,
}

/// How commands travel together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rung {
    Single,
    Group,
    BehindBody,
    Stream,
}

/// Octets of a reply that arrive before it breaks off.
const FRAGMENT: usize = 6;
/// Milliseconds between the octets of a dripped reply: the shortest reply takes longer than any
/// wait of the tests.
const DRIP: u64 = 150;

impl Place {
    pub(crate) const ALL: [Self; 15] = [
        Self::BeforeGreeting,
        Self::Greeting,
        Self::Ehlo,
        Self::StartTls,
        Self::TlsHandshake,
        Self::Auth,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::MidBody,
        Self::EndOfData,
        Self::FinalReply,
        Self::Rset,
        Self::Quit,
        Self::Idle,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BeforeGreeting => "before the greeting",
            Self::Greeting => "in the greeting",
            Self::Ehlo => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::TlsHandshake => "TLS handshake",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT 2 of 3",
            Self::Data => "DATA, first BDAT",
            Self::MidBody => "mid-body",
            Self::EndOfData => "after end-of-data",
            Self::FinalReply => "in the final reply",
            Self::Rset => "RSET",
            Self::Quit => "QUIT",
            Self::Idle => "idle",
        }
    }

    /// Whether the connection is still being set up.
    pub(crate) fn is_setup(self) -> bool {
        self <= Self::Auth
    }

    /// Whether the fault strikes one message, the victim.
    pub(crate) fn has_victim(self) -> bool {
        (Self::Mail..=Self::FinalReply).contains(&self)
    }

    /// The step of the test kit's script.
    fn step(self, rung: Rung) -> Step {
        match self {
            Self::BeforeGreeting => Step::Connect,
            Self::Greeting => Step::Greeting,
            Self::Ehlo => Step::Ehlo,
            Self::StartTls => Step::Starttls,
            Self::TlsHandshake => Step::Tls,
            Self::Auth => Step::Auth,
            Self::Mail => Step::Mail,
            Self::Rcpt => Step::Rcpt,
            Self::Data if rung == Rung::Stream => Step::Bdat,
            Self::Data => Step::Data,
            Self::MidBody => Step::Body,
            Self::EndOfData => Step::EndOfData,
            Self::FinalReply => Step::FinalReply,
            Self::Rset => Step::Rset,
            Self::Quit => Step::Quit,
            Self::Idle => Step::Idle,
        }
    }

    /// The rule that strikes once.
    pub(crate) fn rule(self, fault: Fault, rung: Rung) -> Rule {
        let breaks_off = matches!(self, Self::Greeting | Self::FinalReply);
        let rule = Rule::new(self.step(rung), fault.action(breaks_off)).once();
        match self {
            Self::Rcpt => rule.k(2).matching("*victim*"),
            Self::Data if rung == Rung::Stream => rule.k(1).matching("*victim*"),
            Self::MidBody => rule.after(500).matching("*victim*"),
            Self::Idle => rule.after(25),
            // The one behind a body, not the one a connection begins with.
            Self::Rset if rung == Rung::Stream => rule.on_message(2),
            _ if self.has_victim() => rule.matching("*victim*"),
            _ => rule,
        }
    }
}

impl Fault {
    pub(crate) const ALL: [Self; 12] = [
        Self::Fin,
        Self::Rst,
        Self::Bye,
        Self::Later,
        Self::Never,
        Self::Garbage,
        Self::Extra,
        Self::Shift,
        Self::Early,
        Self::Split,
        Self::Silence,
        Self::Drip,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fin => "FIN",
            Self::Rst => "RST",
            Self::Bye => "421, FIN",
            Self::Later => "4xx",
            Self::Never => "5xx",
            Self::Garbage => "garbage",
            Self::Extra => "extra reply",
            Self::Shift => "extra, refusal",
            Self::Early => "early reply",
            Self::Split => "byte by byte",
            Self::Silence => "silence",
            Self::Drip => "drip",
        }
    }

    /// Whether the client notices by its clock alone.
    pub(crate) fn is_slow(self) -> bool {
        matches!(self, Self::Silence | Self::Drip)
    }

    /// `breaks_off`: the reply begins before the connection ends.
    fn action(self, breaks_off: bool) -> Action {
        let cut = |then| Action::Cut { bytes: FRAGMENT, then };
        match self {
            Self::Fin if breaks_off => cut(End::Fin),
            Self::Rst if breaks_off => cut(End::Rst),
            Self::Silence if breaks_off => cut(End::Silence),
            Self::Fin => Action::Fin,
            Self::Rst => Action::Rst,
            Self::Bye => Action::Bye,
            Self::Later => Action::Reply("451 4.3.0 Later".into()),
            Self::Never => Action::Reply("554 5.3.0 Never".into()),
            Self::Garbage => Action::Garbage,
            Self::Extra | Self::Shift => Action::Extra,
            Self::Early => Action::Early,
            Self::Split => Action::Split,
            Self::Silence => Action::Silence,
            Self::Drip => Action::Drip(DRIP),
        }
    }
}

impl Rung {
    pub(crate) const ALL: [Self; 4] = [Self::Single, Self::Group, Self::BehindBody, Self::Stream];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Single => "rung 0: one command at a time",
            Self::Group => "rung 1: MAIL, RCPT and DATA together",
            Self::BehindBody => "rung 2: the next envelope behind the body",
            Self::Stream => "rung 3: BDAT, a window of 8",
        }
    }

    pub(crate) fn pipelining(self) -> Pipelining {
        match self {
            Self::Single => Pipelining::Auto,
            Self::Group => Pipelining::Window(1),
            Self::BehindBody => Pipelining::Window(2),
            Self::Stream => Pipelining::Window(8),
        }
    }
}
