//! What a signature file says, once it is read.

use serde::Deserialize;

use super::error::{Problem, SignatureError, Source};
use super::{Hit, Request, Signatures, pattern};

/// One tool: the content of one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// The file's name without `.toml`; with the class it makes the detection, `tunnel.ngrok`. `[a-z0-9_]`.
    pub id: String,
    /// For people.
    pub title: String,
    /// First word of the detection.
    pub class: Class,
    /// How bad an agent at work is, where the file says other than its class.
    pub(super) severity: Option<Severity>,
    /// ATT&CK techniques.
    pub attack: Vec<String>,
    /// Day of the first version, `YYYY-MM-DD`.
    pub added: String,
    /// Day on which somebody last compared the file with its references, `YYYY-MM-DD`.
    pub checked: String,
    /// Why a hit tells that the tool is at work.
    pub why: String,
    /// Who does the same without harm.
    pub looks_like: String,
    /// What to do about it, in order.
    pub guidance: Vec<String>,
    /// Where the facts are from.
    pub references: Vec<String>,
    /// What is matched, in the file's order.
    pub entries: Vec<Entry>,
    /// What must hit and what must not.
    pub test: Tests,
    pub(super) source: Source,
}

impl Tool {
    /// The detection of this tool, e.g. `tunnel.ngrok`.
    #[must_use]
    pub fn detection(&self) -> String {
        format!("{}.{}", self.class.name(), self.id)
    }

    /// Whether the tool is known to use this port of the other side: support for another hit, never one of its own.
    /// `transport` is `tcp` or `udp`, as records write it.
    #[must_use]
    pub fn uses_port(&self, transport: &str, port: u16) -> bool {
        self.entries
            .iter()
            .filter(|entry| entry.kind == Kind::Port)
            .filter_map(|entry| pattern::port(&entry.value))
            .any(|known| known == (transport, port))
    }

    /// How bad an agent at work is, before direction and the rest: what the file says, else by class.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity.unwrap_or(match self.class {
            // Somebody outside may be at the desk, or everything inside may be published.
            Class::Tunnel | Class::Remote => Severity::High,
            Class::Vpn | Class::Anonymizer => Severity::Medium,
            Class::Proxy => Severity::Low,
        })
    }

    pub(super) fn is_same_tool(&self, other: &Self) -> bool {
        self.class == other.class && self.id == other.id
    }

    /// Runs the file's own hits and misses.
    pub(super) fn check(&self, set: &Signatures) -> Result<(), SignatureError> {
        for hit in &self.test.hits {
            let found = hit.of.find(set);
            let expected = found.iter().any(|found| {
                found.is_some_and(|found| {
                    found.tool.is_same_tool(self) && found.entry.role == hit.role
                })
            });
            if !expected {
                let instead = found.into_iter().flatten().next();
                let problem = Problem::HitMisses {
                    example: hit.of.to_string(),
                    role: hit.role,
                    instead: instead.map_or_else(
                        || "nothing".to_owned(),
                        |found| {
                            format!(
                                "{} with role {}",
                                found.tool.detection(),
                                found.entry.role.name()
                            )
                        },
                    ),
                };
                return Err(self.source.error(hit.offset, problem));
            }
        }
        for (miss, offset) in self.test.misses.examples() {
            let taken = |found: &Hit<'_>| found.tool.is_same_tool(self);
            if let Some(found) = miss.find(set).into_iter().flatten().find(taken) {
                let problem = Problem::MissHits {
                    example: miss.to_string(),
                    value: found.entry.value.clone(),
                };
                return Err(self.source.error(offset, problem));
            }
        }
        Ok(())
    }
}

/// What kind of thing a tool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Publishes an inside service or port.
    Tunnel,
    /// Remote control of a desktop or shell.
    Remote,
    /// A private network over the internet.
    Vpn,
    /// Hides who talks to whom.
    Anonymizer,
    /// Forwards connections.
    Proxy,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 5] = [
        Self::Tunnel,
        Self::Remote,
        Self::Vpn,
        Self::Anonymizer,
        Self::Proxy,
    ];

    /// As files and detections write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tunnel => "tunnel",
            Self::Remote => "remote",
            Self::Vpn => "vpn",
            Self::Anonymizer => "anonymizer",
            Self::Proxy => "proxy",
        }
    }
}

