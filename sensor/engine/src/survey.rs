//! What a capture is like, packet by packet: what `terrier doctor` asks, and nothing that the worker would have to carry.
//!
//! It takes each frame apart once more, so an ordinary run pays nothing for it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use terrier_wire::net::Protocol;
use terrier_wire::{Checksum, checksum, decap};

use crate::packet::Packet;

/// Counts since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Packets looked at.
    pub packets: u64,
    /// Packets that the capture cut.
    pub truncated: u64,
    /// Octets kept of the longest packet that was cut.
    pub snaplen: u32,
    /// Packets longer than any network carries them: put together before or after the wire.
    pub giants: u64,
    /// The longest packet on the wire, in octets.
    pub longest: u32,
    /// TCP and UDP packets whose checksum was looked at: whole, neither cut nor a fragment.
    pub checksums: u64,
    /// Those whose checksum is wrong.
    pub wrong_checksums: u64,
    /// The senders of wrong checksums, with how many; [`Survey::MAX_SENDERS`] at most.
    pub wrong_senders: BTreeMap<IpAddr, u64>,
    /// Packets whose time is before that of the one before them in their capture.
    pub backwards: u64,
    /// By how much at most, in nanoseconds.
    pub most_backwards_ns: i64,
    /// Packets whose time is before 1990: the clock of the capturing machine was never set.
    pub before_epoch: u64,
    /// Packets with at least one VLAN tag.
    pub tagged: u64,
    /// The last packet's time, by capture.
    pub latest: BTreeMap<u16, i64>,
}

impl Survey {
    /// A capture at one host has one sender of wrong checksums; more than these are a span of many.
    pub const MAX_SENDERS: usize = 256;

    /// Looks at a packet.
    pub fn packet(&mut self, packet: &Packet<'_>) {
        self.packets += 1;
        let captured = u32::try_from(packet.octets.len()).unwrap_or(u32::MAX);
        let cut = captured < packet.wire_len;
        if cut {
            self.truncated += 1;
            self.snaplen = self.snaplen.max(captured);
        }
        self.longest = self.longest.max(packet.wire_len);
        self.giants += u64::from(packet.wire_len > LONGEST_FRAME);
        self.before_epoch += u64::from(packet.at_ns < YEAR_1990_NS);
        let latest = self.latest.entry(packet.capture).or_insert(packet.at_ns);
        let back_ns = latest.saturating_sub(packet.at_ns);
        if back_ns > 0 {
            self.backwards += 1;
            self.most_backwards_ns = self.most_backwards_ns.max(back_ns);
        }
        *latest = packet.at_ns;
        let Ok(decapsulated) = decap::frame(packet.link.0, packet.octets) else {
            return;
        };
        self.tagged += u64::from(!decapsulated.layers.vlan.ids().is_empty());
        let ip = decapsulated.ip;
        let whole = !cut
            && ip.fragment.is_none()
            && ip.payload.len() as u32 == ip.payload_len
            && matches!(ip.protocol, Protocol::TCP | Protocol::UDP);
        if whole {
            self.sum(&ip);
        }
    }

    fn sum(&mut self, ip: &terrier_wire::net::Ip<'_>) {
        let (source, destination) = (ip.source.ip(), ip.destination.ip());
        match checksum(source, destination, ip.protocol, ip.payload) {
            Checksum::Absent => {}
            Checksum::Right => self.checksums += 1,
            Checksum::Wrong => {
                self.checksums += 1;
                self.wrong_checksums += 1;
                if self.wrong_senders.len() < Self::MAX_SENDERS
                    || self.wrong_senders.contains_key(&source)
                {
                    *self.wrong_senders.entry(source).or_default() += 1;
                }
            }
        }
    }
}

/// Jumbo frames have 9018 octets, some switches carry 9216 and a few tags; what is longer was never on a wire.
const LONGEST_FRAME: u32 = 9_260;
/// 1990-01-01, before every capture.
const YEAR_1990_NS: i64 = 631_152_000 * 1_000_000_000;

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;
    use crate::packet::LinkType;

    fn datagram(payload: usize) -> Vec<u8> {
        let mut octets = Vec::new();
        PacketBuilder::ethernet2([2; 6], [2; 6])
            .ipv4([10, 0, 0, 1], [192, 0, 2, 1], 64)
            .udp(1000, 53)
            .write(&mut octets, &vec![7; payload])
            .unwrap();
        octets
    }

    fn packet(octets: &[u8], at_ns: i64, wire_len: u32) -> Packet<'_> {
        Packet {
            at_ns,
            seq: 0,
            capture: 0,
            frame: 1,
            link: LinkType(1),
            wire_len,
            octets,
        }
    }

    fn surveyed(packets: &[Packet<'_>]) -> Survey {
        let mut survey = Survey::default();
        packets.iter().for_each(|packet| survey.packet(packet));
        survey
    }

    const NOW: i64 = 1_700_000_000 * 1_000_000_000;

    #[test]
    fn counts_what_was_cut_and_how_long_the_rest_is() {
        let octets = datagram(100);
        let survey = surveyed(&[packet(&octets[..96], NOW, 142), packet(&octets, NOW, 142)]);
        assert_eq!((survey.truncated, survey.snaplen), (1, 96));
        assert_eq!((survey.checksums, survey.wrong_checksums), (1, 0));
    }

    #[test]
    fn counts_wrong_checksums_by_sender_and_giants() {
        let mut octets = datagram(20_000);
        let length = octets.len() as u32;
        octets[60] ^= 1;
        let survey = surveyed(&[packet(&octets, NOW, length)]);
        assert_eq!(survey.wrong_checksums, 1);
        assert_eq!(survey.wrong_senders[&IpAddr::from([10, 0, 0, 1])], 1);
        assert_eq!((survey.giants, survey.longest), (1, length));
    }

    #[test]
    fn counts_times_that_go_back_and_clocks_that_were_never_set() {
        let octets = datagram(1);
        let survey = surveyed(&[
            packet(&octets, NOW, 43),
            packet(&octets, NOW - 5, 43),
            packet(&octets, 1, 43),
        ]);
        assert_eq!(survey.backwards, 2);
        assert_eq!(survey.most_backwards_ns, NOW - 6);
        assert_eq!(survey.before_epoch, 1);
    }
}
