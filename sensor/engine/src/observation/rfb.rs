//! What an RFB handshake tells.

use serde::{Serialize, Serializer};

use super::Side;

/// An RFB handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rfb {
    /// `003.008`, as the server greeted.
    pub server_version: Option<String>,
    /// As the client answered; `None` when it did not.
    pub client_version: Option<String>,
    /// What the server offered, by the registry's names.
    pub security_types: Vec<String>,
    /// What was chosen, by the registry's name or the number as text.
    pub security_type: Option<String>,
    /// The number of what was chosen.
    pub security_type_code: Option<u32>,
    /// What was chosen inside Tight or VeNCrypt, e.g. `X509Vnc`, `VncAuth`.
    pub security_subtype: Option<String>,
    /// How authentication ended.
    pub auth: RfbAuth,
    /// From ServerInit, control characters left out of its ends.
    pub desktop_name: Option<String>,
    /// Desktop width in pixels.
    pub width: Option<u16>,
    /// Desktop height in pixels.
    pub height: Option<u16>,
    /// Which side is the RFB server: who greeted first.
    pub server: ServerSide,
    /// `tcp`, later `websocket`.
    pub carrier: &'static str,
    /// Which program the server is, where its octets tell.
    pub software: Option<&'static str>,
    /// How far it came.
    #[serde(skip)]
    pub end: RfbEnd,
    /// Whether the session has no password: type None, in Tight's or VeNCrypt's clothes too.
    #[serde(skip)]
    pub no_auth: bool,
}

/// How authentication ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RfbAuth {
    /// Accepted, refused, unknown.
    pub result: AuthResult,
    /// The server's words for a refusal.
    pub reason: Option<String>,
}

/// The result of an authentication as an observer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthResult {
    /// The server said so, or asked for nothing.
    Accepted,
    /// The server said so.
    Refused,
    /// Encrypted, or never seen.
    Unknown,
}

/// How far an RFB handshake came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RfbEnd {
    /// The server greeted; the client never answered with its version line.
    Greeted,
    /// Both gave their version; it ended before a result.
    Abandoned,
    /// The server ended it before authentication: no security types, with its reason.
    Rejected,
    /// The server refused the authentication.
    Refused,
    /// Security passed: a session.
    Session,
}

/// A side, as records write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerSide(pub Side);

impl Serialize for ServerSide {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self.0 {
            Side::Originator => "orig",
            Side::Responder => "resp",
        })
    }
}
