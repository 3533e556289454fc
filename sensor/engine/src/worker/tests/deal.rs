//! Packets that were dealt out: whoever they came to, the workers find together what one finds alone.

use std::net::SocketAddr;

use super::*;
use crate::flow::Spread;

const SEED: u64 = 7;

/// Shows each frame to the worker that the kernel would give it to, or to `anybody` where the kernel does not see its flow;
/// and to whom it concerns, at once.
fn run_dealt(frames: &[Frame], count: u16, anybody: u16) -> (Vec<Observation>, Counters) {
    let spread = Spread::new(SEED);
    let mut workers: Vec<Worker> = (0..count)
        .map(|index| Worker::new(config(index, count)).dealt_by(spread))
        .collect();
    let mut facts: Vec<Facts> = (0..count).map(|_| Facts::default()).collect();
    let mut dealt = Dealt::default();
    let mut clock = crate::Clock::default();
    let mut seq = 0;
    for (frame, Frame { at_ms, octets }) in (1..).zip(frames) {
        let at_ns = at_ms * 1_000_000;
        if let Some(tick) = clock.packet(at_ns) {
            seq += 1;
            for (worker, facts) in workers.iter_mut().zip(&mut facts) {
                while worker.tick(tick, seq, facts) == Ticked::MoreToTell {}
            }
        }
        seq += 1;
        let packet = Packet {
            at_ns,
            seq,
            capture: 0,
            frame,
            link: LinkType::ETHERNET,
            wire_len: octets.len() as u32,
            octets,
        };
        let ring = match plain(&spread, octets) {
            Some(spread) => spread as usize % usize::from(count),
            None => usize::from(anybody % count),
        };
        workers[ring].dealt(&[packet], &mut facts[ring], &mut dealt);
        for Aside { index, to } in dealt.aside.drain(..) {
            assert_eq!(index, 0);
            assert!(to != 0 && to < 1 << count, "{to:b} of {count}");
            for (at, (worker, facts)) in workers.iter_mut().zip(&mut facts).enumerate() {
                if to >> at & 1 == 1 {
                    worker.packets(&[packet], facts);
                }
            }
        }
    }
    let mut all = Vec::new();
    let mut counters = Counters::default();
    for (worker, mut facts) in workers.iter_mut().zip(facts) {
        while worker.tick(END_OF_INPUT, seq + 1, &mut facts) == Ticked::MoreToTell {}
        all.extend(facts.observations);
        counters.add(&facts.counters.unwrap());
    }
    all.sort_by_key(|observation| observation.key);
    (all, counters)
}

/// The spread of a plain packet of TCP or UDP.
fn plain(spread: &Spread, octets: &[u8]) -> Option<u32> {
    let ip = octets.get(14..)?;
    let whole = ip.get(6)? & 0x3f == 0 && ip.get(7)? == &0;
    let protocol = *ip.get(9)?;
    let end = |address: usize, port: usize| {
        let address: [u8; 4] = ip.get(address..address + 4)?.try_into().ok()?;
        let port = u16::from_be_bytes(ip.get(port..port + 2)?.try_into().ok()?);
        Some(SocketAddr::from((address, port)))
    };
    (whole && [6, 17].contains(&protocol))
        .then(|| Some(spread.of(end(12, 20)?, end(16, 22)?, protocol)))?
}

/// The frame's IP packet in another one.
fn in_ip(frame: &Frame) -> Frame {
    let packet = &frame.octets[14..];
    let mut octets = frame.octets[..14].to_vec();
    octets.extend([0x45, 0]);
    octets.extend((packet.len() as u16 + 20).to_be_bytes());
    octets.extend([0, 0, 0, 0, 64, 4, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2]);
    octets.extend(packet);
    Frame { octets, ..*frame }
}

/// The frame's IP packet in two fragments, of 24 octets and the rest.
fn in_fragments(frame: &Frame) -> [Frame; 2] {
    let (header, payload) = frame.octets.split_at(34);
    let piece = |place: [u8; 2], payload: &[u8]| {
        let mut octets = header.to_vec();
        octets[16..18].copy_from_slice(&(payload.len() as u16 + 20).to_be_bytes());
        octets[20..22].copy_from_slice(&place);
        octets.extend(payload);
        Frame { octets, ..*frame }
    };
    [
        piece([0x20, 0], &payload[..24]),
        piece([0, 3], &payload[24..]),
    ]
}

proptest! {
    #[test]
    fn any_number_of_workers_finds_the_same_however_it_was_dealt(
        steps in prop::collection::vec((0usize..6, 0u8..5, 0u8..4), 1..100),
        count in 1u16..6,
        anybody in 0u16..6,
    ) {
        let mut connections: Vec<Tcp> = (0..6).map(|n| Tcp::open(5900 + n)).collect();
        let mut frames = Vec::new();
        for (at_ms, (which, kind, how)) in (0..).step_by(150).zip(steps) {
            let tcp = &mut connections[which];
            match kind {
                0 => tcp.say(0, GREETING),
                1 => tcp.say(1, GREETING),
                2 => tcp.say(0, &hello()),
                3 => tcp.send(1, Flags(Flags::FIN.0 | Flags::ACK.0), b"bye, and some more"),
                _ => tcp.say(1, b"what is no protocol at all"),
            };
            let frame = Frame { at_ms, octets: tcp.frames.pop().unwrap().octets };
            match how {
                0 | 1 => frames.push(frame),
                2 => frames.push(in_ip(&frame)),
                _ => frames.extend(in_fragments(&frame)),
            }
        }
        // What is no IP is counted by whom it came to.
        frames.push(Frame { at_ms: frames.last().unwrap().at_ms, octets: vec![8; 40] });
        let alone = run(&frames);
        prop_assert_eq!(run_dealt(&frames, count, anybody), alone);
    }
}

#[test]
fn packets_of_decided_flows_are_told_on_demand() {
    let spread = Spread::new(SEED);
    let mut worker = Worker::new(config(0, 1)).dealt_by(spread);
    let mut tcp = Tcp::open(443);
    for _ in 0..200 {
        tcp.say(0, &[0xee; 100]);
    }
    let packets: Vec<Packet<'_>> = (1..)
        .zip(&tcp.frames)
        .map(|(seq, frame)| Packet {
            at_ns: frame.at_ms,
            seq,
            capture: 0,
            frame: seq,
            link: LinkType::ETHERNET,
            wire_len: frame.octets.len() as u32,
            octets: &frame.octets,
        })
        .collect();
    let (first, second) = packets.split_at(150);
    let (mut facts, mut dealt) = (Facts::default(), Dealt::default());
    worker.dealt(first, &mut facts, &mut dealt);
    assert_eq!(dealt.decided, []);
    worker.tell_decided(true);
    worker.dealt(second, &mut facts, &mut dealt);
    let flow = plain(&spread, second[0].octets).unwrap();
    assert_eq!(
        dealt.decided,
        vec![(flow, second[0].wire_len); second.len()]
    );
    assert_eq!(dealt.aside, []);
}
