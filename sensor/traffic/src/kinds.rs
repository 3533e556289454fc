//! The kinds of captures: what is in each, and how much of it.

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::apps::{self, Use};
use crate::capture::Capture;
use crate::chance::Chance;
use crate::dns::{Kind as Type, Question};
use crate::frame::{ACK, Ends, PSH, Segment};
use crate::names::{Names, OF_TOOLS};
use crate::network::{Ip, Network, between};
use crate::script::{Script, Side, Tcp, probe};
use crate::stock::Stock;
use crate::truth::Truth;
use crate::{Kind, quic, tunnels};

/// Writes a capture of one kind, and says what is in it.
pub fn write(kind: Kind, seed: u64, out: impl Write) -> io::Result<Truth> {
    let mut capture = Capture::new(out);
    let mut maker = Maker::new(kind, seed);
    match kind {
        Kind::Mix { octets } => maker.mix(octets, &mut capture)?,
        Kind::Small { packets } => maker.small(packets, &mut capture)?,
        Kind::Flows { flows } => maker.short_flows(flows, &mut capture)?,
        Kind::Grid { packets, flows } => maker.grid(packets, flows, &mut capture)?,
    }
    let mut truth = maker.truth;
    truth.packets = capture.packets;
    truth.bytes = capture.octets;
    truth.dns_names = maker.asked.len() as u64;
    truth.finish();
    Ok(truth)
}

/// A flow to come.
#[derive(Debug, Clone, Copy)]
struct Start {
    /// Of all that is random in it.
    seed: u64,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Tls {
        length: usize,
    },
    /// To one of [`OF_TOOLS`].
    TlsOfTool {
        tool: usize,
    },
    TlsHelloOnly,
    Quic {
        length: usize,
    },
    Http {
        length: usize,
    },
    Ssh {
        length: usize,
        port: u16,
    },
    Smb {
        length: usize,
    },
    Rdp {
        length: usize,
    },
    Vnc {
        length: usize,
    },
    Dns,
    DnsTunnel {
        queries: usize,
    },
    IcmpTunnel {
        echoes: usize,
    },
    Wireguard {
        packets: usize,
    },
    Openvpn {
        packets: usize,
    },
    Probe {
        refused_permille: u64,
    },
    Keys,
}

struct Maker {
    chance: Chance,
    network: Network,
    names: Names,
    stock: Stock,
    truth: Truth,
    /// Numbers of the names that were asked for by DNS.
    asked: BTreeSet<usize>,
    starts: Vec<(u64, Start)>,
    /// Nanoseconds that the capture lasts.
    lasts: u64,
}

impl Maker {
    fn new(kind: Kind, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let (clients, seconds) = match kind {
            Kind::Mix { .. } => (2000, 60),
            Kind::Small { .. } => (2000, 30),
            Kind::Flows { .. } => (5000, 120),
            Kind::Grid { .. } => (5000, 30),
        };
        Self {
            network: Network::new(&mut chance, clients),
            names: Names::new(&mut chance, 5000),
            stock: Stock::new(&mut chance),
            truth: Truth {
                what: kind.name().to_owned(),
                seed,
                ..Truth::default()
            },
            asked: BTreeSet::new(),
            starts: Vec::new(),
            lasts: seconds * SECOND,
            chance,
        }
    }

