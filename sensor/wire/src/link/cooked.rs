//! Headers that a capturing machine writes in place of the link's own (tcpdump.org, link-layer header types).

use super::{EtherType, Layers, Link, Undecoded, behind, raw};
use crate::Reader;

/// LINKTYPE_NULL and LINKTYPE_LOOP. The family is in the byte order of the capturing machine, which the capture does not
/// tell: both are tried.
pub(super) fn null(frame: &[u8], order: fn([u8; 4]) -> u32) -> Result<Link<'_>, Undecoded> {
    let mut reader = Reader::new(frame);
    let family = order(reader.take_array().ok_or(Undecoded::LinkCut)?);
    Ok(Link {
        ether_type: family_type(family)?,
        payload: reader.rest(),
    })
}

fn family_type(family: u32) -> Result<EtherType, Undecoded> {
    let family = if family > 0xffff {
        family.swap_bytes()
    } else {
        family
    };
    match family {
        2 => Ok(EtherType::IPV4),
        // Linux has 10; 24, 28 and 30 are AF_INET6 of the BSDs and macOS.
        10 | 24 | 28 | 30 => Ok(EtherType::IPV6),
        _ => Err(Undecoded::NotIp),
    }
}

/// LINKTYPE_ENC, IPsec of OpenBSD behind its decryption: family, SPI, flags (4 octets each).
pub(super) fn enc(frame: &[u8]) -> Result<Link<'_>, Undecoded> {
    let mut link = null(frame, u32::from_ne_bytes)?;
    link.payload = link.payload.get(8..).ok_or(Undecoded::LinkCut)?;
    Ok(link)
}

/// LINKTYPE_PFLOG, what OpenBSD's packet filter logged: length of the header without its padding, family, and what the
/// rule was. The padding fills it up to 4 octets.
pub(super) fn pflog(frame: &[u8]) -> Result<Link<'_>, Undecoded> {
    let &[length, family] = frame.first_chunk().ok_or(Undecoded::LinkCut)?;
    if length < MIN_PFLOG {
        return Err(Undecoded::LinkHeader);
    }
    let length = usize::from(length).next_multiple_of(4);
    Ok(Link {
        ether_type: family_type(family.into())?,
        payload: frame.get(length..).ok_or(Undecoded::LinkCut)?,
    })
}

/// LINKTYPE_LINUX_SLL, 16 octets: packet type, ARPHRD type, address length, address (8), protocol.
pub(super) fn sll<'a>(frame: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    let mut reader = Reader::new(frame);
    reader.take(14).ok_or(Undecoded::LinkCut)?;
    let protocol = reader.u16_be().ok_or(Undecoded::LinkCut)?;
    behind(EtherType(protocol), reader.rest(), layers)
}

/// LINKTYPE_LINUX_SLL2, 20 octets: protocol, reserved (2), interface (4), ARPHRD type (2), packet type, address length,
/// address (8).
pub(super) fn sll2<'a>(frame: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    let mut reader = Reader::new(frame);
    let protocol = reader.u16_be().ok_or(Undecoded::LinkCut)?;
    reader.take(18).ok_or(Undecoded::LinkCut)?;
    behind(EtherType(protocol), reader.rest(), layers)
}

/// LINKTYPE_NFLOG: family, version, resource id, then values with length and type in the machine's order; the packet is
/// the value of type 9.
pub(super) fn nflog(frame: &[u8]) -> Result<Link<'_>, Undecoded> {
    let mut reader = Reader::new(frame);
    reader.take(4).ok_or(Undecoded::LinkCut)?;
    for _ in 0..MAX_NFLOG_VALUES {
        let length = usize::from(reader.u16_le().ok_or(Undecoded::LinkCut)?);
        let kind = reader.u16_le().ok_or(Undecoded::LinkCut)?;
        let length = length.checked_sub(4).ok_or(Undecoded::LinkHeader)?;
        if kind == NFLOG_PAYLOAD {
            // A snaplen may have cut it.
            let rest = reader.rest();
            return raw(rest.get(..length).unwrap_or(rest));
        }
        // Each value is padded to 4 octets.
        (reader.take(length.next_multiple_of(4))).ok_or(Undecoded::LinkCut)?;
    }
    Err(Undecoded::NotIp)
}

