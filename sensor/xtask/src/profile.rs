//! `cargo xtask profile`: where a packet's nanoseconds go.
//!
//! perf takes samples of whole runs; each is given to the innermost of our source files whose code was running there, inlined
//! or not, and the files are summed up by stage. What the kernel and libraries do is shown by itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::bench::{Capture, build, cost_of, folder, median};
use crate::document;
use crate::needs::{self, on_path};
use crate::steps::target;
use crate::tell;

/// Profiles `read --json` of a capture, with more arguments where they are given, and prints the ladder; `docs`: writes it
/// into the document too.
pub(crate) fn profile(capture: &Capture, arguments: &[&str], docs: bool) -> anyhow::Result<()> {
    for (program, package) in [("perf", "linux-perf"), ("addr2line", "binutils")] {
        if !on_path(program) {
            bail!("missing: {program}. On Debian: sudo apt-get install -y {package}");
        }
    }
    needs::libpcap()?;
    build()?;
    let packets = capture
        .truth
        .as_ref()
        .map(|truth| truth.packets)
        .context("what is in the capture is not known; make one with `cargo xtask capture`")?;
    let binary = target().join("release/terrier");
    let binary = std::fs::canonicalize(&binary).unwrap_or(binary);
    let mut words = vec![binary.to_string_lossy().into_owned()];
    words.extend(["read", "--json"].map(ToOwned::to_owned));
    words.extend(arguments.iter().map(|&word| word.to_owned()));
    words.push(capture.path().to_owned());

    let costs = (0..RUNS)
        .map(|_| cost_of(&words))
        .collect::<Result<Vec<_>, _>>()?;
    let cpu_s = median(costs.iter().map(|cost| cost.user_s + cost.system_s));
    let mut samples = Samples::default();
    for _ in 0..RUNS {
        samples.add(&sample(&words)?, &binary)?;
    }
    let ns_packet = cpu_s * 1e9 / packets.max(1) as f64;
    let name = &capture.name;
    let text = format!(
        "`terrier read --json {}{name}`: {packets} packets, {ns_packet:.0} ns of CPU a packet (median of {RUNS} runs), \
         {} samples.\n\n{}",
        arguments
            .iter()
            .fold(String::new(), |text, word| text + word + " "),
        samples.count,
        samples.ladder(&binary, ns_packet)?
    );
    let path = folder()?.join("profile.md");
    std::fs::write(&path, &text)?;
    tell(&format!("{text}\nwritten to {}", path.display()));
    if docs {
        document::put("ladder", &text)?;
    }
    Ok(())
}

/// What perf saw of one run, as text: the maps of the process and each sample.
fn sample(words: &[String]) -> anyhow::Result<String> {
    let data = folder()?.join("perf.data");
    let recorded = Command::new("perf")
        .args(["record", "-q", "-F", FREQUENCY, "-o"])
        .arg(&data)
        .arg("--")
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()?;
    if !recorded.status.success() {
        let why = String::from_utf8_lossy(&recorded.stderr).into_owned();
        bail!("perf record: {}\n{why}", recorded.status);
    }
    let shown = Command::new("perf")
        .args(["script", "--show-mmap-events", "-F", "ip,sym,dso", "-i"])
        .arg(&data)
        .output()?;
    if !shown.status.success() {
        bail!("perf script: {}", shown.status);
    }
    Ok(String::from_utf8_lossy(&shown.stdout).into_owned())
}

/// Samples, by where they were taken.
#[derive(Debug, Default)]
struct Samples {
    count: u64,
    /// In the program, by the address in its file: the function that perf names there, and how many.
    own: BTreeMap<u64, (String, u64)>,
    /// Elsewhere, by object and symbol.
    other: BTreeMap<(String, String), u64>,
}

impl Samples {
    fn add(&mut self, script: &str, binary: &Path) -> anyhow::Result<()> {
        let name = binary.to_string_lossy();
        let moved = text_moved_by(binary)?;
        let mut base = None;
        for line in script.lines() {
            if line.contains("PERF_RECORD_MMAP") {
                if line.ends_with(&*name) && line.contains(" r-xp ") {
                    base = loaded_at(line).map(|(start, offset)| start.wrapping_sub(offset));
                }
                continue;
            }
            let Some((address, symbol, object)) = taken_at(line) else {
                continue;
            };
            self.count += 1;
            match base {
                Some(base) if object == name => {
                    let address = address.wrapping_sub(base).wrapping_add(moved);
                    let new = || (symbol.to_owned(), 0);
                    self.own.entry(address).or_insert_with(new).1 += 1;
                }
                _ => {
                    let object = object.rsplit('/').next().unwrap_or(object);
                    let key = (object.to_owned(), symbol.to_owned());
                    *self.other.entry(key).or_default() += 1;
                }
            }
        }
        Ok(())
    }