    /// An enterprise: bulk over TLS and QUIC, and something of everything else.
    fn mix(&mut self, octets: u64, capture: &mut Capture<impl Write>) -> io::Result<()> {
        self.fill(octets, 0.84, 60_000, 20_000_000, 6000, |length| What::Tls {
            length: length.max(1500),
        });
        self.fill(octets, 0.11, 54_000, 10_000_000, 4000, |length| {
            What::Quic { length }
        });
        self.fill(octets, 0.045, 30_000, 5_000_000, 500, |length| What::Http {
            length,
        });
        self.fill(octets, 0.015, 180_000, 5_000_000, 2000, |length| {
            What::Ssh { length, port: 22 }
        });
        self.fill(octets, 0.05, 1_200_000, 20_000_000, 0, |length| What::Smb {
            length,
        });
        self.fill(octets, 0.009, 360_000, 3_000_000, 4000, |length| {
            What::Rdp { length }
        });
        self.fill(octets, 0.010, 360_000, 3_000_000, 0, |length| What::Vnc {
            length,
        });
        // A query and its reply are some 220 octets.
        for _ in 0..octets / 20_000 {
            self.start(0.999, What::Dns);
        }
        let part = |full: f64| (full * (octets as f64 / 1e9).min(1.0)) as usize + 50;
        for _ in 0..(octets / 500_000_000).max(1) {
            for what in [
                What::DnsTunnel {
                    queries: part(1500.0),
                },
                What::IcmpTunnel {
                    echoes: part(600.0),
                },
                What::Wireguard {
                    packets: part(5000.0),
                },
                What::Openvpn {
                    packets: part(3000.0),
                },
                What::Ssh {
                    length: part(400.0) * 1000,
                    port: 443,
                },
            ] {
                // The longest of them takes 45 s.
                self.start(0.2, what);
            }
        }
        for tool in 0..OF_TOOLS.len() {
            for _ in 0..(octets / 333_000_000).max(1) {
                self.start(0.5, What::TlsOfTool { tool });
            }
        }
        self.run(capture)
    }

    /// Flows of one kind until their octets are that share of all. A flow has `mean` octets on average, and `more` for its
    /// handshake.
    fn fill(
        &mut self,
        octets: u64,
        share: f64,
        mean: usize,
        most: usize,
        more: usize,
        what: impl Fn(usize) -> What,
    ) {
        let mut left = octets as f64 * share;
        while left > 0.0 {
            // The mean of the distribution, cut where it is cut, is some nine times its least.
            let length = self.chance.long_tail(mean / 9, most);
            // Headers are 7 % of full segments and the acknowledgements between them.
            left -= length as f64 * 1.07 + more as f64;
            self.start(0.9, what(length));
        }
    }

    /// Packets of 64 to 128 octets: DNS, probes, keys and echoes.
    fn small(&mut self, packets: u64, capture: &mut Capture<impl Write>) -> io::Result<()> {
        for _ in 0..packets / 5 {
            self.start(0.999, What::Dns);
        }
        for _ in 0..packets / 6 {
            let refused_permille = 500;
            self.start(0.999, What::Probe { refused_permille });
        }
        for _ in 0..packets * 35 / 100 / KEY_PACKETS {
            self.start(0.3, What::Keys);
        }
        self.run(capture)
    }

    /// Short flows: half of them DNS, a quarter TLS, then probes and small pages.
    fn short_flows(&mut self, flows: u64, capture: &mut Capture<impl Write>) -> io::Result<()> {
        for _ in 0..flows {
            let what = match self.chance.below(100) {
                0..25 => What::TlsHelloOnly,
                25..75 => What::Dns,
                75..93 => What::Probe {
                    refused_permille: 700,
                },
                _ => What::Http { length: 600 },
            };
            self.start(0.999, what);
        }
        self.run(capture)
    }

    fn start(&mut self, until: f64, what: What) {
        let at = (self.chance.part() * until * self.lasts as f64) as u64;
        let seed = self.chance.next();
        self.starts.push((at, Start { seed, what }));
    }

    fn run(&mut self, capture: &mut Capture<impl Write>) -> io::Result<()> {
        let mut starts = std::mem::take(&mut self.starts);
        starts.sort_by_key(|(at, _)| *at);
        let end = self.lasts;
        let stock = self.stock.octets.clone();
        capture.flows(starts, end, &stock, |at, start| self.make(at, start))
    }

