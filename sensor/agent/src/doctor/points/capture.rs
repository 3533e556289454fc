//! How the packets came: whole, once, both ways, without loss.

use serde_json::{Map, Value, json};

use super::{ENOUGH_FLOWS, Level, Point, fine, percent, share, values, vlan_text};
use crate::doctor::{Seen, Sides};

pub(super) fn inputs(seen: &Seen) -> Point {
    let faults: Vec<&String> = seen
        .inputs
        .iter()
        .filter_map(|input| input.fault.as_ref())
        .collect();
    let values = values([("packets", json!(seen.survey.packets))]);
    if seen.survey.packets == 0 {
        return Point {
            id: "input",
            level: Level::Fault,
            observed: match faults.first() {
                Some(fault) => format!("no packet: {fault}"),
                None => "no packet".to_owned(),
            },
            values,
            meaning: "There is nothing to look at.",
            fix: match seen.live {
                Some(_) => "Check that the interface is the one the span port feeds (`ip -s link`), and that the switch mirrors to it.",
                None => "Check the path, and that the file is a pcap or pcapng capture.",
            }
            .to_owned(),
        };
    }
    match faults.first() {
        None => fine("input", "the input was read to its end", values),
        Some(first) => Point {
            id: "input",
            level: Level::Warning,
            observed: format!(
                "{} of {} inputs have a fault: {first}",
                faults.len(),
                seen.inputs.len()
            ),
            values,
            meaning: "What stands before the fault was looked at, what stands behind it was not.",
            fix: "Capture again, or end the capturing program before its file is copied."
                .to_owned(),
        },
    }
}

pub(super) fn drops(seen: &Seen) -> Point {
    let Some(live) = seen.live else {
        return fine(
            "drops",
            "a file does not tell what its capturing program lost",
            Map::new(),
        );
    };
    let lost = live.dropped_by_kernel + live.dropped_by_interface;
    let values = values([
        ("received", json!(live.received)),
        ("dropped_by_kernel", json!(live.dropped_by_kernel)),
        ("dropped_by_interface", json!(live.dropped_by_interface)),
    ]);
    let share = share(lost, live.received);
    if lost == 0 {
        return fine("drops", "nothing was lost on the way from the wire", values);
    }
    Point {
        id: "drops",
        level: if share >= 0.001 { Level::Fault } else { Level::Note },
        observed: format!(
            "{lost} packets were lost ({}): {} by the kernel's ring, {} by the interface",
            percent(share),
            live.dropped_by_kernel,
            live.dropped_by_interface
        ),
        values,
        meaning: "A handshake of which one packet is lost may not be understood.",
        fix: "Use more workers (--workers), leave out what you know with --filter, and enlarge the interface's ring (`ethtool -G IFACE rx 4096`).".to_owned(),
    }
}

pub(super) fn one_sided(seen: &Seen) -> Point {
    let sum = |of: fn(&Sides) -> u64| seen.flows.sides.values().map(of).sum::<u64>();
    let (flows, one) = (sum(|sides| sides.flows), sum(|sides| sides.one_sided));
    let worst: Vec<(String, Sides)> = {
        let mut all: Vec<_> = seen
            .flows
            .sides
            .iter()
            .filter(|(_, sides)| sides.one_sided > 0)
            .map(|(vlan, sides)| (vlan_text(vlan), *sides))
            .collect();
        all.sort_by(|a, b| b.1.one_sided.cmp(&a.1.one_sided).then(a.0.cmp(&b.0)));
        all
    };
    let by_vlan: Vec<Value> = worst
        .iter()
        .map(|(vlan, sides)| json!({"vlan": vlan, "flows": sides.flows, "one_sided": sides.one_sided}))
        .collect();
    let values = values([
        ("tcp_flows", json!(flows)),
        ("one_sided", json!(one)),
        ("by_vlan", json!(by_vlan)),
    ]);
    let share = share(one, flows);
    if share < 0.05 {
        return fine(
            "one_sided",
            "both directions of the traffic are there",
            values,
        );
    }
    let where_most: Vec<String> = worst
        .iter()
        .take(3)
        .map(|(vlan, sides)| format!("{vlan}: {} of {}", sides.one_sided, sides.flows))
        .collect();
    Point {
        id: "one_sided",
        level: if share >= 0.3 { Level::Fault } else { Level::Warning },
        observed: format!(
            "{one} of {flows} TCP flows ({}) show one direction only; {}",
            percent(share),
            where_most.join(", ")
        ),
        values,
        meaning: "Of a one-sided flow half the handshake is missing: who was asked and whether it was granted cannot both be told.",
        fix: "Mirror both directions (`both`, not `rx`), and both members of an uplink pair; with asymmetric routing a second sensor or span is needed.".to_owned(),
    }
}

