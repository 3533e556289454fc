//! Both sides of one flow.

use std::collections::VecDeque;

use super::message::{Control, Opcode, Wrap, control, data, reset};
use crate::{Side, Violation};

/// Follows the packets of one flow.
#[derive(Debug, Default)]
pub struct Session {
    wrap: Option<Wrap>,
    sides: [Half; 2],
    known: bool,
}

/// What a side has sent.
#[derive(Debug, Default)]
struct Half {
    /// Its identity, and what it opened with.
    opened: Option<([u8; 8], Opcode)>,
    /// Packets of this identity.
    packets: u32,
    /// The number of the piece that is due; the reset has number 0.
    due: u32,
    /// Pieces that came before their turn.
    early: VecDeque<(u32, Vec<u8>)>,
    /// Data packets where no reset was seen.
    run: Option<([u8; 4], u32, u8)>,
}

/// What a session hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// It is OpenVPN. Once a session.
    Known(Known),
    /// The next octets of the TLS session of the side that sent the packet.
    Tls(&'a [u8]),
}

/// What is known of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Who opened it; `None` where no reset was seen.
    pub client: Option<Side>,
    /// How the control channel is wrapped; `None` where it was not seen.
    pub wrap: Option<Wrap>,
}

impl Session {
    /// Octets kept of pieces that came before their turn.
    #[must_use]
    pub fn held(&self) -> usize {
        let pieces = self.sides.iter().flat_map(|half| &half.early);
        pieces.map(|(_, piece)| piece.len()).sum()
    }

    /// Takes a packet.
    ///
    /// # Errors
    /// When it does not fit to the packets before it. What was handed out holds.
    pub fn feed(
        &mut self,
        from: Side,
        packet: &[u8],
        mut emit: impl FnMut(Message<'_>),
    ) -> Result<(), Violation> {
        let Some(&first) = packet.first() else {
            // OpenVPN over TCP sends empty packets now and then.
            return Ok(());
        };
        let (opcode, _) = Opcode::of(first);
        match (opcode, self.wrap) {
            (Opcode::DATA_1 | Opcode::DATA_2, Some(_)) => Ok(()),
            (Opcode::DATA_2, None) => self.in_the_middle(from, packet, &mut emit),
            (_, None) => {
                let (control, wrap) = reset(packet).ok_or(Violation("no hard reset of OpenVPN"))?;
                self.wrap = Some(wrap);
                self.take(from, control, &mut emit)
            }
            (_, Some(wrap)) => {
                let control =
                    control(packet, wrap).ok_or(Violation("no OpenVPN control packet"))?;
                self.take(from, control, &mut emit)
            }
        }
    }

    /// Whether the TLS session inside can be read.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        matches!(self.wrap, Some(Wrap::Plain | Wrap::Auth(_)))
    }

