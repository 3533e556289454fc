//! HELLO.

use crate::Reader;

/// The clear start of a HELLO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// Version of the protocol, 4 to 31: 13 in version 1.14 of the program.
    pub protocol: u8,
    /// Version of the program: major, minor, revision.
    pub version: (u8, u8, u16),
    /// ZeroTier address of who greets, 40 bits.
    pub address: u64,
}

/// Reads a datagram; `None` when it is no HELLO.
#[must_use]
pub fn hello(datagram: &[u8]) -> Option<Hello> {
    // The verb is what most other datagrams have not.
    if datagram.len() < MIN || datagram.get(27) != Some(&HELLO) {
        return None;
    }
    let mut reader = Reader::new(datagram);
    reader.take(8)?; // initialisation vector and packet identity
    let destination = reader.take_array::<5>()?;
    let source = reader.take_array::<5>()?;
    let flags = reader.u8()?;
    reader.take(8)?; // authentication code
    let verb = reader.u8()?;
    let protocol = reader.u8()?;
    let version = (reader.u8()?, reader.u8()?, reader.u16_be()?);
    let seconds = (u64::from(reader.u32_be()?) << 32 | u64::from(reader.u32_be()?)) / 1000;
    let address = reader.take_array::<5>()?;
    let kind = reader.u8()?;
    let fits = flags & CIPHER == 0
        && verb == HELLO
        && (4..32).contains(&protocol)
        && (YEAR_2010..YEAR_2100).contains(&seconds)
        && address == source
        && address != destination
        // 0xff opens reserved addresses.
        && !matches!(address, [0 | 0xff, ..] | [_, 0, 0, 0, 0])
        && kind == IDENTITY;
    let [a, b, c, d, e] = source;
    fits.then_some(Hello {
        protocol,
        version,
        address: u64::from_be_bytes([0, 0, 0, a, b, c, d, e]),
    })
}

/// Three bits of the flags: 0 is a packet in clear with an authentication code.
const CIPHER: u8 = 0b0011_1000;
const HELLO: u8 = 1;
/// Curve 25519 and Ed25519.
const IDENTITY: u8 = 0;
const YEAR_2010: u64 = 1_262_304_000;
const YEAR_2100: u64 = 4_102_444_800;
/// Up to the public key.
const MIN: usize = 28 + 13 + 6 + 64;

#[cfg(test)]
pub(crate) fn sample() -> Vec<u8> {
    [
        &[0x9c, 0x31, 0x55, 0x02, 0x6d, 0x81, 0x44, 0x07][..], // packet identity
        &[0x62, 0xf8, 0x65, 0xae, 0x71],                       // destination
        &[0x1d, 0x20, 0x39, 0xb2, 0xa3],                       // source
        &[0x00],                                               // cipher 0, 0 hops
        &[0x11; 8],                                            // authentication code
        &[0x01],                                               // HELLO
        &[0x0d],                                               // protocol version
        &[0x01, 0x0e, 0x00, 0x02],                             // 1.14.2
        &[0x00, 0x00, 0x01, 0x9a, 0xb1, 0x00, 0x00, 0x00],     // milliseconds
        &[0x1d, 0x20, 0x39, 0xb2, 0xa3, 0x00],                 // identity: address, type
        &[0x42; 64],                                           // public key
        &[0x00],                                               // no private key
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_names_its_sender_twice() {
        let hello_octets = sample();
        let found = hello(&hello_octets).unwrap();
        assert_eq!(found.version, (1, 14, 2));
        assert_eq!(found.address, 0x1d_2039_b2a3);
        for at in [13, 18, 27, 28, 33, 41, 46] {
            let mut broken = hello_octets.clone();
            broken[at] ^= 0xff;
            assert_eq!(hello(&broken), None, "octet {at}");
        }
        assert_eq!(hello(&hello_octets[..100]), None);
    }
}
