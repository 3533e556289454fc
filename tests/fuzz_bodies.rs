//! The laws of the fuzz targets, on a stable compiler: with the payloads of real captures, whole, cut and with changed
//! octets. The seeds are made here from `pcaps/`, so there is no corpus to keep.

use std::collections::BTreeMap;
use std::panic::catch_unwind;

use crate::support::capture::{Frame, frames};
use crate::support::segments::{self, Ends};
use crate::support::{assert_none, manifest};
use terrier_wire::fuzzing;

#[test]
fn laws_of_decap_hold_for_real_frames() {
    let frames = captured(|frame| {
        let link = u16::try_from(frame.link).ok()?.to_be_bytes();
        Some([&link[..], &frame.octets].concat())
    });
    check(fuzzing::decap, frames.into_iter());
}

#[test]
fn laws_of_dns_hold_for_real_messages() {
    let datagrams = captured(|frame| segments::datagram(frame).map(<[u8]>::to_vec));
    let streams = conversations()
        .into_iter()
        .flat_map(|turns| both_sides(&turns));
    check(fuzzing::dns, datagrams.into_iter().chain(streams));
}

#[test]
fn laws_of_http_hold_for_real_conversations() {
    check(fuzzing::http, in_turn());
}

#[test]
fn laws_of_socks_hold_for_real_conversations() {
    check(fuzzing::socks, in_turn());
}

#[test]
fn laws_of_ssh_hold_for_real_conversations() {
    check(fuzzing::ssh, in_turn());
}

#[test]
fn laws_of_quic_hold_for_real_datagrams() {
    // Each datagram as one: the first octet is their size in units of 16 octets.
    let datagrams = captured(|frame| segments::datagram(frame).map(<[u8]>::to_vec));
    let seeds = datagrams
        .into_iter()
        .map(|octets| [&[0xff], &octets[..]].concat());
    check(fuzzing::quic, seeds);
}

#[test]
fn laws_of_rdp_hold_for_real_conversations() {
    // The first octet says who sends each 32 octets: the client only, the server only, in turn.
    let seeds = conversations().into_iter().flat_map(|turns| {
        let all: Vec<u8> = turns
            .iter()
            .flat_map(|(_, octets)| octets.clone())
            .collect();
        let sides = both_sides(&turns).into_iter();
        sides
            .zip([0x00, 0xff])
            .chain([(all, 0x55)])
            .map(|(octets, senders)| [&[senders], &octets[..]].concat())
            .collect::<Vec<_>>()
    });
    check(fuzzing::rdp, seeds);
}

#[test]
fn laws_of_remote_openings_hold_for_real_conversations() {
    // The size of the pieces, then what each side said in turn, the beginning only: it is the openings that are read.
    let seeds = conversations().into_iter().map(|turns| {
        let mut seed = vec![9];
        for (index, (_, octets)) in turns.iter().take(8).enumerate() {
            if index > 0 {
                seed.push(0xfe);
            }
            seed.extend_from_slice(&octets[..octets.len().min(600)]);
        }
        seed
    });
    check(fuzzing::remote, seeds);
}

#[test]
fn laws_of_rfb_hold_for_real_conversations() {
    // Before each piece an octet: who sends (0 the server), no gap, how long.
    let seeds = conversations().into_iter().map(|turns| {
        let mut seed = Vec::new();
        for (side, octets) in &turns {
            for piece in octets.chunks(63) {
                seed.push((piece.len() as u8) << 2 | u8::from(*side));
                seed.extend_from_slice(piece);
            }
        }
        seed
    });
    check(fuzzing::rfb, seeds);
}

#[test]
fn laws_of_tls_hold_for_real_conversations() {
    let seeds = conversations()
        .into_iter()
        .flat_map(|turns| both_sides(&turns))
        .map(|octets| [&[31], &octets[..]].concat());
    check(fuzzing::tls, seeds);
}

#[test]
fn laws_of_vpns_hold_for_real_datagrams_and_streams() {
    let datagrams = datagrams();
    let streams: Vec<_> = conversations()
        .into_iter()
        .flat_map(|turns| both_sides(&turns))
        .collect();
    check(fuzzing::ike, datagrams.iter().cloned());
    check(
        fuzzing::marks,
        datagrams.iter().cloned().chain(streams.iter().cloned()),
    );
    // The size of the pieces.
    check(
        fuzzing::openvpn,
        streams.iter().map(|octets| [&[7], &octets[..]].concat()),
    );
    // Who sends and how long it is, before each of two datagrams.
    let pairs = datagrams.windows(2).map(|pair| {
        let framed = |side: u8, octets: &[u8]| {
            let octets = &octets[..octets.len().min(255)];
            [&[side, octets.len() as u8], octets].concat()
        };
        [framed(1, &pair[0]), framed(0, &pair[1])].concat()
    });
    check(fuzzing::wireguard, pairs);
}

#[test]
fn laws_of_http2_hold_for_real_conversations() {
    // Whatever a side says may follow the preface.
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let seeds = conversations()
        .into_iter()
        .flat_map(|turns| both_sides(&turns))
        .map(|octets| [&[17], octets.strip_prefix(PREFACE).unwrap_or(&octets)].concat());
    check(fuzzing::http2, seeds);
}

