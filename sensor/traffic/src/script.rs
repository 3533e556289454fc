//! What the two sides of one flow send, and when.

use crate::chance::Chance;
use crate::frame::{ACK, Ends, FIN, PSH, RST, SYN, Segment};
use crate::stock::{MSS, Piece};

/// A side of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Who begins.
    Client,
    /// Who answers.
    Server,
}

impl Side {
    /// 0 for the client.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// All packets of a flow, in the order of their times.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) ends: Ends,
    /// Octets that are this flow's own.
    own: Vec<u8>,
    events: Vec<Event>,
    next: usize,
    /// IPv4 identification of each side.
    idents: [u16; 2],
}

#[derive(Debug, Clone, Copy)]
struct Event {
    /// Nanoseconds since the capture began.
    at: u64,
    from: Side,
    what: What,
    payload: Payload,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Segment(Segment),
    Datagram,
    Echo { number: u16 },
}

#[derive(Debug, Clone, Copy)]
enum Payload {
    Own(Piece),
    Stock(Piece),
    /// One octet of its own before octets of the stock, for headers that are that short.
    Both(Piece, Piece),
}

impl Script {
    pub(crate) fn new(chance: &mut Chance, ends: Ends) -> Self {
        let drawn = chance.next();
        Self {
            ends,
            own: Vec::new(),
            events: Vec::new(),
            next: 0,
            idents: [drawn as u16, (drawn >> 16) as u16],
        }
    }

    /// When the next packet leaves.
    pub(crate) fn at(&self) -> Option<u64> {
        self.events.get(self.next).map(|event| event.at)
    }

    /// Writes the next packet's frame behind `out`.
    pub(crate) fn write_next(&mut self, stock: &[u8], out: &mut Vec<u8>, joined: &mut Vec<u8>) {
        let Some(&Event {
            from,
            what,
            payload,
            ..
        }) = self.events.get(self.next)
        else {
            return;
        };
        self.next += 1;
        let ident = &mut self.idents[from.index()];
        *ident = ident.wrapping_add(1);
        let payload = match payload {
            Payload::Own(piece) => piece.of(&self.own),
            Payload::Stock(piece) => piece.of(stock),
            Payload::Both(own, piece) => {
                joined.clear();
                joined.extend_from_slice(own.of(&self.own));
                joined.extend_from_slice(piece.of(stock));
                joined
            }
        };
        match what {
            What::Segment(segment) => self.ends.segment(out, from, *ident, &segment, payload),
            What::Datagram => self.ends.datagram(out, from, *ident, payload),
            What::Echo { number } => self.ends.echo(out, from, *ident, number, payload),
        }
    }

    /// Puts the events in order: a segment sent again comes after what was sent meanwhile.
    pub(crate) fn sorted(mut self) -> Self {
        self.events.sort_by_key(|event| event.at);
        self
    }

    fn keep(&mut self, octets: &[u8]) -> Piece {
        let at = self.own.len() as u32;
        self.own.extend_from_slice(octets);
        Piece {
            at,
            length: octets.len() as u16,
        }
    }

    pub(crate) fn datagram(&mut self, at: u64, from: Side, octets: &[u8]) {
        let piece = self.keep(octets);
        self.push(at, from, What::Datagram, Payload::Own(piece));
    }

    /// A datagram of some octets before some of the stock.
    pub(crate) fn datagram_of(&mut self, at: u64, from: Side, head: &[u8], body: Piece) {
        let head = self.keep(head);
        self.push(at, from, What::Datagram, Payload::Both(head, body));
    }

    pub(crate) fn echo(&mut self, at: u64, from: Side, number: u16, body: Piece) {
        self.push(at, from, What::Echo { number }, Payload::Stock(body));
    }

    fn push(&mut self, at: u64, from: Side, what: What, payload: Payload) {
        self.events.push(Event {
            at,
            from,
            what,
            payload,
        });
    }
}

/// Writes the script of a TCP connection: handshake, sequence numbers, acknowledgements, here and there a segment that is
/// sent again.
pub(crate) struct Tcp<'a> {
    chance: &'a mut Chance,
    script: Script,
    began: u64,
    /// When the next packet can leave.
    at: u64,
    rtt: u64,
    /// Between two full segments, on average.
    gap: f64,
    seq: [u32; 2],
    /// What the sides' time stamp clocks showed at the beginning.
    stamps: [u32; 2],
}

impl<'a> Tcp<'a> {
    /// A connection that begins at `at` and moves its bulk with so many bits a second.
    pub(crate) fn open(chance: &'a mut Chance, ends: Ends, at: u64, rate: f64) -> Self {
        let part = chance.part();
        // Most servers are near.
        let rtt = 1_000_000 + (part * part * part * 60e6) as u64;
        Self::open_at(chance, ends, at, rate, rtt)
    }

    /// The same with a round-trip time of its own.
    pub(crate) fn open_at(
        chance: &'a mut Chance,
        ends: Ends,
        at: u64,
        rate: f64,
        rtt: u64,
    ) -> Self {
        let mut tcp = Self {
            seq: [chance.next() as u32, chance.next() as u32],
            stamps: [chance.next() as u32 >> 1, chance.next() as u32 >> 1],
            script: Script::new(chance, ends),
            began: at,
            at,
            rtt,
            gap: MSS as f64 * 8e9 / rate,
            chance,
        };
        tcp.control(at, Side::Client, SYN, 0);
        tcp.seq[0] = tcp.seq[0].wrapping_add(1);
        tcp.control(at + rtt * 9 / 10, Side::Server, SYN | ACK, tcp.seq[0]);
        tcp.seq[1] = tcp.seq[1].wrapping_add(1);
        tcp.at = at + rtt;
        tcp.control(tcp.at, Side::Client, ACK, tcp.seq[1]);
        tcp
    }

