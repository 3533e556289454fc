//! What a sensor says of a capture, against the truth.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::truth::Truth;

/// What a sensor saw: of the records that Terrier writes, what a [`Truth`] speaks of.
#[derive(Debug, Default)]
pub struct Seen {
    packets: u64,
    octets: u64,
    flows: u64,
    sessions: BTreeMap<String, u64>,
    decode_errors: BTreeMap<String, u64>,
    tls: BTreeMap<String, u64>,
    /// Hellos inside RDP: their flows have told of RDP before.
    tls_in_rdp: u64,
    quic: BTreeMap<String, u64>,
    dns: u64,
    rdp: BTreeMap<String, u64>,
    rfb: BTreeMap<String, u64>,
    rdp_flows: BTreeSet<String>,
}

/// The parts of a record that are compared.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    protocol: Option<Cow<'a, str>>,
    #[serde(borrow)]
    flow: Option<Flow<'a>>,
    #[serde(borrow)]
    tls: Option<Named<'a>>,
    #[serde(borrow)]
    quic: Option<Named<'a>>,
    #[serde(borrow)]
    rfb: Option<Rfb<'a>>,
    #[serde(borrow)]
    rdp: Option<Rdp<'a>>,
}

#[derive(Deserialize)]
struct Flow<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    server_name: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Rfb<'a> {
    #[serde(borrow)]
    server_version: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Rdp<'a> {
    #[serde(borrow)]
    cookie: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Stats {
    packets: u64,
    bytes: u64,
    flows: u64,
    sessions: BTreeMap<String, u64>,
    #[serde(default)]
    decode_errors: BTreeMap<String, u64>,
}

impl Seen {
    /// Takes one record, as JSON. Alerts and flows are passed over.
    ///
    /// # Errors
    ///
    /// Where it is no record.
    pub fn record(&mut self, line: &[u8]) -> serde_json::Result<()> {
        let record: Line<'_> = serde_json::from_slice(line)?;
        match &*record.kind {
            "stats" => {
                let stats: Stats = serde_json::from_slice(line)?;
                self.packets = stats.packets;
                self.octets = stats.bytes;
                self.flows = stats.flows;
                self.sessions = stats.sessions;
                self.decode_errors = stats.decode_errors;
            }
            "observation" => self.observation(record),
            _ => {}
        }
        Ok(())
    }

    fn observation(&mut self, record: Line<'_>) {
        let flow = record.flow.map(|flow| flow.id).unwrap_or_default();
        let count = |counts: &mut BTreeMap<String, u64>, what: Option<Cow<'_, str>>| {
            let what = what.unwrap_or_default();
            match counts.get_mut(&*what) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(what.into_owned(), 1);
                }
            }
        };
        match record.protocol.as_deref() {
            Some("dns") => self.dns += 1,
            Some("tls") if self.rdp_flows.contains(&*flow) => self.tls_in_rdp += 1,
            Some("tls") => count(&mut self.tls, record.tls.and_then(|tls| tls.server_name)),
            Some("quic") => count(&mut self.quic, record.quic.and_then(|it| it.server_name)),
            Some("rfb") => count(&mut self.rfb, record.rfb.and_then(|it| it.server_version)),
            Some("rdp") => {
                count(&mut self.rdp, record.rdp.and_then(|rdp| rdp.cookie));
                self.rdp_flows.insert(flow.into_owned());
            }
            _ => {}
        }
    }

    /// What was seen, in words.
    pub fn in_words(&self) -> String {
        let names = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
        let mut words = format!("{} flows", self.flows);
        for (count, what) in [
            (
                names(&self.tls) + self.tls_in_rdp,
                "TLS hellos with their names",
            ),
            (names(&self.quic), "QUIC hellos with theirs"),
            (self.dns, "DNS transactions"),
            (names(&self.rdp), "RDP sessions"),
            (names(&self.rfb), "RFB sessions"),
        ] {
            if count > 0 {
                words += &format!(", {count} {what}");
            }
        }
        words
    }

    /// What differs from the truth, one line for each; nothing, one hopes.
    pub fn compare(&self, truth: &Truth) -> Vec<String> {
        let mut faults = Vec::new();
        let mut same = |what: &str, found: u64, there: u64| {
            if found != there {
                faults.push(format!("{what}: {found} were found, {there} are there"));
            }
        };
        same("packets", self.packets, truth.packets);
        same("octets", self.octets, truth.bytes);
        same("flows", self.flows, truth.distinct_flows());
        same("DNS transactions", self.dns, truth.dns_transactions());
        let rdp = truth.remote_of("rdp");
        same("TLS hellos inside RDP", self.tls_in_rdp, rdp.values().sum());
        for (protocol, there) in &truth.sessions {
            let found = self.sessions.get(protocol).copied().unwrap_or(0);
            same(&format!("sessions of {protocol}"), found, *there);
        }
        // Whoever vouches for the sessions wrote them without a fault.
        if let (false, Some((error, count))) = (
            truth.sessions.is_empty(),
            self.decode_errors.first_key_value(),
        ) {
            faults.push(format!("decode error: {error}: {count} times"));
        }
        faults.extend(differ("TLS server name", &self.tls, &truth.sni));
        faults.extend(differ("QUIC server name", &self.quic, &truth.quic_sni));
        faults.extend(differ("RDP cookie", &self.rdp, &rdp));
        let versions: BTreeMap<&str, u64> = truth
            .remote_of("vnc")
            .into_iter()
            .map(|(line, count)| (line.strip_prefix("RFB ").unwrap_or(line), count))
            .collect();
        faults.extend(differ("RFB version", &self.rfb, &versions));
        faults
    }
}

