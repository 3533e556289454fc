//! The facts do not depend on how TCP cut the octets, nor on what came twice or in another order.

use crate::support::assert_none;
use crate::support::capture::{Frame, frames};
use crate::support::manifest::{self, Row};
use crate::support::segments::{Manner, place, resegment};
use crate::support::told::Told;
use proptest::prelude::*;

#[test]
fn segments_of_one_octet_tell_the_same() {
    check_all(Manner::InOrder, 1);
}

#[test]
fn segments_of_seven_octets_tell_the_same() {
    check_all(Manner::InOrder, 7);
}

#[test]
fn segments_out_of_order_tell_the_same() {
    check_all(Manner::Reordered, 11);
}

#[test]
fn segments_that_come_twice_tell_the_same() {
    check_all(Manner::Repeated, 5);
}

#[test]
fn segments_that_overlap_tell_the_same() {
    check_all(Manner::Overlapping, 13);
}

proptest! {
    // Each case runs the program twice; the sweeps above are the thorough ones.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn segments_of_any_sizes_tell_the_same(
        which in any::<prop::sample::Index>(),
        sizes in prop::collection::vec(1_usize..80, 1..12),
        manner in prop::sample::select(vec![
            Manner::InOrder, Manner::Reordered, Manner::Repeated, Manner::Overlapping,
        ]),
    ) {
        let captures = captures(in_pieces);
        let frames = frames(&which.get(&captures).on_disk());
        if let Some(what) = difference(&frames, manner, &sizes) {
            let name = &which.get(&captures).file;
            return Err(TestCaseError::fail(format!("{name}: {what}")));
        }
    }
}

#[test]
fn captures_that_are_passed_over_are_still_there() {
    let names: Vec<String> = captures(|_| true).into_iter().map(|row| row.file).collect();
    let gone: Vec<_> = BEHIND_A_PREAMBLE
        .iter()
        .filter(|&&name| !names.iter().any(|there| there == name))
        .collect();
    assert!(gone.is_empty(), "{gone:?}");
}

fn captures(wanted: impl Fn(&Row) -> bool) -> Vec<Row> {
    let mut captures = manifest::captures();
    captures.retain(wanted);
    captures
}

fn in_pieces(row: &Row) -> bool {
    !BEHIND_A_PREAMBLE.contains(&row.file.as_str())
}

fn check_all(manner: Manner, size: usize) {
    let mut tried = 0;
    let mut wrong = Vec::new();
    for row in captures(in_pieces) {
        let Row { file, .. } = &row;
        let frames = frames(&row.on_disk());
        if !frames.iter().any(|frame| place(frame).is_some()) {
            continue;
        }
        tried += 1;
        wrong.extend(difference(&frames, manner, &[size]).map(|what| format!("{file}: {what}")));
    }
    assert!(tried > 0, "no capture has TCP");
    assert_none(&wrong);
}

/// What changes when the capture is cut so. A capture of several link types cannot be written as pcap, and is passed over.
fn difference(frames: &[Frame], manner: Manner, sizes: &[usize]) -> Option<String> {
    if frames.iter().any(|frame| frame.link != frames[0].link) {
        return None;
    }
    let mut sizes = sizes.iter().copied().cycle();
    let cut = resegment(frames, manner, || sizes.next().unwrap_or(1));
    let (before, after) = (Told::by(frames), Told::by(&cut));
    let lost: Vec<_> = before
        .facts
        .iter()
        .filter(|fact| !after.facts.contains(fact))
        .collect();
    let new: Vec<_> = after
        .facts
        .iter()
        .filter(|fact| !before.facts.contains(fact))
        .collect();
    (before != after).then(|| {
        format!(
            "cut into {} frames\n  lost {lost:#?}\n  new {new:#?}\n  alerts {:?}, then {:?}",
            cut.len(),
            before.alerts,
            after.alerts
        )
    })
}

/// Here one protocol begins behind another one's preamble, a tunnel's greeting or STARTTLS. It is looked for at the
/// start of a segment, with as many octets as that segment has (`Begins::AtAnySegment` in the engine): where a preamble has
/// no decoder nothing says where it ends.
const BEHIND_A_PREAMBLE: [&str; 8] = [
    "tls/starttls-ftp.pcapng",
    "tls/starttls-imap-pop3.pcapng",
    "tls/starttls-ldap.pcapng",
    "tls/starttls-mysql.pcapng",
    "tls/starttls-postgresql.pcapng",
    "tls/starttls-smtp.pcapng",
    "tls/starttls-xmpp.pcapng",
    "tunnels/bore-carries-vnc.pcapng",
];