    /// Writes the script of a flow, and notes what is in it.
    fn make(&mut self, at: u64, Start { seed, what }: Start) -> Script {
        let chance = &mut Chance::new(seed);
        match what {
            What::Tls { length } => {
                let name = self.names.name(self.names.draw(chance)).to_owned();
                self.tls(chance, at, &name, length)
            }
            What::TlsOfTool { tool } => self.tls(chance, at, OF_TOOLS[tool], 20_000),
            What::TlsHelloOnly => self.tls_hello_only(chance, at),
            What::Quic { length } => self.quic(chance, at, length),
            What::Http { length } => self.http(chance, at, length),
            What::Ssh { length, port } => {
                let kind = if port == 22 { "ssh" } else { "tunnel_ssh443" };
                let mut tcp = self.tcp(chance, at, kind, (300, 40), port, 2e7);
                apps::ssh(&mut tcp, &self.stock, length);
                self.truth.session("ssh");
                if port != 22 {
                    self.tunnel("ssh443", length / 1000);
                }
                tcp.finish()
            }
            What::Smb { length } => {
                let mut tcp = self.tcp(chance, at, "smb", (40, 20), 445, 1e8);
                apps::smb(&mut tcp, &self.stock, length);
                tcp.finish()
            }
            What::Rdp { length } => {
                let user = format!("user{}", chance.below(100));
                let server = format!("rdp{}.corp.example", chance.below(50));
                let mut tcp = self.tcp(chance, at, "rdp", (80, 20), 3389, 2e7);
                apps::rdp(&mut tcp, &self.stock, &user, &server, length);
                self.truth.session("rdp");
                self.truth.remote.push(("rdp".to_owned(), user));
                tcp.finish()
            }
            What::Vnc { length } => {
                let port = 5900 + chance.below(4) as u16;
                let version = *chance.pick(&["RFB 003.008", "RFB 003.008", "RFB 003.007"]);
                let mut tcp = self.tcp(chance, at, "vnc", (110, 10), port, 2e7);
                apps::vnc(&mut tcp, &self.stock, version, length);
                self.truth.session("rfb");
                self.truth
                    .remote
                    .push(("vnc".to_owned(), version.to_owned()));
                tcp.finish()
            }
            What::Keys => {
                let port = *chance.pick(&[22, 443, 5222, 8443]);
                let client = self.network.client(chance);
                let server = 300 + chance.below(400);
                let ends = self.network.ends(chance, client, server, port, Ip::Four);
                self.truth.flow("interactive");
                let mut tcp = Tcp::open(chance, ends, at, 3e7);
                // Two packets and the acknowledgement of each, over most of the capture.
                let think = self.lasts as f64 / 1e6 / KEY_PACKETS as f64 * 1.5;
                apps::keys(&mut tcp, &self.stock, KEY_PACKETS as usize / 4, think);
                tcp.finish()
            }
            What::Probe { refused_permille } => {
                let server = chance.below(0x2_0000);
                let port = *chance.pick(&[22, 23, 80, 443, 445, 3389, 5900, 8080]);
                let client = self.network.client(chance);
                let ends = self.network.ends(chance, client, server, port, Ip::Four);
                let refused = chance.permille(refused_permille);
                self.truth.flow("syn");
                probe(chance, ends, at, refused)
            }
            What::Dns => self.dns(chance, at),
            _ => self.datagram_tunnel(chance, at, what),
        }
    }

