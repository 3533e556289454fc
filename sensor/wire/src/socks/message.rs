//! One message at a time: pure functions from octets to a message.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{Reader, Step};

/// Version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 4, and its extension 4A.
    Four,
    /// RFC 1928.
    Five,
}

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command(pub u8);

impl Command {
    /// A connection to the destination.
    pub const CONNECT: Self = Self(1);
    /// A connection from the destination.
    pub const BIND: Self = Self(2);
    /// A relay of datagrams (version 5).
    pub const UDP_ASSOCIATE: Self = Self(3);
    /// Tor: the address of a name.
    pub const RESOLVE: Self = Self(0xf0);
    /// Tor: the name of an address.
    pub const RESOLVE_PTR: Self = Self(0xf1);

    /// In lower case; none for a number nobody uses.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::CONNECT => "connect",
            Self::BIND => "bind",
            Self::UDP_ASSOCIATE => "udp_associate",
            Self::RESOLVE => "resolve",
            Self::RESOLVE_PTR => "resolve_ptr",
            _ => return None,
        })
    }
}

/// A method of authentication (RFC 1928, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method(pub u8);

impl Method {
    /// None.
    pub const NONE: Self = Self(0);
    /// RFC 1961.
    pub const GSSAPI: Self = Self(1);
    /// RFC 1929.
    pub const PASSWORD: Self = Self(2);
    /// The server takes none of what the client offers.
    pub const REFUSED: Self = Self(0xff);

    /// The usual ones in words.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NONE => "none",
            Self::GSSAPI => "gssapi",
            Self::PASSWORD => "password",
            Self::REFUSED => "refused",
            _ => return None,
        })
    }
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// An address as text, or a name as sent (255 octets at most, printable).
    pub host: String,
    /// Port in host order.
    pub port: u16,
}

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it wants.
    pub command: Command,
    /// Of or from whom.
    pub destination: Destination,
}

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The number on the wire: 0 (version 5) or 90 (version 4) grants.
    pub code: u8,
    /// The address the server uses.
    pub bound: Destination,
}

impl Reply {
    /// Whether it grants the request.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        matches!(self.code, 0 | GRANTED_4)
    }

    /// In the words of RFC 1928; numbers of the versions do not meet.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        Some(match self.code {
            0 | GRANTED_4 => "succeeded",
            1 => "general SOCKS server failure",
            2 => "connection not allowed by ruleset",
            3 => "network unreachable",
            4 => "host unreachable",
            5 => "connection refused",
            6 => "TTL expired",
            7 => "command not supported",
            8 => "address type not supported",
            91 => "rejected or failed",
            92 => "no identd",
            93 => "identd names another user",
            _ => return None,
        })
    }
}

/// Version 5: the methods a client offers, one to 255 of them.
#[must_use]
pub fn greeting(input: &[u8]) -> Step<&[u8]> {
    let mut reader = Reader::new(input);
    let (version, count) = (reader.u8(), reader.u8());
    if version.is_some_and(|version| version != 5) || count == Some(0) {
        return Step::NotThisProtocol("no SOCKS greeting");
    }
    let Some(count) = count.map(usize::from) else {
        return Step::NeedMore(2 - input.len());
    };
    let known = |&octet: &u8| octet <= LAST_METHOD || (0x80..0xff).contains(&octet);
    if !reader.rest().iter().take(count).all(known) {
        return Step::NotThisProtocol("no SOCKS method");
    }
    let left = reader.left();
    match reader.take(count) {
        Some(methods) => Step::Done(methods, 2 + count),
        None => Step::NeedMore(count - left),
    }
}

/// Version 5: the method a server chose.
#[must_use]
pub fn method_selection(input: &[u8]) -> Step<Method> {
    match *input {
        [] => Step::NeedMore(2),
        [5] => Step::NeedMore(1),
        [5, method, ..] => Step::Done(Method(method), 2),
        _ => Step::NotThisProtocol("no SOCKS version"),
    }
}

/// User name and password of RFC 1929: skipped, nothing is handed out.
#[must_use]
pub fn password(input: &[u8]) -> Step<()> {
    let mut reader = Reader::new(input);
    if reader.u8().is_some_and(|version| version != 1) {
        return Step::NotThisProtocol("no password");
    }
    let mut used = 1;
    for _ in 0..2 {
        let Some(length) = reader.u8().map(usize::from) else {
            return Step::NeedMore(1);
        };
        let left = reader.left();
        if reader.take(length).is_none() {
            return Step::NeedMore(length - left);
        }
        used += 1 + length;
    }
    Step::Done((), used)
}

/// What a server says to them: whether they were right.
#[must_use]
pub fn password_status(input: &[u8]) -> Step<bool> {
    match *input {
        [] => Step::NeedMore(2),
        [1] => Step::NeedMore(1),
        [1, status, ..] => Step::Done(status == 0, 2),
        // Some servers write their own version.
        [5] => Step::NeedMore(1),
        [5, status, ..] => Step::Done(status == 0, 2),
        _ => Step::NotThisProtocol("no outcome of a password"),
    }
}

