//! GTP-U version 1 (3GPP TS 29.281): the packets of mobile subscribers. Only G-PDU carries them; echo and error messages
//! stay datagrams.

use super::{Carrier, Inside, Opened};
use crate::Reader;
use crate::link::{Encapsulations, Layers};

/// Version, protocol type and flags; message type; length of what follows the first 8 octets; tunnel id. With any of the
/// flags E, S, PN: sequence number, N-PDU number, type of the first extension header (5.1).
pub(super) fn open<'a>(carrier: &Carrier<'a>, layers: &mut Layers) -> Opened<'a> {
    let Some(inside) = packet(carrier) else {
        return Opened::Not;
    };
    match layers.enter(Encapsulations::GTP) {
        Ok(()) => Opened::network(Inside::Ip(inside)),
        Err(why) => Opened::Dark(why),
    }
}

/// The packet of a subscriber behind the header; `None` where it is none of GTP version 1.
pub(super) fn packet<'a>(carrier: &Carrier<'a>) -> Option<&'a [u8]> {
    let mut reader = Reader::new(carrier.payload);
    let [flags, kind, len_a, len_b] = reader.take_array()?;
    let length = u16::from_be_bytes([len_a, len_b]);
    if flags & !FLAGS != VERSION_1 || kind != G_PDU || u32::from(length) + 8 > carrier.on_wire {
        return None;
    }
    reader.u32_be()?;
    if flags & FLAGS != 0 {
        reader.take(3)?;
        let mut next = reader.u8()?;
        if flags & EXTENDED != 0 {
            for _ in 0..MAX_EXTENSIONS {
                if next == 0 {
                    break;
                }
                // Length in words of 4 octets, itself and the type of the next one included (5.2.1).
                let words = usize::from(reader.u8()?);
                reader.take((words * 4).checked_sub(2)?)?;
                next = reader.u8()?;
            }
            if next != 0 {
                return None;
            }
        }
    }
    let rest = reader.rest();
    // Else Ethernet or unstructured data, or the middle of something.
    matches!(rest.first()? >> 4, 4 | 6).then_some(rest)
}

/// Version 1, protocol type GTP; the bit between is reserved.
const VERSION_1: u8 = 0x30;
/// E, S and PN.
const FLAGS: u8 = 0x07;
const EXTENDED: u8 = 0x04;
const G_PDU: u8 = 0xff;
/// A user plane packet of 5G has one; more than a handful is an attack.
const MAX_EXTENSIONS: usize = 8;
