//! Packets in, facts out: flows, orientation, order, gaps, fragments, limits.

mod batches;
mod deal;
mod layers;

use etherparse::PacketBuilder;
use proptest::prelude::*;

use terrier_wire::link::Undecoded;

use super::*;
use crate::LinkType;
use crate::observation::{Fact, FlowEnd, Oriented};

const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [192, 0, 2, 7];
const CLIENT_PORT: u16 = 40_000;

/// A frame at a time.
#[derive(Clone)]
struct Frame {
    at_ms: i64,
    octets: Vec<u8>,
}

/// Writes both sides of a TCP connection.
struct Tcp {
    frames: Vec<Frame>,
    next: [u32; 2],
    port: u16,
    at_ms: i64,
    id: u16,
}

impl Tcp {
    fn new(port: u16) -> Self {
        Self {
            frames: Vec::new(),
            next: [1000, 9000],
            port,
            at_ms: 0,
            id: 0,
        }
    }

    /// After the three-way handshake.
    fn open(port: u16) -> Self {
        let mut tcp = Self::new(port);
        tcp.send(0, Flags::SYN, b"");
        tcp.send(1, Flags(Flags::SYN.0 | Flags::ACK.0), b"");
        tcp.send(0, Flags::ACK, b"");
        tcp
    }

    fn send(&mut self, side: usize, flags: Flags, payload: &[u8]) -> &mut Self {
        let seq = self.next[side];
        self.at(side, seq, flags, payload);
        let control = u32::from(flags.has(Flags::SYN)) + u32::from(flags.has(Flags::FIN));
        self.next[side] = seq.wrapping_add(payload.len() as u32 + control);
        self
    }

    /// A segment of which nothing else follows.
    fn at(&mut self, side: usize, seq: u32, flags: Flags, payload: &[u8]) -> &mut Self {
        let (from, to, ports) = match side {
            0 => (CLIENT, SERVER, (CLIENT_PORT, self.port)),
            _ => (SERVER, CLIENT, (self.port, CLIENT_PORT)),
        };
        self.id += 1;
        let mut ip =
            etherparse::Ipv4Header::new(0, 64, etherparse::IpNumber::TCP, from, to).unwrap();
        ip.identification = self.id;
        let mut builder = PacketBuilder::ethernet2([2; 6], [4; 6])
            .ip(etherparse::IpHeaders::Ipv4(ip, Default::default()))
            .tcp(ports.0, ports.1, seq, 1024);
        if flags.has(Flags::ACK) {
            builder = builder.ack(self.next[1 - side]);
        }
        if flags.has(Flags::SYN) {
            builder = builder.syn();
        }
        if flags.has(Flags::FIN) {
            builder = builder.fin();
        }
        if flags.has(Flags::RST) {
            builder = builder.rst();
        }
        let mut octets = Vec::new();
        builder.write(&mut octets, payload).unwrap();
        self.at_ms += 1;
        self.frames.push(Frame {
            at_ms: self.at_ms,
            octets,
        });
        self
    }

    fn say(&mut self, side: usize, payload: &[u8]) -> &mut Self {
        self.send(side, Flags::ACK, payload)
    }
}

fn udp(at_ms: i64, from: [u8; 4], to: [u8; 4], ports: (u16, u16), payload: &[u8]) -> Frame {
    let mut octets = Vec::new();
    PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4(from, to, 64)
        .udp(ports.0, ports.1)
        .write(&mut octets, payload)
        .unwrap();
    Frame { at_ms, octets }
}

fn config(index: u16, count: u16) -> WorkerConfig {
    WorkerConfig {
        index,
        count,
        seed: 7,
        limits: Limits::default(),
        wanted: Wanted::ALL,
    }
}

/// Shows frames to workers as the pipeline does, and collects the facts in their order.
fn run_with(frames: &[Frame], configs: Vec<WorkerConfig>) -> (Vec<Observation>, Counters) {
    let mut all = Vec::new();
    let mut counters = Counters::default();
    for config in configs {
        let mut worker = Worker::new(config);
        let mut facts = Facts::default();
        let mut clock = crate::Clock::default();
        let mut seq = 0;
        for (frame, octets) in (1..).zip(frames) {
            let at_ns = octets.at_ms * 1_000_000;
            if let Some(tick) = clock.packet(at_ns) {
                seq += 1;
                while worker.tick(tick, seq, &mut facts) == Ticked::MoreToTell {}
            }
            seq += 1;
            let packet = Packet {
                at_ns,
                seq,
                capture: 0,
                frame,
                link: LinkType::ETHERNET,
                wire_len: octets.octets.len() as u32,
                octets: &octets.octets,
            };
            worker.packets(&[packet], &mut facts);
        }
        while worker.tick(END_OF_INPUT, seq + 1, &mut facts) == Ticked::MoreToTell {}
        assert!(facts.ended);
        let mut sorted = facts.observations.clone();
        sorted.sort_by_key(|observation| observation.key);
        assert_eq!(
            sorted, facts.observations,
            "a worker hands out its facts in order"
        );
        all.extend(facts.observations);
        counters.add(&facts.counters.unwrap());
    }
    all.sort_by_key(|observation| observation.key);
    (all, counters)
}

