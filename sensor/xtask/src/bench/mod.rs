//! `cargo xtask bench`: what the program costs beside a bare libpcap loop and beside others, whether it says what is in the
//! captures, and how the cost grows.
//!
//! Whole processes, CPU time of user and system together, in turn with the bare loop, so that the ratio holds on a machine
//! whose speed drifts. The report is `target/bench/report.md`, the plot beside it `cost.svg`.

mod captures;
mod check;
mod measure;
mod plot;
mod programs;
mod report;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use terrier_traffic::Kind;

use self::measure::{Cost, Paired};
use self::plot::{Line, Panel};
use self::programs::Programs;
use self::report::{Report, Row};
use crate::steps::cargo;
use crate::{document, needs, tell};

pub(crate) use self::captures::{Capture, folder, make};
pub(crate) use self::measure::{cost_of, measured, median};

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
struct Options {
    kinds: Vec<String>,
    /// Multiplies the sizes.
    scale: f64,
    seed: u64,
    pairs: usize,
    /// Captures that are there, instead of our own.
    captures: Vec<PathBuf>,
    rivals: bool,
    /// Whether the document is written anew.
    docs: bool,
}

impl Options {
    fn parse(words: &[&str]) -> anyhow::Result<Self> {
        let mut options = Self {
            kinds: KINDS.map(ToOwned::to_owned).to_vec(),
            scale: 1.0,
            seed: 1,
            pairs: 5,
            captures: Vec::new(),
            rivals: true,
            docs: false,
        };
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} wants a value"))
            };
            match word {
                "--kinds" => {
                    options.kinds = value()?.split(',').map(ToOwned::to_owned).collect();
                }
                "--scale" => options.scale = value()?.parse().context("--scale is a number")?,
                "--seed" => options.seed = value()?.parse().context("--seed is a whole number")?,
                "--pairs" => {
                    options.pairs = value()?.parse().context("--pairs is a whole number")?
                }
                "--capture" => options.captures.push(value()?.into()),
                "--no-rivals" => options.rivals = false,
                "--docs" => options.docs = true,
                _ => bail!("bench: {word} is no option of it\n{USAGE}"),
            }
        }
        if let Some(other) = options.kinds.iter().find(|kind| !KINDS.contains(&&***kind)) {
            bail!("bench: {other} is none of {}", KINDS.join(", "));
        }
        if options.pairs == 0 || !(options.scale > 0.0 && options.scale.is_finite()) {
            bail!("bench: --pairs and --scale are above 0");
        }
        Ok(options)
    }

    fn size(&self, full: u64) -> u64 {
        ((full as f64 * self.scale) as u64).max(1)
    }

    fn wants(&self, kind: &str) -> bool {
        self.kinds.iter().any(|wanted| wanted == kind)
    }
}

/// Measures, checks, and writes the report.
pub(crate) fn bench(words: &[&str]) -> anyhow::Result<()> {
    let options = Options::parse(words)?;
    needs::libpcap()?;
    build()?;
    let mut bench = Bench {
        programs: Programs::find(options.rivals)?,
        report: Report::begin(&options.command()),
        options,
        faults: Vec::new(),
    };
    if bench.options.captures.is_empty() {
        bench.our_own()?;
    } else {
        bench.given()?;
    }
    let Bench {
        report,
        programs,
        faults,
        options: Options { docs, .. },
    } = bench;
    let text = report.finish(&programs, &faults);
    let path = folder()?.join("report.md");
    std::fs::write(&path, &text)?;
    tell(&format!("\n{text}\nwritten to {}", path.display()));
    if faults.is_empty() {
        if docs {
            // Two levels down: it stands in a part of the document.
            let text = text.trim_start_matches("# Benchmark\n");
            document::put("figures", &text.replace("\n## ", "\n### "))?;
            std::fs::copy(folder()?.join("cost.svg"), document::PLOT)
                .context("no plot was drawn")?;
        }
        return Ok(());
    }
    bail!(
        "the output is not what is in the captures:\n{}",
        faults.join("\n")
    )
}

/// The program and the loop it is compared with, as they are shipped.
pub(crate) fn build() -> anyhow::Result<()> {
    let words = ["--package", "terrier", "--bins", "--examples", "--quiet"];
    cargo(&[&["build", "--release"][..], &words].concat(), &[])
}

