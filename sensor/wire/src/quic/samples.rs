//! Packets made for tests, of this crate and of those that use it.
#![expect(
    clippy::indexing_slicing,
    reason = "lengths of samples are known; a wrong one is a failed test"
)]

use super::message::ConnectionId;
use super::protection::Keys;
use super::version::{Suite, Version};
use crate::tls::HandshakeType;
use crate::tls::samples as tls;

/// A CRYPTO frame.
#[must_use]
pub fn crypto(offset: usize, octets: &[u8]) -> Vec<u8> {
    let mut frame = vec![6];
    for number in [offset, octets.len()] {
        frame.extend_from_slice(&(0x4000 | number as u16).to_be_bytes());
    }
    frame.extend_from_slice(octets);
    frame
}

/// A client's Initial packet with frames, padded to 1200 octets; `key` is the id that the keys follow from.
#[must_use]
pub fn initial(
    version: Version,
    key: &[u8],
    ids: [&[u8]; 2],
    number: u32,
    frames: &[u8],
) -> Vec<u8> {
    let suite = version.suite().unwrap_or(Suite::V1);
    sealed(suite, version, key, ids, number, frames)
}

/// The same with the protection of another version.
#[must_use]
pub fn sealed(
    suite: Suite,
    version: Version,
    key: &[u8],
    [destination, source]: [&[u8]; 2],
    number: u32,
    frames: &[u8],
) -> Vec<u8> {
    let mut header = vec![0xc3 | suite.initial_type << 4];
    header.extend_from_slice(&version.0.to_be_bytes());
    for id in [destination, source] {
        header.push(id.len() as u8);
        header.extend_from_slice(id);
    }
    header.push(0); // no token
    let mut payload = frames.to_vec();
    let around = header.len() + 2 + 4 + 16;
    payload.resize(payload.len().max(DATAGRAM.saturating_sub(around)), 0);
    header.extend_from_slice(&(0x4000 | (4 + payload.len() + 16) as u16).to_be_bytes());
    header.extend_from_slice(&number.to_be_bytes());
    let id = ConnectionId::new(key).unwrap_or_default();
    Keys::client(suite, &id).seal(&header, number, &payload)
}

/// A server's packet of the handshake, whose payload nobody reads; `kind` is the first octet.
#[must_use]
pub fn server(kind: u8, version: Version, [destination, source]: [&[u8]; 2]) -> Vec<u8> {
    let mut octets = vec![kind];
    octets.extend_from_slice(&version.0.to_be_bytes());
    for id in [destination, source] {
        octets.push(id.len() as u8);
        octets.extend_from_slice(id);
    }
    octets.push(0); // no token
    octets.extend_from_slice(&[0x40, 40]);
    octets.extend_from_slice(&[0x77; 40]);
    octets
}

/// The handshake message that Chrome would send.
#[must_use]
pub fn hello(server_name: &str) -> Vec<u8> {
    tls::message(HandshakeType::CLIENT_HELLO, &tls::chrome(server_name))
}

/// A CHLO with padding, SNI and UAID.
#[must_use]
pub fn chlo(server_name: &str, user_agent: &str) -> Vec<u8> {
    let values = [
        (*b"PAD\0", &[b'-'; 300][..]),
        (*b"SNI\0", server_name.as_bytes()),
        (*b"VER\0", b"Q043"),
        (*b"UAID", user_agent.as_bytes()),
    ];
    let mut octets = b"CHLO".to_vec();
    octets.extend_from_slice(&[values.len() as u8, 0, 0, 0]);
    let mut end = 0_u32;
    for (tag, value) in values {
        end += value.len() as u32;
        octets.extend_from_slice(&tag);
        octets.extend_from_slice(&end.to_le_bytes());
    }
    values
        .iter()
        .for_each(|(_, value)| octets.extend_from_slice(value));
    octets
}

/// A packet of one of Google's versions, with the connection id 1 to 8.
#[must_use]
pub fn clear_packet(version: [u8; 4], first: u8, frames: &[u8]) -> Vec<u8> {
    let mut octets = vec![first];
    let id = [1, 2, 3, 4, 5, 6, 7, 8];
    if first & 0x80 == 0 {
        octets.extend_from_slice(&id);
        octets.extend_from_slice(&version);
        octets.extend_from_slice(&[0; 6][..[1, 2, 4, 6][usize::from(first >> 4 & 3)]]);
        octets.extend_from_slice(&[0xaa; 12]); // hash
        if version < *b"Q034" {
            octets.push(0); // private flags
        }
    } else {
        octets.extend_from_slice(&version);
        octets.push(0x50);
        octets.extend_from_slice(&id);
        octets.extend_from_slice(&[0, 0, 0, 1]);
        octets.extend_from_slice(&[0xaa; 12]); // hash
    }
    octets.extend_from_slice(frames);
    octets
}

/// Octets of a datagram with an Initial packet at least (RFC 9000, section 14.1).
const DATAGRAM: usize = 1200;
