//! AYIYA (draft-massar-v6ops-ayiya-02): IPv6, seldom IPv4, of a host that a tunnel broker gives an address to.

use super::{Carrier, Inside, Opened};
use crate::Reader;
use crate::link::{Encapsulations, Layers};

/// Length (a power of 2) and type of the identity; length of the signature in words of 4 octets, and its hash; how it is
/// made, and what is asked for; protocol of what follows; time; identity; signature.
pub(super) fn open<'a>(carrier: &Carrier<'a>, layers: &mut Layers) -> Opened<'a> {
    let Some(packet) = packet(carrier.payload) else {
        return Opened::Not;
    };
    match layers.enter(Encapsulations::AYIYA) {
        Ok(()) => Opened::network(Inside::Ip(packet)),
        Err(why) => Opened::Dark(why),
    }
}

fn packet(octets: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(octets);
    let [identity, signature, request, next] = reader.take_array()?;
    // No hash has more words than SHA-1's five, no way of signing is above the public key's.
    if request & 0x0f != FORWARD || request >> 4 > MAX_WAY || signature & 0x0f > MAX_HASH {
        return None;
    }
    reader.u32_be()?;
    reader.take(1 << (identity >> 4))?;
    reader.take(usize::from(signature >> 4) * 4)?;
    let version = reader.rest().first()? >> 4;
    matches!((next, version), (41, 6) | (4, 4)).then_some(reader.rest())
}

/// The one request that carries a packet; the others open, test and describe the tunnel.
const FORWARD: u8 = 1;
/// None, shared secret, public key.
const MAX_WAY: u8 = 2;
/// None, MD5, SHA-1, UMAC.
const MAX_HASH: u8 = 3;
