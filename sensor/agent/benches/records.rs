//! What it costs to write an observation as a line of JSON. Run by `cargo bench`.

use clap::Parser as _;
use divan::Bencher;
use divan::counter::ItemsCount;
use terrier::cli::{Cli, Command};
use terrier::output::{self, Manner, Names};
use terrier_engine::observation::Observation;
use terrier_engine::{
    END_OF_INPUT, Facts, Limits, LinkType, Packet, Sink as _, Ticked, Wanted, Worker, WorkerConfig,
};
use terrier_traffic::{Kind, write};

fn main() {
    divan::main();
}

#[divan::bench(args = ["dns", "tls", "quic"])]
fn observation_as_json(bencher: Bencher<'_, '_>, protocol: &'static str) {
    let observations = observations(protocol);
    let words = ["terrier", "read", "--json", "--emit", "observation"];
    let cli = Cli::parse_from(words.into_iter().chain(["--output", "/dev/null", "-"]));
    let Command::Read(arguments) = cli.command else {
        unreachable!("it was asked for");
    };
    let names = Names::default();
    let mut records =
        output::open(&arguments.shared, names, Manner::AtTheEnd).expect("/dev/null takes it");
    bencher
        .counter(ItemsCount::new(observations.len()))
        .bench_local(|| {
            for observation in &observations {
                records.observation(observation, protocol);
            }
        });
    assert!(records.written() > 0, "they were written");
}

/// What a worker says of one protocol in a mix.
fn observations(protocol: &str) -> Vec<Observation> {
    let mut capture = Vec::new();
    let kind = Kind::Mix { octets: 20_000_000 };
    write(kind, 1, &mut capture).expect("memory takes it");
    let mut worker = Worker::new(WorkerConfig {
        index: 0,
        count: 1,
        seed: 1,
        limits: Limits::default(),
        wanted: Wanted::ALL,
    });
    let mut facts = Facts::default();
    let (mut rest, mut frame) = (&capture[24..], 0);
    while let Some((head, behind)) = rest.split_first_chunk::<16>() {
        let word = |at: usize| {
            let octets = [head[at], head[at + 1], head[at + 2], head[at + 3]];
            u32::from_le_bytes(octets)
        };
        let (octets, next) = behind.split_at(word(8) as usize);
        frame += 1;
        let packet = Packet {
            at_ns: i64::from(word(0)) * 1_000_000_000 + i64::from(word(4)) * 1000,
            seq: frame,
            capture: 0,
            frame,
            link: LinkType::ETHERNET,
            wire_len: word(12),
            octets,
        };
        worker.packets(&[packet], &mut facts);
        rest = next;
    }
    while worker.tick(END_OF_INPUT, frame + 1, &mut facts) != Ticked::Done {}
    let mut found = facts.observations;
    found.retain(|observation| observation.fact.protocol() == Some(protocol));
    assert!(found.len() > 20, "{} of {protocol}", found.len());
    found
}