/// One thing to match.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// How `value` is compared.
    pub kind: Kind,
    /// As in the file.
    pub value: String,
    /// Where a name counts; for other kinds all.
    pub seen_in: Vec<SeenIn>,
    /// What a hit means.
    pub role: Role,
    /// In which direction the tool does this.
    pub direction: Direction,
    /// How sure the fact is.
    pub confidence: Confidence,
    /// Where in its file it stands.
    pub(super) offset: usize,
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A whole host name; `*` stands for one or more characters within one label.
    Name,
    /// A host name and everything below it.
    Suffix,
    /// One offered application protocol.
    Alpn,
    /// One attribute of a certificate's subject.
    CertSubject,
    /// One attribute of a certificate's issuer.
    CertIssuer,
    /// The path of an HTTP request, with its method in front if only that one counts.
    HttpPath,
    /// The user agent of an HTTP request.
    UserAgent,
    /// The protocol that an HTTP request asks to upgrade to; case does not matter.
    HttpUpgrade,
    /// A subprotocol of a WebSocket, offered or chosen.
    WebsocketProtocol,
    /// The identification string of either side of SSH.
    SshBanner,
    /// The name of a protocol that a decoder recognises by its octets.
    Protocol,
    /// The first octets of a side.
    Octets,
    /// A port of the other side: supports another hit, never hits alone.
    Port,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Name,
        Self::Suffix,
        Self::Alpn,
        Self::CertSubject,
        Self::CertIssuer,
        Self::HttpPath,
        Self::UserAgent,
        Self::HttpUpgrade,
        Self::WebsocketProtocol,
        Self::SshBanner,
        Self::Protocol,
        Self::Octets,
        Self::Port,
    ];

    /// As files write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Suffix => "suffix",
            Self::Alpn => "alpn",
            Self::CertSubject => "cert_subject",
            Self::CertIssuer => "cert_issuer",
            Self::HttpPath => "http_path",
            Self::UserAgent => "user_agent",
            Self::HttpUpgrade => "http_upgrade",
            Self::WebsocketProtocol => "websocket_protocol",
            Self::SshBanner => "ssh_banner",
            Self::Protocol => "protocol",
            Self::Octets => "octets",
            Self::Port => "port",
        }
    }
}

/// Where a host name was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeenIn {
    /// A question or an alias of the DNS.
    Dns,
    /// The server name of a TLS hello.
    Sni,
    /// The server name of a QUIC hello.
    QuicSni,
    /// The host of an HTTP request.
    HttpHost,
}

impl SeenIn {
    /// Every place.
    pub const ALL: [Self; 4] = [Self::Dns, Self::Sni, Self::QuicSni, Self::HttpHost];
}

/// What a hit means, the most telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The agent's own connection: it runs.
    Control,
    /// What the agent asks at its start.
    Registration,
    /// A relay that both sides use.
    Relay,
    /// A public endpoint: somebody visits what another one publishes.
    Endpoint,
    /// Installer or update.
    Download,
    /// The vendor's site.
    Website,
    /// A host that much else uses too: context only.
    Shared,
}

impl Role {
    /// As files write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Registration => "registration",
            Self::Relay => "relay",
            Self::Endpoint => "endpoint",
            Self::Download => "download",
            Self::Website => "website",
            Self::Shared => "shared",
        }
    }
}

/// In which direction the tool opens the connection, seen from the inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From inside to the internet.
    Outbound,
    /// From the internet to inside.
    Inbound,
    /// Between inside hosts.
    Internal,
    /// Either.
    Any,
}

/// How bad an agent at work is, before direction and what else is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// A lead.
    Low,
    /// Look at it today.
    Medium,
    /// Look at it now.
    High,
}

