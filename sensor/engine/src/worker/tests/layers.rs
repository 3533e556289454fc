//! Encapsulations, fragments of them, copies by a span, protocols without ports.

use super::*;
use crate::observation::Transport;
use crate::record::community_id;

/// The octets of a frame behind its Ethernet header.
fn packet(frame: &Frame) -> &[u8] {
    &frame.octets[14..]
}

fn ethernet(at_ms: i64, ether_type: u16, payload: &[u8]) -> Frame {
    let octets = [&[2; 6][..], &[4; 6], &ether_type.to_be_bytes(), payload].concat();
    Frame { at_ms, octets }
}

/// An IPv4 packet between two routers; `place` is the field of flags and fragment offset.
fn four(at_ms: i64, id: u16, place: u16, protocol: u8, payload: &[u8]) -> Frame {
    let octets = [
        &[0x45, 0][..],
        &(payload.len() as u16 + 20).to_be_bytes(),
        &id.to_be_bytes(),
        &place.to_be_bytes(),
        &[64, protocol, 0, 0],
        &[192, 0, 2, 101],
        &[192, 0, 2, 102],
        payload,
    ]
    .concat();
    ethernet(at_ms, 0x0800, &octets)
}

fn gre(inner: &[u8]) -> Vec<u8> {
    [&[0, 0, 0x08, 0x00], inner].concat()
}

/// An IPv4 packet in fragments of at most `size` octets, the last one first.
fn fragments(at_ms: i64, id: u16, protocol: u8, payload: &[u8], size: usize) -> Vec<Frame> {
    let count = payload.len().div_ceil(size);
    let mut frames: Vec<Frame> = payload
        .chunks(size)
        .enumerate()
        .map(|(at, piece)| {
            let more = if at + 1 < count { 0x2000 } else { 0 };
            let place = more | (at * size / 8) as u16;
            four(at_ms, id, place, protocol, piece)
        })
        .collect();
    frames.reverse();
    frames
}

fn tagged(frame: &Frame, id: u8) -> Frame {
    let octets = [&frame.octets[..12], &[0x81, 0, 0, id], &frame.octets[12..]].concat();
    Frame { octets, ..*frame }
}

fn count_of(counters: &Counters, name: &str) -> u64 {
    let mut all = counters.encapsulations();
    all.find(|(one, _)| *one == name).unwrap().1
}

/// Runs with one worker and checks that any other number finds the same.
fn run_alike(frames: &[Frame]) -> (Vec<Observation>, Counters) {
    let alone = run(frames);
    for count in [2, 4, 8] {
        let configs = (0..count).map(|index| config(index, count)).collect();
        assert_eq!(run_with(frames, configs), alone, "{count} workers");
    }
    alone
}

fn talk() -> Vec<Frame> {
    let mut tcp = Tcp::open(443);
    tcp.say(0, &hello()).say(1, b"\x15\x03\x03\0\x02\x02\x28");
    tcp.frames
}

#[test]
fn looks_into_a_tunnel_and_counts_each_packet_once_for_each_kind() {
    let frames: Vec<Frame> = talk()
        .iter()
        .map(|frame| {
            let gre_in_gre = four(0, 7, 0, 47, &gre(packet(frame)));
            let outer = four(frame.at_ms, 9, 0, 47, &gre(packet(&gre_in_gre)));
            tagged(&outer, 5)
        })
        .collect();
    let (facts, counters) = run_alike(&frames);
    assert_eq!(protocols(&facts), ["tls"]);
    assert_eq!(facts[0].flow.vlan.as_slice(), [5]);
    assert_eq!(count_of(&counters, "gre"), 5);
    assert_eq!(count_of(&counters, "vlan"), 5);
    assert_eq!(counters.flows_started, [1, 0, 0, 0]);
}

#[test]
fn puts_fragments_together_inside_and_outside_a_tunnel() {
    let mut frames = Vec::new();
    for (id, frame) in (1..).zip(talk()) {
        // The packet is put into a tunnel, that is cut, each piece is put into a tunnel, and cut again.
        for (sub, inner) in (0..).zip(fragments(frame.at_ms, id, 47, &gre(packet(&frame)), 24)) {
            let outer = gre(packet(&inner));
            frames.extend(fragments(frame.at_ms, 1000 + id * 20 + sub, 47, &outer, 16));
        }
    }
    let (facts, counters) = run_alike(&frames);
    assert_eq!(protocols(&facts), ["tls"]);
    let packets: u64 = ends(&facts)[0].packets.iter().sum();
    assert_eq!(packets, frames.len() as u64, "each piece was a packet");
    assert_eq!(counters.fragments_given_up, 0);
    assert_eq!(counters.undecoded, [].into());
    assert!(count_of(&counters, "gre") <= frames.len() as u64);
    assert!(count_of(&counters, "gre") > 0);
}