    /// When the last packet so far left.
    pub(crate) const fn now(&self) -> u64 {
        self.at
    }

    pub(crate) const fn chance(&mut self) -> &mut Chance {
        self.chance
    }

    /// One side sends octets of this flow, after some milliseconds.
    pub(crate) fn say(&mut self, from: Side, octets: &[u8], think_ms: f64) {
        let start = self.script.keep(octets);
        self.turn(from, think_ms, pieces(start), Payload::Own);
    }

    /// One side sends octets of the stock, a piece a segment.
    pub(crate) fn send(
        &mut self,
        from: Side,
        pieces: impl IntoIterator<Item = Piece>,
        think_ms: f64,
    ) {
        self.turn(from, think_ms, pieces.into_iter(), Payload::Stock);
    }

    fn turn(
        &mut self,
        from: Side,
        think_ms: f64,
        pieces: impl Iterator<Item = Piece>,
        kind: impl Fn(Piece) -> Payload,
    ) {
        let half = self.rtt * 9 / 10;
        self.at += (think_ms * 1e6 * (0.5 + self.chance.part())) as u64;
        self.at += match from {
            Side::Server => half,
            Side::Client => self.rtt - half,
        };
        let mut unacknowledged = 0;
        for piece in pieces {
            let full = usize::from(piece.length) >= MSS;
            let segment = Segment {
                flags: if full { ACK } else { ACK | PSH },
                seq: self.seq[from.index()],
                ack: self.seq[from.other().index()],
                stamps: self.stamps_of(from, self.at),
            };
            let what = What::Segment(segment);
            self.script.push(self.at, from, what, kind(piece));
            self.seq[from.index()] = segment.seq.wrapping_add(u32::from(piece.length));
            let drawn = self.chance.part();
            if drawn < SENT_AGAIN {
                let again = self.at + 400_000;
                self.script.push(again, from, what, kind(piece));
            }
            unacknowledged += 1;
            if unacknowledged == 2 {
                unacknowledged = 0;
                let ack = self.seq[from.index()];
                self.control(self.at, from.other(), ACK, ack);
            }
            self.at += (self.gap * (0.4 + 1.2 * drawn)) as u64;
        }
        if unacknowledged > 0 {
            let ack = self.seq[from.index()];
            self.control(self.at + 200_000, from.other(), ACK, ack);
            self.at += 300_000;
        }
    }

    /// Both sides say that they are done.
    pub(crate) fn close(&mut self) {
        let (at, rtt) = (self.at, self.rtt);
        let [client, server] = self.seq;
        self.control(at, Side::Client, FIN | ACK, server);
        self.seq[0] = client.wrapping_add(1);
        self.control(at + rtt * 9 / 10, Side::Server, FIN | ACK, self.seq[0]);
        self.seq[1] = server.wrapping_add(1);
        self.control(at + rtt, Side::Client, ACK, self.seq[1]);
    }

    pub(crate) fn finish(self) -> Script {
        self.script.sorted()
    }

    fn control(&mut self, at: u64, from: Side, flags: u8, ack: u32) {
        let segment = Segment {
            flags,
            seq: self.seq[from.index()],
            ack,
            stamps: self.stamps_of(from, at),
        };
        let none = Payload::Own(Piece { at: 0, length: 0 });
        self.script.push(at, from, What::Segment(segment), none);
    }

    /// The side's clock, and the other's of one trip ago.
    fn stamps_of(&self, from: Side, at: u64) -> [u32; 2] {
        let passed = at.saturating_sub(self.began);
        let own = self.stamps[from.index()].wrapping_add((passed / 1_000_000) as u32);
        let trip = self.rtt / 2;
        let seen = (passed.saturating_sub(trip) / 1_000_000) as u32;
        [own, self.stamps[from.other().index()].wrapping_add(seen)]
    }
}

/// A SYN to somewhere, and the refusal where there is one.
pub(crate) fn probe(chance: &mut Chance, ends: Ends, at: u64, refused: bool) -> Script {
    let mut script = Script::new(chance, ends);
    let (seq, stamp) = (chance.next() as u32, chance.next() as u32 >> 1);
    let none = Payload::Own(Piece { at: 0, length: 0 });
    let mut segment = |at, from, flags, seq, ack, stamp| {
        let segment = Segment {
            flags,
            seq,
            ack,
            stamps: [stamp, 0],
        };
        script.push(at, from, What::Segment(segment), none);
    };
    segment(at, Side::Client, SYN, seq, 0, stamp);
    if refused {
        let ack = seq.wrapping_add(1);
        segment(at + 1_000_000, Side::Server, RST | ACK, 0, ack, 0);
    }
    script
}

/// A piece cut into segments.
fn pieces(whole: Piece) -> impl Iterator<Item = Piece> {
    (0..whole.length).step_by(MSS).map(move |offset| Piece {
        at: whole.at + u32::from(offset),
        length: (whole.length - offset).min(MSS as u16),
    })
}

/// How much of all segments is sent twice.
const SENT_AGAIN: f64 = 0.002;
