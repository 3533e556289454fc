//! `terrier read --follow`: captures that grow, until a signal comes.
//!
//! As with an interface, records come as things happen: the output is flushed each second, and where nothing is added, time
//! goes on by the clock of this machine, so that flows end and what waits for an answer is told. A capture says nothing of
//! packets that were not written to it yet; a writer that keeps them back (`tcpdump` without `-U`) is allowed for as soon as
//! it shows.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Kit, Report, capture_stats, counts_of_files, names};
use crate::capture::{Chunk, Filled, Merge, Source};
use crate::cli::ReadArgs;
use crate::exit::{self, Failure};
use crate::output::{self, Manner, Names, Records};
use crate::pipeline::Pipeline;
use crate::setup;
use crate::signals;
use crate::stats::Stats;
use crate::telemetry::Telemetry;

use super::sift::Sift;

/// Follows the captures until SIGINT, SIGTERM, or nothing is left that could grow.
///
/// # Errors
/// When the output cannot be written, or the signals cannot be taken.
pub(super) fn follow(args: &ReadArgs, kit: &Kit<'_>, sift: Sift) -> anyhow::Result<ExitCode> {
    let stop = signals::stop_flag()?;
    let merge = Merge::follow(&args.paths);
    let names = names(&merge);
    let sink = output::open(kit.shared, names.clone(), Manner::AsItHappens)?;
    let judge = kit.judge();
    let telemetry = Arc::new(kit.telemetry(&judge, &sink));
    let paths: Vec<String> = args
        .paths
        .iter()
        .map(|path| setup::path_text(path))
        .collect();
    exit::tell(format_args!("following {}", paths.join(", ")));
    let now = Instant::now();
    let mut following = Following {
        merge,
        names,
        sift,
        pipeline: kit.pipeline(judge, sink),
        telemetry,
        stop,
        clock: Passing::default(),
        beaten: now,
        published: now,
    };
    following.until_stopped(kit)?;
    following.finish(kit)
}

/// The run.
struct Following {
    merge: Merge,
    names: Names,
    sift: Sift,
    pipeline: Pipeline<Records>,
    telemetry: Arc<Telemetry>,
    stop: Arc<AtomicBool>,
    clock: Passing,
    beaten: Instant,
    published: Instant,
}

impl Following {
    fn until_stopped(&mut self, kit: &Kit<'_>) -> Result<(), Failure> {
        let mut chunk = Chunk::new();
        let mut stopped: Option<Instant> = None;
        loop {
            // A damaged capture ends that capture alone; it is told as a notice.
            let filled = self.merge.fill(&mut chunk).unwrap_or(Filled::Idle);
            self.tell_news();
            match filled {
                Filled::More => self.take(&mut chunk)?,
                Filled::Idle if stopped.is_some() => return Ok(()),
                Filled::Idle => {
                    self.pass_time();
                    self.merge.wait(PATIENCE);
                }
                Filled::End => return Ok(()),
            }
            self.beat(kit)?;
            if stopped.is_none() && self.stop.load(Ordering::Relaxed) {
                // What was written before the signal is looked at yet, though not what never ends.
                self.merge.look_now();
                stopped = Some(Instant::now());
            }
            if stopped.is_some_and(|stopped| stopped.elapsed() > DRAIN) {
                return Ok(());
            }
        }
    }

    fn tell_news(&mut self) {
        for (index, path) in self.merge.take_named() {
            self.names.set(index, &setup::path_text(&path));
        }
        for notice in self.merge.take_notices() {
            exit::tell(format_args!("{notice}"));
        }
    }

    fn take(&mut self, chunk: &mut Chunk) -> Result<(), Failure> {
        if let Some(first) = chunk.metas().first() {
            self.clock.overtook(first.at_ns);
        }
        self.sift.keep(chunk)?;
        self.pipeline.chunk(chunk);
        if let Some(now_ns) = self.pipeline.now_ns() {
            self.clock.set(now_ns);
        }
        Ok(())
    }

    fn pass_time(&mut self) {
        if let Some(now_ns) = self.clock.passed() {
            self.pipeline.passes(now_ns);
        }
    }

    /// Once a second records leave for where they are read; less often the metrics are written.
    fn beat(&mut self, kit: &Kit<'_>) -> Result<(), Failure> {
        if self.beaten.elapsed() < BEAT {
            return Ok(());
        }
        self.beaten = Instant::now();
        let (telemetry, stop) = (Arc::clone(&self.telemetry), Arc::clone(&self.stop));
        self.pipeline.visit(move |judge, records| {
            note_output(records.flush(), &telemetry, &stop);
            telemetry.engine(judge.counters(), judge.verdicts(), records.written());
        });
        let progress = self.pipeline.progress();
        self.telemetry.capture(vec![counts_of_files(progress)]);
        if self.published.elapsed() >= BETWEEN_FILES {
            self.published = Instant::now();
            setup::write_metrics(&self.telemetry, kit.shared)?;
        }
        Ok(())
    }

