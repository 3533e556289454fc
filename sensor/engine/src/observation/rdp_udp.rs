//! What RDP's own transport over UDP tells of itself.

use serde::Serialize;

use super::Side;

/// The opening of an RDP-UDP connection (MS-RDPEUDP 2.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RdpUdp {
    /// Version that the client offered: `1`, `2`, `3`, or the number as text; `None` where it named none, or was not seen.
    pub offered: Option<String>,
    /// Version that the server chose; `None` without an answer, or where it named none: the first one.
    pub chosen: Option<String>,
    /// Whether lost packets stay lost; the connection then carries DTLS.
    pub lossy: bool,
    /// Whether the client gave the id by which both ends write the connection in their logs.
    pub correlated: bool,
    /// Whether a server answered.
    pub answered: bool,
    /// Which side sent the SYN.
    #[serde(skip)]
    pub client: Side,
}
