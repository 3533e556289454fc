//! Handshake messages (RFC 8446, section 4; RFC 5246, section 7.4) as pure functions of octets.

use std::fmt;

use tls_parser::TlsCipherSuite;

use super::extension::{alpn_list, host_name, list_u8, u16_list};
use super::{EncryptedHello, ExtensionType, Extensions, is_grease};
use crate::{Reader, Step};

/// A protocol version as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u16);

impl Version {
    /// SSL 2.0, in a hello of its own form only.
    pub const SSL_2: Self = Self(0x0002);
    /// SSL 3.0.
    pub const SSL_3: Self = Self(0x0300);
    /// TLS 1.0.
    pub const TLS_1_0: Self = Self(0x0301);
    /// TLS 1.1.
    pub const TLS_1_1: Self = Self(0x0302);
    /// TLS 1.2.
    pub const TLS_1_2: Self = Self(0x0303);
    /// TLS 1.3.
    pub const TLS_1_3: Self = Self(0x0304);
    /// DTLS 1.0; the numbers of DTLS go down (RFC 6347, section 4.1).
    pub const DTLS_1_0: Self = Self(0xfeff);
    /// DTLS 1.2; there is no 1.1.
    pub const DTLS_1_2: Self = Self(0xfefd);
    /// DTLS 1.3.
    pub const DTLS_1_3: Self = Self(0xfefc);
    /// DTLS 1.0 as OpenSSL before 0.9.8f wrote it, and VPN servers that stay with it.
    pub const DTLS_BAD: Self = Self(0x0100);

    /// The number of the draft of TLS 1.3 that this is.
    fn draft(self) -> Option<u8> {
        let [high, low] = self.0.to_be_bytes();
        (high == 0x7f).then_some(low)
    }

    /// Orders versions by age: unknown ones first, the drafts of TLS 1.3 between 1.2 and 1.3.
    fn age(self) -> (u8, u16) {
        match self {
            Self::TLS_1_3 | Self::DTLS_1_3 => (3, 0),
            Self::DTLS_1_2 => (1, Self::TLS_1_2.0),
            Self::DTLS_1_0 | Self::DTLS_BAD => (1, Self::TLS_1_1.0),
            Self(number) if self.draft().is_some() => (2, number),
            Self::SSL_2 | Self::SSL_3 | Self::TLS_1_0 | Self::TLS_1_1 | Self::TLS_1_2 => {
                (1, self.0)
            }
            Self(number) => (0, number),
        }
    }

    /// Whether a server of this version sends its certificate in clear: up to TLS 1.2.
    #[must_use]
    pub fn shows_certificate(self) -> bool {
        self <= Self::TLS_1_2 || matches!(self, Self::DTLS_1_0 | Self::DTLS_1_2)
    }

    /// As it is [written](fmt::Display).
    #[must_use]
    pub fn text(self) -> String {
        self.name().map_or_else(|| self.to_string(), str::to_owned)
    }

    fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::TLS_1_3 | Self::DTLS_1_3 => "1.3",
            Self::TLS_1_2 | Self::DTLS_1_2 => "1.2",
            Self::TLS_1_1 => "1.1",
            Self::TLS_1_0 | Self::DTLS_1_0 | Self::DTLS_BAD => "1.0",
            Self::SSL_3 => "3.0",
            Self::SSL_2 => "2.0",
            _ => return None,
        })
    }
}

/// `1.3`, `1.2`, `1.1`, `1.0`, `3.0`, `2.0`, those of DTLS as well; drafts as `1.3-draft19`, else `0x....`.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self.draft()) {
            (Some(name), _) => f.write_str(name),
            (None, Some(draft)) => write!(f, "1.3-draft{draft}"),
            (None, None) => write!(f, "0x{:04x}", self.0),
        }
    }
}

/// A cipher suite of the IANA registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CipherSuite(pub u16);

impl CipherSuite {
    /// As it is [written](fmt::Display).
    #[must_use]
    pub fn text(self) -> String {
        match TlsCipherSuite::from_id(self.0) {
            Some(suite) => suite.name.to_owned(),
            None => self.to_string(),
        }
    }
}

/// The registry's name, else `0x....`.
impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match TlsCipherSuite::from_id(self.0) {
            Some(suite) => f.write_str(suite.name),
            None => write!(f, "0x{:04x}", self.0),
        }
    }
}

/// The type of a handshake message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HandshakeType(pub u8);

