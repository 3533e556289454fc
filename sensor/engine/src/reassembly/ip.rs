//! Fragments of IP packets (RFC 791, RFC 8200 section 4.5) to whole ones, within bounds.
//!
//! Where fragments overlap the octets that came first win. Few networks fragment at all, so the tables are small: what is
//! not complete within the time limit, or is the oldest when the table is full, is dropped and counted. A fragment that a
//! span shows twice counts once, also when its packet has been put together meanwhile.

use std::collections::{BTreeMap, HashMap, VecDeque};

use foldhash::fast::FixedState;
use terrier_wire::net::{Address, Fragment, Ip, Protocol};

/// The packets that are being put together.
#[derive(Debug)]
pub(crate) struct Fragments {
    open: HashMap<PacketKey, Open, FixedState>,
    /// Keys by age, with the serial number of their packet; one that is done may stand here for some time.
    ages: VecDeque<(PacketKey, i64, u64)>,
    /// Packets begun so far.
    begun: u64,
    /// What all that is open takes.
    octets: usize,
    most_octets: usize,
    /// The packets that were put together last.
    done: VecDeque<Done>,
    /// Fragments that came twice.
    pub(crate) duplicates: u64,
    /// Packets given up: too old, too many, too large, contradictory.
    pub(crate) given_up: u64,
    /// Fragments that overlap with other octets than came before.
    pub(crate) conflicts: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct PacketKey {
    source: Address,
    destination: Address,
    protocol: u8,
    id: u32,
}

/// A packet that was put together, for the copies of its fragments that come late.
#[derive(Debug)]
struct Done {
    key: PacketKey,
    at_ns: i64,
    prints: Vec<Print>,
}

/// What tells a copy of a fragment from another fragment: offset, length, first and last octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Print(u32, usize, u64, u64);

impl Print {
    fn of(fragment: Fragment, octets: &[u8]) -> Self {
        let some = octets.len().min(8);
        let word = |octets: &[u8]| {
            octets
                .iter()
                .fold(0, |word, &octet| word << 8 | u64::from(octet))
        };
        Self(
            fragment.offset,
            octets.len(),
            word(&octets[..some]),
            word(&octets[octets.len() - some..]),
        )
    }
}

#[derive(Debug, Default)]
struct Open {
    pieces: BTreeMap<u32, Vec<u8>>,
    /// Length of the whole, once the last fragment came.
    whole_len: Option<u32>,
    have: u32,
    /// One a fragment.
    prints: Vec<Print>,
    packets: u32,
    on_wire: u64,
    serial: u64,
}

/// A packet put together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    /// Its payload: a transport header and what follows.
    pub(crate) payload: Vec<u8>,
    /// How many packets it came in.
    pub(crate) packets: u32,
    /// Octets of all of them on the wire, IP headers included.
    pub(crate) on_wire: u64,
    /// Protocol of the payload.
    pub(crate) protocol: Protocol,
}

impl Fragments {
    /// What is open may take `most_octets` together. `seed` is the secret of the process: senders choose addresses and identification.
    pub(crate) fn new(most_octets: usize, seed: u64) -> Self {
        Self {
            open: HashMap::with_hasher(FixedState::with_seed(seed)),
            ages: VecDeque::new(),
            begun: 0,
            octets: 0,
            most_octets,
            done: VecDeque::new(),
            duplicates: 0,
            given_up: 0,
            conflicts: 0,
        }
    }

