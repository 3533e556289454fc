//! Each encapsulation: what is met, what is kept, and what stays outside.

use proptest::prelude::*;

use super::wrap::{self, WRAPPERS, datagram, four, six, udp};
use super::*;
use crate::net::Address;

#[test]
fn finds_what_each_encapsulation_carries() {
    let inner = udp((4000, 9), b"payload");
    for wrapper in WRAPPERS {
        for packet in [four(17, &inner), six(17, &inner)] {
            let outer = (wrapper.around)(&packet);
            let here = unwrap(&outer);
            assert_eq!(here.ip.payload, inner, "{}", wrapper.name);
            assert_eq!(here.stopped, None, "{}", wrapper.name);
            for name in wrapper.meets {
                assert!(met(&here.layers).contains(name), "{}", wrapper.name);
            }
            assert!(here.layers.outer.is_some() || wrapper.meets == ["ah"]);
        }
    }
}

#[test]
fn names_the_four_ways_of_ip_in_ip() {
    let (four_inside, six_inside) = (four(253, b"x"), six(253, b"x"));
    for (outer, name) in [
        (four(4, &four_inside), "4in4"),
        (six(4, &four_inside), "4in6"),
        (four(41, &six_inside), "6in4"),
        (six(41, &six_inside), "6in6"),
    ] {
        assert_eq!(met(&unwrap(&outer).layers), [name]);
    }
}

#[test]
fn keeps_the_last_network_and_every_tag() {
    let inner = wrap::frame(&four(253, b"x"));
    let tagged = [&inner[..12], &[0x81, 0x00, 0x00, 0x07], &inner[12..]].concat();
    let vxlan = datagram(4789, &[&[8, 0, 0, 0, 0, 0, 0x2a, 0], &tagged[..]].concat());
    let geneve = datagram(
        6081,
        &[&[0, 0, 0x65, 0x58, 0, 0, 0x07, 0], &wrap::frame(&vxlan)[..]].concat(),
    );
    let outside = wrap::frame(&geneve);
    let outside = [&outside[..12], &[0x81, 0x00, 0x00, 0x64], &outside[12..]].concat();
    let here = frame(1, &outside).unwrap();
    assert_eq!(here.layers.vlan.ids(), [100, 7]);
    assert_eq!(here.layers.vni, Some(42));
    assert_eq!(met(&here.layers), ["vlan", "vxlan", "geneve"]);
    let outer = here.layers.outer.unwrap();
    assert_eq!(
        (outer.tunnel, outer.source.1, outer.destination.1),
        (Tunnel::Network, 49_152, 6081),
        "the outermost one"
    );
}

#[test]
fn a_virtual_subnet_is_told_from_a_key() {
    let inner = wrap::frame(&four(253, b"x"));
    let of = |flags: u8, key: [u8; 4]| {
        let octets = four(47, &[&[flags, 0, 0x65, 0x58], &key[..], &inner].concat());
        unwrap(&octets).layers.vni
    };
    assert_eq!(of(0x20, [0x00, 0x12, 0x34, 0x05]), Some(0x1234));
    assert_eq!(of(0x20, [0, 0, 0, 100]), None, "an ordinary key");
}

#[test]
fn a_tag_that_erspan_took_off_is_kept() {
    let inner = wrap::frame(&four(253, b"x"));
    let header = [
        &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1][..],
        &[0x10, 0x64, 0x10, 0x05], // version 1, VLAN 100, tag taken off, session 5
        &[0, 0, 0, 7],
    ];
    let octets = four(47, &[&header.concat(), &inner[..]].concat());
    assert_eq!(unwrap(&octets).layers.vlan.ids(), [100]);
}

#[test]
fn a_tunnel_of_an_endpoint_goes_before_one_of_the_network() {
    let teredo = datagram(3797, &six(59, b""));
    let outside = four(4, &teredo);
    let outer = unwrap(&outside).layers.outer.unwrap();
    assert_eq!((outer.tunnel, outer.destination.1), (Tunnel::Teredo, 3797));
}

