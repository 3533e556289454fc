//! Who may import what: the table of ARCHITECTURE.md, compared with the `use` lines and the manifests.
//!
//! Data flows one way, capture to output; a module that imports what comes after it can no longer be tested alone.

use std::collections::BTreeSet;
use std::fs;

use super::{Source, sources};
use crate::support::{assert_none, root};

/// What a part of the tree may name of a crate. Tests may name more: they have to make what they feed.
struct Rule {
    /// Path, from the repository, that the files of the part begin with.
    part: &'static str,
    /// Which crate is meant: `crate`, `terrier_wire`, `terrier_engine`.
    of: &'static str,
    /// What may stand behind it.
    may: &'static [&'static str],
}

const fn rule(part: &'static str, of: &'static str, may: &'static [&'static str]) -> Rule {
    Rule { part, of, may }
}

const RULES: &[Rule] = &[
    rule("sensor/wire/src/", "terrier_engine", &[]),
    // Who talks to whom; it knows no protocol.
    rule(
        "sensor/engine/src/flow/",
        "crate",
        &["flow", "observation", "prefetch"],
    ),
    rule(
        "sensor/engine/src/flow/",
        "terrier_wire",
        &["link", "net", "transport", "Side"],
    ),
    rule("sensor/engine/src/reassembly/", "crate", &["reassembly"]),
    rule(
        "sensor/engine/src/reassembly/",
        "terrier_wire",
        &["link", "net", "transport"],
    ),
    // Messages to facts; it has no opinion.
    rule(
        "sensor/engine/src/protocol/",
        "crate",
        &["observation", "protocol"],
    ),
    // The narrow waist.
    rule("sensor/engine/src/observation/", "crate", &[]),
    rule(
        "sensor/engine/src/observation/",
        "terrier_wire",
        &["Side", "dns", "tls"],
    ),
    // Opinions read facts and signatures only, so that they are tested without a packet.
    rule("sensor/engine/src/signature/", "crate", &["signature"]),
    rule("sensor/engine/src/signature/", "terrier_wire", &[]),
    rule(
        "sensor/engine/src/detect/",
        "crate",
        &["detect", "home", "observation", "signature"],
    ),
    rule("sensor/engine/src/detect/", "terrier_wire", &[]),
    rule(
        "sensor/engine/src/alert/",
        "crate",
        &["alert", "detect", "home", "record"],
    ),
    rule("sensor/engine/src/alert/", "terrier_wire", &[]),
    rule("sensor/engine/src/home.rs", "crate", &[]),
    rule("sensor/engine/src/home.rs", "terrier_wire", &[]),
    rule(
        "sensor/engine/src/names.rs",
        "crate",
        &["observation", "prefetch"],
    ),
    rule("sensor/engine/src/names.rs", "terrier_wire", &[]),
    rule(
        "sensor/engine/src/hosts.rs",
        "crate",
        &["home", "observation"],
    ),
    rule("sensor/engine/src/hosts.rs", "terrier_wire", &[]),
    // Nothing goes back from the judge to a worker.
    rule(
        "sensor/engine/src/worker.rs",
        "crate",
        &[
            "conversation",
            "counters",
            "flow",
            "limits",
            "observation",
            "packet",
            "prefetch",
            "protocol",
            "reassembly",
        ],
    ),
    rule(
        "sensor/engine/src/conversation.rs",
        "crate",
        &["observation", "protocol", "reassembly"],
    ),
    rule(
        "sensor/engine/src/judge.rs",
        "crate",
        &[
            "alert",
            "counters",
            "detect",
            "home",
            "hosts",
            "limits",
            "names",
            "observation",
            "signature",
            "worker::Facts",
        ],
    ),
    rule("sensor/engine/src/judge.rs", "terrier_wire", &[]),
    rule("sensor/agent/src/", "terrier_wire", &[]),
    rule("sensor/agent/src/capture/", "crate", &["capture"]),
    rule(
        "sensor/agent/src/capture/",
        "terrier_engine",
        &["LinkType", "Packet", "Spread"],
    ),
    // The records and the words in them (an alert carries its finding); not how they were found.
    rule(
        "sensor/agent/src/output/",
        "terrier_engine",
        &[
            "Direction",
            "Sink",
            "alert",
            "detect::Confidence",
            "detect::Finding",
            "detect::Grade",
            "detect::NameSource",
            "detect::Reason",
            "detect::Severity",
            "detect::Subject",
            "observation",
            "record",
        ],
    ),
    rule("sensor/xtask/src/", "terrier_engine", &[]),
];

#[test]
fn modules_import_only_what_comes_before_them() {
    let sources = sources();
    let mut wrong = Vec::new();
    for rule in RULES {
        let mut files = 0;
        for source in sources
            .iter()
            .filter(|source| source.path.starts_with(rule.part))
        {
            files += 1;
            for name in named(&code(source), rule.of) {
                let allowed = rule
                    .may
                    .iter()
                    .any(|may| name == *may || name.starts_with(&format!("{may}::")));
                if !allowed {
                    let Rule { part, of, may } = rule;
                    wrong.push(format!(
                        "{}: {of}::{name}; of `{of}`, {part} may name {may:?}",
                        source.path
                    ));
                }
            }
        }
        assert!(files > 0, "{}: no such part; mend the table", rule.part);
    }
    assert_none(&wrong);
}