    /// The stages as a table.
    fn ladder(&self, binary: &Path, ns_packet: f64) -> anyhow::Result<String> {
        let mut stages: BTreeMap<&str, Stage> = BTreeMap::new();
        let mut add = |stage, what: String, count| {
            let stage: &mut Stage = stages.entry(stage).or_default();
            stage.count += count;
            *stage.parts.entry(what).or_default() += count;
        };
        let addresses: Vec<u64> = self.own.keys().copied().collect();
        for (address, file) in addresses.iter().zip(files_of(binary, &addresses)?) {
            let (symbol, count) = &self.own[address];
            let (stage, what) = stage_of(&file, symbol);
            add(stage, what, *count);
        }
        for ((object, symbol), count) in &self.other {
            add(stage_elsewhere(object, symbol), symbol.clone(), *count);
        }
        let mut sorted: Vec<(&str, Stage)> = stages.into_iter().collect();
        sorted.sort_by_key(|(_, stage)| std::cmp::Reverse(stage.count));
        let all = self.count.max(1) as f64;
        let mut text =
            "| stage | ns/packet | share | most of it in |\n| --- | ---: | ---: | --- |\n"
                .to_owned();
        for (name, stage) in sorted {
            let share = stage.count as f64 / all;
            let mut parts: Vec<(&String, &u64)> = stage.parts.iter().collect();
            parts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let parts: Vec<String> = parts
                .iter()
                .take(4)
                .map(|(what, count)| {
                    let part = **count as f64 / all * ns_packet;
                    format!("`{what}` {part:.1}")
                })
                .collect();
            let _ = writeln!(
                text,
                "| {name} | {:.1} | {:.1} % | {} |",
                share * ns_packet,
                share * 100.0,
                parts.join(", ")
            );
        }
        Ok(text)
    }
}

#[derive(Debug, Default)]
struct Stage {
    count: u64,
    parts: BTreeMap<String, u64>,
}

/// For each address the source file of the innermost function that is ours, else of the outermost one.
fn files_of(binary: &Path, addresses: &[u64]) -> anyhow::Result<Vec<String>> {
    let mut child = Command::new("addr2line")
        .args(["-a", "-i", "-e"])
        .arg(binary)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let asked: String = addresses.iter().map(|it| format!("{it:#x}\n")).collect();
    let mut input = child.stdin.take().context("its input")?;
    // Its answers are longer than a pipe is.
    let writer = std::thread::spawn(move || input.write_all(asked.as_bytes()));
    let done = child.wait_with_output()?;
    let _ = writer.join();
    let files = innermost(&String::from_utf8_lossy(&done.stdout));
    if files.len() != addresses.len() {
        bail!(
            "addr2line told of {} addresses of {}",
            files.len(),
            addresses.len()
        );
    }
    Ok(files)
}

/// The answers of addr2line: an address, then the places from the inside out.
fn innermost(text: &str) -> Vec<String> {
    let mut files: Vec<(String, bool)> = Vec::new();
    for line in text.lines() {
        if line.starts_with("0x") {
            files.push((String::new(), false));
            continue;
        }
        let file = line.rsplit_once(':').map_or(line, |(file, _)| file);
        if let Some((kept, ours)) = files.last_mut().filter(|(_, ours)| !ours) {
            *ours = file.contains("sensor/");
            file.clone_into(kept);
        }
    }
    files.into_iter().map(|(file, _)| file).collect()
}

/// The stage that a source file belongs to, and a short name of the file; of the function where no file is known.
fn stage_of(file: &str, symbol: &str) -> (&'static str, String) {
    if file.contains("mimalloc") || symbol.starts_with("mi_") || symbol.starts_with("_mi_") {
        return (ALLOCATION, symbol.to_owned());
    }
    let Some((_, path)) = file.rsplit_once("sensor/") else {
        // A function of a library that was not inlined into ours.
        let name = match file.split_once("/registry/src/") {
            Some((_, path)) => path.split('/').nth(1).unwrap_or(path),
            None if file.contains("/library/") => "std",
            None => symbol,
        };
        return ("libraries, called", name.to_owned());
    };
    let path = path.replace("/src/", "/");
    let stage = STAGES
        .iter()
        .find(|(start, _)| path.starts_with(start))
        .map_or("the rest of the program", |(_, stage)| stage);
    (stage, path)
}

fn stage_elsewhere(object: &str, symbol: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| symbol.contains(word));
    if object.contains("kernel") {
        return match () {
            () if has(&[
                "copy_to",
                "filemap",
                "copy_page",
                "readahead",
                "ext4",
                "xas_",
                "folio",
            ]) =>
            {
                "kernel: read"
            }
            () if has(&[
                "fault",
                "clear_page",
                "mm_",
                "vma",
                "mmap",
                "pte",
                "zap",
                "rmqueue",
                "free_",
            ]) =>
            {
                "kernel: memory"
            }
            () => "kernel: the rest",
        };
    }
    match () {
        () if has(&["malloc", "free", "realloc", "calloc", "unlink_chunk"]) => ALLOCATION,
        () if has(&["mem"]) => "libc: copies and comparisons",
        () if object.starts_with("ld-") => "start: the dynamic linker",
        () => "other libraries",
    }
}

