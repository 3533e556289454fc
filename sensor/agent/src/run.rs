//! `terrier run`: interfaces to records, until a signal comes.
//!
//! Everything that can fail is opened first, then the privileges are dropped, then the threads start. This thread reads
//! all interfaces in turn and hands their packets to the pipeline; once a second it takes the kernel's counters and asks
//! the judge's thread to flush the output and to publish its counts.

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec};
use terrier_engine::{Judge, JudgeConfig, Limits};

use crate::capture::{Chunk, Damage, Fault, Filled, Live, LiveError, LiveOptions, Source};
use crate::cli::{RunArgs, Shared};
use crate::exit::{self, Failure};
use crate::output::{self, Manner, Records};
use crate::pipeline::{Pipeline, PipelineConfig};
use crate::privilege;
use crate::serve::{self, Server, Status};
use crate::setup;
use crate::stats::{CaptureStats, Stats};
use crate::telemetry::{InterfaceCounts, STAGES, Telemetry};

/// Watches until SIGINT, SIGTERM, or the last interface has gone.
///
/// # Errors
/// When something cannot be opened, each with its exit code; and when no interface is left.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let shared = &args.shared;
    refuse_twice(&args.interfaces)?;
    let signatures = setup::signatures(shared)?;
    let names = args.interfaces.iter().map(|name| name.as_str().into());
    let sink = output::open(shared, names.collect(), Manner::AsItHappens)?;
    let listener = serve::bind(args.listen)?;
    let served = listener.local_addr()?;
    let wires = open(args)?;
    privilege::drop_all()
        .map_err(|error| exit::unreadable(format!("cannot drop privileges: {error}")))?;

    let limits = Limits::default();
    let seed = setup::seed();
    let judge = Judge::new(JudgeConfig {
        home: setup::home(&shared.home_net),
        signatures: Arc::clone(&signatures),
        workers: shared.workers,
        seed,
    });
    let telemetry = Telemetry::new(&judge.verdicts(), &signatures, &limits, sink.form());
    let status = Arc::new(Status::new(telemetry));
    let config = PipelineConfig {
        workers: shared.workers,
        seed,
        limits,
        wanted: setup::wanted(&sink),
    };
    let mut watch = Watch {
        wires,
        pipeline: Pipeline::start(config, judge, sink),
        chunk: Chunk::new(),
        status: Arc::clone(&status),
        clock: (since_1970_ns(SystemTime::now()), Instant::now()),
    };
    watch.beat();
    // The first time before the server starts, so that a path that cannot be written is told at once.
    setup::write_metrics(&status.telemetry, shared)?;
    let server = Server::start(listener, Arc::clone(&status), shared.metrics_file.clone())?;
    status.set_ready(true);
    exit::tell(format_args!(
        "watching {}; metrics at http://{served}/metrics",
        args.interfaces.join(", ")
    ));
    watch.until_stopped();
    status.set_ready(false);
    watch.drain();
    let ended = watch.finish(shared);
    server.finish();
    ended.map_err(Into::into)
}

fn refuse_twice(interfaces: &[String]) -> Result<(), Failure> {
    for (at, name) in interfaces.iter().enumerate() {
        if interfaces.iter().skip(at + 1).any(|other| other == name) {
            return Err(exit::usage(format!("interface {name} is given twice")));
        }
    }
    Ok(())
}

fn open(args: &RunArgs) -> Result<Vec<Wire>, Failure> {
    let mut wires = Vec::new();
    for (capture, name) in (0..).zip(&args.interfaces) {
        let options = LiveOptions {
            capture,
            filter: args.shared.filter.clone(),
            // All interfaces are waited for together.
            patience: Duration::ZERO,
            ..LiveOptions::default()
        };
        let live = Live::open(name, &options).map_err(|error| match &error {
            LiveError::NoPermission { .. } => exit::no_permission(error),
            LiveError::NoSuchInterface { .. } | LiveError::Filter { .. } => exit::usage(error),
            LiveError::Down(_) | LiveError::Other { .. } => exit::unreadable(error),
        })?;
        wires.push(Wire {
            live,
            state: State::Up,
            fault: None,
            counts: InterfaceCounts {
                name: name.clone(),
                ..InterfaceCounts::default()
            },
        });
    }
    Ok(wires)
}

