//! Both sides of one flow.

use super::message::{Esp, MARKER, MAX_VENDORS, Message, esp_in_udp, is_keepalive, message};
use crate::variety::Variety;
use crate::{Side, Violation};

/// Follows the datagrams of one flow until they leave no doubt.
#[derive(Debug, Default)]
pub struct Session {
    asked: Option<Asked>,
    vendors: Vendors,
    runs: [Option<Run>; 2],
}

/// The first message of an exchange.
#[derive(Debug, Clone, Copy)]
struct Asked {
    by: Side,
    initiator: u64,
}

/// Of originator and responder.
type Vendors = [Vec<&'static str>; 2];

/// ESP of one side, all of one association.
#[derive(Debug, Clone, Copy)]
struct Run {
    last: Esp,
    length: u8,
    /// Of the check values.
    variety: Variety,
}

/// What the datagrams together say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Both sides speak IKE.
    Ike {
        /// Who began.
        initiator: Side,
        /// Major version.
        version: u8,
        /// Name of the exchange that was seen first to have both identities.
        exchange: Option<&'static str>,
        /// Products that named themselves, of originator and responder.
        vendors: [Vec<&'static str>; 2],
    },
    /// ESP in UDP, picked up in its middle.
    Esp,
}

impl Session {
    /// Takes a datagram. `esp_port` says whether the flow has the port where ESP may stand in IKE's place.
    ///
    /// # Errors
    /// When it is neither IKE nor ESP that goes on.
    pub fn feed(
        &mut self,
        from: Side,
        datagram: &[u8],
        esp_port: bool,
    ) -> Result<Option<Known>, Violation> {
        if is_keepalive(datagram) {
            return Ok(None);
        }
        let unmarked = datagram.strip_prefix(MARKER).unwrap_or(datagram);
        if let Some(message) = message(unmarked) {
            return Ok(self.ike(from, &message));
        }
        let esp = esp_in_udp(datagram)
            .filter(|_| esp_port)
            .ok_or(Violation("neither IKE nor ESP"))?;
        Ok(self.esp(from, esp, datagram)?.then_some(Known::Esp))
    }

    fn ike(&mut self, from: Side, message: &Message) -> Option<Known> {
        if let Some(vendors) = self.vendors.get_mut(from.index()) {
            for vendor in &message.vendors {
                if !vendors.contains(vendor) && vendors.len() < MAX_VENDORS {
                    vendors.push(vendor);
                }
            }
        }
        if message.responder == 0 {
            self.asked = Some(Asked {
                by: from,
                initiator: message.initiator,
            });
            return None;
        }
        let asked = self
            .asked
            .filter(|asked| asked.initiator == message.initiator);
        let initiator = match (asked, message.by_initiator) {
            (Some(asked), _) => asked.by,
            (None, Some(true)) => from,
            (None, Some(false)) => from.other(),
            (None, None) => Side::Originator,
        };
        Some(Known::Ike {
            initiator,
            version: message.version,
            exchange: message.exchange.name(),
            vendors: std::mem::take(&mut self.vendors),
        })
    }

    fn esp(&mut self, from: Side, esp: Esp, datagram: &[u8]) -> Result<bool, Violation> {
        let Some(run) = self.runs.get_mut(from.index()) else {
            return Ok(false);
        };
        let (length, mut variety) = match *run {
            Some(run) if run.last.spi != esp.spi => return Err(Violation("ESP changes its index")),
            Some(run) if esp.sequence.abs_diff(run.last.sequence) > MAX_STEP => {
                return Err(Violation("ESP's sequence jumps"));
            }
            Some(run) if esp.sequence == run.last.sequence => {
                return Err(Violation("ESP's sequence stands"));
            }
            Some(run) => (run.length.saturating_add(1), run.variety),
            None => (1, Variety::default()),
        };
        variety.add(
            datagram
                .last_chunk::<CHECK>()
                .map_or(&[][..], |check| check),
        );
        *run = Some(Run {
            last: esp,
            length,
            variety,
        });
        if length >= IN_ROW && !variety.is_chance() {
            return Err(Violation("ESP without a check value"));
        }
        Ok(length >= IN_ROW)
    }
}

/// Datagrams of ESP of one side that must go on.
pub const IN_ROW: u8 = 4;

/// Of the check value behind a packet: what is enciphered before it may begin with a counter, and need not be enciphered.
const CHECK: usize = 12;

/// What may be lost or overtaken between two datagrams of a capture.
const MAX_STEP: u32 = 64;

#[cfg(test)]
mod tests {
    use super::super::message::samples::{main_mode, sa_init};
    use super::*;
    use Side::{Originator as O, Responder as R};

    #[test]
    fn a_question_is_known_by_its_answer() {
        for (ask, answer) in [
            (main_mode(0), main_mode(9)),
            (sa_init(0, 0x08), sa_init(9, 0x20)),
        ] {
            let mut session = Session::default();
            assert_eq!(session.feed(O, &ask, false), Ok(None));
            assert_eq!(session.feed(O, &ask, false), Ok(None));
            let Ok(Some(Known::Ike { initiator, .. })) = session.feed(R, &answer, false) else {
                panic!()
            };
            assert_eq!(initiator, O);
        }
    }

    #[test]
    fn the_marker_of_port_4500_is_skipped() {
        let mut session = Session::default();
        let marked = [&[0; 4][..], &sa_init(9, 0x08)].concat();
        assert_eq!(
            session.feed(R, &marked, true),
            Ok(Some(Known::Ike {
                initiator: R,
                version: 2,
                exchange: Some("sa_init"),
                vendors: [vec![], vec![]],
            }))
        );
    }

    #[test]
    fn esp_in_udp_needs_its_port_and_several_datagrams() {
        let packet = |sequence: u8| {
            let mut octets = vec![0xc1, 0, 0, 5, 0, 0, 1, sequence];
            octets.resize(88, 7);
            octets.extend((0..12_u8).map(|at| (at + 12 * (sequence & 7)).wrapping_mul(151)));
            octets
        };
        let mut session = Session::default();
        for sequence in 0..3 {
            assert_eq!(session.feed(O, &packet(sequence), true), Ok(None));
            assert_eq!(session.feed(R, &[0xff], true), Ok(None));
        }
        assert_eq!(session.feed(O, &packet(3), true), Ok(Some(Known::Esp)));
        assert!(Session::default().feed(O, &packet(0), false).is_err());
        let mut session = Session::default();
        assert_eq!(session.feed(O, &packet(0), true), Ok(None));
        assert!(session.feed(O, &packet(200), true).is_err());
    }
}
