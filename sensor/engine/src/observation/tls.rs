//! What TLS tells before it encrypts.

use serde::Serialize;

use super::Side;

/// A ClientHello of TLS or DTLS.
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
    /// By what it would resume an earlier session; written only where it would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<Resume>,
    /// Which side sent it.
    #[serde(skip)]
    pub client: Side,
    /// What carries this TLS: `None` on its own.
    #[serde(skip)]
    pub inside: Option<Carrier>,
}

/// By what a client would resume an earlier session. A session id is not told: many clients send a random one always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Resume {
    /// A ticket, up to TLS 1.2.
    Ticket,
    /// A pre-shared key of TLS 1.3.
    Psk,
}

/// A protocol that carries TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// After the Connection Confirm, or in RDP's own transport over UDP.
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

/// A server's answer to a ClientHello, of TLS or, in a flow of datagrams, of DTLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsServer {
    /// Version chosen.
    pub version: String,
    /// IANA name of the cipher suite chosen, or `0x....`.
    pub cipher: String,
    /// First certificate of the chain; `None` from TLS 1.3 on, where it is encrypted.
    pub certificate: Option<Certificate>,
    /// Whether an earlier session goes on: no certificate is shown then. Written only where it does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub resumed: bool,
    /// Which side is the client: the other one sent this.
    #[serde(skip)]
    pub client: Side,
    /// What carries this TLS: `None` on its own.
    #[serde(skip)]
    pub inside: Option<Carrier>,
}

/// A certificate that a client showed in clear, up to TLS 1.2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsClientCertificate {
    /// First certificate of the chain.
    pub certificate: Certificate,
    /// Which side showed it.
    #[serde(skip)]
    pub client: Side,
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
    /// Begin of validity, RFC 3339.
    pub not_before: String,
    /// End of validity, RFC 3339.
    pub not_after: String,
    /// Fingerprint of the DER form, 64 hexadecimal digits.
    pub sha256: String,
}
