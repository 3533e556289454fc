//! TLS handshakes as browsers and servers of today write them (RFC 8446, RFC 5246).

use crate::chance::Chance;

/// How a ClientHello differs from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hello {
    /// Over TCP, with an X25519 key share: one segment.
    Plain,
    /// Over TCP, with X25519MLKEM768 besides: two segments.
    PostQuantum,
    /// In QUIC, with transport parameters.
    Quic,
    /// In QUIC, with X25519MLKEM768 besides: two Initials.
    QuicPostQuantum,
}

/// A ClientHello with its handshake header, without a record.
pub fn client_hello(chance: &mut Chance, name: &str, kind: Hello) -> Vec<u8> {
    let quic = matches!(kind, Hello::Quic | Hello::QuicPostQuantum);
    let post_quantum = matches!(kind, Hello::PostQuantum | Hello::QuicPostQuantum);
    // RFC 8701.
    let grease = 0x0a0a + 0x1010 * chance.below(16) as u16;
    let mut suites = grease.to_be_bytes().to_vec();
    suites.extend_from_slice(if quic { &SUITES[..6] } else { &SUITES });

    let mut groups = grease.to_be_bytes().to_vec();
    let mut shares = [&grease.to_be_bytes()[..], &[0, 1, 0]].concat();
    if post_quantum {
        groups.extend_from_slice(&MLKEM);
        shares.extend_from_slice(&MLKEM);
        shares.extend(sized_16(&chance.octets(1216)));
    }
    groups.extend_from_slice(&[0x00, 0x1d, 0x00, 0x17, 0x00, 0x18]);
    shares.extend_from_slice(&[0x00, 0x1d]);
    shares.extend(sized_16(&chance.octets(32)));

    let versions = if quic {
        vec![2, 3, 4]
    } else {
        [&[6][..], &grease.to_be_bytes(), &[3, 4, 3, 3]].concat()
    };
    let protocols: &[u8] = if quic {
        b"\x02h3"
    } else {
        b"\x02h2\x08http/1.1"
    };
    let server_name = [&[0][..], &sized_16(name.as_bytes())].concat();
    let mut extensions = vec![
        extension(0, &sized_16(&server_name)),
        extension(5, &[1, 0, 0, 0, 0]),
        extension(10, &sized_16(&groups)),
        extension(13, &sized_16(&SIGNATURES)),
        extension(16, &sized_16(protocols)),
        extension(27, &[2, 0, 2]),
        extension(43, &versions),
        extension(45, &[1, 1]),
        extension(51, &sized_16(&shares)),
    ];
    if quic {
        extensions.push(extension(57, &TRANSPORT_PARAMETERS));
    } else {
        extensions.extend([
            extension(11, &[1, 0]),
            extension(18, &[]),
            extension(23, &[]),
            extension(35, &[]),
            extension(0xff01, &[0]),
        ]);
    }
    // Browsers change the order with each hello.
    for at in (1..extensions.len()).rev() {
        extensions.swap(at, chance.below(at + 1));
    }
    extensions.insert(0, extension(grease, &[]));

    let session: Vec<u8> = if quic { Vec::new() } else { chance.octets(32) };
    let body = [
        &[3, 3][..],
        &chance.octets(32),
        &sized_8(&session),
        &sized_16(&suites),
        &[1, 0],
        &sized_16(&extensions.concat()),
    ]
    .concat();
    handshake(1, &body)
}

/// A ServerHello of TLS 1.3 with its handshake header.
pub fn server_hello(chance: &mut Chance, session: &[u8]) -> Vec<u8> {
    let share = [&[0x00, 0x1d][..], &sized_16(&chance.octets(32))].concat();
    let extensions = [extension(43, &[3, 4]), extension(51, &share)].concat();
    let body = [
        &[3, 3][..],
        &chance.octets(32),
        &sized_8(session),
        &[0x13, 0x01, 0],
        &sized_16(&extensions),
    ]
    .concat();
    handshake(2, &body)
}

/// A record. The first hello names version 1.0, as clients do.
pub fn record(kind: u8, octets: &[u8]) -> Vec<u8> {
    let minor = u8::from(octets.first() != Some(&1) || kind != 22) * 2 + 1;
    [&[kind, 3, minor][..], &sized_16(octets)].concat()
}