#[test]
fn names_pptp_whose_inside_is_encrypted() {
    let octets = four(
        47,
        &[
            &[0x30, 0x01, 0x88, 0x0b, 0, 6, 0, 9, 0, 0, 0, 1][..],
            &[0x00, 0xfd, 0x90, 0x01, 0x5a, 0xc3],
        ]
        .concat(),
    );
    let here = unwrap(&octets);
    assert_eq!(here.stopped, Some(Undecoded::TunnelEncrypted));
    assert_eq!(here.ip.protocol, Protocol::GRE);
    let outer = here.layers.outer.unwrap();
    assert_eq!(
        (outer.tunnel, outer.source.0),
        (Tunnel::Pptp, here.ip.source)
    );
}

#[test]
fn what_a_tunnel_has_besides_ip_stays_outside_and_is_counted() {
    let arp = [&[0xff; 6][..], &[2; 6], &[0x08, 0x06], &[0; 28]].concat();
    for (octets, why, name) in [
        (
            datagram(4789, &[&[8, 0, 0, 0, 0, 0, 1, 0], &arp[..]].concat()),
            Undecoded::TunnelNotIp,
            "vxlan",
        ),
        (
            four(47, &[&[0, 0, 0x20, 0x00], &[1; 20][..]].concat()),
            Undecoded::TunnelNotIp,
            "gre",
        ),
        (
            four(47, &[&[0, 2, 0x08, 0x00], &[1; 20][..]].concat()),
            Undecoded::TunnelHeader,
            "gre",
        ),
        (
            datagram(6081, &[2, 0, 0x65, 0x58, 0, 0, 1, 0, 0, 0, 0, 1]),
            Undecoded::TunnelCut,
            "geneve",
        ),
        (
            datagram(5247, &[1, 0, 0, 0, 23, 0xfe, 0xfd, 0, 1]),
            Undecoded::TunnelEncrypted,
            "capwap",
        ),
        (
            datagram(5247, &[0, 0x10, 2, 0x80, 0, 7, 0, 0, 1, 2, 3]),
            Undecoded::TunnelFragment,
            "capwap",
        ),
    ] {
        let here = unwrap(&octets);
        assert_eq!((here.stopped, here.layers.depth <= 2), (Some(why), true));
        assert_eq!(met(&here.layers), [name]);
        assert_eq!(here.ip.source, Address::v4([10, 0, 0, 1]));
    }
}