/// One interface.
struct Wire {
    live: Live,
    state: State,
    /// What it was last in trouble for.
    fault: Option<String>,
    counts: InterfaceCounts,
}

/// Whether packets can come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up,
    /// It may come up again.
    Down,
    /// It was removed. One of the same name would be another one.
    Gone,
}

impl Wire {
    /// Takes what is there. An interface in trouble is told once.
    fn fill(&mut self, chunk: &mut Chunk) -> bool {
        if self.state == State::Gone {
            return false;
        }
        match self.live.fill(chunk) {
            Ok(Filled::More) => {
                self.count(chunk);
                true
            }
            Ok(Filled::Idle | Filled::End) => false,
            Err(fault) => {
                self.trouble(&fault);
                false
            }
        }
    }

    fn count(&mut self, chunk: &Chunk) {
        if self.state == State::Down {
            self.state = State::Up;
            exit::tell(format_args!("{}: packets come again", self.counts.name));
        }
        let counts = &mut self.counts;
        for meta in chunk.metas() {
            counts.octets += u64::from(meta.wire_len);
            counts.last_packet_ns = counts.last_packet_ns.max(Some(meta.at_ns));
        }
        counts.packets += chunk.len() as u64;
    }

    fn trouble(&mut self, fault: &Fault) {
        let state = match fault.what {
            Damage::InterfaceDown => State::Down,
            _ => State::Gone,
        };
        if self.state != state {
            exit::tell(format_args!("{fault}"));
            self.fault = Some(fault.to_string());
            self.state = state;
        }
    }

    /// Takes over the kernel's counters. Those of an interface that has gone stay as they were.
    fn take_losses(&mut self) {
        if let (true, Ok(stats)) = (self.state != State::Gone, self.live.stats()) {
            self.counts.dropped = [stats.dropped_by_interface, stats.dropped_by_kernel, 0];
        }
    }
}

/// The run.
struct Watch {
    wires: Vec<Wire>,
    pipeline: Pipeline<Records>,
    chunk: Chunk,
    status: Arc<Status>,
    /// A time of the packets' clock, and when it was that time.
    clock: (i64, Instant),
}

impl Watch {
    fn until_stopped(&mut self) {
        let mut beaten = Instant::now();
        // One that is down is waited for, so that a cable that was pulled ends nothing; readiness says so meanwhile.
        while !self.status.stopped() && self.wires.iter().any(|wire| wire.state != State::Gone) {
            let up = self.wires.iter().any(|wire| wire.state == State::Up);
            self.status.set_ready(up);
            if !self.turn(|_| true) {
                self.wait(PATIENCE);
                self.pass_time();
            }
            if beaten.elapsed() >= BEAT {
                beaten = Instant::now();
                self.beat();
            }
        }
    }

    /// Takes what is there from each of these interfaces once; whether there was anything.
    fn turn(&mut self, mut of: impl FnMut(&Wire) -> bool) -> bool {
        let mut any = false;
        for wire in &mut self.wires {
            if of(wire) && wire.fill(&mut self.chunk) {
                any = true;
                self.pipeline.chunk(&mut self.chunk);
            }
        }
        if let (true, Some(now_ns)) = (any, self.pipeline.now_ns()) {
            self.clock = (now_ns, Instant::now());
        }
        any
    }

    /// Waits until a packet comes to an interface that is up, or a signal; one that is down is looked at each time.
    fn wait(&self, patience: Timespec) {
        let mut polled: Vec<PollFd<'_>> = self
            .wires
            .iter()
            .filter(|wire| wire.state == State::Up)
            .map(|wire| PollFd::new(&wire.live, PollFlags::IN))
            .collect();
        // An error is a signal's interruption: the caller looks whether it should stop.
        let _ = rustix::event::poll(&mut polled, Some(&patience));
    }