struct Bench {
    options: Options,
    programs: Programs,
    report: Report,
    faults: Vec<String>,
}

impl Bench {
    fn given(&mut self) -> anyhow::Result<()> {
        let mut grids = Vec::new();
        for path in self.options.captures.clone() {
            let capture = Capture::given(&path)?;
            if capture.truth.as_ref().is_some_and(|it| it.what == "grid") {
                grids.push(capture);
                continue;
            }
            self.full(&capture)?;
        }
        if !grids.is_empty() {
            self.grids(grids)?;
        }
        Ok(())
    }

    fn our_own(&mut self) -> anyhow::Result<()> {
        let seed = self.options.seed;
        let mut panels = Vec::new();
        if self.options.wants("mix") {
            let octets = self.options.size(1_000_000_000);
            let mut lines = Lines::default();
            for (name, octets) in [("mix / 4", octets / 4), ("mix / 2", octets / 2)] {
                let capture = Capture::of(name, Kind::Mix { octets }, seed)?;
                self.check(&capture)?;
                lines.extend(self.quick(&capture)?);
            }
            let capture = Capture::of("mix", Kind::Mix { octets }, seed)?;
            lines.extend(self.full(&capture)?);
            panels.push(lines.panel("CPU time against packets", "packets of mix", "seconds"));
        }
        if self.options.wants("small") {
            let packets = self.options.size(3_000_000);
            self.full(&Capture::of("small", Kind::Small { packets }, seed)?)?;
        }
        if self.options.wants("flows") {
            let flows = self.options.size(1_000_000);
            self.full(&Capture::of("flows", Kind::Flows { flows }, seed)?)?;
        }
        if self.options.wants("grid") {
            let packets = self.options.size(2_000_000);
            // Each flow has a packet at least.
            let sizes = [1_000, 10_000, 100_000, 1_000_000];
            let captures = sizes
                .into_iter()
                .filter(|flows| *flows <= packets)
                .map(|flows| {
                    let kind = Kind::Grid { packets, flows };
                    Capture::of(&format!("grid {flows}"), kind, seed)
                })
                .collect::<Result<Vec<_>, _>>()?;
            panels.push(self.grids(captures)?);
        }
        self.start()?;
        if !panels.is_empty() {
            let path = folder()?.join("cost.svg");
            std::fs::write(&path, plot::draw(&panels))?;
            self.report.plot("cost.svg");
        }
        Ok(())
    }

    /// Everything about one capture.
    fn full(&mut self, capture: &Capture) -> anyhow::Result<Vec<Point>> {
        let points = self.table(capture)?;
        self.check(capture)?;
        self.workers(capture)?;
        Ok(points)
    }

    /// Each program in turn with the bare loop.
    fn table(&mut self, capture: &Capture) -> anyhow::Result<Vec<Point>> {
        let packets = self.packets(capture)?;
        // What this reads is in memory from now on.
        let bare = self.programs.bare.on(capture);
        cost_of(&bare)?;
        let mut rows = Vec::new();
        let mut points = Vec::new();
        let mut of_bare = Vec::new();
        let own = [&self.programs.alerts, &self.programs.observations];
        let own = own.map(|program| (program, false));
        let others = self.programs.rivals.iter().map(|rival| (rival, true));
        for (program, other) in own.into_iter().chain(others) {
            if !program.takes(packets) {
                tell(&format!(
                    "{}: too many packets for {}",
                    capture.name, program.name
                ));
                continue;
            }
            tell(&format!("{}: {} ...", capture.name, program.name));
            let run = match other {
                true => Paired::run_patiently,
                false => Paired::run,
            };
            let paired = run(&program.on(capture), &bare, self.options.pairs)?;
            of_bare.extend(paired.others.iter().copied());
            let row = Row::of(&program.name, &paired, packets);
            points.push(Point::of(&program.name, packets as f64, row.cpu_s));
            rows.push(row);
        }
        let alone = Paired {
            others: of_bare.clone(),
            costs: of_bare,
        };
        let row = Row::of(&self.programs.bare.name, &alone, packets);
        points.push(Point::of(&row.program, packets as f64, row.cpu_s));
        rows.insert(0, row);
        self.report.table(capture, packets, &rows);
        Ok(points)
    }

