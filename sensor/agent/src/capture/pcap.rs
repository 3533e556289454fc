//! The pcap file format (draft-ietf-opsawg-pcap): a header of 24 octets, then records.
//!
//! Both byte orders, microseconds and nanoseconds, and the records of Alexey Kuznetsov's patched libpcap, which are eight
//! octets longer. The header's snaplen is not used: writers disagree about it, and each record says its own length.

use terrier_engine::LinkType;

use super::fault::Damage;
use super::{MAX_PACKET, Meta};

/// How the records of one file are laid out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    order: Order,
    /// What one unit of the sub-second field is, in nanoseconds: 1,000 or 1.
    unit_ns: i64,
    record_header: usize,
    link: LinkType,
    /// Up to version 2.3 some writers had the two lengths of a record the other way round.
    lengths_may_be_swapped: bool,
}

/// The byte order of a file or section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

/// Where a reader is: what goes into each packet, and what a fault names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The capture's place in the list.
    pub(super) capture: u16,
    /// How many packets have been read.
    pub(super) frames: u64,
    /// The offset in the capture of the first octet at hand.
    pub(super) offset: u64,
}

/// How far a walk over records came.
#[derive(Debug)]
pub(super) struct Walked {
    /// How many octets are done with.
    pub(super) used: usize,
    /// What ended it for good, with the offset in the capture of the record that is damaged.
    pub(super) damage: Option<(u64, Damage)>,
}

impl Order {
    pub(super) fn u16(self, octets: [u8; 2]) -> u16 {
        match self {
            Self::Big => u16::from_be_bytes(octets),
            Self::Little => u16::from_le_bytes(octets),
        }
    }

    pub(super) fn u32(self, octets: [u8; 4]) -> u32 {
        match self {
            Self::Big => u32::from_be_bytes(octets),
            Self::Little => u32::from_le_bytes(octets),
        }
    }

    /// The four numbers that sixteen octets hold.
    #[inline]
    fn words(self, octets: &[u8; 16]) -> [u32; 4] {
        let (words, _) = octets.as_chunks();
        let words = [0, 1, 2, 3].map(|at| u32::from_le_bytes(words[at]));
        match self {
            Self::Big => words.map(u32::swap_bytes),
            Self::Little => words,
        }
    }

    pub(super) fn u64(self, octets: [u8; 8]) -> u64 {
        match self {
            Self::Big => u64::from_be_bytes(octets),
            Self::Little => u64::from_le_bytes(octets),
        }
    }
}

/// Whether a file with these first octets is a pcap file.
pub(super) fn is_pcap(magic: [u8; 4]) -> bool {
    kind_of(magic).is_some()
}

/// Reads the file header; a version that does not exist is handed back.
pub(super) fn layout(header: [u8; HEADER]) -> Result<Layout, (u16, u16)> {
    let [
        m0,
        m1,
        m2,
        m3,
        a0,
        a1,
        i0,
        i1,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        l0,
        l1,
        l2,
        l3,
    ] = header;
    let Some((order, unit_ns, record_header)) = kind_of([m0, m1, m2, m3]) else {
        return Err((0, 0));
    };
    let (major, minor) = (order.u16([a0, a1]), order.u16([i0, i1]));
    // Every version since 1991 is 2.x; 543.0 is what some patched libpcap wrote, and its records are those of 2.2.
    if major != 2 && major != 543 {
        return Err((major, minor));
    }
    Ok(Layout {
        order,
        unit_ns,
        record_header,
        // Above the link type stand the length of the frame check sequence and NetBSD's class.
        link: LinkType(order.u32([l0, l1, l2, l3]) & 0xffff),
        lengths_may_be_swapped: major == 543 || minor < 4,
    })
}

impl Layout {
    /// Enters the whole records at the start of `octets` into `packets`.
    ///
    /// Where the header of a file stands in the place of a record, another capture was put behind this one, as `cat` does
    /// and `gzip` with several files: it is read on by that header.
    pub(super) fn walk(
        &mut self,
        octets: &[u8],
        place: &mut Place,
        packets: &mut Vec<Meta>,
    ) -> Walked {
        let mut rest = octets;
        while let Some(header) = rest.first_chunk() {
            let (at_ns, len, wire_len) = self.record(header);
            if len == 0 && another_begins(rest) {
                let Some((&header, behind)) = rest.split_first_chunk() else {
                    break;
                };
                let Ok(next) = layout(header) else {
                    break;
                };
                (*self, rest) = (next, behind);
                continue;
            }
            let used = octets.len() - rest.len();
            if len > MAX_PACKET {
                return Walked {
                    used,
                    damage: Some((place.offset + used as u64, Damage::TooLong(len.into()))),
                };
            }
            let Some(behind) = rest.get(self.record_header + len as usize..) else {
                break;
            };
            rest = behind;
            place.frames += 1;
            packets.push(Meta {
                at_ns,
                frame: place.frames,
                link: self.link,
                wire_len,
                start: (used + self.record_header) as u32,
                len,
                capture: place.capture,
            });
        }
        Walked {
            used: octets.len() - rest.len(),
            damage: None,
        }
    }

