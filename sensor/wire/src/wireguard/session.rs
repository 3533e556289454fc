//! Both sides of one flow.

use super::message::{Dialect, Message, message};
use crate::variety::Variety;
use crate::{Side, Violation};

/// Follows the datagrams of one flow until they leave no doubt.
#[derive(Debug, Default)]
pub struct Session {
    sides: [Half; 2],
}

/// What a side has sent.
#[derive(Debug, Default, Clone, Copy)]
struct Half {
    /// Its index in the last message of a handshake.
    offered: Option<Offer>,
    /// Its transport data.
    run: Option<Run>,
}

#[derive(Debug, Clone, Copy)]
struct Offer {
    index: u32,
    role: Role,
    dialect: Dialect,
    /// What stood before the index: WARP repeats it in each message to this index.
    reserved: [u8; 3],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Initiator,
    Responder,
}

/// Transport data of one side, all for the same receiver.
#[derive(Debug, Clone, Copy)]
struct Run {
    receiver: (u32, [u8; 3]),
    counter: u64,
    length: u8,
    /// Of what is enciphered in each.
    variety: Variety,
}

/// What the datagrams together say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Who began the handshake; `None` where none was seen.
    pub initiator: Option<Side>,
    /// How the messages are written.
    pub dialect: Dialect,
}

impl Session {
    /// Takes a datagram; answers what is known once it is.
    ///
    /// # Errors
    /// When it is no message of WireGuard or does not go on where this side was.
    pub fn feed(&mut self, from: Side, datagram: &[u8]) -> Result<Option<Known>, Violation> {
        let message = message(datagram).ok_or(Violation("no WireGuard message"))?;
        let reserved = datagram
            .get(1..)
            .and_then(|rest| rest.first_chunk::<3>())
            .copied()
            .unwrap_or_default();
        let [originator, responder] = &mut self.sides;
        let (own, other) = match from {
            Side::Originator => (originator, responder),
            Side::Responder => (responder, originator),
        };
        match message {
            Message::Initiation { sender, dialect } => {
                own.offered = Some(Offer {
                    index: sender,
                    role: Role::Initiator,
                    dialect,
                    reserved,
                });
                Ok(None)
            }
            Message::Response {
                sender,
                receiver,
                dialect,
            } => {
                own.offered = Some(Offer {
                    index: sender,
                    role: Role::Responder,
                    dialect,
                    reserved,
                });
                let asked = other.offered.filter(|offer| offer.role == Role::Initiator);
                // The receiver's index of WARP's own types is written otherwise than the initiator wrote it: what
                // follows must tell.
                if dialect == Dialect::WarpTypes {
                    return Ok(None);
                }
                match asked {
                    // The reserved octets of the answer may be zero where the question's are the client's identity.
                    Some(asked) if asked.index == receiver && fits(asked.dialect, dialect) => {
                        Ok(Some(Known {
                            initiator: Some(from.other()),
                            dialect: asked.dialect,
                        }))
                    }
                    Some(_) => Err(Violation("WireGuard response to another initiation")),
                    None => Ok(None),
                }
            }
            Message::Cookie { receiver } => match other.offered {
                Some(asked) if asked.index == receiver && asked.role == Role::Initiator => {
                    Ok(Some(Known {
                        initiator: Some(from.other()),
                        dialect: asked.dialect,
                    }))
                }
                _ => Err(Violation("WireGuard cookie without an initiation")),
            },
            Message::Transport {
                receiver,
                counter,
                dialect,
            } => {
                let to_offered = other.offered.filter(|offer| {
                    offer.role == Role::Responder
                        && offer.dialect == dialect
                        && (offer.index, offer.reserved) == receiver
                });
                if let Some(offered) = to_offered {
                    return Ok(Some(Known {
                        initiator: Some(from),
                        dialect: offered.dialect,
                    }));
                }
                let run = own.went_on(receiver, counter, datagram)?;
                if run.length < IN_ROW {
                    return Ok(None);
                }
                if !run.variety.is_chance() {
                    return Err(Violation("WireGuard data in clear"));
                }
                Ok(Some(Known {
                    initiator: None,
                    dialect,
                }))
            }
        }
    }
}

impl Half {
    /// Counts transport data that goes on where this side was. Datagrams overtake each other, by a few places at most.
    fn went_on(
        &mut self,
        receiver: (u32, [u8; 3]),
        counter: u64,
        datagram: &[u8],
    ) -> Result<Run, Violation> {
        // An index is random in all implementations; a small number is a channel of somebody else.
        if receiver.0 <= MAX_CHANNEL {
            return Err(Violation("WireGuard data for an index that is not random"));
        }
        let (length, mut variety) = match self.run {
            Some(run) if run.receiver != receiver => {
                // Every two minutes there are new keys, and with them a new index.
                if run.counter < counter || counter > MAX_START {
                    return Err(Violation("WireGuard data for another receiver"));
                }
                (1, Variety::default())
            }
            Some(run) if counter.abs_diff(run.counter) > MAX_STEP || counter == run.counter => {
                return Err(Violation("WireGuard counter jumps"));
            }
            Some(run) => (run.length.saturating_add(1), run.variety),
            None if counter > MAX_COUNTER => return Err(Violation("WireGuard counter too high")),
            None => (1, Variety::default()),
        };
        variety.add(datagram.get(HEAD..HEAD + TAG).unwrap_or_default());
        let run = Run {
            receiver,
            counter,
            length,
            variety,
        };
        self.run = Some(run);
        Ok(run)
    }
}

