//! Programs of classic BPF that the kernel runs for each packet: to which ring it goes, and how much of it.
//!
//! *In*: the keys of a [`Spread`], and the spreads of flows. *Out*: instructions. *By*: bpf(4), and the extensions of Linux'
//! `linux/filter.h`.
//!
//! What a program reads beyond a packet's end ends it with the answer 0: the first ring, which hands the packet over; where 0
//! would be a loss the length is asked first. Behind up to two VLAN tags and PPPoE the addresses are found; what lies in
//! other encapsulations goes by the outermost IP header, else to the first ring.

use terrier_engine::Spread;

/// An instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) code: u16,
    pub(super) jt: u8,
    pub(super) jf: u8,
    pub(super) k: u32,
}

/// How much of a packet that is only counted comes into the ring. Less than the place of a VLAN tag, so that libpcap does
/// not put one back in; and more than nothing, or the kernel would not count it.
pub(super) const COUNTED_OCTETS: u32 = 4;

/// No longer list of flows fits into a socket's memory of 20 KiB (`net.core.optmem_max`) twice, as when it is replaced.
pub(super) const MOST_SHED: usize = 512;

/// Says to which ring of a group a packet goes. `link_octets`: how long the link header is.
pub(super) fn dealing(spread: &Spread, link_octets: u32) -> Option<Vec<Instruction>> {
    let mut code = Code::default();
    // The kernel asks before it has made sure that the packet begins with its link header: of one that leaves it does.
    let [outgoing, incoming, begun, unknown, told] = code.labels();
    code.load_extension(PACKET_TYPE);
    code.when(JEQ, OUTGOING, outgoing, incoming);
    code.place(outgoing);
    code.push(LDX_IMM, link_octets);
    code.go(begun);
    code.place(incoming);
    code.push(LDX_IMM, 0);
    code.place(begun);
    code.push(STX, BASE);
    code.spread(spread, Ports::Any(told), unknown);
    code.place(told);
    code.push(RET_A, 0);
    code.place(unknown);
    code.push(RET, 0);
    code.assemble()
}

/// Lets only [`COUNTED_OCTETS`] of the packets of these flows in, and leaves all others to the instructions `rest`. A segment
/// that begins or ends a connection is none of theirs.
pub(super) fn shedding(
    spread: &Spread,
    link_octets: u32,
    flows: &[u32],
    rest: &[Instruction],
) -> Option<Vec<Instruction>> {
    let mut code = Code::default();
    let [long, with_ports, counted, tcp, search, unknown, others] = code.labels();
    code.push(LD_LEN, 0);
    code.when(JGE, link_octets + SHORTEST, long, unknown);
    // A conditional jump does not reach over the list.
    code.place(unknown);
    code.go(others);
    code.place(long);
    code.push(LDX_IMM, link_octets);
    code.push(STX, BASE);
    code.spread(spread, Ports::Only(with_ports), others);
    // The spread was computed of what lies within the packet: the transport header does.
    code.place(with_ports);
    code.push(LDX_MEM, TRANSPORT);
    code.push(LD_MEM, PROTOCOL);
    code.when(JEQ, TCP, tcp, search);
    code.place(tcp);
    code.push(LDB_IND, 13);
    let [flagged] = code.labels();
    code.when(JSET, FIN_SYN_RST, flagged, search);
    code.place(flagged);
    code.go(others);
    code.place(search);
    code.push(LD_MEM, SUM);
    code.search(flows, others, counted);
    code.place(counted);
    code.push(RET, COUNTED_OCTETS);
    code.place(others);
    let mut program = code.assemble()?;
    program.extend(rest);
    (program.len() <= MOST_INSTRUCTIONS).then_some(program)
}

/// A program that lets so many octets of every packet in.
pub(super) fn everything(octets: u32) -> Vec<Instruction> {
    let mut code = Code::default();
    code.push(RET, octets);
    code.assemble().unwrap_or_default()
}

