//! Whether Encrypted ClientHello (RFC 9849) is offered, or GREASE.
//!
//! An observer cannot tell for certain: GREASE has the form of the real extension on purpose, and browsers send it to
//! every server. What is said here is therefore a guess by rules, in this order:
//!
//! 1. The extension `encrypted_server_name` (0xffce) of the drafts before ECH: *offered*. Clients sent it only where
//!    the server's keys were known.
//! 2. The server name is the public name of a provider ([`PUBLIC_NAMES`]): *offered*. A real outer hello always names
//!    the provider (section 6.1), and hardly anybody visits that host for itself.
//! 3. No server name, or an IPv4 address in its place: *grease*, for a public name is a DNS name that must be sent.
//! 4. The extension differs from what the two great sources of GREASE make: *offered*. BoringSSL (Chrome, Edge,
//!    Android) sends X25519, HKDF-SHA256, AES-128-GCM or ChaCha20-Poly1305 and a payload of 144, 176, 208 or 240
//!    octets; NSS (Firefox) the same algorithms and, as it computes the length of a real inner hello, a payload of 15
//!    or 16 more than a multiple of 32.
//! 5. Else *grease*. A real offer to a provider that is not in the list ends here too: its payload has the same
//!    lengths, as padding to 32 octets is what the document recommends.

use super::{ClientHello, ExtensionType};
use crate::Reader;

/// Encrypted ClientHello, as far as an observer can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EncryptedHello {
    /// No such extension.
    None,
    /// The extension with the marks of GREASE.
    Grease,
    /// The extension without them: the server name is most likely that of a provider, the real one is hidden.
    Offered,
}

impl EncryptedHello {
    /// By the rules of this module.
    #[must_use]
    pub(super) fn of(hello: &ClientHello<'_>) -> Self {
        if hello
            .extension(ExtensionType::ENCRYPTED_SERVER_NAME)
            .is_some()
        {
            return Self::Offered;
        }
        let Some(body) = hello.extension(ExtensionType::ENCRYPTED_CLIENT_HELLO) else {
            return Self::None;
        };
        let Some(name) = hello.server_name().filter(|name| !is_ipv4(name)) else {
            return Self::Grease;
        };
        if PUBLIC_NAMES
            .iter()
            .any(|public| name.eq_ignore_ascii_case(public.as_bytes()))
        {
            return Self::Offered;
        }
        match looks_like_grease(body) {
            Some(true) => Self::Grease,
            Some(false) | None => Self::Offered,
        }
    }
}

/// `None` when the extension cannot be read.
fn looks_like_grease(body: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(body);
    let outer = reader.u8()? == 0;
    let kdf = reader.u16_be()?;
    let aead = reader.u16_be()?;
    let _config_id = reader.u8()?;
    let key = reader.u16_be()?;
    reader.take(usize::from(key))?;
    let payload = usize::from(reader.u16_be()?);
    reader.take(payload)?;
    Some(
        outer
            && reader.is_empty()
            && kdf == HKDF_SHA256
            && matches!(aead, AES_128_GCM | CHACHA20_POLY1305)
            && key == X25519_KEY
            && (128 + TAG - 1..=MAX_GREASE_PAYLOAD).contains(&payload)
            && matches!((payload - TAG) % 32, 0 | 31),
    )
}

fn is_ipv4(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|text| text.parse::<std::net::Ipv4Addr>().is_ok())
}

/// Public names in the ECH configurations of providers and of the public test servers.
const PUBLIC_NAMES: &[&str] = &[
    "cloudflare-ech.com",
    "cloudflare-esni.com",
    "public.tls-ech.dev",
    "cover.defo.ie",
];

/// Identifiers of HPKE (RFC 9180, section 7).
const HKDF_SHA256: u16 = 1;
const AES_128_GCM: u16 = 1;
const CHACHA20_POLY1305: u16 = 3;
/// Octets of an X25519 key.
const X25519_KEY: u16 = 32;
/// Octets of the tag of both ciphers.
const TAG: usize = 16;
/// NSS sends up to 368 octets where a session ticket is in the hello; a long ticket may need more.
const MAX_GREASE_PAYLOAD: usize = 640;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{client_hello, samples};

    /// An outer extension.
    fn outer(aead: u8, key: u8, payload: u8) -> Vec<u8> {
        let mut body = vec![
            0, // outer
            0, 1, // KDF: HKDF-SHA256
            0, aead, // AEAD
            0x5b, // config id
            0, key, // length of the encapsulated key
        ];
        body.extend(vec![1; usize::from(key)]);
        body.extend([0, payload]);
        body.extend(vec![2; usize::from(payload)]);
        body
    }

    fn verdict(name: Option<&str>, kind: u16, body: Vec<u8>) -> EncryptedHello {
        let mut extensions = vec![(kind, body)];
        extensions.extend(name.map(samples::sni));
        let body = samples::client_hello(0x0303, &[0x1301], Some(&extensions));
        client_hello(&body).unwrap().encrypted_hello()
    }

    #[test]
    fn tells_an_offer_from_grease_by_the_rules_of_the_page() {
        use EncryptedHello::{Grease, None as Absent, Offered};
        for (name, kind, body, wanted) in [
            (Some("a.example"), 0xfe0c, vec![], Absent),
            (Some("a.example"), 0xffce, vec![], Offered), // rule 1
            (
                Some("Cloudflare-ECH.com"),
                0xfe0d,
                outer(1, 32, 144),
                Offered,
            ), // rule 2
            (None, 0xfe0d, outer(2, 32, 144), Grease),    // rule 3
            (Some("192.0.2.1"), 0xfe0d, outer(2, 32, 144), Grease),
            (Some("a.example"), 0xfe0d, outer(2, 32, 144), Offered), // rule 4: AES-256-GCM
            (Some("a.example"), 0xfe0d, outer(1, 65, 144), Offered), // P-256
            (Some("a.example"), 0xfe0d, outer(1, 32, 150), Offered),
            (Some("a.example"), 0xfe0d, vec![0, 0, 1], Offered),
            (Some("a.example"), 0xfe0d, outer(1, 32, 208), Grease), // rule 5: BoringSSL
            (Some("a.example"), 0xfe0d, outer(3, 32, 239), Grease), // NSS to Firefox 154
            (Some("a.example"), 0xfe0d, outer(3, 32, 240), Grease), // NSS since
        ] {
            assert_eq!(verdict(name, kind, body), wanted, "{name:?} {kind:x}");
        }
    }
}