    /// Takes a fragment, which itself came in so many packets; answers the whole when it was the last one missing.
    pub(crate) fn add(
        &mut self,
        ip: &Ip<'_>,
        fragment: Fragment,
        at_ns: i64,
        (packets, on_wire): (u32, u64),
    ) -> Option<Whole> {
        self.forget(at_ns);
        let len = u32::try_from(ip.payload.len()).ok()?;
        let end = fragment.offset + len;
        // Cut by the snaplen, empty, or not a multiple of 8 (RFC 791) though more follow: it can never be put together.
        if len == 0 || len < ip.payload_len || end > MAX_PACKET || fragment.more && len % 8 != 0 {
            self.given_up += 1;
            return None;
        }
        let key = PacketKey {
            source: ip.source,
            destination: ip.destination,
            protocol: ip.protocol.0,
            id: fragment.id,
        };
        let print = Print::of(fragment, ip.payload);
        if self.is_copy(&key, print, at_ns) {
            self.duplicates += 1;
            return None;
        }
        if !self.open.contains_key(&key) {
            self.begun += 1;
            self.ages.push_back((key, at_ns, self.begun));
            self.open.insert(
                key,
                Open {
                    serial: self.begun,
                    ..Open::default()
                },
            );
        }
        let open = self.open.get_mut(&key)?;
        let (kept, conflict) = open.add(fragment, ip.payload);
        open.on_wire += on_wire;
        open.packets = open.packets.saturating_add(packets);
        open.prints.push(print);
        self.octets += kept + FRAGMENT;
        self.conflicts += u64::from(conflict);
        if open.prints.len() > MAX_FRAGMENTS || open.contradicts_itself() {
            self.drop_packet(key);
            self.given_up += 1;
            return None;
        }
        if open.whole_len != Some(open.have) {
            return None;
        }
        let open = self.drop_packet(key)?;
        if self.done.len() == MAX_DONE {
            self.done.pop_front();
        }
        self.done.push_back(Done {
            key,
            at_ns,
            prints: open.prints,
        });
        Some(Whole {
            payload: open.pieces.into_values().flatten().collect(),
            packets: open.packets,
            on_wire: open.on_wire,
            protocol: ip.protocol,
        })
    }

    /// Whether a fragment came before, in a packet that is open or was put together a moment ago.
    fn is_copy(&self, key: &PacketKey, print: Print, at_ns: i64) -> bool {
        match self.open.get(key) {
            Some(open) => open.prints.contains(&print),
            None => self.done.iter().any(|done| {
                done.key == *key
                    && at_ns.saturating_sub(done.at_ns) <= COPY_NS
                    && done.prints.contains(&print)
            }),
        }
    }

    fn drop_packet(&mut self, key: PacketKey) -> Option<Open> {
        let open = self.open.remove(&key)?;
        let kept = open.pieces.values().map(Vec::len).sum::<usize>();
        self.octets -= kept + open.prints.len() * FRAGMENT;
        Some(open)
    }

    /// Drops what is too old, and the oldest while there is too much.
    fn forget(&mut self, at_ns: i64) {
        if self.ages.len() > MAX_AGES {
            let open = &self.open;
            self.ages.retain(|(key, _, serial)| {
                open.get(key).is_some_and(|open| open.serial == *serial)
            });
        }
        while let Some(&(key, since_ns, serial)) = self.ages.front() {
            let crowded = self.open.len() >= MAX_PACKETS || self.octets >= self.most_octets;
            if !crowded && at_ns.saturating_sub(since_ns) <= PATIENCE_NS {
                break;
            }
            self.ages.pop_front();
            // The key may have been used again since.
            if self
                .open
                .get(&key)
                .is_some_and(|open| open.serial == serial)
            {
                self.drop_packet(key);
                self.given_up += 1;
            }
        }
    }
}

impl Open {
    /// Whether octets lie behind its end: no receiver makes a packet of that.
    fn contradicts_itself(&self) -> bool {
        let end = self
            .pieces
            .last_key_value()
            .map_or(0, |(&start, piece)| start + piece.len() as u32);
        self.whole_len.is_some_and(|whole_len| end > whole_len)
    }

