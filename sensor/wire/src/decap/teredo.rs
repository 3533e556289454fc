//! Teredo (RFC 4380): IPv6 in UDP through a translator.
//!
//! Servers answer on port 3544, and put an authentication (5.1.1) and an origin indication before the packet. The packets
//! between hosts and relays run on whatever ports translators gave them, and have no header: they are told by an IPv6
//! header whose length is exactly that of the datagram and a Teredo address (2001::/32) at one end.

use super::{Carrier, Inside, Opened};
use crate::Reader;
use crate::link::{Encapsulations, Layers, Tunnel};

/// To or from a server.
pub(super) fn open<'a>(carrier: &Carrier<'a>, layers: &mut Layers) -> Opened<'a> {
    match behind_indications(carrier) {
        Some(packet) => inside(packet, layers),
        None => Opened::Not,
    }
}

/// On other ports.
pub(super) fn between_hosts<'a>(carrier: &Carrier<'a>, layers: &mut Layers) -> Opened<'a> {
    let of_teredo = |at: usize| {
        let prefix = carrier.payload.get(at..).and_then(<[u8]>::first_chunk);
        prefix == Some(&[0x20, 0x01, 0, 0])
    };
    if !is_whole_packet(carrier.payload, carrier.on_wire) || !(of_teredo(8) || of_teredo(24)) {
        return Opened::Not;
    }
    inside(carrier.payload, layers)
}

fn inside<'a>(packet: &'a [u8], layers: &mut Layers) -> Opened<'a> {
    match layers.enter(Encapsulations::TEREDO) {
        Ok(()) => Opened::Inside(Tunnel::Teredo, Inside::Ip(packet)),
        Err(why) => Opened::Dark(why),
    }
}

/// The packet behind an authentication (00 01: lengths of client id and value, both, nonce (8), confirmation) and an origin
/// indication (00 00: obfuscated port and address); either may be missing, the first comes first.
fn behind_indications<'a>(carrier: &Carrier<'a>) -> Option<&'a [u8]> {
    let mut reader = Reader::new(carrier.payload);
    if reader.rest().starts_with(&[0, 1]) {
        let [_, _, id_length, value_length] = reader.take_array()?;
        reader.take(usize::from(id_length) + usize::from(value_length) + 9)?;
    }
    if reader.rest().starts_with(&[0, 0]) {
        reader.take(8)?;
    }
    let headers = carrier.payload.len() - reader.left();
    let on_wire = (carrier.on_wire).checked_sub(u32::try_from(headers).ok()?)?;
    is_whole_packet(reader.rest(), on_wire).then_some(reader.rest())
}

/// Whether an IPv6 packet fills a datagram.
fn is_whole_packet(packet: &[u8], on_wire: u32) -> bool {
    let Some(&[version, _, _, _, len_a, len_b]) = packet.first_chunk() else {
        return false;
    };
    version >> 4 == 6 && u32::from(u16::from_be_bytes([len_a, len_b])) + 40 == on_wire
}