fn run(frames: &[Frame]) -> (Vec<Observation>, Counters) {
    run_with(frames, vec![config(0, 1)])
}

fn protocols(facts: &[Observation]) -> Vec<&'static str> {
    facts
        .iter()
        .filter_map(|observation| observation.fact.protocol())
        .collect()
}

fn ends(facts: &[Observation]) -> Vec<FlowEnd> {
    facts
        .iter()
        .filter_map(|observation| match &observation.fact {
            Fact::FlowEnded(end) => Some(**end),
            _ => None,
        })
        .collect()
}

/// A ClientHello for `a.example`, in one TLS record.
fn hello() -> Vec<u8> {
    let name = b"a.example";
    let sni = [
        &[0, 0, 0, 14, 0, 12, 0, 0, 9][..], // extension server_name, list, host_name
        name,
    ]
    .concat();
    let body = [
        &[3, 3][..],           // version 1.2
        &[7; 32],              // random
        &[0],                  // no session
        &[0, 2, 0x13, 0x01],   // one cipher suite
        &[1, 0],               // no compression
        &[0, sni.len() as u8], // extensions
        &sni,
    ]
    .concat();
    let message = [&[1, 0, 0, body.len() as u8][..], &body].concat();
    [&[22, 3, 1, 0, message.len() as u8][..], &message].concat()
}

const GREETING: &[u8] = b"RFB 003.008\n";

#[test]
fn the_sender_of_the_syn_is_the_originator_and_both_fins_end_the_flow() {
    let mut tcp = Tcp::open(443);
    tcp.say(0, &hello())
        .send(0, Flags(0x11), b"")
        .send(1, Flags(0x11), b"")
        .say(0, b"");
    let (facts, counters) = run(&tcp.frames);
    assert_eq!(protocols(&facts), ["tls"]);
    let flow = facts[0].flow;
    assert_eq!(
        (flow.orig.port, flow.resp.port, flow.oriented),
        (CLIENT_PORT, 443, Oriented::Syn)
    );
    assert_eq!(facts[0].frames.numbers(), [4]);
    let end = ends(&facts)[0];
    assert_eq!((end.end, end.packets), (EndCause::Fin, [5, 2]));
    assert_eq!(
        (counters.flows_started, counters.one_sided_flows),
        ([1, 0, 0, 0], [0; 4])
    );
}

#[test]
fn a_syn_ack_tells_the_responder_and_a_first_packet_only_guesses() {
    let mut tcp = Tcp::new(443);
    tcp.send(1, Flags(0x12), b"").say(0, &hello());
    assert_eq!(run(&tcp.frames).0[0].flow.orig.port, CLIENT_PORT);
    let mut tcp = Tcp::new(443);
    tcp.say(1, b"").say(0, &hello());
    let flow = run(&tcp.frames).0[0].flow;
    assert_eq!((flow.orig.port, flow.oriented), (443, Oriented::Guessed));
}

#[test]
fn reads_a_hello_in_segments_of_one_octet_in_reverse() {
    let mut tcp = Tcp::open(8443);
    let hello = hello();
    for (at, octet) in hello.iter().enumerate().rev() {
        tcp.at(0, 1001 + at as u32, Flags::ACK, &[*octet]);
    }
    let (facts, counters) = run(&tcp.frames);
    assert_eq!(protocols(&facts), ["tls"]);
    assert_eq!(counters.gaps, 0);
}

#[test]
fn finds_tls_behind_a_preamble_of_both_sides() {
    let mut tcp = Tcp::open(25);
    tcp.say(1, b"220 mail.example ESMTP\r\n")
        .say(0, b"EHLO a\r\n")
        .say(1, b"250 STARTTLS\r\n");
    tcp.say(0, b"STARTTLS\r\n")
        .say(1, b"220 go\r\n")
        .say(0, &hello());
    let (facts, counters) = run(&tcp.frames);
    assert_eq!(protocols(&facts), ["tls"]);
    assert!(
        facts
            .iter()
            .any(|fact| matches!(fact.fact, Fact::Unknown(_))),
        "the preamble's protocol is not known"
    );
    assert_eq!(counters.sessions["tls"], 1);
}