    /// A connection to one of so many servers.
    fn tcp<'a>(
        &mut self,
        chance: &'a mut Chance,
        at: u64,
        kind: &str,
        (first, count): (usize, usize),
        port: u16,
        rate: f64,
    ) -> Tcp<'a> {
        let server = first + chance.below(count);
        let client = self.network.client(chance);
        let ends = self.network.ends(chance, client, server, port, Ip::Either);
        self.truth.flow(kind);
        match kind {
            // In the same building.
            "smb" => Tcp::open_at(chance, ends, at, rate, 800_000),
            _ => Tcp::open(chance, ends, at, rate),
        }
    }

    fn tls(&mut self, chance: &mut Chance, at: u64, name: &str, length: usize) -> Script {
        let how = Use::draw(chance);
        let length = match how {
            Use::Chat => length.min(12_000),
            _ => length,
        };
        let seconds = 0.2 + chance.part() * (length as f64 / 60_000.0).min(30.0);
        let rate = (length as f64 * 8.0 / seconds).max(2e5);
        let ends = self.ends_to(chance, name, 443);
        let closes = chance.permille(900);
        let mut tcp = Tcp::open(chance, ends, at, rate);
        self.tls_flow(&mut tcp, name);
        apps::tls_data(&mut tcp, &self.stock, length, how);
        match closes {
            true => apps::closed(tcp),
            false => tcp.finish(),
        }
    }

    /// The handshake, and the notes of it.
    fn tls_flow(&mut self, tcp: &mut Tcp<'_>, name: &str) {
        apps::tls_handshake(tcp, &self.stock, name);
        debug_assert!(tcp.now() <= self.lasts, "the hello is in the capture");
        self.truth.flow("tls");
        self.truth.session("tls");
        *self.truth.sni.entry(name.to_owned()).or_default() += 1;
    }

    fn tls_hello_only(&mut self, chance: &mut Chance, at: u64) -> Script {
        let name = self.names.name(self.names.draw(chance)).to_owned();
        let ends = self.ends_to(chance, &name, 443);
        // Near enough to the client that a flow of the last moment shows its hello.
        let rtt = 1_000_000 + chance.next() % 20_000_000;
        let mut tcp = Tcp::open_at(chance, ends, at, 3e7, rtt);
        self.tls_flow(&mut tcp, &name);
        apps::closed(tcp)
    }

    fn quic(&mut self, chance: &mut Chance, at: u64, length: usize) -> Script {
        let name = self.names.name(self.names.draw(chance)).to_owned();
        let ends = self.ends_to(chance, &name, 443);
        let script = Script::new(chance, ends);
        let script = quic::converse(chance, &self.stock, script, &name, at, length);
        self.truth.flow("quic");
        self.truth.session("quic");
        *self.truth.quic_sni.entry(name).or_default() += 1;
        script
    }

    fn http(&mut self, chance: &mut Chance, at: u64, length: usize) -> Script {
        let name = self.names.name(self.names.draw(chance)).to_owned();
        let ends = self.ends_to(chance, &name, 80);
        let rate = (length as f64).max(1e6);
        let mut tcp = Tcp::open(chance, ends, at, rate);
        apps::http(&mut tcp, &self.stock, &name, length);
        self.truth.flow("http");
        self.truth.session("http");
        tcp.finish()
    }

    fn dns(&mut self, chance: &mut Chance, at: u64) -> Script {
        let number = self.names.draw(chance);
        let kind = match chance.below(100) {
            0..60 => Type::A,
            60..84 => Type::Aaaa,
            _ => Type::Https,
        };
        let edns = chance.permille(500);
        let id = chance.next() as u16;
        let question = Question::new(id, self.names.name(number), kind, edns);
        let client = self.network.client(chance);
        let server = 8 + client % 4;
        let ends = self.network.ends(chance, client, server, 53, Ip::Four);
        self.truth.flow("dns");
        self.truth.session("dns");
        self.truth.dns_queries += 1;
        self.asked.insert(number);
        let mut script = Script::new(chance, ends);
        script.datagram(at, Side::Client, &question.query());
        let reply = question.reply(chance);
        let after = 500_000 + chance.next() % 30_000_000;
        script.datagram(at + after, Side::Server, &reply);
        script
    }

    fn datagram_tunnel(&mut self, chance: &mut Chance, at: u64, what: What) -> Script {
        let client = self.network.client(chance);
        let mut ends = |server, port, ip| self.network.ends(chance, client, server, port, ip);
        let (kind, count, script) = match what {
            What::IcmpTunnel { echoes } => {
                let ends = ends(200, 0, Ip::Four);
                let script = tunnels::icmp(chance, &self.stock, ends, at, echoes);
                ("icmp", echoes, script)
            }
            What::Wireguard { packets } => {
                let ends = ends(201, 51_820, Ip::Either);
                self.truth.session("wireguard");
                let script = tunnels::wireguard(chance, &self.stock, ends, at, packets);
                ("wireguard", packets, script)
            }
            What::Openvpn { packets } => {
                let ends = ends(202, 1194, Ip::Either);
                self.truth.session("openvpn");
                let script = tunnels::openvpn(chance, &self.stock, ends, at, packets);
                ("openvpn", packets, script)
            }
            What::DnsTunnel { queries } => {
                let ends = ends(8 + client % 4, 53, Ip::Four);
                self.truth.session("dns");
                ("dns", queries, tunnels::dns(chance, ends, at, queries))
            }
            _ => unreachable!("{what:?} is made elsewhere"),
        };
        self.truth.flow(&format!("tunnel_{kind}"));
        self.tunnel(kind, count);
        script
    }

    fn tunnel(&mut self, kind: &str, count: usize) {
        self.truth.tunnels.push((kind.to_owned(), count as u64));
    }

    fn ends_to(&mut self, chance: &mut Chance, name: &str, port: u16) -> Ends {
        let server = Network::server_of(chance, name);
        let client = self.network.client(chance);
        self.network.ends(chance, client, server, port, Ip::Either)
    }

    /// Packets of some 300 octets at random over flows that began before the capture: half TCP, half UDP.
    fn grid(
        &mut self,
        packets: u64,
        flows: u64,
        capture: &mut Capture<impl Write>,
    ) -> io::Result<()> {
        let flows = flows.min(packets) as usize;
        let clients = 5000;
        // Sequence numbers of both sides, and the identification of IP, which both count up.
        let mut states: Vec<[u32; 3]> = (0..flows)
            .map(|_| [(); 3].map(|()| self.chance.next() as u32))
            .collect();
        for number in 0..packets {
            let flow = match usize::try_from(number) {
                Ok(number) if number < flows => number,
                _ => self.chance.below(flows),
            };
            let (client, round) = (flow % clients, flow / clients);
            // No two flows share a client and a server's port and address.
            let server = 1000 + round * 7 + flow % 7;
            let port = [8000, 9000][flow & 1];
            let ends = between(
                client,
                server,
                [40_000 + (round % 20_000) as u16, port],
                false,
            );
            let from = match self.chance.below(2) {
                0 => Side::Client,
                _ => Side::Server,
            };
            let payload = self.stock.random(&mut self.chance, 260);
            let payload = payload.of(&self.stock.octets);
            let state = &mut states[flow];
            let [seq, ack] = match from {
                Side::Client => [state[0], state[1]],
                Side::Server => [state[1], state[0]],
            };
            state[2] = state[2].wrapping_add(1);
            let ident = state[2] as u16;
            let at = self.lasts / packets * number;
            let stamp = (at / 1_000_000) as u32;
            if flow & 1 == 0 {
                capture.frame(at, |out, _| ends.datagram(out, from, ident, payload))?;
                continue;
            }
            let segment = Segment {
                flags: PSH | ACK,
                seq,
                ack,
                stamps: [stamp, stamp],
            };
            let sent = seq.wrapping_add(payload.len() as u32);
            states[flow][from.index()] = sent;
            capture.frame(at, |out, _| {
                ends.segment(out, from, ident, &segment, payload);
            })?;
        }
        if flows > 0 {
            self.truth.flows.insert("grid".to_owned(), flows as u64);
        }
        capture.flush()
    }
}

const SECOND: u64 = 1_000_000_000;
/// Packets of one interactive flow in a `small` capture.
const KEY_PACKETS: u64 = 400;
