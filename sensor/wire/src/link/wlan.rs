//! 802.11 data frames (IEEE 802.11, 9.3.2) in clear, and the headers that captures put before them: radiotap
//! (radiotap.org), PPI (CACE, version 1), Prism.
//!
//! Management and control frames are no IP; protected frames cannot be read; of an aggregate (A-MSDU) the first
//! packet is read, as a frame has one here.

use super::llc::{self, SNAP};
use super::{Encapsulations, Layers, Link, Undecoded};
use crate::Reader;

/// An 802.11 frame.
pub(crate) fn frame<'a>(octets: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    let control = *octets.first_chunk().ok_or(Undecoded::LinkCut)?;
    controlled(control, octets, layers)
}

/// An 802.11 frame whose two octets of frame control may have been exchanged, as Cisco's access points send it in CAPWAP:
/// it is read the way in which it is a data frame.
pub(crate) fn in_either_order<'a>(
    octets: &'a [u8],
    layers: &mut Layers,
) -> Result<Link<'a>, Undecoded> {
    let [a, b] = *octets.first_chunk().ok_or(Undecoded::LinkCut)?;
    let is_data = |kind: u8| kind & (VERSION | TYPE) == DATA;
    let control = if !is_data(a) && is_data(b) {
        [b, a]
    } else {
        [a, b]
    };
    controlled(control, octets, layers)
}

fn controlled<'a>(
    [kind, flags]: [u8; 2],
    octets: &'a [u8],
    layers: &mut Layers,
) -> Result<Link<'a>, Undecoded> {
    if kind & VERSION != 0 {
        return Err(Undecoded::LinkHeader);
    }
    if kind & TYPE != DATA || kind & NO_DATA != 0 {
        return Err(Undecoded::NotIp);
    }
    layers.met.insert(Encapsulations::WLAN);
    if flags & PROTECTED != 0 {
        return Err(Undecoded::LinkEncrypted);
    }
    // Frame control, duration, three addresses, sequence control; a fourth address between access points.
    let mut length = 24;
    if flags & TO_AND_FROM == TO_AND_FROM {
        length += 6;
    }
    let mut aggregate = false;
    if kind & QOS != 0 {
        let control = octets.get(length).ok_or(Undecoded::LinkCut)?;
        aggregate = control & AGGREGATE != 0;
        length += 2;
        if flags & ORDER != 0 {
            length += 4;
        }
    }
    let body = octets.get(length..).ok_or(Undecoded::LinkCut)?;
    // Some drivers pad the header to a multiple of 4, which the body's own beginning tells.
    let body = match body {
        [_, _, rest @ ..] if !body.starts_with(&SNAP) && rest.starts_with(&SNAP) => rest,
        _ => body,
    };
    layers.enter(Encapsulations::WLAN)?;
    if aggregate {
        return first_of(body, layers);
    }
    llc::header(body, layers)
}

/// The first packet of an aggregate: two addresses, length, LLC header.
fn first_of<'a>(octets: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    let mut reader = Reader::new(octets);
    reader.take(12).ok_or(Undecoded::LinkCut)?;
    let length = usize::from(reader.u16_be().ok_or(Undecoded::LinkCut)?);
    let rest = reader.rest();
    // A snaplen may have cut it.
    llc::header(rest.get(..length).unwrap_or(rest), layers)
}

/// Radiotap: version 0, padding, length (least significant octet first), then fields that are of no use here.
pub(super) fn behind_radiotap(octets: &[u8]) -> Result<&[u8], Undecoded> {
    let mut reader = Reader::new(octets);
    let version = reader.u8().ok_or(Undecoded::LinkCut)?;
    reader.u8().ok_or(Undecoded::LinkCut)?;
    let length = reader.u16_le().ok_or(Undecoded::LinkCut)?;
    if version != 0 || length < 8 {
        return Err(Undecoded::LinkHeader);
    }
    octets.get(usize::from(length)..).ok_or(Undecoded::LinkCut)
}

/// PPI: version 0, flags, length, link type of what follows (both least significant octet first).
pub(super) fn behind_ppi(octets: &[u8]) -> Result<(u32, &[u8]), Undecoded> {
    let mut reader = Reader::new(octets);
    let [version, _] = reader.take_array().ok_or(Undecoded::LinkCut)?;
    let length = reader.u16_le().ok_or(Undecoded::LinkCut)?;
    let link_type = reader.u32_le().ok_or(Undecoded::LinkCut)?;
    if version != 0 || length < 8 {
        return Err(Undecoded::LinkHeader);
    }
    let frame = octets.get(usize::from(length)..);
    Ok((link_type, frame.ok_or(Undecoded::LinkCut)?))
}

