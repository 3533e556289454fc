//! What switches put before a frame on its way through a data centre or a plant: VN-Tag and E-Tag (802.1BR) of port
//! extenders, Cisco's FabricPath and security group tag, the network service header of service chains (RFC 8300), and the
//! sequence numbers of redundant networks (HSR of IEC 62439-3, 802.1CB).

use super::{
    Encapsulations, EtherType, Layers, Link, MAX_DEPTH, Undecoded, behind, ethernet, mpls,
};
use crate::Reader;

/// What stands behind one of these EtherTypes; `None` where it is none of them.
pub(super) fn header<'a>(
    ether_type: EtherType,
    octets: &'a [u8],
    layers: &mut Layers,
) -> Option<Result<Link<'a>, Undecoded>> {
    Some(match ether_type {
        // Direction, pointer, destination and source interface: 4 octets.
        VN_TAG => tag(4, Encapsulations::VNTAG, octets, layers),
        // Priority and three parts of the extended channel: 6 octets.
        E_TAG => tag(6, Encapsulations::ETAG, octets, layers),
        FABRIC_PATH => fabric_path(octets, layers),
        EtherType::SERVICE_HEADER => service_header(octets, layers),
        // Version and length 1, then one option: the security group.
        CISCO_METADATA if octets.starts_with(&[1, 1]) => {
            tag(6, Encapsulations::NONE, octets, layers)
        }
        // Path and size, or what is reserved, and a sequence number: 4 octets.
        HSR | REDUNDANCY => tag(4, Encapsulations::NONE, octets, layers),
        _ => return None,
    })
}

/// A tag of so many octets with the EtherType of what follows behind it.
fn tag<'a>(
    length: usize,
    kind: Encapsulations,
    octets: &'a [u8],
    layers: &mut Layers,
) -> Result<Link<'a>, Undecoded> {
    // Each tag counts, so that none can be stacked without end.
    layers.enter(kind)?;
    let mut reader = Reader::new(octets);
    reader.take(length).ok_or(Undecoded::LinkCut)?;
    let ether_type = EtherType(reader.u16_be().ok_or(Undecoded::LinkCut)?);
    behind(ether_type, reader.rest(), layers)
}

/// Tree (10 bits) and hops left (6), then the frame of the host. The addresses before it are those of switches.
fn fabric_path<'a>(octets: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    layers.enter(Encapsulations::FABRIC_PATH)?;
    ethernet(octets.get(2..).ok_or(Undecoded::LinkCut)?, layers)
}

/// A network service header: version, hops left and length in words of 4 octets; type of the metadata; what follows; path
/// and place in it; metadata.
pub(crate) fn service_header<'a>(
    octets: &'a [u8],
    layers: &mut Layers,
) -> Result<Link<'a>, Undecoded> {
    let mut rest = octets;
    // A header may stand behind a header (RFC 8300, 2.2).
    for _ in 0..MAX_DEPTH {
        let Some(&[version, length, _, next]) = rest.first_chunk() else {
            return Err(Undecoded::LinkCut);
        };
        let words = usize::from(length & 0x3f);
        // Version 0; a bit that is not assigned; the base header and the path take 2 words.
        if version & 0xd0 != 0 || words < 2 {
            return Err(Undecoded::LinkHeader);
        }
        layers.enter(Encapsulations::SERVICE_HEADER)?;
        rest = rest.get(words * 4..).ok_or(Undecoded::LinkCut)?;
        match next {
            1 => return behind(EtherType::IPV4, rest, layers),
            2 => return behind(EtherType::IPV6, rest, layers),
            3 => return ethernet(rest, layers),
            4 => {}
            5 => return mpls::labels(rest, layers),
            _ => return Err(Undecoded::NotIp),
        }
    }
    Err(Undecoded::Depth)
}

const VN_TAG: EtherType = EtherType(0x8926);
const E_TAG: EtherType = EtherType(0x893f);
const FABRIC_PATH: EtherType = EtherType(0x8903);
const CISCO_METADATA: EtherType = EtherType(0x8909);
const HSR: EtherType = EtherType(0x892f);
const REDUNDANCY: EtherType = EtherType(0xf1c1);

#[cfg(test)]
mod tests {
    use super::*;

    const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

