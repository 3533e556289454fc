//! What was read, what stayed dark, and the verdict.

use std::collections::BTreeMap;

use terrier_engine::detect::Severity;

use super::kept::Tally;
use super::look::{Page, bold, coloured, count, day, dim, duration, number, octets, plain, span};
use crate::stats::Stats;

/// What was read and what of it was understood, in a line each; what was not, only where there is something to say.
pub(super) fn overview(page: &mut Page, stats: &Stats) {
    let entry = |page: &mut Page, label: &str, text: String| {
        page.paragraph(dim(label), LABELS, &[plain(text)]);
    };
    let mut read = format!(
        "{}: {}, {}",
        captures(page, stats),
        count(stats.packets, "packet"),
        octets(stats.bytes)
    );
    let left_out: Vec<(&str, u64)> = stats
        .left_out
        .iter()
        .map(|(&why, &packets)| (why, packets))
        .collect();
    let sum: u64 = left_out.iter().map(|&(_, packets)| packets).sum();
    if sum > 0 {
        read.push_str(&format!(
            "; {} more left out ({})",
            number(sum),
            causes(left_out)
        ));
    }
    entry(page, "Read", read);
    if let (Some(first), Some(last)) = (stats.first_seen, stats.last_seen) {
        let text = format!(
            "{} UTC ({})",
            span(first.0, last.0, None),
            duration(last.0.saturating_sub(first.0))
        );
        entry(page, "Time", text);
    }
    entry(page, "Seen", seen(stats));
    let dark = dark(stats);
    if !dark.is_empty() {
        entry(page, "Dark", dark.join("; "));
    }
    let faults: Vec<&str> = stats
        .captures
        .iter()
        .filter_map(|capture| capture.fault.as_deref())
        .collect();
    for fault in faults.iter().take(MAX_FAULTS) {
        let text = page.look.whole(fault);
        page.paragraph(coloured(Severity::Medium, "Fault"), LABELS, &[plain(text)]);
    }
    if let Some(more) = faults
        .len()
        .checked_sub(MAX_FAULTS)
        .filter(|&more| more > 0)
    {
        let text = format!("and {more} more: --json --emit stats lists them");
        page.paragraph(plain(""), LABELS, &[plain(text)]);
    }
}

/// How many findings on how many hosts. Where there are none, what they would have been found in.
pub(super) fn verdict(page: &mut Page, tally: &Tally, stats: &Stats) {
    let findings = tally.findings();
    let leads = match tally.leads {
        0 => String::new(),
        leads => format!("; {}", count(leads, "lead")),
    };
    if findings == 0 {
        let text = format!("0 findings{}{leads}", looked_at(stats));
        page.paragraph(plain(""), 0, &[bold(text)]);
        return;
    }
    let by_severity = Severity::ALL.iter().zip(&tally.findings).rev();
    let counts: Vec<(Severity, u64)> = by_severity
        .filter(|&(_, &count)| count > 0)
        .map(|(&severity, &count)| (severity, count))
        .collect();
    let mut text = vec![bold(format!(
        "{} on {}: ",
        count(findings, "finding"),
        count(tally.hosts.len() as u64, "host")
    ))];
    for (at, &(severity, count)) in counts.iter().enumerate() {
        if at > 0 {
            text.push(plain(", "));
        }
        let text_of = match findings {
            1 => severity.name().to_owned(),
            _ => format!("{} {}", number(count), severity.name()),
        };
        text.push(coloured(severity, text_of));
    }
    text.push(bold(leads));
    page.paragraph(plain(""), 0, &text);
}

/// The captures by name while they are few, else by the folder of them all.
fn captures(page: &Page, stats: &Stats) -> String {
    let paths: Vec<&str> = stats
        .captures
        .iter()
        .map(|capture| &*capture.path)
        .collect();
    if paths.len() > MAX_NAMED {
        let folder = match folder_of_all(&paths) {
            "" => String::new(),
            folder => format!(" in {}", page.look.whole(folder)),
        };
        return format!("{} captures{folder}", number(paths.len() as u64));
    }
    let names: Vec<String> = paths.iter().map(|path| page.look.whole(path)).collect();
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}

/// The folder that all paths lie in, with its slash; empty where there is none.
pub(super) fn folder_of_all<'a>(paths: &[&'a str]) -> &'a str {
    let Some((&first, others)) = paths.split_first() else {
        return "";
    };
    let mut folder = first;
    loop {
        folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        let Some(with_slash) = first.get(..folder.len() + 1) else {
            return "";
        };
        if with_slash.ends_with('/') && others.iter().all(|path| path.starts_with(with_slash)) {
            return with_slash;
        }
        if folder.is_empty() {
            return "";
        }
    }
}

fn seen(stats: &Stats) -> String {
    let mut text = count(stats.flows, "flow");
    let sessions = by_size(&stats.sessions);
    if sessions.is_empty() {
        text.push_str("; no session of a known protocol");
    } else {
        let sessions: Vec<String> = sessions
            .iter()
            .map(|&(protocol, count)| format!("{} {}", number(count), name(protocol)))
            .collect();
        text.push_str("; sessions: ");
        text.push_str(&sessions.join(", "));
    }
    let layers: Vec<String> = by_size(&stats.encapsulations)
        .iter()
        .map(|&(layer, packets)| format!("{} in {}", name(layer), count(packets, "packet")))
        .collect();
    if !layers.is_empty() {
        text.push_str("; ");
        text.push_str(&layers.join(", "));
    }
    text
}