    /// Ends all flows, and writes what is left.
    fn finish(mut self, kit: &Kit<'_>) -> anyhow::Result<ExitCode> {
        self.merge.end();
        let (judge, mut sink, progress) = self.pipeline.finish();
        let captures = self.merge.outcomes().map(capture_stats).collect();
        let mut stats = Stats::new(progress, &judge.counters(), &judge.verdicts(), captures);
        stats.left_out = self.sift.left_out();
        sink.stats(&stats);
        let mut report = Report::default();
        report.add(&judge, progress, self.merge.outcomes());
        // What went wrong was told when it did.
        report.problems.clear();
        super::finish(kit, sink, &self.telemetry, &self.sift, &report)
    }
}

/// A reader that has gone ends the run, as `head` does; anything else, such as a full disk, is counted and tried again.
fn note_output(written: io::Result<()>, telemetry: &Telemetry, stop: &AtomicBool) {
    let Err(error) = written else { return };
    if error.kind() == io::ErrorKind::BrokenPipe {
        stop.store(true, Ordering::Relaxed);
    } else if telemetry.output_failed() == 1 {
        exit::tell(format_args!(
            "cannot write records: {error}; the run goes on, see terrier_output_errors_total"
        ));
    }
}

/// How time goes on while nothing is added.
#[derive(Debug, Default)]
struct Passing {
    /// A time of the packets' clock, and when it was that time.
    last: Option<(i64, Instant)>,
    /// What was last said to have passed.
    said_ns: Option<i64>,
    /// By how much packets came later than their time, as far as that has shown.
    delay: Duration,
}

impl Passing {
    fn set(&mut self, now_ns: i64) {
        self.last = Some((now_ns, Instant::now()));
    }

    /// The clock of the packets, as far as it is known to have gone on. It is measured by a clock that nobody sets.
    fn passed(&mut self) -> Option<i64> {
        let (at_ns, since) = self.last?;
        let passed = since.elapsed().saturating_sub(self.delay + LEAST_DELAY);
        let passed_ns = i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX);
        self.said_ns = Some(at_ns.saturating_add(passed_ns));
        self.said_ns
    }

    /// A packet came: if time was said to have gone on beyond it, the writer keeps its packets back for so long.
    fn overtook(&mut self, at_ns: i64) {
        let by_ns = self
            .said_ns
            .take()
            .map_or(0, |said_ns| said_ns.saturating_sub(at_ns));
        let by = u64::try_from(by_ns).map_or(Duration::ZERO, Duration::from_nanos);
        if by <= MOST_DELAY {
            self.delay = (self.delay + by).min(MOST_DELAY);
        }
    }
}

/// How long a pipe is waited for, and so how long a signal is.
const PATIENCE: Duration = Duration::from_millis(50);
/// How often output is flushed.
const BEAT: Duration = Duration::from_secs(1);
/// Within the usual scrape interval of 15 s.
const BETWEEN_FILES: Duration = Duration::from_secs(10);
/// The most time for what was written before the end.
const DRAIN: Duration = Duration::from_secs(10);
/// A writer that writes each packet at once, and the time until that is seen here.
const LEAST_DELAY: Duration = Duration::from_millis(500);
/// Packets that are older belong to a capture from another time.
const MOST_DELAY: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_no_faster_than_the_writer_shows_its_packets() {
        let long_ago = Instant::now()
            .checked_sub(Duration::from_secs(100))
            .expect("the machine is up");
        let mut clock = Passing::default();
        assert_eq!(clock.passed(), None, "there is no clock before a packet");
        clock.overtook(0);
        clock.last = Some((1_000_000_000, long_ago));
        let said = clock.passed().expect("time passes");
        assert!(said >= 100_000_000_000, "{said}");
        // Packets come that are a minute older than that.
        clock.overtook(said - 60_000_000_000);
        assert_eq!(clock.delay, Duration::from_secs(60));
        clock.last = Some((1_000_000_000, long_ago));
        let said = clock.passed().expect("time passes");
        assert!((40_000_000_000..90_000_000_000).contains(&said), "{said}");
        // One that came in time changes nothing, nor one from long ago.
        clock.overtook(said + 1);
        clock.passed();
        clock.overtook(i64::MIN);
        assert_eq!(clock.delay, Duration::from_secs(60));
    }
}
