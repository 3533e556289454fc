//! What is known of a protocol's octets before its probe is asked.
//!
//! Most of what the search looks at is of nobody, and asking each probe costs more than all else that is done with such a
//! packet. So a row of the registry says what its probe takes for granted: octets that may stand at a few places. Tables
//! are made of that when the program is built, one for each place, with a bit for each shape: a load and an AND for each
//! place leave those protocols that must be asked. Nothing is decided here; a shape that lets too much pass costs time, one
//! that lets too little pass loses a protocol. So wherever the program runs with its assertions each answer is compared
//! with that of all probes.

use super::{ALL, Fitting, Opening, Protocol};
use crate::observation::Transport;

/// One form of what a probe does not refuse. A row may have several, and one of them must fit.
///
/// Of a stream it holds once [`SHOWN`] octets are there, as a probe may wait for more where fewer are. A datagram is whole:
/// none that is too short for one of the places fits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Places, and what may stand there.
    places: &'static [(usize, Octets)],
    /// Only in flows with one of these ports; in any, where there are none.
    ports: &'static [u16],
}

impl Shape {
    /// At each of these places, counted from the first octet, stands one of its octets.
    pub(super) const fn at(places: &'static [(usize, Octets)]) -> Self {
        Self { places, ports: &[] }
    }

    /// Only in flows with one of these ports.
    pub(super) const fn on(self, ports: &'static [u16]) -> Self {
        Self { ports, ..self }
    }
}

/// Instead of a place: the length of a datagram, where 255 stands for all that are as long or longer.
pub(super) const LENGTH: usize = usize::MAX;

/// A set of octets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Octets([u64; 4]);

impl Octets {
    /// One octet.
    pub(super) const fn of(octet: u8) -> Self {
        Self::masked(u8::MAX, octet)
    }

    /// Those whose bits under a mask are these.
    pub(super) const fn masked(mask: u8, bits: u8) -> Self {
        let mut set = Self([0; 4]);
        let mut octet = 0;
        while octet <= u8::MAX as usize {
            if octet as u8 & mask == bits {
                set = set.with(octet as u8);
            }
            octet += 1;
        }
        set
    }

    /// Each of these.
    pub(super) const fn among(octets: &[u8]) -> Self {
        let mut set = Self([0; 4]);
        let mut at = 0;
        while at < octets.len() {
            set = set.with(octets[at]);
            at += 1;
        }
        set
    }

    /// From one to another, both included.
    pub(super) const fn between(first: u8, last: u8) -> Self {
        let mut set = Self([0; 4]);
        let mut octet = first as usize;
        while octet <= last as usize {
            set = set.with(octet as u8);
            octet += 1;
        }
        set
    }

    /// Those of both.
    pub(super) const fn or(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a | e, b | f, c | g, d | h])
    }

    const fn with(mut self, octet: u8) -> Self {
        self.0[octet as usize / 64] |= 1 << (octet % 64);
        self
    }

    const fn has(&self, octet: u8) -> bool {
        self.0[octet as usize / 64] >> (octet % 64) & 1 == 1
    }
}

/// Those of some protocols that a datagram may be of, in the order in which they are asked, one perhaps twice; of other
/// transports than UDP nothing is known.
#[inline]
pub(super) fn of_datagram(
    among: Fitting,
    opening: &Opening<'_>,
) -> impl Iterator<Item = (usize, &'static Protocol)> {
    let mut shapes = shapes_of_datagram(opening);
    let mut unshaped = among.and(DATAGRAMS.unshaped);
    if !unshaped.is_empty() {
        unshaped = among.and(DATAGRAMS.fitting(shapes));
        shapes = 0;
    }
    // Shapes are numbered in the order of their rows.
    let shaped = std::iter::from_fn(move || {
        while shapes != 0 {
            let row = usize::from(DATAGRAMS.rows[shapes.trailing_zeros() as usize & 63]);
            shapes &= shapes - 1;
            if among.has(row) {
                return Some((row, &ALL[row]));
            }
        }
        None
    });
    shaped.chain(unshaped.each())
}

#[inline]
fn shapes_of_datagram(opening: &Opening<'_>) -> u64 {
    let octets = opening.octets;
    let mut left = DATAGRAMS.on(opening.ports) & DATAGRAMS.by_length[octets.len().min(255)];
    let places = DATAGRAM_PLACES.iter().zip(&DATAGRAMS.by_octet);
    if let Some(start) = octets.first_chunk::<{ DATAGRAM_PLACES[5] + 1 }>() {
        for (&place, table) in places {
            left &= table[usize::from(start[place])];
        }
    } else {
        for ((&place, table), without) in places.zip(&DATAGRAMS.without) {
            left &= octets
                .get(place)
                .map_or(*without, |&octet| table[usize::from(octet)]);
        }
    }
    left
}

/// Those of the registry that a stream with these octets may be of.
#[inline]
pub(super) fn of_stream(opening: &Opening<'_>) -> Fitting {
    static SIEVE: Sieve<5> = Sieve::over(Transport::Tcp, STREAM_PLACES);
    let Some(start) = opening.octets.first_chunk::<SHOWN>() else {
        return Fitting(u64::MAX);
    };
    let mut left = SIEVE.on(opening.ports);
    for (&place, table) in STREAM_PLACES.iter().zip(&SIEVE.by_octet) {
        left &= table[usize::from(start[place])];
    }
    SIEVE.fitting(left)
}

