//! The programs, run as the kernel runs them, against what the engine says of the same packets.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;

/// A packet as a program sees it.
struct Seen<'a> {
    octets: &'a [u8],
    ether_type: u32,
    packet_type: u32,
}

/// Runs a program: as bpf(4) has it, with the two extensions. A jump or a place beyond the end fails the test.
fn answer(program: &[Instruction], seen: &Seen<'_>) -> u32 {
    let (mut a, mut x, mut memory) = (0_u32, 0_u32, [0_u32; 16]);
    let mut at = 0;
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let load = |from: u32, len: usize| {
            let from = from as usize;
            let octets = seen.octets.get(from..from + len)?;
            Some(
                octets
                    .iter()
                    .fold(0, |sum, &octet| sum << 8 | u32::from(octet)),
            )
        };
        let mut jump = |yes: bool| at += usize::from(if yes { jt } else { jf });
        let loaded = match code {
            LD_IMM => Some(k),
            LD_ABS if k == EXTENSIONS => Some(seen.ether_type),
            LD_ABS if k == EXTENSIONS + PACKET_TYPE => Some(seen.packet_type),
            LD_IND => load(x + k, 4),
            LDH_IND => load(x + k, 2),
            LDB_IND => load(x + k, 1),
            LD_MEM => Some(memory[k as usize]),
            LD_LEN => Some(seen.octets.len() as u32),
            _ => {
                match code {
                    LDX_IMM => x = k,
                    LDX_MEM => x = memory[k as usize],
                    ST => memory[k as usize] = a,
                    STX => memory[k as usize] = x,
                    ADD => a = a.wrapping_add(k),
                    ADD_X => a = a.wrapping_add(x),
                    MUL => a = a.wrapping_mul(k),
                    AND => a &= k,
                    LSH => a <<= k,
                    RSH => a >>= k,
                    XOR => a ^= k,
                    XOR_X => a ^= x,
                    TAX => x = a,
                    TXA => a = x,
                    JA => at += k as usize,
                    JEQ => jump(a == k),
                    JGE => jump(a >= k),
                    JGE_X => jump(a >= x),
                    JSET => jump(a & k != 0),
                    RET => return k,
                    RET_A => return a,
                    _ => panic!("instruction {code:#x}"),
                }
                continue;
            }
        };
        let Some(loaded) = loaded else { return 0 };
        a = loaded;
    }
}

/// How a packet is wrapped on its link.
#[derive(Debug, Clone, Copy)]
enum Link {
    Plain,
    Tagged,
    TwiceTagged,
    Pppoe,
}

fn packet(link: Link, from: SocketAddr, to: SocketAddr, protocol: u8, flags: u8) -> Vec<u8> {
    let v6 = from.is_ipv6();
    let ip: u16 = if v6 { 0x86dd } else { 0x0800 };
    let mut octets = vec![2; 12];
    match link {
        Link::Plain => {}
        Link::Tagged => octets.extend([0x81, 0, 0, 7]),
        Link::TwiceTagged => octets.extend([0x88, 0xa8, 0, 7, 0x81, 0, 0, 8]),
        Link::Pppoe => {
            octets.extend([0x88, 0x64, 0x11, 0, 0, 1, 0, 60]);
            octets.extend(if v6 { [0, 0x57] } else { [0, 0x21] });
        }
    }
    if !matches!(link, Link::Pppoe) {
        octets.extend(ip.to_be_bytes());
    }
    match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            // A header with an option.
            octets.extend([0x46, 0, 0, 44, 0, 1, 0x40, 0, 64, protocol, 0, 0]);
            octets.extend(from.ip().octets());
            octets.extend(to.ip().octets());
            octets.extend([1, 1, 1, 0]);
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            octets.extend([0x60, 0, 0, 0, 0, 20, protocol, 64]);
            octets.extend(from.ip().octets());
            octets.extend(to.ip().octets());
        }
        _ => panic!("of one version"),
    }
    octets.extend(from.port().to_be_bytes());
    octets.extend(to.port().to_be_bytes());
    octets.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 1, 0, 0, 0, 0, 0]);
    octets
}

fn seen(octets: &[u8]) -> Seen<'_> {
    Seen {
        octets,
        ether_type: u32::from(u16::from_be_bytes([octets[12], octets[13]])),
        packet_type: OUTGOING,
    }
}