/// Prism: message code, message length (in the byte order of the driver), in all 144 octets for the one code in use;
/// some drivers write AVS under the same link type, whose length is in network order.
pub(super) fn behind_prism(octets: &[u8]) -> Result<&[u8], Undecoded> {
    let mut reader = Reader::new(octets);
    let code: [u8; 4] = reader.take_array().ok_or(Undecoded::LinkCut)?;
    let length: [u8; 4] = reader.take_array().ok_or(Undecoded::LinkCut)?;
    let length = match code {
        [0x44, 0, 0, 0] => u32::from_le_bytes(length),
        [0, 0, 0, 0x44] | [0x80, 0x21, 0x10, _] => u32::from_be_bytes(length),
        _ => return Err(Undecoded::LinkHeader),
    };
    let length = usize::try_from(length).map_err(|_| Undecoded::LinkHeader)?;
    octets.get(length.max(8)..).ok_or(Undecoded::LinkCut)
}

/// Fields of the first octet of frame control.
const VERSION: u8 = 0x03;
const TYPE: u8 = 0x0c;
const DATA: u8 = 0x08;
const NO_DATA: u8 = 0x40;
const QOS: u8 = 0x80;
/// Flags of the second one.
const TO_AND_FROM: u8 = 0x03;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;
/// The flag of an aggregate in the QoS control field.
const AGGREGATE: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESSES: [u8; 18] = [2; 18];
    const IP: [u8; 9] = [0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00, 0x45];

    fn read(parts: &[&[u8]]) -> Result<Vec<u8>, Undecoded> {
        let octets = parts.concat();
        let link = frame(&octets, &mut Layers::default())?;
        Ok(link.payload.to_vec())
    }

    #[test]
    fn reads_data_frames_of_every_length_of_header() {
        let duration_and_sequence = ([0, 0], [0x10, 0]);
        let (duration, sequence) = duration_and_sequence;
        for (control, more) in [
            ([0x08, 0x01], &[][..]),             // to the access point
            ([0x08, 0x03], &[2; 6]),             // between access points: fourth address
            ([0x88, 0x02], &[0, 0]),             // quality of service
            ([0x88, 0x82], &[0, 0, 1, 2, 3, 4]), // and HT control
            ([0x88, 0x02], &[0, 0, 0, 0]),       // padded by the driver
            (
                [0x88, 0x02], // an aggregate, and a packet of 9 octets in it
                &[0x80, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 9],
            ),
        ] {
            assert_eq!(
                read(&[&control, &duration, &ADDRESSES, &sequence, more, &IP]),
                Ok(vec![0x45]),
                "{control:02x?}"
            );
        }
    }

    #[test]
    fn names_what_it_cannot_read() {
        let rest = [0; 40];
        assert_eq!(read(&[&[0x80, 0], &rest]), Err(Undecoded::NotIp), "beacon");
        assert_eq!(read(&[&[0x48, 1], &rest]), Err(Undecoded::NotIp), "null");
        assert_eq!(read(&[&[0x88, 0x41], &rest]), Err(Undecoded::LinkEncrypted));
        assert_eq!(read(&[&[0x09, 0], &rest]), Err(Undecoded::LinkHeader));
        assert_eq!(read(&[&[0x08, 1], &[0; 20]]), Err(Undecoded::LinkCut));
    }

    #[test]
    fn skips_the_headers_of_captures() {
        let tap = [&[0, 0, 9, 0, 0, 0, 0, 0, 7][..], b"frame"].concat();
        assert_eq!(behind_radiotap(&tap), Ok(&b"frame"[..]));
        assert_eq!(behind_radiotap(&tap[..8]), Err(Undecoded::LinkCut));
        let ppi = [&[0, 0, 8, 0, 105, 0, 0, 0][..], b"frame"].concat();
        assert_eq!(behind_ppi(&ppi), Ok((105, &b"frame"[..])));
        let prism = [&[0x44, 0, 0, 0, 12, 0, 0, 0][..], &[0; 4], b"frame"].concat();
        assert_eq!(behind_prism(&prism), Ok(&b"frame"[..]));
    }
}
