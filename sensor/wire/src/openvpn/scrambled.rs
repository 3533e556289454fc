//! OpenVPN under the scramble patch.

use super::message::Opcode;
use crate::{Side, Violation};

/// Follows the packets of a flow whose first octets may be under a constant mask.
///
/// The mask is what makes a client's hard reset of the first packet. Then each packet must be one of the control channel
/// or data under the same mask; the answer to the reset is 12 octets longer than it (one acknowledgement and a session),
/// a mere acknowledgement 8 (no number of its own). So [`Self::PACKETS`] packets that fit are no accident.
#[derive(Debug, Default)]
pub struct Scrambled {
    mask: u8,
    client: Option<Side>,
    reset: usize,
    answered: bool,
    acknowledged: bool,
    packets: u8,
}

impl Scrambled {
    /// Packets that must fit, both resets and an acknowledgement among them.
    pub const PACKETS: u8 = 7;
    /// Of a client's hard reset with a check value of 16 to 64 octets; 54 is also that of `tls-crypt`.
    pub const LENGTHS: [u8; 6] = [38, 42, 50, 54, 70, 86];

    /// Whether a flow may open with this packet, by its length: a hard reset without a check value has 14 octets, too few
    /// to be told from much else.
    #[must_use]
    pub fn opens(packet: &[u8]) -> bool {
        u8::try_from(packet.len()).is_ok_and(|length| Self::LENGTHS.contains(&length))
            && packet
                .first()
                .is_some_and(|&first| first != Opcode::CLIENT_RESET_2.0 << 3)
    }

    /// Takes a packet; answers the client once it is sure.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn feed(&mut self, from: Side, packet: &[u8]) -> Result<Option<Side>, Violation> {
        let Some(&first) = packet.first() else {
            return Ok(None);
        };
        let Some(client) = self.client else {
            if !Self::opens(packet) {
                return Err(Violation("no scrambled reset"));
            }
            self.client = Some(from);
            self.mask = first ^ Opcode::CLIENT_RESET_2.0 << 3;
            self.reset = packet.len();
            self.packets = 1;
            return Ok(None);
        };
        let (opcode, key) = Opcode::of(first ^ self.mask);
        let longer = packet.len().checked_sub(self.reset);
        let fits = match opcode {
            Opcode::CLIENT_RESET_2 => from == client && longer == Some(0) && key == 0,
            Opcode::SERVER_RESET_2 => from != client && longer == Some(12) && key == 0,
            // One acknowledgement has 4 octets, and there are 8 at most.
            Opcode::ACK => {
                self.answered
                    && longer.is_some_and(|longer| {
                        longer >= 8 && longer.is_multiple_of(4) && longer <= 8 + 7 * 4
                    })
            }
            Opcode::CONTROL => self.answered && longer.is_some(),
            Opcode::DATA_1 | Opcode::DATA_2 => self.acknowledged && packet.len() >= 24,
            _ => false,
        };
        // Nothing comes between the two resets but the first one again.
        if !fits || (self.packets == u8::MAX) {
            return Err(Violation("scrambled packets do not fit"));
        }
        self.answered |= opcode == Opcode::SERVER_RESET_2;
        self.acknowledged |= opcode == Opcode::ACK;
        // A question that is asked again tells nothing more.
        self.packets += u8::from(opcode != Opcode::CLIENT_RESET_2);
        let sure = self.answered && self.acknowledged && self.packets >= Self::PACKETS;
        Ok(sure.then_some(client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Side::{Originator as O, Responder as R};

    /// A packet of an opcode and length under a mask.
    fn packet(opcode: Opcode, length: usize, mask: u8) -> Vec<u8> {
        let mut octets = vec![opcode.0 << 3 ^ mask];
        octets.resize(length, 0x3d);
        octets
    }

    fn conversation(mask: u8) -> Vec<(Side, Vec<u8>)> {
        vec![
            (O, packet(Opcode::CLIENT_RESET_2, 86, mask)),
            (R, packet(Opcode::SERVER_RESET_2, 98, mask)),
            (O, packet(Opcode::CONTROL, 375, mask)),
            (R, packet(Opcode::ACK, 94, mask)),
            (R, packet(Opcode::CONTROL, 1116, mask)),
            (R, packet(Opcode::CONTROL, 1116, mask)),
            (O, packet(Opcode::ACK, 98, mask)),
        ]
    }

    fn run(packets: &[(Side, Vec<u8>)]) -> Result<Option<Side>, Violation> {
        let mut session = Scrambled::default();
        for (side, packet) in packets {
            if let Some(client) = session.feed(*side, packet)? {
                return Ok(Some(client));
            }
        }
        Ok(None)
    }

    #[test]
    fn seven_packets_under_one_mask_are_no_accident() {
        let packets = conversation(b't');
        assert_eq!(run(&packets), Ok(Some(O)));
        assert_eq!(run(&packets[..6]), Ok(None));
        let mut repeated = packets.clone();
        repeated.insert(1, packets[0].clone());
        assert_eq!(run(&repeated), Ok(Some(O)));
    }

    #[test]
    fn a_packet_that_does_not_fit_ends_it() {
        for at in 1..7 {
            let mut packets = conversation(b't');
            packets[at].1[0] ^= 0x80;
            assert!(run(&packets).is_err(), "opcode of packet {at}");
        }
        for at in [1, 3, 6] {
            let mut packets = conversation(b't');
            packets[at].1.push(0);
            assert!(run(&packets).is_err(), "length of packet {at}");
        }
    }

    #[test]
    fn what_is_not_masked_is_left_to_the_other_session() {
        assert!(!Scrambled::opens(&packet(Opcode::CLIENT_RESET_2, 86, 0)));
        assert!(!Scrambled::opens(b""));
    }
}
