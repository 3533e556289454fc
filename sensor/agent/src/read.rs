//! `terrier read`: captures to records.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use terrier_engine::{Judge, JudgeConfig, Limits};

use crate::capture::{Chunk, Filled, Filter, Merge, Outcome, Problem, Source};
use crate::cli::ReadArgs;
use crate::exit;
use crate::output::{self, Manner};
use crate::pipeline::{Pipeline, PipelineConfig};
use crate::progress::Bar;
use crate::setup;
use crate::stats::{CaptureStats, Stats};
use crate::telemetry::{InterfaceCounts, Telemetry};

/// Reads the captures and says what was seen.
///
/// # Errors
/// When the configuration is wrong or the output cannot be written.
pub fn read(args: &ReadArgs) -> anyhow::Result<ExitCode> {
    let shared = &args.shared;
    let signatures = setup::signatures(shared)?;
    let mut filter = shared
        .filter
        .as_deref()
        .map(Filter::new)
        .transpose()
        .map_err(exit::usage)?;
    let mut merge = Merge::open(&args.paths);
    let names: Vec<Arc<str>> = merge
        .outcomes()
        .map(|outcome| setup::path_text(&outcome.path).into())
        .collect();
    let sink = output::open(shared, names, Manner::AtTheEnd)?;
    let seed = setup::seed();
    let judge = Judge::new(JudgeConfig {
        home: setup::home(&shared.home_net),
        signatures: Arc::clone(&signatures),
        workers: shared.workers,
        seed,
    });
    let limits = Limits::default();
    let telemetry = Telemetry::new(&judge.verdicts(), &signatures, &limits, sink.form());
    let config = PipelineConfig {
        workers: shared.workers,
        seed,
        limits,
    };
    let mut pipeline = Pipeline::start(config, judge, sink);
    let bar = Bar::start(merge.progress(), std::io::stderr().is_terminal());
    let mut chunk = Chunk::new();
    loop {
        match merge.fill(&mut chunk) {
            Ok(Filled::More) => {
                if let Some(filter) = &mut filter {
                    filter.keep(&mut chunk);
                }
                pipeline.chunk(&mut chunk);
            }
            Ok(Filled::Idle) => {}
            Ok(Filled::End) => break,
            // It is kept in the outcomes, and told below with the others.
            Err(_) => {}
        }
    }
    let (judge, mut sink, progress) = pipeline.finish();
    bar.finish();
    let captures = merge.outcomes().map(capture_stats).collect();
    let stats = Stats::new(progress, &judge.counters(), captures);
    sink.stats(&stats);
    let written = sink.flush();
    report_inputs(&merge, filter.as_ref());
    telemetry.engine(judge.counters(), judge.verdicts(), sink.written());
    telemetry.capture(vec![InterfaceCounts {
        name: FILE.to_owned(),
        packets: progress.packets,
        octets: progress.octets,
        last_packet_ns: progress.last_ns,
        ..InterfaceCounts::default()
    }]);
    setup::write_metrics(&telemetry, shared)?;
    exit::output(written, shared)?;
    let unreadable = merge
        .outcomes()
        .any(|outcome| matches!(outcome.problem, Some(Problem::Unreadable(_))));
    Ok(exit::code(unreadable, sink.worst(), shared))
}

fn capture_stats(outcome: &Outcome) -> CaptureStats {
    CaptureStats {
        path: setup::path_text(&outcome.path),
        packets: outcome.packets,
        fault: outcome.problem.as_ref().map(ToString::to_string),
    }
}

/// What stands for an interface in the metrics: paths are no labels.
const FILE: &str = "file";

/// Names every input that could not be read, or not to its end.
#[expect(clippy::print_stderr, reason = "the user is told here")]
fn report_inputs(merge: &Merge, filter: Option<&Filter>) {
    for outcome in merge.outcomes() {
        if let Some(problem) = &outcome.problem {
            eprintln!("terrier: {problem}");
        }
    }
    for (link, why) in filter.iter().flat_map(|filter| filter.unfit()) {
        eprintln!(
            "terrier: the filter cannot be applied to link type {}: {why}",
            link.0
        );
    }
}
