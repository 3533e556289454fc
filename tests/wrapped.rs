//! The facts do not depend on what carried the packets: the same capture inside each encapsulation tells the same, and so
//! does one whose packets came in fragments.

use crate::support::capture::{Frame, frames};
use crate::support::manifest;
use crate::support::told::Told;
use crate::support::{assert_none, root};

#[test]
fn each_encapsulation_tells_what_the_bare_capture_does() {
    let captures: Vec<(String, Vec<Frame>)> = manifest::captures()
        .iter()
        .filter(|row| SAMPLES.contains(&row.file.as_str()))
        .map(|row| (row.file.clone(), frames(&row.on_disk())))
        .collect();
    assert_eq!(captures.len(), SAMPLES.len(), "a sample is gone");
    let mut wrong = Vec::new();
    for (file, bare) in captures {
        let before = Told::by(&bare);
        assert!(!before.facts.is_empty(), "{file} tells nothing");
        for (name, wrap) in WRAPS {
            let wrapped: Vec<Frame> = bare.iter().map(|frame| with(frame, wrap)).collect();
            let after = Told::by(&wrapped);
            if before != after {
                wrong.push(format!(
                    "{file} in {name}: {} facts of {}, alerts {:?} of {:?}",
                    after.facts.len(),
                    before.facts.len(),
                    after.alerts,
                    before.alerts
                ));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn one_encapsulation_in_another_tells_the_same() {
    let bare = frames(&root().join("pcaps").join(SAMPLES[0]));
    let before = Told::by(&bare);
    assert!(!before.alerts.is_empty(), "it tells nothing");
    let mut wrong = Vec::new();
    for (outer, wrap_outer) in WRAPS {
        for (inner, wrap_inner) in WRAPS {
            let wrapped: Vec<Frame> = bare
                .iter()
                .map(|frame| with(&with(frame, wrap_inner), wrap_outer))
                .collect();
            if before != Told::by(&wrapped) {
                wrong.push(format!("{inner} in {outer}"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn fragments_in_any_order_tell_the_same() {
    let mut wrong = Vec::new();
    for row in manifest::captures() {
        if !SAMPLES.contains(&row.file.as_str()) {
            continue;
        }
        let bare = frames(&row.on_disk());
        let before = Told::by(&bare);
        for (name, reversed) in [("in order", false), ("in reverse", true)] {
            let fragments: Vec<Frame> = bare
                .iter()
                .flat_map(|frame| fragmented(frame, reversed))
                .collect();
            assert!(fragments.len() > bare.len(), "nothing was cut");
            if before != Told::by(&fragments) {
                wrong.push(format!("{} {name}", row.file));
            }
        }
    }
    assert_none(&wrong);
}

/// One capture of each kind of traffic; the others are the same to what carries them.
const SAMPLES: [&str; 4] = [
    "vnc/tigervnc-no-password-from-internet.pcapng",
    "ngrok/node-library.pcapng",
    "rdp/nla.pcapng",
    "benign/chromium.pcapng",
];

pub(crate) type Wrap = fn(&[u8]) -> Vec<u8>;

/// Each takes an Ethernet frame and gives another one that carries it, or its IP packet.
pub(crate) const WRAPS: &[(&str, Wrap)] = &[
    ("802.1Q", |frame| tagged(frame, &[(0x8100, 7)])),
    ("QinQ", |frame| tagged(frame, &[(0x88a8, 7), (0x8100, 8)])),
    ("MPLS", |frame| {
        // Two labels, the second at the bottom of the stack.
        instead_of_type(frame, 0x8847, &[0, 0x10, 0x00, 64, 0, 0x11, 0x01, 64])
    }),
    ("MPLS pseudowire", |frame| {
        let mut inside = vec![0, 0x10, 0x01, 64, 0, 0, 0, 0]; // label, control word
        inside.extend(frame);
        ethernet(0x8847, &inside)
    }),
    ("PPPoE", |frame| {
        let Some((six, packet)) = ip_packet(frame) else {
            return frame.to_vec();
        };
        let protocol: u16 = if six { 0x57 } else { 0x21 };
        let mut inside = vec![0x11, 0, 0, 9]; // version and type, session data, session
        inside.extend((packet.len() as u16 + 2).to_be_bytes());
        inside.extend(protocol.to_be_bytes());
        inside.extend(packet);
        ethernet(0x8864, &inside)
    }),
    ("GRE", |frame| {
        let Some((six, packet)) = ip_packet(frame) else {
            return frame.to_vec();
        };
        let mut inside = vec![0, 0];
        inside.extend(if six { [0x86, 0xdd] } else { [0x08, 0x00] });
        inside.extend(packet);
        over_ipv4(47, &inside)
    }),
    ("GRE with key and sequence", |frame| {
        let mut inside = vec![0x30, 0, 0x65, 0x58, 0, 0, 0, 5, 0, 0, 0, 1];
        inside.extend(frame);
        over_ipv4(47, &inside)
    }),
    ("NVGRE", |frame| {
        let mut inside = vec![0x20, 0, 0x65, 0x58, 0, 0x13, 0x88, 1]; // virtual subnet 5000, flow 1
        inside.extend(frame);
        over_ipv4(47, &inside)
    }),
    ("ERSPAN I", |frame| {
        let mut inside = vec![0, 0, 0x88, 0xbe];
        inside.extend(frame);
        over_ipv4(47, &inside)
    }),
    ("ERSPAN II", |frame| {
        let mut inside = vec![0x10, 0, 0x88, 0xbe, 0, 0, 0, 1];
        inside.extend([0x10, 0x07, 0, 5, 0, 0, 0, 0]); // version 1, VLAN 7, session 5, index
        inside.extend(frame);
        over_ipv4(47, &inside)
    }),
    ("ERSPAN III", |frame| {
        let mut inside = vec![0x10, 0, 0x22, 0xeb, 0, 0, 0, 1];
        inside.extend([0x20, 0x07, 0, 5, 0, 0, 0, 9, 0, 0, 0, 0]); // version 2, VLAN 7, session 5, time
        inside.extend(frame);
        over_ipv4(47, &inside)
    }),
    ("VXLAN", |frame| {
        let mut inside = vec![0x08, 0, 0, 0, 0, 0x13, 0x88, 0]; // network 5000
        inside.extend(frame);
        over_udp(4789, &inside)
    }),
    ("Geneve", |frame| {
        let mut inside = vec![0x01, 0, 0x65, 0x58, 0, 0x13, 0x88, 0, 1, 2, 3, 0]; // one option of 4 octets
        inside.extend(frame);
        over_udp(6081, &inside)
    }),
    ("IP in IP", |frame| match ip_packet(frame) {
        Some((true, packet)) => over_ipv4(41, packet),
        Some((false, packet)) => over_ipv4(4, packet),
        None => frame.to_vec(),
    }),
    ("IP in IPv6", |frame| match ip_packet(frame) {
        Some((true, packet)) => over_ipv6(41, packet),
        Some((false, packet)) => over_ipv6(4, packet),
        None => frame.to_vec(),
    }),
    ("GTP-U", |frame| {
        let Some((_, packet)) = ip_packet(frame) else {
            return frame.to_vec();
        };
        let mut inside = vec![0x30, 0xff];
        inside.extend((packet.len() as u16).to_be_bytes());
        inside.extend([0, 0, 0, 1]); // tunnel
        inside.extend(packet);
        over_udp(2152, &inside)
    }),
    ("AH", |frame| {
        let Some((six, packet)) = ip_packet(frame) else {
            return frame.to_vec();
        };
        let mut inside = vec![if six { 41 } else { 4 }, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
        inside.extend([7; 12]); // integrity check value of 96 bits
        inside.extend(packet);
        over_ipv4(51, &inside)
    }),
];

pub(crate) fn with(frame: &Frame, wrap: &Wrap) -> Frame {
    assert_eq!(frame.link, 1, "the samples are of Ethernet");
    assert_eq!(frame.wire_len as usize, frame.octets.len(), "and whole");
    let octets = wrap(&frame.octets);
    Frame {
        wire_len: octets.len() as u32,
        octets,
        ..*frame
    }
}

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 0xa, 2, 0, 0, 0, 0, 0xb];

fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut octets = MACS.to_vec();
    octets.extend(ether_type.to_be_bytes());
    octets.extend(payload);
    octets
}

fn tagged(frame: &[u8], tags: &[(u16, u16)]) -> Vec<u8> {
    let mut octets = frame[..12].to_vec();
    for (kind, id) in tags {
        octets.extend(kind.to_be_bytes());
        octets.extend(id.to_be_bytes());
    }
    octets.extend(&frame[12..]);
    octets
}

/// Other octets in the place of the EtherType, in front of an IP packet.
fn instead_of_type(frame: &[u8], ether_type: u16, header: &[u8]) -> Vec<u8> {
    match ip_packet(frame) {
        Some((_, packet)) => ethernet(ether_type, &[header, packet].concat()),
        None => frame.to_vec(),
    }
}

/// Whether it is IPv6, and the packet without the padding of its frame.
fn ip_packet(frame: &[u8]) -> Option<(bool, &[u8])> {
    let packet = &frame[14..];
    match (frame[12], frame[13]) {
        (0x08, 0x00) => {
            let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
            Some((false, &packet[..length]))
        }
        (0x86, 0xdd) => {
            let length = usize::from(u16::from_be_bytes([packet[4], packet[5]]));
            Some((true, &packet[..40 + length]))
        }
        _ => None,
    }
}

fn over_ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4(protocol, payload))
}

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut octets = vec![0x45, 0];
    octets.extend((payload.len() as u16 + 20).to_be_bytes());
    octets.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
    octets.extend([10, 99, 0, 1, 10, 99, 0, 2]);
    octets.extend(payload);
    octets
}

fn over_ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut octets = vec![0x60, 0, 0, 0];
    octets.extend((payload.len() as u16).to_be_bytes());
    octets.extend([next, 64]);
    octets.extend([0xfd; 16]);
    octets.extend([0xfc; 16]);
    octets.extend(payload);
    ethernet(0x86dd, &octets)
}

fn over_udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut datagram = 50_000_u16.to_be_bytes().to_vec();
    datagram.extend(port.to_be_bytes());
    datagram.extend((payload.len() as u16 + 8).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    over_ipv4(17, &datagram)
}

/// An IPv4 packet in fragments of 64 octets; everything else as it is.
pub(crate) fn fragmented(frame: &Frame, reversed: bool) -> Vec<Frame> {
    let Some((false, packet)) = ip_packet(&frame.octets) else {
        return vec![frame.clone()];
    };
    let header = usize::from(packet[0] & 15) * 4;
    let (header, payload) = packet.split_at(header);
    // A packet that was a fragment, or has no identity to put it together by, is left alone.
    if payload.len() <= PIECE || header[4..6] == [0, 0] || header[6] & 0x3f != 0 {
        return vec![frame.clone()];
    }
    let count = payload.len().div_ceil(PIECE);
    let mut pieces: Vec<Frame> = payload
        .chunks(PIECE)
        .enumerate()
        .map(|(at, piece)| {
            let more = if at + 1 < count { 0x2000 } else { 0 };
            let place = (at * PIECE / 8) as u16 | more;
            let mut octets = frame.octets[..14].to_vec();
            octets.extend(&header[..2]);
            octets.extend(((header.len() + piece.len()) as u16).to_be_bytes());
            octets.extend(&header[4..6]);
            octets.extend(place.to_be_bytes());
            octets.extend(&header[8..]);
            octets.extend(piece);
            Frame {
                wire_len: octets.len() as u32,
                octets,
                ..*frame
            }
        })
        .collect();
    if reversed {
        pieces.reverse();
    }
    pieces
}

const PIECE: usize = 64;
