//! The house rules that a compiler does not keep: who may import what, what lies where, what documents name.

mod imports;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{assert_none, manifest, root};

#[test]
fn no_file_is_too_long_to_be_read_at_once() {
    let wrong: Vec<String> = sources()
        .iter()
        .map(|source| (&source.path, source.text.lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(path, lines)| format!("{path}: {lines} lines of {MOST_LINES}"))
        .collect();
    assert_none(&wrong);
}

#[test]
fn nothing_is_left_to_do_in_the_code() {
    // Spelled in two parts, so that this file does not find itself.
    let unwanted = ["todo", "unimplemented"].map(|name| format!("{name}!("));
    let ignored = format!("#[{}", "ignore");
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in source.code_lines() {
            if unwanted
                .iter()
                .chain([&ignored])
                .any(|it| line.contains(it.as_str()))
            {
                wrong.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_capture_is_in_the_manifest_and_none_is_missing() {
    let listed: BTreeSet<String> = manifest::captures().iter().map(|row| row.path()).collect();
    let lies_there: BTreeSet<String> = files(&root().join("pcaps"))
        .iter()
        .map(|path| relative(path))
        .filter(|path| {
            [".pcap", ".pcapng"]
                .iter()
                .any(|suffix| path.contains(suffix))
        })
        .collect();
    assert_eq!(
        listed.len(),
        manifest::captures().len(),
        "a row is there twice"
    );
    assert_eq!(listed, lies_there);
}

#[test]
fn every_row_of_the_manifest_says_where_it_comes_from() {
    let wrong: Vec<String> = manifest::captures()
        .iter()
        .filter(|row| {
            row.made_with.is_empty()
                || row.shows.is_empty()
                || row.licence.is_empty()
                // One scenario may leave several captures.
                || !row.scenario.starts_with(&format!("{}/", row.folder()))
        })
        .map(|row| row.file.clone())
        .collect();
    assert_none(&wrong);
}

#[test]
fn every_finding_of_the_manifest_is_a_detection_by_its_form() {
    let mut wrong = Vec::new();
    for row in manifest::captures() {
        for id in row.findings.union(&row.later) {
            let mut words = id.split('.');
            let class = words.next().unwrap_or_default();
            if !CLASSES.contains(&class) || words.clone().count() == 0 || !words.all(is_word) {
                wrong.push(format!("{}: {id}", row.file));
            }
        }
        wrong.extend(
            row.findings
                .intersection(&row.later)
                .map(|id| format!("{}: {id} is found now and later", row.file)),
        );
    }
    assert_none(&wrong);
}

#[test]
fn every_signature_is_named_as_its_file_and_has_examples() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for path in files(&root().join("signatures")) {
        let shown = relative(&path);
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        count += 1;
        let text = fs::read_to_string(&path).expect("a file of ours");
        let file: toml::Table = toml::from_str(&text).expect("the engine's tests read it too");
        let class = path.parent().and_then(Path::file_name);
        let examples = |list: &str| {
            file["test"]
                .get(list)
                .and_then(|list| list.as_array())
                .map_or(0, Vec::len)
        };
        let id = file["id"].as_str().unwrap_or_default();
        if path.file_stem().is_none_or(|stem| stem != id) || !is_word(id) {
            wrong.push(format!("{shown}: its id is {id}"));
        }
        if file["class"].as_str().map(AsRef::as_ref) != class {
            wrong.push(format!("{shown}: its class is {}", file["class"]));
        }
        if examples("hits") == 0 || examples("misses") == 0 {
            wrong.push(format!("{shown}: no hit or no miss"));
        }
    }
    assert!(count > 0, "no signatures");
    assert_none(&wrong);
}

#[test]
fn every_fuzz_body_has_a_target_and_every_target_a_body() {
    let text = fs::read_to_string(root().join("sensor/wire/src/fuzzing/mod.rs")).expect("ours");
    let bodies: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub use ")?.strip_suffix(';'))
        .filter_map(|path| Some(path.rsplit_once("::")?.1.to_owned()))
        .collect();
    let manifest = fs::read_to_string(root().join("tests/fuzz/Cargo.toml")).expect("ours");
    let manifest: toml::Table = toml::from_str(&manifest).expect("a manifest");
    let bins = manifest["bin"].as_array().expect("targets");
    let names: BTreeSet<String> = bins
        .iter()
        .filter_map(|bin| Some(bin["name"].as_str()?.to_owned()))
        .collect();
    let targets: BTreeSet<String> = files(&root().join("tests/fuzz/fuzz_targets"))
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    assert!(!bodies.is_empty());
    assert_eq!(bodies, targets);
    assert_eq!(bodies, names);
}

#[test]
fn documents_name_no_missing_file() {
    let mut wrong = Vec::new();
    for path in files(&root()) {
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a document of ours");
        let folder = path.parent().expect("it lies in a folder");
        for target in links(&text) {
            if !folder.join(&target).exists() {
                wrong.push(format!("{}: ({target})", relative(&path)));
            }
        }
        for target in quoted_paths(&text) {
            // A document may name a file from the repository or from its own folder.
            if !root().join(&target).exists() && !folder.join(&target).exists() {
                wrong.push(format!("{}: `{target}`", relative(&path)));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_changelog_tells_of_this_version() {
    let text = fs::read_to_string(root().join("CHANGELOG.md")).expect("there is a changelog");
    let version = env!("CARGO_PKG_VERSION");
    let heading = |line: &str| {
        line.starts_with("## ") && (line.contains("Unreleased") || line.contains(version))
    };
    let entries = text
        .lines()
        .skip_while(|line| !heading(line))
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with("- "))
        .count();
    assert!(entries > 0, "no entry under Unreleased or {version}");
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    // Spelled in two parts, so that this file does not find itself.
    let unwanted = [
        ["/wo", "rk/"].concat(),
        ["/ho", "me/"].concat(),
        ["/ro", "ot/"].concat(),
    ];
    let mut wrong = Vec::new();
    for path in files(&root()) {
        // A capture is not text, and the lock file is not ours.
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            if unwanted.iter().any(|name| line.contains(name.as_str())) {
                wrong.push(format!(
                    "{}:{}: {}",
                    relative(&path),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    assert_none(&wrong);
}

/// A Rust file.
struct Source {
    /// From the repository.
    path: String,
    text: String,
}

impl Source {
    /// Lines without comments, with their numbers.
    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines
            .map(|(number, line)| (number + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// All Rust files.
fn sources() -> Vec<Source> {
    let sources: Vec<Source> = files(&root())
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| Source {
            path: relative(&path),
            text: fs::read_to_string(&path).expect("a source file of ours"),
        })
        .collect();
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

/// Every file below a folder, sorted; without what is built or belongs to git.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .flatten();
    for entry in entries {
        let path = entry.path();
        if BUILT.iter().any(|&name| entry.file_name() == name) {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.to_str()
        .expect("our files have names in ASCII")
        .to_owned()
}

/// The targets of links that lead to files.
fn links(text: &str) -> Vec<String> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or_default().to_owned())
        .filter(|target| !target.is_empty() && !target.contains(':'))
        .collect()
}

/// Paths in backquotes that begin in one of our folders and have no placeholder.
fn quoted_paths(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| OURS.iter().any(|folder| word.starts_with(folder)))
        .filter(|word| !word.contains(|letter: char| "<>*{} ".contains(letter)))
        .map(|word| word.trim_end_matches('/').to_owned())
        .collect()
}

/// A word of a detection's id.
fn is_word(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_')
}

const MOST_LINES: usize = 600;
const BUILT: [&str; 4] = ["target", ".git", "Cargo.lock", "node_modules"];
const OURS: [&str; 6] = [
    "sensor/",
    "signatures/",
    "pcaps/",
    "tests/",
    "deploy/",
    "docs/",
];
/// The classes of detections.
const CLASSES: [&str; 13] = [
    "tunnel",
    "vnc",
    "rdp",
    "remote",
    "vpn",
    "anonymizer",
    "proxy",
    "dns",
    "ssh",
    "webshell",
    "transfer",
    "lateral",
    "sensor",
];
