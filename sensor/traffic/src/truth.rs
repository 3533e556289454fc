//! What is in a capture.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The contents of a capture, as they were meant. Lies beside it as `FILE.truth.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Truth {
    /// The kind of capture: `mix`, `small`, `flows` or `grid`.
    pub what: String,
    /// What it was made from.
    pub seed: u64,
    /// Packets in it.
    pub packets: u64,
    /// Octets of its packets, without the records around them.
    pub bytes: u64,
    /// Flows by kind.
    pub flows: BTreeMap<String, u64>,
    /// All of them.
    pub flows_total: u64,
    /// Server names of TLS hellos that stand alone in their flow, and how often each.
    pub sni: BTreeMap<String, u64>,
    /// All of them.
    pub sni_total: u64,
    /// Different ones.
    pub sni_distinct: u64,
    /// Server names of QUIC hellos.
    pub quic_sni: BTreeMap<String, u64>,
    /// All of them.
    pub quic_total: u64,
    /// Different ones.
    pub quic_distinct: u64,
    /// Queries of the flows of kind `dns`; those of DNS tunnels come on top.
    pub dns_queries: u64,
    /// Different names in them.
    pub dns_names: u64,
    /// Sessions of remote control: `rdp` and its user, `vnc` and the server's version line.
    pub remote: Vec<(String, String)>,
    /// Tunnels: the kind, and how many packets or queries the client sent.
    pub tunnels: Vec<(String, u64)>,
    /// Sessions by protocol, where whoever made the capture vouches for them.
    pub sessions: BTreeMap<String, u64>,
}

impl Truth {
    /// Flows by their five-tuples. The kind `ssh_odd_port` names flows that `tunnel_ssh443` counts too.
    pub fn distinct_flows(&self) -> u64 {
        let of = |kind: &str| self.flows.get(kind).copied().unwrap_or(0);
        self.flows_total - of("ssh_odd_port").min(of("tunnel_ssh443"))
    }

    /// All DNS transactions, those of DNS tunnels too.
    pub fn dns_transactions(&self) -> u64 {
        let tunnelled = self.tunnels.iter().filter(|(kind, _)| kind == "dns");
        self.dns_queries + tunnelled.map(|(_, queries)| queries).sum::<u64>()
    }

    /// Sessions of remote control of one kind, and how often each.
    pub fn remote_of(&self, kind: &str) -> BTreeMap<&str, u64> {
        let mut found = BTreeMap::new();
        for (of, what) in &self.remote {
            if of == kind {
                *found.entry(what.as_str()).or_default() += 1;
            }
        }
        found
    }

    pub(crate) fn flow(&mut self, kind: &str) {
        *self.flows.entry(kind.to_owned()).or_default() += 1;
    }

    pub(crate) fn session(&mut self, protocol: &str) {
        *self.sessions.entry(protocol.to_owned()).or_default() += 1;
    }

    pub(crate) fn finish(&mut self) {
        self.flows_total = self.flows.values().sum();
        self.sni_total = self.sni.values().sum();
        self.sni_distinct = self.sni.len() as u64;
        self.quic_total = self.quic_sni.values().sum();
        self.quic_distinct = self.quic_sni.len() as u64;
    }
}
