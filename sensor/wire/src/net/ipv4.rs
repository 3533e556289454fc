//! IPv4 (RFC 791).

use super::{Address, Fragment, Ip, Protocol};
use crate::link::Undecoded;

#[inline]
pub(super) fn packet<'a>(octets: &'a [u8], ip: &mut Ip<'a>) -> Result<(), Undecoded> {
    let Some(
        &[
            first,
            _,
            len_a,
            len_b,
            id_a,
            id_b,
            off_a,
            off_b,
            _,
            protocol,
            _,
            _,
            s0,
            s1,
            s2,
            s3,
            d0,
            d1,
            d2,
            d3,
        ],
    ) = octets.first_chunk::<HEADER>()
    else {
        return Err(Undecoded::IpHeader);
    };
    let header_len = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header_len < HEADER {
        return Err(Undecoded::IpHeader);
    }
    // 0 is what segmentation offload leaves there: all that was captured belongs to it.
    let total_len = match usize::from(u16::from_be_bytes([len_a, len_b])) {
        0 => octets.len(),
        total if total < header_len => return Err(Undecoded::IpHeader),
        total => total,
    };
    // Shorter than captured: Ethernet pads to 60 octets. Longer: the snaplen cut it.
    let payload = octets
        .get(header_len..total_len.min(octets.len()))
        .ok_or(Undecoded::IpHeader)?;
    let place = u16::from_be_bytes([off_a, off_b]);
    let (offset, more) = (u32::from(place & 0x1fff) * 8, place & 0x2000 != 0);
    let fragment = (offset > 0 || more).then(|| Fragment {
        id: u32::from(u16::from_be_bytes([id_a, id_b])),
        offset,
        more,
    });
    *ip = Ip {
        source: Address::v4([s0, s1, s2, s3]),
        destination: Address::v4([d0, d1, d2, d3]),
        protocol: Protocol(protocol),
        identification: u16::from_be_bytes([id_a, id_b]),
        fragment,
        payload,
        payload_len: length(total_len - header_len),
        total_len: length(total_len),
        authenticated: false,
    };
    if ip.protocol == Protocol::AH {
        behind_authentication(ip);
    }
    Ok(())
}

/// Moves the payload behind an Authentication Header: next protocol, length in words of 4 octets less 2, reserved, then
/// what is of no use here. One that is cut stays the payload.
pub(super) fn behind_authentication(ip: &mut Ip<'_>) {
    if ip.protocol != Protocol::AH || ip.fragment.is_some() {
        return;
    }
    let Some(&[next, words, ..]) = ip.payload.first_chunk::<12>() else {
        return;
    };
    let length = (usize::from(words) + 2) * 4;
    if length < 12 {
        return;
    }
    let Some(rest) = ip.payload.get(length..) else {
        return;
    };
    ip.protocol = Protocol(next);
    ip.payload = rest;
    ip.payload_len = ip.payload_len.saturating_sub(self::length(length));
    ip.authenticated = true;
}

fn length(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}

const HEADER: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(octets: &[u8]) -> Result<Ip<'_>, Undecoded> {
        crate::net::packet(crate::link::EtherType::IPV4, octets)
    }

    fn header(total_len: u16, fragment: u16) -> Vec<u8> {
        [
            &[0x45, 0][..],
            &total_len.to_be_bytes(),
            &[0x12, 0x34], // identification
            &fragment.to_be_bytes(),
            &[64, 17, 0, 0], // time to live, protocol, checksum
            &[10, 0, 0, 1],
            &[10, 0, 0, 2],
            b"payload!",
        ]
        .concat()
    }

    #[test]
    fn cuts_the_padding_and_keeps_what_a_snaplen_left() {
        assert_eq!(packet(&header(24, 0)).unwrap().payload, b"payl");
        let cut = header(1020, 0);
        let cut = packet(&cut).unwrap();
        assert_eq!((cut.payload, cut.payload_len), (&b"payload!"[..], 1000));
    }

    #[test]
    fn takes_a_total_length_of_zero_as_offload() {
        assert_eq!(packet(&header(0, 0)).unwrap().payload, b"payload!");
    }

    #[test]
    fn knows_a_fragment_by_its_offset_or_by_more() {
        let first = header(28, 0x2000);
        assert_eq!(
            packet(&first).unwrap().fragment,
            Some(Fragment {
                id: 0x1234,
                offset: 0,
                more: true
            })
        );
        let last = header(28, 0x0002);
        assert_eq!(
            packet(&last).unwrap().fragment,
            Some(Fragment {
                id: 0x1234,
                offset: 16,
                more: false
            })
        );
        let whole = header(28, 0x4000); // do not fragment
        assert_eq!(packet(&whole).unwrap().fragment, None);
    }

    #[test]
    fn skips_an_authentication_header_and_keeps_a_cut_one() {
        let mut octets = header(0, 0);
        octets[9] = 51;
        octets.truncate(20);
        octets.extend([17, 4, 0, 0]); // next protocol, 24 octets in all, reserved
        octets.extend([0; 20]); // SPI, sequence number, check value of 12 octets
        octets.extend(b"datagram");
        let ip = packet(&octets).unwrap();
        assert_eq!(
            (ip.protocol, ip.payload, ip.payload_len),
            (Protocol::UDP, &b"datagram"[..], 8)
        );
        assert!(ip.authenticated);
        let cut = packet(&octets[..40]).unwrap();
        assert_eq!((cut.protocol, cut.authenticated), (Protocol::AH, false));
    }

    #[test]
    fn refuses_a_header_that_contradicts_itself() {
        let mut short = header(28, 0);
        short[0] = 0x44;
        assert_eq!(packet(&short), Err(Undecoded::IpHeader));
        assert_eq!(packet(&header(19, 0)), Err(Undecoded::IpHeader));
        assert_eq!(packet(&header(28, 0)[..19]), Err(Undecoded::IpHeader));
    }
}