/// What the sensor could not see.
fn dark(stats: &Stats) -> Vec<String> {
    let mut dark = Vec::new();
    let lost: u64 = stats.drops.values().sum();
    if lost > 0 {
        let stages: Vec<&str> = stats.drops.keys().copied().collect();
        dark.push(format!(
            "{} lost ({})",
            count(lost, "packet"),
            stages.join(", ")
        ));
    }
    let errors = stats.decode_errors.iter();
    let (sessions, packets): (Vec<_>, Vec<_>) = errors
        .map(|(why, &count)| (why.as_str(), count))
        .partition(|(why, _)| why.contains(": "));
    for (errors, noun) in [(packets, "packet"), (sessions, "session")] {
        let sum: u64 = errors.iter().map(|&(_, count)| count).sum();
        if sum > 0 {
            dark.push(format!(
                "{} not decoded ({})",
                count(sum, noun),
                causes(errors)
            ));
        }
    }
    // Some ARP and ICMP is everywhere; a mirror in a wrapping that is not read is nothing else.
    let other: u64 = stats.ignored.values().sum();
    if other.saturating_mul(100) / stats.packets.max(1) >= MIN_OTHER {
        let causes = causes(
            stats
                .ignored
                .iter()
                .map(|(&why, &count)| (why, count))
                .collect(),
        );
        dark.push(format!(
            "{} of other protocols ({causes})",
            count(other, "packet")
        ));
    }
    if stats.gaps > 0 {
        dark.push(format!("{} in streams", count(stats.gaps, "gap")));
    }
    // Some flows of any capture are one-sided: a scan that nobody answers, a flow that its end cuts.
    let share = stats.one_sided_flows.saturating_mul(100) / stats.flows.max(1);
    if share >= MIN_ONE_SIDED {
        dark.push(format!("{share}% of flows one-sided"));
    }
    if stats.duplicates > 0 {
        dark.push(count(stats.duplicates, "duplicate"));
    }
    if stats.evictions > 0 {
        dark.push(format!(
            "{} left early, the table was full",
            count(stats.evictions, "flow")
        ));
    }
    if let Some(&given_up) = stats.given_up.get("sessions") {
        dark.push(format!(
            "{} not read on, memory was short",
            count(given_up, "session")
        ));
    }
    if stats.clock_jumps > 0 {
        dark.push(format!(
            "{} of over an hour in packet time",
            count(stats.clock_jumps, "jump")
        ));
    }
    dark
}

/// The most frequent causes, in words.
fn causes(mut errors: Vec<(&str, u64)>) -> String {
    errors.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let more = errors.len() > MAX_CAUSES;
    let mut causes: Vec<String> = errors
        .iter()
        .take(MAX_CAUSES)
        .map(|(cause, _)| cause.replace('_', " "))
        .collect();
    if more {
        causes.push("...".to_owned());
    }
    causes.join(", ")
}

/// What findings would have been found in: remote control is named even where there was none of it.
fn looked_at(stats: &Stats) -> String {
    if stats.packets == 0 {
        return ": there were no packets to look at".to_owned();
    }
    if stats.sessions.values().sum::<u64>() == 0 {
        return ", but nothing to find them in: no session of a known protocol".to_owned();
    }
    let mut sessions = stats.sessions.clone();
    for control in ["rfb", "rdp"] {
        sessions.entry(control).or_default();
    }
    let mut parts: Vec<String> = by_size(&sessions)
        .iter()
        .map(|&(protocol, count)| format!("{} {}", number(count), name(protocol)))
        .collect();
    let last = parts.pop().unwrap_or_default();
    format!(" in {} and {last} sessions", parts.join(", "))
}

fn by_size(counts: &BTreeMap<&'static str, u64>) -> Vec<(&'static str, u64)> {
    let mut sorted: Vec<(&'static str, u64)> =
        counts.iter().map(|(&key, &count)| (key, count)).collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    sorted
}

/// A protocol as people write it.
fn name(protocol: &str) -> String {
    match protocol {
        "mdns" => "mDNS".to_owned(),
        "rfb" => "VNC".to_owned(),
        "qinq" => "QinQ".to_owned(),
        other => other.to_ascii_uppercase(),
    }
}

/// The day all of a capture lies in, which its times then need not repeat.
pub(super) fn only_day(stats: &Stats) -> Option<String> {
    let (first, last) = (stats.first_seen?, stats.last_seen?);
    (day(first.0) == day(last.0)).then(|| day(first.0))
}

/// Where the text behind the labels begins.
const LABELS: usize = 7;
/// Captures that are named.
const MAX_NAMED: usize = 3;
/// Faults of captures that are told.
const MAX_FAULTS: usize = 5;
/// Reasons for undecoded packets that are told.
const MAX_CAUSES: usize = 4;
/// Share in percent of packets that are neither TCP nor UDP from which it is told.
const MIN_OTHER: u64 = 10;
/// Share of one-sided flows in percent from which the tap is to be doubted.
const MIN_ONE_SIDED: u64 = 5;
