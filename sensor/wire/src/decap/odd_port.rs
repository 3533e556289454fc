//! Tunnels over UDP on a port that nothing is known of: VXLAN, Geneve and GTP-U on ports that somebody chose, and Teredo
//! between hosts.
//!
//! Where the port says nothing, the header's fixed bits are not enough: the IP packet inside has to fill the datagram to its
//! last octet, and an IPv4 header its checksum. What a tunnel carries besides IP (ARP, spanning tree) stays a datagram.

use super::{Carrier, Opened, geneve, gtp, teredo, vxlan};
use crate::checksum;
use crate::link::{EtherType, Layers};

/// Whether a datagram may begin as one of them does: asked for every datagram.
#[inline]
pub(super) fn may_begin(first: [u8; 4]) -> bool {
    let first = u32::from_be_bytes(first);
    // IPv6, as Teredo has it without a header.
    first >> 28 == 6
        // VXLAN: a network, and nothing else.
        || first == 0x0800_0000
        // GTP version 1, user data.
        || first & 0xf8ff_0000 == 0x30ff_0000
        // Geneve version 0: length of options, flags, protocol type.
        || first & 0xc03f_0000 == 0 && matches!(first as u16, 0x6558 | 0x0800 | 0x86dd)
}

/// Opens whichever it is.
pub(super) fn open<'a>(carrier: &Carrier<'a>, layers: &mut Layers) -> Opened<'a> {
    let Some(&[first, second, c, d]) = carrier.payload.first_chunk() else {
        return Opened::Not;
    };
    let ether_type = EtherType(u16::from_be_bytes([c, d]));
    match (first, second) {
        (0x60..=0x6f, _) => teredo::between_hosts(carrier, layers),
        (0x30..=0x37, 0xff) => match gtp::packet(carrier) {
            Some(packet) if is_filled(carrier, packet) => gtp::open(carrier, layers),
            _ => Opened::Not,
        },
        (0x08, 0) if (c, d) == (0, 0) => match behind_frame(carrier.payload.get(8..)) {
            Some(packet) if is_filled(carrier, packet) => vxlan::open(carrier, layers),
            _ => Opened::Not,
        },
        (0..=0x3f, _) => {
            let inside = carrier.payload.get(8 + usize::from(first) * 4..);
            let packet = match ether_type {
                EtherType::BRIDGED => behind_frame(inside),
                EtherType::IPV4 | EtherType::IPV6 => inside,
                _ => None,
            };
            match packet {
                Some(packet) if is_filled(carrier, packet) => geneve::open(carrier, layers),
                _ => Opened::Not,
            }
        }
        _ => Opened::Not,
    }
}

/// The IP packet in an Ethernet frame with at most two tags.
fn behind_frame(frame: Option<&[u8]>) -> Option<&[u8]> {
    let mut rest = frame?.get(12..)?;
    for _ in 0..=2 {
        let (&ether_type, behind) = rest.split_first_chunk()?;
        match EtherType(u16::from_be_bytes(ether_type)) {
            EtherType::IPV4 | EtherType::IPV6 => return Some(behind),
            EtherType::VLAN | EtherType::SERVICE_VLAN => rest = behind.get(2..)?,
            _ => return None,
        }
    }
    None
}

/// Whether an IP packet reaches the end of what carries it, but for the padding of a short Ethernet frame.
fn is_filled(carrier: &Carrier<'_>, packet: &[u8]) -> bool {
    let before = carrier.payload.len() - packet.len();
    let Some(room) = u32::try_from(before)
        .ok()
        .and_then(|before| carrier.on_wire.checked_sub(before))
    else {
        return false;
    };
    let (Some(first), Some(&length)) = (
        packet.first(),
        packet.get(2..).and_then(<[u8]>::first_chunk),
    ) else {
        return false;
    };
    let total = match first >> 4 {
        4 => {
            let header = packet.get(..usize::from(first & 0x0f) * 4);
            if header.is_none_or(|header| header.len() < 20 || !checksum::of_header(header)) {
                return false;
            }
            u32::from(u16::from_be_bytes(length))
        }
        6 => {
            let Some(&length) = packet.get(4..).and_then(<[u8]>::first_chunk) else {
                return false;
            };
            40 + u32::from(u16::from_be_bytes(length))
        }
        _ => return false,
    };
    total == room || total < SHORTEST && room <= SHORTEST
}

/// What Ethernet pads a packet to.
const SHORTEST: u32 = 46;
