//! What a packet costs a worker that knows its flow already, and what a name costs that is looked up in the catalogue.
//! Run by `cargo bench`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use terrier_engine::signature::{SeenIn, Signatures};
use terrier_engine::{Facts, Limits, LinkType, Packet, Wanted, Worker, WorkerConfig};
use terrier_traffic::{Kind, write};

fn main() {
    divan::main();
}

/// Packets at random over established flows, all in memory: parsing, the look-up, the counters.
#[divan::bench(args = [1_000, 10_000, 100_000, 1_000_000], sample_count = 20)]
fn known_flow(bencher: Bencher<'_, '_>, flows: u64) {
    let mut capture = Vec::new();
    let packets = flows + MEASURED;
    write(Kind::Grid { packets, flows }, 1, &mut capture).expect("memory takes it");
    let mut traffic = Traffic::new(&capture);
    let mut worker = Worker::new(WorkerConfig {
        index: 0,
        count: 1,
        seed: 1,
        limits: Limits {
            flows: 1 << 21,
            ..Limits::default()
        },
        wanted: Wanted::NONE,
    });
    let mut facts = Facts::default();
    // Until nobody looks at what they say any more, also where only one side speaks.
    for _ in 0..20 {
        traffic.show(&mut worker, &mut facts);
        traffic.go_on();
    }
    // Each flow has a packet among the first ones.
    traffic.frames.drain(..flows as usize);
    let traffic = RefCell::new(traffic);
    bencher
        .counter(ItemsCount::new(MEASURED))
        .with_inputs(|| traffic.borrow_mut().go_on())
        .bench_local_values(|()| traffic.borrow_mut().show(&mut worker, &mut facts));
}

/// The frames of a capture, again and again, as if the flows went on.
struct Traffic {
    /// All of them, one behind the other, as a reader has them in its buffer.
    octets: Vec<u8>,
    frames: Vec<Frame>,
    at_ns: i64,
    seq: u64,
}

struct Frame {
    octets: Range<usize>,
    /// Where the sequence number stands, in TCP, and by how much its side of the flow goes on in one round.
    sequence: Option<(usize, u32)>,
}

impl Traffic {
    /// Takes a classic pcap file apart.
    fn new(capture: &[u8]) -> Self {
        let octets = capture.to_vec();
        let mut frames = Vec::new();
        let mut sent: HashMap<&[u8], u32> = HashMap::new();
        let mut at = 24;
        while let Some(head) = capture.get(at..at + 16) {
            let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
            let frame = at + 16..at + 16 + length;
            at = frame.end;
            let tagged = capture[frame.start + 12..frame.start + 14] == [0x81, 0];
            // All are of IPv4 without options; TCP has time stamps.
            let ip = frame.start + if tagged { 18 } else { 14 };
            let is_tcp = capture[ip + 9] == 6;
            if is_tcp {
                *sent.entry(&capture[ip + 12..ip + 24]).or_default() += (at - ip) as u32 - 52;
            }
            frames.push(Frame {
                octets: frame,
                sequence: is_tcp.then_some((ip + 24, 0)),
            });
        }
        for frame in &mut frames {
            if let Some((at, step)) = &mut frame.sequence {
                *step = sent[&capture[*at - 12..*at]];
            }
        }
        Self {
            octets,
            frames,
            at_ns: 1_750_000_000 * SECOND,
            seq: 0,
        }
    }

    /// A round later: else they would be the same packets once more, and be counted as duplicates.
    fn go_on(&mut self) {
        self.at_ns += SECOND;
        for frame in &self.frames {
            if let Some((at, step)) = frame.sequence {
                let field = &mut self.octets[at..at + 4];
                let number = u32::from_be_bytes([field[0], field[1], field[2], field[3]]);
                field.copy_from_slice(&number.wrapping_add(step).to_be_bytes());
            }
        }
    }

    fn show(&mut self, worker: &mut Worker, facts: &mut Facts) {
        let mut packets = Vec::with_capacity(BATCH);
        for frames in self.frames.chunks(BATCH) {
            packets.clear();
            for frame in frames {
                self.seq += 1;
                packets.push(Packet {
                    at_ns: self.at_ns,
                    seq: self.seq,
                    capture: 0,
                    frame: self.seq,
                    link: LinkType::ETHERNET,
                    wire_len: frame.octets.len() as u32,
                    octets: &self.octets[frame.octets.clone()],
                });
            }
            worker.packets(black_box(&packets), facts);
        }
        facts.observations.clear();
    }
}

/// Names of which one in eight is in the catalogue.
#[divan::bench]
fn name_in_catalogue(bencher: Bencher<'_, '_>) {
    let signatures = Signatures::built_in();
    let names: Vec<String> = (0..64)
        .map(|number| match number % 8 {
            0 => format!("relay-{number}.net.anydesk.com"),
            1 => format!("d{number}.cloudfront.net"),
            2 => "outlook.office365.com".to_owned(),
            _ => format!("static{number}.assets.example-{number}.co.uk"),
        })
        .collect();
    let hits = names
        .iter()
        .filter(|name| signatures.by_name(name, SeenIn::Sni).is_some())
        .count();
    assert_eq!(hits, 8, "the names of one tool");
    bencher
        .counter(ItemsCount::new(names.len()))
        .bench_local(|| {
            for name in &names {
                black_box(signatures.by_name(black_box(name), SeenIn::Sni));
            }
        });
}

const SECOND: i64 = 1_000_000_000;
/// Packets that are measured at a time: so few that their octets stay in the cache, as those that a reader has just read.
const MEASURED: u64 = 1 << 14;
const BATCH: usize = 256;