#[test]
fn no_module_climbs_out_of_its_folder() {
    // `super` in a folder's `mod.rs`, or twice, leads out of it past the table above.
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|source| source.path.starts_with("sensor/"))
        .filter(|source| {
            let climbs = code(source).contains("super::super::");
            let depth = source.path.matches('/').count();
            let leads_out = source.path.ends_with("/mod.rs") && depth == 4;
            climbs || leads_out && !named(&code(source), "super").is_empty()
        })
        .map(|source| source.path.clone())
        .collect();
    assert_none(&wrong);
}

#[test]
fn manifests_name_only_what_their_crate_may_touch() {
    let wire = dependencies("sensor/wire");
    let decoders = [
        "aes",
        "aes-gcm",
        "dns-parser",
        "etherparse",
        "hkdf",
        "flate2",
        "md-5",
        "memchr",
        "sha2",
        "tls-parser",
        "x509-parser",
    ];
    let other: Vec<_> = wire
        .iter()
        .filter(|name| !decoders.contains(&name.as_str()))
        .collect();
    assert!(
        other.is_empty(),
        "terrier-wire decodes octets, and needs no {other:?}"
    );

    let engine = dependencies("sensor/engine");
    for outside in [
        "clap", "hyper", "pcap", "rustix", "tokio", "terrier", "anyhow",
    ] {
        assert!(
            !engine.contains(outside),
            "terrier-engine does no I/O: {outside}"
        );
    }
    assert!(engine.contains("terrier-wire"));

    let agent = dependencies("sensor/agent");
    assert!(
        !agent.contains("terrier-wire"),
        "the agent knows no octets of a protocol"
    );

    let traffic = dependencies("sensor/traffic");
    let ours: Vec<_> = traffic
        .iter()
        .filter(|name| name.starts_with("terrier"))
        .collect();
    assert!(
        ours.is_empty(),
        "what is measured and checked with its captures must not have made them: {ours:?}"
    );

    let xtask = dependencies("sensor/xtask");
    for needs_libpcap in ["terrier", "terrier-engine", "terrier-wire", "pcap"] {
        assert!(
            !xtask.contains(needs_libpcap),
            "xtask installs what the workspace needs, so it must build without it: {needs_libpcap}"
        );
    }
}

fn dependencies(package: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(package).join("Cargo.toml")).expect("a manifest");
    let manifest: toml::Table = toml::from_str(&text).expect("a manifest");
    let table = manifest["dependencies"].as_table().expect("a table");
    table.keys().cloned().collect()
}

/// The file without comments and tests.
fn code(source: &Source) -> String {
    let is_test = ["/tests.rs", "/testing.rs", "/oracle.rs"];
    if source.path.contains("/tests/") || is_test.iter().any(|end| source.path.ends_with(end)) {
        return String::new();
    }
    let mut code = String::new();
    for (_, line) in source.code_lines() {
        // A module of tests is the last thing in a file.
        if line.starts_with("mod ") && line.ends_with('{') && code.ends_with("#[cfg(test)]\n") {
            break;
        }
        code.push_str(line);
        code.push('\n');
    }
    code
}

/// What stands behind `of::`: the first two words of each path, lists taken apart.
fn named(code: &str, of: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let start = format!("{of}::");
    for (at, _) in code.match_indices(&start) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || "_:".contains(letter)) {
            continue;
        }
        collect(&code[at + start.len()..], "", 2, &mut names);
    }
    names
}

/// Takes a path or a list of paths apart, as deep as so many words.
fn collect(text: &str, prefix: &str, depth: usize, names: &mut BTreeSet<String>) {
    if let Some(list) = text.strip_prefix('{') {
        for item in items(list) {
            collect(item.trim_start(), prefix, depth, names);
        }
        return;
    }
    let end = text
        .find(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if word.is_empty() {
        return;
    }
    let name = format!("{prefix}{word}");
    match rest.strip_prefix("::") {
        Some(rest) if depth > 1 => collect(rest, &format!("{name}::"), depth - 1, names),
        _ => {
            names.insert(name);
        }
    }
}

/// The parts of a list up to its closing brace.
fn items(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' => {
                items.push(&list[start..at]);
                return items;
            }
            ',' if depth == 0 => {
                items.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items
}

#[test]
fn paths_are_taken_apart() {
    let code = "use crate::{a, b::{c, d::e}};\nfn f() { crate::g::h(); not_crate::x(); }\n";
    let names = named(code, "crate");
    assert_eq!(Vec::from_iter(&names), ["a", "b::c", "b::d", "g::h"]);
}
