//! The agent: the only part of Terrier with I/O, threads, sockets and clocks.
//!
//! `capture` brings packets in, `pipeline` shows them to the engine, `output` writes the records, `telemetry` counts.
//! It is a library only so that the tests can use its readers; the program's interface is its command line.

mod allocator;
pub mod capture;
pub mod cli;
pub mod doctor;
pub mod exit;
pub mod output;
pub mod pipeline;
pub mod privilege;
pub mod progress;
pub mod read;
pub mod run;
pub mod serve;
pub mod setup;
pub mod signals;
pub mod stats;
pub mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: allocator::Mimalloc = allocator::Mimalloc;

/// Runs the command line; the answer is the exit code.
#[must_use]
pub fn main() -> ExitCode {
    allocator::keep_free_memory();
    let cli = cli::Cli::parse();
    let done = match &cli.command {
        cli::Command::Read(args) => read::read(args),
        cli::Command::Run(args) => run::run(args),
        cli::Command::Doctor(args) => doctor::doctor(args),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            exit::tell(format_args!("{error:#}"));
            error
                .downcast_ref::<exit::Failure>()
                .map_or(exit::UNREADABLE, |failure| failure.code)
                .into()
        }
    }
}