#[test]
fn tags_that_differ_by_direction_do_not_split_a_flow() {
    let mut tcp = Tcp::open(443);
    tcp.say(0, &hello()).say(1, b"answer");
    let frames: Vec<Frame> = tcp
        .frames
        .iter()
        .map(|frame| {
            let from_client = frame.octets[26..30] == CLIENT;
            tagged(frame, if from_client { 10 } else { 20 })
        })
        .collect();
    let (facts, counters) = run_alike(&frames);
    assert_eq!(counters.flows_started, [1, 0, 0, 0]);
    assert_eq!(counters.one_sided_flows, [0; 4]);
    assert_eq!(
        facts[0].flow.vlan.as_slice(),
        [10],
        "those of the first packet"
    );
}

#[test]
fn a_copy_is_known_by_the_packet_that_is_innermost() {
    let mut frames = Vec::new();
    for frame in talk() {
        let mut later = frame.clone();
        later.octets[22] -= 1; // the time to live, behind a router
        let vxlan = [&[8, 0, 0, 0, 0, 0, 9, 0], &frame.octets[..]].concat();
        let mirrored = udp(
            frame.at_ms,
            [192, 0, 2, 9],
            [192, 0, 2, 10],
            (5, 4789),
            &vxlan,
        );
        frames.extend([
            frame.clone(),
            tagged(&frame, 7),
            later,
            four(frame.at_ms, 3, 0, 47, &gre(packet(&frame))),
            mirrored,
        ]);
    }
    let (facts, counters) = run_alike(&frames);
    assert_eq!(protocols(&facts), ["tls"]);
    assert_eq!(ends(&facts)[0].packets, [3, 2]);
    // An empty segment without identification may well be sent twice; these have one.
    assert_eq!(counters.duplicates, 20);
    assert_eq!(count_of(&counters, "vxlan"), 5, "a copy is a packet, too");
}

#[test]
fn copies_of_fragments_are_counted_and_dropped() {
    let datagram = udp(0, CLIENT, SERVER, (5000, 6000), &[7; 40]);
    let twice: Vec<Frame> = fragments(0, 5, 17, &packet(&datagram)[20..], 16)
        .into_iter()
        .flat_map(|frame| [frame.clone(), frame])
        .collect();
    let (facts, counters) = run_alike(&twice);
    assert_eq!(ends(&facts)[0].packets, [3, 0]);
    assert_eq!((counters.duplicates, counters.fragments_given_up), (3, 0));
}

#[test]
fn a_virtual_network_stays_with_the_flow() {
    let frames: Vec<Frame> = talk()
        .iter()
        .map(|frame| {
            let vxlan = [&[8, 0, 0, 0, 0, 1, 0, 0], &frame.octets[..]].concat();
            udp(
                frame.at_ms,
                [192, 0, 2, 9],
                [192, 0, 2, 10],
                (5, 4789),
                &vxlan,
            )
        })
        .collect();
    let (facts, _) = run_alike(&frames);
    assert_eq!(facts[0].flow.vni, Some(256));
}

#[test]
fn what_cannot_be_followed_is_a_flow_of_the_outer_packet_and_has_a_reason() {
    let discovery = [&[0, 0, 0x20, 0x00], &[1; 30][..]].concat();
    let frames = [
        four(0, 1, 0, 47, &discovery),
        four(1, 2, 0, 50, &[1; 40]),
        four(2, 3, 0, 51, &[50, 4, 0, 0]),
        ethernet(3, 0x88e5, &[0; 30]),
    ];
    let (facts, counters) = run_alike(&frames);
    let transports: Vec<String> = facts
        .iter()
        // ESP has a session, whose fact comes at once.
        .filter(|fact| matches!(fact.fact, Fact::FlowEnded(_)))
        .map(|fact| fact.flow.transport.to_string())
        .collect();
    assert_eq!(transports, ["gre", "esp", "ah"]);
    assert_eq!(counters.undecoded[&Undecoded::TunnelNotIp], 1);
    assert_eq!(counters.undecoded[&Undecoded::LinkEncrypted], 1);
    assert_eq!(count_of(&counters, "macsec"), 1);
    assert_eq!(
        counters.one_sided_flows,
        [0, 0, 0, 2],
        "a mirror does not answer"
    );
}

