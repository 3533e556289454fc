//! The report: Markdown that a person reads in a terminal too.

use std::fmt::Write as _;
use std::process::Command;

use super::captures::Capture;
use super::measure::{Cost, Paired};
use super::programs::Programs;

/// A line of the table of a capture.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) program: String,
    runs: usize,
    user_s: f64,
    system_s: f64,
    pub(crate) cpu_s: f64,
    wall_s: f64,
    pub(crate) peak_kib: i64,
    pub(crate) ns_packet: f64,
    pub(crate) ratio: f64,
}

impl Row {
    pub(crate) fn of(program: &str, paired: &Paired, packets: u64) -> Self {
        let cpu_s = paired.of(Cost::cpu_s);
        Self {
            program: program.to_owned(),
            runs: paired.costs.len(),
            user_s: paired.of(|cost| cost.user_s),
            system_s: paired.of(|cost| cost.system_s),
            cpu_s,
            wall_s: paired.of(|cost| cost.wall_s),
            peak_kib: paired.peak_kib(),
            ns_packet: cpu_s * 1e9 / packets.max(1) as f64,
            ratio: paired.ratio(Cost::cpu_s),
        }
    }
}

pub(crate) struct Report {
    head: String,
    body: String,
    workers: Table,
    checked: Vec<String>,
}

impl Report {
    pub(crate) fn begin(command: &str) -> Self {
        Self {
            head: format!("# Benchmark\n\n`{command}`\n\n{}\n", machine()),
            body: String::new(),
            workers: Table::of(&[
                "capture",
                "one worker, wall s",
                "two, wall s",
                "throughput",
                "CPU",
            ]),
            checked: Vec::new(),
        }
    }

    pub(crate) fn table(&mut self, capture: &Capture, packets: u64, rows: &[Row]) {
        let mib = capture.octets() as f64 / f64::from(1 << 20);
        let flows = capture.truth.as_ref().map_or_else(String::new, |truth| {
            format!(", {} flows", truth.distinct_flows())
        });
        let mut table = Table::of(&[
            "program",
            "runs",
            "user s",
            "sys s",
            "CPU s",
            "wall s",
            "peak MiB",
            "ns/packet",
            "x bare",
        ]);
        for row in rows {
            table.row(&[
                row.program.clone(),
                row.runs.to_string(),
                format!("{:.2}", row.user_s),
                format!("{:.2}", row.system_s),
                format!("{:.3}", row.cpu_s),
                format!("{:.2}", row.wall_s),
                mib_of(row.peak_kib),
                format!("{:.0}", row.ns_packet),
                format!("{:.2}", row.ratio),
            ]);
        }
        let _ = write!(
            self.body,
            "\n## {}: {packets} packets, {mib:.0} MiB{flows}\n\n{}",
            capture.name,
            table.text()
        );
    }

    pub(crate) fn checked(&mut self, capture: &Capture, right: bool) {
        if right && capture.truth.is_some() {
            self.checked.push(capture.name.clone());
        }
    }

    pub(crate) fn workers(&mut self, name: &str, one: f64, two: f64, throughput: f64, cpu: f64) {
        self.workers.row(&[
            name.to_owned(),
            format!("{one:.2}"),
            format!("{two:.2}"),
            format!("{throughput:.2} x"),
            format!("{cpu:.2} x"),
        ]);
    }

    /// Flows, what the program costs, and nanoseconds a packet of the bare loop.
    pub(crate) fn grids(&mut self, measured: &[(u64, Row, f64)]) {
        let mut table = Table::of(&["flows", "ns/packet", "bare ns/packet", "x bare", "peak MiB"]);
        for (flows, row, bare_ns) in measured {
            table.row(&[
                flows.to_string(),
                format!("{:.0}", row.ns_packet),
                format!("{bare_ns:.0}"),
                format!("{:.2}", row.ratio),
                mib_of(row.peak_kib),
            ]);
        }
        let _ = write!(
            self.body,
            "\n## grid: the same packets over more flows\n\n{}",
            table.text()
        );
        if let (Some((few, first, _)), Some((many, last, _))) = (measured.first(), measured.last())
            && many > few
        {
            let octets = (last.peak_kib - first.peak_kib) as f64 * 1024.0 / *many as f64;
            let _ = writeln!(
                self.body,
                "\nMemory per tracked flow, (peak with {many} − peak with {few}) / {many}: {octets:.0} B. \
                 Cost a packet with {many} flows against {few}: {:.2} x.",
                last.ns_packet / first.ns_packet
            );
        }
    }