    /// What is missing of the record that `rest`, the end of the capture, begins.
    pub(super) fn missing(&self, rest: &[u8]) -> Damage {
        let there = rest.len() as u64;
        match rest.first_chunk() {
            Some(_) if another_begins(rest) => Damage::CutRecord {
                promised: HEADER as u64,
                there,
            },
            Some(header) if rest.len() >= self.record_header => {
                let (_, len, _) = self.record(header);
                Damage::CutPacket {
                    promised: len.into(),
                    there: there - self.record_header as u64,
                }
            }
            _ => Damage::CutRecord {
                promised: self.record_header as u64,
                there,
            },
        }
    }

    /// Time in nanoseconds, captured length and length on the wire of a record.
    #[inline]
    fn record(&self, header: &[u8; RECORD]) -> (i64, u32, u32) {
        let [seconds, units, mut len, mut wire_len] = self.order.words(header);
        if self.lengths_may_be_swapped && len > wire_len {
            std::mem::swap(&mut len, &mut wire_len);
        }
        // A sub-second part of a second and more is met in the field: it simply carries.
        // No sum of two 32-bit fields leaves 64 bits.
        let at_ns = i64::from(seconds) * 1_000_000_000 + i64::from(units) * self.unit_ns;
        (at_ns, len, wire_len.max(len))
    }
}

/// Whether these octets, which would be a record without a packet, are the header of a file: its magic number, version 2.4,
/// and eight octets that every writer leaves 0.
fn another_begins(rest: &[u8]) -> bool {
    let Some(&[m0, m1, m2, m3, version @ .., _, _, _, _, _, _, _, _]) = rest.first_chunk::<16>()
    else {
        return false;
    };
    is_pcap([m0, m1, m2, m3])
        && matches!(version, [2, 0, 4, 0] | [0, 2, 0, 4])
        && rest.get(8..16).is_some_and(|zeros| zeros == [0; 8])
}

fn kind_of(magic: [u8; 4]) -> Option<(Order, i64, usize)> {
    let kind = |number| match number {
        MICROSECONDS => Some((1_000, RECORD)),
        NANOSECONDS => Some((1, RECORD)),
        PATCHED => Some((1_000, PATCHED_RECORD)),
        _ => None,
    };
    let big =
        kind(u32::from_be_bytes(magic)).map(|(unit_ns, record)| (Order::Big, unit_ns, record));
    let little = || {
        kind(u32::from_le_bytes(magic)).map(|(unit_ns, record)| (Order::Little, unit_ns, record))
    };
    big.or_else(little)
}

/// The length of the file header.
pub(super) const HEADER: usize = 24;

const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
const PATCHED: u32 = 0xa1b2_cd34;

const RECORD: usize = 16;
/// A patched record goes on with the interface's index, the protocol and the packet's type.
const PATCHED_RECORD: usize = 24;

#[cfg(test)]
mod tests {
    use super::super::testing::{self, Pcap, read_octets};
    use super::*;

    const ORDERS: [Order; 2] = [Order::Big, Order::Little];

    #[test]
    fn reads_both_byte_orders_and_all_kinds_of_record() {
        for order in ORDERS {
            for (magic, unit_ns) in [
                (testing::MICROSECONDS, 1_000),
                (testing::NANOSECONDS, 1),
                (testing::PATCHED, 1_000),
            ] {
                let file = Pcap::new(order, magic, 1)
                    .record(1_700_000_000, 7, b"first")
                    .cut_record(1_700_000_001, 999_999, b"", 60)
                    .cut_record(u32::MAX, 0, b"third", 1_500);
                let (seen, fault) = read_octets(&file.octets);
                assert_eq!(fault, None);
                let told: Vec<_> = seen
                    .iter()
                    .map(|seen| {
                        (
                            seen.frame,
                            seen.at_ns,
                            seen.wire_len,
                            seen.octets.as_slice(),
                        )
                    })
                    .collect();
                assert_eq!(
                    told,
                    [
                        (1, 1_700_000_000_000_000_000 + 7 * unit_ns, 5, &b"first"[..]),
                        (2, 1_700_000_001_000_000_000 + 999_999 * unit_ns, 60, b""),
                        (3, 4_294_967_295_000_000_000, 1_500, b"third"),
                    ]
                );
            }
        }
    }

    #[test]
    fn carries_a_fraction_of_more_than_a_second() {
        let file = Pcap::new(Order::Little, testing::MICROSECONDS, 1)
            .record(10, 2_500_000, b"x")
            .record(10, u32::MAX, b"y");
        let (seen, fault) = read_octets(&file.octets);
        assert_eq!(fault, None);
        assert_eq!(seen[0].at_ns, 12_500_000_000);
        assert_eq!(seen[1].at_ns, 10_000_000_000 + 4_294_967_295_000);
    }