/// What of two counts differs, with an example.
fn differ<K: AsRef<str>>(
    what: &str,
    found: &BTreeMap<String, u64>,
    there: &BTreeMap<K, u64>,
) -> Option<String> {
    let found: BTreeMap<&str, u64> = found.iter().map(|(k, v)| (k.as_str(), *v)).collect();
    let there: BTreeMap<&str, u64> = there.iter().map(|(k, v)| (k.as_ref(), *v)).collect();
    let all: BTreeSet<&str> = found.keys().chain(there.keys()).copied().collect();
    let of = |counts: &BTreeMap<&str, u64>, name: &str| counts.get(name).copied().unwrap_or(0);
    let wrong: Vec<&str> = all
        .into_iter()
        .filter(|name| of(&found, name) != of(&there, name))
        .collect();
    let example = wrong.first()?;
    Some(format!(
        "{what}: {} differ; {example:?} was found {} times, and is there {} times",
        wrong.len(),
        of(&found, example),
        of(&there, example)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(lines: &[&str]) -> Seen {
        let mut seen = Seen::default();
        for line in lines {
            seen.record(line.as_bytes()).expect("a record");
        }
        seen
    }

    const LINES: [&str; 5] = [
        r#"{"kind":"observation","flow":{"id":"a"},"protocol":"tls","tls":{"server_name":"x.example"}}"#,
        r#"{"kind":"observation","flow":{"id":"b"},"protocol":"rdp","rdp":{"cookie":"u"}}"#,
        r#"{"kind":"observation","flow":{"id":"b"},"protocol":"tls","tls":{"server_name":"inside"}}"#,
        r#"{"kind":"observation","flow":{"id":"c"},"protocol":"rfb","rfb":{"server_version":"003.008"}}"#,
        r#"{"kind":"stats","packets":9,"bytes":900,"flows":3,"sessions":{"tls":1}}"#,
    ];

    fn truth() -> Truth {
        Truth {
            packets: 9,
            bytes: 900,
            flows_total: 3,
            sni: [("x.example".to_owned(), 1)].into(),
            remote: vec![
                ("rdp".to_owned(), "u".to_owned()),
                ("vnc".to_owned(), "RFB 003.008".to_owned()),
            ],
            sessions: [("tls".to_owned(), 1)].into(),
            ..Truth::default()
        }
    }

    #[test]
    fn what_is_there_and_seen_is_no_fault() {
        assert_eq!(seen(&LINES).compare(&truth()), Vec::<String>::new());
    }

    #[test]
    fn a_decode_error_in_what_has_no_fault_is_one() {
        let stats = r#"{"kind":"stats","packets":9,"bytes":900,"flows":3,"sessions":{"tls":1},"decode_errors":{"ssh: odd":2}}"#;
        let mut lines = LINES;
        lines[4] = stats;
        let faults = seen(&lines).compare(&truth());
        assert_eq!(faults, ["decode error: ssh: odd: 2 times"]);
    }

    #[test]
    fn each_difference_is_told() {
        let mut there = truth();
        there.packets = 10;
        there.dns_queries = 1;
        there.tunnels = vec![("dns".to_owned(), 5), ("icmp".to_owned(), 7)];
        there.sni = [("y.example".to_owned(), 1)].into();
        there.sessions.insert("quic".to_owned(), 2);
        let faults = seen(&LINES).compare(&there);
        assert_eq!(
            faults,
            [
                "packets: 9 were found, 10 are there",
                "DNS transactions: 0 were found, 6 are there",
                "sessions of quic: 0 were found, 2 are there",
                "TLS server name: 2 differ; \"x.example\" was found 1 times, and is there 0 times",
            ]
        );
    }
}