impl HandshakeType {
    /// The server asks for a new handshake.
    pub const HELLO_REQUEST: Self = Self(0);
    /// The client's offer.
    pub const CLIENT_HELLO: Self = Self(1);
    /// The server's choice; in TLS 1.3 with a certain random value a HelloRetryRequest.
    pub const SERVER_HELLO: Self = Self(2);
    /// DTLS: the server wants the hello again, with its cookie (RFC 6347, section 4.2.1).
    pub const HELLO_VERIFY_REQUEST: Self = Self(3);
    /// HelloRetryRequest of the drafts of TLS 1.3 before 22.
    pub const HELLO_RETRY_REQUEST: Self = Self(6);
    /// A chain of certificates.
    pub const CERTIFICATE: Self = Self(11);
    /// A ticket by which the session can be resumed (RFC 5077).
    pub const NEW_SESSION_TICKET: Self = Self(4);
    /// The server wants the client's certificate.
    pub const CERTIFICATE_REQUEST: Self = Self(13);
    /// The server's flight is over.
    pub const SERVER_HELLO_DONE: Self = Self(14);
    /// The client's key.
    pub const CLIENT_KEY_EXCHANGE: Self = Self(16);
    /// Stands between ServerHello and Certificate (RFC 4680).
    pub const SUPPLEMENTAL_DATA: Self = Self(23);
}

/// A whole handshake message, its body not yet read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawMessage<'a> {
    /// Type.
    pub kind: HandshakeType,
    /// What follows the four octets of type and length.
    pub body: &'a [u8],
}

/// The handshake message at the start of reassembled octets.
#[must_use]
pub fn handshake_message(input: &[u8]) -> Step<RawMessage<'_>> {
    let mut reader = Reader::new(input);
    let Some(kind) = reader.u8() else {
        return Step::NeedMore(HEADER);
    };
    let Some(length) = reader.u24_be() else {
        return match reader.rest().first() {
            Some(&high) if high > 1 => Step::NotThisProtocol(TOO_LONG),
            _ => Step::NeedMore(HEADER.saturating_sub(input.len()).max(1)),
        };
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_MESSAGE {
        return Step::NotThisProtocol(TOO_LONG);
    }
    let kind = HandshakeType(kind);
    match reader.take(length) {
        Some(body) => Step::Done(RawMessage { kind, body }, HEADER + length),
        None => Step::NeedMore(length - reader.left()),
    }
}

/// A ClientHello, read where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// The version of the hello itself; from TLS 1.3 on 1.2, with the real ones in an extension.
    pub version: Version,
    /// Cipher suites, two octets each.
    ciphers: &'a [u8],
    /// Compression methods.
    pub compression: &'a [u8],
    /// Extensions up to the first fault.
    pub extensions: Extensions<'a>,
    /// Whether the extensions filled their list and the list the message: no fault.
    pub whole: bool,
}

/// Reads the body of a ClientHello; `None` when it is not readable up to its compression methods.
#[must_use]
pub fn client_hello(body: &[u8]) -> Option<ClientHello<'_>> {
    let mut reader = Reader::new(body);
    let version = Version(reader.u16_be()?);
    reader.take(32)?;
    let session_id = usize::from(reader.u8()?);
    reader.take(session_id).filter(|id| id.len() <= 32)?;
    let ciphers = usize::from(reader.u16_be()?);
    let ciphers = reader.take(ciphers).filter(|list| list.len() % 2 == 0)?;
    let compression = usize::from(reader.u8()?);
    let compression = reader.take(compression)?;
    let (extensions, whole) = Extensions::read(reader.rest());
    Some(ClientHello {
        version,
        ciphers,
        compression,
        extensions,
        whole,
    })
}

