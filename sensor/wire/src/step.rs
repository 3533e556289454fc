//! What decoders answer, and the two sides of a flow.

/// What a decoder makes of the octets it has been shown.
///
/// Running out of octets is a normal answer, not an error. Until the first `Done` of a flow a refusal means "not this
/// protocol"; afterwards it is a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<M> {
    /// A whole message, and how many octets it took.
    Done(M, usize),
    /// All fits so far; at least this many octets are still missing (never 0).
    NeedMore(usize),
    /// No continuation of these octets can be this protocol.
    NotThisProtocol(&'static str),
}

impl<M> Step<M> {
    /// Changes the message, keeps the rest.
    pub fn map<N>(self, change: impl FnOnce(M) -> N) -> Step<N> {
        match self {
            Self::Done(message, used) => Step::Done(change(message), used),
            Self::NeedMore(missing) => Step::NeedMore(missing),
            Self::NotThisProtocol(why) => Step::NotThisProtocol(why),
        }
    }
}

/// A side of a flow. The originator opened it (the sender of the SYN, else of the first packet seen); protocol roles such
/// as client and server are another matter: in reverse VNC the server is the originator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Who opened the flow.
    Originator,
    /// Who was addressed.
    Responder,
}

impl Side {
    /// Both, originator first.
    pub const BOTH: [Self; 2] = [Self::Originator, Self::Responder];

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Originator => Self::Responder,
            Self::Responder => Self::Originator,
        }
    }

    /// 0 for the originator, 1 for the responder: the order of all pairs such as `packets: [1, 1]`.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Originator => 0,
            Self::Responder => 1,
        }
    }
}

/// Why a session cannot go on: octets that its protocol does not allow. Data, not failure: it is counted by its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation(pub &'static str);

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Violation {}
