//! Frames with valid lengths and checksums.

use crate::script::Side;

/// Where the two ends of a flow are.
#[derive(Debug, Clone)]
pub struct Ends {
    /// 802.1Q tag of the client's network.
    pub vlan: Option<u16>,
    /// The client's Ethernet address.
    pub client_mac: [u8; 6],
    /// Addresses of client and server.
    pub addresses: Addresses,
    /// Ports of client and server.
    pub ports: [u16; 2],
}

/// Addresses of client and server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    /// IPv4.
    V4([[u8; 4]; 2]),
    /// IPv6.
    V6([[u8; 16]; 2]),
}

/// The changing fields of a TCP segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// SYN, ACK and so on, as in the header.
    pub flags: u8,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledged.
    pub ack: u32,
    /// Time stamp and the one it answers (RFC 7323).
    pub stamps: [u32; 2],
}

/// FIN.
pub const FIN: u8 = 0x01;
/// SYN.
pub const SYN: u8 = 0x02;
/// RST.
pub const RST: u8 = 0x04;
/// PSH.
pub const PSH: u8 = 0x08;
/// ACK.
pub const ACK: u8 = 0x10;

impl Ends {
    /// A TCP segment in its frame, written behind `out`. A SYN carries the options that stacks offer; a RST carries none.
    pub fn segment(
        &self,
        out: &mut Vec<u8>,
        from: Side,
        ident: u16,
        segment: &Segment,
        payload: &[u8],
    ) {
        let options: &[u8] = match segment.flags {
            flags if flags & SYN != 0 => &OPENING_OPTIONS,
            flags if flags & RST != 0 => &[],
            _ => &STAMPS_ONLY,
        };
        let length = 20 + options.len() + payload.len();
        self.frame(out, from, ident, 6, length);
        let start = out.len();
        out.extend_from_slice(&self.ports[from.index()].to_be_bytes());
        out.extend_from_slice(&self.ports[from.other().index()].to_be_bytes());
        out.extend_from_slice(&segment.seq.to_be_bytes());
        out.extend_from_slice(&segment.ack.to_be_bytes());
        let words = (20 + options.len()) / 4;
        out.extend_from_slice(&[(words << 4) as u8, segment.flags]);
        let window: u16 = match segment.flags {
            flags if flags & SYN != 0 => 64_240,
            flags if flags & RST != 0 => 0,
            _ => 501,
        };
        out.extend_from_slice(&window.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        let options_at = out.len();
        out.extend_from_slice(options);
        if let Some(at) = stamps_at(options) {
            let [stamp, echo] = segment.stamps.map(u32::to_be_bytes);
            out[options_at + at..options_at + at + 4].copy_from_slice(&stamp);
            out[options_at + at + 4..options_at + at + 8].copy_from_slice(&echo);
        }
        out.extend_from_slice(payload);
        let sum = self.pseudo(6, length) + sum(&out[start..]);
        out[start + 16..start + 18].copy_from_slice(&checksum(sum).to_be_bytes());
    }

    /// A UDP datagram in its frame.
    pub fn datagram(&self, out: &mut Vec<u8>, from: Side, ident: u16, payload: &[u8]) {
        let length = 8 + payload.len();
        self.frame(out, from, ident, 17, length);
        let start = out.len();
        out.extend_from_slice(&self.ports[from.index()].to_be_bytes());
        out.extend_from_slice(&self.ports[from.other().index()].to_be_bytes());
        out.extend_from_slice(&(length as u16).to_be_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(payload);
        let sum = self.pseudo(17, length) + sum(&out[start..]);
        // Zero would say that there is none (RFC 768).
        let value = match checksum(sum) {
            0 => 0xffff,
            value => value,
        };
        out[start + 6..start + 8].copy_from_slice(&value.to_be_bytes());
    }

    /// An ICMP echo request of the client or the server's reply.
    pub fn echo(&self, out: &mut Vec<u8>, from: Side, ident: u16, number: u16, payload: &[u8]) {
        self.frame(out, from, ident, 1, 8 + payload.len());
        let start = out.len();
        let kind = match from {
            Side::Client => 8,
            Side::Server => 0,
        };
        out.extend_from_slice(&[kind, 0, 0, 0]);
        out.extend_from_slice(&self.ports[0].to_be_bytes());
        out.extend_from_slice(&number.to_be_bytes());
        out.extend_from_slice(payload);
        let value = checksum(sum(&out[start..]));
        out[start + 2..start + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// Headers of the link and of IP.
    fn frame(&self, out: &mut Vec<u8>, from: Side, ident: u16, protocol: u8, length: usize) {
        let (first, second) = match from {
            Side::Client => (&ROUTER_MAC, &self.client_mac),
            Side::Server => (&self.client_mac, &ROUTER_MAC),
        };
        out.extend_from_slice(first);
        out.extend_from_slice(second);
        if let Some(vlan) = self.vlan {
            out.extend_from_slice(&[0x81, 0x00]);
            out.extend_from_slice(&vlan.to_be_bytes());
        }
        let (source, target) = (from.index(), from.other().index());
        match &self.addresses {
            Addresses::V4(addresses) => {
                out.extend_from_slice(&[0x08, 0x00]);
                let start = out.len();
                let [high, low] = ((length + 20) as u16).to_be_bytes();
                let [first, second] = ident.to_be_bytes();
                out.extend_from_slice(&[0x45, 0, high, low, first, second, 0x40, 0]);
                out.extend_from_slice(&[64, protocol, 0, 0]);
                out.extend_from_slice(&addresses[source]);
                out.extend_from_slice(&addresses[target]);
                let value = checksum(sum(&out[start..]));
                out[start + 10..start + 12].copy_from_slice(&value.to_be_bytes());
            }
            Addresses::V6(addresses) => {
                out.extend_from_slice(&[0x86, 0xdd, 0x60, 0, 0, 0]);
                out.extend_from_slice(&(length as u16).to_be_bytes());
                out.extend_from_slice(&[protocol, 64]);
                out.extend_from_slice(&addresses[source]);
                out.extend_from_slice(&addresses[target]);
            }
        }
    }

    /// What the checksums of TCP and UDP cover besides their own octets.
    fn pseudo(&self, protocol: u8, length: usize) -> u64 {
        let addresses = match &self.addresses {
            Addresses::V4([first, second]) => sum(first) + sum(second),
            Addresses::V6([first, second]) => sum(first) + sum(second),
        };
        addresses + u64::from(protocol) + length as u64
    }
}

/// The octets as big-endian words, added up. Words of 32 bits lead to the same checksum as those of 16.
pub(crate) fn sum(octets: &[u8]) -> u64 {
    let words = octets.chunks_exact(4);
    let mut rest = [0; 4];
    let left = words.remainder();
    rest[..left.len()].copy_from_slice(left);
    let whole: u64 = words
        .map(|word| u64::from(u32::from_be_bytes([word[0], word[1], word[2], word[3]])))
        .sum();
    whole + u64::from(u32::from_be_bytes(rest))
}

/// The one's complement of the sum's 16 bits (RFC 1071).
pub(crate) const fn checksum(mut sum: u64) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Where the time stamps stand in the options.
fn stamps_at(options: &[u8]) -> Option<usize> {
    options
        .windows(2)
        .position(|two| two == [8, 10])
        .map(|at| at + 2)
}

const ROUTER_MAC: [u8; 6] = [0x02, 0, 0xc6, 0x12, 0, 1];
/// Segment size 1460, selective acknowledgement, time stamps, window scale 7.
const OPENING_OPTIONS: [u8; 20] = [
    2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 7,
];
const STAMPS_ONLY: [u8; 12] = [1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_that_of_the_rfc() {
        // The example of RFC 1071, section 3: the words add up to 0xddf2.
        let octets = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(sum(&octets)), !0xddf2);
        // An odd octet is the high one of its word.
        assert_eq!(checksum(sum(&[0x12, 0x34, 0x56])), !(0x1234 + 0x5600));
    }

    #[test]
    fn a_segment_is_laid_out_as_the_documents_say() {
        let ends = Ends {
            vlan: Some(0x123),
            client_mac: [2, 0, 10, 0, 0, 7],
            addresses: Addresses::V4([[10, 0, 0, 1], [198, 18, 0, 1]]),
            ports: [0x8001, 443],
        };
        let segment = Segment {
            flags: PSH | ACK,
            seq: 0x0102_0304,
            ack: 0x0506_0708,
            stamps: [9, 10],
        };
        let mut out = Vec::new();
        ends.segment(&mut out, Side::Client, 77, &segment, b"abc");
        assert_eq!(out.len(), 18 + 20 + 32 + 3);
        assert_eq!(out[12..18], [0x81, 0, 1, 0x23, 8, 0]);
        assert_eq!(out[18..24], [0x45, 0, 0, 55, 0, 77]);
        assert_eq!(checksum(sum(&out[18..38])), 0, "the header's sum");
        assert_eq!(out[38..42], [0x80, 1, 1, 0xbb]);
        assert_eq!(out[42..50], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(out[62..70], [0, 0, 0, 9, 0, 0, 0, 10]);
        assert_eq!(&out[70..], b"abc");
        let whole = ends.pseudo(6, 35) + sum(&out[38..]);
        assert_eq!(checksum(whole), 0, "the segment's sum");
    }
}
