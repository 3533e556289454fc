//! What an IP protocol number names: IP in IP in its four combinations (RFC 2003, 2473, 4213), Ethernet in IP (RFC 3378),
//! MPLS in IP (RFC 4023) and in UDP (RFC 7510).

use super::{Carrier, Inside, Opened};
use crate::link::{Encapsulations, Layers, Undecoded};

/// IP protocol 4.
pub(super) fn v4<'a>(carrier: &Carrier<'a>, layers: &mut Layers) -> Opened<'a> {
    let kind = if carrier.over_v4 {
        Encapsulations::FOUR_IN_FOUR
    } else {
        Encapsulations::FOUR_IN_SIX
    };
    packet(4, kind, carrier, layers)
}

/// IP protocol 41.
pub(super) fn v6<'a>(carrier: &Carrier<'a>, layers: &mut Layers) -> Opened<'a> {
    let kind = if carrier.over_v4 {
        Encapsulations::SIX_IN_FOUR
    } else {
        Encapsulations::SIX_IN_SIX
    };
    packet(6, kind, carrier, layers)
}

fn packet<'a>(
    version: u8,
    kind: Encapsulations,
    carrier: &Carrier<'a>,
    layers: &mut Layers,
) -> Opened<'a> {
    // As of GRE, the kind is named even where what is inside is cut or nonsense: the outer header says so.
    let mut dark = |why| {
        layers.met.insert(kind);
        Opened::Dark(why)
    };
    match carrier.payload.first() {
        None => dark(Undecoded::TunnelCut),
        Some(first) if first >> 4 != version => dark(Undecoded::TunnelHeader),
        Some(_) => match layers.enter(kind) {
            Ok(()) => Opened::network(Inside::Ip(carrier.payload)),
            Err(why) => Opened::Dark(why),
        },
    }
}

/// IP protocol 97: version 3 and 12 bits 0, then a frame.
pub(super) fn ethernet<'a>(carrier: &Carrier<'a>, layers: &mut Layers) -> Opened<'a> {
    let Some((&[version, reserved], frame)) = carrier.payload.split_first_chunk() else {
        return Opened::Dark(Undecoded::TunnelCut);
    };
    // OpenBSD once wrote the version into the other half of the octet.
    if !matches!(version, 0x30 | 0x03) || reserved != 0 {
        return Opened::Dark(Undecoded::TunnelHeader);
    }
    match layers.enter(Encapsulations::ETHERIP) {
        Ok(()) => Opened::network(Inside::Frame(frame)),
        Err(why) => Opened::Dark(why),
    }
}

/// IP protocol 137, or UDP port 6635.
pub(super) fn labels<'a>(carrier: &Carrier<'a>, _: &mut Layers) -> Opened<'a> {
    Opened::network(Inside::Labels(carrier.payload))
}
