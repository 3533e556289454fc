//! TCP cut otherwise: the same octets in other segments.

use super::capture::Frame;

/// Where the parts of a TCP segment are in its frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    ip: usize,
    is_v6: bool,
    pub(crate) tcp: usize,
    /// First octet of the payload.
    pub(crate) payload: usize,
    /// One behind the last octet of the payload; what follows is padding.
    pub(crate) end: usize,
}

/// How the pieces of one segment are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// One after the other.
    InOrder,
    /// Three at a time, the last one first.
    Reordered,
    /// Each again, after the one that follows it.
    Repeated,
    /// Each begins with the last octets of the one before it.
    Overlapping,
}

/// A capture whose TCP payloads are cut into pieces of the sizes that `size` gives, from 1.
pub(crate) fn resegment(
    frames: &[Frame],
    manner: Manner,
    mut size: impl FnMut() -> usize,
) -> Vec<Frame> {
    let mut result = Vec::new();
    for frame in frames {
        match place(frame) {
            Some(place) if place.is_plain(frame) => {
                result.extend(in_manner(&pieces(frame, place, manner, &mut size), manner));
            }
            _ => result.push(frame.clone()),
        }
    }
    result
}

fn pieces(
    frame: &Frame,
    place: Place,
    manner: Manner,
    size: &mut impl FnMut() -> usize,
) -> Vec<Frame> {
    let length = place.end - place.payload;
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < length {
        let end = length.min(at + size().max(1));
        let start = if manner == Manner::Overlapping {
            at.saturating_sub(OVERLAP)
        } else {
            at
        };
        pieces.push(piece(frame, place, start, end));
        at = end;
    }
    pieces
}

/// The frame with only these octets of its payload. Checksums are left as they are: the program believes none, since
/// offload to the network card leaves wrong ones in most captures of a sender.
fn piece(frame: &Frame, place: Place, start: usize, end: usize) -> Frame {
    let mut octets = frame.octets[..place.payload].to_vec();
    octets.extend_from_slice(&frame.octets[place.payload + start..place.payload + end]);
    let (at, from) = if place.is_v6 {
        (place.ip + 4, place.ip + 40)
    } else {
        (place.ip + 2, place.ip)
    };
    let ip_length = u16::try_from(octets.len() - from).expect("shorter than it was");
    octets[at..at + 2].copy_from_slice(&ip_length.to_be_bytes());
    let seq = &mut octets[place.tcp + 4..place.tcp + 8];
    let moved = u32::from_be_bytes([seq[0], seq[1], seq[2], seq[3]]).wrapping_add(start as u32);
    seq.copy_from_slice(&moved.to_be_bytes());
    if place.payload + end < place.end {
        octets[place.tcp + 13] &= !(FIN | PSH);
    }
    Frame {
        wire_len: octets.len() as u32,
        octets,
        ..*frame
    }
}

fn in_manner(pieces: &[Frame], manner: Manner) -> Vec<Frame> {
    match manner {
        Manner::InOrder | Manner::Overlapping => pieces.to_vec(),
        Manner::Reordered => pieces
            .chunks(3)
            .flat_map(|window| window.iter().rev().cloned())
            .collect(),
        Manner::Repeated => {
            let mut result = Vec::new();
            for (index, piece) in pieces.iter().enumerate() {
                result.push(piece.clone());
                result.extend(index.checked_sub(1).map(|before| pieces[before].clone()));
            }
            result
        }
    }
}

impl Place {
    /// Where the IP header begins.
    pub(crate) fn ip(&self) -> usize {
        self.ip
    }

    pub(crate) fn is_v6(&self) -> bool {
        self.is_v6
    }

    /// Whether it can be cut: it has payload, all of it was captured, and it neither opens nor resets the connection.
    fn is_plain(&self, frame: &Frame) -> bool {
        self.end > self.payload && frame.octets[self.tcp + 13] & (SYN | RST) == 0
    }
}