    /// Whether it has been handed out that this is OpenVPN.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.known
    }

    fn take(
        &mut self,
        from: Side,
        control: Control<'_>,
        emit: &mut impl FnMut(Message<'_>),
    ) -> Result<(), Violation> {
        let [originator, responder] = &mut self.sides;
        let (own, other) = match from {
            Side::Originator => (originator, responder),
            Side::Responder => (responder, originator),
        };
        if is_reset(control.opcode) {
            // A client that gets no answer begins anew, on the same port.
            if own.opened != Some((control.session, control.opcode)) {
                *own = Half {
                    opened: Some((control.session, control.opcode)),
                    due: 1,
                    ..Half::default()
                };
            }
        } else if own
            .opened
            .is_some_and(|(session, _)| session != control.session)
        {
            return Err(Violation("OpenVPN packet of another session"));
        }
        own.packets = own.packets.saturating_add(1);
        let client = match control.opcode {
            Opcode::CLIENT_RESET_2 | Opcode::CLIENT_RESET_3 => Some(from),
            Opcode::SERVER_RESET_2 => Some(from.other()),
            _ => None,
        };
        // A server's answer names the session that it answers, where it is not encrypted; a side alone must go on.
        let answered = match (control.remote, other.opened) {
            (Some(remote), Some((session, _))) if remote != session && !self.known => {
                return Err(Violation("OpenVPN answer to another session"));
            }
            (_, Some((_, opcode))) => {
                opcode != control.opcode && (is_reset(control.opcode) || own.opened.is_some())
            }
            (_, None) => false,
        };
        if !self.known && (answered || own.packets >= IN_ROW && own.opened.is_some()) {
            self.known = true;
            let opener = own.opened.map(|(_, opcode)| match opcode {
                Opcode::SERVER_RESET_2 => from.other(),
                _ => from,
            });
            emit(Message::Known(Known {
                client: client.or(opener),
                wrap: self.wrap,
            }));
        }
        if matches!(control.opcode, Opcode::CONTROL | Opcode::CONTROL_WKC) {
            own.piece(control, emit);
        }
        Ok(())
    }

    /// Data packets where no reset was seen: both sides must count.
    fn in_the_middle(
        &mut self,
        from: Side,
        packet: &[u8],
        emit: &mut impl FnMut(Message<'_>),
    ) -> Result<(), Violation> {
        let data = data(packet).ok_or(Violation("no OpenVPN data packet"))?;
        let Some(own) = self.sides.get_mut(from.index()) else {
            return Ok(());
        };
        let length = match own.run {
            Some((head, id, length)) => {
                if head != data.head || id == data.id || id.abs_diff(data.id) > MAX_STEP {
                    return Err(Violation("OpenVPN data packets do not go on"));
                }
                length.saturating_add(1)
            }
            None => 1,
        };
        own.run = Some((data.head, data.id, length));
        let both = self.sides.iter().all(|half| {
            half.run
                .is_some_and(|(_, _, length)| u32::from(length) >= IN_ROW)
        });
        if both && !self.known {
            self.known = true;
            emit(Message::Known(Known {
                client: None,
                wrap: None,
            }));
        }
        Ok(())
    }
}

impl Half {
    /// Hands out a piece of the TLS session that is due, and those that waited for it.
    fn piece(&mut self, control: Control<'_>, emit: &mut impl FnMut(Message<'_>)) {
        let Some(id) = control.id else { return };
        if id > self.due {
            let waits = self.early.iter().any(|&(early, _)| early == id);
            if !waits && self.early.len() < MAX_HELD && id - self.due <= MAX_AHEAD {
                self.early.push_back((id, control.payload.to_vec()));
            }
            return;
        }
        if id < self.due {
            return;
        }
        self.due += 1;
        emit(Message::Tls(control.payload));
        while let Some(at) = self.early.iter().position(|&(id, _)| id == self.due) {
            if let Some((_, piece)) = self.early.remove(at) {
                self.due += 1;
                emit(Message::Tls(&piece));
            }
        }
    }
}

fn is_reset(opcode: Opcode) -> bool {
    matches!(
        opcode,
        Opcode::CLIENT_RESET_2 | Opcode::CLIENT_RESET_3 | Opcode::SERVER_RESET_2
    )
}

/// Packets of a side that must fit together where the other side is not in the capture.
pub const IN_ROW: u32 = 4;

/// Pieces that wait for one that was lost: a sender has 12 under way at most (`reliable.h`, 2.6). Each is a datagram or a
/// packet of a stream, 64 KiB at most.
pub const MAX_HELD: usize = 12;

/// How far ahead of the piece that is due another one may be.
const MAX_AHEAD: u32 = 32;

/// What may be lost or overtaken between two data packets of a capture.
const MAX_STEP: u32 = 64;

#[cfg(test)]
mod tests {
    use super::super::message::samples::{CLIENT, SERVER, auth, crypt, packet};
    use super::*;
    use Side::{Originator as O, Responder as R};

    /// What was handed out: `known` with the client and wrapping, and the octets of TLS.
    fn run(packets: &[(Side, Vec<u8>)]) -> (Vec<String>, Result<(), Violation>) {
        let mut session = Session::default();
        let mut found = Vec::new();
        for (side, packet) in packets {
            let fed = session.feed(*side, packet, |message| {
                found.push(match message {
                    Message::Known(known) => format!(
                        "{:?} {}",
                        known.client,
                        known.wrap.map_or("unseen", Wrap::name)
                    ),
                    Message::Tls(octets) => String::from_utf8_lossy(octets).into_owned(),
                });
            });
            if fed.is_err() {
                return (found, fed);
            }
        }
        (found, Ok(()))
    }