/// Whether an answer may be written so.
fn fits(asked: Dialect, answer: Dialect) -> bool {
    asked == answer || (asked == Dialect::WarpReserved && answer == Dialect::Plain)
}

/// Datagrams of transport data of one side that must fit together: 8 octets that are equal and 8 that count.
pub const IN_ROW: u8 = 4;

/// Type, reserved octets, receiver, counter; behind them stand enciphered octets, as many as a tag has at least.
const HEAD: usize = 16;
const TAG: usize = 16;

/// Numbers up to here are met as those of channels and players; an index is one once in 65,536 times.
const MAX_CHANNEL: u32 = 0xffff;

/// What may be lost or overtaken between two datagrams of a capture.
const MAX_STEP: u64 = 256;

/// A counter under new keys starts at 0.
const MAX_START: u64 = 256;

/// Keys live for three minutes at most; this is more than any link carries in that time, and far from random.
const MAX_COUNTER: u64 = 1 << 34;

#[cfg(test)]
mod tests {
    use super::super::message::samples::{cookie, initiation, response, transport};
    use super::*;
    use Side::{Originator as O, Responder as R};

    fn run(datagrams: &[(Side, Vec<u8>)]) -> Result<Option<Known>, Violation> {
        let mut session = Session::default();
        for (side, datagram) in datagrams {
            if let Some(known) = session.feed(*side, datagram)? {
                return Ok(Some(known));
            }
        }
        Ok(None)
    }

    fn plain(initiator: Option<Side>) -> Result<Option<Known>, Violation> {
        Ok(Some(Known {
            initiator,
            dialect: Dialect::Plain,
        }))
    }

    #[test]
    fn a_handshake_is_known_by_its_answer() {
        let repeated = [(O, initiation(1)), (O, initiation(2)), (R, response(9, 2))];
        assert_eq!(run(&repeated), plain(Some(O)));
        assert_eq!(run(&repeated[..2]), Ok(None));
        let reverse = [(R, initiation(5)), (O, response(6, 5))];
        assert_eq!(run(&reverse), plain(Some(R)));
        assert_eq!(run(&[(O, initiation(5)), (R, cookie(5))]), plain(Some(O)));
        assert!(run(&[(O, initiation(1)), (R, response(9, 3))]).is_err());
        assert!(run(&[(O, initiation(5)), (R, cookie(6))]).is_err());
    }

    #[test]
    fn the_answer_alone_is_known_by_what_follows() {
        assert_eq!(
            run(&[(R, response(9, 2)), (O, transport(9, 0))]),
            plain(Some(O))
        );
        assert_eq!(
            run(&[(R, response(9, 2)), (O, transport(0x00a1_b208, 0))]),
            Ok(None)
        );
    }

    #[test]
    fn a_flow_in_its_middle_needs_several_datagrams_of_a_side() {
        let middle: Vec<_> = (0..4)
            .map(|n| (R, transport(0x00a1_b277, 1000 + n)))
            .collect();
        assert_eq!(run(&middle), plain(None));
        assert_eq!(run(&middle[..3]), Ok(None));
        let random = [
            (O, transport(0x00a1_b277, 1000)),
            (O, transport(0x00a1_b278, 1001)),
        ];
        assert!(run(&random).is_err());
        let jumping = [
            (O, transport(0x00a1_b277, 1000)),
            (O, transport(0x00a1_b277, 5000)),
        ];
        assert!(run(&jumping).is_err());
        assert!(run(&[(O, transport(0x00a1_b277, u64::MAX))]).is_err());
        let rekeyed = [
            (O, transport(0x00a1_b277, 1000)),
            (O, transport(0x00a1_b278, 0)),
            (O, transport(0x00a1_b278, 1)),
            (O, transport(0x00a1_b278, 2)),
            (O, transport(0x00a1_b278, 3)),
        ];
        assert_eq!(run(&rekeyed), plain(None));
    }

    #[test]
    fn tunnelbear_is_known_by_its_lengths() {
        let mut ask = initiation(1);
        ask.resize(204, 0);
        let mut answer = response(2, 1);
        answer.resize(100, 0);
        assert_eq!(
            run(&[(O, ask), (R, answer)]),
            Ok(Some(Known {
                initiator: Some(O),
                dialect: Dialect::TunnelBear
            }))
        );
    }

    #[test]
    fn warp_is_known_by_its_types_or_its_reserved_octets() {
        let mut ask = initiation(0x0183_9000);
        ask[0] = 0xc1;
        ask.resize(194, 0);
        let mut answer = response(0x00ee_8468, 0x0083_9001);
        answer[..4].copy_from_slice(&[0xc2, 0x02, 0x78, 0x00]);
        answer.resize(778, 0);
        let mut data = transport(0x00ee_8468, 1);
        data[..4].copy_from_slice(&[0xc4, 0x02, 0x78, 0x00]);
        let warp = |dialect| {
            Ok(Some(Known {
                initiator: Some(O),
                dialect,
            }))
        };
        assert_eq!(
            run(&[(O, ask), (R, answer), (O, data)]),
            warp(Dialect::WarpTypes)
        );

        let mut ask = initiation(3);
        ask[1..4].copy_from_slice(&[0x8a, 0x10, 0x5c]);
        let mut answer = response(4, 3);
        assert_eq!(
            run(&[(O, ask.clone()), (R, answer.clone())]),
            warp(Dialect::WarpReserved)
        );
        answer[1..4].copy_from_slice(&[0x8a, 0x10, 0x5c]);
        assert_eq!(run(&[(O, ask), (R, answer)]), warp(Dialect::WarpReserved));
    }
}
