//! The message: a pure function of a datagram.

use std::net::Ipv4Addr;

use crate::{Reader, Step};

/// A DHCP message, as far as it names a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// Request or reply.
    pub op: Op,
    /// What kind of message (option 53); `None` in BOOTP.
    pub kind: Option<MessageType>,
    /// The client's random number: the same in all messages of one exchange.
    pub transaction: u32,
    /// The client's address where it has one already.
    pub client: Option<Ipv4Addr>,
    /// The address that the server gives.
    pub yours: Option<Ipv4Addr>,
    /// The address that the client asks for (option 50).
    pub requested: Option<Ipv4Addr>,
    /// The client's hardware address.
    pub hardware: HardwareAddress,
    /// What the client calls itself (option 12), as sent; [`MAX_NAME`] octets at most.
    pub host_name: Option<&'a [u8]>,
    /// Its domain name (option 81), as text with dots whatever the encoding; [`MAX_NAME`] octets at most.
    pub domain_name: Option<Vec<u8>>,
    /// What the client's program is (option 60), as sent; [`MAX_NAME`] octets at most.
    pub vendor_class: Option<&'a [u8]>,
}

/// The first octet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// From a client.
    Request,
    /// From a server.
    Reply,
}

/// Option 53. Unknown values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageType(pub u8);

impl MessageType {
    /// DHCPREQUEST.
    pub const REQUEST: Self = Self(3);
    /// DHCPACK.
    pub const ACK: Self = Self(5);

    /// The name in RFC 2132, section 9.6, in lower case without `DHCP`.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "discover",
            2 => "offer",
            3 => "request",
            4 => "decline",
            5 => "ack",
            6 => "nak",
            7 => "release",
            8 => "inform",
            _ => return None,
        })
    }
}

/// A hardware address of at most 16 octets; written as pairs of hexadecimal digits with colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HardwareAddress {
    octets: [u8; 16],
    length: u8,
}

impl std::fmt::Display for HardwareAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, octet) in self
            .octets
            .iter()
            .take(usize::from(self.length))
            .enumerate()
        {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02x}")?;
        }
        Ok(())
    }
}

/// Reads a datagram.
#[must_use]
pub fn message(input: &[u8]) -> Step<Message<'_>> {
    let refused = Step::NotThisProtocol("no DHCP message");
    // The cookie stands behind all fixed fields; a datagram without it is no DHCP.
    if input.len() < FIXED + COOKIE.len() {
        return refused;
    }
    read(input).map_or(refused, |message| Step::Done(message, input.len()))
}

fn read(input: &[u8]) -> Option<Message<'_>> {
    let mut reader = Reader::new(input);
    let op = match reader.u8()? {
        1 => Op::Request,
        2 => Op::Reply,
        _ => return None,
    };
    reader.u8()?; // hardware type
    let length = reader.u8().filter(|&length| length <= 16)?;
    reader.take(1)?; // hops
    let transaction = reader.u32_be()?;
    reader.take(4)?; // seconds, flags
    let client = address(reader.take_array()?);
    let yours = address(reader.take_array()?);
    reader.take(8)?; // server, relay
    let octets = reader.take_array()?;
    reader.take(64 + 128)?; // server name, boot file
    if reader.take_array()? != COOKIE {
        return None;
    }
    let mut message = Message {
        op,
        kind: None,
        transaction,
        client,
        yours,
        requested: None,
        hardware: HardwareAddress { octets, length },
        host_name: None,
        domain_name: None,
        vendor_class: None,
    };
    // Each option takes an octet at least, so the datagram bounds the walk.
    while let Some(code) = reader.u8() {
        if code == PAD {
            continue;
        }
        if code == END {
            break;
        }
        let Some(value) = reader
            .u8()
            .and_then(|length| reader.take(usize::from(length)))
        else {
            break;
        };
        option(&mut message, code, value);
    }
    Some(message)
}

fn option<'a>(message: &mut Message<'a>, code: u8, value: &'a [u8]) {
    let text = Some(value.get(..value.len().min(MAX_NAME)).unwrap_or_default())
        .filter(|text| !text.is_empty());
    match code {
        HOST_NAME => message.host_name = text,
        REQUESTED_ADDRESS => {
            message.requested = value.first_chunk().and_then(|&octets| address(octets));
        }
        MESSAGE_TYPE => message.kind = value.first().copied().map(MessageType),
        VENDOR_CLASS => message.vendor_class = text,
        CLIENT_FQDN => message.domain_name = domain_name(value),
        _ => {}
    }
}