/// Finds TCP in a frame. `None` for everything else, and for a frame that was cut.
pub(crate) fn place(frame: &Frame) -> Option<Place> {
    let Datagram {
        ip,
        is_v6,
        protocol,
        start: tcp,
        end,
    } = network(frame)?;
    let payload = tcp + usize::from(frame.octets.get(tcp + 12)? >> 4) * 4;
    (protocol == TCP && payload >= tcp + 20 && payload <= end).then_some(Place {
        ip,
        is_v6,
        tcp,
        payload,
        end,
    })
}

/// The endpoints of a TCP segment, and its payload.
pub(crate) fn segment(frame: &Frame) -> Option<(Ends, &[u8])> {
    let place = place(frame)?;
    let octets = &frame.octets;
    let (from, length) = if place.is_v6 { (8, 16) } else { (12, 4) };
    let address = |nth: usize| {
        let at = place.ip + from + nth * length;
        Some(octets.get(at..at + length)?.to_vec())
    };
    let port = |nth: usize| u16_at(octets, place.tcp + 2 * nth);
    let from = (address(0)?, port(0)?);
    let to = (address(1)?, port(1)?);
    Some((Ends { from, to }, octets.get(place.payload..place.end)?))
}

/// The payload of a UDP datagram.
pub(crate) fn datagram(frame: &Frame) -> Option<&[u8]> {
    let found = network(frame).filter(|found| found.protocol == UDP)?;
    frame.octets.get(found.start + 8..found.end)
}

/// Two endpoints: address and port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ends {
    from: (Vec<u8>, usize),
    to: (Vec<u8>, usize),
}

impl Ends {
    /// The same for both directions.
    pub(crate) fn sorted(&self) -> Self {
        let (low, high) = (
            self.from.clone().min(self.to.clone()),
            self.from.clone().max(self.to.clone()),
        );
        Self {
            from: low,
            to: high,
        }
    }
}

/// What the IP header says.
struct Datagram {
    ip: usize,
    is_v6: bool,
    protocol: u8,
    /// Where its payload begins.
    start: usize,
    /// One behind the last octet of its payload; what follows is padding.
    end: usize,
}

/// Finds IP in a frame. `None` without it, for a fragment, and for a frame that was cut.
fn network(frame: &Frame) -> Option<Datagram> {
    let octets = &frame.octets;
    let ip = match frame.link {
        LINK_NULL => 4,
        LINK_ETHERNET => {
            let mut at = 12;
            while [ETHERTYPE_VLAN, ETHERTYPE_QINQ].contains(&u16_at(octets, at)?) {
                at += 4;
            }
            at + 2
        }
        LINK_RAW => 0,
        LINK_SLL => 16,
        LINK_SLL2 => 20,
        _ => return None,
    };
    let is_v6 = match octets.get(ip)? >> 4 {
        4 => false,
        6 => true,
        _ => return None,
    };
    let (protocol, start, end) = if is_v6 {
        (
            *octets.get(ip + 6)?,
            ip + 40,
            ip + 40 + u16_at(octets, ip + 4)?,
        )
    } else {
        if u16_at(octets, ip + 6)? & MORE_FRAGMENTS_OR_OFFSET != 0 {
            return None;
        }
        let header = usize::from(octets.get(ip)? & 0xf) * 4;
        (
            *octets.get(ip + 9)?,
            ip + header,
            ip + u16_at(octets, ip + 2)?,
        )
    };
    (start <= end && end <= octets.len()).then_some(Datagram {
        ip,
        is_v6,
        protocol,
        start,
        end,
    })
}

fn u16_at(octets: &[u8], at: usize) -> Option<usize> {
    let field = octets.get(at..at + 2)?;
    Some(usize::from(u16::from_be_bytes([field[0], field[1]])))
}

/// Octets that are sent again where pieces overlap.
const OVERLAP: usize = 5;
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const TCP: u8 = 6;
const UDP: u8 = 17;
const MORE_FRAGMENTS_OR_OFFSET: usize = 0x3fff;
const LINK_NULL: u32 = 0;
const LINK_ETHERNET: u32 = 1;
const LINK_RAW: u32 = 101;
const LINK_SLL: u32 = 113;
const LINK_SLL2: u32 = 276;
const ETHERTYPE_VLAN: usize = 0x8100;
const ETHERTYPE_QINQ: usize = 0x88a8;
