//! `terrier read`: captures to records.
//!
//! Three ways: all captures in one timeline, each by itself (`--separate`), or captures that grow (`--follow`).

mod follow;
mod sift;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, IsTerminal};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use terrier_engine::signature::Signatures;
use terrier_engine::{Counters, Judge, JudgeConfig, Limits, Verdicts};

use crate::capture::{
    Chunk, Filled, LeftOut, Merge, OpenError, Outcome, Problem, Source, captures_below,
};
use crate::cli::{ReadArgs, Shared};
use crate::exit::{self, Failure};
use crate::output::{self, Manner, Names, Records};
use crate::pipeline::{self, Feed, Look, Pipeline, PipelineConfig};
use crate::progress::Bar;
use crate::setup;
use crate::stats::{CaptureStats, Stats};
use crate::telemetry::{InterfaceCounts, Telemetry};
use sift::Sift;

/// Reads the captures and says what was seen.
///
/// # Errors
/// When the configuration is wrong or the output cannot be written.
pub fn read(args: &ReadArgs) -> anyhow::Result<ExitCode> {
    let sift = Sift::new(args)?;
    let kit = Kit::new(&args.shared)?;
    setup::raise_descriptors();
    if args.follow {
        follow::follow(args, &kit, sift)
    } else if args.separate {
        separately(args, &kit, sift)
    } else {
        together(args, &kit, sift)
    }
}

/// What every engine of this run is made with.
struct Kit<'a> {
    shared: &'a Shared,
    signatures: Arc<Signatures>,
    limits: Limits,
    seed: u64,
}

impl<'a> Kit<'a> {
    fn new(shared: &'a Shared) -> Result<Self, Failure> {
        Ok(Self {
            shared,
            signatures: setup::signatures(shared)?,
            limits: setup::limits(shared)?,
            seed: setup::seed(),
        })
    }

    fn judge(&self) -> Judge {
        Judge::new(JudgeConfig {
            home: setup::home(&self.shared.home_net),
            signatures: Arc::clone(&self.signatures),
            workers: self.shared.workers,
            seed: self.seed,
            limits: self.limits,
        })
    }

    fn pipeline(&self, judge: Judge, sink: Records) -> Pipeline<Records> {
        let config = PipelineConfig {
            workers: self.shared.workers,
            seed: self.seed,
            limits: self.limits,
            wanted: setup::wanted(&sink, &self.signatures),
        };
        Pipeline::start(config, judge, sink)
    }

    fn telemetry(&self, judge: &Judge, sink: &Records) -> Telemetry {
        Telemetry::new(
            &judge.verdicts(),
            &self.signatures,
            &self.limits,
            sink.form(),
        )
    }
}

/// All captures in one timeline, through one engine.
fn together(args: &ReadArgs, kit: &Kit<'_>, sift: Sift) -> anyhow::Result<ExitCode> {
    let merge = Merge::open(&args.paths);
    let sink = output::open(kit.shared, names(&merge), Manner::AtTheEnd)?;
    let mut report = Report::default();
    let judge = kit.judge();
    let telemetry = kit.telemetry(&judge, &sink);
    let (sink, sift) = through(merge, kit.pipeline(judge, sink), sift, &mut report)?;
    finish(kit, sink, &telemetry, &sift, &report)
}

/// Each capture through an engine of its own, one after another in the order of the list.
fn separately(args: &ReadArgs, kit: &Kit<'_>, mut sift: Sift) -> anyhow::Result<ExitCode> {
    let mut sink = output::open(kit.shared, Names::default(), Manner::AtTheEnd)?;
    let telemetry = kit.telemetry(&kit.judge(), &sink);
    let mut report = Report::default();
    let mut seen = HashMap::new();
    for path in &args.paths {
        if !path.is_dir() {
            if was_seen(&mut seen, path) {
                continue;
            }
            sink.begin(&setup::path_text(path));
            let merge = Merge::open(std::slice::from_ref(path));
            let pipeline = kit.pipeline(kit.judge(), sink);
            (sink, sift) = through(merge, pipeline, sift, &mut report)?;
            continue;
        }
        let (mut captures, mut skipped) = (0, 0);
        for found in captures_below(path) {
            let path = match found {
                Ok(path) => path,
                Err(error) => {
                    report.unreadable(&error);
                    continue;
                }
            };
            if was_seen(&mut seen, &path) {
                captures += 1;
                continue;
            }
            let merge = Merge::open(std::slice::from_ref(&path));
            if merge.is_no_capture() {
                skipped += 1;
                continue;
            }
            captures += 1;
            sink.begin(&setup::path_text(&path));
            let pipeline = kit.pipeline(kit.judge(), sink);
            (sink, sift) = through(merge, pipeline, sift, &mut report)?;
        }
        if captures == 0 {
            let path = path.clone();
            report.unreadable(&OpenError::NoCaptures { path, skipped });
        }
    }
    finish(kit, sink, &telemetry, &sift, &report)
}

