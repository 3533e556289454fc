//! Terrier's chores: `cargo xtask ci`, `demo`, `golden`, `docs`, `bench`, `instructions`, `profile`, `capture`.
//!
//! This crate needs neither libpcap nor the rest of the workspace, so that it can install what they need.

mod bench;
mod document;
mod instructions;
mod needs;
mod profile;
mod steps;

use std::process::ExitCode;

use anyhow::{Context, bail};
use terrier_traffic::Kind;

use self::instructions::{Instructions, instructions};

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
        ["instructions"] => instructions(Instructions::Check),
        ["instructions", "--write"] => instructions(Instructions::Write),
        ["bench", options @ ..] => bench::bench(options),
        ["profile", options @ ..] => profile_of(options),
        ["capture", options @ ..] => capture(options),
        ["measured", command @ ..] => bench::measured(command),
        _ => bail!("{USAGE}\n{}", bench::USAGE),
    }
}

/// Profiles a capture that is there, or the mix of the benchmark.
fn profile_of(words: &[&str]) -> anyhow::Result<()> {
    let (docs, words) = match *words {
        ["--docs", ref words @ ..] => (true, words),
        ref words => (false, words),
    };
    let (capture, arguments) = match *words {
        ["--capture", file, ref arguments @ ..] => {
            let file = std::path::Path::new(file);
            (bench::Capture::given(file)?, arguments)
        }
        ref arguments => {
            let octets = 1_000_000_000;
            (
                bench::Capture::of("mix", Kind::Mix { octets }, 1)?,
                arguments,
            )
        }
    };
    profile::profile(&capture, arguments, docs)
}

/// Makes one capture, for whoever wants to measure or try something else with it.
fn capture(words: &[&str]) -> anyhow::Result<()> {
    let number = |word: &str| -> anyhow::Result<u64> {
        let number: f64 = word
            .parse()
            .with_context(|| format!("{word} is no number"))?;
        Ok(number as u64)
    };
    let (kind, file, seed) = match *words {
        ["grid", packets, flows, file, ref seed @ ..] => {
            let (packets, flows) = (number(packets)?, number(flows)?);
            (Kind::Grid { packets, flows }, file, seed)
        }
        [kind, size, file, ref seed @ ..] => {
            let size = number(size)?;
            let kind = match kind {
                "mix" => Kind::Mix { octets: size },
                "small" => Kind::Small { packets: size },
                "flows" => Kind::Flows { flows: size },
                _ => bail!("{USAGE}\n{}", bench::USAGE),
            };
            (kind, file, seed)
        }
        _ => bail!("{USAGE}\n{}", bench::USAGE),
    };
    let seed = seed.first().map_or(Ok(1), |word| number(word))?;
    bench::make(std::path::Path::new(file), kind, seed)
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
  instructions [--write] counts instructions of small captures by valgrind, and compares them with
                         sensor/xtask/instructions.json, or writes that anew
  profile [--docs] [--capture FILE] [ARGUMENTS OF READ]
                         where the time of a packet goes, by perf: a table of stages in target/bench/profile.md and,
                         with --docs, in docs/performance.md
  capture KIND SIZE FILE [SEED]
                         makes a capture and FILE.truth.json: mix OCTETS, small PACKETS, flows FLOWS, grid PACKETS FLOWS";