    fn conversation(wrap: bool) -> Vec<(Side, Vec<u8>)> {
        let mut count = 0;
        let mut wrap = || {
            count += 1;
            if wrap { auth(count) } else { Vec::new() }
        };
        vec![
            (
                O,
                packet(Opcode::CLIENT_RESET_2, CLIENT, &wrap(), None, Some(0), b""),
            ),
            (
                R,
                packet(
                    Opcode::SERVER_RESET_2,
                    SERVER,
                    &wrap(),
                    Some((0, CLIENT)),
                    Some(0),
                    b"",
                ),
            ),
            (
                O,
                packet(Opcode::ACK, CLIENT, &wrap(), Some((0, SERVER)), None, b""),
            ),
            (
                O,
                packet(Opcode::CONTROL, CLIENT, &wrap(), None, Some(2), b"llo"),
            ),
            (
                O,
                packet(Opcode::CONTROL, CLIENT, &wrap(), None, Some(1), b"he"),
            ),
            (
                O,
                packet(Opcode::CONTROL, CLIENT, &wrap(), None, Some(1), b"he"),
            ),
            (
                R,
                packet(
                    Opcode::CONTROL,
                    SERVER,
                    &wrap(),
                    Some((1, CLIENT)),
                    Some(1),
                    b"hi",
                ),
            ),
        ]
    }

    #[test]
    fn two_resets_are_a_session_and_its_pieces_come_in_order() {
        for (wrapped, name) in [(false, "none"), (true, "tls-auth")] {
            let (found, end) = run(&conversation(wrapped));
            let known = format!("Some(Originator) {name}");
            assert_eq!(found, [&*known, "he", "llo", "hi"]);
            assert_eq!(end, Ok(()));
        }
    }

    #[test]
    fn an_answer_to_another_session_is_a_violation() {
        let mut packets = conversation(false);
        packets[1].1[14..22].fill(7);
        let (found, end) = run(&packets);
        assert!(found.is_empty() && end.is_err(), "{found:?}");
    }

    #[test]
    fn a_server_may_be_the_originator() {
        let packets: Vec<_> = conversation(true)
            .into_iter()
            .map(|(side, packet)| (side.other(), packet))
            .collect();
        assert_eq!(run(&packets).0[0], "Some(Responder) tls-auth");
    }

    #[test]
    fn an_encrypted_channel_is_known_by_both_resets() {
        let packets = [
            (O, crypt(Opcode::CLIENT_RESET_2, CLIENT, 1, 54)),
            (R, crypt(Opcode::SERVER_RESET_2, SERVER, 1, 66)),
        ];
        let (found, end) = run(&packets);
        assert_eq!(found, ["Some(Originator) tls-crypt"]);
        assert_eq!(end, Ok(()));
        assert!(run(&packets[..1]).0.is_empty());
    }

    #[test]
    fn one_side_alone_must_go_on() {
        let packets: Vec<_> = (1..=4)
            .map(|count| {
                (
                    O,
                    packet(
                        Opcode::CLIENT_RESET_2,
                        CLIENT,
                        &auth(count),
                        None,
                        Some(0),
                        b"",
                    ),
                )
            })
            .collect();
        assert_eq!(run(&packets).0, ["Some(Originator) tls-auth"]);
        assert!(run(&packets[..3]).0.is_empty());
    }

    #[test]
    fn data_in_the_middle_of_a_flow_must_count_on_both_sides() {
        let data = |peer: u8, id: u8| {
            let mut octets = vec![0x48, 0, 0, peer, 0, 0, 0, id];
            octets.resize(80, 0x55);
            octets
        };
        let mut packets = Vec::new();
        for id in 1..=4 {
            packets.push((O, data(0, id)));
            packets.push((R, data(0, id)));
        }
        assert_eq!(run(&packets).0, ["None unseen"]);
        assert!(run(&packets[..7]).0.is_empty());
        packets[2].1[3] = 9;
        assert!(run(&packets).1.is_err());
    }

    #[test]
    fn pieces_that_wait_are_bounded() {
        let mut session = Session::default();
        for (side, packet) in &conversation(false)[..2] {
            session.feed(*side, packet, |_| {}).unwrap();
        }
        for id in 2..=255 {
            let piece = packet(Opcode::CONTROL, CLIENT, &[], None, Some(id), b"x");
            session
                .feed(O, &piece, |_| panic!("piece 1 is due"))
                .unwrap();
        }
        assert_eq!(session.sides[0].early.len(), MAX_HELD);
    }
}
