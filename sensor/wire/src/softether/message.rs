//! Answers and packs.

use crate::Reader;

/// A datagram of NAT traversal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// `IP=a.b.c.d,PORT=n`: the server tells the client its own address.
    Address,
    /// A pack of the client or the server.
    Pack {
        /// Whether it asks; an answer says so.
        client: bool,
        /// The client's name in SoftEther's dynamic DNS, where it is given.
        name: Option<String>,
    },
}

/// Reads a datagram; `None` when it is something else.
#[must_use]
pub fn message(datagram: &[u8]) -> Option<Message> {
    if datagram.starts_with(b"IP=") && address(datagram).is_some() {
        return Some(Message::Address);
    }
    pack(datagram)
}

fn address(datagram: &[u8]) -> Option<()> {
    let text = std::str::from_utf8(datagram).ok()?;
    let (ip, port) = text.strip_prefix("IP=")?.split_once(",PORT=")?;
    ip.parse::<std::net::IpAddr>().ok()?;
    let port: u16 = port.parse().ok()?;
    (port > 0).then_some(())
}

/// A count of elements; each with its name, its type, a count of values, and the values. It ends with the datagram.
fn pack(datagram: &[u8]) -> Option<Message> {
    let mut reader = Reader::new(datagram);
    let count = reader.u32_be()?;
    if !(1..=MAX_ELEMENTS).contains(&count) {
        return None;
    }
    let (mut known, mut client, mut fqdn) = (false, true, None);
    for _ in 0..count {
        // The length counts a NUL that is not sent.
        let length = reader.u32_be()?;
        let name = reader.take(usize::try_from(length).ok()?.checked_sub(1)?)?;
        if name.is_empty() || name.len() > MAX_NAME || !name.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let kind = reader.u32_be()?;
        let values = reader.u32_be()?;
        if values > MAX_VALUES {
            return None;
        }
        known |= KNOWN.contains(&name);
        client &= !matches!(name, b"isret" | b"isfret" | b"your_ip");
        for _ in 0..values {
            let value = value(&mut reader, kind)?;
            if name == b"ddns_fqdn"
                && value.len() <= MAX_NAME
                && value.iter().all(u8::is_ascii_graphic)
            {
                fqdn = std::str::from_utf8(value).ok().map(str::to_owned);
            }
        }
    }
    (reader.is_empty() && known).then_some(Message::Pack { client, name: fqdn })
}

/// One value: a number, or octets behind their length.
fn value<'a>(reader: &mut Reader<'a>, kind: u32) -> Option<&'a [u8]> {
    match kind {
        INT => reader.take(4),
        INT64 => reader.take(8),
        DATA | STRING | UNICODE => {
            let length = usize::try_from(reader.u32_be()?).ok()?;
            reader.take(length)
        }
        _ => None,
    }
}

const INT: u32 = 0;
const DATA: u32 = 1;
const STRING: u32 = 2;
const UNICODE: u32 = 3;
const INT64: u32 = 4;

/// Names that only NAT traversal knows.
const KNOWN: &[&[u8]] = &[
    b"machine_key",
    b"svc_name",
    b"nat_traversal",
    b"tran_id",
    b"isfret",
    b"isret",
    b"my_ip",
    b"my_port",
    b"ddns_fqdn",
];

/// Elements of a pack; NAT traversal sends twenty at most.
pub const MAX_ELEMENTS: u32 = 64;
/// Values of an element; NAT traversal sends one.
pub const MAX_VALUES: u32 = 16;
/// Longer names of elements are refused, longer host names not told.
const MAX_NAME: usize = 63;

#[cfg(test)]
pub(crate) fn sample() -> Vec<u8> {
    [
        &[0, 0, 0, 3][..], // elements
        &[0, 0, 0, 10],    // length of the name, and one
        b"host_name",
        &[0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4], // string, one value, its length
        b"pc21",
        &[0, 0, 0, 8],
        b"tran_id",
        &[0, 0, 0, 4, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8], // number of eight octets
        &[0, 0, 0, 9],
        b"svc_port",
        &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0xbb], // number
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_to_its_last_octet() {
        for good in ["IP=192.0.2.7,PORT=51381", "IP=2001:db8::1,PORT=1"] {
            assert_eq!(message(good.as_bytes()), Some(Message::Address), "{good}");
        }
        for bad in [
            "A",
            "IP=192.0.2.7,PORT=",
            "IP=192.0.2,PORT=5",
            "IP=192.0.2.7,PORT=0",
            "IP=192.0.2.7,PORT=65536",
            "IP=192.0.2.7,PORT=51381\n",
            "ip=192.0.2.7,PORT=51381",
        ] {
            assert_eq!(message(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_pack_is_walked_to_its_last_octet() {
        let octets = sample();
        assert_eq!(
            message(&octets),
            Some(Message::Pack {
                client: true,
                name: None
            })
        );
        for cut in 0..octets.len() {
            assert_eq!(message(&octets[..cut]), None, "{cut}");
        }
        let mut longer = octets.clone();
        longer.push(0);
        assert_eq!(message(&longer), None);
    }

    #[test]
    fn counts_are_bounded() {
        assert_eq!(message(&[0xff; 64]), None);
        let mut many = sample();
        many[20..24].copy_from_slice(&[0xff; 4]);
        assert_eq!(message(&many), None);
    }
}
