//! The quick way against the whole one: what it tells is the same, and it tells of every plain packet and of no other.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use terrier_traffic::Kind;

use super::wrap::{datagram, four, frame as in_frame, six, udp};
use super::*;
use crate::fuzzing::{as_plain, quick};

/// Compares both ways. Answers whether the quick one told anything.
fn told_alike(octets: &[u8]) -> Result<bool, TestCaseError> {
    let quick = quick(ETHERNET, octets);
    let whole = frame(ETHERNET, octets).ok();
    let expected =
        whole.and_then(|here| as_plain(&here).filter(|_| is_for_the_quick_way(&here, octets)));
    prop_assert_eq!(quick, expected, "{:02x?}", octets);
    Ok(quick.is_some())
}

/// What the quick way leaves to the whole one of the packets that it could tell of, too.
fn is_for_the_quick_way(here: &Decapsulated<'_>, octets: &[u8]) -> bool {
    let Decapsulated { layers, ip, .. } = here;
    let tags = layers.vlan.ids().len();
    let length = 14 + 4 * tags + if ip.source.is_v4() { 2 } else { 4 };
    let no_extensions = ip.source.is_v4() || ip.total_len == ip.payload_len + 40;
    tags <= 2 && octets[length..length + 2] != [0, 0] && no_extensions && !may_carry(ip)
}

/// A frame in the parts that may be wrong.
#[derive(Debug, Clone)]
struct Parts {
    tags: Vec<[u8; 2]>,
    six: bool,
    /// Version and header length of IPv4.
    first: u8,
    /// Flags and offset of IPv4.
    place: u16,
    protocol: u8,
    /// How much the length in the IP header is wrong.
    length_off: i16,
    ports: (u16, u16),
    /// Data offset of TCP, length of UDP: how much it is wrong.
    header_off: i16,
    payload: Vec<u8>,
}

impl Parts {
    fn written(&self) -> Vec<u8> {
        let off = |length: usize, by: i16| (length as u16).wrapping_add_signed(by).to_be_bytes();
        let mut inside = Vec::new();
        inside.extend(self.ports.0.to_be_bytes());
        inside.extend(self.ports.1.to_be_bytes());
        if self.protocol == 6 {
            let words = 5_u8.wrapping_add_signed(self.header_off as i8);
            inside.extend([1, 2, 3, 4, 5, 6, 7, 8, words << 4, 0x18, 0, 9, 0, 0, 0, 0]);
        } else {
            inside.extend(off(8 + self.payload.len(), self.header_off));
            inside.extend([0, 0]);
        }
        inside.extend(&self.payload);
        let mut octets = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        for &tag in &self.tags {
            octets.extend(tag);
            octets.extend([0x20, 7]);
        }
        if self.six {
            octets.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            octets.extend(off(inside.len(), self.length_off));
            octets.extend([self.protocol, 64]);
            octets.extend([0xfd; 16]);
            octets.extend([0xfe; 16]);
        } else {
            let options = usize::from(self.first & 0x0f).saturating_sub(5) * 4;
            octets.extend([0x08, 0x00, self.first, 0]);
            octets.extend(off(20 + options + inside.len(), self.length_off));
            octets.extend([0x12, 0x34]);
            octets.extend(self.place.to_be_bytes());
            octets.extend([64, self.protocol, 0, 0, 10, 0, 0, 1, 192, 0, 2, 1]);
            octets.extend(vec![1; options]);
        }
        octets.extend(inside);
        octets
    }
}

fn mostly<T: Clone + std::fmt::Debug + 'static>(
    usual: T,
    else_: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = T> {
    prop_oneof![6 => Just(usual), 1 => else_]
}

fn ports() -> impl Strategy<Value = u16> {
    let tunnels: Vec<u16> = (0..=u16::MAX)
        .filter(|&port| is_tunnel_port(port))
        .collect();
    prop_oneof![9 => any::<u16>(), 1 => select(tunnels)]
}

/// How tunnels begin, and anything.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let inner = four(17, &udp((1, 2), b"inside"));
    let begins: Vec<Vec<u8>> = vec![
        [&[0x08, 0, 0, 0, 0, 0, 7, 0], &in_frame(&inner)[..]].concat(),
        [&[0x30, 0xff, 0, 34, 0, 0, 0, 1], &inner[..]].concat(),
        [&[0, 0, 0x08, 0x00, 0, 0, 7, 0], &inner[..]].concat(),
        six(17, &udp((1, 2), b"inside")),
    ];
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..40),
        1 => select(begins),
    ]
}

