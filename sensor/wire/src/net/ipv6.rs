//! IPv6 (RFC 8200) and its extension headers, which etherparse takes apart one by one.

use etherparse::{IpAuthHeaderSlice, Ipv6FragmentHeaderSlice, Ipv6RawExtHeaderSlice};

use super::{Address, Fragment, Ip, Protocol};
use crate::Reader;
use crate::link::Undecoded;

/// How many extension headers are followed. RFC 8200 recommends each kind once (seven kinds); a longer chain is an attack.
pub const MAX_EXTENSIONS: usize = 10;

pub(super) fn packet<'a>(octets: &'a [u8], ip: &mut Ip<'a>) -> Result<(), Undecoded> {
    let mut reader = Reader::new(octets);
    let first = reader.u32_be().ok_or(Undecoded::IpHeader)?;
    if first >> 28 != 6 {
        return Err(Undecoded::IpHeader);
    }
    let length = usize::from(reader.u16_be().ok_or(Undecoded::IpHeader)?);
    let protocol = reader.u8().ok_or(Undecoded::IpHeader)?;
    reader.u8().ok_or(Undecoded::IpHeader)?;
    let source = Address(reader.take_array().ok_or(Undecoded::IpHeader)?);
    let destination = Address(reader.take_array().ok_or(Undecoded::IpHeader)?);
    // 0 stands for a jumbogram (RFC 2675) or for segmentation offload: all that was captured belongs to it.
    let promised = if length == 0 { reader.left() } else { length };
    let rest = reader.rest();
    let captured = rest.get(..promised.min(rest.len())).unwrap_or(rest);
    *ip = Ip {
        source,
        destination,
        protocol: Protocol(protocol),
        identification: 0,
        fragment: None,
        payload: captured,
        payload_len: u32::try_from(promised).unwrap_or(u32::MAX),
        total_len: u32::try_from(promised + HEADER).unwrap_or(u32::MAX),
        authenticated: false,
    };
    if !matches!(ip.protocol, Protocol::TCP | Protocol::UDP) {
        behind_extensions(ip)?;
    }
    Ok(())
}

/// Moves `payload` behind the extension headers.
pub(super) fn behind_extensions(ip: &mut Ip<'_>) -> Result<(), Undecoded> {
    for _ in 0..MAX_EXTENSIONS {
        let (next, length) = match ip.protocol.0 {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY | HOST_IDENTITY | SHIM6 => {
                let header = Ipv6RawExtHeaderSlice::from_slice(ip.payload)
                    .map_err(|_| Undecoded::IpHeader)?;
                (header.next_header().0, header.slice().len())
            }
            AUTHENTICATION => {
                // A cut one stays the payload: who talks to whom is known.
                let Ok(header) = IpAuthHeaderSlice::from_slice(ip.payload) else {
                    return Ok(());
                };
                ip.authenticated = true;
                (header.next_header().0, header.slice().len())
            }
            FRAGMENT => {
                let header = Ipv6FragmentHeaderSlice::from_slice(ip.payload)
                    .map_err(|_| Undecoded::IpHeader)?;
                // An "atomic" fragment (RFC 6946) is a whole packet with a needless header.
                if header.is_fragmenting_payload() {
                    ip.fragment = Some(Fragment {
                        id: header.identification(),
                        offset: u32::from(header.fragment_offset().value()) * 8,
                        more: header.more_fragments(),
                    });
                }
                (header.next_header().0, header.slice().len())
            }
            _ => return Ok(()),
        };
        ip.protocol = Protocol(next);
        ip.payload = ip.payload.get(length..).ok_or(Undecoded::IpHeader)?;
        ip.payload_len = ip
            .payload_len
            .saturating_sub(u32::try_from(length).unwrap_or(u32::MAX));
        // What follows the header in a later fragment is the middle of the payload, no header.
        if ip.fragment.is_some() {
            return Ok(());
        }
    }
    Err(Undecoded::IpExtensions)
}

const HEADER: usize = 40;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
const HOST_IDENTITY: u8 = 139;
const SHIM6: u8 = 140;

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(octets: &[u8]) -> Result<Ip<'_>, Undecoded> {
        crate::net::packet(crate::link::EtherType::IPV6, octets)
    }

    fn header(next: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [
            &[0x60, 0, 0, 0][..],
            &length,
            &[next, 64],
            &[0xfd; 16],
            &[0xfe; 16],
            payload,
        ]
        .concat()
    }

    #[test]
    fn walks_extension_headers_to_the_transport() {
        let octets = header(
            HOP_BY_HOP,
            &[
                &[DESTINATION_OPTIONS, 0, 1, 4, 0, 0, 0, 0][..], // hop by hop, 8 octets
                &[17, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], // destination options, 16 octets
                b"datagram",
            ]
            .concat(),
        );
        let ip = packet(&octets).unwrap();
        assert_eq!(
            (ip.protocol, ip.payload, ip.payload_len),
            (Protocol::UDP, &b"datagram"[..], 8)
        );
    }

    #[test]
    fn reads_a_fragment_header_and_stops_there() {
        let octets = header(
            FRAGMENT,
            &[
                &[17, 0, 0x05, 0xa9, 0, 0, 0, 7][..],
                &[0, 0, 0, 0, 0, 0, 0, 0],
            ]
            .concat(),
        );
        let ip = packet(&octets).unwrap();
        assert_eq!(
            ip.fragment,
            Some(Fragment {
                id: 7,
                offset: 1448,
                more: true
            })
        );
        assert_eq!((ip.protocol, ip.payload.len()), (Protocol::UDP, 8));
    }

    #[test]
    fn takes_an_atomic_fragment_as_whole() {
        let octets = header(
            FRAGMENT,
            &[&[17, 0, 0, 0, 0, 0, 0, 7][..], b"datagram"].concat(),
        );
        assert_eq!(packet(&octets).unwrap().fragment, None);
    }

    #[test]
    fn bounds_the_chain() {
        let octets = header(
            DESTINATION_OPTIONS,
            &[DESTINATION_OPTIONS, 0, 1, 4, 0, 0, 0, 0].repeat(MAX_EXTENSIONS + 1),
        );
        assert_eq!(packet(&octets), Err(Undecoded::IpExtensions));
    }
}