/// What to do with packets that have no ports.
#[derive(Clone, Copy)]
enum Ports {
    /// They have a spread too.
    Any(Label),
    /// They are not meant.
    Only(Label),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Label(usize);

enum Step {
    Plain(Instruction),
    When {
        code: u16,
        k: u32,
        yes: Label,
        no: Label,
    },
    Go(Label),
}

/// Instructions whose jumps still have names.
#[derive(Default)]
struct Code {
    steps: Vec<Step>,
    places: Vec<usize>,
}

impl Code {
    fn labels<const N: usize>(&mut self) -> [Label; N] {
        std::array::from_fn(|_| {
            self.places.push(usize::MAX);
            Label(self.places.len() - 1)
        })
    }

    fn place(&mut self, label: Label) {
        self.places[label.0] = self.steps.len();
    }

    fn push(&mut self, code: u16, k: u32) {
        self.steps.push(Step::Plain(Instruction {
            code,
            jt: 0,
            jf: 0,
            k,
        }));
    }

    fn load_extension(&mut self, at: u32) {
        self.push(LD_ABS, EXTENSIONS.wrapping_add(at));
    }

    fn when(&mut self, code: u16, k: u32, yes: Label, no: Label) {
        self.steps.push(Step::When { code, k, yes, no });
    }

    fn go(&mut self, to: Label) {
        self.steps.push(Step::Go(to));
    }

    /// `None` where a jump is longer than one can be.
    fn assemble(self) -> Option<Vec<Instruction>> {
        let Self { steps, places } = self;
        let far = |from: usize, to: Label| places[to.0].checked_sub(from + 1);
        let near = |from, to| u8::try_from(far(from, to)?).ok();
        steps
            .iter()
            .enumerate()
            .map(|(at, step)| match *step {
                Step::Plain(instruction) => Some(instruction),
                Step::When { code, k, yes, no } => Some(Instruction {
                    code,
                    jt: near(at, yes)?,
                    jf: near(at, no)?,
                    k,
                }),
                Step::Go(to) => Some(Instruction {
                    code: JA,
                    jt: 0,
                    jf: 0,
                    k: u32::try_from(far(at, to)?).ok()?,
                }),
            })
            .collect()
    }

    /// From the place of the IP header in [`BASE`], if it is one: the spread, in the accumulator and in [`SUM`]; the protocol
    /// in [`PROTOCOL`]; where the transport header begins in [`TRANSPORT`].
    fn spread(&mut self, spread: &Spread, ports: Ports, unknown: Label) {
        let [v4, not_v4, v6, not_v6, whole, fragment, mixed] = self.labels();
        let [udp, not_tcp, with_ports, without, add, not_udp] = self.labels();
        self.load_extension(ETHER_TYPE);
        for _ in 0..MOST_TAGS {
            self.skip_tag();
        }
        self.skip_pppoe();
        self.when(JEQ, IPV4, v4, not_v4);
        self.place(not_v4);
        self.when(JEQ, IPV6, v6, not_v6);
        self.place(not_v6);
        self.go(unknown);

        self.place(v4);
        self.within(BASE, 20, ports, unknown);
        self.push(LDX_MEM, BASE);
        self.push(LDB_IND, 9);
        self.push(ST, PROTOCOL);
        self.mix_address(spread, FROM, &[12]);
        self.mix_address(spread, TO, &[16]);
        self.push(LDX_MEM, BASE);
        self.push(LDB_IND, 0);
        self.push(AND, 0x0f);
        self.push(LSH, 2);
        self.push(ADD_X, 0);
        self.push(ST, TRANSPORT);
        self.push(LDH_IND, 6);
        self.when(JSET, MORE_OR_OFFSET, fragment, whole);
        self.place(fragment);
        match ports {
            Ports::Any(_) => self.go(without),
            Ports::Only(_) => self.go(unknown),
        }
        self.place(whole);
        self.go(mixed);

        self.place(v6);
        self.within(BASE, 40, ports, unknown);
        self.push(LDX_MEM, BASE);
        self.push(LDB_IND, 6);
        self.push(ST, PROTOCOL);
        self.mix_address(spread, FROM, &[8, 12, 16, 20]);
        self.mix_address(spread, TO, &[24, 28, 32, 36]);
        self.push(LD_MEM, BASE);
        self.push(ADD, 40);
        self.push(ST, TRANSPORT);

        self.place(mixed);
        self.push(LD_MEM, PROTOCOL);
        self.when(JEQ, TCP, with_ports, not_tcp);
        self.place(not_tcp);
        self.when(JEQ, UDP, udp, not_udp);
        self.place(udp);
        self.go(with_ports);
        self.place(not_udp);
        match ports {
            Ports::Any(_) => self.go(without),
            Ports::Only(_) => self.go(unknown),
        }

        self.place(with_ports);
        self.within(TRANSPORT, FLAGS_END, ports, unknown);
        self.push(LDX_MEM, TRANSPORT);
        self.push(LDH_IND, 0);
        self.mix_port(FROM);
        self.push(LDX_MEM, TRANSPORT);
        self.push(LDH_IND, 2);
        self.mix_port(TO);
        self.go(add);

        self.place(without);
        self.push(LD_IMM, 0);
        self.mix_port(FROM);
        self.push(LD_IMM, 0);
        self.mix_port(TO);

        self.place(add);
        let [_, _, by_protocol, by_sum] = Spread::FACTORS;
        self.push(LD_MEM, PROTOCOL);
        self.push(MUL, by_protocol);
        for end in [FROM, TO] {
            self.push(LDX_MEM, end);
            self.push(ADD_X, 0);
        }
        self.push(XOR, spread.keys[1]);
        self.push(MUL, by_sum);
        self.fold(Spread::SHIFTS[2]);
        self.push(ST, SUM);
        let (Ports::Any(told) | Ports::Only(told)) = ports;
        self.go(told);
    }

