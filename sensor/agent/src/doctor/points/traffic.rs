//! What the packets are: whose, when, and of which protocol.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{ENOUGH_FLOWS, Level, Point, fine, percent, share, values};
use crate::doctor::{Seen, Unknown};

pub(super) fn home_networks(seen: &Seen) -> Point {
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

pub(super) fn undecoded(seen: &Seen) -> Point {
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

pub(super) fn clock(seen: &Seen) -> Point {
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

pub(super) fn names(seen: &Seen) -> Point {
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

pub(super) fn encrypted_names(seen: &Seen) -> Point {
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

pub(super) fn unknown_protocols(seen: &Seen) -> Point {
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

pub(super) fn filter(seen: &Seen) -> Option<Point> {
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

pub(super) fn table(seen: &Seen) -> Option<Point> {
    let count = seen.counters.evictions;
    (count > 0).then(|| Point {
        id: "flow_table",
        level: Level::Warning,
        observed: format!("{count} flows left early because the table was full"),
        values: values([("evictions", json!(count))]),
        meaning: "A flow that left may be counted twice, and a session in it is not followed to its end.",
        fix: "A scan or a flood fills the table; if it is ordinary traffic, raise `--memory-limit` or spread it over several sensors.".to_owned(),
    })
}

fn octets(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} octets"),
        10_000..10_000_000 => format!("{} kB", count / 1_000),
        _ => format!("{} MB", count / 1_000_000),
    }
}

/// Below this a share says little.
const ENOUGH_HELLOS: u64 = 10;
/// Unknown protocols that are named.
const TOP: usize = 5;
const SECOND_NS: i64 = 1_000_000_000;
const DAY_NS: i64 = 86_400 * SECOND_NS;