fn link() -> impl Strategy<Value = Link> {
    prop_oneof![
        Just(Link::Plain),
        Just(Link::Tagged),
        Just(Link::TwiceTagged),
        Just(Link::Pppoe)
    ]
}

fn ends() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    let v4 = (any::<[u8; 4]>(), any::<u16>()).prop_map(SocketAddr::from);
    let v6 = (any::<[u8; 16]>(), any::<u16>()).prop_map(SocketAddr::from);
    prop_oneof![(v4.clone(), v4), (v6.clone(), v6)]
}

fn protocol() -> impl Strategy<Value = u8> {
    prop_oneof![Just(6), Just(17), any::<u8>()]
}

proptest! {
    #[test]
    fn the_kernel_deals_by_what_the_engine_says(
        seed: u64, link in link(), ends in ends(), protocol in protocol(), outgoing: bool,
    ) {
        let spread = Spread::new(seed);
        let program = dealing(&spread, 14).unwrap();
        let octets = packet(link, ends.0, ends.1, protocol, 0x10);
        let mut seen = seen(&octets);
        if !outgoing {
            // What has come in is looked at behind its link header.
            seen.octets = &octets[14..];
            seen.packet_type = 0;
        }
        prop_assert_eq!(answer(&program, &seen), spread.of(ends.0, ends.1, protocol));
    }

    #[test]
    fn only_decided_flows_are_shed_and_never_by_halves_of_a_header(
        seed: u64,
        link in link(),
        ends in ends(),
        protocol in protocol(),
        flags: u8,
        mut others in prop::collection::vec(any::<u32>(), 0..MOST_SHED),
        listed: bool,
        cut in 0_usize..90,
    ) {
        let spread = Spread::new(seed);
        let own = spread.of(ends.0, ends.1, protocol);
        others.retain(|&other| other != own);
        if listed {
            others.push(own);
        }
        others.sort_unstable();
        let program = shedding(&spread, 14, &others, &everything(4711)).unwrap();
        let octets = packet(link, ends.0, ends.1, protocol, flags);
        let whole = protocol == 17 || protocol == 6 && flags & 7 == 0;
        let expected = if listed && whole { COUNTED_OCTETS } else { 4711 };
        prop_assert_eq!(answer(&program, &seen(&octets)), expected);
        // A packet that ends early is never lost.
        let cut = &octets[..cut.clamp(14, octets.len())];
        prop_assert!([expected, 4711].contains(&answer(&program, &seen(cut))));
    }
}

#[test]
fn fragments_of_a_packet_stay_together() {
    let spread = Spread::new(3);
    let program = dealing(&spread, 14).unwrap();
    let (from, to) = (
        SocketAddr::from(([10, 0, 0, 1], 4000)),
        SocketAddr::from(([10, 0, 0, 2], 53)),
    );
    let mut first = packet(Link::Plain, from, to, 17, 0);
    first[20] = 0x20;
    let mut second = first.clone();
    second[21] = 100;
    second[38..42].fill(0xee);
    let ring = answer(&program, &seen(&first));
    assert_eq!(answer(&program, &seen(&second)), ring);
    let without_ports = |end: SocketAddr| SocketAddr::new(end.ip(), 0);
    assert_eq!(ring, spread.of(without_ports(from), without_ports(to), 17));
    // Nor is one shed, whatever stands in the place of the ports.
    let flows = [spread.of(from, to, 17)];
    let program = shedding(&spread, 14, &flows, &everything(99)).unwrap();
    assert_eq!(answer(&program, &seen(&first)), 99);
}

#[test]
fn what_is_not_ip_goes_to_the_first_ring() {
    let program = dealing(&Spread::new(3), 14).unwrap();
    let octets = [&[2; 12][..], &[0x08, 0x06], &[0; 28]].concat();
    assert_eq!(answer(&program, &seen(&octets)), 0);
}

#[test]
fn the_longest_list_fits_twice_into_the_memory_of_a_socket() {
    let flows: Vec<u32> = (0..MOST_SHED as u32).map(|n| n * 8_000_000).collect();
    let program = shedding(&Spread::new(1), 14, &flows, &everything(1)).unwrap();
    // The kernel makes about one instruction of 8 octets of each.
    assert!(program.len() * 8 * 2 < 20 << 10, "{}", program.len());
}