#[test]
fn a_question_of_icmp_and_its_answer_are_one_flow() {
    let echo = |at_ms, from, to, kind| {
        let mut octets = Vec::new();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4(from, to, 64)
            .icmpv4_raw(kind, 0, [0, 1, 0, 1])
            .write(&mut octets, b"ping")
            .unwrap();
        Frame { at_ms, octets }
    };
    let frames = [
        echo(0, [192, 168, 0, 89], [192, 168, 0, 1], 8),
        echo(1, [192, 168, 0, 1], [192, 168, 0, 89], 0),
    ];
    let (facts, counters) = run_alike(&frames);
    assert_eq!(counters.flows_started, [0, 0, 1, 0]);
    let flow = facts[0].flow;
    assert_eq!(
        (flow.transport, flow.orig.port, flow.resp.port),
        (Transport::Icmp, 8, 0)
    );
    assert_eq!(
        community_id(&flow),
        "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=",
        "as in the baseline of the specification"
    );
}

/// IPv6 between hosts, one of which has an address of Teredo.
fn teredo(at_ms: i64, ports: (u16, u16), from_client: bool, payload: &[u8]) -> Frame {
    let inside = [
        0x20, 0x01, 0, 0, 0x41, 0x37, 0x9e, 0x50, 0x80, 0, 0, 0, 0, 0, 0, 7,
    ];
    let outside = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let (from, to) = if from_client {
        (inside, outside)
    } else {
        (outside, inside)
    };
    let mut inner = Vec::new();
    PacketBuilder::ipv6(from, to, 64)
        .udp(ports.0, ports.1)
        .write(&mut inner, payload)
        .unwrap();
    if from_client {
        udp(at_ms, CLIENT, SERVER, (50_000, 40_123), &inner)
    } else {
        udp(at_ms, SERVER, CLIENT, (40_123, 50_000), &inner)
    }
}

#[test]
fn the_tunnel_of_a_machine_is_marked_once_with_its_own_addresses() {
    let frames = [
        teredo(0, (4000, 9), true, b"one"),
        teredo(1, (9, 4000), false, b"two"),
        teredo(2, (4001, 9), true, b"another flow inside"),
    ];
    let (facts, counters) = run_alike(&frames);
    assert_eq!(protocols(&facts), ["teredo"]);
    let marks = |fact: &&Observation| matches!(fact.fact, Fact::Marks(_));
    let flow = facts.iter().find(marks).unwrap().flow;
    assert_eq!(
        (flow.orig.ip.to_string(), flow.orig.port, flow.transport),
        ("10.0.0.1".to_owned(), 50_000, Transport::Udp)
    );
    assert_eq!(counters.flows_started, [0, 3, 0, 0]);
    assert_eq!(count_of(&counters, "teredo"), 3);
    let outer = ends(&facts).into_iter().find(|end| end.packets == [2, 1]);
    assert_eq!(
        outer.unwrap().bytes,
        [48 + 28 + 3 + 48 + 28 + 19, 48 + 28 + 3]
    );
}

#[test]
fn pptp_with_encryption_is_marked_on_its_own_flow() {
    let data = |sequence: u8| {
        [
            &[0x30, 0x01, 0x88, 0x0b, 0, 6, 0, 9, 0, 0, 0, sequence][..],
            &[0x00, 0xfd, 0x90, sequence, 0x5a, 0xc3],
        ]
        .concat()
    };
    let frames = [four(0, 1, 0, 47, &data(1)), four(1, 2, 0, 47, &data(2))];
    let (facts, counters) = run_alike(&frames);
    assert_eq!(protocols(&facts), ["pptp"]);
    assert_eq!(ends(&facts)[0].packets, [2, 0]);
    assert_eq!(counters.flows_started, [0, 0, 0, 1]);
    assert_eq!(counters.undecoded[&Undecoded::TunnelEncrypted], 2);
}

proptest! {
    /// Tunnels, fragments and copies in any mixture: the same with any number of workers.
    #[test]
    fn any_number_of_workers_finds_the_same_in_tunnels(
        choices in prop::collection::vec((0u8..6, 8usize..64), 1..30),
        count in 2u16..9,
    ) {
        let mut frames = Vec::new();
        for (at, (choice, size)) in choices.into_iter().enumerate() {
            let at_ms = at as i64;
            let inner = udp(at_ms, CLIENT, SERVER, (5000 + u16::from(choice), 9), &vec![choice; size]);
            let id = at as u16;
            match choice {
                0 => frames.push(inner),
                1 => frames.push(four(at_ms, id, 0, 47, &gre(packet(&inner)))),
                2 => frames.extend(fragments(at_ms, id, 47, &gre(packet(&inner)), size & !7)),
                3 => frames.push(teredo(at_ms, (4000, size as u16), size % 2 == 0, b"x")),
                4 => frames.extend([tagged(&inner, 9), inner]),
                _ => frames.push(ethernet(at_ms, 0x0806, &[0; 28])),
            }
        }
        let configs = (0..count).map(|index| config(index, count)).collect();
        prop_assert_eq!(run(&frames), run_with(&frames, configs));
    }
}
