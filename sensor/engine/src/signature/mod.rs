//! Signatures: the text of `signatures/` to look-ups.
//!
//! *In*: TOML files, one per tool, built into the binary or from a folder of the operator. *Out*: [`Signatures`], which
//! answers whose name, first octets, HTTP request, certificate or ALPN something is. *By*: `signatures/README.md`.
//!
//! A host name is looked up with one hash probe per label border, whatever the number of entries; most end in labels that
//! no entry has, and are done with before. Of all entries that
//! cover a name the one wins that spells out most of it: `update.ngrok-agent.com` is a download although the rest of
//! `ngrok-agent.com` is the agent's.
//!
//! *Left out*: what a hit means. That is the detections' matter; nothing of the engine is known here.
//!
//! *Fails* at a file that is not as the README says, with path, line and column; a set is taken whole or not at all.

mod built_in;
mod ends;
mod error;
mod file;
mod matcher;
mod pattern;
mod tool;

pub use error::{Problem, SignatureError};
pub use tool::{
    Class, Confidence, Direction, Entry, Example, ExampleOf, HttpExample, Kind, Misses, Role,
    SeenIn, Severity, Tests, Tool,
};

pub(crate) use ends::Ends;

use sha2::{Digest as _, Sha256};

use built_in::BuiltIn;
use matcher::Matcher;

/// A compiled set of signatures.
#[derive(Debug)]
pub struct Signatures {
    tools: Vec<Tool>,
    matcher: Matcher,
}

/// What was found: the tool, and the entry of its file that fits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit<'a> {
    /// Whose it is.
    pub tool: &'a Tool,
    /// By which entry, with its role.
    pub entry: &'a Entry,
}

/// An HTTP request, as far as signatures look at it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// Method.
    pub method: &'a str,
    /// Request target.
    pub uri: &'a str,
    /// Host, perhaps with its port.
    pub host: Option<&'a str>,
    /// User-Agent.
    pub user_agent: Option<&'a str>,
    /// Upgrade.
    pub upgrade: Option<&'a str>,
}

impl Signatures {
    /// The files of `signatures/`, as they were when the binary was built, without their examples.
    #[must_use]
    pub fn built_in() -> Self {
        let tools: Vec<Tool> = built_in::FILES.iter().map(BuiltIn::tool).collect();
        let matcher = Matcher::new(&tools);
        Self { tools, matcher }
    }

    /// Compiles files, given as path and text. The path is for messages, and its last part is the tool's id. All hits
    /// and misses of the files are checked.
    ///
    /// # Errors
    /// At the first thing that is not as `signatures/README.md` says.
    pub fn parse(files: &[(String, String)]) -> Result<Self, SignatureError> {
        let tools = files
            .iter()
            .map(|(path, text)| file::read(path, text))
            .collect::<Result<Vec<_>, _>>()?;
        let all = 0..tools.len();
        Self::compile(tools, all)
    }

    /// Lays another set over this one: a tool with the same class and id is replaced as a whole, others are added.
    ///
    /// # Errors
    /// When both sets claim the same for different tools, or a hit or miss of `other` fails beside this set's tools.
    pub fn overlay(self, other: Self) -> Result<Self, SignatureError> {
        let replaced = |tool: &Tool| other.tools.iter().any(|new| new.is_same_tool(tool));
        let mut tools: Vec<_> = self.tools;
        tools.retain(|tool| !replaced(tool));
        let new = tools.len()..tools.len() + other.tools.len();
        tools.extend(other.tools);
        Self::compile(tools, new)
    }

    /// `to_check` are the tools whose hits and misses are new.
    fn compile(tools: Vec<Tool>, to_check: std::ops::Range<usize>) -> Result<Self, SignatureError> {
        matcher::refuse_double(&tools)?;
        let matcher = Matcher::new(&tools);
        let set = Self { tools, matcher };
        for tool in set.tools.get(to_check).unwrap_or_default() {
            tool.check(&set)?;
        }
        Ok(set)
    }