/// Flags, two response codes, then the name: labels as in DNS when the E flag says so, else ASCII (RFC 4702, section 2).
fn domain_name(value: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(value);
    let flags = reader.u8()?;
    reader.take(2)?;
    let mut name = Vec::new();
    if flags & 0x04 == 0 {
        name.extend_from_slice(reader.rest());
    } else {
        while let Some(length) = reader.u8().filter(|length| (1..64).contains(length)) {
            let Some(label) = reader.take(usize::from(length)) else {
                break;
            };
            if !name.is_empty() {
                name.push(b'.');
            }
            name.extend_from_slice(label);
        }
    }
    name.truncate(MAX_NAME);
    Some(name).filter(|name| !name.is_empty())
}

fn address(octets: [u8; 4]) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::from(octets)).filter(|address| !address.is_unspecified())
}

/// A host's name in DNS has 253 characters at most; an option could hold 255.
pub const MAX_NAME: usize = 253;
/// Octets before the cookie.
const FIXED: usize = 236;
/// RFC 2131, section 3.
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const PAD: u8 = 0;
const HOST_NAME: u8 = 12;
const REQUESTED_ADDRESS: u8 = 50;
const MESSAGE_TYPE: u8 = 53;
const VENDOR_CLASS: u8 = 60;
const CLIENT_FQDN: u8 = 81;
const END: u8 = 255;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(options: &[u8]) -> Vec<u8> {
        let mut octets = vec![
            1, 1, 6, 0, // request, Ethernet, 6 octets, no relay
            0xde, 0xad, 0xbe, 0xef, // transaction
            0, 0, 0, 0, // seconds, flags
            0, 0, 0, 0, // no address yet
            0, 0, 0, 0, // none given
            0, 0, 0, 0, 0, 0, 0, 0, // server, relay
            2, 0, 0, 0x11, 0x22, 0x33, // hardware address
        ];
        octets.resize(FIXED, 0);
        octets.extend(COOKIE);
        octets.extend(options);
        octets
    }

    fn read_whole(octets: &[u8]) -> Message<'_> {
        match message(octets) {
            Step::Done(message, used) => {
                assert_eq!(used, octets.len());
                message
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_what_a_client_calls_itself() {
        let octets = request(&[
            53, 1, 3, // request
            50, 4, 10, 0, 0, 7, // asks for this address
            12, 4, b'w', b's', b'0', b'1', // host name
            60, 3, b'M', b'S', b'F', // vendor class
            81, 7, 0, 0, 0, b'w', b's', b'.', b'x', // FQDN in ASCII
            255,
        ]);
        let message = read_whole(&octets);
        assert_eq!(message.op, Op::Request);
        assert_eq!(message.kind.and_then(MessageType::name), Some("request"));
        assert_eq!(message.transaction, 0xdead_beef);
        assert_eq!(message.hardware.to_string(), "02:00:00:11:22:33");
        assert_eq!(message.requested, Some(Ipv4Addr::new(10, 0, 0, 7)));
        assert_eq!(message.host_name, Some(&b"ws01"[..]));
        assert_eq!(message.vendor_class, Some(&b"MSF"[..]));
        assert_eq!(message.domain_name.as_deref(), Some(&b"ws.x"[..]));
        assert_eq!((message.client, message.yours), (None, None));
    }

    #[test]
    fn reads_a_domain_name_in_labels() {
        let octets = request(&[81, 11, 4, 0, 0, 2, b'w', b's', 2, b'a', b'd', 0, 9, 255]);
        let message = read_whole(&octets);
        assert_eq!(message.domain_name.as_deref(), Some(&b"ws.ad"[..]));
    }

    #[test]
    fn hands_out_what_stands_before_an_option_that_is_cut() {
        let octets = request(&[12, 2, b'p', b'c', 60, 200, b'x']);
        let message = read_whole(&octets);
        assert_eq!(message.host_name, Some(&b"pc"[..]));
        assert_eq!(message.vendor_class, None);
    }

    #[test]
    fn refuses_a_datagram_without_the_cookie_or_cut_before_it() {
        let octets = request(&[]);
        let mut other = octets.clone();
        other[FIXED] = 0;
        assert!(matches!(message(&other), Step::NotThisProtocol(_)));
        for cut in 0..octets.len() {
            assert!(matches!(message(&octets[..cut]), Step::NotThisProtocol(_)));
        }
    }

    proptest! {
        #[test]
        fn no_options_make_it_panic(options in prop::collection::vec(any::<u8>(), 0..300)) {
            let octets = request(&options);
            let message = read_whole(&octets);
            prop_assert!(message.domain_name.is_none_or(|name| name.len() <= MAX_NAME));
        }
    }
}
