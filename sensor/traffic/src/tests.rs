//! Captures read back with another parser.

use std::collections::BTreeMap;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use crate::{Kind, Truth, write};

const KINDS: [Kind; 4] = [
    Kind::Mix { octets: 6_000_000 },
    Kind::Small { packets: 8_000 },
    Kind::Flows { flows: 2_000 },
    Kind::Grid {
        packets: 3_000,
        flows: 500,
    },
];

fn made(kind: Kind, seed: u64) -> (Vec<u8>, Truth) {
    let mut octets = Vec::new();
    let truth = write(kind, seed, &mut octets).expect("memory takes it");
    (octets, truth)
}

/// Time in microseconds, and the frame.
fn frames(capture: &[u8]) -> Vec<(u64, &[u8])> {
    let word = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap());
    assert_eq!((word(0), word(20)), (0xa1b2_c3d4, 1));
    let (mut at, mut frames) = (24, Vec::new());
    while at < capture.len() {
        let time = u64::from(word(at)) * 1_000_000 + u64::from(word(at + 4));
        let length = word(at + 8) as usize;
        assert_eq!(word(at + 12) as usize, length);
        frames.push((time, &capture[at + 16..at + 16 + length]));
        at += 16 + length;
    }
    frames
}

#[test]
fn the_same_seed_gives_the_same_octets_and_another_one_others() {
    for kind in KINDS {
        let first = made(kind, 1);
        assert_eq!(first, made(kind, 1), "{kind}");
        assert_ne!(first.0, made(kind, 2).0, "{kind}");
    }
}

#[test]
fn what_a_seed_gives_does_not_change_without_its_version() {
    // Whoever changes what is made counts `VERSION` up, and writes these anew.
    let prints = KINDS.map(|kind| {
        made(kind, 1)
            .0
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
                (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
            })
    });
    assert_eq!(
        (crate::VERSION, prints),
        (
            1,
            [
                6_292_104_221_835_001_811,
                2_826_323_347_653_754_889,
                8_262_328_210_135_742_941,
                6_587_672_389_028_986_519
            ]
        )
    );
}

#[test]
fn the_truth_counts_the_packets_and_their_times_never_go_back() {
    for kind in KINDS {
        let (capture, truth) = made(kind, 3);
        let frames = frames(&capture);
        assert_eq!(truth.packets, frames.len() as u64, "{kind}");
        let octets: usize = frames.iter().map(|(_, frame)| frame.len()).sum();
        assert_eq!(truth.bytes, octets as u64, "{kind}");
        assert!(frames.is_sorted_by_key(|(time, _)| *time), "{kind}");
    }
}

#[test]
fn every_checksum_and_length_is_valid() {
    let mut tagged = 0;
    let mut sixes = 0;
    for kind in KINDS {
        let (capture, _) = made(kind, 4);
        for (number, (_, frame)) in frames(&capture).into_iter().enumerate() {
            let packet = SlicedPacket::from_ethernet(frame).expect("whole");
            tagged += packet.vlan_ids().len();
            let net = packet.net.as_ref().expect("an IP packet");
            let transport = packet.transport.as_ref().expect("a transport");
            let right = match (net, transport) {
                (NetSlice::Ipv4(ip), transport) => {
                    let header = ip.header().to_header();
                    let own = header.calc_header_checksum() == header.header_checksum;
                    own && match transport {
                        TransportSlice::Tcp(tcp) => {
                            let sum = tcp
                                .to_header()
                                .calc_checksum_ipv4(&header, tcp.payload())
                                .unwrap();
                            sum == tcp.checksum()
                        }
                        TransportSlice::Udp(udp) => {
                            let sum = udp
                                .to_header()
                                .calc_checksum_ipv4(&header, udp.payload())
                                .unwrap();
                            sum == udp.checksum()
                        }
                        TransportSlice::Icmpv4(icmp) => {
                            icmp.icmp_type().calc_checksum(icmp.payload()) == icmp.checksum()
                        }
                        _ => false,
                    }
                }
                (NetSlice::Ipv6(ip), transport) => {
                    sixes += 1;
                    let header = ip.header().to_header();
                    match transport {
                        TransportSlice::Tcp(tcp) => {
                            let sum = tcp
                                .to_header()
                                .calc_checksum_ipv6(&header, tcp.payload())
                                .unwrap();
                            sum == tcp.checksum()
                        }
                        TransportSlice::Udp(udp) => {
                            let sum = udp
                                .to_header()
                                .calc_checksum_ipv6(&header, udp.payload())
                                .unwrap();
                            sum == udp.checksum()
                        }
                        _ => false,
                    }
                }
                (NetSlice::Arp(_), _) => false,
            };
            assert!(right, "{kind}: frame {}", number + 1);
        }
    }
    assert!(
        tagged > 100 && sixes > 100,
        "{tagged} tags, {sixes} of IPv6"
    );
}

#[test]
fn sequence_numbers_go_on_where_they_were_and_some_segments_come_twice() {
    let (capture, _) = made(Kind::Mix { octets: 6_000_000 }, 5);
    // By addresses and ports: the next number.
    let mut next: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    let mut again = 0;
    for (_, frame) in frames(&capture) {
        let packet = SlicedPacket::from_ethernet(frame).expect("whole");
        let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
            continue;
        };
        let mut key = match packet.net.as_ref().expect("an IP packet") {
            NetSlice::Ipv4(ip) => ip.header().slice()[12..20].to_vec(),
            NetSlice::Ipv6(ip) => ip.header().slice()[8..40].to_vec(),
            NetSlice::Arp(_) => continue,
        };
        key.extend_from_slice(&tcp.slice()[..4]);
        let length = tcp.payload().len() as u32 + u32::from(tcp.syn()) + u32::from(tcp.fin());
        let seq = tcp.sequence_number();
        let expected = next.entry(key).or_insert(seq);
        if seq == *expected {
            *expected = seq.wrapping_add(length);
        } else {
            again += 1;
            let back = expected.wrapping_sub(seq);
            assert!(back < 1 << 20 && length <= back, "a gap");
        }
    }
    assert!((1..100).contains(&again), "{again}");
}

#[test]
fn a_mix_has_something_of_everything() {
    let (_, truth) = made(KINDS[0], 6);
    for kind in [
        "dns",
        "http",
        "quic",
        "rdp",
        "smb",
        "ssh",
        "tls",
        "tunnel_dns",
        "tunnel_icmp",
        "tunnel_openvpn",
        "tunnel_ssh443",
        "tunnel_wireguard",
        "vnc",
    ] {
        assert!(truth.flows.contains_key(kind), "{kind}: {:?}", truth.flows);
    }
    assert_eq!(truth.flows_total, truth.distinct_flows());
    assert_eq!(truth.tunnels.len(), 5);
}