    #[test]
    fn masks_what_stands_above_the_link_type() {
        // FCS length 4 with its flag, and a class.
        for link in [0x5000_0000 | 1, 0x0224_0000 | 1, 1] {
            let file = Pcap::new(Order::Big, testing::MICROSECONDS, link).record(1, 0, b"x");
            assert_eq!(read_octets(&file.octets).0[0].link, 1);
        }
        let sll2 = Pcap::new(Order::Little, testing::MICROSECONDS, 276).record(1, 0, b"x");
        assert_eq!(read_octets(&sll2.octets).0[0].link, LinkType::LINUX_SLL2.0);
    }

    #[test]
    fn reads_on_in_a_capture_that_was_put_behind_another() {
        let first = Pcap::new(Order::Little, testing::MICROSECONDS, 1).record(1, 1, b"one");
        let second = Pcap::new(Order::Big, testing::NANOSECONDS, 101).record(2, 2, b"two");
        let both = [first.octets.as_slice(), &second.octets].concat();
        let (seen, fault) = read_octets(&both);
        assert_eq!(fault, None);
        let told: Vec<_> = seen
            .iter()
            .map(|seen| (seen.frame, seen.at_ns, seen.link))
            .collect();
        assert_eq!(told, [(1, 1_000_001_000, 1), (2, 2_000_000_002, 101)]);
        // Cut in the second header.
        for there in 16..HEADER {
            let (seen, fault) = read_octets(&both[..first.octets.len() + there]);
            let fault = fault.expect("it is cut");
            let there = there as u64;
            assert_eq!(
                (seen.len(), fault.what),
                (
                    1,
                    Damage::CutRecord {
                        promised: 24,
                        there
                    }
                )
            );
        }
    }

    #[test]
    fn turns_the_swapped_lengths_of_old_versions_around() {
        let mut old = Pcap::with_version(Order::Big, testing::MICROSECONDS, 1, 2);
        old.header(1, 0, 60, 3);
        old.octets.extend(b"abc");
        old.header(2, 0, 2, 2);
        old.octets.extend(b"de");
        let (seen, fault) = read_octets(&old.octets);
        assert_eq!(fault, None);
        assert_eq!(
            (seen[0].octets.as_slice(), seen[0].wire_len),
            (&b"abc"[..], 60)
        );
        assert_eq!(
            (seen[1].octets.as_slice(), seen[1].wire_len),
            (&b"de"[..], 2)
        );
    }

    #[test]
    fn takes_packets_longer_than_the_snaplen_but_none_longer_than_any() {
        let longest = vec![7; MAX_PACKET as usize];
        let mut file = Pcap::new(Order::Little, testing::MICROSECONDS, 1)
            .record(1, 0, &longest)
            .record(2, 0, b"x");
        let damaged_at = file.octets.len() as u64;
        file.header(3, 0, MAX_PACKET + 1, MAX_PACKET + 1);
        let (seen, fault) = read_octets(&file.octets);
        assert_eq!(seen.len(), 2);
        assert!(seen[0].octets == longest);
        let fault = fault.unwrap();
        assert_eq!(
            (fault.offset, fault.frame, &fault.what),
            (damaged_at, 3, &Damage::TooLong(262_145))
        );
        assert_eq!(
            fault.to_string(),
            format!(
                "capture: damaged at frame 3 (offset {damaged_at}): it claims 262145 octets, and no packet has more than 262144"
            )
        );
    }

    #[test]
    fn a_wire_length_is_never_less_than_what_was_captured() {
        let file = Pcap::new(Order::Little, testing::MICROSECONDS, 1).cut_record(1, 0, b"abc", 0);
        assert_eq!(read_octets(&file.octets).0[0].wire_len, 3);
    }

    #[test]
    fn every_cut_keeps_the_packets_before_it_and_names_the_place() {
        for magic in [testing::MICROSECONDS, testing::PATCHED] {
            let mut file = Pcap::new(Order::Big, magic, 1);
            let mut ends = vec![file.octets.len()];
            for packet in [&b"first packet"[..], b"", b"third"] {
                file = file.record(1, 2, packet);
                ends.push(file.octets.len());
            }
            for cut in HEADER..=file.octets.len() {
                let whole = ends.iter().filter(|&&end| end <= cut).count() - 1;
                let (seen, fault) = read_octets(&file.octets[..cut]);
                assert_eq!(seen.len(), whole, "cut at {cut}");
                assert_eq!(fault.is_none(), ends.contains(&cut), "cut at {cut}");
                if let Some(fault) = fault {
                    assert_eq!(
                        (fault.offset, fault.frame),
                        (ends[whole] as u64, whole as u64 + 1),
                        "cut at {cut}"
                    );
                }
            }
        }
    }

    #[test]
    fn says_where_a_capture_is_cut() {
        let file = Pcap::new(Order::Little, testing::MICROSECONDS, 1)
            .record(1, 0, b"0123")
            .record(2, 0, &[0; 60]);
        let cut = |at: usize| read_octets(&file.octets[..at]).1.unwrap().to_string();
        assert_eq!(
            cut(72),
            "capture: cut in the middle of frame 2 (offset 44): 60 octets promised, 12 there"
        );
        assert_eq!(
            cut(50),
            "capture: cut in a header before frame 2 (offset 44): 16 octets needed, 6 there"
        );
    }
}
