//! Terrier's chores: `cargo xtask ci`, `demo`, `golden`, `docs`, `bench`.
//!
//! This crate needs neither libpcap nor the rest of the workspace, so that it can install what they need.

mod bench;
mod needs;
mod steps;

use std::process::ExitCode;

use anyhow::{Context, bail};

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<()> {
    std::env::set_current_dir(root()).context("cannot enter the workspace")?;
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["ci"] => steps::ci(),
        ["demo"] => steps::demo(),
        ["golden"] => steps::golden(),
        ["docs"] => steps::docs(steps::Docs::Write),
        ["docs", "--check"] => steps::docs(steps::Docs::Check),
        ["capture", k, f] => bench::make(
            std::path::Path::new(f),
            match *k {
                "mix" => terrier_traffic::Kind::Mix {
                    octets: 1_000_000_000,
                },
                "small" => terrier_traffic::Kind::Small { packets: 3_000_000 },
                "flows" => terrier_traffic::Kind::Flows { flows: 1_000_000 },
                _ => terrier_traffic::Kind::Grid {
                    packets: 2_000_000,
                    flows: 1_000_000,
                },
            },
            7,
        ),
        _ => bail!("{USAGE}"),
    }
}

/// The root of the workspace: two folders above this package.
fn root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Says something to whoever runs the chore.
#[expect(clippy::print_stderr, reason = "the user is told here")]
fn tell(text: &str) {
    eprintln!("{text}");
}

const USAGE: &str = "\
usage: cargo xtask CHORE
  ci                     everything that must pass before a change lands; installs what it needs
  demo                   builds the program and reads the bundled captures
  golden                 writes the golden files anew; read the diff like code
  docs [--check]         writes the tables of README.md anew, or says whether they are what the code says
  bench CAPTURE [PAIRS]  the program against a bare libpcap loop, in pairs";
