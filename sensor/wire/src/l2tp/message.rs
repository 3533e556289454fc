//! One control message.

use crate::Reader;

/// A control message with attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// 2 or 3.
    pub version: u8,
    /// The identity that the receiver gave to the tunnel; 0 before it has given one.
    pub tunnel: u32,
    /// What it is.
    pub kind: MessageType,
    /// The sender's name, without what is not printable ASCII.
    pub host: Option<String>,
    /// The sender's vendor, likewise.
    pub vendor: Option<String>,
}

/// The type of a control message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageType(pub u16);

impl MessageType {
    /// Start-Control-Connection-Request: the client's first message.
    pub const SCCRQ: Self = Self(1);
    /// Start-Control-Connection-Reply: the server's.
    pub const SCCRP: Self = Self(2);
    /// Start-Control-Connection-Connected.
    pub const SCCCN: Self = Self(3);
    /// Stop-Control-Connection-Notification.
    pub const STOP_CCN: Self = Self(4);
    /// Hello, which keeps a connection alive.
    pub const HELLO: Self = Self(6);
}

/// Reads a datagram; `None` when it is no control message with attributes.
#[must_use]
pub fn control(datagram: &[u8]) -> Option<Control> {
    let mut reader = Reader::new(datagram);
    let version = match reader.u16_be()? {
        FLAGS_2 => 2,
        FLAGS_3 => 3,
        _ => return None,
    };
    if usize::from(reader.u16_be()?) != datagram.len() {
        return None;
    }
    let tunnel = if version == 2 {
        let tunnel = reader.u16_be()?;
        reader.u16_be()?; // session
        u32::from(tunnel)
    } else {
        reader.u32_be()?
    };
    reader.take(4)?; // Ns, Nr
    let mut kind = None;
    let (mut host, mut vendor) = (None, None);
    for count in 0.. {
        if reader.is_empty() {
            break;
        }
        if count >= MAX_ATTRIBUTES {
            return None;
        }
        let head = reader.u16_be()?;
        // Mandatory and hidden; the next four bits are reserved and zero.
        let length = usize::from(head & 0x03ff);
        if head & 0x3c00 != 0 {
            return None;
        }
        let mut attribute = reader.sub(length.checked_sub(2)?)?;
        let (owner, id) = (attribute.u16_be()?, attribute.u16_be()?);
        match (owner, id) {
            (0, MESSAGE_TYPE) if count == 0 => kind = Some(attribute.u16_be()?),
            (0, HOST_NAME) if head & HIDDEN == 0 => host = Some(text(attribute.rest())),
            (0, VENDOR_NAME) if head & HIDDEN == 0 => vendor = Some(text(attribute.rest())),
            _ => {}
        }
        // Version 3 may put a digest behind the type, never before it.
        kind?;
    }
    let kind = kind.filter(|kind| (1..=MAX_TYPE).contains(kind))?;
    Some(Control {
        version,
        tunnel,
        kind: MessageType(kind),
        host,
        vendor,
    })
}

fn text(octets: &[u8]) -> String {
    octets
        .iter()
        .take(MAX_TEXT)
        .filter(|octet| matches!(octet, b' '..=b'~'))
        .map(|&octet| char::from(octet))
        .collect()
}

/// Control, length and sequence present.
const FLAGS_2: u16 = 0xc802;
const FLAGS_3: u16 = 0xc803;
const HIDDEN: u16 = 0x4000;
const MESSAGE_TYPE: u16 = 0;
const HOST_NAME: u16 = 7;
const VENDOR_NAME: u16 = 8;
/// The registry ends at 29 (2026).
const MAX_TYPE: u16 = 40;
/// A datagram holds no more than some dozen honest ones.
pub const MAX_ATTRIBUTES: usize = 64;
/// Names are short.
const MAX_TEXT: usize = 64;

#[cfg(test)]
pub(crate) fn sample(kind: u8, tunnel: u8) -> Vec<u8> {
    [
        &[0xc8, 0x02][..],                                             // T, L, S, version 2
        &[0x00, 0x2c],                                                 // length: 44
        &[0x00, tunnel, 0x00, 0x00],                                   // tunnel, session
        &[0x00, 0x00, 0x00, 0x00],                                     // Ns, Nr
        &[0x80, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, kind],             // message type
        &[0x80, 0x0a, 0x00, 0x00, 0x00, 0x07, b'g', b'a', b't', b'e'], // host name
        &[0x00, 0x0e, 0x00, 0x00, 0x00, 0x08],                         // vendor name
        b"xelerate",
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_host_and_vendor() {
        let found = control(&sample(1, 0)).unwrap();
        assert_eq!(found.kind, MessageType::SCCRQ);
        assert_eq!(found.host.as_deref(), Some("gate"));
        assert_eq!(found.vendor.as_deref(), Some("xelerate"));
        assert_eq!((found.version, found.tunnel), (2, 0));
    }

    #[test]
    fn a_length_that_is_not_the_datagrams_is_refused() {
        let request = sample(1, 0);
        for cut in 0..request.len() {
            assert_eq!(control(&request[..cut]), None, "{cut}");
        }
        let mut longer = request.clone();
        longer.push(0);
        assert_eq!(control(&longer), None);
    }

    #[test]
    fn the_type_comes_first_and_attributes_end_with_the_datagram() {
        let mut late = sample(1, 0);
        late[17] = 9; // another attribute
        assert_eq!(control(&late), None);
        let mut long = sample(1, 0);
        long[31] = 0xff; // vendor's length
        assert_eq!(control(&long), None);
        let mut empty = sample(1, 0);
        empty[13] = 0; // an attribute of no length
        assert_eq!(control(&empty), None);
    }
}
