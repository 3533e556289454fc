//! MPLS label stacks (RFC 3032) and what lies below them, which no field names.
//!
//! IP is told by its version and a length that fits (RFC 4928 keeps other payloads from beginning with 4 or 6, but an
//! Ethernet pseudowire without control word (RFC 4448) may begin with any address).

use super::{Encapsulations, EtherType, Layers, Link, Undecoded, ethernet};
use crate::Reader;

/// More labels than any network stacks: entropy, transport, service and segment routing labels make ten or so.
const MAX_LABELS: usize = 16;

/// Takes off the labels and reads what lies below them.
pub(crate) fn labels<'a>(octets: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    layers.enter(Encapsulations::MPLS)?;
    let mut reader = Reader::new(octets);
    for _ in 0..MAX_LABELS {
        let label = reader.u32_be().ok_or(Undecoded::LinkCut)?;
        if label & BOTTOM != 0 {
            return below(reader.rest(), layers);
        }
    }
    Err(Undecoded::MplsStack)
}

fn below<'a>(octets: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    let version = octets.first().ok_or(Undecoded::LinkCut)? >> 4;
    let ip = match version {
        4 => Some(EtherType::IPV4),
        6 => Some(EtherType::IPV6),
        _ => None,
    };
    let as_ip = ip.map(|ether_type| Link {
        ether_type,
        payload: octets,
    });
    if let Some(link) = as_ip
        && is_likely_ip(version, octets)
    {
        return Ok(link);
    }
    // A control word begins with four bits 0, as a sequence number or lengths follow (RFC 4385).
    if version == 0
        && let Some(frame) = octets.get(4..)
        && is_likely_ethernet(frame)
    {
        layers.enter(Encapsulations::NONE)?;
        return ethernet(frame, layers);
    }
    if is_likely_ethernet(octets) {
        layers.enter(Encapsulations::NONE)?;
        return ethernet(octets, layers);
    }
    // A snaplen may have cut what would have told.
    as_ip.ok_or(Undecoded::NotIp)
}

/// Whether the length that an IP header gives fits what is there.
fn is_likely_ip(version: u8, octets: &[u8]) -> bool {
    let mut reader = Reader::new(octets);
    let Some([first, _, len_a, len_b, six_a, six_b]) = reader.take_array() else {
        return false;
    };
    match version {
        4 => {
            let total = usize::from(u16::from_be_bytes([len_a, len_b]));
            first & 0x0f >= 5 && (total == 0 || (20..=octets.len()).contains(&total))
        }
        _ => usize::from(u16::from_be_bytes([six_a, six_b])) + 40 <= octets.len(),
    }
}

/// Whether a frame carries something that frames in a pseudowire carry.
fn is_likely_ethernet(frame: &[u8]) -> bool {
    let Some(&[a, b, version]) = frame.get(12..).and_then(<[u8]>::first_chunk) else {
        return false;
    };
    match EtherType(u16::from_be_bytes([a, b])) {
        EtherType::IPV4 => version >> 4 == 4,
        EtherType::IPV6 => version >> 4 == 6,
        EtherType::ARP
        | EtherType::VLAN
        | EtherType::SERVICE_VLAN
        | EtherType::MPLS
        | EtherType::PPPOE_DISCOVERY
        | EtherType::PPPOE_SESSION => true,
        ether_type => ether_type.is_length() && matches!(version, 0x42 | 0xaa | 0xfe),
    }
}

/// The bit of the last label.
const BOTTOM: u32 = 0x100;

#[cfg(test)]
mod tests {
    use super::*;

    const BOTTOM_LABEL: [u8; 4] = [0x00, 0x06, 0x31, 0x40]; // label 99, bottom, time to live 64
    const LABEL: [u8; 4] = [0x00, 0x0f, 0xe0, 0x40]; // label 254

    fn read(parts: &[&[u8]]) -> Result<(EtherType, Vec<u8>), Undecoded> {
        let octets = parts.concat();
        let link = labels(&octets, &mut Layers::default())?;
        Ok((link.ether_type, link.payload.to_vec()))
    }

    fn four(length: u8) -> Vec<u8> {
        let mut octets = vec![0; usize::from(length)];
        octets[0] = 0x45;
        octets[3] = length;
        octets
    }

    #[test]
    fn finds_both_versions_below_several_labels() {
        assert_eq!(
            read(&[&LABEL, &LABEL, &BOTTOM_LABEL, &four(20)]),
            Ok((EtherType::IPV4, four(20)))
        );
        let mut six = vec![0; 40];
        six[0] = 0x60;
        assert_eq!(
            read(&[&BOTTOM_LABEL, &six]),
            Ok((EtherType::IPV6, six.clone()))
        );
    }

    #[test]
    fn finds_the_frame_of_a_pseudowire_with_and_without_control_word() {
        // The first address begins as an IPv4 header does.
        let frame = [
            &[0x46, 0, 0xff, 0xff, 0, 1][..],
            &[2, 0, 0, 0, 0, 2],
            &[0x08, 0x00],
            &four(20),
        ]
        .concat();
        assert_eq!(
            read(&[&BOTTOM_LABEL, &frame]),
            Ok((EtherType::IPV4, four(20)))
        );
        assert_eq!(
            read(&[&BOTTOM_LABEL, &[0, 0, 0, 9], &frame]),
            Ok((EtherType::IPV4, four(20)))
        );
    }

    #[test]
    fn takes_a_cut_packet_by_its_version_alone() {
        let cut = [0x45, 0, 0x05, 0xdc, 0, 0];
        assert_eq!(
            read(&[&BOTTOM_LABEL, &cut]),
            Ok((EtherType::IPV4, cut.to_vec()))
        );
    }

    #[test]
    fn bounds_the_stack_and_names_the_rest() {
        assert_eq!(
            read(&[&LABEL.repeat(MAX_LABELS + 1), &BOTTOM_LABEL]),
            Err(Undecoded::MplsStack)
        );
        assert_eq!(read(&[&LABEL]), Err(Undecoded::LinkCut));
        assert_eq!(
            read(&[&BOTTOM_LABEL, &[0x10, 0x01, 0, 4]]),
            Err(Undecoded::NotIp),
            "an associated channel (RFC 5586)"
        );
    }
}
