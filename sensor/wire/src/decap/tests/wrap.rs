//! Writes headers around packets, each as its document has it.

/// An IPv4 packet from 10.0.0.1 to 192.0.2.1.
pub(super) fn four(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let total = (payload.len() + 20) as u16;
    [
        &[0x45, 0][..],
        &total.to_be_bytes(),
        &[0, 1, 0, 0], // identification, no fragment
        &[64, protocol, 0, 0],
        &[10, 0, 0, 1],
        &[192, 0, 2, 1],
        payload,
    ]
    .concat()
}

/// An IPv6 packet from a Teredo address to one of the internet.
pub(super) fn six(next: u8, payload: &[u8]) -> Vec<u8> {
    [
        &[0x60, 0, 0, 0][..],
        &(payload.len() as u16).to_be_bytes(),
        &[next, 64],
        &[0x20, 0x01, 0, 0, 0x41, 0x37, 0x9e, 0x76],
        &[0x80, 0, 0x3f, 0x57, 0x0f, 0xff, 0x12, 0x34],
        &[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        payload,
    ]
    .concat()
}

pub(super) fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    [
        &ports.0.to_be_bytes()[..],
        &ports.1.to_be_bytes(),
        &(payload.len() as u16 + 8).to_be_bytes(),
        &[0, 0], // no checksum
        payload,
    ]
    .concat()
}

/// A datagram in IPv4, to a port.
pub(super) fn datagram(port: u16, payload: &[u8]) -> Vec<u8> {
    four(17, &udp((49_152, port), payload))
}

/// An Ethernet frame around an IP packet.
pub(super) fn frame(packet: &[u8]) -> Vec<u8> {
    let ether_type = if is_four(packet) {
        [0x08, 0x00]
    } else {
        [0x86, 0xdd]
    };
    [
        &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2],
        &ether_type[..],
        packet,
    ]
    .concat()
}

pub(super) fn is_four(packet: &[u8]) -> bool {
    packet[0] >> 4 == 4
}

/// A way to put an IP packet into another one, and what must be met then.
pub(super) struct Wrapper {
    pub(super) name: &'static str,
    pub(super) around: fn(&[u8]) -> Vec<u8>,
    pub(super) meets: &'static [&'static str],
}

const fn by(
    name: &'static str,
    around: fn(&[u8]) -> Vec<u8>,
    meets: &'static [&'static str],
) -> Wrapper {
    Wrapper {
        name,
        around,
        meets,
    }
}

fn ether_type(packet: &[u8]) -> [u8; 2] {
    if is_four(packet) {
        [0x08, 0x00]
    } else {
        [0x86, 0xdd]
    }
}

/// Label 254, then label 99 with the bottom bit.
const LABELS: [u8; 8] = [0x00, 0x0f, 0xe0, 0x40, 0x00, 0x06, 0x31, 0x40];

/// PPP with address and control field.
fn ppp(packet: &[u8]) -> Vec<u8> {
    let protocol = if is_four(packet) { 0x21 } else { 0x57 };
    [&[0xff, 0x03, 0x00, protocol], packet].concat()
}

