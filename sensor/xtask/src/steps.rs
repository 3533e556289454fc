//! The chores that are lists of commands.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::instructions::{Instructions, instructions};
use crate::{needs, tell};

/// Everything that must pass before a change lands.
pub(crate) fn ci() -> anyhow::Result<()> {
    needs::libpcap()?;
    needs::nextest()?;
    needs::valgrind()?;
    needs::more();
    let mut steps = Steps::default();
    steps.run("format", &["fmt", "--all", "--check"], &[]);
    steps.run(
        "clippy",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ],
        &[],
    );
    let corpus = Path::new("../shared/corpus");
    let environment: &[(&str, &str)] = match std::env::var_os("TERRIER_CORPUS") {
        None if corpus.join("truth.tsv").exists() => &[("TERRIER_CORPUS", "../shared/corpus")],
        _ => &[],
    };
    steps.run(
        "tests",
        &[
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
            "--status-level",
            "fail",
        ],
        environment,
    );
    steps.run(
        "doc tests",
        &["test", "--workspace", "--doc", "--quiet"],
        &[],
    );
    steps.run(
        "documentation",
        &[
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
            "--quiet",
        ],
        &[(
            "RUSTDOCFLAGS",
            // Private items are documented too, so links to them resolve.
            "-D warnings -A rustdoc::private-intra-doc-links",
        )],
    );
    steps.step("instructions", || instructions(Instructions::Check));
    if Command::new("cargo")
        .args(["deny", "--version"])
        .output()
        .is_ok_and(|done| done.status.success())
    {
        steps.run(
            "licences and advisories",
            &["deny", "--log-level", "error", "check"],
            &[],
        );
    } else {
        tell(
            "cargo-deny is not installed: licences and advisories were not checked (cargo install cargo-deny --locked)",
        );
    }
    steps.finish()
}

/// The main job on the bundled captures.
pub(crate) fn demo() -> anyhow::Result<()> {
    needs::libpcap()?;
    cargo(
        &["build", "--release", "--package", "terrier", "--quiet"],
        &[],
    )?;
    tell("$ terrier read pcaps");
    let done = Command::new(target().join("release/terrier"))
        .args(["read", "--format", "text", "pcaps"])
        .status()?;
    if done.success() {
        Ok(())
    } else {
        bail!("terrier read: {done}")
    }
}

/// Writes the golden files anew.
pub(crate) fn golden() -> anyhow::Result<()> {
    needs::libpcap()?;
    needs::nextest()?;
    cargo(
        &[
            "nextest",
            "run",
            "--package",
            "terrier",
            "--package",
            "terrier-tests",
            "golden",
        ],
        &[("UPDATE_GOLDEN", "1")],
    )
}

/// What is done with the tables of README.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Docs {
    /// They are written anew.
    Write,
    /// They are compared with what the code says, as `ci` does with all tests.
    Check,
}

/// The tables of README.md. A test makes them, so that this crate needs nothing of the workspace.
pub(crate) fn docs(docs: Docs) -> anyhow::Result<()> {
    needs::libpcap()?;
    needs::nextest()?;
    let environment: &[(&str, &str)] = match docs {
        Docs::Write => &[("UPDATE_README", "1")],
        Docs::Check => &[],
    };
    cargo(
        &["nextest", "run", "--package", "terrier-tests", "readme"],
        environment,
    )
}

/// Runs cargo, and fails as it does.
pub(crate) fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    let done = Command::new("cargo")
        .args(arguments)
        .envs(environment.iter().copied())
        .status()?;
    if done.success() {
        Ok(())
    } else {
        bail!("cargo {}: {done}", arguments.join(" "))
    }
}

/// Where cargo builds.
pub(crate) fn target() -> std::path::PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), Into::into)
}

/// Steps that all run, whatever fails, and are summed up at the end.
#[derive(Default)]
struct Steps(Vec<(&'static str, Duration, Option<String>)>);

impl Steps {
    fn run(&mut self, name: &'static str, arguments: &[&str], environment: &[(&str, &str)]) {
        self.step(name, || cargo(arguments, environment));
    }

    fn step(&mut self, name: &'static str, work: impl FnOnce() -> anyhow::Result<()>) {
        tell(&format!("== {name}"));
        let start = Instant::now();
        let fault = work().err().map(|error| format!("{error:#}"));
        if let Some(fault) = &fault {
            tell(fault);
        }
        self.0.push((name, start.elapsed(), fault));
    }

    fn finish(self) -> anyhow::Result<()> {
        tell("");
        for (name, took, fault) in &self.0 {
            let verdict = if fault.is_none() { "passed" } else { "FAILED" };
            tell(&format!("{verdict}  {:>5} s  {name}", took.as_secs()));
        }
        let failed: Vec<&str> = self
            .0
            .iter()
            .filter(|(_, _, fault)| fault.is_some())
            .map(|(name, ..)| *name)
            .collect();
        if failed.is_empty() {
            Ok(())
        } else {
            bail!("failed: {}", failed.join(", "))
        }
    }
}