#[test]
fn a_port_alone_proves_nothing() {
    let inner = four(17, &udp((1, 2), b"payload"));
    let mut longer = inner.clone();
    longer[2..4].copy_from_slice(&500_u16.to_be_bytes());
    let gtp = |flags: u8, kind: u8, inner: &[u8]| {
        let length = (inner.len() as u16).to_be_bytes();
        datagram(
            2152,
            &[&[flags, kind], &length[..], &[0, 0, 0, 1], inner].concat(),
        )
    };
    for (what, octets) in [
        (
            "DNS on the port of VXLAN",
            datagram(4789, b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0"),
        ),
        (
            "a reserved flag",
            datagram(
                4789,
                &[&[0x0a, 0, 0, 0, 0, 0, 1, 0], &wrap::frame(&inner)[..]].concat(),
            ),
        ),
        (
            "a reserved octet",
            datagram(
                4789,
                &[&[8, 0, 0, 0, 0, 0, 1, 1], &wrap::frame(&inner)[..]].concat(),
            ),
        ),
        (
            "an inner packet longer than the outer one",
            datagram(
                4789,
                &[&[8, 0, 0, 0, 0, 0, 1, 0], &wrap::frame(&longer)[..]].concat(),
            ),
        ),
        (
            "version 1 of Geneve",
            datagram(
                6081,
                &[&[0x40, 0, 0x65, 0x58, 0, 0, 1, 0], &wrap::frame(&inner)[..]].concat(),
            ),
        ),
        ("version 2 of GTP", gtp(0x50, 0xff, &inner)),
        ("GTP's echo", gtp(0x30, 1, &inner)),
        ("no IP in GTP", gtp(0x30, 0xff, b"something else")),
        ("a longer packet in GTP", gtp(0x30, 0xff, &longer)),
        (
            "an IPv6 header of another length",
            datagram(3544, &[&six(59, b"")[..], b"x"].concat()),
        ),
        ("no address of Teredo", {
            let mut packet = six(59, b"");
            packet[8..12].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
            datagram(3797, &packet)
        }),
        (
            "a control message of L2TP",
            datagram(1701, &[0xc8, 2, 0, 12, 0, 1, 0, 0, 0, 0, 0, 0]),
        ),
        (
            "PPP's own negotiation in L2TP",
            datagram(1701, &[0, 2, 0, 1, 0, 2, 0xff, 3, 0xc0, 0x21, 1, 1, 0, 4]),
        ),
        (
            "a keepalive of CAPWAP",
            datagram(5247, &[0, 0x10, 2, 8, 0, 0, 0, 0, 0, 22, 0, 35, 0, 16]),
        ),
        (
            "GRE version 1 in UDP",
            datagram(4754, &[&[0x30, 1, 0x88, 0x0b], &[0; 20][..]].concat()),
        ),
    ] {
        let here = unwrap(&octets);
        assert_eq!(here.ip.protocol, Protocol::UDP, "{what}");
        assert_eq!(here.layers, Layers::default(), "{what}");
        assert_eq!(here.stopped, None, "{what}");
    }
}

/// The same with the checksum that [`four`] leaves out.
fn summed(mut packet: Vec<u8>) -> Vec<u8> {
    let words = packet[..20].chunks(2);
    let sum: u32 = words
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    packet[10..12].copy_from_slice(&(!folded as u16).to_be_bytes());
    packet
}

#[test]
fn finds_a_tunnel_on_a_port_that_somebody_chose() {
    let inner = udp((4000, 9), &[7; 40]);
    for packet in [summed(four(17, &inner)), six(17, &inner)] {
        let frame = wrap::frame(&packet);
        let tagged = [&frame[..12], &[0x81, 0x00, 0x00, 0x07], &frame[12..]].concat();
        let ether_type = &frame[12..14];
        let length = (packet.len() as u16).to_be_bytes();
        for (name, payload) in [
            ("vxlan", [&[8, 0, 0, 0, 0, 0, 0x2a, 0], &frame[..]].concat()),
            (
                "vxlan",
                [&[8, 0, 0, 0, 0, 0, 0x2a, 0], &tagged[..]].concat(),
            ),
            (
                "geneve",
                [&[0, 0, 0x65, 0x58, 0, 0, 7, 0], &frame[..]].concat(),
            ),
            (
                "geneve",
                [&[1, 0], ether_type, &[0, 0, 7, 0, 1, 2, 3, 4], &packet].concat(),
            ),
            (
                "gtp",
                [&[0x30, 0xff], &length[..], &[0, 0, 0, 1], &packet].concat(),
            ),
        ] {
            let outer = datagram(53, &payload);
            let here = unwrap(&outer);
            assert_eq!(here.ip.payload, inner, "{name}");
            assert!(met(&here.layers).contains(&name), "{name}");
            // What follows the packet is not the tunnel's.
            let longer = datagram(53, &[&payload[..], b"x"].concat());
            assert_eq!(unwrap(&longer).layers, Layers::default(), "{name}");
        }
    }
    let short = summed(four(17, &udp((4000, 9), b"x")));
    let mut padded = wrap::frame(&short);
    padded.resize(60, 0);
    let outer = datagram(53, &[&[8, 0, 0, 0, 0, 0, 1, 0], &padded[..]].concat());
    assert_eq!(met(&unwrap(&outer).layers), ["vxlan"]);
}

#[test]
fn on_such_a_port_a_packet_has_to_be_whole_and_right() {
    let inner = four(17, &udp((4000, 9), &[7; 40]));
    let arp = [&[0xff; 6][..], &[2; 6], &[0x08, 0x06], &[0; 28]].concat();
    for (what, payload) in [
        (
            "a wrong checksum",
            [&[8, 0, 0, 0, 0, 0, 1, 0], &wrap::frame(&inner)[..]].concat(),
        ),
        ("ARP", [&[8, 0, 0, 0, 0, 0, 1, 0], &arp[..]].concat()),
        ("nothing", vec![8, 0, 0, 0, 0, 0, 1, 0]),
        (
            "options beyond the end",
            vec![0x3f, 0, 0x65, 0x58, 0, 0, 1, 0],
        ),
        (
            "a query",
            b"\x08\0\0\0\0\x01\0\0\0\0\0\0\x01x\0\0\x01\0\x01".to_vec(),
        ),
    ] {
        let outer = datagram(53, &payload);
        assert_eq!(unwrap(&outer).layers, Layers::default(), "{what}");
    }
}

#[test]
fn goes_on_behind_a_packet_that_was_put_together() {
    let inner = four(17, &udp((4000, 9), b"payload"));
    let gre = [&[0, 0, 0x08, 0x00], &inner[..]].concat();
    let mut first = four(47, &gre[..24]);
    first[6] = 0x20; // more fragments
    let here = unwrap(&first);
    assert!(here.ip.fragment.is_some() && here.layers.met.is_empty());
    let whole = Ip {
        fragment: None,
        payload: &gre,
        payload_len: gre.len() as u32,
        ..here.ip
    };
    let here = reassembled(here.layers, whole).unwrap();
    assert_eq!(met(&here.layers), ["gre"]);
    assert!(matches!(transport(&here.ip), Ok(Transport::Udp(_))));
}

#[test]
fn reads_extension_headers_that_only_the_whole_packet_shows() {
    let payload = [&[17, 0, 1, 4, 0, 0, 0, 0], &udp((1, 2), b"x")[..]].concat();
    let octets = six(60, &payload);
    let mut ip = unwrap(&octets).ip;
    assert_eq!(ip.protocol, Protocol::UDP);
    (ip.protocol, ip.payload) = (Protocol(60), &payload);
    let here = reassembled(Layers::default(), ip).unwrap();
    assert_eq!(here.ip.protocol, Protocol::UDP);
}

#[test]
fn gives_protocols_without_ports_what_stands_for_them() {
    let ports = |octets: &[u8]| match transport(&unwrap(octets).ip) {
        Ok(Transport::Other(other)) => (other.source_port, other.destination_port),
        other => panic!("{other:?}"),
    };
    assert_eq!(ports(&four(1, &[8, 0, 0, 0])), (8, 0), "echo");
    assert_eq!(ports(&four(1, &[0, 0, 0, 0])), (0, 8), "its reply");
    assert_eq!(ports(&four(1, &[3, 1, 0, 0])), (3, 1), "unreachable");
    assert_eq!(ports(&six(58, &[136, 0, 0, 0])), (136, 135));
    assert_eq!(ports(&four(132, &[0x0b, 0x59, 0x0b, 0x5a])), (2905, 2906));
    assert_eq!(ports(&four(50, &[1, 2, 3, 4])), (0, 0), "ESP");
    assert_eq!(ports(&four(1, &[8])), (0, 0), "a cut one");
}

proptest! {
    /// Whatever lies inside whatever: the same packet comes out, and every layer is named.
    #[test]
    fn any_nesting_leads_to_the_packet(
        ways in prop::collection::vec(0..WRAPPERS.len(), 0..6),
        is_six: bool,
        payload in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let inner = udp((4000, 9), &payload);
        let mut packet = if is_six { six(17, &inner) } else { four(17, &inner) };
        for way in &ways {
            packet = (WRAPPERS[*way].around)(&packet);
        }
        let here = unwrap(&packet);
        prop_assert_eq!(here.ip.payload, &inner[..]);
        for name in ways.iter().flat_map(|way| WRAPPERS[*way].meets) {
            prop_assert!(met(&here.layers).contains(name), "{} is missing", name);
        }
    }

    /// A capture that was cut loses what is inside, and never finds something else.
    #[test]
    fn a_cut_packet_is_the_same_or_stays_outside(way in 0..WRAPPERS.len(), is_six: bool) {
        let inner = udp((4000, 9), b"payload");
        let packet = if is_six { six(17, &inner) } else { four(17, &inner) };
        let outer = (WRAPPERS[way].around)(&packet);
        let whole = unwrap(&outer);
        for length in 40..outer.len() {
            let cut = frame(RAW, &outer[..length]).unwrap();
            let same = (cut.ip.source, cut.ip.destination, cut.ip.protocol)
                == (whole.ip.source, whole.ip.destination, whole.ip.protocol);
            let outside = cut.stopped.is_some() || cut.layers == Layers::default();
            prop_assert!(same || outside, "cut at {}", length);
            prop_assert!(cut.ip.payload.len() <= length);
        }
    }
}