/// Every way there is.
pub(super) const WRAPPERS: &[Wrapper] = &[
    by(
        "GRE",
        |inner| four(47, &[&[0, 0], &ether_type(inner)[..], inner].concat()),
        &["gre"],
    ),
    by(
        "GRE with everything optional",
        |inner| {
            let header = [
                &[0xf0, 0x00][..], // checksum, routing, key, sequence
                &ether_type(inner),
                &[0, 0, 0, 0],                    // checksum, offset
                &[0, 0, 0, 7],                    // key
                &[0, 0, 0, 1],                    // sequence
                &[0x08, 0x00, 0, 4, 10, 0, 0, 9], // a route over one router
                &[0, 0, 0, 0],                    // the end of the routes
            ];
            six(47, &[&header.concat(), inner].concat())
        },
        &["gre"],
    ),
    by(
        "NVGRE",
        |inner| {
            four(
                47,
                &[
                    &[0x20, 0, 0x65, 0x58, 0x00, 0x12, 0x34, 0x01],
                    &frame(inner)[..],
                ]
                .concat(),
            )
        },
        &["gre", "nvgre"],
    ),
    by(
        "Ethernet over GRE",
        |inner| six(47, &[&[0, 0, 0x65, 0x58], &frame(inner)[..]].concat()),
        &["gre"],
    ),
    by(
        "GRE in UDP",
        |inner| datagram(4754, &[&[0, 0], &ether_type(inner)[..], inner].concat()),
        &["gre"],
    ),
    by(
        "WCCP version 2",
        |inner| {
            let inner = if is_four(inner) {
                inner.to_vec()
            } else {
                four(41, inner)
            };
            four(
                47,
                &[&[0, 0, 0x88, 0x3e, 0, 0x50, 0, 0], &inner[..]].concat(),
            )
        },
        &["gre"],
    ),
    by(
        "PPTP",
        |inner| {
            let frame = ppp(inner);
            let header = [
                &[0x30, 0x81, 0x88, 0x0b][..], // key, sequence, acknowledgement, version 1, PPP
                &(frame.len() as u16).to_be_bytes(),
                &[0, 9],       // call id
                &[0, 0, 0, 5], // sequence
                &[0, 0, 0, 4], // acknowledgement
            ];
            four(47, &[&header.concat(), &frame[..]].concat())
        },
        &["gre", "ppp"],
    ),
    by(
        "ERSPAN I",
        |inner| four(47, &[&[0, 0, 0x88, 0xbe], &frame(inner)[..]].concat()),
        &["gre", "erspan"],
    ),
    by(
        "ERSPAN II",
        |inner| {
            let header = [
                &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1][..], // sequence number 1
                &[0x10, 0x64, 0x18, 0x05],              // version 1, VLAN 100, tag kept, session 5
                &[0, 0, 0, 7],                          // index
            ];
            four(47, &[&header.concat(), &frame(inner)[..]].concat())
        },
        &["gre", "erspan"],
    ),
    by(
        "ERSPAN III with the part of its platform",
        |inner| {
            let header = [
                &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1][..],
                &[0x20, 0x64, 0x00, 0x05], // version 2, VLAN 100, session 5
                &[0, 1, 2, 3],             // time
                &[0, 0, 0, 0x01],          // no group, frame type 0, a sub-header follows
                &[0x0c, 0, 0, 3, 0, 0, 0, 0],
            ];
            six(47, &[&header.concat(), &frame(inner)[..]].concat())
        },
        &["gre", "erspan"],
    ),
    by(
        "VXLAN",
        |inner| {
            datagram(
                4789,
                &[&[8, 0, 0, 0, 0, 0x10, 0x92, 0], &frame(inner)[..]].concat(),
            )
        },
        &["vxlan"],
    ),
    by(
        "VXLAN over IPv6 on the old port",
        |inner| {
            let payload = [&[8, 0, 0, 0, 0, 0x10, 0x92, 0], &frame(inner)[..]].concat();
            six(17, &udp((50_000, 8472), &payload))
        },
        &["vxlan"],
    ),
    by(
        "VXLAN GPE",
        |inner| {
            let next = if is_four(inner) { 1 } else { 2 };
            datagram(
                4790,
                &[&[0x0c, 0, 0, next, 0, 0x10, 0x92, 0], inner].concat(),
            )
        },
        &["vxlan"],
    ),
    by(
        "VXLAN GPE with a frame, on the port of VXLAN",
        |inner| {
            datagram(
                4789,
                &[&[0x0c, 0, 0, 3, 0, 0x10, 0x92, 0], &frame(inner)[..]].concat(),
            )
        },
        &["vxlan"],
    ),
    by(
        "Geneve with an option",
        |inner| {
            let header = [
                &[0x02, 0x00, 0x65, 0x58, 0, 0x10, 0x92, 0][..],
                &[0x01, 0x03, 0x00, 0x01, 0, 0, 0, 9], // class, type, one word of data
            ];
            datagram(6081, &[&header.concat(), &frame(inner)[..]].concat())
        },
        &["geneve"],
    ),
    by(
        "IPv4 or IPv6 in IPv4",
        |inner| four(if is_four(inner) { 4 } else { 41 }, inner),
        &[],
    ),
    by(
        "IPv4 or IPv6 in IPv6",
        |inner| six(if is_four(inner) { 4 } else { 41 }, inner),
        &[],
    ),
    by(
        "GTP",
        |inner| {
            let length = (inner.len() as u16).to_be_bytes();
            datagram(
                2152,
                &[&[0x30, 0xff], &length[..], &[0, 0, 0, 9], inner].concat(),
            )
        },
        &["gtp"],
    ),
    by(
        "GTP of 5G",
        |inner| {
            let header = [
                &[0x34, 0xff][..],
                &(inner.len() as u16 + 8).to_be_bytes(),
                &[0, 0, 0, 9],
                &[0, 0, 0, 0x85],    // no sequence, extension follows
                &[1, 0x10, 0x01, 0], // PDU session information, the last one
            ];
            datagram(2152, &[&header.concat(), inner].concat())
        },
        &["gtp"],
    ),
    by(
        "Teredo, from a server",
        |inner| {
            let inner = if is_four(inner) {
                six(4, inner)
            } else {
                inner.to_vec()
            };
            let header = [
                &[0, 1, 0, 0][..], // authentication without id and value
                &[1, 2, 3, 4, 5, 6, 7, 8, 0],
                &[0, 0, 0x0f, 0xff, 0xf5, 0xff, 0xff, 0xfe], // origin
            ];
            four(
                17,
                &udp((3544, 50_000), &[&header.concat(), &inner[..]].concat()),
            )
        },
        &["teredo"],
    ),
    by(
        "Teredo, between hosts",
        |inner| datagram(3797, &six(if is_four(inner) { 4 } else { 41 }, inner)),
        &["teredo"],
    ),
    by(
        "AH",
        |inner| {
            let next = if is_four(inner) { 4 } else { 41 };
            four(51, &[&[next, 4, 0, 0], &[0; 20][..], inner].concat())
        },
        &["ah"],
    ),
    by(
        "AH in IPv6",
        |inner| {
            let next = if is_four(inner) { 4 } else { 41 };
            six(51, &[&[next, 4, 0, 0], &[0; 20][..], inner].concat())
        },
        &["ah"],
    ),
    by(
        "CAPWAP with an Ethernet frame",
        |inner| {
            datagram(
                5247,
                &[&[0, 0x10, 0x02, 0, 0, 0, 0, 0], &frame(inner)[..]].concat(),
            )
        },
        &["capwap"],
    ),
    by(
        "GRE of an Aruba access point",
        |inner| {
            let header = [
                &[0, 0, 0x82, 0x10][..], // the second virtual access point
                &[0x08, 0x01],           // data to the access point
                &[0; 22],
                &[0xaa, 0xaa, 0x03, 0, 0, 0],
                &ether_type(inner),
            ];
            four(47, &[&header.concat(), inner].concat())
        },
        &["gre", "wlan", "llc"],
    ),
    by(
        "a service header in VXLAN's generic extension",
        |inner| {
            let next = if is_four(inner) { 1 } else { 2 };
            let header = [
                &[0x0c, 0, 0, 4, 0, 0, 7, 0][..], // network 7, a service header follows
                &[0x0f, 0xc2, 0x02, next, 0, 0, 1, 9], // 2 words, path 1, place 9
            ];
            datagram(4790, &[&header.concat(), inner].concat())
        },
        &["vxlan", "nsh"],
    ),
    by(
        "AYIYA",
        |inner| {
            let next = if is_four(inner) { 4 } else { 41 };
            let header = [
                &[0x44, 0x52, 0x11, next][..], // identity of 16, signature of 20 octets, SHA-1, shared secret, forward
                &[0x4f, 0x67, 0x1c, 0x00],     // time
                &[0x20; 16],
                &[0x5a; 20],
            ];
            datagram(5072, &[&header.concat(), inner].concat())
        },
        &["ayiya"],
    ),
    by(
        "TZSP",
        |inner| {
            let header = [
                &[1, 0, 0, 1][..],   // version, received, Ethernet
                &[0, 0x0a, 1, 0xc0], // padding, signal of one octet
                &[0x12, 1, 6, 1],    // channel 6, end
            ];
            let frame = frame(inner);
            datagram(37_008, &[&header.concat(), &frame[..]].concat())
        },
        &["tzsp"],
    ),
    by(
        "CAPWAP with an 802.11 frame",
        |inner| {
            let header = [
                &[0, 0x20, 0x43, 0x10, 0, 0, 0, 0][..], // 16 octets, radio 1, 802.11, radio's address follows
                &[6, 2, 0, 0, 0, 0, 7, 0],
                &[0x01, 0x08], // to the access point, data: exchanged as Cisco has it
                &[0; 22],
                &[0xaa, 0xaa, 0x03, 0, 0, 0],
                &ether_type(inner),
            ];
            datagram(5247, &[&header.concat(), inner].concat())
        },
        &["capwap", "wlan", "llc"],
    ),
    by(
        "L2TP",
        |inner| {
            let frame = ppp(inner);
            let header = [
                &[0x48, 0x02][..], // length, sequence, version 2
                &(frame.len() as u16 + 12).to_be_bytes(),
                &[0, 1, 0, 2], // tunnel, session
                &[0, 0, 0, 0], // sequence numbers
            ];
            datagram(1701, &[&header.concat(), &frame[..]].concat())
        },
        &["l2tp", "ppp"],
    ),
    by(
        "MPLS in UDP",
        |inner| datagram(6635, &[&LABELS, inner].concat()),
        &["mpls"],
    ),
    by(
        "MPLS in IP",
        |inner| four(137, &[&LABELS, inner].concat()),
        &["mpls"],
    ),
    by(
        "MPLS in GRE",
        |inner| four(47, &[&[0, 0, 0x88, 0x47], &LABELS[..], inner].concat()),
        &["gre", "mpls"],
    ),
    by(
        "a pseudowire with control word",
        |inner| {
            four(
                137,
                &[&LABELS[..], &[0, 0, 0, 1], &frame(inner)[..]].concat(),
            )
        },
        &["mpls"],
    ),
    by(
        "Ethernet in IP",
        |inner| four(97, &[&[0x30, 0], &frame(inner)[..]].concat()),
        &["etherip"],
    ),
];