/// LINKTYPE_PKTAP of macOS, all in little-endian order: length of the header, type of the record, link type of what
/// follows.
pub(super) fn pktap(frame: &[u8]) -> Result<(u32, &[u8]), Undecoded> {
    let mut reader = Reader::new(frame);
    let length = reader.u32_le().ok_or(Undecoded::LinkCut)?;
    let record = reader.u32_le().ok_or(Undecoded::LinkCut)?;
    let link_type = reader.u32_le().ok_or(Undecoded::LinkCut)?;
    if record != 1 || length < 12 {
        return Err(Undecoded::LinkHeader);
    }
    let length = usize::try_from(length).map_err(|_| Undecoded::LinkHeader)?;
    Ok((link_type, frame.get(length..).ok_or(Undecoded::LinkCut)?))
}

/// The shortest that there was: family, action, reason, interface and rule.
const MIN_PFLOG: u8 = 48;
/// The kernel writes about ten before the packet.
const MAX_NFLOG_VALUES: usize = 32;
const NFLOG_PAYLOAD: u16 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cooked_captures_of_both_versions() {
        let mut layers = Layers::default();
        let v1 = [
            &[0, 0, 0, 1, 0, 6][..],
            &[2, 0, 0, 0, 0, 1, 0, 0],
            &[0x08, 0x00],
            &[0x45],
        ]
        .concat();
        assert_eq!(sll(&v1, &mut layers).unwrap().payload, [0x45]);
        let v2 = [
            &[0x86, 0xdd, 0, 0][..],
            &[0, 0, 0, 2],
            &[0, 1, 0, 6],
            &[2, 0, 0, 0, 0, 1, 0, 0],
            &[0x60],
        ]
        .concat();
        assert_eq!(sll2(&v2, &mut layers).unwrap().payload, [0x60]);
    }

    #[test]
    fn reads_a_loopback_family_in_either_byte_order() {
        for octets in [[2, 0, 0, 0, 0x45], [0, 0, 0, 2, 0x45]] {
            assert_eq!(
                null(&octets, u32::from_ne_bytes).unwrap().ether_type,
                EtherType::IPV4
            );
        }
        assert_eq!(
            null(&[30, 0, 0, 0, 0x60], u32::from_ne_bytes)
                .unwrap()
                .ether_type,
            EtherType::IPV6
        );
    }

    #[test]
    fn finds_the_packet_behind_the_log_of_a_filter() {
        let mut octets = vec![61, 2, 0, 0]; // length without padding, AF_INET, passed, by a rule
        octets.resize(64, 0);
        octets.push(0x45);
        let link = pflog(&octets).unwrap();
        assert_eq!(
            (link.ether_type, link.payload),
            (EtherType::IPV4, &[0x45][..])
        );
        assert_eq!(pflog(&octets[..40]), Err(Undecoded::LinkCut));
        assert_eq!(pflog(&[4, 2, 0, 0, 0x45]), Err(Undecoded::LinkHeader));
    }

    #[test]
    fn finds_the_packet_among_the_values_of_nflog() {
        let octets = [
            &[2, 0, 0, 5][..],                  // AF_INET, version 0, group 5
            &[8, 0, 1, 0, 0x08, 0x00, 3, 0],    // packet header
            &[5, 0, 10, 0, 0, 0, 0, 0],         // prefix, one octet and its padding
            &[8, 0, 9, 0, 0x45, 0x01, 0x02, 3], // payload
        ]
        .concat();
        assert_eq!(nflog(&octets).unwrap().payload, [0x45, 1, 2, 3]);
        assert_eq!(
            nflog(&[2, 0, 0, 5, 3, 0, 1, 0]),
            Err(Undecoded::LinkHeader),
            "a length that does not cover itself"
        );
    }

    #[test]
    fn reads_the_link_type_in_a_pktap_header() {
        let octets = [
            &[16, 0, 0, 0][..],
            &[1, 0, 0, 0],
            &[1, 0, 0, 0],
            &[0; 4],
            b"x",
        ]
        .concat();
        assert_eq!(pktap(&octets), Ok((1, &b"x"[..])));
        assert_eq!(pktap(&octets[..10]), Err(Undecoded::LinkCut));
    }
}
