//! What the sensor knows, as tables: the registries in the words of the documentation.
//!
//! The tables of `README.md` are made of them, and a test of the workspace compares the two, so the documents cannot say
//! more than the code does.

use std::sync::Arc;

use terrier_wire::link::{self, Encapsulations};

use crate::alert::Dropping;
use crate::detect::{self, Listed};
use crate::protocol::{self, Protocol};
use crate::signature::{self, Class, Role, Signatures};

/// Everything that is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Link types of captures, in words.
    pub links: Vec<&'static str>,
    /// Encapsulations, in the order of `stats.encapsulations`.
    pub encapsulations: Vec<Encapsulation>,
    /// Protocols, by name.
    pub protocols: Vec<ProtocolRow>,
    /// Tools of the built-in signatures that make an alert, by class and id.
    pub tools: Vec<ToolRow>,
    /// Detections that need no signature, in the order of the registry; behind them what the sensor says of itself.
    pub detections: Vec<Listed>,
}

/// An encapsulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encapsulation {
    /// Its name in records.
    pub name: &'static str,
    /// What it is.
    pub meaning: &'static str,
}

/// A protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolRow {
    /// Its name in counters.
    pub name: &'static str,
    /// What it is recognised over: `tcp`, `udp`, `icmp`, `icmp6`, `esp` and so on, as records write it.
    pub transports: Vec<&'static str>,
    /// What it tells.
    pub sees: &'static str,
}

/// A tool of the signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolRow {
    /// With `id` it makes the detection.
    pub class: Class,
    /// Its file's name.
    pub id: String,
    /// For people.
    pub title: String,
    /// By what it is told, the most common first.
    pub told_by: Vec<&'static str>,
}

/// What this build sees.
#[must_use]
pub fn coverage() -> Coverage {
    let none = Signatures::parse(&[]).expect("no file has no fault");
    Coverage {
        links: link::LINK_TYPES.iter().map(|&(name, _)| name).collect(),
        encapsulations: std::iter::zip(Encapsulations::NAMES, Encapsulations::MEANINGS)
            .map(|(name, meaning)| Encapsulation { name, meaning })
            .collect(),
        protocols: protocols(protocol::ALL),
        tools: tools(&Signatures::built_in()),
        detections: detect::all(Arc::new(none), 0)
            .iter()
            .flat_map(|detection| detection.finds())
            .chain([Dropping::listed()])
            .collect(),
    }
}

/// One row a name: most protocols have a row of the registry for each transport.
fn protocols(registry: &[Protocol]) -> Vec<ProtocolRow> {
    let mut rows: Vec<ProtocolRow> = Vec::new();
    for protocol in registry {
        let transport = protocol.transport.name();
        match rows.iter_mut().find(|row| row.name == protocol.name) {
            Some(row) if row.transports.contains(&transport) => {}
            Some(row) => row.transports.push(transport),
            None => rows.push(ProtocolRow {
                name: protocol.name,
                transports: vec![transport],
                sees: protocol.sees,
            }),
        }
    }
    for row in &mut rows {
        row.transports.sort_unstable();
    }
    rows.sort_by_key(|row| row.name);
    rows
}

fn tools(signatures: &Signatures) -> Vec<ToolRow> {
    let mut rows: Vec<ToolRow> = signatures
        .tools()
        .iter()
        .map(|tool| ToolRow {
            class: tool.class,
            id: tool.id.clone(),
            title: tool.title.clone(),
            told_by: told_by(tool),
        })
        .filter(|row| !row.told_by.is_empty())
        .collect();
    rows.sort_by(|a, b| (a.class, &a.id).cmp(&(b.class, &b.id)));
    rows
}

/// What leads to an alert; a download, the vendor's site and a shared host are context only.
fn told_by(tool: &signature::Tool) -> Vec<&'static str> {
    let words = tool
        .entries
        .iter()
        .filter(|entry| entry.role <= Role::Endpoint)
        .filter_map(|entry| word(entry.kind));
    let mut told: Vec<(usize, &'static str)> = words.collect();
    told.sort_unstable();
    told.dedup();
    told.into_iter().map(|(_, word)| word).collect()
}

/// The word for a kind of entry, and its place among them; a port tells nothing by itself.
fn word(kind: signature::Kind) -> Option<(usize, &'static str)> {
    use signature::Kind;
    Some(match kind {
        Kind::Name | Kind::Suffix => (0, "name"),
        Kind::Alpn => (1, "ALPN"),
        Kind::CertSubject | Kind::CertIssuer => (2, "certificate"),
        Kind::HttpPath | Kind::UserAgent | Kind::HttpUpgrade => (3, "HTTP"),
        Kind::WebsocketProtocol => (4, "WebSocket"),
        Kind::SshBanner => (5, "SSH"),
        Kind::Protocol => (6, "protocol"),
        Kind::Octets => (7, "octets"),
        Kind::Port => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_protocol_has_its_row_and_says_one_thing_of_itself() {
        let rows = protocols(protocol::ALL);
        let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
        assert_eq!(names, protocol::protocols());
        let said: BTreeSet<(&str, &str)> = protocol::ALL
            .iter()
            .map(|protocol| (protocol.name, protocol.sees))
            .collect();
        assert_eq!(said.len(), rows.len(), "rows of one name differ: {said:?}");
        let dns = rows.iter().find(|row| row.name == "dns").expect("a row");
        assert_eq!(dns.transports, ["tcp", "udp"]);
    }

    #[test]
    fn tools_and_other_detections_are_kept_apart() {
        let coverage = coverage();
        let ngrok = coverage.tools.iter().find(|tool| tool.id == "ngrok");
        assert_eq!(ngrok.expect("a row").told_by.first(), Some(&"name"));
        let ids: Vec<&str> = coverage
            .detections
            .iter()
            .map(|listed| &*listed.id)
            .collect();
        assert!(
            ids.contains(&"vnc.session") && !ids.contains(&"tunnel.ngrok"),
            "{ids:?}"
        );
    }
}
