//! What QUIC tells before its handshake is done.

use serde::Serialize;

use super::{Alpn, Ech, Side};

/// A client's hello over QUIC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuicClient {
    /// The version of the packets that carried it, `0x00000001`.
    pub version: String,
    /// SNI, as sent (lower-cased only where it is compared).
    pub server_name: Option<String>,
    /// ALPN protocols in order.
    pub alpn: Alpn,
    /// JA3 as 32 hexadecimal digits; `None` for a hello in part, and for Google's own.
    pub ja3: Option<String>,
    /// JA4 (client), which begins with `q`; `None` in the same cases.
    pub ja4: Option<String>,
    /// Encrypted ClientHello.
    pub ech: Ech,
    /// What the program calls itself in Google's own hello.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The rest of the hello was not in the capture.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// Which side sent it.
    #[serde(skip)]
    pub client: Side,
}

impl QuicClient {
    /// Enough for the name, version and system of a program, in octets.
    pub const MAX_USER_AGENT: usize = 256;
}
