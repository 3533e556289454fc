//! How much a sensor bears live: sends a capture over a pair of virtual interfaces in a network namespace of its own, as fast
//! as that goes, and says what the sensor lost and what it cost.
//!
//! ```sh
//! cargo build --release
//! sudo cargo run --profile test -p terrier-tests --example load -- \
//!     target/release/terrier CAPTURE.pcap [--rate PACKETS_PER_SECOND] [OPTIONS OF terrier run]
//! ```
//!
//! The sender takes more time than the sensor: what is measured is the rate that the sender reaches. The sensor's CPU time
//! is that of the process, without its start; the kernel's work of filling the ring is the sender's.

#[path = "../support/sender.rs"]
mod sender;

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use terrier::capture::{CaptureFile, Chunk, Filled, Source as _};

use sender::Sender;

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, capture, options @ ..] = arguments.as_slice() else {
        return Err("which sensor, and which capture?".into());
    };
    if std::env::var_os(INSIDE).is_none() {
        let status = Command::new("unshare")
            .args(["--net", "--"])
            .arg(std::env::current_exe()?)
            .args(&arguments)
            .env(INSIDE, "yes")
            .status()?;
        return if status.success() {
            Ok(())
        } else {
            Err("it has failed".into())
        };
    }
    let mut options = options.to_vec();
    let mut rate = u32::MAX;
    if let Some(at) = options.iter().position(|option| option == "--rate") {
        options.remove(at);
        rate = options.remove(at).parse()?;
    }
    for setting in [
        "link set lo up",
        "link add a0 type veth peer name b0",
        "link set a0 mtu 65535 up",
        "link set b0 mtu 65535 up",
    ] {
        Command::new("ip").args(setting.split(' ')).status()?;
    }
    let frames = frames(Path::new(capture))?;
    let octets: u64 = frames.iter().map(|frame| frame.len() as u64).sum();

    let mut sensor = Command::new(program)
        .args(["run", "-i", "a0", "--json", "--emit", "alert,stats"])
        .args(["--listen", "127.0.0.1:0"])
        .args(&options)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut said = BufReader::new(sensor.stderr.take().ok_or("no pipe")?);
    let mut watching = String::new();
    said.read_line(&mut watching)?;
    let out = sensor.stdout.take().ok_or("no pipe")?;
    let records =
        std::thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).last());
    let before = cpu_ticks(&sensor)?;
    let mut left = frames.iter();
    let (sent, took) = Sender::on("b0").send(rate, |buffer| {
        let next = left.next();
        next.map(|frame| buffer.extend_from_slice(frame)).is_some()
    });
    std::thread::sleep(Duration::from_millis(500));
    let cpu = Duration::from_millis((cpu_ticks(&sensor)? - before) * 10);
    let pid = Pid::from_raw(sensor.id().cast_signed()).ok_or("no process")?;
    kill_process(pid, Signal::TERM)?;
    let last = records.join().map_err(|_| "the reader has panicked")?;
    let status = sensor.wait()?;
    let mut words = String::new();
    said.read_to_string(&mut words)?;

    let stats: Value = serde_json::from_str(&last.ok_or("no record")?)?;
    let read = stats["packets"].as_u64().unwrap_or_default();
    let seconds = took.as_secs_f64();
    let mut answer = std::io::stdout();
    writeln!(
        answer,
        "sent {sent} packets in {seconds:.2} s: {:.0} kpps, {:.2} Gbit/s",
        sent as f64 / seconds / 1e3,
        octets as f64 * 8.0 / seconds / 1e9
    )?;
    writeln!(
        answer,
        "read {read}; lost {}; shed {}; sessions {}",
        stats["drops"], stats["shed"], stats["sessions"]
    )?;
    writeln!(
        answer,
        "CPU {:.2} s: {:.0} % of the time, {:.0} ns a packet read; {status}",
        cpu.as_secs_f64(),
        cpu.as_secs_f64() / seconds * 100.0,
        cpu.as_nanos() as f64 / read.max(1) as f64
    )?;
    write!(answer, "{words}")?;
    Ok(())
}

fn frames(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let mut file = CaptureFile::open(path, 0)?;
    let mut chunk = Chunk::new();
    let mut frames = Vec::new();
    while file.fill(&mut chunk)? == Filled::More {
        frames.extend(chunk.iter().map(|(_, octets)| octets.to_vec()));
    }
    Ok(frames)
}

/// What a process has used, in hundredths of a second.
fn cpu_ticks(child: &Child) -> Result<u64, Failure> {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
    // Behind the name in parentheses; user and system time are the 14th and 15th field of proc(5).
    let (_, fields) = text.rsplit_once(") ").ok_or("proc(5)")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let field = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
    Ok(field(11).ok_or("proc(5)")? + field(12).ok_or("proc(5)")?)
}

const INSIDE: &str = "TERRIER_LOAD_INSIDE";
