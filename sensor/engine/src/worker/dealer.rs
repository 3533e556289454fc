//! Whom the packets of a capture file concern, found once for all workers.
//!
//! A plain one, as nearly all are, is taken apart here, and its worker is handed what was found: so it need not come into the
//! caches of two processors. Any other one is looked at twice.

use terrier_wire::decap::{self, Decapsulated, Transport as Header};
use terrier_wire::net::Address;

use super::arrive::{endpoint_tunnel, owner_of};
use super::taken::{Kind, Taken};
use crate::flow::Hasher;
use crate::observation::Transport;
use crate::packet::LinkType;
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

    /// Deals out the packets of a block; `shown` has a list for each worker, to which those are added that he is to be shown.
    /// Fragments concern all, as only the whole packet tells its flow; what belongs to no flow concerns the first one, who
    /// counts it.
    pub fn deal<'a>(
        &self,
        block: impl Iterator<Item = (LinkType, &'a [u8])> + Clone,
        shown: &mut [Vec<Taken>],
    ) {
        let mut ahead = block.clone().skip(AHEAD);
        let mut taken = Taken::NOTHING;
        for (in_block, (link, octets)) in (0..).zip(block) {
            if let Some((_, octets)) = ahead.next() {
                prefetch::fetch(octets);
            }
            taken.in_block = in_block;
            taken.take(link, octets, &self.hasher);
            if taken.kind == Kind::Plain {
                taken.take_print(octets);
                let owner = owner_of(taken.place.hash, self.count);
                if let Some(shown) = shown.get_mut(owner as usize) {
                    shown.push(taken);
                }
            } else {
                self.deal_whole(&taken, link, octets, shown);
            }
        }
    }

    #[inline(never)]
    fn deal_whole(&self, taken: &Taken, link: LinkType, octets: &[u8], shown: &mut [Vec<Taken>]) {
        let mut left = self.concerns(link, octets);
        while left != 0 {
            let worker = left.trailing_zeros() as usize;
            left &= left - 1;
            if let Some(shown) = shown.get_mut(worker) {
                shown.push(*taken);
            }
        }
    }

    /// The workers that a packet concerns, which is taken apart: the bit of each one's index.
    fn concerns(&self, link: LinkType, octets: &[u8]) -> u64 {
        let mut here = Decapsulated::NOTHING;
        if decap::frame_into(link.0, octets, &mut here).is_err() {
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

/// So many packets before its turn a packet's headers are fetched: another processor may have them in its cache.
const AHEAD: usize = 8;

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

    #[test]
    fn a_glance_answers_as_the_long_look_does() {
        let mut capture = Vec::new();
        let octets = 300_000;
        terrier_traffic::write(Kind::Mix { octets }, 5, &mut capture).expect("memory takes it");
        let dealer = Dealer::new(4, 7);
        let mut met = [0; 4];
        let mut plain = 0;
        let mut rest = &capture[24..];
        while let Some((header, behind)) = rest.split_first_chunk::<16>() {
            let length = u32::from_le_bytes(*header[8..].first_chunk().unwrap()) as usize;
            let (octets, behind) = behind.split_at(length);
            rest = behind;
            // As it is, and as a fragment.
            for more in [0, 0x20] {
                let mut octets = octets.to_vec();
                octets[20] |= more;
                let mut shown = vec![Vec::new(); 4];
                let block = [(LinkType::ETHERNET, &octets[..])];
                dealer.deal(block.into_iter(), &mut shown);
                let to = (0..).zip(&shown).fold(0, |to, (worker, shown)| {
                    assert!(shown.len() <= 1, "{octets:02x?}");
                    to | (shown.len() as u64) << worker
                });
                let concerns = dealer.concerns(LinkType::ETHERNET, &octets);
                assert_eq!(to, concerns, "{octets:02x?}");
                let is_plain = |taken: &Taken| taken.kind == super::Kind::Plain;
                plain += u32::from(shown.iter().flatten().any(is_plain));
                for (worker, met) in met.iter_mut().enumerate() {
                    *met += to >> worker & 1;
                }
            }
        }
        assert!(met.iter().all(|&met| met > 50), "{met:?}");
        assert!(plain > 50, "{plain}");
    }
}
