//! GRE: version 0 with its options (RFC 2784, RFC 2890, the source routes of RFC 1701), Ethernet in it (EoGRE, NVGRE of RFC
//! 7637), Cisco's redirection (WCCP), Aruba's access points, version 1 as PPTP has it (RFC 2637), GRE in UDP (RFC 8086).

use super::{Carrier, Inside, Opened, erspan};
use crate::Reader;
use crate::link::{Encapsulations, EtherType, Layers, Tunnel, Undecoded};

/// The first four octets: flags, version, protocol type.
#[derive(Clone, Copy)]
struct Header {
    flags: u16,
    protocol: EtherType,
}

impl Header {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    /// Version 1 only.
    const ACKNOWLEDGEMENT: u16 = 0x0080;
    const VERSION: u16 = 0x0007;
    /// Bits of version 0 that RFC 2784 wants to be 0: the recursion count of RFC 1701, and what was never defined.
    const RESERVED: u16 = 0x0ff8;

    fn has(self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

/// IP protocol 47.
pub(super) fn open<'a>(carrier: &Carrier<'a>, layers: &mut Layers) -> Opened<'a> {
    match header(carrier.payload, layers) {
        Ok(opened) => opened,
        Err(why) => {
            layers.met.insert(Encapsulations::GRE);
            Opened::Dark(why)
        }
    }
}

/// UDP port 4754: version 0 only, and nothing but what is defined.
pub(super) fn over_udp<'a>(carrier: &Carrier<'a>, layers: &mut Layers) -> Opened<'a> {
    let Some(&[a, b]) = carrier.payload.first_chunk() else {
        return Opened::Not;
    };
    let flags = u16::from_be_bytes([a, b]);
    if flags & (Header::VERSION | Header::RESERVED | Header::ROUTING) != 0 {
        return Opened::Not;
    }
    match header(carrier.payload, layers) {
        Ok(opened) => opened,
        Err(Undecoded::Depth) => Opened::Dark(Undecoded::Depth),
        Err(_) => Opened::Not,
    }
}

fn header<'a>(octets: &'a [u8], layers: &mut Layers) -> Result<Opened<'a>, Undecoded> {
    let mut reader = Reader::new(octets);
    let header = Header {
        flags: reader.u16_be().ok_or(Undecoded::TunnelCut)?,
        protocol: EtherType(reader.u16_be().ok_or(Undecoded::TunnelCut)?),
    };
    layers.enter(Encapsulations::GRE)?;
    match header.flags & Header::VERSION {
        0 => version_0(header, reader, layers),
        1 => version_1(header, reader),
        _ => Err(Undecoded::TunnelHeader),
    }
}

fn version_0<'a>(
    header: Header,
    mut reader: Reader<'a>,
    layers: &mut Layers,
) -> Result<Opened<'a>, Undecoded> {
    if header.has(Header::CHECKSUM | Header::ROUTING) {
        // Checksum, and the offset of the active route or what is reserved in its place.
        reader.u32_be().ok_or(Undecoded::TunnelCut)?;
    }
    let key = if header.has(Header::KEY) {
        Some(reader.u32_be().ok_or(Undecoded::TunnelCut)?)
    } else {
        None
    };
    if header.has(Header::SEQUENCE) {
        reader.u32_be().ok_or(Undecoded::TunnelCut)?;
    }
    if header.has(Header::ROUTING) {
        skip_routes(&mut reader)?;
    }
    let inside = match header.protocol {
        EtherType::BRIDGED => {
            if let Some(network) = key.and_then(|key| virtual_subnet(header, key)) {
                layers.vni = Some(network);
                layers.met.insert(Encapsulations::NVGRE);
            }
            Inside::Frame(reader.rest())
        }
        ERSPAN => {
            layers.enter(Encapsulations::ERSPAN)?;
            erspan::types_1_and_2(header.has(Header::SEQUENCE), reader, layers)?
        }
        ERSPAN_3 => {
            layers.enter(Encapsulations::ERSPAN)?;
            erspan::type_3(reader, layers)?
        }
        WCCP => {
            // Version 2 puts four octets before the packet; the first of them is no IP version.
            let rest = reader.rest();
            match rest.first().ok_or(Undecoded::TunnelCut)? >> 4 {
                4 | 6 => Inside::Ip(rest),
                _ => Inside::Ip(rest.get(4..).ok_or(Undecoded::TunnelCut)?),
            }
        }
        // The radio side of Aruba's tunnels: one type for each virtual access point.
        EtherType(0x8200..=0x83ff) if header.protocol.0 & 0x0f == 0 => Inside::Wlan(reader.rest()),
        EtherType(0x9000) => Inside::Wlan(reader.rest()),
        protocol => Inside::Typed(protocol, reader.rest()),
    };
    Ok(Opened::network(inside))
}

/// RFC 7637, 3.2: a key, no checksum and no sequence number; the low 8 bits of the key only spread flows, and ids below
/// 0x1000 are reserved.
fn virtual_subnet(header: Header, key: u32) -> Option<u32> {
    let id = key >> 8;
    let plain = !header.has(Header::CHECKSUM | Header::SEQUENCE | Header::ROUTING);
    (plain && id >= 0x1000).then_some(id)
}

/// Source route entries (RFC 1701): family, offset, length, then so many octets; all 0 ends them.
fn skip_routes(reader: &mut Reader<'_>) -> Result<(), Undecoded> {
    for _ in 0..MAX_ROUTES {
        let [family_a, family_b, _, length] = reader.take_array().ok_or(Undecoded::TunnelCut)?;
        if (family_a, family_b, length) == (0, 0, 0) {
            return Ok(());
        }
        (reader.take(usize::from(length))).ok_or(Undecoded::TunnelCut)?;
    }
    Err(Undecoded::TunnelHeader)
}

/// PPTP: payload length, call id, then sequence and acknowledgement number where flags say so. Without payload it only
/// acknowledges.
fn version_1<'a>(header: Header, mut reader: Reader<'a>) -> Result<Opened<'a>, Undecoded> {
    if header.protocol != EtherType::PPP
        || !header.has(Header::KEY)
        || header.has(Header::CHECKSUM | Header::ROUTING)
    {
        return Err(Undecoded::TunnelHeader);
    }
    let length = usize::from(reader.u16_be().ok_or(Undecoded::TunnelCut)?);
    reader.u16_be().ok_or(Undecoded::TunnelCut)?;
    for flag in [Header::SEQUENCE, Header::ACKNOWLEDGEMENT] {
        if header.has(flag) {
            reader.u32_be().ok_or(Undecoded::TunnelCut)?;
        }
    }
    if length == 0 || !header.has(Header::SEQUENCE) {
        return Err(Undecoded::TunnelNotIp);
    }
    let rest = reader.rest();
    Ok(Opened::Inside(
        Tunnel::Pptp,
        Inside::Ppp(rest.get(..length).unwrap_or(rest)),
    ))
}

const ERSPAN: EtherType = EtherType(0x88be);
const ERSPAN_3: EtherType = EtherType(0x22eb);
const WCCP: EtherType = EtherType(0x883e);
/// More routers than any source route names.
const MAX_ROUTES: usize = 16;