    /// Cost only, of the program and the quicker rivals, for the plot.
    fn quick(&mut self, capture: &Capture) -> anyhow::Result<Vec<Point>> {
        let packets = self.packets(capture)?;
        let bare = self.programs.bare.on(capture);
        cost_of(&bare)?;
        let mut points = Vec::new();
        let mut of_bare = Vec::new();
        let own = [&self.programs.alerts, &self.programs.observations];
        let others = self.programs.rivals.iter().map(|rival| (rival, 1));
        let rounds = own.map(|program| (program, 3)).into_iter().chain(others);
        for (program, rounds) in rounds.filter(|(program, _)| program.takes(packets)) {
            tell(&format!("{}: {} ...", capture.name, program.name));
            let paired = Paired::run(&program.on(capture), &bare, rounds)?;
            of_bare.extend(paired.others.iter().map(Cost::cpu_s));
            points.push(Point::of(
                &program.name,
                packets as f64,
                paired.of(Cost::cpu_s),
            ));
        }
        points.push(Point::of(
            &self.programs.bare.name,
            packets as f64,
            median(of_bare),
        ));
        Ok(points)
    }

    fn check(&mut self, capture: &Capture) -> anyhow::Result<()> {
        let faults = check::check(&self.programs.terrier, capture)?;
        for fault in &faults {
            tell(&format!("WRONG  {fault}"));
        }
        self.report.checked(capture, faults.is_empty());
        self.faults.extend(faults);
        Ok(())
    }

    /// The throughput of two workers against that of one.
    fn workers(&mut self, capture: &Capture) -> anyhow::Result<()> {
        let one = self.programs.alerts.on(capture);
        let two = self.programs.two_workers.on(capture);
        let paired = Paired::run(&two, &one, self.options.pairs)?;
        self.report.workers(
            &capture.name,
            paired.other(|cost| cost.wall_s),
            paired.of(|cost| cost.wall_s),
            1.0 / paired.ratio(|cost| cost.wall_s),
            paired.ratio(Cost::cpu_s),
        );
        Ok(())
    }

    /// The same packets over more and more flows.
    fn grids(&mut self, mut captures: Vec<Capture>) -> anyhow::Result<Panel> {
        let flows_of = |capture: &Capture| capture.truth.as_ref().map_or(0, |it| it.flows_total);
        captures.sort_by_key(flows_of);
        let mut lines = Lines::default();
        let mut measured = Vec::new();
        for capture in captures {
            let packets = self.packets(&capture)?;
            let flows = flows_of(&capture);
            let bare = self.programs.bare.on(&capture);
            cost_of(&bare)?;
            tell(&format!("{} ...", capture.name));
            let own = self.programs.alerts.on(&capture);
            let paired = Paired::run(&own, &bare, self.options.pairs)?;
            let row = Row::of(&self.programs.alerts.name, &paired, packets);
            let bare_ns = paired.other(Cost::cpu_s) * 1e9 / packets.max(1) as f64;
            lines.extend([
                Point::of(&self.programs.alerts.name, flows as f64, row.ns_packet),
                Point::of(&self.programs.bare.name, flows as f64, bare_ns),
            ]);
            self.check(&capture)?;
            measured.push((flows, row, bare_ns));
        }
        self.report.grids(&measured);
        Ok(lines.panel(
            "CPU time a packet against flows",
            "flows of grid",
            "nanoseconds a packet",
        ))
    }

    /// How long it takes until packets are looked at: a capture of one packet.
    fn start(&mut self) -> anyhow::Result<()> {
        let kind = Kind::Grid {
            packets: 1,
            flows: 1,
        };
        let capture = Capture::of("one packet", kind, self.options.seed)?;
        let terrier = self.programs.terrier.to_string_lossy().into_owned();
        let mut rows = Vec::new();
        for (what, words) in [
            (
                "the process and its libraries (`terrier --version`)",
                vec![terrier, "--version".to_owned()],
            ),
            (
                "`terrier read` of one packet: also the whole catalogue, the tables, the end",
                self.programs.alerts.on(&capture),
            ),
            (
                "the bare loop on one packet",
                self.programs.bare.on(&capture),
            ),
        ] {
            let costs = (0..STARTS)
                .map(|_| cost_of(&words))
                .collect::<Result<Vec<_>, _>>()?;
            let of = |what: fn(&Cost) -> f64| median(costs.iter().map(what));
            let peak = costs
                .iter()
                .map(|cost| cost.peak_kib)
                .max()
                .unwrap_or_default();
            rows.push((what, of(|cost| cost.wall_s), of(Cost::cpu_s), peak));
        }
        self.report.start(&rows);
        Ok(())
    }