/// Whether a file was met before, by this name or another; then that is said.
fn was_seen(seen: &mut HashMap<(u64, u64), PathBuf>, path: &Path) -> bool {
    let Ok(metadata) = path.metadata() else {
        return false;
    };
    if !metadata.is_file() {
        return false;
    }
    match seen.entry((metadata.dev(), metadata.ino())) {
        Entry::Occupied(first) => {
            exit::tell(format_args!(
                "{}: the same file as {}, which is read once",
                path.display(),
                first.get().display()
            ));
            true
        }
        Entry::Vacant(free) => {
            free.insert(path.to_owned());
            false
        }
    }
}

/// Reads captures to their end, through one engine; their counts are written, and added to those of the run.
fn through(
    merge: Merge,
    mut pipeline: Pipeline<Records>,
    sift: Sift,
    report: &mut Report,
) -> Result<(Records, Sift), Failure> {
    let mut captures = Captures {
        merge,
        sift,
        failed: None,
    };
    captures.sift.restart();
    if let Some(end_ns) = captures.sift.end_ns(captures.merge.first_ns()) {
        captures.merge.leave_out_from(end_ns);
    }
    let progress = captures.merge.progress();
    // Whoever writes to a pipe may still be capturing: records leave with the packets that gave them.
    let is_live = progress.octets_in_all().is_none();
    let bar = Bar::start(progress, io::stderr().is_terminal());
    let captures = Arc::new(Mutex::new(captures));
    let failed = Arc::clone(&report.failed);
    let flush: Look<Records> = Box::new(move |_, records| note_failure(records.flush(), &failed));
    pipeline.run(&captures, is_live.then_some(flush));
    let captures = Arc::into_inner(captures).expect("the pipeline has given it back");
    let mut captures = captures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(failure) = captures.failed.take() {
        return Err(failure);
    }
    let (judge, mut sink, progress) = pipeline.finish();
    bar.finish();
    let of_each = captures.merge.outcomes().map(capture_stats).collect();
    let mut stats = Stats::new(progress, &judge.counters(), &judge.verdicts(), of_each);
    stats.left_out = captures.sift.left_out();
    sink.stats(&stats);
    report.add(&judge, progress, captures.merge.outcomes());
    Ok((sink, captures.sift))
}

/// Captures, and what of them is looked at.
struct Captures {
    merge: Merge,
    sift: Sift,
    /// Why nothing more is read.
    failed: Option<Failure>,
}

impl Feed for Captures {
    fn fill(&mut self, chunk: &mut Chunk) -> Filled {
        match self.merge.fill(chunk) {
            Ok(Filled::More) => match self.sift.keep(chunk) {
                Ok(()) => Filled::More,
                Err(failure) => {
                    self.failed = Some(failure);
                    Filled::End
                }
            },
            Ok(filled) => filled,
            // It is kept in the outcomes, and told below with the others.
            Err(_) => Filled::Idle,
        }
    }
}

/// Writes what is left, and says what went wrong.
fn finish(
    kit: &Kit<'_>,
    mut sink: Records,
    telemetry: &Telemetry,
    sift: &Sift,
    report: &Report,
) -> anyhow::Result<ExitCode> {
    note_failure(sink.flush(), &report.failed);
    report.tell();
    report.publish(telemetry, sink.written());
    setup::write_metrics(telemetry, kit.shared)?;
    let failed = lock(&report.failed).take();
    exit::output(failed.map_or(Ok(()), Err), kit.shared)?;
    sift.verdict()?;
    Ok(exit::code(report.unreadable, sink.worst(), kit.shared))
}

