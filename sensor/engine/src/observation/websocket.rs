//! What the upgrade to a WebSocket tells.

use serde::Serialize;

use super::Side;

/// A WebSocket that a client asked for. What travels in it has records of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WebSocket {
    /// Host header, verbatim.
    pub host: Option<String>,
    /// Request target, as sent.
    pub uri: String,
    /// The subprotocols that the client offers; what seems to be a token is cut and ends with `*`.
    pub offered: Vec<String>,
    /// The one that the server chose.
    pub subprotocol: Option<String>,
    /// The extensions that the server accepted, with their parameters.
    pub extensions: Option<String>,
    /// Whether the server changed the protocol; `None` when its answer was not seen.
    pub accepted: Option<bool>,
    /// Which side asked.
    #[serde(skip)]
    pub client: Side,
}
