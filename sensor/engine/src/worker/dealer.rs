//! Whom the packets of a capture file concern, found once for all workers.

use terrier_wire::decap::{self, Decapsulated, Transport as Header};
use terrier_wire::net::{Address, Ip};

use super::arrive::{endpoint_tunnel, owner_of};
use crate::flow::{FlowKey, Hasher};
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
    #[must_use]
    pub fn concerns(&self, packet: &Packet<'_>) -> u64 {
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
        let (source, destination, transport) = ends_of(&here.ip, &header);
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
        let (key, _) = FlowKey::of(source, destination, transport);
        1 << owner_of(self.hasher.hash(&key), self.count)
    }
}

/// Who sends to whom, and by which transport.
#[inline]
pub(super) fn ends_of(
    ip: &Ip<'_>,
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
            Transport::of(ip.protocol.0),
        ),
    };
    (
        (ip.source, source_port),
        (ip.destination, destination_port),
        transport,
    )
}
