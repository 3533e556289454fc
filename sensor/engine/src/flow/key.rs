//! The five-tuple of a flow, the same for both directions, and its keyed hash.

use std::hint::select_unpredictable;

use terrier_wire::net::Address;

use crate::observation::{Endpoint, Transport};

/// A five-tuple with its ends in a fixed order, so that both directions have one key: 38 octets, for an entry of the table has
/// no more room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, packed(2))]
pub(crate) struct FlowKey {
    low: Halves,
    high: Halves,
    low_port: u16,
    high_port: u16,
    transport: Transport,
}

/// The halves of an address's number, the upper one first.
type Halves = [u64; 2];

#[inline]
fn halves(number: u128) -> Halves {
    [(number >> 64) as u64, number as u64]
}

#[inline]
fn address([upper, lower]: Halves) -> Address {
    Address::of_number(u128::from(upper) << 64 | u128::from(lower))
}

impl FlowKey {
    /// What stands in the place of a key.
    pub(crate) const NOTHING: Self = Self {
        low: [0; 2],
        high: [0; 2],
        low_port: 0,
        high_port: 0,
        transport: Transport::Tcp,
    };

    /// The key of a packet, and whether its source is the low end.
    #[inline]
    pub(crate) fn of(
        source: (Address, u16),
        destination: (Address, u16),
        transport: Transport,
    ) -> (Self, bool) {
        // Which end is the low one cannot be foreseen: both are chosen without a jump.
        let number = |(address, port): (Address, u16)| (address.number(), port);
        let (source, destination) = (number(source), number(destination));
        let from_low = source <= destination;
        let low = select_unpredictable(from_low, source, destination);
        let high = select_unpredictable(from_low, destination, source);
        let key = Self {
            low: halves(low.0),
            high: halves(high.0),
            low_port: low.1,
            high_port: high.1,
            transport,
        };
        (key, from_low)
    }

    /// The transport protocol.
    pub(crate) fn transport(&self) -> Transport {
        self.transport
    }

    /// The ports of the ends, in their fixed order.
    #[inline]
    pub(crate) fn ports(&self) -> [u16; 2] {
        [self.low_port, self.high_port]
    }

    /// The ends in their fixed order.
    #[inline]
    pub(super) fn sides(&self) -> [(Address, u16); 2] {
        [
            (address(self.low), self.low_port),
            (address(self.high), self.high_port),
        ]
    }

    /// The ends, the given one first.
    pub(crate) fn ends(&self, low_first: bool) -> (Endpoint, Endpoint) {
        let low = Endpoint {
            ip: address(self.low).ip(),
            port: self.low_port,
        };
        let high = Endpoint {
            ip: address(self.high).ip(),
            port: self.high_port,
        };
        if low_first { (low, high) } else { (high, low) }
    }

    /// A number that depends on nothing but the key and `opened`: the flow's id. Multiply and fold over words of eight
    /// octets under fixed constants, as its text in records must be the same on every machine and in every version.
    pub(crate) fn id(&self, opened: u64) -> u64 {
        // Octet by octet, the least significant one first: as it was when the first id was written.
        let [low_a, low_b] = self.low.map(u64::swap_bytes);
        let [high_a, high_b] = self.high.map(u64::swap_bytes);
        // UDP and TCP are told apart from a protocol of their number that has no ports, should there be one.
        let transport = match self.transport {
            Transport::Other(number) => 0x100 | u64::from(number),
            other => u64::from(other.number()),
        };
        let ports = u64::from(self.low_port) << 32 | u64::from(self.high_port) << 16 | transport;
        let mut hash = opened ^ ID_SEED;
        for word in [low_a, low_b, high_a, high_b, ports] {
            hash = fold(hash ^ word, ID_FACTOR ^ hash.rotate_left(32));
        }
        hash
    }
}

/// The golden ratio and the square root of 2, as fractions of 2^64.
const ID_SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const ID_FACTOR: u64 = 0x6a09_e667_f3bc_c909;

/// Hashes keys under a secret of the process: senders choose the five-tuples, so an unkeyed hash could be flooded.
/// Multiply and fold (as wyhash and foldhash do) over each end, and over the sum of both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hasher {
    secret: [u64; 4],
}

