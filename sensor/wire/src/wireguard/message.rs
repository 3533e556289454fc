//! One datagram.

use crate::Reader;

/// What a datagram says in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// The initiator's half of a handshake.
    Initiation {
        /// Index by which the initiator wants to be addressed.
        sender: u32,
        /// How it is written.
        dialect: Dialect,
    },
    /// The responder's half.
    Response {
        /// Index by which the responder wants to be addressed.
        sender: u32,
        /// The initiator's index.
        receiver: u32,
        /// How it is written.
        dialect: Dialect,
    },
    /// A responder under load wants the handshake again, with a cookie.
    Cookie {
        /// The initiator's index.
        receiver: u32,
    },
    /// An encrypted packet.
    Transport {
        /// The index of whom it is for, and what stood in the reserved octets.
        receiver: (u32, [u8; 3]),
        /// Counts the packets of this direction, from 0.
        counter: u64,
        /// How it is written.
        dialect: Dialect,
    },
}

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// As the whitepaper says: types 1 to 4, reserved octets zero.
    Plain,
    /// Cloudflare WARP's older clients: types 0xc1 to 0xc4, longer handshakes.
    WarpTypes,
    /// Cloudflare WARP's newer clients, and others that speak to its servers: the client's identity is in the reserved
    /// octets.
    WarpReserved,
    /// TunnelBear: 56 and 8 octets behind the messages of a handshake.
    TunnelBear,
}

/// Reads a datagram; `None` when it is no message of WireGuard.
#[must_use]
pub fn message(datagram: &[u8]) -> Option<Message> {
    let mut reader = Reader::new(datagram);
    let kind = reader.u8()?;
    let reserved = reader.take_array::<3>()?;
    let zero = reserved == [0; 3];
    match (kind, datagram.len()) {
        (INITIATION, INITIATION_LEN | TUNNELBEAR_INITIATION_LEN) => {
            let dialect = match (zero, datagram.len()) {
                (true, INITIATION_LEN) => Dialect::Plain,
                (true, _) => Dialect::TunnelBear,
                (false, INITIATION_LEN) => Dialect::WarpReserved,
                (false, _) => return None,
            };
            let sender = reader.u32_le()?;
            Some(Message::Initiation { sender, dialect })
        }
        (RESPONSE, RESPONSE_LEN | TUNNELBEAR_RESPONSE_LEN) => {
            let dialect = match (zero, datagram.len()) {
                (true, RESPONSE_LEN) => Dialect::Plain,
                (true, _) => Dialect::TunnelBear,
                (false, RESPONSE_LEN) => Dialect::WarpReserved,
                (false, _) => return None,
            };
            Some(Message::Response {
                sender: reader.u32_le()?,
                receiver: reader.u32_le()?,
                dialect,
            })
        }
        (COOKIE, COOKIE_LEN) if zero => Some(Message::Cookie {
            receiver: reader.u32_le()?,
        }),
        (TRANSPORT, TRANSPORT_MIN..) => {
            let dialect = if zero {
                Dialect::Plain
            } else {
                Dialect::WarpReserved
            };
            transport(&mut reader, reserved, dialect)
        }
        (WARP_INITIATION, INITIATION_LEN..=WARP_MAX) if zero => Some(Message::Initiation {
            sender: reader.u32_le()?,
            dialect: Dialect::WarpTypes,
        }),
        (WARP_RESPONSE, RESPONSE_LEN..=WARP_MAX) if !zero => Some(Message::Response {
            sender: reader.u32_le()?,
            receiver: reader.u32_le()?,
            dialect: Dialect::WarpTypes,
        }),
        (WARP_TRANSPORT, TRANSPORT_MIN..) if !zero => {
            transport(&mut reader, reserved, Dialect::WarpTypes)
        }
        _ => None,
    }
}

