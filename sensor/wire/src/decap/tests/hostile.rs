//! Octets of a sender who means harm.

use proptest::prelude::*;

use super::wrap::{WRAPPERS, datagram, four, six};
use super::*;
use crate::link::MAX_DEPTH;

#[test]
fn ip_in_ip_without_end_stops_at_the_depth() {
    let mut packet = four(253, b"x");
    for _ in 0..100 {
        packet = four(4, &packet);
    }
    let here = unwrap(&packet);
    assert_eq!(here.layers.depth, MAX_DEPTH);
    assert_eq!(here.stopped, Some(Undecoded::Depth));
    assert_eq!(here.ip.protocol, Protocol::IPV4, "the packet at the bound");
}

#[test]
fn every_encapsulation_without_end_stops_at_the_depth() {
    for wrapper in WRAPPERS {
        let mut packet = four(253, b"x");
        for _ in 0..40 {
            packet = (wrapper.around)(&packet);
        }
        let here = unwrap(&packet);
        assert!(here.layers.depth <= MAX_DEPTH, "{}", wrapper.name);
        assert_eq!(here.stopped, Some(Undecoded::Depth), "{}", wrapper.name);
    }
}

#[test]
fn lengths_that_lie_end_the_descent() {
    // Extension headers of GTP of no length, and more of them than there may be.
    let gtp = |extensions: &[u8]| {
        let length = (extensions.len() as u16 + 4).to_be_bytes();
        let head = [&[0x34, 0xff], &length[..], &[0, 0, 0, 1, 0, 0, 0, 0x85]].concat();
        datagram(2152, &[&head, extensions].concat())
    };
    for octets in [
        gtp(&[0, 0, 0, 0x85]),
        gtp(&[1, 0, 0, 0x85].repeat(20)),
        gtp(&[255, 0, 0, 0]),
    ] {
        assert_eq!(unwrap(&octets).layers, Layers::default());
    }
    // Source routes without end.
    let routes = [
        &[0x40, 0, 0x08, 0x00, 0, 0, 0, 0][..],
        &[1, 0, 0, 0].repeat(30),
    ]
    .concat();
    assert_eq!(
        unwrap(&four(47, &routes)).stopped,
        Some(Undecoded::TunnelHeader)
    );
    // An authentication of Teredo that is longer than its datagram.
    assert_eq!(
        innermost(&datagram(3544, &[0, 1, 255, 255, 0, 0])).0,
        Protocol::UDP.0
    );
    // Padding of L2TP beyond the end.
    assert_eq!(
        innermost(&datagram(1701, &[2, 2, 0, 1, 0, 1, 0xff, 0xff, 0, 0x21])).0,
        Protocol::UDP.0
    );
}

proptest! {
    #[test]
    fn damaged_packets_never_panic_nor_grow(
        ways in prop::collection::vec(0..WRAPPERS.len(), 1..5),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        is_six: bool,
    ) {
        let mut packet = if is_six { six(6, &[7; 20]) } else { four(17, &[7; 20]) };
        for way in ways {
            packet = (WRAPPERS[way].around)(&packet);
        }
        for (place, octet) in changes {
            let place = place.index(packet.len());
            packet[place] = octet;
        }
        if let Ok(here) = frame(RAW, &packet) {
            prop_assert!(here.layers.depth <= MAX_DEPTH);
            prop_assert!(here.ip.payload.len() <= packet.len());
            let _ = transport(&here.ip);
        }
    }

    #[test]
    fn random_octets_of_any_link_never_panic(
        link in 0u32..300, octets in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        if let Ok(here) = frame(link, &octets) {
            prop_assert!(here.ip.payload.len() <= octets.len());
            let _ = transport(&here.ip);
        }
    }
}
