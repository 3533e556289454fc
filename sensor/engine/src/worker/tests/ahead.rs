//! Flows that are looked up in advance: nothing of what is told depends on it.

use super::*;

/// Shows all frames at once, to a worker that looks ahead from so many flows on.
fn run_from(frames: &[Frame], ahead_from: usize, flows: usize) -> (Vec<Observation>, Counters) {
    let mut config = config(0, 1);
    config.limits.flows = flows;
    let mut worker = Worker::new(config);
    worker.ahead_from = ahead_from;
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
    worker.packets(&packets, &mut facts);
    worker.tick(END_OF_INPUT, packets.len() as u64 + 1, &mut facts);
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
    /// Flows begin, end, begin anew and push each other out within a group.
    #[test]
    fn looking_ahead_tells_the_same(
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
        prop_assert_eq!(run_from(&frames, usize::MAX, flows), run_from(&frames, 0, flows));
    }
}
