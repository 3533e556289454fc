//! A message of STUN (RFC 8489, section 5) and its attributes (section 14; RFC 8656, section 18).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{Reader, Step};

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(pub u16);

impl Method {
    /// The sender's address as the other side sees it.
    pub const BINDING: Self = Self(0x001);
    /// A short-lived password, over TLS only (RFC 3489).
    pub const SHARED_SECRET: Self = Self(0x002);
    /// A relay's address is asked for (RFC 8656, section 7).
    pub const ALLOCATE: Self = Self(0x003);
    /// A relay's address is kept, or given back.
    pub const REFRESH: Self = Self(0x004);
    /// A relay sends octets on.
    pub const SEND: Self = Self(0x006);
    /// A relay hands octets over.
    pub const DATA: Self = Self(0x007);
    /// A relay is to accept octets of a peer.
    pub const CREATE_PERMISSION: Self = Self(0x008);
    /// A relay is to use a short header for a peer.
    pub const CHANNEL_BIND: Self = Self(0x009);
    /// A relay is to open a TCP connection (RFC 6062).
    pub const CONNECT: Self = Self(0x00a);
    /// The connection to a relay becomes one to a peer (RFC 6062).
    pub const CONNECTION_BIND: Self = Self(0x00b);
    /// A peer opened a TCP connection to the relay (RFC 6062).
    pub const CONNECTION_ATTEMPT: Self = Self(0x00c);

    /// Whether it belongs to TURN.
    #[must_use]
    pub fn is_turn(self) -> bool {
        (Self::ALLOCATE..=Self::CONNECTION_ATTEMPT).contains(&self)
    }
}

/// The registry's name, else `0x...`.
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::BINDING => "Binding",
            Self::SHARED_SECRET => "SharedSecret",
            Self::ALLOCATE => "Allocate",
            Self::REFRESH => "Refresh",
            Self::SEND => "Send",
            Self::DATA => "Data",
            Self::CREATE_PERMISSION => "CreatePermission",
            Self::CHANNEL_BIND => "ChannelBind",
            Self::CONNECT => "Connect",
            Self::CONNECTION_BIND => "ConnectionBind",
            Self::CONNECTION_ATTEMPT => "ConnectionAttempt",
            Self(number) => return write!(f, "0x{number:03x}"),
        })
    }
}

/// What a message does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Asks.
    Request,
    /// Tells, without an answer.
    Indication,
    /// Answers.
    Success,
    /// Refuses.
    Error,
}

impl Class {
    /// As records write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Indication => "indication",
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is about.
    pub method: Method,
    /// What it does.
    pub class: Class,
    /// The transaction: 12 octets behind the magic cookie, or 16 without.
    pub transaction: &'a [u8],
    /// The attributes, not yet read.
    attributes: &'a [u8],
    /// How the attributes are cut: RFC 3489 had no padding.
    cookie: [u8; 4],
}

/// An attribute worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute<'a> {
    /// Which program sent the message; [`MAX_SOFTWARE`] octets at most.
    Software(&'a [u8]),
    /// The asker's address as the server sees it.
    Mapped(SocketAddr),
    /// The relay's address for the asker.
    Relayed(SocketAddr),
    /// The address of a peer behind a relay.
    Peer(SocketAddr),
    /// Why a request was refused: 300 to 699.
    ErrorCode(u16),
    /// What a relay sends on: payload.
    Data(&'a [u8]),
    /// Any other one: its type.
    Other(u16),
}

/// The message at the start of `input`, with the magic cookie of RFC 5389.
#[must_use]
pub fn message(input: &[u8]) -> Step<Message<'_>> {
    if input.first().is_some_and(|&high| high & 0xc0 != 0) {
        return Step::NotThisProtocol("no STUN message");
    }
    if input.get(3).is_some_and(|&low| low & 3 != 0) {
        return Step::NotThisProtocol("STUN length no multiple of 4");
    }
    let cookie = input.get(4..).unwrap_or_default();
    if !cookie
        .iter()
        .zip(COOKIE)
        .all(|(octet, wanted)| *octet == wanted)
    {
        return Step::NotThisProtocol("no magic cookie of STUN");
    }
    let mut reader = Reader::new(input);
    let (Some(kind), Some(length), Some(cookie), Some(transaction)) = (
        reader.u16_be(),
        reader.u16_be(),
        reader.take_array::<4>(),
        reader.take(12),
    ) else {
        return Step::NeedMore(HEADER.saturating_sub(input.len()).max(1));
    };
    let length = usize::from(length);
    let Some(attributes) = reader.take(length) else {
        return Step::NeedMore(length - reader.left());
    };
    let (method, class) = split(kind);
    let message = Message {
        method,
        class,
        transaction,
        attributes,
        cookie,
    };
    Step::Done(message, HEADER + length)
}