impl<'a> ClientHello<'a> {
    /// Cipher suites in order, GREASE included.
    pub fn ciphers(&self) -> impl Iterator<Item = CipherSuite> + use<'a> {
        let (suites, _) = self.ciphers.as_chunks();
        let suite = |&octets: &[u8; 2]| CipherSuite(u16::from_be_bytes(octets));
        suites.iter().map(suite)
    }

    /// The body of the first extension of a type.
    #[must_use]
    pub fn extension(&self, kind: ExtensionType) -> Option<&'a [u8]> {
        self.extensions.find(kind)
    }

    /// The versions of `supported_versions` in order, without GREASE; none when there is no such extension.
    pub fn supported_versions(&self) -> impl Iterator<Item = Version> {
        let body = self.extension(ExtensionType::SUPPORTED_VERSIONS);
        let mut list = Reader::new(list_u8(body.unwrap_or_default()));
        std::iter::from_fn(move || list.u16_be())
            .filter(|&version| !is_grease(version))
            .map(Version)
    }

    /// The highest version offered. Known ones go before unknown ones.
    #[must_use]
    pub fn highest_version(&self) -> Version {
        self.supported_versions()
            .max_by_key(|version| version.age())
            .unwrap_or(self.version)
    }

    /// Named groups in order, GREASE included.
    pub fn groups(&self) -> impl Iterator<Item = u16> {
        self.extensions
            .all(ExtensionType::SUPPORTED_GROUPS)
            .flat_map(u16_list)
    }

    /// Elliptic curve point formats in order.
    pub fn point_formats(&self) -> impl Iterator<Item = u8> {
        self.extensions
            .all(ExtensionType::POINT_FORMATS)
            .flat_map(|body| list_u8(body).iter().copied())
    }

    /// Signature algorithms in order, GREASE included.
    pub fn signature_algorithms(&self) -> impl Iterator<Item = u16> {
        self.extensions
            .all(ExtensionType::SIGNATURE_ALGORITHMS)
            .flat_map(u16_list)
    }

    /// The first host name of SNI, as sent; none when the extension is missing, empty or unreadable.
    #[must_use]
    pub fn server_name(&self) -> Option<&'a [u8]> {
        host_name(self.extension(ExtensionType::SERVER_NAME)?)
    }

    /// ALPN protocols in order, as sent; empty names are left out.
    pub fn alpn(&self) -> impl Iterator<Item = &'a [u8]> {
        alpn_list(self.extension(ExtensionType::ALPN))
    }

    /// How the client would resume an earlier session.
    #[must_use]
    pub fn resumption(&self) -> Resumption {
        let ticket = self
            .extension(ExtensionType::SESSION_TICKET)
            .is_some_and(|ticket| !ticket.is_empty());
        if self.extension(ExtensionType::PRE_SHARED_KEY).is_some() {
            Resumption::PreSharedKey
        } else if ticket {
            Resumption::Ticket
        } else {
            Resumption::None
        }
    }

    /// Whether Encrypted ClientHello is offered, as far as can be told.
    #[must_use]
    pub fn encrypted_hello(&self) -> EncryptedHello {
        EncryptedHello::of(self)
    }
}

/// How a client would resume an earlier session.
///
/// A session id (RFC 5246, section 7.3) is not told: GnuTLS and every client of TLS 1.3 send a random one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resumption {
    /// Not at all.
    None,
    /// By a ticket (RFC 5077).
    Ticket,
    /// By a pre-shared key of TLS 1.3 (RFC 8446, section 4.2.11), which may also have been agreed on elsewhere.
    PreSharedKey,
}

/// A ServerHello or a HelloRetryRequest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHello<'a> {
    /// The version chosen: that of `supported_versions`, where it is, else that of the hello.
    pub version: Version,
    /// The cipher suite chosen.
    pub cipher: CipherSuite,
    /// The protocol chosen by ALPN; in TLS 1.3 it is encrypted.
    pub alpn: Option<&'a [u8]>,
    /// Whether it asks the client for another hello: a HelloRetryRequest.
    pub retry: bool,
    /// Whether a pre-shared key of the client is taken: TLS 1.3 resumes by it.
    pub psk: bool,
}

/// Reads the body of a ServerHello; `None` when it is not readable up to its compression method.
#[must_use]
pub fn server_hello(body: &[u8]) -> Option<ServerHello<'_>> {
    if let Some(hello) = draft_server_hello(body) {
        return Some(hello);
    }
    // Read by ourselves: the crate knows no version of DTLS, and takes one extension for another.
    let mut reader = Reader::new(body);
    let version = Version(reader.u16_be()?);
    let random: [u8; 32] = reader.take_array()?;
    let session_id = usize::from(reader.u8()?);
    reader.take(session_id).filter(|id| id.len() <= 32)?;
    let cipher = CipherSuite(reader.u16_be()?);
    let _compression = reader.u8()?;
    let (extensions, _) = Extensions::read(reader.rest());
    let chosen = extensions
        .find(ExtensionType::SUPPORTED_VERSIONS)
        .and_then(|body| Reader::new(body).u16_be());
    Some(ServerHello {
        version: Version(chosen.unwrap_or(version.0)),
        cipher,
        alpn: alpn_list(extensions.find(ExtensionType::ALPN)).next(),
        retry: random == RETRY_RANDOM,
        psk: extensions.find(ExtensionType::PRE_SHARED_KEY).is_some(),
    })
}

