//! Silence about what is no tool: chance, chance behind the first octets of a tool, what other protocols send, and honest
//! flows that are picked up in their middle.
//!
//! Each test makes flows from a fixed seed, one for each address inside, and wants no alert of low or more of them.
//! `TERRIER_STRICT=100` makes a hundred times as many, for measuring; which is the seed of a round is in what fails.

mod lookalikes;

use std::collections::{BTreeMap, BTreeSet};

use crate::support::capture::{Frame, frames, pcap};
use crate::support::random::Random;
use crate::support::segments::{Ends, datagram, ends, segment};
use crate::support::{READ, assert_none, corpus, manifest, of_kind, run_with_input};
use lookalikes::{LOOKALIKES, Lookalike, Over};

#[test]
fn chance_is_no_tool() {
    let mut flows = Flows::new(1);
    for over in [Over::Udp, Over::Tcp, Over::Icmp] {
        for _ in 0..1000 * rounds() {
            let count = 1 + flows.chance.below(6);
            let messages = (0..count)
                .map(|_| {
                    let length = flows.chance.length();
                    (flows.chance.one_in(2), flows.chance.octets(length))
                })
                .collect();
            flows.add("chance", over, messages);
        }
    }
    assert_none(&flows.told());
}

/// What an accident needs: the first octets of a tool's messages, then chance of the same length.
#[test]
fn the_first_octets_of_a_tool_are_not_the_tool() {
    let mut flows = Flows::new(2);
    let tools: Vec<_> = manifest::captures()
        .iter()
        .filter(|row| !row.findings.is_empty())
        .flat_map(|row| conversations(&frames(&row.on_disk())))
        .collect();
    assert!(tools.len() > 100, "{} flows of tools", tools.len());
    for kept in [1, 2, 4] {
        for _ in 0..rounds() {
            for (over, messages) in &tools {
                let messages = messages
                    .iter()
                    .map(|(side, octets)| {
                        let mut octets = octets.clone();
                        // Of a short message half.
                        let kept = kept.min(octets.len() / 2);
                        for octet in octets.iter_mut().skip(kept) {
                            *octet = flows.chance.octet();
                        }
                        (*side, octets)
                    })
                    .collect();
                flows.add(&format!("first {kept}"), *over, messages);
            }
        }
    }
    assert_none(&flows.told());
}

#[test]
fn what_other_protocols_send_is_no_tool() {
    let mut flows = Flows::new(3);
    for Lookalike { name, over, talk } in LOOKALIKES {
        for _ in 0..20 * rounds() {
            let messages = talk(&mut flows.chance);
            flows.add(name, *over, messages);
        }
    }
    assert_none(&flows.told());
}

#[test]
fn an_honest_flow_in_its_middle_is_no_tool() {
    let mut flows = Flows::new(4);
    let mut honest: Vec<_> = manifest::captures()
        .iter()
        // Attempts of a tool are no findings, but the tool is there.
        .filter(|row| row.findings.is_empty() && !TOOLS.contains(&row.folder()))
        .map(manifest::Row::on_disk)
        .collect();
    honest.extend(silent_captures());
    for path in honest {
        for (over, messages) in conversations(&frames(&path)) {
            for _ in 0..2 * rounds() {
                let from = flows.chance.below(messages.len());
                let mut rest = messages[from..].to_vec();
                // TCP is cut anywhere, a datagram is whole.
                if over == Over::Tcp
                    && let Some((_, first)) = rest.first_mut()
                {
                    let cut = flows.chance.below(first.len());
                    first.drain(..cut);
                }
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                flows.add(&file, over, rest);
            }
        }
    }
    assert_none(&flows.told());
}

/// Third-party captures on which nothing is to be said, where `TERRIER_CORPUS` names them.
fn silent_captures() -> Vec<std::path::PathBuf> {
    let Some(folder) = corpus() else {
        return Vec::new();
    };
    let table = std::fs::read_to_string(folder.join("truth.tsv")).expect("a table");
    table
        .lines()
        .skip(1)
        .filter(|line| line.split([';', '\t']).any(|fact| fact == "expect=none"))
        .filter_map(|line| Some(folder.join(line.split('\t').next()?)))
        .collect()
}

fn rounds() -> usize {
    std::env::var("TERRIER_STRICT")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(1)
}

/// Who says what: `true` is who opened the flow.
type Messages = Vec<(bool, Vec<u8>)>;

/// The flows of a capture, as far as they say something: their first messages.
fn conversations(frames: &[Frame]) -> Vec<(Over, Messages)> {
    let mut flows: BTreeMap<(bool, Ends), (Ends, Messages)> = BTreeMap::new();
    for frame in frames {
        let (over, octets) = match (segment(frame), datagram(frame)) {
            (Some((_, octets)), _) => (Over::Tcp, octets),
            (None, Some(octets)) => (Over::Udp, octets),
            (None, None) => continue,
        };
        let Some(ends) = ends(frame).filter(|_| !octets.is_empty()) else {
            continue;
        };
        let (first, messages) = flows
            .entry((over == Over::Tcp, ends.sorted()))
            .or_insert_with(|| (ends.clone(), Vec::new()));
        if messages.len() < MOST_MESSAGES {
            messages.push((ends == *first, octets.to_vec()));
        }
    }
    let over = |tcp| if tcp { Over::Tcp } else { Over::Udp };
    flows
        .into_iter()
        .map(|((tcp, _), (_, messages))| (over(tcp), messages))
        .collect()
}

