//! What an HTTP request tells.

use serde::Serialize;

use super::Side;

/// An HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Http {
    /// Method, as sent.
    pub method: String,
    /// Host header, verbatim.
    pub host: Option<String>,
    /// Request target, as sent, cut to [`Http::MAX_URI`] octets.
    pub uri: String,
    /// Status code of the answer; `None` when none was seen.
    pub status: Option<u16>,
    /// User-Agent header.
    pub user_agent: Option<String>,
    /// Upgrade header of the request; over HTTP/2 what `:protocol` asks for.
    pub upgrade: Option<String>,
    /// `2` for HTTP/2; left out for HTTP/1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'static str>,
    /// Which side asked.
    #[serde(skip)]
    pub client: Side,
}

impl Http {
    /// Long enough for every path a signature names.
    pub const MAX_URI: usize = 2048;
}
