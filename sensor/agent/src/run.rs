//! `terrier run`: interfaces to records, until a signal comes.
//!
//! Everything that can fail is opened first, then the privileges are dropped, then the threads start: a worker for each ring
//! of an interface ([`watcher`]), the judge ([`judging`]), the server. This thread only looks on: once a second it publishes
//! the counts, has the output flushed, and says what was lost.
//!
//! The kernel deals the packets of an interface out to the workers' rings, both directions of a flow to one. Of what lies in
//! tunnels and fragments it knows nothing; the engine finds that out, and the workers give it to each other ([`exchange`]).
//! A worker that cannot keep up sheds flows that are decided ([`pressure`]).

mod board;
mod exchange;
mod judging;
mod pressure;
mod ring;
mod time;
mod watcher;

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use terrier_engine::alert::{Counts, SensorCounts};
use terrier_engine::{Judge, JudgeConfig, Spread, Worker, WorkerConfig};

use crate::capture::{Live, LiveError, LiveOptions};
use crate::cli::{RunArgs, Shared};
use crate::exit::{self, Failure};
use crate::output::{self, Manner, Records};
use crate::privilege;
use crate::serve::{self, Server, Status};
use crate::setup;
use crate::stats::{CaptureStats, Stats};
use crate::telemetry::{InterfaceCounts, STAGES, Telemetry};
use board::{Board, State};
use exchange::Exchange;
use judging::Judging;
use watcher::{Ended, Parts, Watcher};

/// Watches until SIGINT, SIGTERM, or the last interface has gone.
///
/// # Errors
/// When something cannot be opened, each with its exit code; and when no interface is left.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let shared = &args.shared;
    refuse_twice(&args.interfaces)?;
    let limits = setup::limits(shared)?;
    let signatures = setup::signatures(shared)?;
    let names = args.interfaces.iter().map(|name| name.as_str().into());
    let sink = output::open(shared, names.collect(), Manner::AsItHappens)?;
    let listener = serve::bind(args.listen)?;
    let served = listener.local_addr()?;
    let seed = setup::seed();
    let spread = Spread::new(seed);
    let rings = open(args, spread)?;
    privilege::drop_all()
        .map_err(|error| exit::unreadable(format!("cannot drop privileges: {error}")))?;

    let judge = Judge::new(JudgeConfig {
        home: setup::home(&shared.home_net),
        signatures: Arc::clone(&signatures),
        workers: shared.workers,
        seed,
        limits,
    });
    let telemetry = Telemetry::new(&judge.verdicts(), &signatures, &limits, sink.form());
    let status = Arc::new(Status::new(telemetry));
    let board = Arc::new(Board::new(&args.interfaces, shared.workers));
    let wanted = setup::wanted(&sink, &signatures);
    let mut watch = Watch {
        judging: Judging::start(judge, sink, shared.workers, limits.under_way)?,
        threads: Vec::new(),
        board,
        status: Arc::clone(&status),
        losses: Losses::default(),
        began: Instant::now(),
    };
    watch.beat();
    // The first time before the server starts, so that a path that cannot be written is told at once.
    setup::write_metrics(&status.telemetry, shared)?;
    // Signals are taken from here on, before the first worker may see a packet.
    let server = Server::start(listener, Arc::clone(&status), shared.metrics_file.clone())?;
    let worker = |index| {
        Worker::new(WorkerConfig {
            index,
            count: shared.workers,
            seed,
            limits,
            wanted,
        })
        .dealt_by(spread)
    };
    watch.start(args, rings, limits.under_way, worker)?;
    status.set_ready(true);
    exit::tell(format_args!(
        "watching {}; metrics at http://{served}/metrics",
        args.interfaces.join(", ")
    ));
    watch.until_stopped();
    status.set_ready(false);
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