/// The message that a datagram is, by RFC 3489: without a magic cookie.
///
/// There is no mark, so all must agree: only the two methods of that document, a length that is the datagram's, and
/// attributes of its list alone that fill it. A request without attributes is believed only when `plain` says that the
/// port is one of STUN.
#[must_use]
pub fn classic(datagram: &[u8], plain: bool) -> Option<Message<'_>> {
    let mut reader = Reader::new(datagram);
    let kind = reader.u16_be()?;
    if !matches!(kind, 0x0001 | 0x0101 | 0x0111) {
        return None;
    }
    let length = usize::from(reader.u16_be()?);
    let transaction = reader.take(16)?;
    let attributes = reader.rest();
    if attributes.len() != length || length > MAX_CLASSIC {
        return None;
    }
    let mut walk = Reader::new(attributes);
    while !walk.is_empty() {
        let (kind, length) = (walk.u16_be()?, usize::from(walk.u16_be()?));
        walk.take(length)?;
        if length % 4 != 0 || !(matches!(kind, 0x0001..=0x000b | 0x8020..=0x802f)) {
            return None;
        }
    }
    let (method, class) = split(kind);
    if attributes.is_empty() && !(plain && class == Class::Request) {
        return None;
    }
    let cookie = *transaction.first_chunk::<4>()?;
    Some(Message {
        method,
        class,
        transaction,
        attributes,
        cookie,
    })
}

/// The channel and the payload of a ChannelData message of TURN (RFC 8656, section 12.4): what a relay sends on with a
/// short header.
#[must_use]
pub fn channel_data(datagram: &[u8]) -> Option<(u16, &[u8])> {
    let mut reader = Reader::new(datagram);
    let channel = reader
        .u16_be()
        .filter(|channel| CHANNELS.contains(channel))?;
    let length = usize::from(reader.u16_be()?);
    // Over UDP the padding may be left out.
    let payload = reader.take(length)?;
    (reader.left() < 4).then_some((channel, payload))
}

impl<'a> Message<'a> {
    /// The attributes in order, up to the first one that does not fit.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> {
        let mut reader = Reader::new(self.attributes);
        let mask = self.mask();
        std::iter::from_fn(move || {
            let (kind, length) = (reader.u16_be()?, usize::from(reader.u16_be()?));
            let value = reader.take(length)?;
            // What fills up to four octets; the last one may lack it.
            let padding = (4 - length % 4) % 4;
            let _ = reader.take(padding.min(reader.left()));
            Some(attribute(kind, value, &mask))
        })
    }

    /// What an address is mixed with: the cookie and the transaction.
    fn mask(&self) -> [u8; 16] {
        let mut mask = [0; 16];
        let whole = self
            .cookie
            .iter()
            .chain(self.transaction.iter().rev().take(12).rev());
        for (slot, octet) in mask.iter_mut().zip(whole) {
            *slot = *octet;
        }
        mask
    }
}

fn attribute<'a>(kind: u16, value: &'a [u8], mask: &[u8; 16]) -> Attribute<'a> {
    let known = match kind {
        0x0001 => address(value, &[0; 16]).map(Attribute::Mapped),
        0x0020 | 0x8020 => address(value, mask).map(Attribute::Mapped),
        0x0016 => address(value, mask).map(Attribute::Relayed),
        0x0012 => address(value, mask).map(Attribute::Peer),
        0x0009 => error_code(value).map(Attribute::ErrorCode),
        0x0013 => Some(Attribute::Data(value)),
        0x8022 => Some(Attribute::Software(
            value.get(..MAX_SOFTWARE).unwrap_or(value),
        )),
        _ => None,
    };
    known.unwrap_or(Attribute::Other(kind))
}

