//! Geneve (RFC 8926). Its options are skipped.

use super::{Carrier, Inside, Opened};
use crate::link::{Encapsulations, EtherType, Layers, Undecoded};

/// Version and length of the options in words of 4 octets, flags, protocol type, network (24 bits), reserved.
pub(super) fn open<'a>(carrier: &Carrier<'a>, layers: &mut Layers) -> Opened<'a> {
    let Some((&[first, flags, t0, t1, n0, n1, n2, last], rest)) =
        carrier.payload.split_first_chunk()
    else {
        return Opened::Not;
    };
    if first >> 6 != 0 || flags & 0x3f != 0 || last != 0 {
        return Opened::Not;
    }
    let ether_type = EtherType(u16::from_be_bytes([t0, t1]));
    let known = matches!(
        ether_type,
        EtherType::BRIDGED | EtherType::IPV4 | EtherType::IPV6 | EtherType::MPLS
    );
    if !known {
        return Opened::Not;
    }
    if let Err(why) = layers.enter(Encapsulations::GENEVE) {
        return Opened::Dark(why);
    }
    layers.vni = Some(u32::from_be_bytes([0, n0, n1, n2]));
    match rest.get(usize::from(first & 0x3f) * 4..) {
        Some(rest) => Opened::network(Inside::Typed(ether_type, rest)),
        None => Opened::Dark(Undecoded::TunnelCut),
    }
}
