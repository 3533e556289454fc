//! The PROXY protocol: what a load balancer says of its client before it hands on the client's octets.
//!
//! *In*: what one side of a TCP flow sent first. *Out*: [`Header`], and how many octets it took. *By*: HAProxy,
//! `doc/proxy-protocol.txt` (2.9), versions 1 (a line of text) and 2 (binary). *Left out*: the fields behind the addresses of
//! version 2, of which one repeats the name that the client asked for. *Fails* never: a refusal is something else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{Reader, Step};

/// What is said of the connection that is handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// 1 or 2.
    pub version: u8,
    /// The client, and what it connected to; `None` where the balancer speaks for itself or the addresses are of another
    /// family.
    pub ends: Option<(End, End)>,
}

/// An address and its port.
pub type End = (IpAddr, u16);

/// Decodes the header that a side began with.
#[must_use]
pub fn header(input: &[u8]) -> Step<Header> {
    match input.first() {
        None => Step::NeedMore(LINE.len()),
        Some(b'P') => line(input),
        Some(b'\r') => binary(input),
        Some(_) => Step::NotThisProtocol(NO_HEADER),
    }
}

/// Version 1: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443`, ended by CR and LF.
fn line(input: &[u8]) -> Step<Header> {
    if !LINE.starts_with(input.get(..LINE.len()).unwrap_or(input)) {
        return Step::NotThisProtocol(NO_HEADER);
    }
    let Some(end) = input
        .iter()
        .take(MAX_LINE)
        .position(|&octet| octet == b'\n')
    else {
        return if input.len() >= MAX_LINE {
            Step::NotThisProtocol("a line that is too long")
        } else {
            Step::NeedMore(1)
        };
    };
    let text = input.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let Some(text) = text.and_then(|line| std::str::from_utf8(line).ok()) else {
        return Step::NotThisProtocol(NO_HEADER);
    };
    let mut words = text.split(' ').skip(1);
    let ends = match words.next() {
        Some("UNKNOWN") => None,
        Some(family @ ("TCP4" | "TCP6")) => match ends_of(family, words) {
            Some(ends) => Some(ends),
            None => return Step::NotThisProtocol(NO_HEADER),
        },
        _ => return Step::NotThisProtocol(NO_HEADER),
    };
    let version = 1;
    Step::Done(Header { version, ends }, end + 1)
}

fn ends_of<'a>(family: &str, mut words: impl Iterator<Item = &'a str>) -> Option<(End, End)> {
    let (source, destination): (IpAddr, IpAddr) =
        (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let ports = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let six = family == "TCP6";
    let fits = source.is_ipv6() == six && destination.is_ipv6() == six && words.next().is_none();
    fits.then_some(((source, ports.0), (destination, ports.1)))
}

/// Version 2: signature, version and command, family and transport, length of what follows, addresses.
fn binary(input: &[u8]) -> Step<Header> {
    if !SIGNATURE.starts_with(input.get(..SIGNATURE.len()).unwrap_or(input)) {
        return Step::NotThisProtocol(NO_HEADER);
    }
    let mut reader = Reader::new(input);
    let (Some(_), Some([command, family]), Some(length)) = (
        reader.take(SIGNATURE.len()),
        reader.take_array(),
        reader.u16_be(),
    ) else {
        return Step::NeedMore(SIGNATURE.len() + 4 - input.len());
    };
    let length = usize::from(length);
    if !matches!(command, 0x20 | 0x21) || length > MAX_FIELDS {
        return Step::NotThisProtocol(NO_HEADER);
    }
    let missing = length.saturating_sub(reader.left());
    let Some(fields) = reader.take(length) else {
        return Step::NeedMore(missing);
    };
    let mut fields = Reader::new(fields);
    let ends = match (command, family) {
        (0x21, 0x11 | 0x12) => ends(&mut fields, |reader| {
            reader.take_array().map(Ipv4Addr::from).map(IpAddr::V4)
        }),
        (0x21, 0x21 | 0x22) => ends(&mut fields, |reader| {
            reader
                .take_array::<16>()
                .map(Ipv6Addr::from)
                .map(IpAddr::V6)
        }),
        _ => None,
    };
    let version = 2;
    Step::Done(Header { version, ends }, SIGNATURE.len() + 4 + length)
}

fn ends(
    reader: &mut Reader<'_>,
    address: impl Fn(&mut Reader<'_>) -> Option<IpAddr>,
) -> Option<(End, End)> {
    let (source, destination) = (address(reader)?, address(reader)?);
    Some(((source, reader.u16_be()?), (destination, reader.u16_be()?)))
}

const LINE: &[u8] = b"PROXY ";
/// The longest line with its end (section 2.1).
const MAX_LINE: usize = 107;
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Addresses of the longest family have 216 octets; cloud providers add some hundred, a whole certificate at most.
const MAX_FIELDS: usize = 4096;
const NO_HEADER: &str = "no header of the PROXY protocol";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_same_however_cut;

    fn end(address: &str, port: u16) -> End {
        (address.parse().unwrap(), port)
    }

    #[test]
    fn reads_the_line_and_leaves_what_is_behind_it() {
        let octets = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\nGET / HTTP/1.1\r\n";
        let want = Header {
            version: 1,
            ends: Some((end("192.0.2.1", 56324), end("198.51.100.7", 443))),
        };
        assert_eq!(header(octets), Step::Done(want, 45));
        assert_same_however_cut(header, octets);
        let six = b"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n";
        assert_eq!(
            header(six).map(|found| found.ends.is_some()),
            Step::Done(true, 40)
        );
        let none = Header {
            version: 1,
            ends: None,
        };
        assert_eq!(header(b"PROXY UNKNOWN\r\n"), Step::Done(none, 15));
    }

    #[test]
    fn reads_the_binary_header() {
        let octets = [
            SIGNATURE,
            &[0x21, 0x11],             // version 2, PROXY; IPv4, TCP
            &[0x00, 0x0f],             // 12 octets of addresses, a field of 3
            &[192, 0, 2, 1],           // source
            &[198, 51, 100, 7],        // destination
            &[0xdc, 0x04, 0x01, 0xbb], // ports
            &[0x04, 0x00, 0x00],       // nothing
            b"\x16\x03\x01",
        ]
        .concat();
        let want = Header {
            version: 2,
            ends: Some((end("192.0.2.1", 56324), end("198.51.100.7", 443))),
        };
        assert_eq!(header(&octets), Step::Done(want, 31));
        assert_same_however_cut(header, &octets);
        let local = [SIGNATURE, &[0x20, 0x00, 0, 0]].concat();
        let want = Header {
            version: 2,
            ends: None,
        };
        assert_eq!(header(&local), Step::Done(want, 16));
    }

    #[test]
    fn other_protocols_are_refused() {
        let long = [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 100]].concat();
        let bomb = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
        for octets in [
            &b"POST / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443 7\r\n",
            b"PROXY UDP4 192.0.2.1 198.51.100.7 56324 443\r\n",
            b"PROXY UNKNOWN\n",
            b"\r\n\r\nGET",
            &long,
            &bomb,
        ] {
            assert!(
                matches!(header(octets), Step::NotThisProtocol(_)),
                "{octets:02x?}"
            );
            assert_same_however_cut(header, octets);
        }
    }
}