/// An address (RFC 8489, sections 14.1 and 14.2), mixed with a mask.
fn address(value: &[u8], mask: &[u8; 16]) -> Option<SocketAddr> {
    let mut reader = Reader::new(value);
    let _reserved = reader.u8()?;
    let family = reader.u8()?;
    let port = reader.u16_be()? ^ u16::from_be_bytes(*mask.first_chunk()?);
    let ip = match family {
        1 => {
            let address = u32::from_be_bytes(reader.take_array()?);
            IpAddr::V4(Ipv4Addr::from(
                address ^ u32::from_be_bytes(*mask.first_chunk()?),
            ))
        }
        2 => {
            let address = u128::from_be_bytes(reader.take_array()?);
            IpAddr::V6(Ipv6Addr::from(address ^ u128::from_be_bytes(*mask)))
        }
        _ => return None,
    };
    reader.is_empty().then(|| SocketAddr::new(ip, port))
}

/// RFC 8489, section 14.8: hundreds and the rest.
fn error_code(value: &[u8]) -> Option<u16> {
    let mut reader = Reader::new(value);
    let _reserved = reader.u16_be()?;
    let (class, number) = (reader.u8()? & 7, reader.u8()?);
    ((3..=6).contains(&class) && number < 100).then(|| u16::from(class) * 100 + u16::from(number))
}

/// Method and class stand interleaved (RFC 8489, figure 3).
fn split(kind: u16) -> (Method, Class) {
    let method = (kind & 0x000f) | (kind >> 1 & 0x0070) | (kind >> 2 & 0x0f80);
    let class = match (kind & 0x0100 != 0, kind & 0x0010 != 0) {
        (false, false) => Class::Request,
        (false, true) => Class::Indication,
        (true, false) => Class::Success,
        (true, true) => Class::Error,
    };
    (Method(method), class)
}

/// How many octets of SOFTWARE are told; the document allows 763.
pub const MAX_SOFTWARE: usize = 128;

