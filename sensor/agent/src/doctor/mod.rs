//! `terrier doctor`: what this sensor can and cannot see here, and the fix for each point.
//!
//! A capture or an interface is read as `read` and `run` do, and surveyed packet by packet beside it. What was counted is
//! weighed in [`points`], each point with what it means and what to do, and written by [`report`].

mod points;
mod report;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use terrier_engine::alert::Alert;
use terrier_engine::detect::NameSource;
use terrier_engine::observation::{FlowEnd, FlowRef, Observation, Oriented, Transport};
use terrier_engine::signature::Signatures;
use terrier_engine::{
    Counters, Direction, HomeNetworks, Judge, JudgeConfig, Limits, Sink, Survey, Verdicts, Wanted,
};

use crate::capture::{Chunk, Filled, Filter, Live, LiveError, LiveOptions, LiveStats, Merge};
use crate::capture::{Problem, Source};
use crate::cli::DoctorArgs;
use crate::exit;
use crate::pipeline::{Pipeline, PipelineConfig, Progress};
use crate::{setup, signals};

/// Looks, and says what it saw.
///
/// # Errors
/// When the filter is wrong, the interface cannot be opened, or the answer cannot be written.
pub fn doctor(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let filter = args
        .filter
        .as_deref()
        .map(Filter::new)
        .transpose()
        .map_err(exit::usage)?;
    let seed = setup::seed();
    let home = setup::home(&args.home_net);
    let flows = Flows {
        home: home.clone(),
        ..Flows::default()
    };
    let judge = Judge::new(JudgeConfig {
        home,
        signatures: Arc::new(Signatures::built_in()),
        workers: 1,
        seed,
        limits: Limits::default(),
    });
    let config = PipelineConfig {
        workers: 1,
        seed,
        limits: Limits::default(),
        wanted: Wanted {
            flow_ends: true,
            ..Wanted::NONE
        },
    };
    let look = Look {
        survey: Survey::default(),
        filter,
        missed_by_filter: MissedByFilter::default(),
        pipeline: Pipeline::start(config, judge, flows),
        chunk: Chunk::new(),
    };
    let (seen, unreadable) = match &args.interface {
        Some(name) => (look.at_interface(name, args.seconds)?, false),
        None => look.at_files(args),
    };
    let points = points::weigh(&seen);
    let written = match args.json {
        true => report::json(&mut std::io::stdout().lock(), &seen, &points),
        false => report::text(&mut std::io::stdout().lock(), &seen, &points),
    };
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            return Err(exit::unreadable(format!("cannot write: {error}")).into());
        }
        _ => {}
    }
    Ok(match unreadable {
        true => exit::UNREADABLE.into(),
        false => ExitCode::SUCCESS,
    })
}

/// Everything that was counted.
struct Seen {
    /// Paths, or the interface.
    inputs: Vec<Input>,
    survey: Survey,
    counters: Counters,
    verdicts: Verdicts,
    flows: Flows,
    progress: Progress,
    missed_by_filter: Option<MissedByFilter>,
    /// Of an interface.
    live: Option<LiveStats>,
}

/// One input.
struct Input {
    name: String,
    packets: u64,
    fault: Option<String>,
}

/// What a filter does not take although it may well be meant.
#[derive(Debug, Clone, Copy, Default)]
struct MissedByFilter {
    taken: u64,
    /// Packets with VLAN tags that it does not take.
    tagged: u64,
}

