//! QUIC version 1: Initial packets, protected with the keys that follow from the first connection id (RFC 9001).

use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit};
use aes_gcm::Aes128Gcm;
use aes_gcm::aead::AeadInPlace;
use hkdf::Hkdf;
use sha2::Sha256;

use crate::chance::Chance;
use crate::script::{Script, Side};
use crate::stock::Stock;
use crate::tls::{self, Hello};

/// The keys of one side's Initial packets.
pub struct Keys {
    packet: Aes128Gcm,
    nonce: [u8; 12],
    header: Aes128,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Keys")
    }
}

impl Keys {
    /// Those of one side, from the connection id that the client chose for the server.
    pub fn new(connection: &[u8], side: Side) -> Self {
        let label = match side {
            Side::Client => "client in",
            Side::Server => "server in",
        };
        let initial = Hkdf::<Sha256>::new(Some(&SALT), connection);
        let mut secret = [0; 32];
        expand(&initial, label, &mut secret);
        let own = Hkdf::<Sha256>::from_prk(&secret).expect("as long as the hash");
        let (mut packet, mut nonce, mut header) = ([0; 16], [0; 12], [0; 16]);
        expand(&own, "quic key", &mut packet);
        expand(&own, "quic iv", &mut nonce);
        expand(&own, "quic hp", &mut header);
        Self {
            packet: Aes128Gcm::new(&packet.into()),
            nonce,
            header: Aes128::new(&header.into()),
        }
    }

    /// An Initial packet of frames.
    pub fn initial(&self, to: &[u8], from: &[u8], number: u16, frames: &[u8]) -> Vec<u8> {
        // Long header, Initial, a number of two octets.
        let mut packet = vec![0xc1, 0, 0, 0, 1, to.len() as u8];
        packet.extend_from_slice(to);
        packet.push(from.len() as u8);
        packet.extend_from_slice(from);
        packet.push(0);
        packet.extend_from_slice(&two(2 + frames.len() + 16));
        let number_at = packet.len();
        packet.extend_from_slice(&number.to_be_bytes());

        let mut nonce = self.nonce;
        let [high, low] = number.to_be_bytes();
        nonce[10] ^= high;
        nonce[11] ^= low;
        let mut sealed = frames.to_vec();
        let tag = self
            .packet
            .encrypt_in_place_detached(&nonce.into(), &packet, &mut sealed)
            .expect("far below the limit of the cipher");
        packet.extend(sealed);
        packet.extend_from_slice(&tag);

        let sample: [u8; 16] = std::array::from_fn(|at| packet[number_at + 4 + at]);
        let mut mask = sample.into();
        self.header.encrypt_block(&mut mask);
        packet[0] ^= mask[0] & 0x0f;
        packet[number_at] ^= mask[1];
        packet[number_at + 1] ^= mask[2];
        packet
    }
}

/// The datagrams that carry a ClientHello: one, or two where it is too long.
pub fn hello(chance: &mut Chance, name: &str, kind: Hello, connection: &[u8]) -> Vec<Vec<u8>> {
    let keys = Keys::new(connection, Side::Client);
    let hello = tls::client_hello(chance, name, kind);
    let mut offset = 0;
    let mut datagrams = Vec::new();
    for (number, part) in hello.chunks(HELLO_PART).enumerate() {
        let mut frames = crypto(offset, part);
        offset += part.len();
        // A client's datagram has 1200 octets at least (RFC 9000, section 14.1).
        frames.resize(frames.len().max(FRAMES), 0);
        datagrams.push(keys.initial(connection, &[], number as u16, &frames));
    }
    datagrams
}