/// Flows in one capture, each with an address of its own inside.
struct Flows {
    chance: Random,
    frames: Vec<Frame>,
    names: Vec<String>,
    wrong: BTreeMap<String, u64>,
}

impl Flows {
    fn new(seed: u64) -> Self {
        Self {
            chance: Random(seed),
            frames: Vec::new(),
            names: Vec::new(),
            wrong: BTreeMap::new(),
        }
    }

    /// Adds a flow: half of them on any port, half on one that a tool uses.
    fn add(&mut self, name: &str, over: Over, messages: Messages) {
        let nth = self.names.len() as u32;
        self.names.push(name.to_owned());
        let server_port = if self.chance.one_in(2) {
            PORTS[self.chance.below(PORTS.len())]
        } else {
            1024 + self.chance.below(60_000) as u16
        };
        let client_port = 1024 + self.chance.below(60_000) as u16;
        let mut next = [1000_u32, 5000];
        for (from_client, octets) in messages {
            let side = usize::from(!from_client);
            let octets = &octets[..octets.len().min(MOST_OCTETS)];
            let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, over.number(), 0, 0];
            let addresses = [0x0a00_0001 + nth, 0xc633_6401];
            let ports = [client_port, server_port];
            packet.extend(addresses[side].to_be_bytes());
            packet.extend(addresses[1 - side].to_be_bytes());
            match over {
                Over::Tcp => {
                    packet.extend(ports[side].to_be_bytes());
                    packet.extend(ports[1 - side].to_be_bytes());
                    packet.extend(next[side].to_be_bytes());
                    packet.extend(next[1 - side].to_be_bytes());
                    packet.extend([0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
                    next[side] += octets.len() as u32;
                }
                Over::Udp => {
                    packet.extend(ports[side].to_be_bytes());
                    packet.extend(ports[1 - side].to_be_bytes());
                    packet.extend((octets.len() as u16 + 8).to_be_bytes());
                    packet.extend([0, 0]);
                }
                Over::Icmp => {
                    let kind = if from_client { 8 } else { 0 };
                    packet.extend([kind, 0, 0, 0, 0, 7, 0, 1]);
                }
            }
            packet.extend(octets);
            let length = (packet.len() as u16).to_be_bytes();
            packet[2..4].copy_from_slice(&length);
            self.frames.push(Frame {
                at_ns: 1_700_000_000_000_000_000 + self.frames.len() as i64 * 1_000_000,
                link: LINK_RAW,
                wire_len: packet.len() as u32,
                octets: packet,
            });
        }
        if self.frames.len() >= MOST_FRAMES {
            self.read();
        }
    }

    /// What the flows so far made the program say.
    fn read(&mut self) {
        let ran = run_with_input(READ.iter().chain(&["-"]), &pcap(&self.frames));
        for alert in of_kind(ran.expect(0, &[]).records(), "alert") {
            if alert["severity"] == "info" {
                continue;
            }
            let text = alert.to_string();
            let whose = self.names.iter().enumerate().find(|(nth, _)| {
                let [a, b, c, d] = (0x0a00_0001 + *nth as u32).to_be_bytes();
                text.contains(&format!("\"{a}.{b}.{c}.{d}\""))
            });
            let name = whose.map_or("", |(_, name)| name);
            let told = format!("{name}: {} ({})", alert["detection"], alert["severity"]);
            *self.wrong.entry(told).or_default() += 1;
        }
        self.frames.clear();
        self.names.clear();
    }

    /// What was said of all flows.
    fn told(mut self) -> Vec<String> {
        self.read();
        let told: BTreeSet<String> = self
            .wrong
            .iter()
            .map(|(what, times)| format!("{what}: {times} times"))
            .collect();
        told.into_iter().collect()
    }
}

/// What is drawn for a flow.
impl Random {
    /// Of a message: some lengths that tools have are met more often.
    pub(crate) fn length(&mut self) -> usize {
        const LENGTHS: [usize; 12] = [1, 14, 32, 37, 38, 42, 54, 64, 92, 148, 1200, 1400];
        if self.one_in(2) {
            LENGTHS[self.below(LENGTHS.len())]
        } else {
            1 + self.below(600)
        }
    }

    /// Letters, digits and little else.
    pub(crate) fn text(&mut self, length: usize) -> Vec<u8> {
        const LETTERS: &[u8] =
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:=-";
        (0..length)
            .map(|_| LETTERS[self.below(LETTERS.len())])
            .collect()
    }
}

/// Folders of captures of tools.
const TOOLS: [&str; 7] = ["vnc", "rdp", "remote", "tunnels", "vpn", "proxy", "ssh"];
/// Ports of tools, and those beside which other protocols are met.
const PORTS: [u16; 46] = [
    22, 23, 53, 80, 123, 161, 177, 443, 500, 512, 513, 514, 655, 1080, 1194, 1701, 1723, 2333,
    3389, 3478, 4000, 4011, 4172, 4242, 4443, 4500, 4899, 5004, 5353, 5650, 5900, 5938, 6000, 6568,
    7000, 7654, 8000, 8080, 9993, 10000, 14500, 21115, 21116, 21117, 41641, 51820,
];
/// Enough for a handshake and some data.
const MOST_MESSAGES: usize = 24;
/// What fits into a datagram whose length has two octets, with room for the heads.
const MOST_OCTETS: usize = 60_000;
/// Packets of one run: the more, the fewer starts of the program.
const MOST_FRAMES: usize = 20_000;
const LINK_RAW: u32 = 101;
