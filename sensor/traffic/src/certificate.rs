//! X.509 certificates (RFC 5280) that a decoder reads as it reads others; key and signature are random.

use crate::chance::Chance;

/// A certificate for a name, in DER.
pub fn certificate(chance: &mut Chance, name: &str) -> Vec<u8> {
    let ecdsa_sha256 = tagged(0x30, &OID_ECDSA_SHA256);
    let key_kind = tagged(0x30, &[&OID_EC_KEY[..], &OID_P256].concat());
    let point = [&[0, 4][..], &chance.octets(64)].concat();
    let names = tagged(0x30, &tagged(0x82, name.as_bytes()));
    let extension = tagged(0x30, &[&OID_NAMES[..], &tagged(4, &names)].concat());
    let mut serial = chance.octets(16);
    // A positive number without a leading zero.
    serial[0] = serial[0] & 0x7f | 0x40;
    let body = [
        tagged(0xa0, &tagged(2, &[2])),
        tagged(2, &serial),
        ecdsa_sha256.clone(),
        distinguished("Example Authority"),
        tagged(
            0x30,
            &[tagged(23, b"240101000000Z"), tagged(23, b"340101000000Z")].concat(),
        ),
        distinguished(name),
        tagged(0x30, &[key_kind, tagged(3, &point)].concat()),
        tagged(0xa3, &tagged(0x30, &extension)),
    ]
    .concat();
    let mut number = || {
        let mut octets = chance.octets(32);
        octets[0] = octets[0] & 0x7f | 0x40;
        tagged(2, &octets)
    };
    let signature = tagged(0x30, &[number(), number()].concat());
    let signature = tagged(3, &[&[0][..], &signature].concat());
    tagged(
        0x30,
        &[tagged(0x30, &body), ecdsa_sha256, signature].concat(),
    )
}

/// A name of an organization and a common name.
fn distinguished(common: &str) -> Vec<u8> {
    let part = |oid: &[u8], text: &str| {
        let pair = [oid, &tagged(12, text.as_bytes())].concat();
        tagged(0x31, &tagged(0x30, &pair))
    };
    let parts = [
        part(&OID_ORGANIZATION, "Example Ltd"),
        part(&OID_COMMON_NAME, common),
    ];
    tagged(0x30, &parts.concat())
}

fn tagged(tag: u8, octets: &[u8]) -> Vec<u8> {
    let length = octets.len();
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(length as u8),
        0x80..0x100 => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend_from_slice(octets);
    out
}

const OID_ECDSA_SHA256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const OID_EC_KEY: [u8; 9] = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const OID_P256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const OID_ORGANIZATION: [u8; 5] = [6, 3, 0x55, 4, 10];
const OID_COMMON_NAME: [u8; 5] = [6, 3, 0x55, 4, 3];
/// The alternative names of the subject.
const OID_NAMES: [u8; 5] = [6, 3, 0x55, 0x1d, 17];
