//! The fast path against etherparse.

use etherparse::{LaxSlicedPacket, NetSlice, PacketBuilder, TransportSlice};
use proptest::prelude::*;

use super::super::*;

/// What both parsers say of a frame.
type Seen = (Vec<u8>, Vec<u8>, u16, u16, Vec<u8>);

fn ours(octets: &[u8]) -> Option<Seen> {
    let packet = frame(1, octets).ok()?;
    if packet.ip.fragment.is_some() {
        return None;
    }
    let (source, destination) = (packet.ip.source.ip(), packet.ip.destination.ip());
    let (from, to, payload) = match transport(&packet.ip).ok()? {
        Transport::Other(_) => return None,
        Transport::Tcp(segment) => (
            segment.source_port,
            segment.destination_port,
            segment.payload,
        ),
        Transport::Udp(datagram) => (
            datagram.source_port,
            datagram.destination_port,
            datagram.payload,
        ),
    };
    Some((
        source.to_string().into(),
        destination.to_string().into(),
        from,
        to,
        payload.to_vec(),
    ))
}

fn theirs(octets: &[u8]) -> Option<Seen> {
    let packet = LaxSlicedPacket::from_ethernet(octets).ok()?;
    let (source, destination) = match packet.net? {
        etherparse::LaxNetSlice::Ipv4(ip) => (
            ip.header().source_addr().to_string(),
            ip.header().destination_addr().to_string(),
        ),
        etherparse::LaxNetSlice::Ipv6(ip) => (
            ip.header().source_addr().to_string(),
            ip.header().destination_addr().to_string(),
        ),
        _ => return None,
    };
    let (from, to, payload) = match packet.transport? {
        TransportSlice::Tcp(tcp) => (
            tcp.source_port(),
            tcp.destination_port(),
            tcp.payload().to_vec(),
        ),
        TransportSlice::Udp(udp) => (
            udp.source_port(),
            udp.destination_port(),
            udp.payload().to_vec(),
        ),
        _ => return None,
    };
    Some((source.into(), destination.into(), from, to, payload))
}

fn built(six: bool, tags: u8, tcp: bool, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let builder = match tags {
        0 if six => builder.ipv6([0xfd; 16], [0xfe; 16], 64),
        0 => builder.ipv4([10, 0, 0, 1], [192, 0, 2, 1], 64),
        _ => {
            let tagged = builder.single_vlan(7.try_into().unwrap());
            if six {
                tagged.ipv6([0xfd; 16], [0xfe; 16], 64)
            } else {
                tagged.ipv4([10, 0, 0, 1], [192, 0, 2, 1], 64)
            }
        }
    };
    if tcp {
        builder
            .tcp(ports.0, ports.1, 1, 1024)
            .write(&mut octets, payload)
            .unwrap();
    } else {
        builder
            .udp(ports.0, ports.1)
            .write(&mut octets, payload)
            .unwrap();
    }
    octets
}

proptest! {
    #[test]
    fn reads_what_etherparse_writes_and_reads(
        six: bool, tags in 0u8..2, tcp: bool, ports: (u16, u16), payload in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let octets = built(six, tags, tcp, ports, &payload);
        let seen = ours(&octets);
        prop_assert!(seen.is_some());
        prop_assert_eq!(seen, theirs(&octets));
    }

    #[test]
    fn agrees_with_etherparse_on_damaged_frames(
        six: bool, tcp: bool, at in 14usize..60, octet: u8, payload in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut octets = built(six, 0, tcp, (1000, 2000), &payload);
        let place = at % octets.len();
        octets[place.max(14)] = octet;
        // Where both find ports they find the same; either may be the more forgiving one.
        if let (Some(a), Some(b)) = (ours(&octets), theirs(&octets)) {
            prop_assert_eq!((&a.0, &a.1, a.2, a.3), (&b.0, &b.1, b.2, b.3));
        }
    }

    #[test]
    fn never_panics(link in 0u32..300, octets in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(packet) = frame(link, &octets) {
            prop_assert!(packet.ip.payload.len() <= octets.len());
            let _ = transport(&packet.ip);
        }
    }
}

#[test]
fn the_oracle_still_reads_a_plain_frame() {
    let octets = built(false, 0, true, (1, 2), b"x");
    assert!(matches!(
        etherparse::SlicedPacket::from_ethernet(&octets)
            .unwrap()
            .net,
        Some(NetSlice::Ipv4(_))
    ));
}
