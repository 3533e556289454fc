//! TZSP, the TaZmen Sniffer Protocol: frames that an access point or a router mirrors to a sensor.

use super::{Carrier, Inside, Opened};
use crate::Reader;
use crate::link::{Encapsulations, EtherType, Layers};

/// Version, type, protocol of the frame, then tagged fields up to the one that ends them.
pub(super) fn open<'a>(carrier: &Carrier<'a>, layers: &mut Layers) -> Opened<'a> {
    let Some(inside) = frame(carrier.payload) else {
        return Opened::Not;
    };
    match layers.enter(Encapsulations::TZSP) {
        Ok(()) => Opened::network(inside),
        Err(why) => Opened::Dark(why),
    }
}

fn frame(octets: &[u8]) -> Option<Inside<'_>> {
    let mut reader = Reader::new(octets);
    let [version, kind, protocol_a, protocol_b] = reader.take_array()?;
    if version != 1 || kind > TO_SEND {
        return None;
    }
    for _ in 0..MAX_FIELDS {
        match reader.u8()? {
            PADDING => {}
            END => {
                let rest = reader.rest();
                return match u16::from_be_bytes([protocol_a, protocol_b]) {
                    ETHERNET => Some(Inside::Frame(rest)),
                    WLAN => Some(Inside::Wlan(rest)),
                    IP => Some(Inside::Typed(EtherType::IPV4, rest)),
                    _ => None,
                };
            }
            _ => {
                let length = reader.u8()?;
                reader.take(usize::from(length))?;
            }
        }
    }
    None
}

/// A frame that was received is type 0, one that is to be sent type 1; others carry none.
const TO_SEND: u8 = 1;
/// Protocols of the frame.
const ETHERNET: u16 = 1;
const IP: u16 = 4;
const WLAN: u16 = 18;
/// Fields without a length.
const PADDING: u8 = 0;
const END: u8 = 1;
/// About a dozen are known.
const MAX_FIELDS: usize = 32;