    fn read(parts: &[&[u8]]) -> (Result<Vec<u8>, Undecoded>, Vec<&'static str>) {
        let mut layers = Layers::default();
        let octets = [&MACS[..], &parts.concat()].concat();
        let link = ethernet(&octets, &mut layers).map(|link| link.payload.to_vec());
        (link, layers.met.names().collect())
    }

    #[test]
    fn reads_the_frame_behind_each_tag() {
        let vlan_and_ip = [0x81, 0x00, 0x00, 0x07, 0x08, 0x00, 0x45];
        for (header, met) in [
            (
                &[0x89, 0x26, 0x00, 0x00, 0x80, 0x2a][..], // VN-Tag from interface 42
                &["vlan", "vntag"][..],
            ),
            (
                &[0x89, 0x3f, 0x00, 0x00, 0x10, 0x64, 0x00, 0x00], // E-Tag, channel 100
                &["vlan", "etag"],
            ),
            (
                &[0x89, 0x09, 0x01, 0x01, 0x00, 0x01, 0x00, 0x05], // security group 5
                &["vlan"],
            ),
            (&[0x89, 0x2f, 0x00, 0x34, 0x00, 0x01], &["vlan"]), // HSR, sequence 1
            (&[0xf1, 0xc1, 0x00, 0x00, 0x00, 0x01], &["vlan"]), // 802.1CB, sequence 1
        ] {
            let (link, names) = read(&[header, &vlan_and_ip]);
            assert_eq!((link, &names[..]), (Ok(vec![0x45]), met), "{header:02x?}");
        }
    }

    #[test]
    fn reads_the_frame_inside_fabric_path() {
        let (link, names) = read(&[
            &[0x89, 0x03, 0x00, 0x60], // tree 1, 32 hops left
            &MACS,
            &[0x81, 0x00, 0x00, 0x0a, 0x08, 0x00, 0x45],
        ]);
        assert_eq!((link, names), (Ok(vec![0x45]), vec!["vlan", "fabricpath"]));
    }

    #[test]
    fn reads_what_a_service_header_carries() {
        for (next, inside) in [
            (1, vec![0x45]),
            (2, vec![0x60]),
            (3, [&MACS[..], &[0x08, 0x00, 0x45]].concat()),
            (5, vec![0x00, 0x06, 0x31, 0x40, 0x45]),
        ] {
            let (link, names) = read(&[
                &[0x89, 0x4f],
                &[0x0f, 0xc6, 0x01, next], // 63 hops left, 6 words, metadata type 1
                &[0x00, 0x00, 0x21, 0xff], // path 33, place 255
                &[0; 16],                  // metadata
                &inside,
            ]);
            assert_eq!(link.map(|rest| rest.len()), Ok(1), "{next}");
            assert!(names.contains(&"nsh"), "{names:?}");
        }
    }

    #[test]
    fn names_what_is_wrong_and_stacks_nothing_without_end() {
        let cut = [0x89, 0x26, 0x00, 0x00, 0x80];
        assert_eq!(read(&[&cut]).0, Err(Undecoded::LinkCut));
        let long = [0x89, 0x4f, 0x00, 0x3f, 0x01, 0x01, 0, 0, 0, 1, 0x45];
        assert_eq!(read(&[&long]).0, Err(Undecoded::LinkCut), "63 words");
        let short = [0x89, 0x4f, 0x00, 0x01, 0x01, 0x01, 0, 0, 0, 1, 0x45];
        assert_eq!(read(&[&short]).0, Err(Undecoded::LinkHeader), "one word");
        let other = [0x89, 0x4f, 0x00, 0x02, 0x02, 0xfe, 0, 0, 0, 1, 0x45];
        assert_eq!(read(&[&other]).0, Err(Undecoded::NotIp), "an experiment");
        let tags = [0x89, 0x26, 0, 0, 0, 1].repeat(40);
        assert_eq!(read(&[&tags]).0, Err(Undecoded::Depth));
        let headers = [
            &[0x89, 0x4f][..],
            &[0x00, 0x02, 0x02, 0x04, 0, 0, 0, 1].repeat(40),
        ]
        .concat();
        assert_eq!(read(&[&headers]).0, Err(Undecoded::Depth));
    }
}
