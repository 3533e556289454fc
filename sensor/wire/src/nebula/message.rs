//! The two messages of a handshake.

use crate::Reader;

/// Which of the two it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// The initiator's.
    First,
    /// The responder's.
    Second,
}

/// Reads a datagram; `None` when it is no message of a handshake.
#[must_use]
pub fn handshake(datagram: &[u8]) -> Option<Handshake> {
    let mut reader = Reader::new(datagram);
    // Version 1, type handshake; subtype IXPSK0; reserved.
    if reader.take_array()? != [0x10, 0x00, 0x00, 0x00] || datagram.len() < MIN {
        return None;
    }
    let index = reader.u32_be()?;
    let counter = (reader.u32_be()?, reader.u32_be()?);
    match (index, counter) {
        (0, (0, 1)) => Some(Handshake::First),
        (1.., (0, 2)) => Some(Handshake::Second),
        _ => None,
    }
}

/// Header, an ephemeral key (Noise IX), and a certificate behind.
const MIN: usize = 16 + 32 + 64;

#[cfg(test)]
pub(crate) fn sample(index: u8, counter: u8) -> Vec<u8> {
    let mut octets = vec![
        0x10, 0x00, 0x00, 0x00, // version and type, subtype, reserved
        index, index, index, index, // receiver
        0, 0, 0, 0, 0, 0, 0, counter, // counter
        0x0a,    // Protocol Buffers
    ];
    octets.resize(200, 0x41);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_messages_are_told_by_index_and_counter() {
        assert_eq!(handshake(&sample(0, 1)), Some(Handshake::First));
        assert_eq!(handshake(&sample(7, 2)), Some(Handshake::Second));
        assert_eq!(handshake(&sample(7, 1)), None);
        assert_eq!(handshake(&sample(0, 2)), None);
        assert_eq!(handshake(&sample(0, 1)[..100]), None);
        let mut other = sample(0, 1);
        other[1] = 1;
        assert_eq!(handshake(&other), None);
    }
}
