//! Metrics: every name in one place, in the text format of Prometheus.
//!
//! *In*: plain counts that others keep and hand over each second, the engine's from the judge's thread and the capture's
//! from its own. *Out*: the text that `/metrics` serves and `--metrics-file` writes. *By*: Prometheus' text format 0.0.4,
//! its naming guide, and design.md, section 7.
//!
//! A label holds nothing that comes from the wire: no address, no host name, no text of a packet. Labels come from the
//! command line (interfaces), from signature files (detections, 1,000 at most) and from this program's own source, and
//! the series of the first two are there, as 0, from the start. So the number of peers does not change the number of series.

mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Registry, TextEncoder};
use terrier_engine::detect::Severity;
use terrier_engine::signature::{Kind, Signatures};
use terrier_engine::{Counters, Limits, Undecoded, Verdicts};

use crate::capture::Shed;
use page::{NONE, Page};

/// The metrics of a run.
pub struct Telemetry {
    registry: Registry,
    counts: Arc<Counts>,
}

/// What one interface has brought. Captures that are read count as one, named `file`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceCounts {
    /// Its name.
    pub name: String,
    /// Packets that were read.
    pub packets: u64,
    /// Octets of them on the wire.
    pub octets: u64,
    /// Packets that were lost, by [`STAGES`].
    pub dropped: [u64; 3],
    /// Packets of decided flows that were only counted; they are among `packets`.
    pub shed: Shed,
    /// Time of the last packet, in nanoseconds since 1970.
    pub last_packet_ns: Option<i64>,
}

/// Where packets are lost: by the interface or its driver; because the kernel's ring was full; in the queue of a worker
/// that is given what came to another one.
pub const STAGES: [&str; 3] = ["nic", "kernel", "queue"];

/// What the metrics are made of.
struct Counts {
    fixed: Fixed,
    engine: Mutex<Engine>,
    capture: Mutex<Vec<InterfaceCounts>>,
    output_errors: AtomicU64,
    facts_lost: AtomicU64,
}

/// What does not change during a run.
struct Fixed {
    output: &'static str,
    flow_capacity: u64,
    /// Of the judge's tables.
    capacities: [u64; 4],
    signatures: Arc<Signatures>,
    /// The first digits of their hash, made when somebody asks: it takes longer than reading a small capture.
    catalog_sha256: OnceLock<String>,
    detections: BTreeSet<String>,
    classes: BTreeSet<String>,
}

#[derive(Default)]
struct Engine {
    counters: Counters,
    verdicts: Verdicts,
    written: u64,
}

impl Telemetry {
    /// Metrics that stand at zero. `verdicts` are those of a judge that has seen nothing: they name what it may find.
    /// `output` is the form in which records are written.
    #[must_use]
    pub fn new(
        verdicts: &Verdicts,
        signatures: &Arc<Signatures>,
        limits: &Limits,
        output: &'static str,
    ) -> Self {
        let class = |id: &str| id.split('.').next().unwrap_or_default().to_owned();
        let fixed = Fixed {
            output,
            flow_capacity: limits.flows as u64,
            capacities: [limits.names, limits.hosts, limits.flow_names, limits.alerts]
                .map(|most| most as u64),
            signatures: Arc::clone(signatures),
            catalog_sha256: OnceLock::new(),
            detections: verdicts
                .findings
                .keys()
                .take(MOST_DETECTIONS)
                .map(ToString::to_string)
                .collect(),
            classes: verdicts.findings.keys().map(|id| class(id)).collect(),
        };
        let counts = Arc::new(Counts {
            fixed,
            engine: Mutex::default(),
            capture: Mutex::default(),
            output_errors: AtomicU64::new(0),
            facts_lost: AtomicU64::new(0),
        });
        let registry = Registry::new();
        let mut registered = registry.register(Box::new(Metrics(Arc::clone(&counts))));
        #[cfg(target_os = "linux")]
        {
            let process = prometheus::process_collector::ProcessCollector::for_self();
            registered = registered.and_then(|()| registry.register(Box::new(process)));
        }
        debug_assert!(registered.is_ok(), "two collectors of different names");
        Self { registry, counts }
    }

    /// Takes over the engine's counts, and how many records were written.
    pub fn engine(&self, counters: Counters, verdicts: Verdicts, written: u64) {
        *lock(&self.counts.engine) = Engine {
            counters,
            verdicts,
            written,
        };
    }

