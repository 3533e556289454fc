//! Octets that many flows send: made once, so that a gigabyte is written as fast as it can be copied.

use crate::chance::Chance;
use crate::tls;

/// A run of octets in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) at: u32,
    pub(crate) length: u16,
}

impl Piece {
    pub(crate) fn of(self, buffer: &[u8]) -> &[u8] {
        &buffer[self.at as usize..][..usize::from(self.length)]
    }
}

/// The octets of a full segment, with time stamps in the header.
pub(crate) const MSS: usize = 1448;

#[derive(Debug)]
pub(crate) struct Stock {
    pub(crate) octets: Vec<u8>,
    /// Long runs of TLS records: [`RUN`] full segments each, headers anywhere in them.
    runs: Vec<u32>,
    /// TLS records of one segment, by size.
    records: Vec<Vec<Piece>>,
    /// Random octets, by size.
    random: Vec<(u16, Vec<Piece>)>,
    /// What a TLS 1.3 server sends up to its Finished, in segments.
    pub(crate) flights_13: Vec<Vec<Piece>>,
    /// What a TLS 1.2 server sends up to its ServerHelloDone.
    pub(crate) flights_12: Vec<Vec<Piece>>,
}

impl Stock {
    pub(crate) fn new(chance: &mut Chance) -> Self {
        let mut stock = Self {
            octets: Vec::new(),
            runs: Vec::new(),
            records: Vec::new(),
            random: Vec::new(),
            flights_13: Vec::new(),
            flights_12: Vec::new(),
        };
        for _ in 0..8 {
            let mut run = Vec::new();
            while run.len() + 5 < RUN * MSS {
                // 16 KiB and what encryption adds, as bulk senders fill them.
                let length = (RUN * MSS - run.len() - 5).min(16_401);
                run.extend(tls::record(23, &chance.octets(length)));
            }
            let piece = stock.octets.len() as u32;
            stock.octets.extend(run);
            stock.runs.push(piece);
        }
        for length in RECORDS {
            let pieces = (0..16)
                .map(|_| {
                    let record = tls::record(23, &chance.octets(length));
                    stock.keep(&record)
                })
                .collect();
            stock.records.push(pieces);
        }
        for length in RANDOM {
            let pieces = (0..32)
                .map(|_| {
                    let octets = chance.octets(usize::from(length));
                    stock.keep(&octets)
                })
                .collect();
            stock.random.push((length, pieces));
        }
        for certificates in [900, 1800, 2600, 3300, 4100] {
            for _ in 0..4 {
                let flight = tls::flight_13(chance, certificates);
                let pieces = stock.segments(&flight);
                stock.flights_13.push(pieces);
            }
        }
        for _ in 0..8 {
            let flight = tls::flight_12(chance);
            let pieces = stock.segments(&flight);
            stock.flights_12.push(pieces);
        }
        stock
    }

    /// A record with application data of one of the sizes from `least` to `most`, as numbers of [`RECORDS`].
    pub(crate) fn record(&self, chance: &mut Chance, least: usize, most: usize) -> Piece {
        let size = least + chance.below(most - least);
        *chance.pick(&self.records[size])
    }

    /// Random octets of a size.
    ///
    /// # Panics
    ///
    /// For a size that is not in stock.
    pub(crate) fn random(&self, chance: &mut Chance, length: u16) -> Piece {
        let found = self.random.iter().find(|(size, _)| *size == length);
        let (_, pieces) = found.expect("a size in stock");
        *chance.pick(pieces)
    }

    /// Full segments of random octets.
    pub(crate) fn bulk(&self, chance: &mut Chance, count: usize) -> Vec<Piece> {
        let (_, full) = self.random.last().expect("full segments are the last");
        (0..count).map(|_| *chance.pick(full)).collect()
    }

    /// Full segments of TLS records, one after the other from where the last ones ended.
    pub(crate) fn records_from(&self, place: &mut usize, count: usize) -> Vec<Piece> {
        (0..count)
            .map(|_| {
                let run = self.runs[*place / RUN % self.runs.len()];
                let at = run + (*place % RUN * MSS) as u32;
                *place += 1;
                Piece {
                    at,
                    length: MSS as u16,
                }
            })
            .collect()
    }

    /// Where in the runs a flow can begin.
    pub(crate) fn place(&self, chance: &mut Chance) -> usize {
        chance.below(self.runs.len()) * RUN
    }

    fn keep(&mut self, octets: &[u8]) -> Piece {
        let at = self.octets.len() as u32;
        self.octets.extend_from_slice(octets);
        Piece {
            at,
            length: octets.len() as u16,
        }
    }

    fn segments(&mut self, octets: &[u8]) -> Vec<Piece> {
        octets.chunks(MSS).map(|chunk| self.keep(chunk)).collect()
    }
}

/// Segments of a run; the records in it end with it.
const RUN: usize = 45;
const RECORDS: [usize; 10] = [26, 40, 64, 100, 160, 250, 400, 640, 900, 1200];
const RANDOM: [u16; 12] = [
    36, 52, 84, 116, 260, 420, 700, 1000, 1220, 1251, 1252, MSS as u16,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_whole_records() {
        let stock = Stock::new(&mut Chance::new(3));
        let mut place = 0;
        let octets: Vec<u8> = stock
            .records_from(&mut place, RUN)
            .into_iter()
            .flat_map(|piece| piece.of(&stock.octets).to_vec())
            .collect();
        assert_eq!(octets.len(), RUN * MSS);
        let mut at = 0;
        while at < octets.len() {
            assert_eq!(octets[at..at + 3], [23, 3, 3]);
            at += 5 + usize::from(u16::from_be_bytes([octets[at + 3], octets[at + 4]]));
        }
        assert_eq!(at, octets.len());
    }
}
