//! Third-party captures whose truth is known: `TERRIER_CORPUS` names a folder with `truth.tsv`. Their licences do not let us
//! ship them; without the variable these tests say so and pass.
//!
//! A row of the table has the capture's path, topic, number of packets, and facts as `key=value;key=value`, where `\xNN`
//! stands for a character. Other sensors agree on each fact, so a value that is missed here is our fault.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Ran, assert_none, detections, of_kind, run, skip};

#[test]
fn packets_are_counted_exactly_and_no_capture_has_a_fault() {
    let Some(corpus) = Corpus::open() else { return };
    let mut wrong = Vec::new();
    for row in &corpus.rows {
        let ran = corpus.read(row, 1);
        if ran.code != Some(0) {
            wrong.push(format!("{}: exit {:?}, {}", row.file, ran.code, ran.stderr));
            continue;
        }
        let stats = ran.stats();
        let fault = &stats["captures"][0]["fault"];
        if stats["packets"] != row.packets || !fault.is_null() {
            let packets = &stats["packets"];
            wrong.push(format!(
                "{}: {packets} of {}, {fault}",
                row.file, row.packets
            ));
        }
    }
    assert_none(&wrong);
}

#[test]
fn captures_without_a_reason_for_an_alarm_are_silent() {
    let Some(corpus) = Corpus::open() else { return };
    let mut score = Score::default();
    for row in &corpus.rows {
        if row
            .facts
            .contains(&("expect".to_owned(), "none".to_owned()))
        {
            let loud = loud(&corpus.read(row, 1).records());
            score.count(loud.is_empty(), || format!("{}: {loud:?}", row.file));
        }
    }
    score.at_least(95);
}

#[test]
fn handshakes_are_understood() {
    let Some(corpus) = Corpus::open() else { return };
    let mut score = Score::default();
    let understood = corpus
        .rows
        .iter()
        // Encapsulations and proxied protocols have no decoder yet.
        .filter(|row| !["encap", "proxy"].contains(&row.topic.as_str()));
    for row in understood {
        let seen = Seen::new(&corpus.read(row, 1).records());
        for (key, value) in &row.facts {
            if KINDS.contains(&key.as_str()) {
                score.count(seen.has(key, value), || {
                    format!("{}: {key}={value:?}, saw {:?}", row.file, seen.values(key))
                });
            }
        }
    }
    score.at_least(90);
}

#[test]
fn every_session_that_controls_a_desktop_is_found() {
    let Some(corpus) = Corpus::open() else { return };
    let mut tried = 0;
    let mut wrong = Vec::new();
    for row in &corpus.rows {
        for (key, value) in &row.facts {
            let wanted = value.split(',').flat_map(|expected| match expected {
                "vnc.session" => Some(VNC),
                "rdp.session" => Some(RDP),
                _ => None,
            });
            for answers in wanted.filter(|_| key == "expect") {
                tried += 1;
                let found = detections(&corpus.read(row, 1).records());
                if !answers.iter().any(|&answer| found.contains(answer)) {
                    wrong.push(format!("{}: {value} wanted, found {found:?}", row.file));
                }
            }
        }
    }
    assert!(tried > 0, "the table wants no session");
    assert_none(&wrong);
}

#[test]
fn the_answer_is_the_same_with_any_number_of_workers() {
    let Some(corpus) = Corpus::open() else { return };
    let mut wrong = Vec::new();
    for row in &corpus.rows {
        let one = corpus.read(row, 1);
        for workers in [2, 4] {
            if corpus.read(row, workers).stdout != one.stdout {
                wrong.push(format!("{}: {workers} workers", row.file));
            }
        }
    }
    assert_none(&wrong);
}

struct Corpus {
    folder: PathBuf,
    rows: Vec<Row>,
}

struct Row {
    file: String,
    topic: String,
    packets: u64,
    facts: Vec<(String, String)>,
}

impl Corpus {
    /// The corpus, if there is one.
    fn open() -> Option<Self> {
        let Some(folder) = crate::support::corpus() else {
            skip("TERRIER_CORPUS names no folder of captures with a truth.tsv");
            return None;
        };
        let path = folder.join("truth.tsv");
        let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.lines();
        let head: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
        let rows: Vec<Row> = lines.map(|line| Row::new(&head, line)).collect();
        assert!(!rows.is_empty(), "{}: no rows", path.display());
        Some(Self { folder, rows })
    }

    fn read(&self, row: &Row, workers: u16) -> Ran {
        let path = self.folder.join(&row.file);
        let path = path.to_str().expect("a path in UTF-8");
        let emit = "alert,observation,stats";
        let workers = workers.to_string();
        run([
            "read",
            "--json",
            "--emit",
            emit,
            "--workers",
            &workers,
            path,
        ])
    }
}

