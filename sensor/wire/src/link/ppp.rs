//! PPP (RFC 1661) on a line (RFC 1662), over Ethernet (RFC 2516) and inside tunnels, and Cisco's HDLC.
//!
//! Address and control field may be left out, the protocol field may have one octet (RFC 1661, 6.5 and 6.6). What
//! negotiates a link (LCP, IPCP, CHAP) is no IP; what encrypts (MPPE, RFC 3078) or compresses it cannot be read.

use super::{Encapsulations, EtherType, Layers, Link, Undecoded, behind, mpls};
use crate::Reader;

/// A frame of LINKTYPE_PPP and its relatives, which may also be Cisco's.
pub(crate) fn on_a_line<'a>(octets: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    match octets {
        [CISCO_UNICAST | CISCO_BROADCAST, 0, ..] => cisco(octets, layers),
        _ => frame(octets, layers),
    }
}

/// A PPP frame, from its address field or its protocol on.
pub(crate) fn frame<'a>(octets: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    layers.enter(Encapsulations::PPP)?;
    let mut reader = Reader::new(octets.strip_prefix(&[0xff, 0x03]).unwrap_or(octets));
    let mut protocol = u16::from(reader.u8().ok_or(Undecoded::LinkCut)?);
    // The first octet of two is even, the last one is odd.
    if protocol & 1 == 0 {
        protocol = protocol << 8 | u16::from(reader.u8().ok_or(Undecoded::LinkCut)?);
    }
    match protocol {
        0x0021 => behind(EtherType::IPV4, reader.rest(), layers),
        0x0057 => behind(EtherType::IPV6, reader.rest(), layers),
        0x0281 | 0x0283 => mpls::labels(reader.rest(), layers),
        // Compressed datagrams; encryption (MPPE, ECP) runs under these numbers.
        0x00fd | 0x00fb | 0x0053 | 0x0055 => Err(Undecoded::LinkEncrypted),
        _ if protocol & 1 == 0 => Err(Undecoded::LinkHeader),
        _ => Err(Undecoded::NotIp),
    }
}

/// PPPoE, session stage: version and type, code, session, length.
pub(crate) fn over_ethernet<'a>(
    octets: &'a [u8],
    layers: &mut Layers,
) -> Result<Link<'a>, Undecoded> {
    let mut reader = Reader::new(octets);
    let [version, code, _, _, len_a, len_b] = reader.take_array().ok_or(Undecoded::LinkCut)?;
    if version != 0x11 {
        return Err(Undecoded::LinkHeader);
    }
    // Discovery has other codes; LINKTYPE_PPP_ETHER carries both.
    if code != 0 {
        return Err(Undecoded::NotIp);
    }
    layers.enter(Encapsulations::PPPOE)?;
    let length = usize::from(u16::from_be_bytes([len_a, len_b]));
    let rest = reader.rest();
    // Shorter than captured: Ethernet pads. Longer: the snaplen cut it.
    frame(rest.get(..length).unwrap_or(rest), layers)
}

/// Cisco's HDLC: address, control, EtherType.
pub(crate) fn cisco<'a>(octets: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    let mut reader = Reader::new(octets);
    let [address, _, a, b] = reader.take_array().ok_or(Undecoded::LinkCut)?;
    if !matches!(address, CISCO_UNICAST | CISCO_BROADCAST) {
        return Err(Undecoded::LinkHeader);
    }
    layers.enter(Encapsulations::HDLC)?;
    behind(EtherType(u16::from_be_bytes([a, b])), reader.rest(), layers)
}

const CISCO_UNICAST: u8 = 0x0f;
const CISCO_BROADCAST: u8 = 0x8f;

#[cfg(test)]
mod tests {
    use super::*;

    type Reads = fn(&[u8], &mut Layers) -> Option<(u16, usize)>;

    fn line(octets: &[u8], layers: &mut Layers) -> Option<(u16, usize)> {
        let link = on_a_line(octets, layers).ok()?;
        Some((link.ether_type.0, link.payload.len()))
    }

    #[test]
    fn reads_every_form_of_the_header() {
        let read: Reads = line;
        for (octets, want, met) in [
            (&[0xff, 0x03, 0x00, 0x21, 0x45][..], 0x0800, "ppp"),
            (&[0xff, 0x03, 0x21, 0x45], 0x0800, "ppp"),
            (&[0x00, 0x57, 0x60], 0x86dd, "ppp"),
            (&[0x21, 0x45], 0x0800, "ppp"),
            (&[0x0f, 0x00, 0x08, 0x00, 0x45], 0x0800, "hdlc"),
            (&[0x8f, 0x00, 0x86, 0xdd, 0x60], 0x86dd, "hdlc"),
        ] {
            let mut layers = Layers::default();
            assert_eq!(read(octets, &mut layers), Some((want, 1)), "{octets:02x?}");
            assert_eq!(layers.met.names().collect::<Vec<_>>(), [met]);
        }
    }

    #[test]
    fn names_what_is_no_ip_and_what_is_encrypted() {
        let mut layers = Layers::default();
        for (octets, why) in [
            (&[0xff, 0x03, 0xc0, 0x21, 1, 1, 0, 4][..], Undecoded::NotIp), // LCP
            (&[0x0f, 0x00, 0x80, 0x35, 0, 0], Undecoded::NotIp),           // Cisco's keepalive
            (&[0x00, 0xfd, 0x90, 0x01], Undecoded::LinkEncrypted),
            (&[0xff, 0x03, 0x00], Undecoded::LinkCut),
            (&[0x00, 0x20, 0x45], Undecoded::LinkHeader),
        ] {
            assert_eq!(on_a_line(octets, &mut layers), Err(why), "{octets:02x?}");
        }
    }

    #[test]
    fn cuts_the_padding_behind_a_session_frame() {
        let octets = [
            0x11, 0x00, 0x00, 0x21, // version 1, type 1, session data, session 0x21
            0x00, 0x03, // length
            0x00, 0x21, 0x45, // IPv4
            0x00, 0x00, 0x00, // padding of the frame
        ];
        let mut layers = Layers::default();
        assert_eq!(over_ethernet(&octets, &mut layers).unwrap().payload, [0x45]);
        assert_eq!(layers.met.names().collect::<Vec<_>>(), ["pppoe", "ppp"]);
        let mut discovery = octets;
        discovery[1] = 0x09;
        assert_eq!(
            over_ethernet(&discovery, &mut layers),
            Err(Undecoded::NotIp)
        );
    }
}