#[test]
fn finds_tls_behind_a_line_that_could_open_something_else() {
    // The first two letters of such a banner may be the length of a DNS message.
    let mut tcp = Tcp::open(4000);
    tcp.say(0, b"NXTO-8.10.1\n")
        .say(1, b"NXTD-8.10.1\n")
        .say(0, &hello());
    assert_eq!(protocols(&run(&tcp.frames).0), ["tls"]);
}

#[test]
fn finds_tls_in_the_segment_of_its_preamble() {
    for greeting in [&b"J\x00\x00\x00\x0a5.5.5-10.11\x00"[..], b""] {
        let mut tcp = Tcp::open(3306);
        tcp.say(1, greeting);
        let request = [0x20, 0, 0, 1, 0x05, 0xae, 0x03, 0, 0, 0, 0, 1];
        tcp.say(0, &[&request, &hello()[..]].concat());
        assert_eq!(protocols(&run(&tcp.frames).0), ["tls"]);
    }
}

#[test]
fn finds_dtls_behind_stun_on_the_same_ports() {
    use terrier_wire::{dtls, tls};
    let mut stun = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    stun.extend([7; 12]);
    let body = dtls::samples::client_hello("a.example", &[]);
    let hello = dtls::samples::datagram(tls::HandshakeType::CLIENT_HELLO, &body, 0);
    let ports = (40_000, 40_001);
    let frames: Vec<_> = [&stun, &stun, &hello, &stun]
        .into_iter()
        .zip(0..)
        .map(|(payload, at)| udp(200 * at, CLIENT, SERVER, ports, payload))
        .collect();
    let (facts, counters) = run(&frames);
    assert_eq!(protocols(&facts), ["stun", "dtls"]);
    assert_eq!(counters.sessions["stun"], 1);
}

#[test]
fn finds_what_a_proxy_carries_however_it_is_cut() {
    let answer = b"HTTP/1.1 200 Connection established\r\n\r\n";
    for size in [1, 2, 7, 1000] {
        let mut tcp = Tcp::open(3128);
        tcp.say(0, b"CONNECT a.example:443 HTTP/1.1\r\n\r\n");
        for piece in answer.chunks(size) {
            tcp.say(1, piece);
        }
        for piece in hello().chunks(size) {
            tcp.say(0, piece);
        }
        assert_eq!(
            protocols(&run(&tcp.frames).0),
            ["http", "tls"],
            "pieces of {size}"
        );
    }
}

#[test]
fn finds_a_greeting_in_the_segment_of_the_proxys_answer() {
    let mut tcp = Tcp::open(3128);
    tcp.say(0, b"CONNECT a.example:5900 HTTP/1.1\r\n\r\n");
    tcp.say(1, b"HTTP/1.1 200 ok\r\n\r\nRFB 003.008\n");
    assert_eq!(protocols(&run(&tcp.frames).0), ["http", "rfb"]);
}

#[test]
fn does_not_look_for_ever_behind_a_preamble() {
    let mut tcp = Tcp::open(25);
    for _ in 0..40 {
        tcp.say(0, b"NOOP\r\n").say(1, b"250 ok\r\n");
    }
    tcp.say(0, &hello());
    assert_eq!(protocols(&run(&tcp.frames).0), [] as [&str; 0]);
}

#[test]
fn a_new_syn_on_the_same_ports_is_a_new_flow() {
    let mut tcp = Tcp::open(443);
    tcp.say(0, &hello()).send(1, Flags(0x14), b"");
    tcp.next = [500_000, 700_000];
    tcp.send(0, Flags::SYN, b"")
        .send(1, Flags(0x12), b"")
        .say(0, &hello());
    let (facts, counters) = run(&tcp.frames);
    assert_eq!(protocols(&facts), ["tls", "tls"]);
    assert_ne!(facts[0].flow.id, facts.last().unwrap().flow.id);
    assert_eq!(counters.flows_started, [2, 0, 0, 0]);
    assert_eq!(ends(&facts)[0].end, EndCause::Rst);
}

#[test]
fn a_repeated_syn_is_not() {
    let mut tcp = Tcp::new(443);
    tcp.send(0, Flags::SYN, b"");
    tcp.next[0] = 1000;
    tcp.at_ms += 1000;
    tcp.send(0, Flags::SYN, b"")
        .send(1, Flags(0x12), b"")
        .say(0, &hello());
    assert_eq!(run(&tcp.frames).1.flows_started, [1, 0, 0, 0]);
}