/// The magic cookie (RFC 8489, section 5).
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Octets before the attributes.
const HEADER: usize = 20;
/// Channels of TURN (RFC 8656, section 12).
const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x4fff;
/// The attributes of RFC 3489 together are shorter.
const MAX_CLASSIC: usize = 548;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::assert_same_however_cut;

    /// A Binding success.
    const SUCCESS: &[u8] = &[
        0x01, 0x01, // Binding, success
        0x00, 0x20, // length
        0x21, 0x12, 0xa4, 0x42, // magic cookie
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, // transaction
        0x00, 0x20, 0x00, 0x08, // XOR-MAPPED-ADDRESS
        0x00, 0x01, // IPv4
        0x11, 0x2b, // port 12345 ^ 0x2112
        0xe1, 0x12, 0xa6, 0x45, // 192.0.2.7 ^ cookie
        0x80, 0x22, 0x00, 0x05, // SOFTWARE, 5 octets and padding
        b'a', b'-', b'1', b'.', b'0', 0, 0, 0, //
        0x80, 0x28, 0x00, 0x04, 0xde, 0xad, 0xbe, 0xef, // FINGERPRINT
    ];

    fn done(input: &[u8]) -> Message<'_> {
        match message(input) {
            Step::Done(message, used) => {
                assert_eq!(used, input.len());
                message
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_the_answer_of_a_server_however_cut() {
        assert_same_however_cut(
            |input| message(input).map(|message| (message.method, message.class)),
            SUCCESS,
        );
        let message = done(SUCCESS);
        assert_eq!(
            (message.method, message.class),
            (Method::BINDING, Class::Success)
        );
        assert_eq!(message.transaction, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        let attributes: Vec<_> = message.attributes().collect();
        assert_eq!(
            attributes,
            [
                Attribute::Mapped("192.0.2.7:12345".parse().unwrap()),
                Attribute::Software(b"a-1.0"),
                Attribute::Other(0x8028),
            ]
        );
    }

    #[test]
    fn reads_an_address_of_ip_version_6() {
        let mut octets = vec![0x01, 0x03, 0x00, 0x18, 0x21, 0x12, 0xa4, 0x42];
        octets.extend([0xaa; 12]); // transaction
        octets.extend([0x00, 0x16, 0x00, 0x14, 0x00, 0x02]); // XOR-RELAYED-ADDRESS, IPv6
        octets.extend([0x2c, 0x86]); // port 3476 ^ 0x2112
        let address = u128::from("2001:db8::7".parse::<Ipv6Addr>().unwrap());
        let mask = u128::from_be_bytes([
            0x21, 0x12, 0xa4, 0x42, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
            0xaa, 0xaa,
        ]);
        octets.extend((address ^ mask).to_be_bytes());
        let message = done(&octets);
        assert_eq!(message.method, Method::ALLOCATE);
        assert_eq!(
            message.attributes().next(),
            Some(Attribute::Relayed("[2001:db8::7]:3476".parse().unwrap()))
        );
    }

    #[test]
    fn tells_methods_and_classes_apart() {
        for (kind, method, class) in [
            (0x0001, "Binding", Class::Request),
            (0x0011, "Binding", Class::Indication),
            (0x0003, "Allocate", Class::Request),
            (0x0113, "Allocate", Class::Error),
            (0x0016, "Send", Class::Indication),
            (0x0109, "ChannelBind", Class::Success),
            (0x3eef, "0xfff", Class::Request),
        ] {
            let (found, of) = split(kind);
            assert_eq!(
                (found.to_string().as_str(), of),
                (method, class),
                "{kind:x}"
            );
        }
        assert!(Method::ALLOCATE.is_turn() && !Method::BINDING.is_turn());
    }

    #[test]
    fn reads_why_a_relay_refuses() {
        assert_eq!(error_code(&[0, 0, 4, 1]), Some(401));
        assert_eq!(error_code(&[0, 0, 4, 38]), Some(438));
        assert_eq!(error_code(&[0, 0, 9, 1]), None);
    }

    #[test]
    fn refuses_what_has_no_cookie_or_an_odd_length() {
        for (place, value) in [(0, 0x41), (3, 0x25), (4, 0x22), (7, 0)] {
            let mut octets = SUCCESS.to_vec();
            octets[place] = value;
            assert!(
                matches!(message(&octets), Step::NotThisProtocol(_)),
                "{place}"
            );
        }
    }

    #[test]
    fn believes_a_message_without_cookie_only_when_all_agrees() {
        let mut request = vec![0, 1, 0, 8];
        request.extend([7; 16]); // transaction
        request.extend([0, 3, 0, 4, 0, 0, 0, 0]); // CHANGE-REQUEST
        let message = classic(&request, false).unwrap();
        assert_eq!(message.class, Class::Request);
        for (place, value) in [(1, 2), (3, 4), (21, 0x20), (23, 3)] {
            let mut octets = request.clone();
            octets[place] = value;
            assert_eq!(classic(&octets, true), None, "{place}");
        }
        let mut empty = request[..20].to_vec();
        empty[3] = 0;
        assert_eq!(classic(&empty, false), None);
        assert!(classic(&empty, true).is_some());
        // An answer with MAPPED-ADDRESS in clear.
        let mut answer = vec![1, 1, 0, 12];
        answer.extend([7; 16]);
        answer.extend([0, 1, 0, 8, 0, 1, 0x30, 0x39, 192, 0, 2, 7]);
        assert_eq!(
            classic(&answer, false).unwrap().attributes().next(),
            Some(Attribute::Mapped("192.0.2.7:12345".parse().unwrap()))
        );
    }

    #[test]
    fn finds_what_a_relay_sends_on() {
        assert_eq!(
            channel_data(&[0x40, 1, 0, 2, 22, 254, 0, 0]),
            Some((0x4001, &[22, 254][..]))
        );
        assert_eq!(channel_data(&[0x40, 1, 0, 2, 22]), None);
        assert_eq!(channel_data(&[0x50, 1, 0, 0]), None);
    }

    proptest! {
        #[test]
        fn never_goes_on_forever(datagram in prop::collection::vec(any::<u8>(), 0..200)) {
            let body = u8::try_from(datagram.len() & !3).unwrap();
            let mut octets = vec![0, 1, 0, body, 0x21, 0x12, 0xa4, 0x42];
            octets.extend([1; 12]);
            octets.extend(&datagram);
            if let Step::Done(message, used) = message(&octets) {
                prop_assert!(used <= octets.len());
                prop_assert!(message.attributes().count() <= datagram.len() / 4);
            }
            let _ = classic(&datagram, true);
            let _ = channel_data(&datagram);
        }

        #[test]
        fn gives_back_addresses(ip in any::<[u8; 16]>(), port in any::<u16>(), mask in any::<[u8; 16]>()) {
            let mut value = vec![0, 2];
            value.extend((port ^ u16::from_be_bytes([mask[0], mask[1]])).to_be_bytes());
            value.extend(ip.iter().zip(mask).map(|(octet, mask)| octet ^ mask));
            let wanted = SocketAddr::new(Ipv6Addr::from(ip).into(), port);
            prop_assert_eq!(address(&value, &mask), Some(wanted));
        }
    }
}
