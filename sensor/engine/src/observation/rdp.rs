//! What an RDP connection tells before it encrypts.

use serde::Serialize;

use super::Side;

/// An RDP negotiation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rdp {
    /// Name in `Cookie: mstshash=`, as sent.
    pub cookie: Option<String>,
    /// Load balancer's token, as sent.
    pub routing_token: Option<String>,
    /// `RDP`, `TLS`, `CredSSP`, `RDSTLS`, `CredSSP_EX`, `RDSAAD`; `RDP` where the request carries no negotiation.
    pub requested: Vec<&'static str>,
    /// One of the same, or the number as text; `None` without a Confirm or with a failure.
    pub selected: Option<String>,
    /// The server's refusal.
    pub failure: Option<RdpFailure>,
    /// Which side is the RDP client: who sent the Connection Request.
    #[serde(skip)]
    pub client: Side,
    /// Whether the server answered with a Connection Confirm of any kind.
    #[serde(skip)]
    pub confirmed: bool,
}

/// A negotiation failure (MS-RDPBCGR 2.2.1.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RdpFailure {
    /// Number on the wire.
    pub code: u32,
    /// Name in the document, or `UNKNOWN`.
    pub name: &'static str,
}

/// What an RDP client says of itself (MS-RDPBCGR 2.2.1.3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RdpClient {
    /// Name of the client's machine.
    pub client_name: Option<String>,
    /// Build number with the product it belongs to, e.g. `2600 (Windows XP)`.
    pub client_build: Option<String>,
    /// Which side it is.
    #[serde(skip)]
    pub client: Side,
    /// Keyboard layout, e.g. `0x00000409 (en-US)`.
    pub keyboard: Option<String>,
}
