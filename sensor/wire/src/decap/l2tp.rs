//! L2TP version 2, its data messages (RFC 2661, section 3.1): PPP inside. Control messages stay datagrams.

use super::{Carrier, Inside, Opened};
use crate::Reader;
use crate::link::{Encapsulations, Layers, Tunnel};

/// Flags and version, then length, tunnel, session, sequence numbers and padding as the flags say.
pub(super) fn open<'a>(carrier: &Carrier<'a>, layers: &mut Layers) -> Opened<'a> {
    let Some(frame) = data(carrier) else {
        return Opened::Not;
    };
    match layers.enter(Encapsulations::L2TP) {
        Ok(()) => Opened::Inside(Tunnel::L2tp, Inside::Ppp(frame)),
        Err(why) => Opened::Dark(why),
    }
}

fn data<'a>(carrier: &Carrier<'a>) -> Option<&'a [u8]> {
    let mut reader = Reader::new(carrier.payload);
    let flags = reader.u16_be()?;
    if flags & (CONTROL | RESERVED | VERSION) != 2 {
        return None;
    }
    if flags & LENGTH != 0 && u32::from(reader.u16_be()?) > carrier.on_wire {
        return None;
    }
    let [tunnel_a, tunnel_b, session_a, session_b] = reader.take_array()?;
    // 0 stands for what is not yet assigned, and carries nothing.
    if (tunnel_a, tunnel_b) == (0, 0) || (session_a, session_b) == (0, 0) {
        return None;
    }
    if flags & SEQUENCE != 0 {
        reader.u32_be()?;
    }
    if flags & OFFSET != 0 {
        let padding = reader.u16_be()?;
        reader.take(usize::from(padding))?;
    }
    Some(reader.rest())
}

const CONTROL: u16 = 0x8000;
const LENGTH: u16 = 0x4000;
const SEQUENCE: u16 = 0x0800;
const OFFSET: u16 = 0x0200;
const RESERVED: u16 = 0x34f0;
const VERSION: u16 = 0x000f;
