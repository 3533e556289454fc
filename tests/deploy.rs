//! What `deploy/` ships is what Prometheus takes.

use std::path::Path;
use std::process::Command;

/// Runs promtool in `deploy/prometheus`; skips, saying so, where it is not installed.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn promtool(arguments: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus");
    match Command::new("promtool")
        .args(arguments)
        .current_dir(folder)
        .output()
    {
        Err(_) => eprintln!("skipped: promtool is not installed (Debian's package prometheus)"),
        Ok(done) => assert!(
            done.status.success(),
            "promtool {arguments:?}:\n{}{}",
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        ),
    }
}

#[test]
fn promtool_takes_the_scrape_configuration_and_the_rules() {
    promtool(&["check", "config", "scrape.yml"]);
    promtool(&["check", "rules", "terrier.rules.yml"]);
}

#[test]
fn the_rules_fire_when_they_should_and_not_otherwise() {
    promtool(&["test", "rules", "terrier.rules.test.yml"]);
}
