//! CAPWAP data (RFC 5415, section 4): what an access point carries to its controller, 802.3 or 802.11 frames (RFC 5416).
//!
//! With DTLS, or as a fragment by CAPWAP's own means, it is counted and stays a datagram.

use super::{Carrier, Inside, Opened};
use crate::link::{Encapsulations, Layers, Undecoded};

/// Preamble (version and type), length of the header in words of 4 octets (5 bits), radio (5), what kind of wireless (5),
/// flags (9), fragment id and offset, then what the length says.
pub(super) fn open<'a>(carrier: &Carrier<'a>, layers: &mut Layers) -> Opened<'a> {
    let Some(&[preamble, a, b, flags, f0, f1, f2, f3]) = carrier.payload.first_chunk() else {
        return Opened::Not;
    };
    match preamble {
        0 => {}
        DTLS => {
            // Three octets 0, then a DTLS record of version 1.0 or 1.2.
            if (a, b, flags) != (0, 0, 0) || !(20..=23).contains(&f0) || f1 != 0xfe {
                return Opened::Not;
            }
            layers.met.insert(Encapsulations::CAPWAP);
            return Opened::Dark(Undecoded::TunnelEncrypted);
        }
        _ => return Opened::Not,
    }
    let length = usize::from(a >> 3) * 4;
    let wireless = b >> 1 & 0x1f;
    if length < 8 || flags & RESERVED != 0 || flags & KEEP_ALIVE != 0 {
        return Opened::Not;
    }
    let Some(body) = carrier.payload.get(length..) else {
        return Opened::Not;
    };
    let native = b & NATIVE != 0;
    if native && wireless != IEEE_802_11 {
        return Opened::Not;
    }
    if flags & FRAGMENT != 0 || (f2, f3 >> 3) != (0, 0) {
        return match layers.enter(Encapsulations::CAPWAP) {
            Ok(()) => Opened::Dark(Undecoded::TunnelFragment),
            Err(why) => Opened::Dark(why),
        };
    }
    if let Err(why) = layers.enter(Encapsulations::CAPWAP) {
        return Opened::Dark(why);
    }
    Opened::network(match native {
        true => Inside::Wlan(body),
        false => Inside::Frame(body),
    })
}

const DTLS: u8 = 1;
const IEEE_802_11: u8 = 1;
/// The last bit of the third octet: the payload is in the native format of the wireless link.
const NATIVE: u8 = 0x01;
/// Flags of the fourth octet.
const FRAGMENT: u8 = 0x80;
const KEEP_ALIVE: u8 = 0x08;
const RESERVED: u8 = 0x07;
