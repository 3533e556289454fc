//! What was counted, weighed: each point with what it means for this sensor and what to do.

use std::fmt::Display;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Seen, Sides, Unknown};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Point {
    /// What it is about: `[a-z_]`, stable.
    pub(super) id: &'static str,
    /// How much it matters.
    pub(super) level: Level,
    /// What was observed, in a sentence without its full stop.
    pub(super) observed: String,
    /// The numbers behind it.
    pub(super) values: Map<String, Value>,
    /// What that means for what can be seen.
    pub(super) meaning: &'static str,
    /// What to do; empty where nothing is to be done.
    pub(super) fix: String,
}

/// How much a point matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Something is not seen.
    Warning,
    /// Much is not seen.
    Fault,
}

impl Level {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// Every point, the worst first.
pub(super) fn weigh(seen: &Seen) -> Vec<Point> {
    let mut points = vec![inputs(seen)];
    if seen.survey.packets > 0 {
        points.extend(
            [
                Some(drops(seen)),
                Some(one_sided(seen)),
                Some(begins_in_mid_flow(seen)),
                Some(home_networks(seen)),
                Some(duplicates(seen)),
                Some(truncation(seen)),
                Some(giants(seen)),
                Some(checksums(seen)),
                Some(lost_in_the_span(seen)),
                Some(undecoded(seen)),
                Some(clock(seen)),
                Some(names(seen)),
                Some(encrypted_names(seen)),
                Some(unknown_protocols(seen)),
                filter(seen),
                table(seen),
            ]
            .into_iter()
            .flatten(),
        );
    }
    points.sort_by_key(|point| std::cmp::Reverse(point.level));
    points
}

fn inputs(seen: &Seen) -> Point {
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

fn drops(seen: &Seen) -> Point {
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

fn one_sided(seen: &Seen) -> Point {
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

fn begins_in_mid_flow(seen: &Seen) -> Point {
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

fn home_networks(seen: &Seen) -> Point {
    let (all, outside) = (seen.flows.all, seen.flows.outside);
    let values = values([
        ("flows", json!(all)),
        ("neither_side_inside", json!(outside)),
    ]);
    let share = share(outside, all);
    if share < 0.2 || all < ENOUGH_FLOWS {
        return fine(
            "home_networks",
            "flows have a side in the home networks",
            values,
        );
    }
    Point {
        id: "home_networks",
        level: if share >= 0.5 { Level::Warning } else { Level::Note },
        observed: format!("{outside} of {all} flows ({}) have no side in the home networks", percent(share)),
        values,
        meaning: "What is inbound and what is outbound decides how bad a finding is, and who its victim is.",
        fix: "Name your own public networks: --home-net 192.0.2.0/24, once for each, private ones too as it replaces the default.".to_owned(),
    }
}

fn duplicates(seen: &Seen) -> Point {
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

fn truncation(seen: &Seen) -> Point {
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

fn giants(seen: &Seen) -> Point {
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

fn checksums(seen: &Seen) -> Point {
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

fn lost_in_the_span(seen: &Seen) -> Point {
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

fn undecoded(seen: &Seen) -> Point {
    let all: u64 = seen.counters.undecoded.values().sum();
    let errors: u64 = seen
        .counters
        .undecoded
        .iter()
        .filter(|(why, _)| why.is_error())
        .map(|(_, count)| count)
        .sum();
    let mut reasons: Vec<_> = seen.counters.undecoded.iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let top: Vec<String> = reasons
        .iter()
        .take(3)
        .map(|(why, count)| format!("{}: {count}", why.name()))
        .collect();
    let mut values = values([("undecoded", json!(all)), ("errors", json!(errors))]);
    for (why, count) in &reasons {
        values.insert(why.name().to_owned(), json!(count));
    }
    let (of_all, of_errors) = (
        share(all, seen.survey.packets),
        share(errors, seen.survey.packets),
    );
    if of_all < 0.3 && of_errors < 0.01 {
        return fine(
            "undecoded",
            "packets are understood down to their flow",
            values,
        );
    }
    Point {
        id: "undecoded",
        level: if of_all >= 0.9 { Level::Fault } else { Level::Warning },
        observed: format!("{all} packets ({}) belong to no flow; {}", percent(of_all), top.join(", ")),
        values,
        meaning: "These packets are in the dark: their mirror has an encapsulation or a link type that is not read, or their headers are damaged.",
        fix: "Look at one with `tshark -c 1 -V`. Where a mirror is encapsulated in a way that is missing here, please send us such a packet.".to_owned(),
    }
}

fn clock(seen: &Seen) -> Point {
    let survey = &seen.survey;
    let now_ns = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
        });
    let ahead = seen
        .progress
        .last_ns
        .is_some_and(|last| last > now_ns.saturating_add(DAY_NS));
    let values = values([
        ("backwards", json!(survey.backwards)),
        (
            "most_backwards_s",
            json!(survey.most_backwards_ns as f64 / 1e9),
        ),
        ("jumps", json!(seen.progress.clock_jumps)),
        ("before_1990", json!(survey.before_epoch)),
        ("in_the_future", json!(ahead)),
    ]);
    let back = share(survey.backwards, survey.packets);
    let mut said = Vec::new();
    if survey.before_epoch > 0 {
        said.push(format!(
            "{} packets are from before 1990",
            survey.before_epoch
        ));
    }
    if ahead {
        said.push("the last packet is more than a day in the future".to_owned());
    }
    if seen.progress.clock_jumps > 0 {
        said.push(format!(
            "time jumps by over an hour {} times",
            seen.progress.clock_jumps
        ));
    }
    // Several queues of one card are drained in turn: some disorder is normal.
    if back >= 0.01 && survey.most_backwards_ns > SECOND_NS / 10 {
        said.push(format!(
            "{} packets ({}) go back in time, by up to {:.1} s",
            survey.backwards,
            percent(back),
            survey.most_backwards_ns as f64 / 1e9
        ));
    }
    if said.is_empty() {
        return fine("clock", "packet times are in order", values);
    }
    Point {
        id: "clock",
        level: Level::Warning,
        observed: said.join("; "),
        values,
        meaning: "Alerts carry the packets' time, and what belongs together is found by it.",
        fix: "Set the capturing machine's clock (NTP); merge captures with `mergecap`, and give the files of several machines with --separate.".to_owned(),
    }
}

fn names(seen: &Seen) -> Point {
    let hellos = seen.verdicts.hellos;
    let values = values([
        ("client_hellos", json!(hellos.all)),
        ("without_name", json!(hellos.without_name)),
    ]);
    let share = share(hellos.without_name, hellos.all);
    if share < 0.2 || hellos.all < ENOUGH_HELLOS {
        return fine("names", "TLS clients say which server they want", values);
    }
    Point {
        id: "names",
        level: Level::Note,
        observed: format!(
            "{} of {} TLS client hellos ({}) carry no server name",
            hellos.without_name,
            hellos.all,
            percent(share)
        ),
        values,
        meaning: "Such a connection is known by the DNS look-up before it, its certificate (up to TLS 1.2) and its fingerprint only.",
        fix: "See that the sensor also sees the clients' DNS: mirror the port of the resolver, on the clients' side.".to_owned(),
    }
}

fn encrypted_names(seen: &Seen) -> Point {
    let hellos = seen.verdicts.hellos;
    let values = values([
        ("client_hellos", json!(hellos.all)),
        ("with_ech", json!(hellos.with_ech)),
    ]);
    let share = share(hellos.with_ech, hellos.all);
    if hellos.with_ech == 0 {
        return fine("ech", "no client hides the server's name (ECH)", values);
    }
    Point {
        id: "ech",
        level: Level::Note,
        observed: format!(
            "{} of {} TLS client hellos ({}) hide the server's name (ECH)",
            hellos.with_ech,
            hellos.all,
            percent(share)
        ),
        values,
        meaning: "The name in clear is that of a front; the true one is in the DNS look-up, if that can be seen.",
        fix: "Where policy allows: answer HTTPS (type 65) look-ups without their `ech` parameter at your resolver, and block DNS over HTTPS to others.".to_owned(),
    }
}

fn unknown_protocols(seen: &Seen) -> Point {
    let mut ports: Vec<(&(&'static str, u16), &Unknown)> = seen.flows.unknown.iter().collect();
    ports.sort_by(|a, b| b.1.octets.cmp(&a.1.octets).then(a.0.cmp(b.0)));
    let unknown: u64 = ports.iter().map(|(_, unknown)| unknown.octets).sum();
    let top: Vec<Value> = ports
        .iter()
        .take(TOP)
        .map(|((transport, port), unknown)| {
            json!({"transport": transport, "port": port, "flows": unknown.flows, "bytes": unknown.octets})
        })
        .collect();
    let values = values([
        ("bytes", json!(seen.flows.octets)),
        ("unknown_bytes", json!(unknown)),
        ("top", json!(top)),
    ]);
    let share = share(unknown, seen.flows.octets);
    if share < 0.02 {
        return fine(
            "unknown_protocols",
            "the protocols of nearly all traffic are known",
            values,
        );
    }
    let most: Vec<String> = ports
        .iter()
        .take(TOP)
        .map(|((transport, port), unknown)| {
            format!(
                "{transport}/{port} {} in {} flows",
                octets(unknown.octets),
                unknown.flows
            )
        })
        .collect();
    Point {
        id: "unknown_protocols",
        level: Level::Note,
        observed: format!(
            "{} of the octets are of protocols without a decoder: {}",
            percent(share),
            most.join(", ")
        ),
        values,
        meaning: "They are counted, and known by addresses and names only.",
        fix: "Learn what they are; a remote control on a port of its own stands out here."
            .to_owned(),
    }
}

fn filter(seen: &Seen) -> Option<Point> {
    let missed = seen.missed_by_filter?;
    let values = values([
        ("taken", json!(missed.taken)),
        ("tagged_not_taken", json!(missed.tagged)),
    ]);
    if missed.tagged == 0 {
        return Some(fine(
            "filter",
            "the filter leaves out no VLAN tagged packet",
            values,
        ));
    }
    Some(Point {
        id: "filter",
        level: Level::Warning,
        observed: format!(
            "the filter leaves out {} packets with VLAN tags, and takes {} in all",
            missed.tagged, missed.taken
        ),
        values,
        meaning: "A filter looks at the frame as it is: behind a tag, `port 443` matches nothing.",
        fix: "Write `(FILTER) or (vlan and FILTER)`; for two tags `or (vlan and vlan and FILTER)`."
            .to_owned(),
    })
}

fn table(seen: &Seen) -> Option<Point> {
    let count = seen.counters.evictions;
    (count > 0).then(|| Point {
        id: "flow_table",
        level: Level::Warning,
        observed: format!("{count} flows left early because the table was full"),
        values: values([("evictions", json!(count))]),
        meaning: "A flow that left may be counted twice, and a session in it is not followed to its end.",
        fix: "A scan or a flood fills the table; if it is ordinary traffic, spread it over several sensors.".to_owned(),
    })
}

fn fine(id: &'static str, observed: &str, values: Map<String, Value>) -> Point {
    Point {
        id,
        level: Level::Ok,
        observed: observed.to_owned(),
        values,
        meaning: "",
        fix: String::new(),
    }
}

fn values<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

fn percent(share: f64) -> impl Display {
    let digits = if share < 0.0995 { 1 } else { 0 };
    format!("{:.digits$} %", share * 100.0)
}

fn octets(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} octets"),
        10_000..10_000_000 => format!("{} kB", count / 1_000),
        _ => format!("{} MB", count / 1_000_000),
    }
}

fn vlan_text(vlan: &[u16]) -> String {
    match vlan {
        [] => "untagged".to_owned(),
        [one] => format!("VLAN {one}"),
        several => format!(
            "VLAN {}",
            several
                .iter()
                .map(u16::to_string)
                .collect::<Vec<_>>()
                .join(".")
        ),
    }
}

/// Below this a share says little.
const ENOUGH_FLOWS: u64 = 10;
const ENOUGH_HELLOS: u64 = 10;
/// Unknown protocols that are named.
const TOP: usize = 5;
const SECOND_NS: i64 = 1_000_000_000;
const DAY_NS: i64 = 86_400 * SECOND_NS;
