//! Whom the packets of a capture file concern, found once for all workers.
//!
//! So each packet is looked at twice, here and by its worker. A plain one, as nearly all are, is only glanced at here.

use terrier_wire::decap::{self, Decapsulated, Transport as Header};
use terrier_wire::net::Address;

use super::arrive::{endpoint_tunnel, owner_of};
use crate::flow::Hasher;
use crate::observation::Transport;
use crate::packet::Packet;
use crate::prefetch;

/// Says which workers must be shown a packet. A worker that is shown more passes over it, one that is shown less misses it.
#[derive(Debug, Clone)]
pub struct Dealer {
    hasher: Hasher,
    count: u16,
}

impl Dealer {
    /// How many workers it can tell apart.
    pub const MOST: u16 = 64;

    /// For so many workers of a run with this seed, [`Dealer::MOST`] at most.
    #[must_use]
    pub fn new(count: u16, seed: u64) -> Self {
        Self {
            hasher: Hasher::new(seed),
            count: count.clamp(1, Self::MOST),
        }
    }

    /// Has the headers of a packet fetched that is soon asked about: another processor may have them in its cache.
    #[inline]
    pub fn look_ahead(&self, octets: &[u8]) {
        prefetch::fetch(octets);
    }

    /// The workers that a packet concerns: the bit of each one's index. Fragments concern all, as only the whole packet
    /// tells its flow; what belongs to no flow concerns the first one, who counts it.
    #[inline]
    #[must_use]
    pub fn concerns(&self, packet: &Packet<'_>) -> u64 {
        match decap::plain(packet.link.0, packet.octets) {
            Some((ends, _)) => {
                let transport = Transport::of(ends.protocol.0);
                self.bit(ends.source, ends.destination, transport)
            }
            None => self.taken_apart_concerns(packet),
        }
    }

    /// The same for a packet that is not known at the first look.
    #[inline(never)]
    fn taken_apart_concerns(&self, packet: &Packet<'_>) -> u64 {
        let mut here = Decapsulated::NOTHING;
        if decap::frame_into(packet.link.0, packet.octets, &mut here).is_err() {
            return 1;
        }
        if here.ip.fragment.is_some() {
            return u64::MAX >> (u64::BITS - u32::from(self.count));
        }
        let Ok(header) = decap::transport(&here.ip) else {
            return 1;
        };
        let (source, destination, transport) =
            ends_of(here.ip.source, here.ip.destination, &header);
        let mut to = self.bit(source, destination, transport);
        if let Some(outer) = &here.layers.outer
            && let Some((transport, _)) = endpoint_tunnel(outer.tunnel)
        {
            to |= self.bit(outer.source, outer.destination, transport);
        }
        to
    }

    #[inline]
    fn bit(
        &self,
        source: (Address, u16),
        destination: (Address, u16),
        transport: Transport,
    ) -> u64 {
        1 << owner_of(
            self.hasher.hash_of(source, destination, transport),
            self.count,
        )
    }
}

/// Who sends to whom, and by which transport.
#[inline]
pub(super) fn ends_of(
    source: Address,
    destination: Address,
    header: &Header<'_>,
) -> ((Address, u16), (Address, u16), Transport) {
    let (source_port, destination_port, transport) = match header {
        Header::Tcp(segment) => (
            segment.source_port,
            segment.destination_port,
            Transport::Tcp,
        ),
        Header::Udp(datagram) => (
            datagram.source_port,
            datagram.destination_port,
            Transport::Udp,
        ),
        Header::Other(other) => (
            other.source_port,
            other.destination_port,
            Transport::of(other.protocol.0),
        ),
    };
    (
        (source, source_port),
        (destination, destination_port),
        transport,
    )
}

#[cfg(test)]
mod tests {
    use terrier_traffic::Kind;

    use super::*;
    use crate::packet::LinkType;

    #[test]
    fn a_glance_answers_as_the_long_look_does() {
        let mut capture = Vec::new();
        let octets = 300_000;
        terrier_traffic::write(Kind::Mix { octets }, 5, &mut capture).expect("memory takes it");
        let dealer = Dealer::new(4, 7);
        let mut met = [0; 4];
        let mut rest = &capture[24..];
        while let Some((header, behind)) = rest.split_first_chunk::<16>() {
            let length = u32::from_le_bytes(*header[8..].first_chunk().unwrap()) as usize;
            let (octets, behind) = behind.split_at(length);
            rest = behind;
            // As it is, and as a fragment.
            for more in [0, 0x20] {
                let mut octets = octets.to_vec();
                octets[20] |= more;
                let packet = Packet {
                    at_ns: 0,
                    seq: 1,
                    capture: 0,
                    frame: 1,
                    link: LinkType::ETHERNET,
                    wire_len: octets.len() as u32,
                    octets: &octets,
                };
                let to = dealer.concerns(&packet);
                assert_eq!(to, dealer.taken_apart_concerns(&packet), "{octets:02x?}");
                for (worker, met) in met.iter_mut().enumerate() {
                    *met += to >> worker & 1;
                }
            }
        }
        assert!(met.iter().all(|&met| met > 50), "{met:?}");
    }
}