/// Whether a probe or a shape asks for one of these ports.
#[inline]
pub(super) fn are_asked_for(ports: [u16; 2]) -> bool {
    ports.iter().any(|port| number_of(*port) != 0)
}

/// The number of a port among [`PORTS`], from 1; 0 of any other.
#[inline]
fn number_of(port: u16) -> u8 {
    static NUMBERS: [u8; HIGHEST_PORT as usize + 1] = {
        let mut numbers = [0; HIGHEST_PORT as usize + 1];
        let mut at = 0;
        while at < PORTS.len() {
            numbers[PORTS[at] as usize] = at as u8 + 1;
            at += 1;
        }
        numbers
    };
    NUMBERS.get(usize::from(port)).map_or(0, |number| *number)
}

/// The shapes of all rows over a transport: a bit each.
struct Sieve<const N: usize> {
    /// At each of the places: with which octet they fit.
    by_octet: [[u64; 256]; N],
    /// Those that say nothing of the place.
    without: [u64; N],
    by_length: [u64; 256],
    /// Those that fit on any port.
    anywhere: u64,
    /// Those that fit on a port alone, by its number.
    on_port: [u64; PORTS.len() + 1],
    /// The row of each shape.
    rows: [u8; 64],
    /// Rows that have none: they are always asked.
    unshaped: Fitting,
}

impl<const N: usize> Sieve<N> {
    const fn over(transport: Transport, places: [usize; N]) -> Self {
        let mut sieve = Self {
            by_octet: [[u64::MAX; 256]; N],
            without: [u64::MAX; N],
            by_length: [u64::MAX; 256],
            anywhere: 0,
            on_port: [0; PORTS.len() + 1],
            rows: [0; 64],
            unshaped: Fitting(u64::MAX),
        };
        let (mut row, mut bit) = (0, 0);
        while row < ALL.len() {
            let shapes = ALL[row].shapes;
            let of_transport = ALL[row].transport.number() == transport.number();
            let mut at = 0;
            while of_transport && at < shapes.len() {
                sieve.unshaped.0 &= !(1 << row);
                sieve.rows[bit] = row as u8;
                sieve.enter(bit, shapes[at].places, places);
                if shapes[at].ports.is_empty() {
                    sieve.anywhere |= 1 << bit;
                }
                let mut port = 0;
                while port < shapes[at].ports.len() {
                    let mut number = 1;
                    while PORTS[number - 1] != shapes[at].ports[port] {
                        number += 1;
                        assert!(number <= PORTS.len(), "a port without a number");
                    }
                    sieve.on_port[number] |= 1 << bit;
                    port += 1;
                }
                (at, bit) = (at + 1, bit + 1);
            }
            row += 1;
        }
        sieve
    }

    /// Clears a shape's bit wherever it does not fit.
    const fn enter(&mut self, bit: usize, marks: &[(usize, Octets)], places: [usize; N]) {
        let mut mark = 0;
        while mark < marks.len() {
            let (place, octets) = &marks[mark];
            let mut table = 0;
            while *place != LENGTH && places[table] != *place {
                table += 1;
                assert!(table < N, "a place of which there is no table");
            }
            if *place != LENGTH {
                self.without[table] &= !(1 << bit);
            }
            let mut octet = 0;
            while octet < 256 {
                if !octets.has(octet as u8) {
                    if *place == LENGTH {
                        self.by_length[octet] &= !(1 << bit);
                    } else {
                        self.by_octet[table][octet] &= !(1 << bit);
                    }
                }
                octet += 1;
            }
            mark += 1;
        }
    }

    /// Those that may be in a flow with these ports.
    #[inline]
    fn on(&self, ports: [u16; 2]) -> u64 {
        let [one, other] = ports.map(|port| self.on_port[usize::from(number_of(port))]);
        self.anywhere | one | other
    }

    /// The rows of shapes, and those that have none.
    #[inline]
    fn fitting(&self, mut shapes: u64) -> Fitting {
        let mut rows = self.unshaped.0;
        while shapes != 0 {
            rows |= 1 << (self.rows[shapes.trailing_zeros() as usize] & 63);
            shapes &= shapes - 1;
        }
        Fitting(rows)
    }
}

static DATAGRAMS: Sieve<6> = Sieve::over(Transport::Udp, DATAGRAM_PLACES);
/// Of which shapes may speak.
const DATAGRAM_PLACES: [usize; 6] = [0, 1, 5, 7, 17, 27];
const STREAM_PLACES: [usize; 5] = [0, 1, 2, 5, 7];
/// So many octets of a stream are there before its shape is looked at: a length and the header of DNS, by which its probe
/// decides whole, are 14.
pub(super) const SHOWN: usize = 16;
/// Which a shape may name, and those that a probe over TCP asks for.
const PORTS: [u16; 10] = [53, 67, 68, 137, 138, 3389, 4500, 4501, 5353, HIGHEST_PORT];
const HIGHEST_PORT: u16 = 5355;

#[cfg(test)]
mod tests;
