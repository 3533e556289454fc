//! Captures made hostile: each change is drawn from a number, so that a case can be repeated.

use crate::support::capture::Frame;
use crate::support::random::Random;
use crate::support::segments::{self, Manner, Place};

/// A value that limits are made of.
fn edge(random: &mut Random) -> u8 {
    match random.below(8) {
        0 => 0,
        1 => 1,
        2 => 0x7f,
        3 => 0x80,
        4 => 0xfe,
        5 => 0xff,
        _ => random.next() as u8,
    }
}

/// One kind of change.
type Mutation = fn(&mut Vec<Frame>, &[Frame], &mut Random);

/// Changes frames in some ways; `other` is a capture whose payloads may be spliced in. Answers the names of the changes.
pub(super) fn mutate(
    frames: &mut Vec<Frame>,
    other: &[Frame],
    random: &mut Random,
) -> Vec<&'static str> {
    let mut names = Vec::new();
    for _ in 0..=random.below(4) {
        let (name, mutation) = MUTATIONS[random.below(MUTATIONS.len())];
        mutation(frames, other, random);
        frames.truncate(MOST_FRAMES);
        names.push(name);
        if frames.is_empty() {
            break;
        }
    }
    names
}

const MUTATIONS: &[(&str, Mutation)] = &[
    ("bits", |frames, _, random| {
        for _ in 0..=random.below(40) {
            if let Some(octet) = any_octet(frames, random) {
                *octet ^= 1 << (random.next() % 8);
            }
        }
    }),
    ("runs", |frames, _, random| {
        for _ in 0..=random.below(6) {
            let (at, length, fill) = (random.below(1500), random.below(64), edge(random));
            if let Some(frame) = any(frames, random) {
                let end = frame.octets.len().min(at + length);
                if let Some(run) = frame.octets.get_mut(at..end) {
                    run.fill(fill);
                }
            }
        }
    }),
    ("payload octets", |frames, _, random| {
        for _ in 0..=random.below(30) {
            let within = [4, 16, 64, 1500][random.below(4)];
            let (at, value) = (random.below(within), edge(random));
            if let Some(payload) = any_payload(frames, random)
                && let Some(octet) = payload.get_mut(at)
            {
                *octet = value;
            }
        }
    }),
    ("length fields", |frames, _, random| {
        for _ in 0..=random.below(12) {
            let (at, value) = (
                random.below(80),
                [0, 1, 0x7fff, 0x8000, 0xffff][random.below(5)],
            );
            let wide = random.one_in(4);
            if let Some(payload) = any_payload(frames, random) {
                let octets: &[u8] = if wide {
                    &[value as u8; 4]
                } else {
                    &u16::to_be_bytes(value)
                };
                if let Some(field) = payload.get_mut(at..at + octets.len()) {
                    field.copy_from_slice(octets);
                }
            }
        }
    }),
    ("headers", |frames, _, random| {
        for _ in 0..=random.below(12) {
            let (at, value) = (random.below(60), edge(random));
            if let Some(octet) = any(frames, random).and_then(|frame| frame.octets.get_mut(at)) {
                *octet = value;
            }
        }
    }),
    ("cut frames", |frames, _, random| {
        for _ in 0..=random.below(10) {
            let length = random.below(200);
            if let Some(frame) = any(frames, random) {
                frame.octets.truncate(length);
            }
        }
    }),
    ("snaplen", |frames, _, random| {
        let length = random.below(160);
        frames
            .iter_mut()
            .for_each(|frame| frame.octets.truncate(length));
    }),
    ("copies", |frames, _, random| {
        for _ in 0..=random.below(20) {
            let (from, to) = (random.below(frames.len()), random.below(frames.len()));
            let frame = frames[from].clone();
            frames.insert(to, frame);
        }
    }),
    ("order", |frames, _, random| {
        let window = 2 + random.below(30);
        for part in frames.chunks_mut(window) {
            for at in (1..part.len()).rev() {
                part.swap(at, random.below(at + 1));
            }
        }
    }),
    ("one direction", |frames, _, random| {
        let keep = random.one_in(2);
        frames.retain(|frame| is_from_low(frame).is_none_or(|low| low == keep));
    }),
    ("losses", |frames, _, random| {
        let (n, start) = (2 + random.below(12), random.below(12));
        let mut at = start;
        frames.retain(|_| {
            at += 1;
            at % n != 0
        });
    }),
    ("from the middle", |frames, _, random| {
        let from = random.below(frames.len());
        frames.drain(..from);
    }),
    ("small segments", |frames, _, random| {
        let manners = [
            Manner::InOrder,
            Manner::Reordered,
            Manner::Repeated,
            Manner::Overlapping,
        ];
        let (manner, size) = (manners[random.below(4)], 1 + random.below(9));
        frames.truncate(MOST_FRAMES / 20);
        *frames = segments::resegment(frames, manner, || size);
    }),
    ("splice", |frames, other, random| {
        for _ in 0..=random.below(8) {
            let Some(from) = other.get(random.below(other.len())) else {
                return;
            };
            let Some(place) = segments::place(from) else {
                continue;
            };
            let spliced = from.octets[place.payload..place.end].to_vec();
            let at = random.below(frames.len());
            let Some(into) = segments::place(&frames[at]) else {
                continue;
            };
            let keep = random.below(into.end - into.payload + 1);
            let mut payload = frames[at].octets[into.payload..into.payload + keep].to_vec();
            payload.extend_from_slice(&spliced);
            let mut frame = frames[at].clone();
            with_payload(&mut frame, into, &payload);
            if random.one_in(2) {
                frames[at] = frame;
            } else {
                // What comes behind takes the place of what was there before.
                frames.insert(at + 1, frame);
            }
        }
    }),
    ("joined", |frames, other, random| {
        // A flow that goes on as another one: all payloads of the other capture behind a place in this one.
        let at = random.below(frames.len());
        let Some(into) = segments::place(&frames[at]) else {
            return;
        };
        let template = frames[at].clone();
        let mut seq = seq_of(&template, into).wrapping_add((into.end - into.payload) as u32);
        let skip = random.below(other.len());
        let parts: Vec<Frame> = other
            .iter()
            .skip(skip)
            .filter_map(|frame| {
                let place = segments::place(frame)?;
                let payload = frame.octets.get(place.payload..place.end)?;
                let mut joined = template.clone();
                with_payload(&mut joined, into, payload);
                set_seq(&mut joined, into, seq);
                seq = seq.wrapping_add(payload.len() as u32);
                Some(joined)
            })
            .collect();
        frames.splice(at + 1..at + 1, parts);
    }),
    ("other octets", |frames, _, random| {
        // The same place in the stream again, with other octets, longer or shorter, before or behind.
        for _ in 0..=random.below(10) {
            let at = random.below(frames.len());
            let Some(place) =
                segments::place(&frames[at]).filter(|place| place.end > place.payload)
            else {
                continue;
            };
            let mut twin = frames[at].clone();
            let length = 1 + random.below(2 * (place.end - place.payload));
            let payload: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
            with_payload(&mut twin, place, &payload);
            let seq = seq_of(&twin, place);
            let moved = random.below(80) as u32;
            set_seq(&mut twin, place, seq.wrapping_add(moved).wrapping_sub(40));
            frames.insert(at + random.below(2), twin);
        }
    }),
    ("around the wrap", |frames, _, random| {
        let firsts: Vec<_> = frames
            .iter()
            .filter_map(|frame| Some((segments::place(frame)?, frame)))
            .map(|(place, frame)| seq_of(frame, place))
            .take(2)
            .collect();
        let before = random.below(600) as u32;
        let Some(&first) = firsts.first() else { return };
        let moved = 0_u32.wrapping_sub(before).wrapping_sub(first);
        for frame in frames.iter_mut() {
            let Some(place) = segments::place(frame) else {
                continue;
            };
            for at in [4, 8] {
                move_u32(frame, place.tcp + at, moved);
            }
        }
    }),
    ("flags", |frames, _, random| {
        // SYN with data, FIN and RST in the middle, Christmas trees.
        for _ in 0..=random.below(20) {
            let flags = [0x02, 0x12, 0x11, 0x04, 0x14, 0x3f, 0x00][random.below(7)];
            let at = random.below(frames.len());
            if let Some(place) = segments::place(&frames[at]) {
                let mut frame = frames[at].clone();
                frame.octets[place.tcp + 13] = flags;
                if random.one_in(2) {
                    frames[at] = frame;
                } else {
                    frames.insert(at, frame);
                }
            }
        }
    }),
    ("clock", |frames, _, random| {
        for _ in 0..=random.below(4) {
            let from = random.below(frames.len());
            let by = match random.below(5) {
                0 => i64::MIN / 2,
                1 => i64::MAX / 2,
                2 => -3_700_000_000_000,
                3 => 31_000_000_000,
                _ => random.next() as i64 >> 8,
            };
            let only_one = random.one_in(3);
            for frame in &mut frames[from..] {
                frame.at_ns = frame.at_ns.saturating_add(by);
                if only_one {
                    break;
                }
            }
        }
    }),
    ("giants", |frames, _, random| {
        // Segmentation offload: a total length of 0, and far more octets than a link carries.
        for _ in 0..=random.below(4) {
            let (length, fill) = (random.below(60_000), edge(random));
            let Some(frame) = any(frames, random) else {
                return;
            };
            let Some(place) = segments::place(frame).filter(|place| !place.is_v6()) else {
                continue;
            };
            frame.octets.truncate(place.end);
            frame.octets.resize(place.end + length, fill);
            frame.octets[place.ip() + 2..place.ip() + 4].fill(0);
            frame.wire_len = frame.octets.len() as u32;
        }
    }),
    ("fragments", |frames, _, random| {
        let (size, reverse, overlap) = (
            8 * (1 + random.below(80)),
            random.one_in(2),
            random.one_in(2),
        );
        frames.truncate(MOST_FRAMES / 20);
        *frames = frames
            .iter()
            .flat_map(|frame| fragments(frame, size, reverse, overlap))
            .collect();
    }),
    ("wrapped", |frames, _, random| {
        let deep = 1 + random.below(20);
        for _ in 0..deep {
            let wrap = random.below(6);
            frames.iter_mut().for_each(|frame| wrap_in(frame, wrap));
        }
    }),
    ("ports", |frames, _, random| {
        // Another protocol's port.
        let port = [53_u16, 80, 443, 22, 1194, 500, 4500, 3389, 3478, 1080, 5900][random.below(11)];
        let nth = random.below(2);
        for frame in frames.iter_mut() {
            if let Some(place) = segments::place(frame) {
                let at = place.tcp + 2 * nth;
                frame.octets[at..at + 2].copy_from_slice(&port.to_be_bytes());
            }
        }
    }),
    ("checksums", |frames, _, _| {
        for frame in frames.iter_mut() {
            if let Some(place) = segments::place(frame) {
                frame.octets[place.tcp + 16] ^= 0x55;
            }
        }
    }),
];