impl Hasher {
    /// All workers of a run must share the seed: it also decides which worker owns a flow.
    pub(crate) fn new(seed: u64) -> Self {
        let mut state = seed;
        // SplitMix64, to spread whatever seed was given over the words.
        let mut secret = std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^ (word >> 31)
        });
        // What ports are multiplied by: odd, so that no two come to the same.
        secret[3] |= 1;
        Self { secret }
    }

    /// A number for other tables of the run whose keys come from senders too.
    pub(crate) fn seed(&self) -> u64 {
        let [a, b, ..] = self.secret;
        fold(a, b)
    }

    /// The hash of a key.
    #[cfg(test)]
    pub(crate) fn hash(&self, key: &FlowKey) -> u64 {
        let [low, high] = key.sides();
        self.hash_of(low, high, key.transport)
    }

    /// The hash of the key that these ends have, in whichever order.
    #[inline]
    pub(crate) fn hash_of(
        &self,
        one: (Address, u16),
        other: (Address, u16),
        transport: Transport,
    ) -> u64 {
        let [_, _, s2, s3] = self.secret;
        let ends = self.end(one).wrapping_add(self.end(other));
        fold(ends ^ s2, u64::from(transport.number()) ^ s3)
    }

    /// Each end by itself, so that the order of the two is of no matter. The port is multiplied by a secret: a sender who
    /// chooses address and port does not know which two come to the same.
    #[inline]
    fn end(&self, (address, port): (Address, u16)) -> u64 {
        let [s0, s1, _, s3] = self.secret;
        let number = address.number();
        let upper = ((number >> 64) as u64 ^ s0).wrapping_add(u64::from(port).wrapping_mul(s3));
        fold(upper, number as u64 ^ s1)
    }
}

/// Multiplies two words and folds the product into one.
#[inline]
pub(crate) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(last: u8, port: u16) -> (Address, u16) {
        (Address::v4([10, 0, 0, last]), port)
    }

    #[test]
    fn both_directions_have_one_key_and_one_hash() {
        let hasher = Hasher::new(7);
        let (there, low) = FlowKey::of(end(1, 5000), end(2, 80), Transport::Tcp);
        let (back, high) = FlowKey::of(end(2, 80), end(1, 5000), Transport::Tcp);
        assert_eq!(there, back);
        assert!(low && !high);
        assert_eq!(hasher.hash(&there), hasher.hash(&back));
    }

    #[test]
    fn seeds_and_tuples_change_the_hash() {
        let (one, _) = FlowKey::of(end(1, 5000), end(2, 80), Transport::Tcp);
        let (other, _) = FlowKey::of(end(1, 5000), end(2, 80), Transport::Udp);
        assert_ne!(Hasher::new(1).hash(&one), Hasher::new(2).hash(&one));
        assert_ne!(Hasher::new(1).hash(&one), Hasher::new(1).hash(&other));
    }

    #[test]
    fn neighbouring_flows_are_spread_evenly_by_either_half() {
        let server = (Address::v4([192, 0, 2, 1]), 443);
        for six in [false, true] {
            let (mut upper, mut lower) = ([0_u32; 64], [0_u32; 64]);
            for client in 0..64 {
                let mut address = Address::v4([10, 0, 0, client]);
                if six {
                    address.0[..2].copy_from_slice(&[0xfd, client]);
                }
                for port in 40_000..40_200 {
                    let hash = Hasher::new(7).hash_of((address, port), server, Transport::Tcp);
                    upper[(hash >> 58) as usize] += 1;
                    lower[(hash & 63) as usize] += 1;
                }
            }
            for met in upper.into_iter().chain(lower) {
                assert!((130..=270).contains(&met), "{met} and not about 200");
            }
        }
    }

    proptest::proptest! {
        /// Flows that differ in one bit have ids that differ in about half of theirs.
        #[test]
        fn a_bit_of_the_tuple_changes_the_id(
            addresses: ([u8; 16], [u8; 16]), ports: (u16, u16), opened: u64, bit in 0_usize..16 * 8,
        ) {
            let id = |mut low: [u8; 16], flip: bool| {
                low[bit / 8] ^= u8::from(flip) << (bit % 8);
                let key = FlowKey {
                    low: halves(u128::from_be_bytes(low)),
                    high: halves(u128::from_be_bytes(addresses.1)),
                    low_port: ports.0,
                    high_port: ports.1,
                    transport: Transport::Tcp,
                };
                key.id(opened)
            };
            let changed = (id(addresses.0, false) ^ id(addresses.0, true)).count_ones();
            proptest::prop_assert!((6..=58).contains(&changed), "{changed}");
        }
    }

    #[test]
    fn the_id_is_the_same_in_every_version() {
        let (key, _) = FlowKey::of(end(1, 5000), end(2, 80), Transport::Tcp);
        assert_eq!(key.id(1), 10_483_317_550_508_970_223);
    }

    #[test]
    fn the_id_depends_on_the_opening_packet() {
        let (key, _) = FlowKey::of(end(1, 5000), end(2, 80), Transport::Tcp);
        assert_ne!(key.id(1), key.id(2));
    }
}