    /// Where an answer of 0 would be a loss: the packet is so much longer than the place in the scratch memory, or unknown.
    fn within(&mut self, from: u32, octets: u32, ports: Ports, unknown: Label) {
        if let Ports::Only(_) = ports {
            let [short, long] = self.labels();
            self.push(LD_MEM, from);
            self.push(ADD, octets);
            self.push(TAX, 0);
            self.push(LD_LEN, 0);
            self.when(JGE_X, 0, long, short);
            self.place(short);
            self.go(unknown);
            self.place(long);
        }
    }

    /// With an EtherType in the accumulator: over a VLAN tag that stands in the packet.
    fn skip_tag(&mut self) {
        let [tag, other, another, service, old, none] = self.labels();
        self.when(JEQ, 0x8100, tag, other);
        self.place(other);
        self.when(JEQ, 0x88a8, service, another);
        self.place(another);
        self.when(JEQ, 0x9100, old, none);
        for label in [tag, service, old] {
            self.place(label);
        }
        self.step_over(4, 2);
        self.place(none);
    }

    /// The same over the header of a PPPoE session; PPP numbers IPv4 and IPv6 its own way.
    fn skip_pppoe(&mut self) {
        let [session, none, v4, not_v4, v6] = self.labels();
        self.when(JEQ, 0x8864, session, none);
        self.place(session);
        self.step_over(8, 6);
        self.when(JEQ, 0x0021, v4, not_v4);
        self.place(v4);
        self.push(LD_IMM, IPV4);
        self.place(not_v4);
        // 0x0021 became 0x0800 and is not asked for again.
        self.when(JEQ, 0x0057, v6, none);
        self.place(v6);
        self.push(LD_IMM, IPV6);
        self.place(none);
    }

    /// Loads the type that stands at `type_at`, and moves [`BASE`] on.
    fn step_over(&mut self, octets: u32, type_at: u32) {
        self.push(LDX_MEM, BASE);
        self.push(LDH_IND, type_at);
        self.push(ST, SCRATCH);
        self.push(TXA, 0);
        self.push(ADD, octets);
        self.push(ST, BASE);
        self.push(LD_MEM, SCRATCH);
    }

    fn mix_address(&mut self, spread: &Spread, end: u32, words: &[u32]) {
        let [by_word, ..] = Spread::FACTORS;
        self.push(LD_IMM, spread.keys[0]);
        self.push(ST, end);
        for &at in words {
            self.push(LDX_MEM, BASE);
            self.push(LD_IND, at);
            self.push(LDX_MEM, end);
            self.push(XOR_X, 0);
            self.push(MUL, by_word);
            self.fold(Spread::SHIFTS[0]);
            self.push(ST, end);
        }
    }