    /// What, wall and CPU seconds, peak memory.
    pub(crate) fn start(&mut self, rows: &[(&str, f64, f64, i64)]) {
        let mut table = Table::of(&["start to first packet", "wall ms", "CPU ms", "peak MiB"]);
        for (what, wall, cpu, peak) in rows {
            table.row(&[
                (*what).to_owned(),
                format!("{:.1}", wall * 1e3),
                format!("{:.1}", cpu * 1e3),
                mib_of(*peak),
            ]);
        }
        let _ = write!(self.body, "\n## Start\n\n{}", table.text());
    }

    pub(crate) fn plot(&mut self, file: &str) {
        let _ = write!(self.body, "\n![cost against packets and flows]({file})\n");
    }

    pub(crate) fn finish(self, programs: &Programs, faults: &[String]) -> String {
        let mut text = self.head;
        text.push_str("\nCPU is user and system time of the whole process, the median of the runs; *x bare* is the median of \
                       the ratios to the run of the bare loop right before each. The captures were in memory.\n");
        text.push_str(&self.body);
        if !self.workers.rows.is_empty() {
            let _ = write!(
                text,
                "\n## Two workers against one\n\n{}",
                self.workers.text()
            );
        }
        text.push_str("\n## Output\n\n");
        if !self.checked.is_empty() {
            let _ = writeln!(
                text,
                "Exactly what is in the capture (flows, packets, server names of TLS and QUIC and how often each, DNS \
                 transactions, RDP cookies, RFB versions, sessions), and the same octets from 1, 2 and 4 workers: {}.",
                self.checked.join(", ")
            );
        }
        for fault in faults {
            let _ = writeln!(text, "- **wrong**: {fault}");
        }
        text.push_str("\n## Commands\n\n");
        let own = [&programs.bare, &programs.alerts, &programs.observations];
        for program in own.into_iter().chain(&programs.rivals) {
            let _ = writeln!(
                text,
                "- {}: `{}`",
                program.name.replace('*', ""),
                program.command()
            );
        }
        for version in &programs.versions {
            let _ = writeln!(text, "- {version}");
        }
        text
    }
}

/// A table whose columns are as wide as they need to be.
struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn of(head: &[&str]) -> Self {
        Self {
            head: head.iter().map(|&word| word.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    fn row(&mut self, cells: &[String]) {
        self.rows.push(cells.to_vec());
    }

    fn text(&self) -> String {
        let wide = |column: usize| {
            let cells = self.rows.iter().chain([&self.head]);
            cells
                .filter_map(|row| Some(row.get(column)?.chars().count()))
                .max()
                .unwrap_or(0)
        };
        let line = |row: &[String]| {
            let mut text = String::from("|");
            for (column, cell) in row.iter().enumerate() {
                let width = wide(column);
                let _ = match column {
                    0 => write!(text, " {cell:width$} |"),
                    _ => write!(text, " {cell:>width$} |"),
                };
            }
            text + "\n"
        };
        let rule: Vec<String> = (0..self.head.len())
            .map(|column| match column {
                0 => "-".repeat(wide(column)),
                _ => format!("{}:", "-".repeat(wide(column).saturating_sub(1))),
            })
            .collect();
        let rows = self.rows.iter().map(|row| line(row));
        [line(&self.head), line(&rule)]
            .into_iter()
            .chain(rows)
            .collect()
    }
}

fn mib_of(kib: i64) -> String {
    format!("{:.0}", kib as f64 / 1024.0)
}

/// What it ran on.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let cpu =
        field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown CPU".to_owned());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok())
        .map_or_else(
            || "?".to_owned(),
            |kib| format!("{:.0}", kib / 1024.0 / 1024.0),
        );
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or("?").to_owned();
    let says = |program: &str, argument: &str| {
        let done = Command::new(program).arg(argument).output();
        done.map_or_else(
            |_| String::new(),
            |done| String::from_utf8_lossy(&done.stdout).trim().to_owned(),
        )
    };
    let date = says("date", "-I");
    format!(
        "{date}; {cores} cores of {cpu}, {memory} GiB, Linux {}; {}; load {load} at the beginning{}.",
        kernel.trim().split('-').next().unwrap_or_default(),
        says("rustc", "--version"),
        match load.parse::<f64>() {
            Ok(load) if load > 1.0 =>
                " (**busy: quote no time, only ratios, and those with care**)",
            _ => "",
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_lines_up() {
        let mut table = Table::of(&["what", "s"]);
        table.row(&["a".to_owned(), "12.5".to_owned()]);
        assert_eq!(
            table.text(),
            "| what |    s |\n| ---- | ---: |\n| a    | 12.5 |\n"
        );
    }
}
