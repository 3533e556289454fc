//! Packets that are looked at together, and ends that are told in parts: nothing of what is told depends on it.

use super::*;

/// Shows the frames so many at a time.
fn run_by(frames: &[Frame], together: usize, flows: usize) -> (Vec<Observation>, Counters) {
    let mut config = config(0, 1);
    config.limits.flows = flows;
    let mut worker = Worker::new(config);
    let packets: Vec<Packet<'_>> = (1..)
        .zip(frames)
        .map(|(number, frame)| Packet {
            at_ns: frame.at_ms * 1_000_000,
            seq: number,
            capture: 0,
            frame: number,
            link: LinkType::ETHERNET,
            wire_len: frame.octets.len() as u32,
            octets: &frame.octets,
        })
        .collect();
    let mut facts = Facts::default();
    for packets in packets.chunks(together) {
        worker.packets(packets, &mut facts);
    }
    let end = packets.len() as u64 + 1;
    while worker.tick(END_OF_INPUT, end, &mut facts) == Ticked::MoreToTell {}
    (facts.observations, *facts.counters.unwrap())
}

/// One step of a flow: a segment with these control bits, or a datagram.
fn step(ports: &mut [Tcp], which: usize, kind: u8) -> Frame {
    let ack = Flags::ACK.0;
    let tcp = &mut ports[which];
    match kind {
        0 => tcp.send(0, Flags::SYN, b""),
        1 => tcp.send(1, Flags(Flags::SYN.0 | ack), b""),
        2 => tcp.send(0, Flags(Flags::RST.0), b""),
        3 => tcp.send(1, Flags(Flags::FIN.0 | ack), b""),
        4 => tcp.send(0, Flags(Flags::FIN.0 | ack), b""),
        5 => tcp.say(0, GREETING),
        6 => tcp.say(1, GREETING),
        _ => tcp.say(0, &hello()),
    };
    tcp.frames.pop().unwrap()
}

proptest! {
    /// Flows begin, end, begin anew and push each other out within a batch.
    #[test]
    fn packets_together_tell_the_same(
        steps in prop::collection::vec((0usize..6, 0u8..9), 1..200),
        flows in 1usize..5,
    ) {
        let mut ports: Vec<Tcp> = (0..6).map(|n| Tcp::new(5900 + n)).collect();
        let mut frames = Vec::new();
        for (at_ms, (which, kind)) in (0..).zip(steps) {
            let octets = if kind == 8 {
                udp(at_ms, CLIENT, SERVER, (5000, 6000 + which as u16), b"x").octets
            } else {
                step(&mut ports, which, kind).octets
            };
            frames.push(Frame { at_ms, octets });
        }
        prop_assert_eq!(run_by(&frames, 1, flows), run_by(&frames, usize::MAX, flows));
    }
}

#[test]
fn more_ends_than_are_told_at_once_are_told_in_their_order() {
    let flows = AT_ONCE as u16 * 2 + 7;
    let frames: Vec<Frame> = (0..flows)
        .map(|port| udp(i64::from(port) / 100, CLIENT, SERVER, (port, 6000), b"x"))
        .collect();
    for last_ms in [i64::from(flows) / 100, 1_000_000] {
        let mut frames = frames.clone();
        // The second time the silence of a quarter of an hour ends them.
        frames.push(udp(last_ms, SERVER, CLIENT, (53, 53), b"x"));
        let (facts, counters) = run(&frames);
        let opened: Vec<u64> = facts
            .iter()
            .filter(|fact| matches!(fact.fact, Fact::FlowEnded(_)))
            .map(|fact| fact.key.opened)
            .collect();
        assert_eq!(opened.len(), usize::from(flows) + 1);
        assert!(opened.is_sorted());
        assert_eq!(
            counters.flows_ended.iter().sum::<u64>(),
            u64::from(flows) + 1
        );
    }
}

#[test]
fn ends_that_nobody_asks_for_are_counted_only() {
    let mut frames = vec![udp(0, CLIENT, SERVER, (5, 6000), b"x")];
    for (port, said) in [
        (4000, hello()),
        (4001, b"CONNECT a:443 HTTP/1.1\r\n\r\n".to_vec()),
    ] {
        let mut tcp = Tcp::open(port);
        tcp.say(0, &said);
        frames.extend(tcp.frames);
    }
    let config = WorkerConfig {
        wanted: Wanted::NONE,
        ..config(0, 1)
    };
    let (facts, counters) = run_with(&frames, vec![config]);
    let ended: Vec<u16> = facts
        .iter()
        .filter(|fact| matches!(fact.fact, Fact::FlowEnded(_)))
        .map(|fact| fact.flow.resp.port)
        .collect();
    assert_eq!(ended, [4001], "the one that a detection remembers");
    assert_eq!(counters.flows_ended, [2, 1, 0, 0]);
}

#[test]
fn of_unknown_openings_those_are_told_that_are_asked_for_or_carried() {
    let mut frames = vec![
        udp(0, CLIENT, SERVER, (5, 6000), b"asked for"),
        udp(0, CLIENT, SERVER, (6, 6000), b"not asked for"),
    ];
    let mut tcp = Tcp::open(4000);
    tcp.say(0, b"CONNECT a:443 HTTP/1.1\r\n\r\n");
    tcp.say(1, b"HTTP/1.1 200 OK\r\n\r\n");
    tcp.say(0, &[b'c'; 80]);
    frames.extend(tcp.frames);
    let mut tcp = Tcp::open(4001);
    tcp.say(0, &[b'd'; 80]);
    frames.extend(tcp.frames);
    let config = WorkerConfig {
        wanted: Wanted {
            openings: Openings::of(|first| first == b'a'),
            ..Wanted::NONE
        },
        ..config(0, 1)
    };
    let (facts, _) = run_with(&frames, vec![config]);
    let told: Vec<u8> = facts
        .iter()
        .filter_map(|fact| match &fact.fact {
            Fact::Unknown(first) => first.octets.first().copied(),
            _ => None,
        })
        .collect();
    assert_eq!(told, [b'a', b'c']);
}
