//! Which worker a packet is dealt to where the kernel deals packets out before anybody has looked at them.
//!
//! The kernel runs a program of classic BPF for each packet: 32-bit numbers, no loop, no table. So the engine's own hash of a
//! flow ([`super::Hasher`]) cannot stand there, and the kernel's hash of a flow cannot stand here, as its secret is its
//! own. This one can be computed at both places: what the program computes of a plain packet, [`Spread::of`] computes of its
//! flow. It is keyed, as senders choose the addresses and ports.

use std::net::SocketAddr;

use terrier_wire::net::{Address, Protocol};

use super::FlowKey;

/// A symmetric spread of flows over workers.
///
/// Each end is mixed by itself and the two are added, so that both directions come to the same. Only TCP and UDP have ports
/// here; all else between two addresses stays together, fragments too.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// Secrets of the run: where an end begins, and what the sum of both is changed by.
    pub keys: [u32; 2],
}

impl Spread {
    /// What a number is multiplied by: for each word of an address, for the port, for the protocol, for the sum. Odd numbers
    /// whose multiples are far apart.
    pub const FACTORS: [u32; 4] = [0x9e37_79b1, 0x85eb_ca6b, 0xc2b2_ae35, 0x27d4_eb2f];
    /// How far the upper bits are folded down: after each word, the port, the sum.
    pub const SHIFTS: [u32; 3] = [15, 13, 16];

    /// All workers of a run must share the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // The engine's hash is made of the same seed and must not be told by this one.
        let mixed = seed.rotate_left(32).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ seed;
        Self {
            keys: [mixed as u32, (mixed >> 32) as u32],
        }
    }

    /// The spread of what goes between two ends by a protocol of IP. The worker is its remainder by their number.
    #[must_use]
    pub fn of(&self, one: SocketAddr, other: SocketAddr, protocol: u8) -> u32 {
        let end = |end: SocketAddr| (Address::from(end.ip()), end.port());
        self.between(end(one), end(other), protocol)
    }

    /// The spread of a flow.
    #[inline]
    pub(crate) fn of_flow(&self, key: &FlowKey) -> u32 {
        let [low, high] = key.sides();
        self.between(low, high, key.transport().number())
    }

    #[inline]
    fn between(&self, one: (Address, u16), other: (Address, u16), protocol: u8) -> u32 {
        let [_, _, by_protocol, by_sum] = Self::FACTORS;
        let with_ports = protocol == Protocol::TCP.0 || protocol == Protocol::UDP.0;
        let sum = self
            .end(one, with_ports)
            .wrapping_add(self.end(other, with_ports))
            .wrapping_add(u32::from(protocol).wrapping_mul(by_protocol));
        let sum = (sum ^ self.keys[1]).wrapping_mul(by_sum);
        sum ^ (sum >> Self::SHIFTS[2])
    }

    #[inline]
    fn end(&self, (address, port): (Address, u16), with_port: bool) -> u32 {
        let [by_word, by_port, ..] = Self::FACTORS;
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = address.0;
        let mut mixed = self.keys[0];
        let mut word = |octets: [u8; 4]| {
            mixed = (mixed ^ u32::from_be_bytes(octets)).wrapping_mul(by_word);
            mixed ^= mixed >> Self::SHIFTS[0];
        };
        if !address.is_v4() {
            word([a, b, c, d]);
            word([e, f, g, h]);
            word([i, j, k, l]);
        }
        word([m, n, o, p]);
        let port = if with_port { u32::from(port) } else { 0 };
        mixed = (mixed ^ port).wrapping_mul(by_port);
        mixed ^ (mixed >> Self::SHIFTS[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: u8 = 6;

    fn end(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn both_directions_are_dealt_alike() {
        let spread = Spread::new(7);
        for [one, other] in [
            ["10.0.0.1:5000", "192.0.2.1:443"],
            ["[2001:db8::1]:5000", "[2001:db8::2]:443"],
        ] {
            let (one, other) = (end(one), end(other));
            assert_eq!(spread.of(one, other, TCP), spread.of(other, one, TCP));
        }
    }

    #[test]
    fn only_tcp_and_udp_have_ports() {
        let spread = Spread::new(7);
        let of = |port, protocol| {
            spread.of(
                SocketAddr::from(([10, 0, 0, 1], port)),
                end("10.0.0.2:80"),
                protocol,
            )
        };
        assert_ne!(of(1, TCP), of(2, TCP));
        assert_ne!(of(1, 17), of(2, 17));
        assert_eq!(of(1, 132), of(2, 132));
        assert_ne!(of(1, TCP), of(1, 17));
    }

    #[test]
    fn neighbouring_flows_are_dealt_evenly() {
        for workers in [2, 3, 4, 8] {
            for seed in [0, 1, u64::MAX] {
                let spread = Spread::new(seed);
                let mut dealt = vec![0_u32; workers as usize];
                for client in 0..200_u8 {
                    for port in 40_000..40_050 {
                        let client = SocketAddr::from(([10, 0, 0, client], port));
                        let place = spread.of(client, end("10.0.1.1:443"), TCP) % workers;
                        dealt[place as usize] += 1;
                    }
                }
                let fair = 10_000 / workers;
                for dealt in dealt {
                    assert!(dealt.abs_diff(fair) < fair / 5, "{dealt} and not {fair}");
                }
            }
        }
    }
}