pub(super) fn begins_in_mid_flow(seen: &Seen) -> Point {
    let (all, guessed) = (seen.flows.tcp, seen.flows.without_handshake);
    let values = values([
        ("tcp_flows", json!(all)),
        ("without_handshake", json!(guessed)),
    ]);
    let share = share(guessed, all);
    if share < 0.3 || all < ENOUGH_FLOWS {
        return fine(
            "mid_flow",
            "most TCP flows are there from their first packet on",
            values,
        );
    }
    Point {
        id: "mid_flow",
        level: Level::Note,
        observed: format!("{guessed} of {all} TCP flows ({}) begin without a handshake", percent(share)),
        values,
        meaning: "Who opened such a flow is guessed, and what was said before the capture began is not known.",
        fix: "Capture longer; if it stays so, look for a filter that leaves out SYN packets, or for a span of one direction.".to_owned(),
    }
}

pub(super) fn duplicates(seen: &Seen) -> Point {
    let count = seen.counters.duplicates;
    let values = values([("duplicates", json!(count))]);
    let share = share(count, seen.survey.packets);
    if share < 0.01 {
        return fine("duplicates", "frames come once", values);
    }
    Point {
        id: "duplicates",
        level: Level::Warning,
        observed: format!("{count} frames ({}) come twice within 100 ms", percent(share)),
        values,
        meaning: "Terrier looks at each once, so findings are right; but the sensor carries the load twice.",
        fix: "Mirror each VLAN or port at one place only: a frame that is routed between two mirrored VLANs is copied in both.".to_owned(),
    }
}

pub(super) fn truncation(seen: &Seen) -> Point {
    let survey = &seen.survey;
    let values = values([
        ("truncated", json!(survey.truncated)),
        ("longest_kept", json!(survey.snaplen)),
    ]);
    let share = share(survey.truncated, survey.packets);
    if survey.truncated == 0 {
        return fine("truncation", "packets are whole", values);
    }
    Point {
        id: "truncation",
        level: if share >= 0.01 { Level::Fault } else { Level::Warning },
        observed: format!(
            "{} packets ({}) were cut by the capture, to {} octets at most",
            survey.truncated,
            percent(share),
            survey.snaplen
        ),
        values,
        meaning: "Names and certificates stand deep in a handshake; a cut packet is a gap in its stream.",
        fix: "Capture whole packets: `tcpdump -s 0`, `dumpcap` without -s, and no slicing on the packet broker.".to_owned(),
    }
}

pub(super) fn giants(seen: &Seen) -> Point {
    let survey = &seen.survey;
    let values = values([
        ("giants", json!(survey.giants)),
        ("longest", json!(survey.longest)),
    ]);
    if survey.giants == 0 {
        return fine("giants", "no packet is longer than networks carry", values);
    }
    Point {
        id: "giants",
        level: Level::Note,
        observed: format!(
            "{} packets are longer than networks carry, up to {} octets",
            survey.giants, survey.longest
        ),
        values,
        meaning: "The capturing host joined segments (GRO, LRO) or had not cut them yet (TSO). Terrier reads them; packet counts are not those of the wire.",
        fix: "For the wire's own packets: `ethtool -K IFACE gro off lro off tso off gso off`."
            .to_owned(),
    }
}

pub(super) fn checksums(seen: &Seen) -> Point {
    let survey = &seen.survey;
    let mut senders: Vec<_> = survey.wrong_senders.iter().collect();
    senders.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let top: Vec<String> = senders
        .iter()
        .take(3)
        .map(|(ip, count)| format!("{ip}: {count}"))
        .collect();
    let values = values([
        ("checked", json!(survey.checksums)),
        ("wrong", json!(survey.wrong_checksums)),
        ("senders", json!(senders.len())),
    ]);
    let share = share(survey.wrong_checksums, survey.checksums);
    if share < 0.005 {
        return fine("checksums", "checksums of TCP and UDP are right", values);
    }
    Point {
        id: "checksums",
        level: Level::Note,
        observed: format!(
            "{} of {} checksums ({}) are wrong; {}",
            survey.wrong_checksums,
            survey.checksums,
            percent(share),
            top.join(", ")
        ),
        values,
        meaning: "The capture was taken at the sender before its network card wrote them. Terrier does not mind; Zeek and Suricata leave such packets out.",
        fix:
            "Capture elsewhere, or `ethtool -K IFACE tx off`, if other tools read the same capture."
                .to_owned(),
    }
}

pub(super) fn lost_in_the_span(seen: &Seen) -> Point {
    let gaps = seen.counters.gaps;
    let sessions: u64 = seen.counters.sessions.values().sum();
    let values = values([
        ("gaps", json!(gaps)),
        ("sessions", json!(sessions)),
        (
            "fragments_given_up",
            json!(seen.counters.fragments_given_up),
        ),
    ]);
    let share = share(gaps, sessions);
    if share < 0.01 {
        return fine(
            "gaps",
            "streams are whole where a decoder reads them",
            values,
        );
    }
    Point {
        id: "gaps",
        level: if share >= 0.1 { Level::Warning } else { Level::Note },
        observed: format!("{gaps} gaps in streams that a decoder read, in {sessions} sessions ({})", percent(share)),
        values,
        meaning: "Packets were acknowledged by their receiver that this capture does not have: the span or its link loses them.",
        fix: "Compare the mirrored ports' rate with that of the span link: a full duplex gigabit needs two gigabits. Mirror less, or use a tap.".to_owned(),
    }
}