/// What a server of TLS 1.3 sends up to its Finished; `certificates` octets of them, encrypted.
pub(crate) fn flight_13(chance: &mut Chance, certificates: usize) -> Vec<u8> {
    let session = chance.octets(32);
    let mut flight = record(22, &server_hello(chance, &session));
    flight.extend(record(20, &[1]));
    for length in [30, certificates, 281, 53] {
        flight.extend(record(23, &chance.octets(length)));
    }
    flight
}

/// What a server of TLS 1.2 sends up to its ServerHelloDone, with two certificates in clear.
pub(crate) fn flight_12(chance: &mut Chance) -> Vec<u8> {
    let extensions = [
        extension(0xff01, &[0]),
        extension(16, &[0, 3, 2, b'h', b'2']),
    ]
    .concat();
    let hello = [
        &[3, 3][..],
        &chance.octets(32),
        &sized_8(&chance.octets(32)),
        // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256.
        &[0xc0, 0x2b, 0],
        &sized_16(&extensions),
    ]
    .concat();
    let number = chance.below(100);
    let chain = [
        format!("host{number}.example.net"),
        "ca.example.net".to_owned(),
    ]
    .map(|name| sized_24(&crate::certificate::certificate(chance, &name)))
    .concat();
    let exchange = [
        &[3, 0x00, 0x1d, 32][..],
        &chance.octets(32),
        &[4, 3],
        &sized_16(&chance.octets(71)),
    ]
    .concat();
    [
        record(22, &handshake(2, &hello)),
        record(22, &handshake(11, &sized_24(&chain))),
        record(22, &handshake(12, &exchange)),
        record(22, &handshake(14, &[])),
    ]
    .concat()
}

pub(crate) fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &sized_24(body)].concat()
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &sized_16(body)].concat()
}

fn sized_8(octets: &[u8]) -> Vec<u8> {
    [&[octets.len() as u8][..], octets].concat()
}

pub(crate) fn sized_16(octets: &[u8]) -> Vec<u8> {
    [&(octets.len() as u16).to_be_bytes()[..], octets].concat()
}

fn sized_24(octets: &[u8]) -> Vec<u8> {
    [&(octets.len() as u32).to_be_bytes()[1..], octets].concat()
}

/// X25519MLKEM768.
const MLKEM: [u8; 2] = [0x11, 0xec];
/// Those of TLS 1.3 first.
const SUITES: [u8; 30] = [
    0x13, 0x01, 0x13, 0x02, 0x13, 0x03, 0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x2c, 0xc0, 0x30, 0xcc, 0xa9,
    0xcc, 0xa8, 0xc0, 0x13, 0xc0, 0x14, 0x00, 0x9c, 0x00, 0x9d, 0x00, 0x2f, 0x00, 0x35,
];
const SIGNATURES: [u8; 16] = [
    0x04, 0x03, 0x08, 0x04, 0x04, 0x01, 0x05, 0x03, 0x08, 0x05, 0x05, 0x01, 0x08, 0x06, 0x06, 0x01,
];
/// Idle time, sizes and numbers of streams (RFC 9000, section 18.2).
const TRANSPORT_PARAMETERS: [u8; 41] = [
    0x01, 0x04, 0x80, 0x00, 0x75, 0x30, 0x03, 0x02, 0x45, 0xc0, 0x04, 0x04, 0x80, 0xf0, 0x00, 0x00,
    0x05, 0x04, 0x80, 0x60, 0x00, 0x00, 0x06, 0x04, 0x80, 0x60, 0x00, 0x00, 0x07, 0x04, 0x80, 0x60,
    0x00, 0x00, 0x08, 0x02, 0x40, 0x64, 0x09, 0x01, 0x03,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_say_what_follows() {
        for (kind, least, most) in [
            (Hello::Plain, 250, 600),
            (Hello::PostQuantum, 1449, 1900),
            (Hello::Quic, 200, 500),
            (Hello::QuicPostQuantum, 1300, 1700),
        ] {
            let hello = client_hello(&mut Chance::new(5), "www.example.org", kind);
            let length = u32::from_be_bytes([0, hello[1], hello[2], hello[3]]) as usize;
            assert_eq!(length + 4, hello.len());
            assert!((least..most).contains(&hello.len()), "{kind:?} {length}");
            let name = b"\0\0\0\x14\0\x12\0\0\x0fwww.example.org";
            assert!(hello.windows(name.len()).any(|it| it == name), "{kind:?}");
        }
    }
}