    /// On a silent wire time goes on from the last packet. It is measured by a clock that nobody sets, and stays behind
    /// what the ring may still hold.
    fn pass_time(&mut self) {
        let (at_ns, since) = self.clock;
        let passed = since.elapsed().saturating_sub(RING_DELAY);
        let passed_ns = i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX);
        self.pipeline.passes(at_ns.saturating_add(passed_ns));
    }

    /// Once a second: counts are published and records leave for where they are read.
    fn beat(&mut self) {
        self.wires.iter_mut().for_each(Wire::take_losses);
        self.status.telemetry.capture(self.interface_counts());
        let status = Arc::clone(&self.status);
        self.pipeline.visit(move |judge, records| {
            let written = records.flush();
            note_output(written, &status);
            publish(judge, records, &status);
        });
    }

    fn interface_counts(&self) -> Vec<InterfaceCounts> {
        self.wires.iter().map(|wire| wire.counts.clone()).collect()
    }

    /// Reads what came before the end and is still in the rings.
    fn drain(&mut self) {
        let began = Instant::now();
        let stopped_ns = since_1970_ns(SystemTime::now());
        let before = |wire: &Wire| {
            wire.counts
                .last_packet_ns
                .is_none_or(|last| last < stopped_ns)
        };
        while began.elapsed() < DRAIN && self.wires.iter().any(before) {
            if self.turn(before) {
                continue;
            }
            if began.elapsed() > RING_DELAY {
                break;
            }
            self.wait(SHORT_PATIENCE);
        }
    }

    /// Ends all flows, writes what is left, and says what was missed.
    fn finish(mut self, shared: &Shared) -> Result<ExitCode, Failure> {
        self.wires.iter_mut().for_each(Wire::take_losses);
        let interfaces = self.interface_counts();
        let none_left = self.wires.iter().all(|wire| wire.state == State::Gone);
        let captures = self.wires.iter().map(capture_stats).collect();
        let (judge, mut sink, progress) = self.pipeline.finish();
        let mut stats = Stats::new(progress, &judge.counters(), captures);
        stats.drops = drops(&interfaces);
        sink.stats(&stats);
        let written = sink.flush();
        tell_losses(&interfaces);
        self.status.telemetry.capture(interfaces);
        publish(&judge, &sink, &self.status);
        setup::write_metrics(&self.status.telemetry, shared)?;
        exit::output(written, shared)?;
        if none_left {
            return Err(exit::unreadable("no interface is left"));
        }
        Ok(exit::code(false, sink.worst(), shared))
    }
}

fn publish(judge: &Judge, records: &Records, status: &Status) {
    status
        .telemetry
        .engine(judge.counters(), judge.verdicts(), records.written());
}

/// A reader that has gone ends the run, as `head` does; anything else, such as a full disk, is counted and tried again.
fn note_output(written: io::Result<()>, status: &Status) {
    let Err(error) = written else { return };
    if error.kind() == io::ErrorKind::BrokenPipe {
        return status.stop();
    }
    if status.telemetry.output_failed() == 1 {
        exit::tell(format_args!(
            "cannot write records: {error}; the run goes on, see terrier_output_errors_total"
        ));
    }
}

fn capture_stats(wire: &Wire) -> CaptureStats {
    CaptureStats {
        path: wire.counts.name.clone(),
        packets: wire.counts.packets,
        fault: wire.fault.clone(),
        left_out: None,
    }
}

fn drops(interfaces: &[InterfaceCounts]) -> BTreeMap<&'static str, u64> {
    let mut drops: BTreeMap<&str, u64> = STAGES.into_iter().map(|stage| (stage, 0)).collect();
    for interface in interfaces {
        for (stage, lost) in STAGES.into_iter().zip(interface.dropped) {
            *drops.entry(stage).or_default() += lost;
        }
    }
    drops
}

fn tell_losses(interfaces: &[InterfaceCounts]) {
    for interface in interfaces {
        let [nic, kernel, queue] = interface.dropped;
        let lost = nic + kernel + queue;
        if lost > 0 {
            exit::tell(format_args!(
                "{}: {lost} packets were lost and {} read: {nic} by the interface, {kernel} because the ring was full",
                interface.name, interface.packets
            ));
        }
    }
}

fn since_1970_ns(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or_default()
}

/// How long a silent wire is waited for, and so how long a signal is.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
const SHORT_PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};
/// The kernel hands on a block of its ring after 100 ms at the latest; as much again for the way here.
const RING_DELAY: Duration = Duration::from_millis(200);
/// The most time for what is in the rings at the end: a full one of 64 MiB takes a fraction of it.
const DRAIN: Duration = Duration::from_secs(2);
/// How often counts are published and output is flushed.
const BEAT: Duration = Duration::from_secs(1);