/// Everything of a connection: the handshake, then what the server has to say.
pub(crate) fn converse(
    chance: &mut Chance,
    stock: &Stock,
    mut script: Script,
    name: &str,
    mut at: u64,
    length: usize,
) -> Script {
    let connection: [u8; 8] = chance.array();
    let server: [u8; 8] = chance.array();
    let part = chance.part();
    let rtt = 2_000_000 + (part * part * part * 50e6) as u64;
    let kind = if chance.permille(330) {
        Hello::QuicPostQuantum
    } else {
        Hello::Quic
    };
    for datagram in hello(chance, name, kind, &connection) {
        script.datagram(at, Side::Client, &datagram);
        at += 50_000;
    }
    at += rtt;
    // ACK of packet 0, then the hello; the rest of the datagram is a Handshake packet, as all that follows.
    let mut frames = vec![2, 0, 0, 0, 0];
    frames.extend(crypto(0, &tls::server_hello(chance, &[])));
    let keys = Keys::new(&connection, Side::Server);
    let mut first = keys.initial(&[], &server, 0, &frames);
    let rest = 1200 - first.len() - HANDSHAKE_HEADER;
    handshake(chance, &mut first, &[], &server, rest);
    script.datagram(at, Side::Server, &first);
    for length in [1183, 700] {
        let mut datagram = Vec::new();
        handshake(chance, &mut datagram, &[], &server, length);
        at += 100_000;
        script.datagram(at, Side::Server, &datagram);
    }
    let mut acknowledged = vec![2, 0, 0, 0, 0];
    acknowledged.resize(FRAMES, 0);
    let keys = Keys::new(&connection, Side::Client);
    let packet = keys.initial(&server, &[], 2, &acknowledged);
    script.datagram(at + 100_000, Side::Client, &packet);
    let mut finished = Vec::new();
    handshake(chance, &mut finished, &server, &[], 60);
    script.datagram(at + 200_000, Side::Client, &finished);

    let count = (length / 1252).max(2);
    let gap = ((0.2 + chance.part() * 10.0) / count as f64).min(0.01) * 1e9;
    let to_server = [&[0x41][..], &server].concat();
    at += rtt;
    for number in 0..count {
        // The client's connection id is empty.
        let body = stock.random(chance, 1251);
        script.datagram_of(at, Side::Server, &[0x40], body);
        at += (gap * (0.4 + 1.2 * chance.part())) as u64;
        if number % 4 == 3 {
            let body = stock.random(chance, 36);
            script.datagram_of(at, Side::Client, &to_server, body);
        }
    }
    script.sorted()
}

fn handshake(chance: &mut Chance, out: &mut Vec<u8>, to: &[u8], from: &[u8], length: usize) {
    out.extend_from_slice(&[0xe2, 0, 0, 0, 1, to.len() as u8]);
    out.extend_from_slice(to);
    out.push(from.len() as u8);
    out.extend_from_slice(from);
    out.extend_from_slice(&two(length));
    chance.extend(out, length);
}

fn crypto(offset: usize, octets: &[u8]) -> Vec<u8> {
    let mut frame = vec![6];
    frame.extend_from_slice(&two(offset));
    frame.extend_from_slice(&two(octets.len()));
    frame.extend_from_slice(octets);
    frame
}

/// A number of QUIC in two octets.
fn two(value: usize) -> [u8; 2] {
    (0x4000 | value as u16).to_be_bytes()
}

/// HKDF-Expand-Label of TLS 1.3 without context (RFC 8446, section 7.1).
fn expand(secret: &Hkdf<Sha256>, label: &str, out: &mut [u8]) {
    let length = (out.len() as u16).to_be_bytes();
    let label_length = [6 + label.len() as u8];
    let parts = [
        &length[..],
        &label_length,
        b"tls13 ",
        label.as_bytes(),
        &[0],
    ];
    secret
        .expand_multi_info(&parts, out)
        .expect("a length that HKDF can give");
}

/// Of RFC 9001, section 5.2.
const SALT: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad,
    0xcc, 0xbb, 0x7f, 0x0a,
];
/// Octets of the hello in one datagram.
const HELLO_PART: usize = 1100;
/// Octets of frames, padding included, in a client's Initial.
const FRAMES: usize = 1170;
/// Octets before the payload of a server's Handshake packet.
const HANDSHAKE_HEADER: usize = 17;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_begins_as_that_of_the_rfc() {
        // RFC 9001, appendix A.2: the client's Initial with packet number 2, there in four octets; here in two, so that only
        // the keys can be compared: they protect the same plain text to the same sealed octets.
        let connection = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
        let initial = Hkdf::<Sha256>::new(Some(&SALT), &connection);
        let mut secret = [0; 32];
        expand(&initial, "client in", &mut secret);
        let own = Hkdf::<Sha256>::from_prk(&secret).unwrap();
        let mut key = [0; 16];
        expand(&own, "quic key", &mut key);
        assert_eq!(key[..4], [0x1f, 0x36, 0x96, 0x13]);
        let keys = Keys::new(&connection, Side::Client);
        assert_eq!(keys.nonce[..4], [0xfa, 0x04, 0x4b, 0x2f]);
    }

    #[test]
    fn a_clients_datagram_has_at_least_1200_octets() {
        let mut chance = Chance::new(1);
        for (kind, count) in [(Hello::Quic, 1), (Hello::QuicPostQuantum, 2)] {
            let datagrams = hello(&mut chance, "www.example.org", kind, &[7; 8]);
            assert_eq!(datagrams.len(), count);
            assert!(datagrams.iter().all(|it| (1200..=1252).contains(&it.len())));
        }
    }
}