fn any<'a>(frames: &'a mut [Frame], random: &mut Random) -> Option<&'a mut Frame> {
    let at = random.below(frames.len());
    frames.get_mut(at)
}

fn any_octet<'a>(frames: &'a mut [Frame], random: &mut Random) -> Option<&'a mut u8> {
    let frame = any(frames, random)?;
    let at = random.below(frame.octets.len());
    frame.octets.get_mut(at)
}

/// The payload of a TCP segment or a UDP datagram.
fn any_payload<'a>(frames: &'a mut [Frame], random: &mut Random) -> Option<&'a mut [u8]> {
    let frame = any(frames, random)?;
    if let Some(place) = segments::place(frame) {
        return frame.octets.get_mut(place.payload..place.end);
    }
    let length = segments::datagram(frame)?.len();
    // It stands at the end, but for padding, which may be changed just as well.
    let at = frame.octets.len().saturating_sub(length);
    frame.octets.get_mut(at..)
}

fn is_from_low(frame: &Frame) -> Option<bool> {
    let place = segments::place(frame)?;
    let ports = frame.octets.get(place.tcp..place.tcp + 4)?;
    Some(ports[..2] < ports[2..])
}

fn seq_of(frame: &Frame, place: Place) -> u32 {
    let mut seq = [0; 4];
    seq.copy_from_slice(&frame.octets[place.tcp + 4..place.tcp + 8]);
    u32::from_be_bytes(seq)
}