    /// Whose host name this is. Case and a trailing dot do not matter.
    #[must_use]
    pub fn by_name(&self, name: &str, seen_in: SeenIn) -> Option<Hit<'_>> {
        self.hit(self.matcher.by_name(name, seen_in))
    }

    /// Whose first octets these are; of either side of a flow, at the flow's start.
    #[must_use]
    pub fn by_octets(&self, octets: &[u8]) -> Option<Hit<'_>> {
        self.hit(self.matcher.by_octets(octets))
    }

    /// Whether [`Signatures::by_octets`] may know octets of which this is the first one.
    #[must_use]
    pub fn may_begin(&self, first: u8) -> bool {
        self.matcher.may_begin(first)
    }

    /// Whose HTTP request this is: by its host (of the `Host` field, of a target in absolute form, of a CONNECT), its
    /// path, its user agent and the protocol it wants to
    /// upgrade to. Of several hits the one with the more telling role wins.
    #[must_use]
    pub fn by_http(&self, request: &Request<'_>) -> Option<Hit<'_>> {
        let (authority, path) = split_target(request.method, request.uri);
        let by_name = |host: &str| self.by_name(without_port(host), SeenIn::HttpHost);
        let hits = [
            request.host.and_then(by_name),
            authority.and_then(by_name),
            self.hit(self.matcher.by_path(request.method, path)),
            request
                .user_agent
                .and_then(|agent| self.hit(self.matcher.by_user_agent(agent))),
            request
                .upgrade
                .and_then(|protocol| self.hit(self.matcher.by_upgrade(protocol))),
        ];
        // The roles are in the order of what they tell; of equals the first stays.
        hits.into_iter().flatten().min_by_key(|hit| hit.entry.role)
    }

    /// Whose certificate this is: by one attribute of its subject or issuer, both in the text form of RFC 4514.
    #[must_use]
    pub fn by_certificate(&self, subject: &str, issuer: &str) -> Option<Hit<'_>> {
        self.hit(self.matcher.by_certificate(subject, issuer))
    }

    /// Whose application protocol stands among those a client offers.
    #[must_use]
    pub fn by_alpn<'a>(&self, alpn: impl Iterator<Item = &'a str>) -> Option<Hit<'_>> {
        self.hit(self.matcher.by_alpn(alpn))
    }

    /// Whose subprotocol of a WebSocket this is, offered or chosen.
    #[must_use]
    pub fn by_websocket_protocol(&self, name: &str) -> Option<Hit<'_>> {
        self.hit(self.matcher.by_websocket_protocol(name))
    }

    /// Whose identification string of SSH this is, of either side, such as `SSH-2.0-example_1.0`.
    #[must_use]
    pub fn by_ssh_banner(&self, banner: &str) -> Option<Hit<'_>> {
        self.hit(self.matcher.by_ssh_banner(banner))
    }

    /// Whose protocol this is, by the name under which a decoder recognises it.
    #[must_use]
    pub fn by_protocol(&self, name: &str) -> Option<Hit<'_>> {
        self.hit(self.matcher.by_protocol(name))
    }

    /// Every tool, in the order of the files.
    #[must_use]
    pub fn tools(&self) -> &[Tool] {
        &self.tools
    }

    /// What tells this set from others: SHA-256 of the texts of all files, by detection.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        let mut texts: Vec<(String, &str)> = self
            .tools
            .iter()
            .map(|tool| (tool.detection(), tool.source.text()))
            .collect();
        texts.sort_unstable();
        let mut hash = Sha256::new();
        for (detection, text) in texts {
            hash.update(detection);
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hash.finalize().into()
    }

    fn hit(&self, found: Option<matcher::Place>) -> Option<Hit<'_>> {
        let place = found?;
        let tool = self.tools.get(place.tool)?;
        let entry = tool.entries.get(place.entry)?;
        Some(Hit { tool, entry })
    }
}

/// The authority (with its port) and the path of a request target (RFC 9112, section 3.2).
fn split_target<'a>(method: &str, target: &'a str) -> (Option<&'a str>, &'a str) {
    if method == "CONNECT" {
        // Some clients put a path behind the authority.
        return (target.split(' ').next(), target);
    }
    let Some((_, after)) = target
        .split_once("://")
        .filter(|(scheme, _)| scheme.bytes().all(|octet| octet.is_ascii_alphanumeric()))
    else {
        return (None, target);
    };
    let end = after.find(['/', '?']).unwrap_or(after.len());
    let (authority, path) = after.split_at(end);
    (authority.rsplit('@').next(), path)
}

/// A host without its port. An address in brackets is no name and stays as it is.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests;
