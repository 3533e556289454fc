use terrier_engine::{
    END_OF_INPUT, Limits, LinkType, Packet, Ticked, Wanted, Worker, WorkerConfig,
};

use terrier_engine::observation::Openings;

use super::*;

/// The facts of so many empty flows, which have nothing but ends, and of one connection over VNC.
fn storm(flows: u32) -> Vec<Observation> {
    let mut worker = Worker::new(WorkerConfig {
        index: 0,
        count: 1,
        seed: 1,
        limits: Limits::default(),
        wanted: Wanted {
            flow_ends: true,
            fingerprints: false,
            openings: Openings::of(|_| false),
        },
    });
    let mut facts = Facts::default();
    let mut seq = 0;
    let mut packet = |port: u16, from: u32, to_server: bool, protocol: u8, payload: &[u8]| {
        seq += 1;
        let octets = ip(port, from, to_server, protocol, payload);
        let packet = Packet {
            at_ns: 1_795_514_400_000_000_000,
            seq,
            capture: 0,
            frame: seq,
            link: LinkType(101),
            wire_len: octets.len() as u32,
            octets: &octets,
        };
        worker.packets(&[packet], &mut facts);
    };
    for n in 0..flows {
        packet(9999, n, true, 17, b"x");
    }
    for (to_server, line) in [(false, b"RFB 003.008\n"), (true, b"RFB 003.008\n")] {
        packet(5900, flows, to_server, 6, line);
    }
    seq += 1;
    while worker.tick(END_OF_INPUT, seq, &mut facts) == Ticked::MoreToTell {}
    facts.observations
}

/// A packet between a server and the n-th client.
fn ip(port: u16, n: u32, to_server: bool, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let (client, server) = ((0x0a00_0000 + n).to_be_bytes(), [192, 0, 2, 1]);
    let (from, to, ports) = if to_server {
        (client, server, [40_000, port])
    } else {
        (server, client, [port, 40_000])
    };
    let mut transport = ports.map(u16::to_be_bytes).concat();
    if protocol == 6 {
        // Both sides begin with 1: sequence, acknowledgement, flags.
        transport.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
    } else {
        transport.extend((8 + payload.len() as u16).to_be_bytes());
        transport.extend([0, 0]);
    }
    transport.extend(payload);
    let length = (20 + transport.len() as u16).to_be_bytes();
    let head = [
        0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0,
    ];
    [&head[..], &from, &to, &transport].concat()
}

#[test]
fn a_storm_costs_its_own_facts_only() {
    let mut facts = storm(1_000);
    let is_vnc = |one: &Observation| matches!(one.fact, Fact::Rfb(_));
    assert!(facts.iter().any(is_vnc) && facts.len() > 1_000);
    let all = facts.len();
    let lost = shed(&mut facts, 500);
    assert_eq!(lost + facts.len(), all);
    assert!(lost > 1_000 && facts.iter().any(is_vnc));
}

#[test]
fn what_there_is_room_for_is_kept() {
    let mut facts = storm(10);
    let all = facts.len();
    assert_eq!((shed(&mut facts, all), facts.len()), (0, all));
    assert_eq!((shed(&mut facts, 0), facts.len()), (all, 0));
}