    /// With the port in the accumulator.
    fn mix_port(&mut self, end: u32) {
        let [_, by_port, ..] = Spread::FACTORS;
        self.push(LDX_MEM, end);
        self.push(XOR_X, 0);
        self.push(MUL, by_port);
        self.fold(Spread::SHIFTS[1]);
        self.push(ST, end);
    }

    fn fold(&mut self, shift: u32) {
        self.push(TAX, 0);
        self.push(RSH, shift);
        self.push(XOR_X, 0);
    }

    /// Looks for the accumulator in a sorted list, by halves.
    fn search(&mut self, sorted: &[u32], missing: Label, found: Label) {
        if sorted.len() <= AT_ONCE {
            let [here] = self.labels();
            for &value in sorted {
                let [next] = self.labels();
                self.when(JEQ, value, here, next);
                self.place(next);
            }
            self.go(missing);
            self.place(here);
            self.go(found);
            return;
        }
        let (lower, upper) = sorted.split_at(sorted.len() / 2);
        let [hop, below, above] = self.labels();
        self.when(JGE, upper[0], hop, below);
        self.place(hop);
        self.go(above);
        self.place(below);
        self.search(lower, missing, found);
        self.place(above);
        self.search(upper, missing, found);
    }
}

/// What the programs keep in their scratch memory: where the IP header begins, the mixed ends, the protocol, where the
/// transport header begins, the spread.
const BASE: u32 = 0;
const FROM: u32 = 1;
const TO: u32 = 2;
const PROTOCOL: u32 = 3;
const TRANSPORT: u32 = 4;
const SUM: u32 = 5;
const SCRATCH: u32 = 6;

const LD_IMM: u16 = 0x00;
const LD_ABS: u16 = 0x20;
const LD_IND: u16 = 0x40;
const LDH_IND: u16 = 0x48;
const LDB_IND: u16 = 0x50;
const LD_MEM: u16 = 0x60;
const LD_LEN: u16 = 0x80;
const LDX_IMM: u16 = 0x01;
const LDX_MEM: u16 = 0x61;
const ST: u16 = 0x02;
const STX: u16 = 0x03;
const ADD: u16 = 0x04;
const ADD_X: u16 = 0x0c;
const MUL: u16 = 0x24;
const AND: u16 = 0x54;
const LSH: u16 = 0x64;
const RSH: u16 = 0x74;
const XOR: u16 = 0xa4;
const XOR_X: u16 = 0xac;
const JA: u16 = 0x05;
const JEQ: u16 = 0x15;
const JGE: u16 = 0x35;
const JGE_X: u16 = 0x3d;
const JSET: u16 = 0x45;
const RET: u16 = 0x06;
const RET_A: u16 = 0x16;
const TAX: u16 = 0x07;
const TXA: u16 = 0x87;

/// Where Linux answers what is not in the packet: `SKF_AD_OFF`, with `SKF_AD_PROTOCOL` and `SKF_AD_PKTTYPE`.
const EXTENSIONS: u32 = -0x1000_i32 as u32;
const ETHER_TYPE: u32 = 0;
const PACKET_TYPE: u32 = 4;
/// `PACKET_OUTGOING`.
const OUTGOING: u32 = 4;

const IPV4: u32 = 0x0800;
const IPV6: u32 = 0x86dd;
const TCP: u32 = 6;
const UDP: u32 = 17;
/// Of the flags and offset of IPv4: more fragments, or not the first one.
const MORE_OR_OFFSET: u32 = 0x3fff;
const FIN_SYN_RST: u32 = 0x07;
/// The octet of a TCP header that has the flags ends here.
const FLAGS_END: u32 = 14;
/// Tags that are looked behind. The first one of an incoming packet the kernel has taken out already.
const MOST_TAGS: usize = 2;
/// No IP packet is shorter, and two tags and PPPoE are not longer.
const SHORTEST: u32 = 20;
/// Values of a list that are compared one by one.
const AT_ONCE: usize = 6;
/// `BPF_MAXINSNS`.
const MOST_INSTRUCTIONS: usize = 4096;

#[cfg(test)]
mod tests;
