//! A handshake record of DTLS 0.9.

use crate::Reader;

/// Which side speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hello {
    /// ClientHello.
    Client,
    /// ServerHello or HelloVerifyRequest.
    Server,
}

/// Reads a datagram; `None` when it is no hello of that version.
#[must_use]
pub fn hello(datagram: &[u8]) -> Option<Hello> {
    let mut reader = Reader::new(datagram);
    if reader.take_array()? != HEAD {
        return None;
    }
    // The sequence of a record that opens a connection; a hello that is sent again has a higher one.
    let sequence = reader.take_array::<6>()?;
    let length = reader.u16_be()?;
    if sequence.get(..5) != Some(&[0; 5]) || usize::from(length) > reader.left() {
        return None;
    }
    let kind = reader.u8()?;
    let body = reader.u24_be()?;
    let (message, offset, fragment) = (reader.u16_be()?, reader.u24_be()?, reader.u24_be()?);
    let version = reader.take_array::<2>()?;
    let whole = offset == 0 && fragment == body && fragment.checked_add(12)? == u32::from(length);
    if !whole || message > MAX_MESSAGE || version != VERSION {
        return None;
    }
    match kind {
        CLIENT_HELLO if body >= MIN_HELLO => Some(Hello::Client),
        SERVER_HELLO if body >= MIN_HELLO => Some(Hello::Server),
        HELLO_VERIFY_REQUEST => Some(Hello::Server),
        _ => None,
    }
}

/// Handshake, version 1.0, epoch 0.
const HEAD: [u8; 5] = [0x16, 0x01, 0x00, 0x00, 0x00];
const VERSION: [u8; 2] = [0x01, 0x00];
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const HELLO_VERIFY_REQUEST: u8 = 3;
/// Version, random octets, the length of a session's identity, a cipher suite, compression.
const MIN_HELLO: u32 = 38;
/// Messages before a hello.
const MAX_MESSAGE: u16 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Vec<u8> {
        let mut octets = vec![
            0x16, 0x01, 0x00, // handshake, version
            0x00, 0x00, // epoch
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // sequence
            0x00, 0x54, // length
            0x01, 0x00, 0x00, 0x48, // ClientHello, length
            0x00, 0x00, // message
            0x00, 0x00, 0x00, 0x00, 0x00, 0x48, // fragment
            0x01, 0x00, // version
        ];
        octets.resize(13 + 0x54, 0x6b);
        octets
    }

    #[test]
    fn a_hello_has_version_1_0_twice_and_lengths_that_agree() {
        let octets = client();
        assert_eq!(hello(&octets), Some(Hello::Client));
        for cut in 0..octets.len() {
            assert_eq!(hello(&octets[..cut]), None, "{cut}");
        }
        for at in [0, 1, 3, 5, 12, 13, 16, 18, 20, 24, 25] {
            let mut other = octets.clone();
            other[at] ^= 0xfe;
            assert_eq!(hello(&other), None, "octet {at}");
        }
    }
}