/// What became of all captures of a run.
#[derive(Default)]
struct Report {
    counters: Counters,
    verdicts: Verdicts,
    progress: pipeline::Progress,
    /// What is said of inputs that could not be read, or not to their end.
    problems: Vec<String>,
    left_out: usize,
    unreadable: bool,
    /// The first failure to write records.
    failed: Arc<Mutex<Option<io::Error>>>,
}

impl Report {
    /// Adds what one engine has counted.
    fn add<'a>(
        &mut self,
        judge: &Judge,
        progress: pipeline::Progress,
        outcomes: impl Iterator<Item = &'a Outcome>,
    ) {
        self.counters.add(&judge.counters());
        add_verdicts(&mut self.verdicts, judge.verdicts());
        let sum = &mut self.progress;
        sum.packets += progress.packets;
        sum.octets += progress.octets;
        sum.last_ns = sum.last_ns.max(progress.last_ns);
        for outcome in outcomes {
            self.left_out += usize::from(outcome.left_out == Some(LeftOut::BeginsLate));
            if let Some(problem) = &outcome.problem {
                self.unreadable |= matches!(problem, Problem::Unreadable(_));
                self.problems.push(problem.to_string());
            }
        }
    }

    fn unreadable(&mut self, error: &OpenError) {
        self.unreadable = true;
        self.problems.push(error.to_string());
    }

    /// Names every input that could not be read, or not to its end.
    fn tell(&self) {
        for problem in &self.problems {
            exit::tell(format_args!("{problem}"));
        }
        if self.left_out > 0 {
            exit::tell(format_args!(
                "captures that begin after --until, and were not read: {}",
                self.left_out
            ));
        }
    }

    fn publish(&self, telemetry: &Telemetry, written: u64) {
        telemetry.engine(self.counters.clone(), self.verdicts.clone(), written);
        telemetry.capture(vec![counts_of_files(self.progress)]);
    }
}

fn note_failure(written: io::Result<()>, failed: &Mutex<Option<io::Error>>) {
    if let Err(error) = written {
        lock(failed).get_or_insert(error);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn add_verdicts(sum: &mut Verdicts, more: Verdicts) {
    for (detection, count) in more.findings {
        *sum.findings.entry(detection).or_default() += count;
    }
    for (key, count) in more.alerts {
        *sum.alerts.entry(key).or_default() += count;
    }
    for (sum, more) in sum.tables.iter_mut().zip(more.tables) {
        sum.entries += more.entries;
        sum.forgotten += more.forgotten;
    }
    sum.passed_over += more.passed_over;
    sum.hellos.all += more.hellos.all;
    sum.hellos.without_name += more.hellos.without_name;
    sum.hellos.with_ech += more.hellos.with_ech;
}

/// Paths are no labels: one row stands for all files.
fn counts_of_files(progress: pipeline::Progress) -> InterfaceCounts {
    InterfaceCounts {
        name: FILE.to_owned(),
        packets: progress.packets,
        octets: progress.octets,
        last_packet_ns: progress.last_ns,
        ..InterfaceCounts::default()
    }
}

fn names(merge: &Merge) -> Names {
    let text = |path: &PathBuf| setup::path_text(path).into();
    merge
        .outcomes()
        .map(|outcome| text(&outcome.path))
        .collect()
}

fn capture_stats(outcome: &Outcome) -> CaptureStats {
    CaptureStats {
        path: setup::path_text(&outcome.path),
        packets: outcome.packets,
        fault: outcome.problem.as_ref().map(ToString::to_string),
        left_out: outcome.left_out.as_ref().map(|why| match why {
            LeftOut::BeginsLate => "it begins after --until".to_owned(),
            LeftOut::SameFile(first) => {
                format!("the same file as {}", setup::path_text(first))
            }
        }),
    }
}

/// What stands for an interface in the metrics.
const FILE: &str = "file";
