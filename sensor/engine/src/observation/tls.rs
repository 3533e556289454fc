//! What TLS tells before it encrypts.

use serde::Serialize;

use super::Side;

/// A ClientHello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsClient {
    /// SNI, as sent (lower-cased only where it is compared).
    pub server_name: Option<String>,
    /// ALPN protocols in order.
    pub alpn: Vec<String>,
    /// Highest version offered: `1.3`, `1.2`, `1.1`, `1.0`, `3.0`.
    pub version: String,
    /// JA3 as 32 hexadecimal digits.
    pub ja3: String,
    /// JA4 (client).
    pub ja4: String,
    /// Encrypted ClientHello.
    pub ech: Ech,
    /// Which side sent it.
    #[serde(skip)]
    pub client: Side,
    /// What carries this TLS: `None` on its own.
    #[serde(skip)]
    pub inside: Option<Carrier>,
}

/// A protocol that carries TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// After the Connection Confirm.
    Rdp,
    /// VeNCrypt, or security type TLS.
    Rfb,
}

/// Encrypted ClientHello, as far as an observer can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ech {
    /// No extension.
    None,
    /// The extension with the marks of GREASE.
    Grease,
    /// The extension.
    Offered,
}

/// A server's answer to a ClientHello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsServer {
    /// Version chosen.
    pub version: String,
    /// IANA name of the cipher suite chosen, or `0x....`.
    pub cipher: String,
    /// First certificate of the chain; `None` from TLS 1.3 on, where it is encrypted.
    pub certificate: Option<Certificate>,
}

/// A certificate in clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Subject, RFC 4514 text.
    pub subject: String,
    /// Issuer, RFC 4514 text.
    pub issuer: String,
    /// DNS names and addresses of the subject alternative name.
    pub san: Vec<String>,
    /// End of validity, RFC 3339.
    pub not_after: String,
    /// Fingerprint of the DER form, 64 hexadecimal digits.
    pub sha256: String,
}