/// The rings of each worker: one of each interface.
fn open(args: &RunArgs, spread: Spread) -> Result<Vec<Vec<Live>>, Failure> {
    let mut rings: Vec<Vec<Live>> = (0..args.shared.workers).map(|_| Vec::new()).collect();
    for (capture, name) in (0..).zip(&args.interfaces) {
        let options = LiveOptions {
            capture,
            filter: args.shared.filter.clone(),
            buffer: args.ring_size.0,
            // All interfaces are waited for together.
            patience: Duration::ZERO,
            spread: Some(spread),
            ..LiveOptions::default()
        };
        let opened = Live::open_rings(name, &options, args.shared.workers);
        let opened = opened.map_err(|error| match &error {
            LiveError::NoPermission { .. } => exit::no_permission(error),
            LiveError::NoSuchInterface { .. } | LiveError::Filter { .. } => exit::usage(error),
            LiveError::Down(_) | LiveError::Other { .. } => exit::unreadable(error),
        })?;
        for (worker, ring) in rings.iter_mut().zip(opened) {
            worker.push(ring);
        }
    }
    Ok(rings)
}

/// The run, seen from this thread.
struct Watch {
    judging: Judging,
    threads: Vec<JoinHandle<Ended>>,
    board: Arc<Board>,
    status: Arc<Status>,
    losses: Losses,
    began: Instant,
}

impl Watch {
    fn start(
        &mut self,
        args: &RunArgs,
        rings: Vec<Vec<Live>>,
        under_way: usize,
        worker: impl Fn(u16) -> Worker,
    ) -> io::Result<()> {
        let began = Instant::now();
        let workers = args.shared.workers;
        let mut exchanges: Vec<Option<Exchange>> = match workers {
            1 => vec![None],
            _ => Exchange::among(workers, under_way * QUEUE_OCTETS)
                .into_iter()
                .map(Some)
                .collect(),
        };
        for ((index, rings), exchange) in (0..).zip(rings).zip(&mut exchanges) {
            let watcher = Watcher::new(Parts {
                index,
                worker: worker(index),
                began,
                exchange: exchange.take(),
                line: self.judging.line(),
                board: Arc::clone(&self.board),
                rings,
                ring_octets: args.ring_size.0,
                sheds: !args.no_shed,
            });
            let thread = std::thread::Builder::new()
                .name(format!("worker-{}", index + 1))
                .spawn(move || watcher.run())?;
            self.threads.push(thread);
        }
        Ok(())
    }

    fn until_stopped(&mut self) {
        let mut beaten = Instant::now();
        // One that is down is waited for, so that a cable that was pulled ends nothing; readiness says so meanwhile.
        loop {
            let states = self.board.states();
            if self.status.stopped()
                || states.iter().all(|&state| state == State::Gone)
                // A worker ends early only when it has panicked: `finish` says so.
                || self.threads.iter().any(JoinHandle::is_finished)
            {
                return;
            }
            self.status.set_ready(states.contains(&State::Up));
            std::thread::sleep(LOOK_EACH);
            if beaten.elapsed() >= BEAT {
                beaten = Instant::now();
                self.beat();
            }
        }
    }

    /// Once a second: counts are published and records leave for where they are read.
    fn beat(&mut self) {
        let interfaces = self.board.interfaces();
        let facts_lost = self.judging.lost();
        let counts = self.counts(&interfaces, facts_lost);
        self.losses.tell(&interfaces, Instant::now());
        self.status.telemetry.capture(interfaces);
        self.status.telemetry.facts_lost(facts_lost);
        let status = Arc::clone(&self.status);
        self.judging.visit(move |judge, records| {
            judge.look_at_sensor(&counts, records);
            let written = records.flush();
            note_output(written, &status);
            publish(judge, records, &status);
        });
    }

    /// What was missed so far, for the alerts about this sensor.
    fn counts(&self, interfaces: &[InterfaceCounts], facts_lost: u64) -> SensorCounts {
        let of = |interface: &InterfaceCounts| {
            let [nic, kernel, queue] = interface.dropped;
            let counts = Counts {
                read: interface.packets,
                missed: [nic, kernel, queue, interface.shed.packets, 0],
            };
            (Some(interface.name.as_str().into()), counts)
        };
        let facts = Counts {
            read: 0,
            missed: [0, 0, 0, 0, facts_lost],
        };
        SensorCounts {
            at_ns: now_ns(),
            up: self.began.elapsed(),
            parts: interfaces.iter().map(of).chain([(None, facts)]).collect(),
            ended: false,
        }
    }