/// Version 5: a request.
#[must_use]
pub fn request_5(input: &[u8]) -> Step<Request> {
    let command = match *input {
        [version, ..] if version != 5 => return Step::NotThisProtocol("no SOCKS request"),
        [_, command, ..] => Command(command),
        _ => return Step::NeedMore(2 - input.len()),
    };
    if command.name().is_none() {
        return Step::NotThisProtocol("no SOCKS command");
    }
    match destination_5(input) {
        // A connection to port 0 is what a server's refusal looks like when it is read as a request.
        Step::Done(destination, _) if command == Command::CONNECT && destination.port == 0 => {
            Step::NotThisProtocol("no port to connect to")
        }
        Step::Done(destination, used) if destination.host.is_empty() => {
            let _ = used;
            Step::NotThisProtocol("an empty name")
        }
        step => step.map(|destination| Request {
            command,
            destination,
        }),
    }
}

/// Version 5: a reply.
#[must_use]
pub fn reply_5(input: &[u8]) -> Step<Reply> {
    let code = match *input {
        [version, ..] if version != 5 => return Step::NotThisProtocol("no SOCKS reply"),
        [_, code, ..] => code,
        _ => return Step::NeedMore(2 - input.len()),
    };
    // Tor has its own codes from 0xf0 on.
    if !(0..=8).contains(&code) && code < 0xf0 {
        return Step::NotThisProtocol("no SOCKS reply");
    }
    destination_5(input).map(|bound| Reply { code, bound })
}

/// The third octet (0) and what follows it, in a request and in a reply alike.
fn destination_5(input: &[u8]) -> Step<Destination> {
    let mut reader = Reader::new(input.get(2..).unwrap_or_default());
    let Some(reserved) = reader.u8() else {
        return Step::NeedMore(3_usize.saturating_sub(input.len()).max(1));
    };
    if reserved != 0 {
        return Step::NotThisProtocol("the reserved octet is used");
    }
    let Some(kind) = reader.u8() else {
        return Step::NeedMore(1);
    };
    let (fixed, named) = match kind {
        1 => (4, false),
        4 => (16, false),
        3 => match reader.u8() {
            Some(length) => (usize::from(length), true),
            None => return Step::NeedMore(1),
        },
        _ => return Step::NotThisProtocol("no SOCKS address type"),
    };
    if named && !reader.rest().iter().take(fixed).all(u8::is_ascii_graphic) {
        return Step::NotThisProtocol("a name that is none");
    }
    let left = reader.left();
    let (Some(address), Some(port)) = (reader.take(fixed), reader.u16_be()) else {
        return Step::NeedMore(fixed + 2 - left);
    };
    let host = match (address.first_chunk::<4>(), address.first_chunk::<16>()) {
        (_, Some(v6)) if kind == 4 => IpAddr::V6(Ipv6Addr::from(*v6)).to_string(),
        (Some(v4), _) if kind == 1 => IpAddr::V4(Ipv4Addr::from(*v4)).to_string(),
        _ => String::from_utf8_lossy(address).into_owned(),
    };
    let used = 4 + usize::from(named) + fixed + 2;
    Step::Done(Destination { host, port }, used)
}

/// Version 4 and 4A: a request. Its user is skipped.
#[must_use]
pub fn request_4(input: &[u8]) -> Step<Request> {
    let mut reader = Reader::new(input);
    if reader.u8().is_some_and(|version| version != 4) {
        return Step::NotThisProtocol("no SOCKS version");
    }
    let command = match reader.u8() {
        Some(command @ 1..=2) => Command(command),
        Some(_) => return Step::NotThisProtocol("no SOCKS command"),
        None => return Step::NeedMore(1),
    };
    let (Some(port), Some(address)) = (reader.u16_be(), reader.take_array::<4>()) else {
        return Step::NeedMore(8 - input.len());
    };
    // 0.0.0.x says that a name follows (4A); beside it only addresses of hosts are asked for.
    let named = matches!(address, [0, 0, 0, x] if x != 0);
    if port == 0 || !(named || (1..=223).contains(&address[0])) {
        return Step::NotThisProtocol("no destination");
    }
    let user = match text_4(&mut reader) {
        Step::Done(text, used) if text.len() <= MAX_USER_4 => used,
        Step::Done(..) => return Step::NotThisProtocol("a user that is none"),
        Step::NeedMore(missing) => return Step::NeedMore(missing),
        Step::NotThisProtocol(why) => return Step::NotThisProtocol(why),
    };
    let (host, name) = if named {
        match text_4(&mut reader) {
            Step::Done(text, used) if !text.is_empty() => (text.to_owned(), used),
            Step::Done(..) => return Step::NotThisProtocol("a name that is none"),
            Step::NeedMore(missing) => return Step::NeedMore(missing),
            Step::NotThisProtocol(why) => return Step::NotThisProtocol(why),
        }
    } else {
        (Ipv4Addr::from(address).to_string(), 0)
    };
    let request = Request {
        command,
        destination: Destination { host, port },
    };
    Step::Done(request, 8 + user + name)
}