fn set_seq(frame: &mut Frame, place: Place, seq: u32) {
    frame.octets[place.tcp + 4..place.tcp + 8].copy_from_slice(&seq.to_be_bytes());
}

fn move_u32(frame: &mut Frame, at: usize, by: u32) {
    let mut field = [0; 4];
    field.copy_from_slice(&frame.octets[at..at + 4]);
    let moved = u32::from_be_bytes(field).wrapping_add(by);
    frame.octets[at..at + 4].copy_from_slice(&moved.to_be_bytes());
}

/// Gives a segment another payload, as far as an IP packet has room.
fn with_payload(frame: &mut Frame, place: Place, payload: &[u8]) {
    frame.octets.truncate(place.payload);
    frame
        .octets
        .extend_from_slice(&payload[..payload.len().min(60_000)]);
    let (at, from) = if place.is_v6() {
        (place.ip() + 4, place.ip() + 40)
    } else {
        (place.ip() + 2, place.ip())
    };
    let length = (frame.octets.len() - from) as u16;
    frame.octets[at..at + 2].copy_from_slice(&length.to_be_bytes());
    frame.wire_len = frame.octets.len() as u32;
}

/// Cuts an IPv4 packet over Ethernet into fragments.
fn fragments(frame: &Frame, size: usize, reverse: bool, overlap: bool) -> Vec<Frame> {
    let is_ipv4 = frame.link == 1
        && frame.octets.get(12..14) == Some(&[0x08, 0x00])
        && frame.octets.get(14) == Some(&0x45);
    if !is_ipv4 || frame.octets.len() < 34 + 8 {
        return vec![frame.clone()];
    }
    let (head, payload) = frame.octets.split_at(34);
    let mut all = Vec::new();
    for (index, part) in payload.chunks(size).enumerate() {
        let more = (index + 1) * size < payload.len();
        let mut octets = head.to_vec();
        let offset = (index * size / 8) as u16 | u16::from(more) << 13;
        octets[16..18].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
        octets[20..22].copy_from_slice(&offset.to_be_bytes());
        octets.extend_from_slice(part);
        let fragment = Frame {
            wire_len: octets.len() as u32,
            octets,
            ..*frame
        };
        if overlap {
            let mut twin = fragment.clone();
            twin.octets[34..]
                .iter_mut()
                .for_each(|octet| *octet ^= 0x20);
            all.push(twin);
        }
        all.push(fragment);
    }
    if reverse {
        all.reverse();
    }
    all
}

