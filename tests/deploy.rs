//! Whether the files of `deploy/` are what the programs that read them take, and name metrics that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::support::{self, skip};

fn prometheus() -> PathBuf {
    support::root().join("deploy/prometheus")
}

/// Runs a checker in the folder of the rules; skips where it is not installed.
fn check(program: &str, package: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(prometheus())
        .output();
    let Ok(output) = output else {
        return skip(&format!(
            "{program} is not installed (Debian: apt-get install {package})"
        ));
    };
    assert!(
        output.status.success(),
        "{program} {}:\n{}{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_alerting_rules_are_valid() {
    check(
        "promtool",
        "prometheus",
        &["check", "rules", "terrier.rules.yml"],
    );
}

#[test]
fn each_alerting_rule_fires_when_it_should_and_only_then() {
    check(
        "promtool",
        "prometheus",
        &["test", "rules", "terrier.rules.test.yml"],
    );
}

#[test]
fn the_scrape_configuration_is_valid() {
    check("promtool", "prometheus", &["check", "config", "scrape.yml"]);
}

#[test]
fn every_rule_has_a_test() {
    let read = |name| fs::read_to_string(prometheus().join(name)).expect("it is in the repository");
    let (rules, tests) = (read("terrier.rules.yml"), read("terrier.rules.test.yml"));
    let untested: Vec<String> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .filter(|alert| {
            !tests
                .lines()
                .any(|line| line.trim() == format!("alertname: {alert}"))
        })
        .map(|alert| format!("{alert} has no test in which it fires"))
        .collect();
    support::assert_none(&untested);
}

#[test]
fn the_rules_name_metrics_that_exist() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("terrier.prom");
    let capture = "pcaps/vnc/tigervnc-no-password-from-internet.pcapng";
    support::run([
        "read",
        "--json",
        "--metrics-file",
        &file.display().to_string(),
        capture,
    ])
    .expect(0, &[]);
    let metrics = fs::read_to_string(&file).expect("it was written");
    let there: BTreeSet<&str> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let rules = fs::read_to_string(prometheus().join("terrier.rules.yml")).expect("it is there");
    let unknown: Vec<String> = rules
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("terrier_") && !there.contains(word))
        .map(|word| format!("{word} is in no output of the program"))
        .collect();
    support::assert_none(&unknown);
}

#[test]
fn the_service_unit_is_valid() {
    let unit = support::root().join("deploy/terrier.service");
    let text = fs::read_to_string(&unit).expect("it is in the repository");
    // The program need not be installed where the test runs; the shell always is.
    let text = text.replace("/usr/local/bin/terrier", "/bin/sh");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = folder.path().join("terrier.service");
    fs::write(&copy, text).expect("it can be written");
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&copy)
        .output();
    let Ok(output) = output else {
        return skip("systemd-analyze is not installed (Debian: apt-get install systemd)");
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<String> = said
        .lines()
        .filter(|line| line.contains("terrier.service"))
        .map(str::to_owned)
        .collect();
    support::assert_none(&ours);
}
