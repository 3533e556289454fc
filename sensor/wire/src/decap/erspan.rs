//! ERSPAN, the mirror of a switch port in GRE (draft-foschiano-erspan-03): types I and II under protocol type 0x88be, type
//! III under 0x22eb.

use super::Inside;
use crate::Reader;
use crate::link::{Layers, Undecoded};

/// Type I has no header of its own, and is told by the missing sequence number in GRE; type II has 8 octets.
pub(super) fn types_1_and_2<'a>(
    has_sequence: bool,
    mut reader: Reader<'a>,
    layers: &mut Layers,
) -> Result<Inside<'a>, Undecoded> {
    if has_sequence {
        let header: [u8; 8] = reader.take_array().ok_or(Undecoded::TunnelCut)?;
        note_tag(header, 1, layers)?;
    }
    Ok(Inside::Frame(reader.rest()))
}

/// 12 octets, the last bit of which announces 8 more that depend on the platform.
pub(super) fn type_3<'a>(
    mut reader: Reader<'a>,
    layers: &mut Layers,
) -> Result<Inside<'a>, Undecoded> {
    let header: [u8; 8] = reader.take_array().ok_or(Undecoded::TunnelCut)?;
    note_tag(header, 2, layers)?;
    let [_, _, frame_type, last] = reader.take_array().ok_or(Undecoded::TunnelCut)?;
    if last & PLATFORM != 0 {
        reader.take(8).ok_or(Undecoded::TunnelCut)?;
    }
    // Bit P, then five bits of frame type: 0 Ethernet, 2 IP.
    match frame_type >> 2 & 0x1f {
        2 => Ok(Inside::Ip(reader.rest())),
        _ => Ok(Inside::Frame(reader.rest())),
    }
}

/// Version and VLAN; class of service, encapsulation of the original frame, session. Where the switch took an 802.1Q tag off
/// the frame the header alone has it.
fn note_tag(header: [u8; 8], version: u8, layers: &mut Layers) -> Result<(), Undecoded> {
    let [a, b, c, ..] = header;
    if a >> 4 != version {
        return Err(Undecoded::TunnelHeader);
    }
    let vlan = u16::from_be_bytes([a, b]) & 0x0fff;
    if version == 1 && c >> 3 & 0x03 == TAG_TAKEN_OFF && vlan != 0 {
        layers.vlan.push(vlan);
    }
    Ok(())
}

const PLATFORM: u8 = 0x01;
/// Type II, field En: the frame came with an 802.1Q tag, which was taken off.
const TAG_TAKEN_OFF: u8 = 2;