/// How sure a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Must not be more than a hint.
    Low,
    /// From public rules or a second hand.
    Medium,
    /// From the vendor's source or documents.
    High,
}

/// The examples of a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tests {
    /// What must hit this tool in this role.
    pub hits: Vec<Example>,
    /// What this tool must leave alone.
    pub misses: Misses,
}

/// One thing that must hit.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// In which role.
    pub role: Role,
    /// What is looked up.
    pub of: ExampleOf,
    pub(super) offset: usize,
}

/// What an example looks up.
#[derive(Debug, Clone, PartialEq)]
pub enum ExampleOf {
    /// A host name, in one place or in any.
    Name(String, Option<SeenIn>),
    /// First octets.
    Octets(Vec<u8>),
    /// An HTTP request.
    Http(HttpExample),
    /// A subprotocol of a WebSocket.
    WebsocketProtocol(String),
    /// An identification string of SSH.
    SshBanner(String),
    /// The name of a recognised protocol.
    Protocol(String),
    /// One offered application protocol.
    Alpn(String),
    /// Subject and issuer.
    Certificate(String, String),
}

/// A request that must hit or must not.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HttpExample {
    /// `METHOD target`.
    pub request: String,
    /// Host.
    pub host: Option<String>,
    /// User agent.
    pub user_agent: Option<String>,
    /// Upgrade.
    pub upgrade: Option<String>,
}

impl ExampleOf {
    /// What is found, in each place where a name may be seen.
    fn find<'a>(&self, set: &'a Signatures) -> Vec<Option<Hit<'a>>> {
        match self {
            Self::Name(name, Some(seen_in)) => vec![set.by_name(name, *seen_in)],
            Self::Name(name, None) => {
                let places = SeenIn::ALL.iter();
                places.map(|&place| set.by_name(name, place)).collect()
            }
            Self::Octets(octets) => vec![set.by_octets(octets)],
            Self::Http(http) => {
                let request = http.request.as_str();
                let (method, uri) = request.split_once(' ').unwrap_or((request, ""));
                vec![set.by_http(&Request {
                    method,
                    uri,
                    host: http.host.as_deref(),
                    user_agent: http.user_agent.as_deref(),
                    upgrade: http.upgrade.as_deref(),
                })]
            }
            Self::WebsocketProtocol(name) => vec![set.by_websocket_protocol(name)],
            Self::SshBanner(banner) => vec![set.by_ssh_banner(banner)],
            Self::Protocol(name) => vec![set.by_protocol(name)],
            Self::Alpn(alpn) => vec![set.by_alpn(std::iter::once(alpn.as_str()))],
            Self::Certificate(subject, issuer) => vec![set.by_certificate(subject, issuer)],
        }
    }
}

impl std::fmt::Display for ExampleOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name, None) => write!(f, "the name `{name}`"),
            Self::Name(name, Some(place)) => write!(f, "the name `{name}` in {place:?}"),
            Self::Octets(octets) => write!(f, "the octets `{}`", octets.escape_ascii()),
            Self::Http(http) => write!(f, "the request `{}`", http.request),
            Self::WebsocketProtocol(name) => write!(f, "the subprotocol `{name}`"),
            Self::SshBanner(banner) => write!(f, "the banner `{banner}`"),
            Self::Protocol(name) => write!(f, "the protocol `{name}`"),
            Self::Alpn(alpn) => write!(f, "the ALPN `{alpn}`"),
            Self::Certificate(subject, issuer) => {
                write!(
                    f,
                    "the certificate with subject `{subject}` and issuer `{issuer}`"
                )
            }
        }
    }
}

/// What must not hit, by its kind, each with its place in the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Misses {
    pub(super) all: Vec<(ExampleOf, usize)>,
}

impl Misses {
    /// Each with its place in the file, in octets.
    pub fn examples(&self) -> impl Iterator<Item = (&ExampleOf, usize)> {
        self.all.iter().map(|(example, offset)| (example, *offset))
    }
}
