//! 802.2 LLC headers behind an 802.3 length (IEEE 802.2; RFC 1042 for IP behind SNAP).
//!
//! Most of what uses them is no IP (spanning tree, CDP); IP comes so from 802.11, old Ethernets and bridges.

use super::{Encapsulations, EtherType, Layers, Link, Undecoded, behind};
use crate::Reader;

/// What stands behind an LLC header.
pub(super) fn header<'a>(octets: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    let mut reader = Reader::new(octets);
    match reader.take_array().ok_or(Undecoded::LinkCut)? {
        SNAP => {
            let organisation: [u8; 3] = reader.take_array().ok_or(Undecoded::LinkCut)?;
            let ether_type = EtherType(reader.u16_be().ok_or(Undecoded::LinkCut)?);
            // 00-00-f8 is the bridge tunnel encapsulation of 802.1H.
            if !matches!(organisation, [0, 0, 0] | [0, 0, 0xf8]) || ether_type.is_length() {
                return Err(Undecoded::NotIp);
            }
            layers.enter(Encapsulations::LLC)?;
            behind(ether_type, reader.rest(), layers)
        }
        // The service access point that was assigned to IP before there was SNAP (RFC 948).
        [0x06, 0x06, 0x03] => {
            layers.enter(Encapsulations::LLC)?;
            behind(EtherType::IPV4, reader.rest(), layers)
        }
        _ => Err(Undecoded::NotIp),
    }
}

/// Both service access points are SNAP's, the control field says "unnumbered information".
pub(super) const SNAP: [u8; 3] = [0xaa, 0xaa, 0x03];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_ip_behind_snap_and_its_own_access_point() {
        let mut layers = Layers::default();
        let octets = [&SNAP[..], &[0, 0, 0], &[0x86, 0xdd], &[0x60]].concat();
        let link = header(&octets, &mut layers).unwrap();
        assert_eq!(
            (link.ether_type, link.payload),
            (EtherType::IPV6, &[0x60][..])
        );
        assert_eq!(layers.met, Encapsulations::LLC);
        assert!(header(&[6, 6, 3, 0x45], &mut layers).is_ok());
    }

    #[test]
    fn names_spanning_tree_and_cisco_discovery_as_no_ip() {
        let mut layers = Layers::default();
        let tree = [0x42, 0x42, 0x03, 0, 0, 0, 0];
        assert_eq!(header(&tree, &mut layers), Err(Undecoded::NotIp));
        let discovery = [&SNAP[..], &[0x00, 0x00, 0x0c], &[0x20, 0x00], &[1]].concat();
        assert_eq!(header(&discovery, &mut layers), Err(Undecoded::NotIp));
        assert_eq!(header(&SNAP[..2], &mut layers), Err(Undecoded::LinkCut));
        assert!(layers.met.is_empty());
    }
}
