//! TCP (RFC 9293) and UDP (RFC 768) headers: the payload of an IP packet in, ports and octets out. For ICMP (RFC 792, RFC
//! 4443), which has none, what stands in their place.
//!
//! Checksums are not looked at (offload), options are skipped. It fails when a header is cut or contradicts itself.

use crate::Reader;

/// A TCP segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number of the first octet, or of the SYN.
    pub seq: u32,
    /// Acknowledgement number; meaningless without [`Flags::ACK`].
    pub ack: u32,
    /// Control bits.
    pub flags: Flags,
    /// Octets captured.
    pub payload: &'a [u8],
    /// Octets sent; more than `payload` where the capture cut it.
    pub payload_len: u32,
}

/// TCP control bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// No more from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset.
    pub const RST: Self = Self(0x04);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(0x10);

    /// Whether all bits of `other` are set.
    #[inline]
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any bit of `other` is set.
    #[inline]
    #[must_use]
    pub fn has_any_of(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// A UDP datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Octets captured.
    pub payload: &'a [u8],
}

/// Reads a TCP header. `on_wire` is the length of `octets` before the capture cut it.
#[inline]
#[must_use]
pub fn tcp(octets: &[u8], on_wire: u32) -> Option<Segment<'_>> {
    let &[
        s0,
        s1,
        d0,
        d1,
        q0,
        q1,
        q2,
        q3,
        a0,
        a1,
        a2,
        a3,
        offset,
        flags,
    ] = octets.first_chunk::<14>()?;
    let header_len = usize::from(offset >> 4) * 4;
    if header_len < 20 {
        return None;
    }
    // A snaplen may cut within the options: the header still says who and when.
    let payload = octets.get(header_len..).unwrap_or_default();
    Some(Segment {
        source_port: u16::from_be_bytes([s0, s1]),
        destination_port: u16::from_be_bytes([d0, d1]),
        seq: u32::from_be_bytes([q0, q1, q2, q3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        flags: Flags(flags),
        payload,
        payload_len: on_wire.saturating_sub(u32::try_from(header_len).ok()?),
    })
}

/// Octets of a UDP header.
pub(crate) const UDP_HEADER: usize = 8;

/// Reads a UDP header.
#[inline]
#[must_use]
pub fn udp(octets: &[u8]) -> Option<Datagram<'_>> {
    let mut reader = Reader::new(octets);
    let (source_port, destination_port) = (reader.u16_be()?, reader.u16_be()?);
    let length = usize::from(reader.u16_be()?);
    reader.u16_be()?;
    let rest = reader.rest();
    // 0 stands for a jumbogram or for offload; a length beyond the packet for a cut capture.
    let payload = match length.checked_sub(UDP_HEADER) {
        Some(length) => rest.get(..length).unwrap_or(rest),
        None => rest,
    };
    Some(Datagram {
        source_port,
        destination_port,
        payload,
    })
}

/// What stands for the ports of an ICMP message: its type and the type that answers it, so that a question and its answer
/// are one flow; type and code of one that is not answered. The pairs are those of the Community ID specification 1.0.
#[must_use]
pub fn icmp_ports(kind: u8, code: u8) -> (u16, u16) {
    let other = match kind {
        0 => 8,   // echo reply
        8 => 0,   // echo
        9 => 10,  // router advertisement
        10 => 9,  // router solicitation
        13 => 14, // timestamp
        14 => 13, // timestamp reply
        15 => 16, // information request
        16 => 15, // information reply
        17 => 18, // address mask request
        18 => 17, // address mask reply
        _ => code,
    };
    (u16::from(kind), u16::from(other))
}

/// The same for ICMP of IPv6.
#[must_use]
pub fn icmp6_ports(kind: u8, code: u8) -> (u16, u16) {
    let other = match kind {
        128 => 129, // echo request
        129 => 128, // echo reply
        130 => 131, // multicast listener query
        131 => 130, // multicast listener report
        133 => 134, // router solicitation
        134 => 133, // router advertisement
        135 => 136, // neighbour solicitation
        136 => 135, // neighbour advertisement
        139 => 140, // node information query
        140 => 139, // node information response
        144 => 145, // home agent address discovery request
        145 => 144, // home agent address discovery reply
        _ => code,
    };
    (u16::from(kind), u16::from(other))
}

/// Whether an ICMP message of this type is answered by one of another type (version 4, or 6), as the two functions above
/// have it.
#[must_use]
pub fn is_icmp_pair(six: bool, kind: u16) -> bool {
    if six {
        matches!(kind, 128..=131 | 133..=136 | 139 | 140 | 144 | 145)
    } else {
        matches!(kind, 0 | 8..=10 | 13..=18)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_segment_behind_its_options() {
        let octets = [
            &[0x04, 0xd2, 0x01, 0xbb][..], // ports 1234, 443
            &[0, 0, 0, 7],                 // sequence number
            &[0, 0, 0, 9],                 // acknowledgement number
            &[0x60, 0x18, 0xff, 0xff],     // offset 24, PSH ACK, window
            &[0, 0, 0, 0],                 // checksum, urgent pointer
            &[1, 1, 1, 0],                 // options
            b"hello",
        ]
        .concat();
        let segment = tcp(&octets, 129).unwrap();
        assert_eq!(
            (
                segment.source_port,
                segment.destination_port,
                segment.seq,
                segment.ack
            ),
            (1234, 443, 7, 9)
        );
        assert_eq!((segment.payload, segment.payload_len), (&b"hello"[..], 105));
        assert!(segment.flags.has(Flags::ACK) && !segment.flags.has(Flags::SYN));
    }

    #[test]
    fn refuses_a_data_offset_inside_the_header() {
        let mut octets = [0; 20];
        octets[12] = 0x40;
        assert_eq!(tcp(&octets, 20), None);
    }

    #[test]
    fn cuts_a_datagram_to_its_length() {
        let octets = [&[0, 53, 0, 54, 0, 10, 0, 0][..], b"abcdef"].concat();
        assert_eq!(udp(&octets).unwrap().payload, b"ab");
        assert_eq!(udp(&octets[..7]), None);
    }
}
