//! The messages that a handshake is made of, by who sends them.

use super::message::Role;

/// A message that is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A greeting, from either side.
    Greeting,
    /// The viewer's answer to a repeater: which server it wants.
    RepeaterAnswer,
    ClientVersion,
    /// UltraVNC Single Click: a text for the person at the viewer.
    PromptText,
    PromptAnswer,
    /// The list, or in 3.3 the type.
    Types,
    /// Why there are no types.
    Rejection,
    Choice,
    /// The first octets of the server after a choice that was lost.
    Inference,
    /// The first octets of the client after a type of 3.3 that was lost.
    Answer,
    /// The same after lists of Tight that were lost.
    TightAnswer,
    /// Octets of a known number.
    Skip(Role, u64),
    /// Octets with their number before them, and some more that are not counted in it.
    Counted(Role, Count, u64),
    /// The key of one side in RA2.
    RsaKey(Role),
    DiffieHellman,
    TwoTexts(Width),
    SaslStep,
    TightTunnels,
    TightTunnel,
    TightTypes,
    TightType,
    VencryptOffer,
    VencryptVersion,
    VencryptAcknowledgement,
    VencryptTypes,
    VencryptChoice,
    VencryptGo,
    Result,
    /// Why the authentication was refused.
    Refusal,
    ClientInit,
    ServerInit,
    Capabilities,
    /// Where the server was not captured: what a viewer sends in a session.
    Requests,
    /// Nothing can be read any more; see [`super::hidden::Hidden`].
    Hidden,
    Done,
}

/// How a number of octets is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    U16Be,
    U32Be,
    U32Le,
}

/// Two lengths before two texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    U8,
    U32,
}

impl Next {
    /// Who sends it; nobody in particular where either may.
    pub(super) fn sender(self) -> Option<Role> {
        match self {
            Self::Greeting | Self::Hidden | Self::Done => None,
            Self::Skip(role, _) | Self::Counted(role, _, _) | Self::RsaKey(role) => Some(role),
            Self::RepeaterAnswer
            | Self::ClientVersion
            | Self::PromptAnswer
            | Self::Choice
            | Self::Answer
            | Self::TightAnswer
            | Self::TwoTexts(_)
            | Self::TightTunnel
            | Self::TightType
            | Self::VencryptVersion
            | Self::VencryptChoice
            | Self::ClientInit
            | Self::Requests => Some(Role::Client),
            _ => Some(Role::Server),
        }
    }
}