    /// Takes over the counts of all interfaces.
    pub fn capture(&self, interfaces: Vec<InterfaceCounts>) {
        *lock(&self.counts.capture) = interfaces;
    }

    /// Takes over how many facts were lost because the judge did not keep up.
    pub fn facts_lost(&self, lost: u64) {
        self.counts.facts_lost.store(lost, Ordering::Relaxed);
    }

    /// The records could not be written; answers how often so far.
    pub fn output_failed(&self) -> u64 {
        self.counts.output_errors.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The metrics as text.
    #[must_use]
    pub fn text(&self) -> String {
        // It fails for a family without a metric only, and the registry leaves those out.
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_default()
    }

    /// Writes the text to a file that is whole at any time.
    ///
    /// # Errors
    /// When the file or its temporary neighbour, `FILE.tmp`, cannot be written.
    pub fn write_file(&self, path: &Path) -> io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        // The node exporter reads `*.prom` only.
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let written = fs::File::create(&temporary)
            .and_then(|mut file| file.write_all(self.text().as_bytes()))
            .and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// What the registry asks.
struct Metrics(Arc<Counts>);

impl Collector for Metrics {
    /// None: what is collected is checked by the tests, not by the registry.
    fn desc(&self) -> Vec<&Desc> {
        Vec::new()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let counts = &*self.0;
        let mut page = Page::default();
        page.this_program(&counts.fixed);
        page.capture(&lock(&counts.capture));
        let engine = lock(&counts.engine);
        page.decoding(&engine.counters);
        page.flows(&engine.counters);
        page.tables(&engine, &counts.fixed);
        page.sessions(&engine.counters, &engine.verdicts);
        page.findings(&engine.verdicts, &counts.fixed);
        page.output(counts, engine.written);
        page.families
    }
}

impl Page {
    fn this_program(&mut self, fixed: &Fixed) {
        let hash = || short_hex(&fixed.signatures.sha256());
        let hash = fixed.catalog_sha256.get_or_init(hash);
        self.gauge(
            "terrier_build_info",
            "Version and source revision of this program, always 1.",
            ["version", "revision"],
            [([VERSION, REVISION], 1.0)],
        );
        self.gauge(
            "terrier_catalog_info",
            "Version and first 12 digits of the SHA-256 of the signatures in force, always 1.",
            ["version", "sha256"],
            [([VERSION, hash.as_str()], 1.0)],
        );
        self.gauge(
            "terrier_catalog_entries",
            "Entries of the signatures in force.",
            ["kind"],
            catalog_entries(&fixed.signatures)
                .into_iter()
                .map(|(kind, count)| ([kind], count as f64)),
        );
    }

    fn capture(&mut self, interfaces: &[InterfaceCounts]) {
        let each = |value: fn(&InterfaceCounts) -> u64| {
            interfaces
                .iter()
                .map(move |interface| ([interface.name.as_str()], value(interface)))
        };
        self.counter(
            "terrier_capture_packets_total",
            "Packets read from the interface, undecodable ones included.",
            ["interface"],
            each(|interface| interface.packets),
        );
        self.counter(
            "terrier_capture_bytes_total",
            "Octets that the packets read had on the wire.",
            ["interface"],
            each(|interface| interface.octets),
        );
        self.counter(
            "terrier_capture_dropped_packets_total",
            "Packets lost before they were looked at: by the interface (nic), for a full ring (kernel), in this program (queue).",
            ["interface", "stage"],
            interfaces.iter().flat_map(|interface| {
                let stages = STAGES.iter().zip(interface.dropped);
                stages.map(|(&stage, lost)| ([interface.name.as_str(), stage], lost))
            }),
        );
        self.counter(
            "terrier_capture_shed_packets_total",
            "Packets of decided flows that were only counted, as a worker could not keep up.",
            ["interface"],
            each(|interface| interface.shed.packets),
        );
        self.counter(
            "terrier_capture_shed_bytes_total",
            "Octets that the packets which were only counted had on the wire.",
            ["interface"],
            each(|interface| interface.shed.octets),
        );
        self.gauge(
            "terrier_capture_last_packet_timestamp_seconds",
            "Time of the last packet, 0 before the first one.",
            ["interface"],
            interfaces.iter().map(|interface| {
                let last_ns = interface.last_packet_ns.unwrap_or_default();
                ([interface.name.as_str()], last_ns as f64 / NS_PER_S)
            }),
        );
    }

    fn decoding(&mut self, counters: &Counters) {
        self.one(
            "terrier_capture_duplicate_packets_total",
            "Packets that are the same frame as the one before it in their flow and direction, within 100 ms.",
            counters.duplicates,
        );
        let of = |why: Undecoded| counters.undecoded.get(&why).copied().unwrap_or_default();
        let given_up = [
            (
                ["reassembly", "fragments_given_up"],
                counters.fragments_given_up,
            ),
            (["reassembly", "conflicting_overlaps"], counters.conflicts),
        ];
        self.counter(
            "terrier_decode_errors_total",
            "Packets that could not be decoded down to TCP or UDP, and octets that could not be put together.",
            ["layer", "reason"],
            Undecoded::ALL
                .into_iter()
                .filter(|why| why.is_error())
                .map(|why| ([why.layer(), why.name()], of(why)))
                .chain(given_up),
        );
        self.counter(
            "terrier_decode_ignored_packets_total",
            "Packets that carry something else than TCP or UDP over IP.",
            ["reason"],
            Undecoded::ALL
                .into_iter()
                .filter(|why| !why.is_error())
                .map(|why| ([why.name()], of(why))),
        );
        self.counter(
            "terrier_decode_encapsulated_packets_total",
            "Packets in which the layer was met.",
            ["encapsulation"],
            counters
                .encapsulations()
                .map(|(name, count)| ([name], count)),
        );
        self.one(
            "terrier_reassembly_gaps_total",
            "Places where octets are missing in a stream that a decoder waited for.",
            counters.gaps,
        );
        self.gauge(
            "terrier_reassembly_buffered_bytes",
            "Octets held until those before them or the rest of a message come.",
            NONE,
            [(NONE, counters.buffered_octets as f64)],
        );
    }

    fn flows(&mut self, counters: &Counters) {
        let active = counters.flows_active();
        let by_transport = |counts: [u64; 4]| {
            Counters::TRANSPORTS
                .iter()
                .zip(counts)
                .map(|(&transport, count)| ([transport], count))
        };
        self.counter(
            "terrier_flows_started_total",
            "Flows of which a first packet was seen.",
            ["transport"],
            by_transport(counters.flows_started),
        );
        self.counter(
            "terrier_flows_ended_total",
            "Flows that ended, evicted ones included.",
            ["transport"],
            by_transport(counters.flows_ended),
        );
        self.counter(
            "terrier_flows_unidirectional_total",
            "Ended flows of which packets in one direction only were seen.",
            ["transport"],
            by_transport(counters.one_sided_flows),
        );
        self.gauge(
            "terrier_flows_active",
            "Flows that have not ended.",
            ["transport"],
            by_transport(active).map(|(label, count)| (label, count as f64)),
        );
        self.counter(
            "terrier_flows_evicted_total",
            "Flows that were ended to make room.",
            ["reason"],
            [(["table_full"], counters.evictions)],
        );
        self.one(
            "terrier_sessions_given_up_total",
            "Sessions of which no more was read, as all together took too much memory.",
            counters.sessions_given_up,
        );
    }

    fn tables(&mut self, engine: &Engine, fixed: &Fixed) {
        let active = engine.counters.flows_active().iter().sum::<u64>();
        let tables = || Verdicts::TABLES.into_iter().zip(engine.verdicts.tables);
        let flows = (["flows"], active as f64);
        self.gauge(
            "terrier_table_entries",
            "Entries in use.",
            ["table"],
            std::iter::once(flows).chain(tables().map(|(of, table)| ([of], table.entries as f64))),
        );
        let flows = ("flows", fixed.flow_capacity);
        let capacities = Verdicts::TABLES.into_iter().zip(fixed.capacities);
        self.gauge(
            "terrier_table_capacity_entries",
            "Entries that the table holds at most.",
            ["table"],
            std::iter::once(flows)
                .chain(capacities)
                .map(|(of, most)| ([of], most as f64)),
        );
        let awaited = (["awaited"], engine.verdicts.passed_over);
        self.counter(
            "terrier_table_forgotten_entries_total",
            "Entries that went to make room, or for which there was none; flows are counted as evicted.",
            ["table"],
            tables()
                .map(|(of, table)| ([of], table.forgotten))
                .chain([awaited]),
        );
    }

    fn sessions(&mut self, counters: &Counters, verdicts: &Verdicts) {
        // What the registry of protocols does not list cannot be met; adding it here would cost nothing if it could.
        let mut sessions: BTreeMap<&str, u64> = terrier_engine::protocols()
            .into_iter()
            .map(|protocol| (protocol, 0))
            .collect();
        sessions.extend(counters.sessions.iter());
        self.counter(
            "terrier_sessions_total",
            "Sessions that a decoder recognised.",
            ["protocol"],
            sessions.iter().map(|(&name, &count)| ([name], count)),
        );
        self.counter(
            "terrier_session_parse_failures_total",
            "Sessions in which octets came that their protocol does not allow.",
            ["protocol", "reason"],
            counters
                .violations
                .iter()
                .map(|(&(protocol, why), &count)| ([protocol, why], count)),
        );
        let hellos = &verdicts.hellos;
        for (name, help, count) in [
            (
                "terrier_tls_client_hellos_total",
                "TLS client hellos.",
                hellos.all,
            ),
            (
                "terrier_tls_client_hellos_without_name_total",
                "TLS client hellos that name no server.",
                hellos.without_name,
            ),
            (
                "terrier_tls_client_hellos_with_ech_total",
                "TLS client hellos that offer an encrypted hello, so that the name in clear may be a front.",
                hellos.with_ech,
            ),
        ] {
            self.counter(name, help, ["transport"], [(["tcp"], count)]);
        }
    }

    fn findings(&mut self, verdicts: &Verdicts, fixed: &Fixed) {
        let mut detections: BTreeMap<&str, u64> =
            fixed.detections.iter().map(|id| (id.as_str(), 0)).collect();
        detections.insert(OTHER, 0);
        for (id, count) in &verdicts.findings {
            let known = fixed.detections.get(&**id).map_or(OTHER, String::as_str);
            *detections.entry(known).or_default() += count;
        }
        self.counter(
            "terrier_detections_total",
            "Findings, each time something is seen again included.",
            ["detection"],
            detections.iter().map(|(&id, &count)| ([id], count)),
        );
        let mut alerts: BTreeMap<[&str; 2], u64> = BTreeMap::new();
        for class in &fixed.classes {
            alerts.extend(Severity::ALL.map(|severity| ([class, severity.name()], 0)));
        }
        for ((class, severity), count) in &verdicts.alerts {
            let class = fixed.classes.get(class).map_or(OTHER, String::as_str);
            *alerts.entry([class, severity]).or_default() += count;
        }
        self.counter(
            "terrier_alerts_total",
            "Alerts that opened, by their severity at that time.",
            ["class", "severity"],
            alerts,
        );
    }

    fn output(&mut self, counts: &Counts, written: u64) {
        let output = [counts.fixed.output];
        self.counter(
            "terrier_output_events_total",
            "Records handed to the output.",
            ["output"],
            [(output, written)],
        );
        self.counter(
            "terrier_output_errors_total",
            "Seconds in which records could not be written.",
            ["output"],
            [(output, counts.output_errors.load(Ordering::Relaxed))],
        );
        self.one(
            "terrier_facts_lost_total",
            "Facts that were not judged, as the judge or the output did not keep up.",
            counts.facts_lost.load(Ordering::Relaxed),
        );
    }
}

fn catalog_entries(signatures: &Signatures) -> Vec<(&'static str, u64)> {
    let count = |kind: Kind| {
        signatures
            .tools()
            .iter()
            .flat_map(|tool| &tool.entries)
            .filter(|entry| entry.kind == kind)
            .count()
    };
    Kind::ALL
        .map(|kind| (kind.name(), count(kind) as u64))
        .to_vec()
}

fn short_hex(hash: &[u8]) -> String {
    hash.iter()
        .take(6)
        .map(|octet| format!("{octet:02x}"))
        .collect()
}

/// What is kept behind these locks is whole after each statement, so one that a panic left is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit, where whoever builds a release sets it.
const REVISION: &str = match option_env!("TERRIER_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};
const NS_PER_S: f64 = 1e9;
/// Prometheus bears more, but a person who adds so many signatures reads the records and not a graph of each.
const MOST_DETECTIONS: usize = 1_000;
/// Everything beyond the known labels together.
const OTHER: &str = "other";

#[cfg(test)]
mod tests;
