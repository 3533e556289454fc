//! What TLS tells before it encrypts.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Side;

/// A ClientHello of TLS or DTLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsClient {
    /// SNI, as sent (lower-cased only where it is compared).
    pub server_name: Option<String>,
    /// ALPN protocols in order.
    pub alpn: Alpn,
    /// Highest version offered: `1.3`, `1.2`, `1.1`, `1.0`, `3.0`.
    pub version: TlsVersion,
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

/// A version as it stands on the wire. It becomes text where it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TlsVersion(pub u16);

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        terrier_wire::tls::Version(self.0).fmt(f)
    }
}

impl Serialize for TlsVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A cipher suite of the registry. It becomes text where it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TlsCipher(pub u16);

impl fmt::Display for TlsCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        terrier_wire::tls::CipherSuite(self.0).fmt(f)
    }
}

impl Serialize for TlsCipher {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Protocols of ALPN in order, escaped so that each is printable ASCII: all in one text, as most hellos offer two.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Alpn {
    /// Each with [`Alpn::END`] behind it.
    text: String,
}

impl Alpn {
    /// In no printable text.
    const END: u8 = b'\n';

    /// None yet, with room for so many octets of them.
    pub(crate) fn with_capacity(octets: usize) -> Self {
        Self {
            text: String::with_capacity(octets),
        }
    }

    /// Adds a protocol; `write` adds its text, which is printable.
    pub(crate) fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.text);
        self.text.push(char::from(Self::END));
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.text.as_str();
        std::iter::from_fn(move || {
            // They are short: no search pays.
            let end = rest.bytes().position(|octet| octet == Self::END)?;
            let (protocol, behind) = rest.split_at_checked(end)?;
            rest = behind.get(1..)?;
            Some(protocol)
        })
    }

    /// Whether none is offered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl<'a> FromIterator<&'a str> for Alpn {
    fn from_iter<I: IntoIterator<Item = &'a str>>(protocols: I) -> Self {
        let mut all = Self::default();
        for protocol in protocols {
            all.push_with(|text| text.push_str(protocol));
        }
        all
    }
}

impl fmt::Debug for Alpn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Alpn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
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
    pub version: TlsVersion,
    /// IANA name of the cipher suite chosen, or `0x....`.
    pub cipher: TlsCipher,
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