fn transport(reader: &mut Reader<'_>, reserved: [u8; 3], dialect: Dialect) -> Option<Message> {
    let receiver = reader.u32_le()?;
    let low = reader.u32_le()?;
    let high = reader.u32_le()?;
    Some(Message::Transport {
        receiver: (receiver, reserved),
        counter: u64::from(high) << 32 | u64::from(low),
        dialect,
    })
}

const INITIATION: u8 = 1;
const RESPONSE: u8 = 2;
const COOKIE: u8 = 3;
const TRANSPORT: u8 = 4;
const WARP_INITIATION: u8 = 0xc1;
const WARP_RESPONSE: u8 = 0xc2;
const WARP_TRANSPORT: u8 = 0xc4;

const INITIATION_LEN: usize = 148;
const RESPONSE_LEN: usize = 92;
const COOKIE_LEN: usize = 64;
/// Header and the tag of an empty packet, which keeps a session alive.
const TRANSPORT_MIN: usize = 32;
const TUNNELBEAR_INITIATION_LEN: usize = 204;
const TUNNELBEAR_RESPONSE_LEN: usize = 100;
/// WARP's responses of 778 octets are the longest that were seen.
const WARP_MAX: usize = 1500;

#[cfg(test)]
pub(super) mod samples {
    //! Messages with random contents.

    pub(crate) fn initiation(sender: u32) -> Vec<u8> {
        let mut octets = vec![1, 0, 0, 0]; // type, reserved
        octets.extend(sender.to_le_bytes()); // sender
        octets.resize(148, 0xa5); // ephemeral, static, timestamp, MACs
        octets
    }

    pub(crate) fn response(sender: u32, receiver: u32) -> Vec<u8> {
        let mut octets = vec![2, 0, 0, 0]; // type, reserved
        octets.extend(sender.to_le_bytes());
        octets.extend(receiver.to_le_bytes());
        octets.resize(92, 0x5a); // ephemeral, empty, MACs
        octets
    }

    pub(crate) fn cookie(receiver: u32) -> Vec<u8> {
        let mut octets = vec![3, 0, 0, 0];
        octets.extend(receiver.to_le_bytes());
        octets.resize(64, 0x77); // nonce, cookie
        octets
    }

    pub(crate) fn transport(receiver: u32, counter: u64) -> Vec<u8> {
        let mut octets = vec![4, 0, 0, 0];
        octets.extend(receiver.to_le_bytes());
        octets.extend(counter.to_le_bytes());
        // Enciphered octets look random.
        octets.extend((0..32_u64).map(|at| ((at + 32 * (counter & 7)) * 151 % 251) as u8));
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_exact_length() {
        let initiation = samples::initiation(7);
        assert_eq!(
            message(&initiation),
            Some(Message::Initiation {
                sender: 7,
                dialect: Dialect::Plain
            })
        );
        for length in 0..initiation.len() {
            assert_eq!(message(&initiation[..length]), None, "{length}");
        }
        let response = samples::response(8, 7);
        assert_eq!(message(&response[..91]), None);
        assert_eq!(message(&samples::cookie(7)[..63]), None);
        assert_eq!(message(&samples::transport(7, 0)[..31]), None);
    }

    #[test]
    fn a_counter_has_eight_octets_least_significant_first() {
        let mut keepalive = samples::transport(0x0102_0304, 0x0000_0001_0000_0002);
        keepalive.truncate(32);
        assert_eq!(
            message(&keepalive),
            Some(Message::Transport {
                receiver: (0x0102_0304, [0; 3]),
                counter: 0x0000_0001_0000_0002,
                dialect: Dialect::Plain
            })
        );
    }

    #[test]
    fn a_quic_initial_is_no_transport_data_of_warp() {
        // 0xc4 is also a QUIC Initial; version 1 follows, so the reserved octets are zero.
        let mut initial = vec![0xc4, 0, 0, 0, 1, 8];
        initial.resize(1200, 9);
        assert_eq!(message(&initial), None);
    }
}