/// Printable ASCII up to a NUL, of [`MAX_TEXT_4`] octets at most; `used` counts the NUL.
fn text_4<'a>(reader: &mut Reader<'a>) -> Step<&'a str> {
    let rest = reader.rest();
    let length = rest
        .iter()
        .take(MAX_TEXT_4 + 1)
        .take_while(|&&octet| octet.is_ascii_graphic() || octet == b' ')
        .count();
    match rest.get(length) {
        _ if length > MAX_TEXT_4 => Step::NotThisProtocol("a text that is too long"),
        None => Step::NeedMore(1),
        Some(0) => {
            let text = reader.take(length + 1).and_then(|text| text.split_last());
            let text = text.and_then(|(_, text)| std::str::from_utf8(text).ok());
            Step::Done(text.unwrap_or_default(), length + 1)
        }
        Some(_) => Step::NotThisProtocol("a text that is none"),
    }
}

/// Version 4: a reply.
#[must_use]
pub fn reply_4(input: &[u8]) -> Step<Reply> {
    let mut reader = Reader::new(input);
    // The version of the reply is 0.
    if reader.u8().is_some_and(|version| version != 0) {
        return Step::NotThisProtocol("no SOCKS reply");
    }
    let code = match reader.u8() {
        Some(code @ GRANTED_4..=93) => code,
        Some(_) => return Step::NotThisProtocol("no SOCKS reply"),
        None => return Step::NeedMore(8_usize.saturating_sub(input.len())),
    };
    let (Some(port), Some(address)) = (reader.u16_be(), reader.take_array::<4>()) else {
        return Step::NeedMore(8 - input.len());
    };
    let host = Ipv4Addr::from(address).to_string();
    let bound = Destination { host, port };
    Step::Done(Reply { code, bound }, 8)
}

/// The last assigned method (RFC 1928; the registry of IANA); private ones begin at 0x80.
const LAST_METHOD: u8 = 9;
/// Request granted.
const GRANTED_4: u8 = 90;
/// Names have 255 octets at most.
const MAX_TEXT_4: usize = 255;
/// A user is a log-in name; a longer text is something else.
const MAX_USER_4: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::assert_same_however_cut;

    fn whole<M: PartialEq + std::fmt::Debug>(
        decode: impl Fn(&[u8]) -> Step<M>,
        input: &[u8],
    ) -> (M, usize) {
        assert_same_however_cut(&decode, input);
        match decode(input) {
            Step::Done(message, used) => (message, used),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn version_5_asks_for_addresses_and_names() {
        for (input, host, port) in [
            (
                &b"\x05\x01\x00\x01\xc0\x00\x02\x07\x0d\x3d"[..],
                "192.0.2.7",
                3389,
            ),
            (
                b"\x05\x01\x00\x03\x0bexample.org\x01\xbb",
                "example.org",
                443,
            ),
            (
                b"\x05\x01\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x16",
                "2001:db8::1",
                22,
            ),
        ] {
            let (request, used) = whole(request_5, input);
            assert_eq!(used, input.len());
            assert_eq!(request.command, Command::CONNECT);
            assert_eq!(
                (request.destination.host.as_str(), request.destination.port),
                (host, port)
            );
        }
        let (reply, _) = whole(reply_5, b"\x05\x05\x00\x01\0\0\0\0\0\0");
        assert_eq!(
            (reply.is_granted(), reply.name()),
            (false, Some("connection refused"))
        );
    }

    #[test]
    fn version_4_asks_for_addresses_and_4a_for_names() {
        // version, command, port 80, address, user, NUL
        let (request, used) = whole(request_4, b"\x04\x01\x00\x50\xc0\x00\x02\x07bob\0");
        assert_eq!((request.destination.host.as_str(), used), ("192.0.2.7", 12));
        let (request, used) = whole(request_4, b"\x04\x01\x01\xbb\0\0\0\x01\0example.org\0");
        assert_eq!(
            (request.destination.host.as_str(), used),
            ("example.org", 21)
        );
        assert_eq!(request.destination.port, 443);
        let (reply, used) = whole(reply_4, b"\x00\x5a\x00\x50\xc0\x00\x02\x07");
        assert_eq!(
            (reply.is_granted(), reply.name(), used),
            (true, Some("succeeded"), 8)
        );
    }

    #[test]
    fn texts_of_version_4_are_bounded() {
        let endless = [&b"\x04\x01\x00\x50\xc0\x00\x02\x07"[..], &[b'a'; 300]].concat();
        assert_same_however_cut(request_4, &endless);
        assert!(matches!(request_4(&endless), Step::NotThisProtocol(_)));
    }

    proptest! {
        #[test]
        fn nothing_changes_its_mind(
            version in 4_u8..6,
            input in proptest::collection::vec(prop_oneof![0_u8..8, any::<u8>()], 0..40),
        ) {
            let input = [&[version][..], &input].concat();
            assert_same_however_cut(|input| greeting(input).map(<[u8]>::to_vec), &input);
            assert_same_however_cut(request_4, &input);
            assert_same_however_cut(request_5, &input);
            assert_same_however_cut(reply_5, &input);
            assert_same_however_cut(reply_4, &input);
            assert_same_however_cut(password, &input);
        }
    }
}