    /// Ends all flows, writes what is left, and says what was missed.
    fn finish(mut self, shared: &Shared) -> Result<ExitCode, Failure> {
        self.board.end();
        let mut clock_jumps = 0;
        for thread in self.threads.drain(..) {
            let ended = thread.join().expect("a worker does not panic");
            clock_jumps = ended.clock_jumps.max(clock_jumps);
        }
        let interfaces = self.board.interfaces();
        let none_left = self
            .board
            .states()
            .iter()
            .all(|&state| state == State::Gone);
        let facts_lost = self.judging.lost();
        let counts = SensorCounts {
            ended: true,
            ..self.counts(&interfaces, facts_lost)
        };
        let (mut judge, mut sink) = self.judging.finish();
        judge.look_at_sensor(&counts, &mut sink);
        let mut progress = self.board.progress();
        progress.clock_jumps = clock_jumps;
        let captures = (0..).zip(&interfaces);
        let captures = captures
            .map(|(at, counts)| CaptureStats {
                path: counts.name.clone(),
                packets: counts.packets,
                fault: self.board.fault(at),
                left_out: None,
            })
            .collect();
        let mut stats = Stats::new(progress, &judge.counters(), &judge.verdicts(), captures);
        stats.drops = drops(&interfaces);
        stats.shed = Some(interfaces.iter().map(|counts| counts.shed.packets).sum());
        stats.facts_lost = Some(facts_lost);
        sink.stats(&stats);
        let written = sink.flush();
        tell_at_the_end(&interfaces, facts_lost);
        self.status.telemetry.capture(interfaces);
        self.status.telemetry.facts_lost(facts_lost);
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

fn drops(interfaces: &[InterfaceCounts]) -> BTreeMap<&'static str, u64> {
    let mut drops: BTreeMap<&str, u64> = STAGES.into_iter().map(|stage| (stage, 0)).collect();
    for interface in interfaces {
        for (stage, lost) in STAGES.into_iter().zip(interface.dropped) {
            *drops.entry(stage).or_default() += lost;
        }
    }
    drops
}

/// What was said of losses.
#[derive(Default)]
struct Losses {
    told: u64,
    at: Option<Instant>,
}

impl Losses {
    /// Says when packets are lost: at once the first time, and not more often than once a minute.
    fn tell(&mut self, interfaces: &[InterfaceCounts], now: Instant) {
        let lost = interfaces.iter().flat_map(|one| one.dropped).sum();
        let may = self.at.is_none_or(|at| now.duration_since(at) >= TELL_EACH);
        if lost > self.told && may {
            self.told = lost;
            self.at = Some(now);
            interfaces.iter().for_each(tell_lost);
        }
    }
}

fn tell_lost(interface: &InterfaceCounts) {
    let [nic, kernel, queue] = interface.dropped;
    let lost = nic + kernel + queue;
    if lost > 0 {
        exit::tell(format_args!(
            "{}: {lost} packets were lost and {} read: {nic} by the interface, {kernel} because the ring was full, {queue} between workers",
            interface.name, interface.packets
        ));
    }
}

fn tell_at_the_end(interfaces: &[InterfaceCounts], facts_lost: u64) {
    for interface in interfaces {
        tell_lost(interface);
        if interface.shed.packets > 0 {
            exit::tell(format_args!(
                "{}: {} packets of decided flows, {} octets, were only counted, as there was no time for them",
                interface.name, interface.shed.packets, interface.shed.octets
            ));
        }
    }
    if facts_lost > 0 {
        exit::tell(format_args!(
            "{facts_lost} facts were lost because the output did not keep up"
        ));
    }
}

/// The time of the day.
fn now_ns() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or_default()
}

/// How soon a signal, or the loss of the last interface, is seen.
const LOOK_EACH: Duration = Duration::from_millis(50);
/// How often counts are published and output is flushed.
const BEAT: Duration = Duration::from_secs(1);
/// So often losses are told.
const TELL_EACH: Duration = Duration::from_secs(60);
/// Room for packets on their way to each worker, in the place of each block that may be under way.
const QUEUE_OCTETS: usize = 1 << 20;