impl Row {
    fn new(head: &[&str], line: &str) -> Self {
        let fields: BTreeMap<&str, &str> = head.iter().copied().zip(line.split('\t')).collect();
        let field = |name: &str| {
            *fields
                .get(name)
                .unwrap_or_else(|| panic!("truth.tsv: no {name} in {line}"))
        };
        Self {
            file: field("file").to_owned(),
            topic: field("topic").to_owned(),
            packets: field("packets").parse().expect("packets is a number"),
            facts: field("facts")
                .split(';')
                .filter_map(|pair| pair.split_once('='))
                .map(|(key, value)| (key.trim().to_owned(), unescaped(value.trim())))
                .collect(),
        }
    }
}

/// What one run told, in the words of the table, each with the flows that told it.
struct Seen(BTreeMap<(&'static str, String), BTreeSet<String>>);

impl Seen {
    fn new(records: &[Value]) -> Self {
        let mut seen = Self(BTreeMap::new());
        for record in of_kind(records.to_vec(), "observation") {
            let flow = record["flow"]["id"].to_string();
            let mut add = |key: &'static str, value: Option<String>| {
                if let Some(value) = value.filter(|value| !value.is_empty()) {
                    let flows = seen.0.entry((key, value)).or_default();
                    flows.insert(flow.clone());
                }
            };
            match record["protocol"].as_str().unwrap_or_default() {
                "dns" => add(
                    "dns_q",
                    text(&record["dns"]["query"]).map(|name| host(&name)),
                ),
                "tls" => {
                    let body = &record["tls"];
                    add("sni", text(&body["server_name"]));
                    add("ja3", text(&body["ja3"]));
                    add("ja4", text(&body["ja4"]));
                }
                "quic" => {
                    let body = &record["quic"];
                    add("quic_sni", text(&body["server_name"]));
                    add("quic_ja3", text(&body["ja3"]));
                    add("quic_ja4", text(&body["ja4"]));
                }
                "rfb" => {
                    let body = &record["rfb"];
                    add("rfb_server_version", text(&body["server_version"]));
                    add("rfb_client_version", text(&body["client_version"]));
                    add(
                        "rfb_security",
                        text(&body["security_type"]).map(|name| squashed(&name)),
                    );
                    add("rfb_security", text(&body["security_type_code"]));
                    add("rfb_auth_result", text(&body["auth"]["result"]));
                    add("rfb_desktop", text(&body["desktop_name"]));
                }
                "rdp" => {
                    let body = &record["rdp"];
                    add(
                        "rdp_cookie",
                        text(&body["cookie"]).map(|name| name.trim().to_owned()),
                    );
                    add("rdp_selected", text(&body["selected"]));
                    add("rdp_failure", text(&body["failure"]["code"]));
                    add(
                        "rdp_requested",
                        body["requested"].as_array().map(|list| sorted(list)),
                    );
                }
                _ => {}
            }
        }
        seen
    }

    fn values(&self, key: &str) -> Vec<&str> {
        self.0
            .keys()
            .filter(|(kind, _)| *kind == key)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    fn has(&self, key: &str, wanted: &str) -> bool {
        let values = self.values(key);
        let has = |value: &str| values.contains(&value);
        match key {
            // `name@2`: in two flows.
            "sni" => {
                let (name, count) = wanted
                    .rsplit_once('@')
                    .map_or((wanted, None), |(name, count)| (name, count.parse().ok()));
                let flows = self
                    .0
                    .iter()
                    .find(|((kind, value), _)| *kind == "sni" && value == name)
                    .map(|(_, flows)| flows.len());
                flows.is_some_and(|flows| count.is_none_or(|count: usize| count == flows))
            }
            "dns_q" => has(&host(wanted)),
            "rfb_security" => RFB_TYPES
                .iter()
                .find(|(word, _)| *word == wanted)
                .map_or(&[wanted][..], |(_, names)| names)
                .iter()
                .any(|name| has(name)),
            "rfb_auth_result" => has(if wanted == "ok" {
                "accepted"
            } else {
                "refused"
            }),
            // Odd octets of a name may be written in many ways: its longest run of letters must be there.
            "rfb_desktop" => {
                let run = longest_printable(wanted);
                run.is_empty() || values.iter().any(|value| value.contains(run))
            }
            "rdp_selected" => has(rdp_protocol(wanted)),
            "rdp_requested" => {
                let mut wanted: Vec<&str> = wanted.split('+').map(rdp_protocol).collect();
                wanted.sort_unstable();
                has(&wanted.join("+"))
            }
            "rdp_cookie" => has(wanted.trim()),
            _ => has(wanted),
        }
    }
}

/// Counts what was right, and keeps what was not.
#[derive(Default)]
struct Score {
    right: usize,
    wrong: Vec<String>,
}

impl Score {
    fn count(&mut self, right: bool, wrong: impl FnOnce() -> String) {
        if right {
            self.right += 1;
        } else {
            self.wrong.push(wrong());
        }
    }

    #[track_caller]
    fn at_least(self, percent: usize) {
        let all = self.right + self.wrong.len();
        assert!(all > 0, "the table wants nothing of this kind");
        let told = format!("{} of {all}", self.right);
        tell(&told);
        assert!(
            100 * self.right >= percent * all,
            "{told}, and {percent} % are wanted; wrong:\n{}",
            self.wrong.join("\n")
        );
    }
}

/// Alerts of severity low and more, of the classes that hunt.
fn loud(records: &[Value]) -> BTreeSet<String> {
    let mut alerts = of_kind(records.to_vec(), "alert");
    alerts.retain(|alert| alert["severity"] != "info");
    let mut found = detections(&alerts);
    found.retain(|id| {
        let class = id.split('.').next().unwrap_or_default();
        HUNTING.contains(&class)
    });
    found
}

/// The table's word for a protocol of RDP in the word of a record.
fn rdp_protocol(word: &str) -> &str {
    RDP_PROTOCOLS
        .iter()
        .find(|(theirs, _)| *theirs == word)
        .map_or(word, |(_, ours)| ours)
}

fn sorted(list: &[Value]) -> String {
    let mut words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    words.sort_unstable();
    words.join("+")
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn host(name: &str) -> String {
    name.trim_end_matches('.').to_lowercase()
}

fn squashed(name: &str) -> String {
    let kept = name.chars().filter(|letter| letter.is_alphanumeric());
    kept.collect::<String>().to_lowercase()
}

fn longest_printable(name: &str) -> &str {
    name.split(|letter: char| !(' '..='~').contains(&letter))
        .map(str::trim)
        .max_by_key(|run| run.len())
        .unwrap_or_default()
}

/// `\xNN` is the character of that number.
fn unescaped(value: &str) -> String {
    let mut parts = value.split("\\x");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        match u8::from_str_radix(digits, 16) {
            Ok(octet) => result.push(char::from(octet)),
            Err(_) => result.push_str(digits),
        }
        result.push_str(rest);
    }
    result
}

/// Shown with `--no-capture`: how far above the bar it is.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is told")]
fn tell(told: &str) {
    eprintln!("{told}");
}

/// The facts that count here: what this version has decoders for.
const KINDS: [&str; 13] = [
    "sni",
    "dns_q",
    "ja3",
    "ja4",
    "rfb_server_version",
    "rfb_client_version",
    "rfb_security",
    "rfb_auth_result",
    "rfb_desktop",
    "rdp_cookie",
    "rdp_requested",
    "rdp_selected",
    "rdp_failure",
];
const HUNTING: [&str; 9] = [
    "tunnel",
    "vnc",
    "rdp",
    "remote",
    "vpn",
    "anonymizer",
    "webshell",
    "lateral",
    "transfer",
];
/// What answers a wanted session: any finding that says that it came to be.
const VNC: &[&str] = &[
    "vnc.session",
    "vnc.exposed",
    "vnc.no_auth",
    "vnc.reverse",
    "vnc.outbound",
    "vnc.odd_port",
];
const RDP: &[&str] = &[
    "rdp.session",
    "rdp.exposed",
    "rdp.no_nla",
    "rdp.odd_port",
    "rdp.outbound",
];
/// The table's word for a security type, and how a record may spell it (in small letters and digits).
const RFB_TYPES: [(&str, &[&str]); 8] = [
    ("none", &["none", "1"]),
    ("vnc", &["vncauth", "2"]),
    ("ard", &["ard", "30"]),
    ("tight", &["tight", "16"]),
    ("ultra", &["ultra", "17"]),
    ("tls", &["tls", "18"]),
    ("vencrypt", &["vencrypt", "19"]),
    ("mac_osx", &["macosx", "35"]),
];
const RDP_PROTOCOLS: [(&str, &str); 6] = [
    ("rdp", "RDP"),
    ("ssl", "TLS"),
    ("hybrid", "CredSSP"),
    ("rdstls", "RDSTLS"),
    ("hybrid_ex", "CredSSP_EX"),
    ("rdsaad", "RDSAAD"),
];

#[test]
fn values_of_the_table_are_unescaped() {
    assert_eq!(unescaped(r"FTBCO\x5cA70"), r"FTBCO\A70");
    assert_eq!(unescaped(r"\x00\x02x\xa0"), "\0\u{2}x\u{a0}");
    assert_eq!(longest_printable("\0\u{2}a\u{1}MacMini SSD"), "MacMini SSD");
}
