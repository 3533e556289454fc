//! What a client asked of a SOCKS proxy.

use serde::Serialize;

use super::Side;

/// A request to a SOCKS proxy and its reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Socks {
    /// 4 (also for 4A) or 5.
    pub version: u8,
    /// `none`, `password`, `gssapi`, `refused`, or the number of the method that the server chose; `None` in version 4.
    pub auth: Option<String>,
    /// `connect`, `bind`, `udp_associate`, `resolve`, `resolve_ptr`.
    pub command: Option<&'static str>,
    /// Destination: an address, or a name as sent.
    pub host: Option<String>,
    /// Port of the destination.
    pub port: Option<u16>,
    /// In the words of RFC 1928, such as `succeeded`, or the number; `password refused` where it came to no request.
    pub reply: Option<String>,
    /// Address the server uses, as it says.
    pub bound_host: Option<String>,
    /// Port the server uses, as it says.
    pub bound_port: Option<u16>,
    /// Which side is the client of SOCKS.
    #[serde(skip)]
    pub client: Side,
    /// Whether the proxy does it: it granted the request, or a side that is alone in the capture went on behind it.
    #[serde(skip)]
    pub granted: bool,
}