/// Puts an Ethernet frame into another header of its own.
fn wrap_in(frame: &mut Frame, wrap: usize) {
    if frame.link != 1 || frame.octets.len() > 2000 {
        return;
    }
    let inner = std::mem::take(&mut frame.octets);
    let ip_header = |protocol: u8, length: usize| {
        let mut header = vec![0x02; 12];
        header.extend_from_slice(&[0x08, 0x00, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0]);
        header.extend_from_slice(&[192, 168, 7, 1, 192, 168, 7, 2]);
        header[16..18].copy_from_slice(&(20 + length as u16).to_be_bytes());
        header
    };
    let udp = |port: u16, length: usize| {
        let mut header = ip_header(17, 8 + length);
        for field in [40_000, port, 8 + length as u16, 0] {
            header.extend_from_slice(&field.to_be_bytes());
        }
        header
    };
    let mut octets = match wrap {
        // VLAN.
        0 if inner.len() > 12 => {
            let mut octets = inner[..12].to_vec();
            octets.extend_from_slice(&[0x81, 0x00, 0x00, 0x07]);
            octets.extend_from_slice(&inner[12..]);
            frame.octets = octets;
            frame.wire_len = frame.octets.len() as u32;
            return;
        }
        // Transparent Ethernet over GRE.
        1 => {
            let mut octets = ip_header(47, 4 + inner.len());
            octets.extend_from_slice(&[0, 0, 0x65, 0x58]);
            octets
        }
        // VXLAN.
        2 => {
            let mut octets = udp(4789, 8 + inner.len());
            octets.extend_from_slice(&[0x08, 0, 0, 0, 0, 0, 9, 0]);
            octets
        }
        // Geneve with Ethernet.
        3 => {
            let mut octets = udp(6081, 8 + inner.len());
            octets.extend_from_slice(&[0, 0, 0x65, 0x58, 0, 0, 9, 0]);
            octets
        }
        // Ethernet over MPLS.
        4 => {
            let mut octets = vec![0x02; 12];
            octets.extend_from_slice(&[0x88, 0x47, 0, 0x01, 0x01, 0x40, 0, 0, 0, 0]);
            octets
        }
        // EtherIP is not decoded: what lies inside must do no harm.
        _ => ip_header(97, inner.len()),
    };
    octets.extend_from_slice(&inner);
    frame.wire_len = octets.len() as u32;
    frame.octets = octets;
}

/// A case stays short.
const MOST_FRAMES: usize = 6000;