/// The drafts 18 to 21 of TLS 1.3 had a ServerHello without session id and compression method.
fn draft_server_hello(body: &[u8]) -> Option<ServerHello<'_>> {
    let mut reader = Reader::new(body);
    let version = Version(reader.u16_be()?);
    version.draft()?;
    reader.take(32)?;
    let cipher = CipherSuite(reader.u16_be()?);
    Some(ServerHello {
        version,
        cipher,
        alpn: None,
        retry: false,
        psk: false,
    })
}

/// The first certificate of the body of a Certificate message up to TLS 1.2, in DER form.
#[must_use]
pub fn first_certificate(body: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(body);
    let length = usize::try_from(reader.u24_be()?).ok()?;
    let mut chain = reader.sub(length)?;
    let length = usize::try_from(chain.u24_be()?).ok()?;
    chain.take(length)
}

/// Octets of type and length before each handshake message.
pub(super) const HEADER: usize = 4;

/// The longest body of a handshake message. A post-quantum hello has some 2 KiB, a chain of certificates 3 to 10 KiB;
/// the longest chains seen in public stay below this.
pub const MAX_MESSAGE: usize = 1 << 16;

pub(super) const TOO_LONG: &str = "handshake message over 64 KiB";

/// The random of a HelloRetryRequest: the SHA-256 of `HelloRetryRequest` (RFC 8446, section 4.1.3).
pub(super) const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_same_however_cut;
    use crate::tls::samples;
    use proptest::prelude::*;

    #[test]
    fn reads_a_message_however_cut() {
        let octets = samples::message(HandshakeType::CLIENT_HELLO, &samples::chrome("a.example"));
        assert_same_however_cut(
            |input| handshake_message(input).map(|message| (message.kind, message.body.to_vec())),
            &octets,
        );
        let too_long = [1, 1, 0, 1];
        assert_eq!(
            handshake_message(&too_long),
            Step::NotThisProtocol(TOO_LONG)
        );
    }

    #[test]
    fn reads_what_a_browser_offers() {
        let body = samples::chrome("www.example.com");
        let hello = client_hello(&body).unwrap();
        assert_eq!(hello.version, Version::TLS_1_2);
        assert_eq!(hello.highest_version(), Version::TLS_1_3);
        assert_eq!(hello.server_name(), Some(&b"www.example.com"[..]));
        assert_eq!(hello.alpn().collect::<Vec<_>>(), [&b"h2"[..], b"http/1.1"]);
        assert_eq!(
            hello.groups().collect::<Vec<_>>(),
            [0x8a8a, 0x1d, 0x17, 0x18]
        );
        assert_eq!(hello.point_formats().collect::<Vec<_>>(), [0]);
        assert_eq!(hello.signature_algorithms().count(), 8);
        assert_eq!(hello.compression, [0]);
        assert_eq!(hello.encrypted_hello(), EncryptedHello::None);
        assert!(hello.whole);
    }

    #[test]
    fn a_broken_server_name_does_not_hide_the_alpn_behind_it() {
        for broken in [
            vec![],
            vec![0],
            vec![0, 9],
            vec![0, 9, 0, 0, 200, b'x'],
            vec![0xff; 4],
        ] {
            let extensions = [(0, broken), samples::alpn(&["h2"])];
            let body = samples::client_hello(0x0303, &[47], Some(&extensions));
            let hello = client_hello(&body).unwrap();
            assert_eq!(hello.server_name(), None);
            assert_eq!(hello.alpn().next(), Some(&b"h2"[..]));
        }
    }

    #[test]
    fn finds_the_host_name_behind_another_name_type() {
        let list = [
            &[0, 12][..],     // length of the list
            &[7, 0, 2, 1, 2], // an unknown type
            &[0, 0, 4],       // host_name
            b"test",
        ]
        .concat();
        let body = samples::client_hello(0x0303, &[47], Some(&[(0, list)]));
        let hello = client_hello(&body).unwrap();
        assert_eq!(hello.server_name(), Some(&b"test"[..]));
    }

    #[test]
    fn keeps_the_extensions_before_a_fault() {
        let extensions = [samples::sni("a.example"), samples::alpn(&["h2"])];
        let body = samples::client_hello(0x0303, &[47], Some(&extensions));
        let hello = client_hello(&body[..body.len() - 1]).unwrap();
        assert!(!hello.whole);
        assert_eq!(hello.server_name(), Some(&b"a.example"[..]));
        assert_eq!(hello.extensions.iter().count(), 1);
    }

    #[test]
    fn refuses_a_hello_that_ends_before_its_compression_methods() {
        let body = samples::client_hello(0x0303, &[47, 53], None);
        for cut in 0..body.len() {
            assert_eq!(client_hello(&body[..cut]), None, "cut at {cut}");
        }
        assert!(client_hello(&body).unwrap().whole);
    }

    #[test]
    fn reads_the_servers_choice() {
        let hello = samples::server_hello(0x0303, [7; 32], 0xc02f, Some(&[samples::alpn(&["h2"])]));
        let hello = server_hello(&hello).unwrap();
        assert_eq!(hello.version, Version::TLS_1_2);
        assert!(hello.version.shows_certificate());
        assert_eq!(
            hello.cipher.to_string(),
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
        );
        assert_eq!(hello.alpn, Some(&b"h2"[..]));
        let hello = samples::server_hello_1_3();
        let hello = server_hello(&hello).unwrap();
        assert_eq!((hello.version, hello.retry), (Version::TLS_1_3, false));
        assert_eq!(hello.cipher.to_string(), "TLS_AES_128_GCM_SHA256");
        assert!(!hello.version.shows_certificate());
    }

    #[test]
    fn knows_a_hello_retry_request_by_its_random() {
        let body = samples::server_hello(0x0303, RETRY_RANDOM, 0x1301, Some(&[(43, vec![3, 4])]));
        assert!(server_hello(&body).unwrap().retry);
    }

    #[test]
    fn reads_the_short_server_hello_of_the_drafts() {
        let mut body = vec![0x7f, 0x13]; // draft 19
        body.extend_from_slice(&[9; 32]); // random
        body.extend_from_slice(&[0x13, 0x02]); // cipher
        let hello = server_hello(&body).unwrap();
        assert_eq!(hello.version.to_string(), "1.3-draft19");
        assert_eq!(hello.cipher.to_string(), "TLS_AES_256_GCM_SHA384");
        assert!(!hello.version.shows_certificate());
    }

    #[test]
    fn writes_unknown_values_as_numbers() {
        assert_eq!(Version(0xfb1a).to_string(), "0xfb1a");
        assert_eq!(CipherSuite(0xfff0).to_string(), "0xfff0");
    }

    #[test]
    fn prefers_known_versions_to_unknown_ones() {
        for (list, wanted) in [
            (&[4, 0xfb, 0x1a, 3, 3][..], "1.2"),
            (&[4, 0x7f, 0x13, 3, 3], "1.3-draft19"),
            (&[4, 3, 4, 0x7f, 0x13], "1.3"),
            (&[2, 0xfb, 0x1a], "0xfb1a"),
        ] {
            let body = samples::client_hello(0x0303, &[47], Some(&[(43, list.to_vec())]));
            let hello = client_hello(&body).unwrap();
            assert_eq!(hello.highest_version().to_string(), wanted);
        }
    }

    proptest! {
        #[test]
        fn never_panics_on_random_bodies(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = server_hello(&body);
            let _ = first_certificate(&body);
            if let Some(hello) = client_hello(&body) {
                prop_assert_eq!(hello.ja3().len(), 32);
            }
        }

        #[test]
        fn gives_back_names_and_lists(
            name in "[a-z0-9.-]{1,60}",
            protocols in prop::collection::vec("[a-z0-9/.]{1,12}", 0..5),
            ciphers in prop::collection::vec(any::<u16>(), 0..60),
        ) {
            let protocols: Vec<&str> = protocols.iter().map(String::as_str).collect();
            let extensions = [samples::alpn(&protocols), samples::sni(&name)];
            let body = samples::client_hello(0x0303, &ciphers, Some(&extensions));
            let hello = client_hello(&body).unwrap();
            prop_assert_eq!(hello.server_name(), Some(name.as_bytes()));
            let read: Vec<_> = hello.alpn().map(|p| std::str::from_utf8(p).unwrap()).collect();
            prop_assert_eq!(read, protocols);
            prop_assert_eq!(hello.ciphers().map(|c| c.0).collect::<Vec<_>>(), ciphers);
        }
    }
}