#[test]
fn laws_of_websocket_hold_for_real_conversations() {
    // What follows the heads of an upgrade, and whatever else a side says, as if it were plain and compressed.
    let seeds = conversations()
        .into_iter()
        .flat_map(|turns| both_sides(&turns))
        .flat_map(|octets| {
            let head = octets.windows(4).position(|end| end == b"\r\n\r\n");
            let frames = octets[head.map_or(0, |at| at + 4)..].to_vec();
            [0, 2].map(|agreed| [&[agreed, 7], &frames[..]].concat())
        });
    check(fuzzing::websocket, seeds);
}

#[test]
fn laws_of_dtls_hold_for_real_datagrams() {
    // A datagram behind its length, and a ClientHello's body behind the size of its fragments.
    let seeds = datagrams().into_iter().flat_map(|octets| {
        let short = &octets[..octets.len().min(255)];
        let body = octets.get(25..).unwrap_or_default();
        [
            [&[short.len() as u8], short].concat(),
            [&[40], body].concat(),
        ]
    });
    check(fuzzing::dtls, seeds);
}

#[test]
fn laws_of_stun_hold_for_real_datagrams() {
    check(fuzzing::stun, datagrams().into_iter());
}

#[test]
fn laws_of_rdpudp_hold_for_real_datagrams() {
    check(fuzzing::rdpudp, datagrams().into_iter());
}

fn datagrams() -> Vec<Vec<u8>> {
    captured(|frame| segments::datagram(frame).map(<[u8]>::to_vec))
}

/// Tries a body with each seed: as it is, its first half, and twice with three octets changed. The changes are the same in
/// every run; `TERRIER_FUZZ_ROUNDS` asks for more of them.
fn check(body: fn(&[u8]), seeds: impl Iterator<Item = Vec<u8>>) {
    let rounds =
        std::env::var("TERRIER_FUZZ_ROUNDS").map_or(1, |text| text.parse().expect("a number"));
    let mut random = Lcg(1);
    let mut tried = 0;
    let mut wrong = Vec::new();
    for seed in seeds.filter(|seed| seed.len() > 1) {
        tried += 1;
        let mut variants = vec![seed.clone(), seed[..seed.len() / 2].to_vec()];
        for _ in 0..2 * rounds {
            let mut changed = seed.clone();
            for _ in 0..3 {
                let place = random.next() as usize % changed.len();
                changed[place] = random.next() as u8;
            }
            variants.push(changed);
        }
        for variant in variants {
            if catch_unwind(|| body(&variant)).is_err() {
                wrong.push(format!("a law is broken by {}", hex(&variant)));
            }
        }
    }
    assert!(
        tried > 100,
        "only {tried} seeds: the captures were not read"
    );
    assert_none(&wrong);
}

/// What the two sides of a connection said in turn; `true` for who spoke second.
type Turns = Vec<(bool, Vec<u8>)>;

/// What was said in each TCP connection.
fn conversations() -> Vec<Turns> {
    let mut all = Vec::new();
    for row in manifest::captures() {
        let mut open: BTreeMap<Ends, (Ends, Turns)> = BTreeMap::new();
        for frame in frames(&row.on_disk()) {
            let Some((ends, octets)) = segments::segment(&frame).filter(|(_, it)| !it.is_empty())
            else {
                continue;
            };
            let (first, turns) = open
                .entry(ends.sorted())
                .or_insert_with(|| (ends.clone(), Vec::new()));
            let side = ends != *first;
            let length: usize = turns.iter().map(|(_, octets)| octets.len()).sum();
            let octets = &octets[..octets.len().min(MOST.saturating_sub(length))];
            match turns.last_mut() {
                Some((last, said)) if *last == side => said.extend_from_slice(octets),
                _ => turns.push((side, octets.to_vec())),
            }
        }
        all.extend(open.into_values().map(|(_, turns)| turns));
    }
    all
}

/// The size of the pieces, then what each side said in turn, parted by 0xff.
fn in_turn() -> impl Iterator<Item = Vec<u8>> {
    conversations().into_iter().map(|turns| {
        let said: Vec<_> = turns.into_iter().map(|(_, octets)| octets).collect();
        [&[9], &said.join(&0xff)[..]].concat()
    })
}

fn both_sides(turns: &[(bool, Vec<u8>)]) -> Vec<Vec<u8>> {
    [false, true]
        .map(|wanted| {
            let of_side = turns.iter().filter(|(side, _)| *side == wanted);
            of_side.flat_map(|(_, octets)| octets.clone()).collect()
        })
        .to_vec()
}

fn captured(payload: impl Fn(&Frame) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
    manifest::captures()
        .iter()
        .flat_map(|row| frames(&row.on_disk()))
        .filter_map(|frame| payload(&frame))
        .collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Numbers that only look random (Knuth's MMIX).
struct Lcg(u64);

impl Lcg {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

/// The handshakes are over by then.
const MOST: usize = 3000;