    /// Packets, as libpcap counts them.
    fn packets(&mut self, capture: &Capture) -> anyhow::Result<u64> {
        let words = self.programs.bare.on(capture);
        let (program, arguments) = words.split_first().context("the loop")?;
        let counted = std::process::Command::new(program)
            .args(arguments)
            .output()?;
        let text = String::from_utf8_lossy(&counted.stdout).into_owned();
        let first = text.split_whitespace().next();
        let packets = first.and_then(|word| word.parse().ok()).with_context(|| {
            format!(
                "{}: libpcap cannot read it; the bench needs a plain capture",
                capture.path()
            )
        })?;
        if let Some(truth) = capture.truth.as_ref().filter(|it| it.packets != packets) {
            self.faults.push(format!(
                "{}: libpcap counts {packets} packets, {} are there",
                capture.name, truth.packets
            ));
        }
        Ok(packets)
    }
}

/// A program's cost at one size.
struct Point {
    program: String,
    at: f64,
    cost: f64,
}

impl Point {
    fn of(program: &str, at: f64, cost: f64) -> Self {
        Self {
            program: program.replace('*', ""),
            at,
            cost,
        }
    }
}

/// Lines of a plot, in the order in which their programs came.
#[derive(Default)]
struct Lines(Vec<Line>);

impl Lines {
    fn extend(&mut self, points: impl IntoIterator<Item = Point>) {
        for Point { program, at, cost } in points {
            match self.0.iter_mut().find(|line| line.name == program) {
                Some(line) => line.points.push((at, cost)),
                None => self.0.push(Line {
                    name: program,
                    points: vec![(at, cost)],
                }),
            }
        }
    }

    fn panel(self, title: &str, across: &str, up: &str) -> Panel {
        Panel {
            title: title.to_owned(),
            across: across.to_owned(),
            up: up.to_owned(),
            lines: self.0,
        }
    }
}

impl Options {
    /// The command that asks for this.
    fn command(&self) -> String {
        let captures: String = self
            .captures
            .iter()
            .filter_map(|path| path.file_name())
            .map(|name| format!(" --capture {}", Path::new(name).display()))
            .collect();
        let kinds = match self.captures.is_empty() {
            true => format!(
                " --kinds {} --scale {} --seed {}",
                self.kinds.join(","),
                self.scale,
                self.seed
            ),
            false => captures,
        };
        let rivals = if self.rivals { "" } else { " --no-rivals" };
        format!("cargo xtask bench{kinds} --pairs {}{rivals}", self.pairs)
    }
}

const KINDS: [&str; 4] = ["mix", "small", "flows", "grid"];
/// Runs of a start: each takes some milliseconds.
const STARTS: usize = 20;

pub(crate) const USAGE: &str = "\
  bench [OPTIONS]        measures and checks the program on captures it makes; writes target/bench/report.md and cost.svg
      --kinds KIND,...   of mix, small, flows, grid [default: all]
      --scale X          multiplies their sizes [default: 1, some gigabytes in all]
      --seed N           makes other captures of the same kinds [default: 1]
      --pairs N          runs of each program [default: 5]
      --capture FILE     measures this one instead (again for several); FILE.truth.json says what is in it
      --no-rivals        only the program and the bare libpcap loop
      --docs             writes the figures of docs/performance.md anew too";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_wrong_ones_refused() {
        let options =
            Options::parse(&["--kinds", "mix,grid", "--scale", "0.1", "--pairs", "7"]).unwrap();
        assert_eq!(options.kinds, ["mix", "grid"]);
        assert_eq!(
            (options.pairs, options.size(1000), options.seed),
            (7, 100, 1)
        );
        let again = options.command();
        let words: Vec<&str> = again.split(' ').skip(3).collect();
        assert_eq!(Options::parse(&words).unwrap(), options);
        for wrong in [
            &["--kinds", "mux"][..],
            &["--pairs", "0"],
            &["--scale", "-1"],
            &["--seed"],
            &["mix.pcap"],
        ] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