prop_compose! {
    fn parts()(
        tags in mostly(vec![], prop::collection::vec(select(vec![[0x81, 0], [0x88, 0xa8], [0x91, 0]]), 0..4)),
        six: bool,
        first in mostly(0x45, prop_oneof![0x40..=0x4f_u8, any::<u8>()]),
        place in mostly(0x4000, any::<u16>()),
        protocol in prop_oneof![8 => select(vec![6, 17]), 1 => select(vec![0, 4, 41, 44, 47, 51, 58, 60]), 1 => any::<u8>()],
        length_off in mostly(0, prop_oneof![-80..80_i16, any::<i16>()]),
        ports in (ports(), ports()),
        header_off in mostly(0, -20..20_i16),
        payload in payload(),
    ) -> Parts {
        Parts { tags, six, first, place, protocol, length_off, ports, header_off, payload }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn tells_the_same_of_frames_in_which_anything_may_be_wrong(
        parts in parts(),
        cut in mostly(None, any::<Index>().prop_map(Some)),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..3),
    ) {
        let mut octets = parts.written();
        for (place, octet) in changes {
            // The headers.
            let place = place.index(octets.len().min(60));
            octets[place] = octet;
        }
        if let Some(cut) = cut {
            octets.truncate(cut.index(octets.len()));
        }
        told_alike(&octets)?;
    }

    #[test]
    fn tells_the_same_of_random_octets(
        ether_type in select(vec![[0x08, 0x00], [0x86, 0xdd], [0x81, 0x00]]),
        octets in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        told_alike(&[&[2; 12], &ether_type[..], &octets].concat())?;
    }
}

#[test]
fn tells_of_nearly_all_packets_of_a_network() {
    let mut capture = Vec::new();
    let octets = 600_000;
    terrier_traffic::write(Kind::Mix { octets }, 5, &mut capture).expect("memory takes it");
    let (mut frames, mut plain) = (0, 0);
    let mut rest = &capture[24..];
    while let Some((header, behind)) = rest.split_first_chunk::<16>() {
        let length = u32::from_le_bytes(*header[8..].first_chunk().unwrap()) as usize;
        let (octets, behind) = behind.split_at(length);
        rest = behind;
        frames += 1;
        plain += u32::from(told_alike(octets).unwrap());
        // Each bit of the headers wrong, each end: of a few.
        if frames % 20 != 0 {
            continue;
        }
        let head = octets.len().min(70);
        for bit in 0..head * 8 {
            let mut changed = octets.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            told_alike(&changed).unwrap();
        }
        for cut in 0..head {
            told_alike(&octets[..cut]).unwrap();
        }
    }
    assert!(
        frames > 300 && plain * 10 > frames * 9,
        "{plain} of {frames}"
    );
}

#[test]
fn tells_nothing_of_what_is_not_plain() {
    let tcp = [
        0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0,
    ];
    let good = in_frame(&four(6, &tcp));
    let with = |at: usize, octet: u8| {
        let mut octets = good.clone();
        octets[at] = octet;
        octets
    };
    let told = |octets: &[u8]| quick(ETHERNET, octets).is_some();
    assert!(told(&good) && told(&with(20, 0x40)), "don't fragment");
    for (what, octets) in [
        ("the first fragment", with(20, 0x20)),
        ("a later fragment", with(21, 1)),
        ("a header of four words", with(14, 0x44)),
        ("a header longer than the packet", with(14, 0x4f)),
        ("a length less than the header", with(17, 19)),
        ("no length", with(17, 0)),
        ("a version of none", with(14, 0x55)),
        ("a TCP header of four words", with(46, 0x40)),
        ("IP in IP", with(23, 4)),
        ("a cut IP header", good[..33].to_vec()),
        ("a cut TCP header", good[..47].to_vec()),
        ("a cut UDP header", in_frame(&four(17, &[0; 7]))),
        ("a tunnel by its port", in_frame(&datagram(4789, &[0; 12]))),
        (
            "a tunnel by how it begins",
            in_frame(&datagram(7, &[8, 0, 0, 0])),
        ),
        ("an extension header", in_frame(&six(0, &tcp))),
        ("ARP", with(13, 6)),
    ] {
        assert!(!told(&octets), "{what}");
    }
    assert!(quick(RAW, &good[14..]).is_none(), "another link type");
    assert!(told(&good[..48]), "cut within what is of no use");
}

/// LINKTYPE_ETHERNET.
const ETHERNET: u32 = 1;