/// The ended flows, as far as they are asked about.
#[derive(Debug, Default)]
struct Flows {
    /// What is inside.
    home: HomeNetworks,
    all: u64,
    /// With neither side inside.
    outside: u64,
    /// TCP flows with enough packets to judge by.
    tcp: u64,
    /// Those of them whose handshake was not seen.
    without_handshake: u64,
    /// TCP flows with enough packets to judge by, by the VLAN ids of their first packet.
    sides: BTreeMap<Vec<u16>, Sides>,
    /// Flows that no decoder knew, by transport and the responder's port.
    unknown: BTreeMap<(&'static str, u16), Unknown>,
    /// Octets of all flows.
    octets: u64,
}

/// Flows of one VLAN.
#[derive(Debug, Clone, Copy, Default)]
struct Sides {
    flows: u64,
    one_sided: u64,
}

/// Flows of one port.
#[derive(Debug, Clone, Copy, Default)]
struct Unknown {
    flows: u64,
    octets: u64,
}

impl Sink for Flows {
    fn observation(&mut self, _: &Observation, _: &'static str) {}

    fn alert(&mut self, _: &Alert, _: bool) {}

    fn flow(&mut self, flow: &FlowRef, end: &FlowEnd, _: Option<(&str, NameSource)>) {
        self.all += 1;
        let direction = self.home.direction(flow.orig.ip, flow.resp.ip);
        self.outside += u64::from(direction == Direction::External);
        let packets: u64 = end.packets.iter().sum();
        let octets: u64 = end.bytes.iter().sum();
        self.octets += octets;
        // A lone SYN is a scan or a closed port, and says nothing of the span.
        if flow.transport == Transport::Tcp && packets >= ENOUGH_PACKETS {
            self.tcp += 1;
            self.without_handshake += u64::from(flow.oriented == Oriented::Guessed);
            let vlan = flow.vlan.as_slice().to_vec();
            if self.sides.len() < MAX_VLANS || self.sides.contains_key(&vlan) {
                let sides = self.sides.entry(vlan).or_default();
                sides.flows += 1;
                sides.one_sided += u64::from(end.packets.contains(&0));
            }
        }
        if end.service.is_none() {
            let key = (flow.transport.name(), service_port(flow));
            if self.unknown.len() < MAX_PORTS || self.unknown.contains_key(&key) {
                let unknown = self.unknown.entry(key).or_default();
                unknown.flows += 1;
                unknown.octets += octets;
            }
        }
    }
}

/// The port that tells the service: the responder's, or where the orientation was guessed the lower one.
fn service_port(flow: &FlowRef) -> u16 {
    match flow.oriented {
        Oriented::Syn => flow.resp.port,
        Oriented::Guessed => flow.orig.port.min(flow.resp.port),
    }
}

/// A look under way.
struct Look {
    survey: Survey,
    filter: Option<Filter>,
    missed_by_filter: MissedByFilter,
    pipeline: Pipeline<Flows>,
    chunk: Chunk,
}

impl Look {
    fn at_files(mut self, args: &DoctorArgs) -> (Seen, bool) {
        let mut merge = Merge::open(&args.paths);
        loop {
            match merge.fill(&mut self.chunk) {
                Ok(Filled::More) => self.take(),
                Ok(Filled::Idle) => {}
                Ok(Filled::End) => break,
                // It is kept in the outcomes.
                Err(_) => {}
            }
        }
        let inputs = merge
            .outcomes()
            .map(|outcome| Input {
                name: setup::path_text(&outcome.path),
                packets: outcome.packets,
                fault: outcome.problem.as_ref().map(ToString::to_string),
            })
            .collect();
        let unreadable = merge
            .outcomes()
            .any(|outcome| matches!(outcome.problem, Some(Problem::Unreadable(_))));
        (self.finish(inputs, None), unreadable)
    }

    fn at_interface(mut self, name: &str, seconds: u64) -> Result<Seen, exit::Failure> {
        let options = LiveOptions {
            patience: Duration::from_millis(200),
            ..LiveOptions::default()
        };
        let mut live = Live::open(name, &options).map_err(|error| match &error {
            LiveError::NoPermission { .. } => exit::no_permission(error),
            LiveError::NoSuchInterface { .. } | LiveError::Filter { .. } => exit::usage(error),
            LiveError::Down(_) | LiveError::Other { .. } => exit::unreadable(error),
        })?;
        let stop = signals::stop_flag()
            .map_err(|error| exit::unreadable(format!("cannot wait for signals: {error}")))?;
        exit::tell(format_args!("looking at {name} for {seconds} s"));
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut fault = None;
        while Instant::now() < until && !stop.load(Ordering::Relaxed) {
            match live.fill(&mut self.chunk) {
                Ok(Filled::More) => self.take(),
                Ok(Filled::Idle) => {}
                Ok(Filled::End) => break,
                Err(error) => {
                    fault = Some(error.to_string());
                    break;
                }
            }
        }
        let stats = live.stats().ok();
        let input = Input {
            name: name.to_owned(),
            packets: self.survey.packets,
            fault,
        };
        Ok(self.finish(vec![input], stats))
    }

    /// Looks at the chunk.
    fn take(&mut self) {
        for (meta, octets) in self.chunk.iter() {
            let tagged = self.survey.tagged;
            self.survey.packet(&meta.packet(0, octets));
            if let Some(filter) = &mut self.filter {
                let taken = filter.matches(meta.link, octets);
                self.missed_by_filter.taken += u64::from(taken);
                self.missed_by_filter.tagged += u64::from(!taken && self.survey.tagged > tagged);
            }
        }
        self.pipeline.chunk(&mut self.chunk);
    }

    fn finish(self, inputs: Vec<Input>, live: Option<LiveStats>) -> Seen {
        let missed = self.missed_by_filter;
        let missed_by_filter = self.filter.map(|_| missed);
        let (judge, flows, progress) = self.pipeline.finish();
        Seen {
            inputs,
            survey: self.survey,
            counters: judge.counters(),
            verdicts: judge.verdicts(),
            flows,
            progress,
            missed_by_filter,
            live,
        }
    }
}

/// A handshake.
const ENOUGH_PACKETS: u64 = 3;
/// VLAN stacks that are told apart.
const MAX_VLANS: usize = 4096;
/// Ports of unknown flows that are told apart.
const MAX_PORTS: usize = 4096;

#[cfg(test)]
mod tests;
