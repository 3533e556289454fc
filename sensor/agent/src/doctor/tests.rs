use super::points::{Level, Point, weigh};
use super::*;

/// A capture in which nothing is wrong.
fn healthy() -> Seen {
    let survey = Survey {
        packets: 10_000,
        checksums: 10_000,
        longest: 1514,
        ..Survey::default()
    };
    let sides = Sides {
        flows: 1000,
        one_sided: 0,
    };
    let flows = Flows {
        all: 1000,
        tcp: 1000,
        octets: 1_000_000,
        sides: BTreeMap::from([(vec![], sides)]),
        ..Flows::default()
    };
    Seen {
        inputs: vec![Input {
            name: "a.pcap".to_owned(),
            packets: 10_000,
            fault: None,
        }],
        survey,
        counters: Counters::default(),
        verdicts: Verdicts::default(),
        flows,
        progress: Progress {
            packets: 10_000,
            ..Progress::default()
        },
        missed_by_filter: None,
        live: None,
    }
}

fn point(seen: &Seen, id: &str) -> Point {
    let points = weigh(seen);
    points
        .into_iter()
        .find(|point| point.id == id)
        .unwrap_or_else(|| panic!("no point {id}"))
}

#[test]
fn a_healthy_capture_has_nothing_to_mend() {
    let bad: Vec<_> = weigh(&healthy())
        .into_iter()
        .filter(|point| point.level > Level::Ok)
        .collect();
    assert_eq!(bad, []);
}

#[test]
fn each_fault_is_told_with_its_meaning_and_its_fix() {
    type Spoil = fn(&mut Seen);
    let cases: [(&str, Level, Spoil); 15] = [
        ("input", Level::Fault, |seen| seen.survey.packets = 0),
        ("input", Level::Warning, |seen| {
            seen.inputs[0].fault = Some("cut".to_owned());
        }),
        ("drops", Level::Fault, |seen| {
            seen.live = Some(LiveStats {
                received: 1000,
                dropped_by_kernel: 5,
                dropped_by_interface: 0,
            });
        }),
        ("one_sided", Level::Fault, |seen| {
            let sides = Sides {
                flows: 100,
                one_sided: 90,
            };
            seen.flows.sides = BTreeMap::from([(vec![12], sides)]);
        }),
        ("mid_flow", Level::Note, |seen| {
            seen.flows.without_handshake = 600;
        }),
        ("home_networks", Level::Warning, |seen| {
            seen.flows.outside = 900;
        }),
        ("duplicates", Level::Warning, |seen| {
            seen.counters.duplicates = 5000;
        }),
        ("truncation", Level::Fault, |seen| {
            seen.survey.truncated = 5000;
        }),
        ("giants", Level::Note, |seen| seen.survey.giants = 3),
        ("checksums", Level::Note, |seen| {
            seen.survey.wrong_checksums = 4000;
            seen.survey.wrong_senders.insert([10, 0, 0, 1].into(), 4000);
        }),
        ("gaps", Level::Warning, |seen| {
            seen.counters.sessions.insert("tls", 100);
            seen.counters.gaps = 30;
        }),
        ("undecoded", Level::Fault, |seen| {
            let why = terrier_engine::Undecoded::ALL[0];
            seen.counters.undecoded.insert(why, 9900);
        }),
        ("clock", Level::Warning, |seen| {
            seen.survey.backwards = 500;
            seen.survey.most_backwards_ns = 3_000_000_000;
        }),
        ("ech", Level::Note, |seen| {
            seen.verdicts.hellos.all = 10;
            seen.verdicts.hellos.with_ech = 1;
        }),
        ("names", Level::Note, |seen| {
            seen.verdicts.hellos.all = 10;
            seen.verdicts.hellos.without_name = 8;
        }),
    ];
    for (id, level, spoil) in cases {
        let mut seen = healthy();
        spoil(&mut seen);
        let point = point(&seen, id);
        assert_eq!(point.level, level, "{point:?}");
        assert!(!point.meaning.is_empty() && !point.fix.is_empty(), "{id}");
    }
}

#[test]
fn the_vlan_with_most_one_sided_flows_is_named() {
    let mut seen = healthy();
    let sides = |flows, one_sided| Sides { flows, one_sided };
    seen.flows.sides = BTreeMap::from([
        (vec![], sides(100, 1)),
        (vec![7], sides(100, 99)),
        (vec![7, 8], sides(10, 5)),
    ]);
    let observed = point(&seen, "one_sided").observed;
    assert!(
        observed.contains("VLAN 7: 99 of 100, VLAN 7.8: 5 of 10"),
        "{observed}"
    );
}

#[test]
fn unknown_protocols_are_named_by_their_octets() {
    let mut seen = healthy();
    seen.flows.unknown.insert(
        ("tcp", 7844),
        Unknown {
            flows: 2,
            octets: 400_000,
        },
    );
    seen.flows.unknown.insert(
        ("udp", 9),
        Unknown {
            flows: 100,
            octets: 100,
        },
    );
    let observed = point(&seen, "unknown_protocols").observed;
    assert!(observed.starts_with("40 % of the octets"), "{observed}");
    assert!(
        observed.contains("tcp/7844 400 kB in 2 flows"),
        "{observed}"
    );
}

#[test]
fn the_filters_blind_spot_behind_tags_is_told() {
    let mut seen = healthy();
    seen.missed_by_filter = Some(MissedByFilter {
        taken: 10,
        tagged: 90,
    });
    assert_eq!(point(&seen, "filter").level, Level::Warning);
    seen.missed_by_filter = Some(MissedByFilter {
        taken: 10,
        tagged: 0,
    });
    assert_eq!(point(&seen, "filter").level, Level::Ok);
}

#[test]
fn text_wraps_and_tells_the_worst_first() {
    let mut seen = healthy();
    seen.counters.duplicates = 5000;
    seen.survey.truncated = 5000;
    let points = weigh(&seen);
    let mut out = Vec::new();
    report::text(&mut out, &seen, &points).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.lines().all(|line| line.len() <= 110), "{text}");
    let place = |word: &str| text.find(word).unwrap();
    assert!(place("fault    truncation") < place("warning  duplicates"));
    assert!(place("warning  duplicates") < place("ok       input"));
}
