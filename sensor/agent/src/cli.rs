//! The command line: a public interface (design, section 5).

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;

use crate::capture::Moment;

/// Finds the remote control nobody asked for: tunnels such as ngrok, VNC sessions, exposed RDP.
#[derive(Debug, Parser)]
#[command(name = "terrier", version, about, long_about = None, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Analyse capture files or folders ('-' is standard input)
    Read(ReadArgs),
    /// Watch interfaces; serves /metrics, /healthz and /readyz
    Run(RunArgs),
    /// Say what this sensor can and cannot see here, and the fix for each point
    Doctor(DoctorArgs),
}

/// What `read` and `run` share.
#[derive(Debug, Args)]
pub struct Shared {
    /// A network that is inside; repeat it for several. Replaces the default (private, shared, link-local, loopback)
    #[arg(long = "home-net", value_name = "CIDR", value_parser = home_net)]
    pub home_net: Vec<IpNet>,

    /// Signature files of your own: a file of the same id replaces the built-in one
    #[arg(long, value_name = "DIR")]
    pub signatures: Option<PathBuf>,

    /// Look only at the packets this filter of libpcap takes
    #[arg(long, value_name = "BPF")]
    pub filter: Option<String>,

    /// How many workers share the packets; the findings are the same with any number
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: u16,

    /// Which records to write
    #[arg(
        long,
        value_name = "KIND",
        value_delimiter = ',',
        default_value = "alert,incident"
    )]
    pub emit: Vec<Kind>,

    /// How to write them [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Write the records to this file [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Write the metrics to this file, in the format Prometheus' node exporter collects
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,

    /// How much memory it may take: a number with K, M or G. The rings of live capture are the kernel's, and on top
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size)]
    pub memory_limit: u64,

    /// Exit with 1 when something of at least this severity was found
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<SeverityArg>,
}

/// `terrier read`.
#[derive(Debug, Args)]
pub struct ReadArgs {
    /// Captures (pcap or pcapng, plain, .gz or .zst), folders of them, or '-'
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Look only at packets from this time on: 2026-11-24T10:00:00Z (or +01:00), 2026-11-24 (UTC), seconds since 1970, or
    /// +90s, +1h30m after the first packet
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,

    /// Look only at packets before this time: --since 2026-11-23 --until 2026-11-24 is one day
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,

    /// Look at each capture by itself: its own flows, names, alerts and counts, and "capture" in each record
    #[arg(long)]
    pub separate: bool,

    /// Go on reading captures that grow, and new ones in folders, until SIGINT or SIGTERM
    #[arg(long, conflicts_with = "separate")]
    pub follow: bool,

    /// What `run` takes too.
    #[command(flatten)]
    pub shared: Shared,
}

/// `terrier run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// An interface to watch; repeat it for several
    #[arg(short = 'i', long = "interface", required = true, value_name = "IFACE")]
    pub interfaces: Vec<String>,

    /// Where to serve /metrics, /healthz and /readyz
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9478")]
    pub listen: SocketAddr,

    /// How much the kernel keeps for each worker and interface until it is looked at
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = ring_size)]
    pub ring_size: RingSize,

    /// Lose packets at random where a worker cannot keep up, instead of those of flows it has decided
    #[arg(long)]
    pub no_shed: bool,

    /// What `read` takes too.
    #[command(flatten)]
    pub shared: Shared,
}

/// `terrier doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Captures (pcap or pcapng, plain, .gz or .zst), folders of them, or '-'
    #[arg(
        value_name = "PATH",
        required_unless_present = "interface",
        conflicts_with = "interface"
    )]
    pub paths: Vec<PathBuf>,

    /// An interface to look at instead
    #[arg(short = 'i', long = "interface", value_name = "IFACE")]
    pub interface: Option<String>,

    /// How long to look at the interface
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,

    /// A network that is inside; repeat it for several. Replaces the default (private, shared, link-local, loopback)
    #[arg(long = "home-net", value_name = "CIDR", value_parser = home_net)]
    pub home_net: Vec<IpNet>,

    /// The filter of libpcap you mean to use: what it would miss is told
    #[arg(long, value_name = "BPF")]
    pub filter: Option<String>,

    /// Write one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Kind {
    /// Findings.
    Alert,
    /// Chains of findings.
    Incident,
    /// Facts.
    Observation,
    /// Ended flows.
    Flow,
    /// Counts, once at the end.
    Stats,
}

/// A form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A severity on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum SeverityArg {
    /// `info` and worse.
    Info,
    /// `low` and worse.
    Low,
    /// `medium` and worse.
    Medium,
    /// `high` and worse.
    High,
    /// `critical`.
    Critical,
}

/// The size of a ring, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingSize(pub u32);

/// A number of octets, with K, M or G for powers of 1024.
fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.strip_suffix(['K', 'M', 'G']) {
        Some(digits) if text.ends_with('K') => (digits, 1 << 10),
        Some(digits) if text.ends_with('M') => (digits, 1 << 20),
        Some(digits) => (digits, 1 << 30),
        None => (text, 1),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| "not a size; write it like 64M or 512K".to_owned())
}

fn ring_size(text: &str) -> Result<RingSize, String> {
    u32::try_from(size(text)?)
        .ok()
        .filter(|octets| RING_SIZES.contains(octets))
        .map(RingSize)
        .ok_or_else(|| "a ring has 1M to 1G".to_owned())
}

/// libpcap's blocks have 256 KiB, and it takes the size as a signed number.
const RING_SIZES: std::ops::RangeInclusive<u32> = 1 << 20..=1 << 30;

/// A network in CIDR form; a bare address stands for itself, and host bits are refused as they are nearly always a slip.
fn home_net(text: &str) -> Result<IpNet, String> {
    let network = match text.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => match text.parse::<std::net::IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => return Err("not a network; write it like 10.0.0.0/8 or fd00::/8".to_owned()),
        },
    };
    if network.trunc() == network {
        Ok(network)
    } else {
        Err(format!(
            "the address has bits beyond its prefix; did you mean {}?",
            network.trunc()
        ))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn takes_sizes_of_a_ring_and_tells_what_is_wrong() {
        assert_eq!(ring_size("64M"), Ok(RingSize(64 << 20)));
        assert_eq!(ring_size("1024K"), Ok(RingSize(1 << 20)));
        assert_eq!(ring_size("1G"), Ok(RingSize(1 << 30)));
        assert_eq!(ring_size("1048576"), Ok(RingSize(1 << 20)));
        for wrong in ["", "M", "64MB", "-1M", "99999999999999999999G"] {
            assert!(
                ring_size(wrong).is_err_and(|text| text.contains("like 64M")),
                "{wrong}"
            );
        }
        for wrong in ["512K", "2G", "0"] {
            assert!(
                ring_size(wrong).is_err_and(|text| text.contains("1M to 1G")),
                "{wrong}"
            );
        }
    }

    #[test]
    fn takes_networks_and_addresses_and_tells_what_is_wrong() {
        assert!(home_net("10.0.0.0/8").is_ok());
        assert_eq!(
            home_net("fd00::1").map(|network| network.prefix_len()),
            Ok(128)
        );
        assert!(
            home_net("10.0.0.1/8").is_err_and(|text| text.contains("did you mean 10.0.0.0/8?"))
        );
        assert!(home_net("home").is_err_and(|text| text.contains("like 10.0.0.0/8")));
    }
}