    /// Keeps what is new of a fragment: how many octets, and whether others differ.
    fn add(&mut self, fragment: Fragment, octets: &[u8]) -> (usize, bool) {
        let (start, end) = (fragment.offset, fragment.offset + octets.len() as u32);
        if !fragment.more {
            self.whole_len.get_or_insert(end);
        }
        let mut conflict = false;
        let mut at = start;
        let mut missing = Vec::new();
        for (&kept_start, kept) in self.pieces.range(..end) {
            let kept_end = kept_start + kept.len() as u32;
            if kept_end <= at {
                continue;
            }
            if kept_start > at {
                missing.push((at, kept_start));
            }
            let (from, to) = (kept_start.max(start), kept_end.min(end));
            conflict |= octets[(from - start) as usize..(to - start) as usize]
                != kept[(from - kept_start) as usize..(to - kept_start) as usize];
            at = kept_end;
        }
        if at < end {
            missing.push((at, end));
        }
        let mut kept = 0;
        for (from, to) in missing {
            let piece = octets[(from - start) as usize..(to - start) as usize].to_vec();
            kept += piece.len();
            self.pieces.insert(from, piece);
        }
        self.have += kept as u32;
        (kept, conflict)
    }
}

/// An IP packet has at most 65,535 octets.
const MAX_PACKET: u32 = 65_535;
/// A packet of the largest size over links of 576 octets has 119.
const MAX_FRAGMENTS: usize = 256;
/// The copies of a span come at once, so a few packets are between at most.
const MAX_DONE: usize = 64;
/// As for whole packets.
const COPY_NS: i64 = 100_000_000;
const MAX_PACKETS: usize = 1024;
/// What a fragment takes besides its octets: its print, and its place among the pieces.
const FRAGMENT: usize = 128;
/// Those that are open and, between two clearings, those that are done.
const MAX_AGES: usize = 4 * MAX_PACKETS;
/// RFC 8200 gives 60 seconds; the receiver of a datagram of ours (DNS) has long asked again after half of that.
const PATIENCE_NS: i64 = 30_000_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX_OCTETS: usize = 8 << 20;

    fn ip(payload: &[u8]) -> Ip<'_> {
        Ip {
            source: Address::v4([10, 0, 0, 1]),
            destination: Address::v4([10, 0, 0, 2]),
            protocol: Protocol::UDP,
            identification: 0,
            fragment: None,
            payload,
            payload_len: payload.len() as u32,
            total_len: payload.len() as u32 + 20,
            authenticated: false,
        }
    }

    const ONE: (u32, u64) = (1, 28);

    #[test]
    fn a_flood_of_whole_packets_leaves_nothing_behind() {
        let mut fragments = Fragments::new(MAX_OCTETS, 1);
        // One that is never whole stands before them.
        fragments.add(&ip(b"eight..."), piece(0, 0, true), 0, ONE);
        for id in 1..=20_000 {
            fragments.add(&ip(b"eight..."), piece(id, 0, true), 0, ONE);
            assert!(
                fragments
                    .add(&ip(b"tail"), piece(id, 8, false), 0, ONE)
                    .is_some()
            );
            assert!(fragments.ages.len() <= MAX_AGES + 1 && fragments.open.len() == 1);
        }
        assert_eq!((fragments.octets, fragments.given_up), (8 + FRAGMENT, 0));
    }

    #[test]
    fn octets_behind_the_end_are_no_part_of_a_packet() {
        let mut fragments = Fragments::new(MAX_OCTETS, 1);
        fragments.add(&ip(b"far off."), piece(7, 800, true), 0, ONE);
        // As many octets as the end asks for, but not those before it.
        assert_eq!(
            fragments.add(&ip(b"tail"), piece(7, 8, false), 0, ONE),
            None
        );
        assert_eq!((fragments.given_up, fragments.octets), (1, 0));
    }

    fn piece(id: u32, offset: u32, more: bool) -> Fragment {
        Fragment { id, offset, more }
    }

    #[test]
    fn puts_fragments_together_in_reverse() {
        let mut fragments = Fragments::new(MAX_OCTETS, 1);
        assert_eq!(
            fragments.add(&ip(b"tail"), piece(7, 16, false), 0, ONE),
            None
        );
        assert_eq!(
            fragments.add(&ip(b"middle.."), piece(7, 8, true), 0, ONE),
            None
        );
        let whole = fragments
            .add(&ip(b"the head"), piece(7, 0, true), 0, ONE)
            .unwrap();
        assert_eq!(whole.payload, b"the headmiddle..tail");
        assert_eq!((whole.packets, whole.on_wire), (3, 84));
        assert_eq!(fragments.octets, 0);
    }

    #[test]
    fn the_first_octets_win_where_fragments_overlap() {
        let mut fragments = Fragments::new(MAX_OCTETS, 1);
        fragments.add(&ip(b"AAAAAAAA"), piece(1, 0, true), 0, ONE);
        fragments.add(&ip(b"BBBBBBBBCCCCCCCC"), piece(1, 0, true), 0, ONE);
        let whole = fragments
            .add(&ip(b"D"), piece(1, 16, false), 0, ONE)
            .unwrap();
        assert_eq!(whole.payload, b"AAAAAAAACCCCCCCCD");
        assert_eq!(fragments.conflicts, 1);
    }

    #[test]
    fn counts_a_fragment_that_comes_twice_once() {
        let mut fragments = Fragments::new(MAX_OCTETS, 1);
        let head = (ip(b"the head"), piece(7, 0, true));
        let tail = (ip(b"tail"), piece(7, 8, false));
        assert_eq!(fragments.add(&head.0, head.1, 0, ONE), None);
        assert_eq!(fragments.add(&head.0, head.1, 0, ONE), None);
        let whole = fragments.add(&tail.0, tail.1, 0, ONE).unwrap();
        assert_eq!(whole.packets, 2);
        assert_eq!(fragments.add(&tail.0, tail.1, COPY_NS, ONE), None);
        assert_eq!((fragments.duplicates, fragments.open.len()), (2, 0));
        // Another packet may use the identification again, and a copy does not come that late.
        assert_eq!(fragments.add(&ip(b"TAIL"), tail.1, 0, ONE), None);
        assert_eq!((fragments.duplicates, fragments.open.len()), (2, 1));
        let mut fragments = Fragments::new(MAX_OCTETS, 1);
        fragments.add(&head.0, head.1, 0, ONE);
        fragments.add(&tail.0, tail.1, 0, ONE);
        fragments.add(&tail.0, tail.1, COPY_NS + 1, ONE);
        assert_eq!((fragments.duplicates, fragments.open.len()), (0, 1));
    }

    #[test]
    fn holds_its_bounds_under_a_storm_and_forgets_in_time() {
        let mut fragments = Fragments::new(MAX_OCTETS, 1);
        for id in 0..5000 {
            fragments.add(&ip(&[0; 1480]), piece(id, 0, true), 0, ONE);
        }
        assert!(
            fragments.open.len() <= MAX_PACKETS && fragments.octets <= MAX_OCTETS + 1480 + FRAGMENT
        );
        assert_eq!(fragments.given_up, 5000 - MAX_PACKETS as u64);
        fragments.add(&ip(&[0; 8]), piece(9999, 0, true), PATIENCE_NS + 1, ONE);
        assert_eq!(fragments.open.len(), 1);
    }

    #[test]
    fn gives_up_what_a_snaplen_cut() {
        let mut fragments = Fragments::new(MAX_OCTETS, 1);
        let mut cut = ip(&[0; 8]);
        cut.payload_len = 1480;
        assert_eq!(fragments.add(&cut, piece(1, 0, true), 0, ONE), None);
        assert_eq!((fragments.given_up, fragments.open.len()), (1, 0));
    }

    proptest! {
        #[test]
        fn any_order_gives_the_packet(
            text in prop::collection::vec(any::<u8>(), 9..800),
            size in 1usize..20,
            keys in prop::collection::vec(any::<u32>(), 100),
        ) {
            let mut fragments = Fragments::new(MAX_OCTETS, 1);
            let mut parts: Vec<(usize, &[u8])> = text.chunks(size * 8).enumerate().collect();
            let last = parts.len() - 1;
            prop_assume!(last > 0);
            parts.sort_by_key(|(i, _)| keys[*i % keys.len()].wrapping_add(*i as u32));
            let mut whole = None;
            for (i, octets) in parts {
                prop_assert!(whole.is_none());
                whole = fragments.add(&ip(octets), piece(3, (i * size * 8) as u32, i < last), 0, ONE);
            }
            prop_assert_eq!(whole.map(|whole| whole.payload), Some(text));
        }
    }
}
