//! Captures of made-up traffic, by seed.
//!
//! *In*: a [`Kind`] with its size, and a seed. *Out*: a classic pcap file, the same octets for the same kind and seed on each
//! machine, and the [`Truth`] of what is in it, so that what reads the capture can be checked as well as timed.
//!
//! All handshakes are whole, all lengths, checksums and sequence numbers are valid, and QUIC's Initials are encrypted as the
//! standard says. What it leaves out: payloads are random octets; losses and detours are mild (some segments come twice, none
//! are missing), so reassembly has it easy. Real traffic is in `pcaps/`.

mod apps;
mod capture;
mod certificate;
mod chance;
mod dns;
mod frame;
mod kinds;
mod names;
mod network;
mod quic;
mod script;
mod seen;
mod stock;
#[cfg(test)]
mod tests;
mod tls;
mod truth;
mod tunnels;

use std::fmt;

pub use certificate::certificate;
pub use chance::Chance;
pub use dns::{Kind as DnsKind, Question};
pub use frame::{ACK, Addresses, Ends, FIN, PSH, RST, SYN, Segment};
pub use kinds::write;
pub use quic::{Keys as QuicKeys, hello as quic_hello};
pub use script::Side;
pub use seen::Seen;
pub use tls::{Hello, client_hello, record as tls_record, server_hello};
pub use truth::Truth;

/// Counts up when the same kind and seed begin to give other octets.
pub const VERSION: u32 = 1;

/// A kind of capture and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A minute of an enterprise: most octets are bulk over TLS and QUIC, and something of everything else is there.
    Mix {
        /// About so many octets.
        octets: u64,
    },
    /// Small packets: DNS, probes, keys and echoes.
    Small {
        /// About so many packets.
        packets: u64,
    },
    /// Short flows: DNS, TLS, probes, small pages.
    Flows {
        /// So many flows.
        flows: u64,
    },
    /// Packets at random over flows that began before the capture.
    Grid {
        /// So many packets.
        packets: u64,
        /// Over so many flows.
        flows: u64,
    },
}

impl Kind {
    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mix { .. } => "mix",
            Self::Small { .. } => "small",
            Self::Flows { .. } => "flows",
            Self::Grid { .. } => "grid",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mix { octets } => write!(formatter, "mix-{octets}"),
            Self::Small { packets } => write!(formatter, "small-{packets}"),
            Self::Flows { flows } => write!(formatter, "flows-{flows}"),
            Self::Grid { packets, flows } => write!(formatter, "grid-{packets}-{flows}"),
        }
    }
}
