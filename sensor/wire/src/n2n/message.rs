//! The header of a packet.

use crate::Reader;

/// A packet of a node or a supernode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// 1 to 3.
    pub version: u8,
    /// What it is.
    pub kind: PacketType,
    /// Name of the community, 1 to 19 printable characters.
    pub community: String,
}

/// The type of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PacketType(pub u16);

impl PacketType {
    /// A node registers at its supernode.
    pub const REGISTER_SUPER: Self = Self(5);
    /// The supernode's answer.
    pub const REGISTER_SUPER_ACK: Self = Self(7);
    /// The supernode refuses.
    pub const REGISTER_SUPER_NAK: Self = Self(8);
}

/// Reads a datagram; `None` when it is no packet that registers or answers.
#[must_use]
pub fn header(datagram: &[u8]) -> Option<Header> {
    let mut reader = Reader::new(datagram);
    let version = reader.u8()?;
    let field = match version {
        1 => return first_version(datagram),
        2 => 16,
        3 => 20,
        _ => return None,
    };
    let (ttl, flags) = (reader.u8()?, reader.u16_be()?);
    let kind = PacketType(flags & TYPE);
    let registers = matches!(
        kind,
        PacketType::REGISTER_SUPER
            | PacketType::REGISTER_SUPER_ACK
            | PacketType::REGISTER_SUPER_NAK
    );
    if !(1..=2).contains(&ttl) || flags & !(TYPE | KNOWN_FLAGS) != 0 || !registers {
        return None;
    }
    let community = reader.take(field)?;
    let length = community.iter().position(|&octet| octet == 0)?;
    let (name, filling) = community.split_at_checked(length)?;
    // A cookie, an address of the link layer, times: none is shorter.
    if name.is_empty()
        || !name.iter().all(u8::is_ascii_graphic)
        || filling.iter().any(|&octet| octet != 0)
        || reader.left() < MIN_BODY
    {
        return None;
    }
    Some(Header {
        version,
        kind,
        community: String::from_utf8_lossy(name).into_owned(),
    })
}

/// Version 1: type, a zero, who sent it, the community. Behind the NUL of the name lies whatever was in the sender's memory,
/// and registrations and their answers have one length.
fn first_version(datagram: &[u8]) -> Option<Header> {
    let mut reader = Reader::new(datagram);
    let [_, kind, zero, by_supernode] = reader.take_array()?;
    let kind = match (kind, by_supernode) {
        (1, 0) => PacketType::REGISTER_SUPER,
        (4, 1) => PacketType::REGISTER_SUPER_ACK,
        _ => return None,
    };
    let community = reader.take(16)?;
    let length = community.iter().position(|&octet| octet == 0)?;
    let name = community.get(..length)?;
    let fits = zero == 0
        && datagram.len() == FIRST_VERSION_LEN
        && !name.is_empty()
        && name.iter().all(u8::is_ascii_graphic);
    fits.then(|| Header {
        version: 1,
        kind,
        community: String::from_utf8_lossy(name).into_owned(),
    })
}

/// Of n2n 1.3.1.
const FIRST_VERSION_LEN: usize = 87;

const TYPE: u16 = 0x001f;
/// From the supernode, with a socket, with options.
const KNOWN_FLAGS: u16 = 0x00e0;
const MIN_BODY: usize = 10;

#[cfg(test)]
pub(crate) fn sample(flags: u16) -> Vec<u8> {
    let mut octets = vec![3, 2]; // version, time to live
    octets.extend(flags.to_be_bytes());
    octets.extend(b"homelab");
    octets.resize(4 + 20, 0);
    octets.extend([0x11; 40]);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_leaves_its_memory_behind_the_name() {
        let of = |kind, by_supernode| {
            let mut octets = vec![1, kind, 0, by_supernode];
            octets.extend(b"sales\0\0\0\xc0\x3c\xeb\x08\xbc\x7f\0\0");
            octets.resize(87, 2);
            octets
        };
        let asked = header(&of(1, 0)).unwrap();
        assert_eq!((asked.version, &*asked.community), (1, "sales"));
        assert_eq!(asked.kind, PacketType::REGISTER_SUPER);
        let answered = header(&of(4, 1)).map(|header| header.kind);
        assert_eq!(answered, Some(PacketType::REGISTER_SUPER_ACK));
        // Data, an answer that no supernode gave, another length.
        assert_eq!(header(&of(3, 0)), None);
        assert_eq!(header(&of(4, 0)), None);
        assert_eq!(header(&of(1, 0)[..86]), None);
    }

    #[test]
    fn a_registration_names_its_community() {
        let found = header(&sample(0x0005)).unwrap();
        assert_eq!(found.kind, PacketType::REGISTER_SUPER);
        assert_eq!(found.community, "homelab");
        assert_eq!(
            header(&sample(0x0027)).map(|header| header.kind),
            Some(PacketType::REGISTER_SUPER_ACK)
        );
        assert_eq!(header(&sample(0x0003)), None);
        assert_eq!(header(&sample(0x8005)), None);
        let mut broken = sample(5);
        broken[20] = b'x'; // behind the first NUL
        assert_eq!(header(&broken), None);
        assert_eq!(header(&sample(5)[..30]), None);
    }
}