/// Address, symbol, object of a sample's line: `  55d0 name of it (/path)`.
fn taken_at(line: &str) -> Option<(u64, &str, &str)> {
    let (address, rest) = line.trim_start().split_once(' ')?;
    let (symbol, object) = rest.trim_end().strip_suffix(')')?.rsplit_once(" (")?;
    let address = u64::from_str_radix(address, 16).ok()?;
    Some((address, symbol, object))
}

/// Start and offset in the file of `... [0x557e13a68000(0x3b5000) @ 0x119000 fe:00 ...`.
fn loaded_at(line: &str) -> Option<(u64, u64)> {
    let hex = |word: &str| u64::from_str_radix(word.strip_prefix("0x").unwrap_or(word), 16).ok();
    let (_, rest) = line.split_once('[')?;
    let (start, rest) = rest.split_once('(')?;
    let (_, rest) = rest.split_once("@ ")?;
    let offset = rest.split([' ', ']']).next()?;
    Some((hex(start)?, hex(offset)?))
}

/// By how much the addresses of the code differ from its offsets in the file.
fn text_moved_by(binary: &Path) -> anyhow::Result<u64> {
    let done = Command::new("readelf").args(["-lW"]).arg(binary).output()?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let hex = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    let segment = text.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let runs = words.first() == Some(&"LOAD") && words.contains(&"E");
        runs.then(|| Some((hex(words.get(1)?)?, hex(words.get(2)?)?)))?
    });
    let (offset, address) = segment.context("readelf shows no code")?;
    Ok(address.wrapping_sub(offset))
}

/// Which folder of our sources belongs to which stage; the first that fits.
const STAGES: [(&str, &str); 20] = [
    ("agent/capture", "reading the capture"),
    ("agent/pipeline", "batches to workers"),
    ("agent/read", "batches to workers"),
    ("agent/output", "writing records"),
    ("engine/record", "writing records"),
    ("wire/link", "frame to transport"),
    ("wire/net", "frame to transport"),
    ("wire/transport", "frame to transport"),
    ("wire/decap", "frame to transport"),
    ("wire/reader", "frame to transport"),
    ("engine/flow", "flow table"),
    ("engine/prefetch", "flow table"),
    ("engine/worker", "worker: counters, dealing with the flow"),
    ("engine/conversation", "conversations and reassembly"),
    ("engine/reassembly", "conversations and reassembly"),
    ("engine/protocol", "sessions"),
    ("engine/observation", "sessions"),
    ("wire/", "decoders"),
    ("engine/", "judge, detections, signatures"),
    ("agent/", "the rest of the program"),
];
const ALLOCATION: &str = "allocation";
const RUNS: usize = 5;
/// Samples a second; no multiple of what else happens at whole milliseconds.
const FREQUENCY: &str = "9973";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_perf_are_read() {
        let sample = "     557e13d63eee alloc::sync::Arc<T,A>::drop_slow (/a/terrier)";
        let symbol = "alloc::sync::Arc<T,A>::drop_slow";
        assert_eq!(
            taken_at(sample),
            Some((0x557e_13d6_3eee, symbol, "/a/terrier"))
        );
        let map = "PERF_RECORD_MMAP2 7/7: [0x557e13a68000(0x3b5000) @ 0x119000 fe:00 5 9]: r-xp /a/terrier";
        assert_eq!(loaded_at(map), Some((0x557e_13a6_8000, 0x0011_9000)));
    }

    #[test]
    fn a_sample_belongs_to_the_innermost_of_our_files() {
        let text = "0x10\n/rustc/1/library/core/src/x.rs:5\n/t/sensor/wire/src/dns/name.rs:7\n/t/sensor/engine/src/judge.rs:1\n\
                    0x20\n/c/registry/src/index/hashbrown-0.16/src/raw.rs:9 (discriminator 3)\n0x30\n??:0\n";
        let files = innermost(text);
        let stages: Vec<(&str, String)> = files.iter().map(|file| stage_of(file, "f")).collect();
        assert_eq!(stages[0], ("decoders", "wire/dns/name.rs".to_owned()));
        assert_eq!(
            stages[1],
            ("libraries, called", "hashbrown-0.16".to_owned())
        );
        assert_eq!(stages[2], ("libraries, called", "f".to_owned()));
        assert_eq!(stage_of("??", "_mi_page_free").0, ALLOCATION);
        assert_eq!(
            stage_of("sensor/agent/src/capture/pcap.rs", "f").0,
            "reading the capture"
        );
        assert_eq!(
            stage_of("sensor/engine/src/names.rs", "f").0,
            "judge, detections, signatures"
        );
    }
}
