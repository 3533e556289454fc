//! VXLAN (RFC 7348, with the group policy of draft-smith-vxlan-group-policy) and its generic protocol extension
//! (draft-ietf-nvo3-vxlan-gpe-12). OTV has the same header.

use super::{Carrier, Inside, Opened};
use crate::link::{Encapsulations, EtherType, Layers};

/// Flags, reserved or group policy, network (24 bits), reserved. Some put the generic header on this port too.
pub(super) fn open<'a>(carrier: &Carrier<'a>, layers: &mut Layers) -> Opened<'a> {
    let Some((&[flags, a, b, c, n0, n1, n2, last], frame)) = carrier.payload.split_first_chunk()
    else {
        return Opened::Not;
    };
    if flags & NEXT_PROTOCOL != 0 {
        return generic(carrier, layers);
    }
    // Only the group policy extension fills what was reserved: D and A in the second octet, an id in the next two.
    let group = flags & GROUP != 0;
    let zero = (a, b, c) == (0, 0, 0) || group && a & !0x48 == 0;
    if flags & !GROUP != HAS_NETWORK || !zero || last != 0 {
        return Opened::Not;
    }
    inside(Inside::Frame(frame), [n0, n1, n2], layers)
}

/// Flags (with version and next-protocol bit), reserved (2), next protocol, network, reserved.
pub(super) fn generic<'a>(carrier: &Carrier<'a>, layers: &mut Layers) -> Opened<'a> {
    let Some((&[flags, a, b, next, n0, n1, n2, last], rest)) = carrier.payload.split_first_chunk()
    else {
        return Opened::Not;
    };
    if flags & !(NEXT_PROTOCOL | OPERATIONS) != HAS_NETWORK || (a, b, last) != (0, 0, 0) {
        return Opened::Not;
    }
    let next = if flags & NEXT_PROTOCOL == 0 {
        ETHERNET
    } else {
        next
    };
    let what = match next {
        IPV4 | IPV6 => Inside::Ip(rest),
        ETHERNET => Inside::Frame(rest),
        SERVICE_HEADER => Inside::Typed(EtherType::SERVICE_HEADER, rest),
        _ => return Opened::Not,
    };
    inside(what, [n0, n1, n2], layers)
}

fn inside<'a>(what: Inside<'a>, [a, b, c]: [u8; 3], layers: &mut Layers) -> Opened<'a> {
    if let Err(why) = layers.enter(Encapsulations::VXLAN) {
        return Opened::Dark(why);
    }
    layers.vni = Some(u32::from_be_bytes([0, a, b, c]));
    Opened::network(what)
}

const HAS_NETWORK: u8 = 0x08;
const GROUP: u8 = 0x80;
const NEXT_PROTOCOL: u8 = 0x04;
const OPERATIONS: u8 = 0x01;
/// Next protocols, the same in both drafts.
const IPV4: u8 = 1;
const IPV6: u8 = 2;
const ETHERNET: u8 = 3;
const SERVICE_HEADER: u8 = 4;
