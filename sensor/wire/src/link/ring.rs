//! Links older than switched Ethernet whose frames carry an LLC header: FDDI and Token Ring (RFC 1042), ATM (RFC 2684) and
//! Frame Relay (RFC 2427).

use super::{EtherType, Layers, Link, Undecoded, behind, llc};
use crate::Reader;

/// Access and frame control, two addresses, the route that the first bit of the second one announces.
pub(super) fn token_ring<'a>(frame: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    let mut reader = Reader::new(frame);
    let [_, control] = reader.take_array().ok_or(Undecoded::LinkCut)?;
    if control & FRAME_TYPE != LLC_IN_TOKEN_RING {
        return Err(Undecoded::NotIp);
    }
    reader.take(6).ok_or(Undecoded::LinkCut)?;
    let [source, ..] = reader.take_array::<6>().ok_or(Undecoded::LinkCut)?;
    if source & ROUTED != 0 {
        let length = usize::from(reader.rest().first().ok_or(Undecoded::LinkCut)? & 0x1f);
        if length < 2 {
            return Err(Undecoded::LinkHeader);
        }
        reader.take(length).ok_or(Undecoded::LinkCut)?;
    }
    llc::header(reader.rest(), layers)
}

/// Frame control, two addresses.
pub(super) fn fddi<'a>(frame: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    let control = frame.first().ok_or(Undecoded::LinkCut)?;
    if control & 0x70 != LLC_IN_FDDI {
        return Err(Undecoded::NotIp);
    }
    llc::header(frame.get(13..).ok_or(Undecoded::LinkCut)?, layers)
}

/// An LLC header at once; the one of routed protocols has a protocol number (NLPID) behind it.
pub(super) fn atm<'a>(frame: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    match frame.strip_prefix(&[0xfe, 0xfe, 0x03]) {
        Some(rest) => numbered(rest, layers),
        None => llc::header(frame, layers),
    }
}

/// An address of two to four octets, of which the last is odd; control; a protocol number. Cisco writes an EtherType there.
pub(super) fn frame_relay<'a>(frame: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    let length = frame.iter().take(4).position(|octet| octet & 1 == 1);
    let length = match length {
        Some(length @ 1..) => length + 1,
        Some(0) => return Err(Undecoded::LinkHeader),
        None if frame.len() < 4 => return Err(Undecoded::LinkCut),
        None => return Err(Undecoded::LinkHeader),
    };
    let rest = frame.get(length..).ok_or(Undecoded::LinkCut)?;
    match rest.split_first_chunk() {
        Some((&[0x03, 0x00], rest)) => numbered(rest, layers),
        Some((&[0x03, _], _)) => numbered(rest.get(1..).unwrap_or_default(), layers),
        Some((&ether_type, rest)) => {
            behind(EtherType(u16::from_be_bytes(ether_type)), rest, layers)
        }
        None => Err(Undecoded::LinkCut),
    }
}

/// What a network layer protocol number (ISO/IEC TR 9577) announces.
fn numbered<'a>(octets: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    let (number, rest) = octets.split_first().ok_or(Undecoded::LinkCut)?;
    match number {
        0xcc => behind(EtherType::IPV4, rest, layers),
        0x8e => behind(EtherType::IPV6, rest, layers),
        // SNAP without the LLC header that leads to it.
        0x80 => {
            let mut reader = Reader::new(rest);
            let organisation: [u8; 3] = reader.take_array().ok_or(Undecoded::LinkCut)?;
            let ether_type = reader.u16_be().ok_or(Undecoded::LinkCut)?;
            if organisation != [0; 3] {
                return Err(Undecoded::NotIp);
            }
            behind(EtherType(ether_type), reader.rest(), layers)
        }
        _ => Err(Undecoded::NotIp),
    }
}

const FRAME_TYPE: u8 = 0xc0;
const LLC_IN_TOKEN_RING: u8 = 0x40;
const LLC_IN_FDDI: u8 = 0x50;
const ROUTED: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    type Reads = for<'a> fn(&'a [u8], &mut Layers) -> Result<Link<'a>, Undecoded>;

    fn read(by: Reads, parts: &[&[u8]]) -> Result<Vec<u8>, Undecoded> {
        by(&parts.concat(), &mut Layers::default()).map(|link| link.payload.to_vec())
    }

    const IP: [u8; 9] = [0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00, 0x45];

    #[test]
    fn reads_frames_of_rings() {
        let to = [2; 6];
        assert_eq!(
            read(token_ring, &[&[0x10, 0x40], &to, &to, &IP]),
            Ok(vec![0x45])
        );
        let routed = [0x82, 2, 2, 2, 2, 2];
        let route = [0x06, 0x30, 0x00, 0x11, 0x00, 0x20]; // 6 octets over two bridges
        assert_eq!(
            read(token_ring, &[&[0x10, 0x40], &to, &routed, &route, &IP]),
            Ok(vec![0x45])
        );
        assert_eq!(
            read(token_ring, &[&[0x10, 0x00], &to, &to, &IP]),
            Err(Undecoded::NotIp),
            "a frame of the ring's own management"
        );
        assert_eq!(read(fddi, &[&[0x57], &to, &to, &IP]), Ok(vec![0x45]));
        assert_eq!(read(fddi, &[&[0x41], &to, &to, &IP]), Err(Undecoded::NotIp));
    }

    #[test]
    fn reads_frames_of_virtual_circuits() {
        assert_eq!(read(atm, &[&IP]), Ok(vec![0x45]));
        assert_eq!(
            read(atm, &[&[0xfe, 0xfe, 0x03, 0xcc, 0x45]]),
            Ok(vec![0x45])
        );
        for frame in [
            &[0x18, 0x41, 0x03, 0xcc, 0x45][..], // circuit 100, IPv4 by its number
            &[0x18, 0x41, 0x03, 0x00, 0x80, 0, 0, 0, 0x08, 0x00, 0x45], // padded, SNAP
            &[0x18, 0x41, 0x08, 0x00, 0x45],     // as Cisco has it
        ] {
            assert_eq!(read(frame_relay, &[frame]), Ok(vec![0x45]), "{frame:02x?}");
        }
        assert_eq!(
            read(frame_relay, &[&[0x00, 0x01, 0x03, 0x08, 0, 0]]),
            Err(Undecoded::NotIp),
            "what manages the line"
        );
        assert_eq!(
            read(frame_relay, &[&[0x19, 0x41, 0x03, 0xcc, 0x45]]),
            Err(Undecoded::LinkHeader)
        );
        assert_eq!(read(frame_relay, &[&[0x18]]), Err(Undecoded::LinkCut));
    }
}