#[test]
fn the_same_frame_twice_is_counted_and_looked_at_once() {
    let mut tcp = Tcp::open(443);
    tcp.say(0, &hello());
    let twice: Vec<Frame> = tcp
        .frames
        .iter()
        .flat_map(|frame| [frame.clone(), frame.clone()])
        .collect();
    let (facts, counters) = run(&twice);
    assert_eq!(counters.duplicates, 4);
    assert_eq!(ends(&facts)[0].packets, [3, 1]);
}

#[test]
fn what_is_pending_is_said_at_the_end_of_input() {
    let mut tcp = Tcp::open(5900);
    tcp.say(1, GREETING);
    let (facts, _) = run(&tcp.frames);
    assert_eq!(protocols(&facts), ["rfb"]);
    assert_eq!(ends(&facts)[0].end, EndCause::EndOfInput);
}

#[test]
fn silent_flows_end_in_packet_time() {
    let mut frames = vec![udp(0, CLIENT, SERVER, (5000, 6000), b"one")];
    frames.push(udp(500_000, CLIENT, SERVER, (5001, 6000), b"much later"));
    let (facts, _) = run(&frames);
    let causes: Vec<EndCause> = ends(&facts).iter().map(|end| end.end).collect();
    assert_eq!(causes, [EndCause::Idle, EndCause::EndOfInput]);
}

#[test]
fn the_table_keeps_its_cap_and_counts_who_left() {
    let frames: Vec<Frame> = (0..50)
        .map(|n| udp(i64::from(n), CLIENT, SERVER, (5000 + n, 6000), b"x"))
        .collect();
    let mut small = config(0, 1);
    small.limits.flows = 10;
    let (facts, counters) = run_with(&frames, vec![small]);
    assert_eq!(counters.evictions, 40);
    assert_eq!(
        ends(&facts)
            .iter()
            .filter(|end| end.end == EndCause::Evicted)
            .count(),
        40
    );
}

#[test]
fn sessions_end_when_too_much_is_held_for_all_of_them() {
    let mut frames = Vec::new();
    for port in 0..20 {
        let mut tcp = Tcp::open(8000 + port);
        // Early segments only: each flow waits for the first one.
        for n in 0..8_u32 {
            tcp.at(0, 2000 + n * 1000, Flags::ACK, &[b'x'; 1000]);
        }
        frames.extend(tcp.frames);
    }
    let mut small = config(0, 1);
    small.limits.buffered_octets = 50_000;
    let mut worker = Worker::new(small);
    let mut facts = Facts::default();
    for (seq, frame) in (1..).zip(&frames) {
        let packet = Packet {
            at_ns: frame.at_ms * 1_000_000,
            seq,
            capture: 0,
            frame: seq,
            link: LinkType::ETHERNET,
            wire_len: 0,
            octets: &frame.octets,
        };
        worker.packets(&[packet], &mut facts);
        assert!(
            worker.conversations.buffered <= 51_000,
            "{}",
            worker.conversations.buffered
        );
    }
}

#[test]
fn counts_what_it_does_not_decode() {
    let arp = [&[0xff; 6][..], &[2; 6], &[0x08, 0x06], &[0; 28]].concat();
    let cut = [&[2; 12][..], &[0x08, 0x00], &[0x45, 0, 0]].concat();
    let frames = [arp, cut].map(|octets| Frame { at_ms: 0, octets });
    let (facts, counters) = run(&frames);
    assert_eq!(facts, []);
    assert_eq!(counters.undecoded[&Undecoded::NotIp], 1);
    assert_eq!(counters.undecoded[&Undecoded::IpHeader], 1);
}

proptest! {
    /// The facts do not depend on the number of workers, nor on anything hashed.
    #[test]
    fn any_number_of_workers_finds_the_same(
        flows in prop::collection::vec((1000u16..60000, any::<bool>(), 0i64..5000), 1..30),
        count in 2u16..9,
    ) {
        let mut frames: Vec<Frame> = Vec::new();
        for (port, greets, start) in flows {
            let mut tcp = Tcp::open(port);
            if greets { tcp.say(1, GREETING).say(0, GREETING) } else { tcp.say(0, &hello()) };
            frames.extend(tcp.frames.into_iter().map(|frame| Frame { at_ms: start + frame.at_ms, ..frame }));
        }
        frames.sort_by_key(|frame| frame.at_ms);
        let (alone, alone_counters) = run(&frames);
        let (together, counters) = run_with(&frames, (0..count).map(|index| config(index, count)).collect());
        prop_assert_eq!(alone, together);
        prop_assert_eq!(alone_counters, counters);
    }

    #[test]
    fn no_octets_make_it_panic(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 0..40)) {
        let frames: Vec<Frame> = packets.into_iter().map(|octets| Frame { at_ms: 0, octets }).collect();
        run(&frames);
    }
}
