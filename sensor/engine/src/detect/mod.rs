//! Facts to findings: opinions on what was seen. The registry is `all`.
//!
//! A detection reads facts and signatures only, so it is tested without a packet. One file each; its page says what it
//! sees, why it matters, what also looks like this.

mod awaited;
mod dns_tunnel;
mod encrypted_dns;
mod kind;
mod of_client;
mod proxy;
mod rdp;
mod severity;
mod ssh;
mod tool;
mod tor;
mod vnc;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::home::{Direction, HomeNetworks};
pub use crate::observation::{Endpoint, FlowRef, Frames, NameSource};
use crate::observation::{FactKinds, Observation, Oriented, Side};
use crate::signature::Signatures;
pub use severity::{Confidence, Grade, Severity};

/// Every detection, in the order the documentation lists them. Those that wait for how a flow goes on may keep `most_octets`.
pub(crate) fn all(signatures: Arc<Signatures>, most_octets: usize) -> Vec<Box<dyn Detection>> {
    let each = most_octets / 2;
    vec![
        Box::new(tool::Tools::new(Arc::clone(&signatures))),
        Box::new(vnc::Vnc),
        Box::new(rdp::Rdp::new(each)),
        Box::new(tor::Tor),
        Box::new(encrypted_dns::EncryptedDns::new()),
        Box::new(dns_tunnel::DnsTunnels::default()),
        Box::new(ssh::Ssh),
        Box::new(proxy::Proxy::new(signatures, each)),
    ]
}

/// An opinion on facts.
pub(crate) trait Detection: Send {
    /// What it may find.
    fn finds(&self) -> Vec<Listed>;

    /// Which facts it looks at: it is not asked of others.
    fn looks_at(&self) -> FactKinds;

    /// Looks at a fact, in the order of facts.
    fn observe(&mut self, fact: &Observation, around: &Around<'_>, found: &mut Vec<Finding>);

    /// Flows of which it forgot how they began, as it kept too many.
    fn passed_over(&self) -> u64 {
        0
    }
}

/// What may be found: a row of the documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Dotted id.
    pub id: Cow<'static, str>,
    /// What it is called in a sentence, unless the fact tells more.
    pub title: String,
}

/// What a detection may know besides the fact.
pub(crate) struct Around<'a> {
    /// What is inside.
    pub(crate) home: &'a HomeNetworks,
}

/// Something found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Dotted id.
    pub detection: Cow<'static, str>,
    /// What it is called in a sentence.
    pub title: String,
    /// When, in nanoseconds since 1970.
    pub at_ns: i64,
    /// In which flow.
    pub flow: FlowRef,
    /// The packets that show it.
    pub frames: Frames,
    /// The host that is controlled or runs the tool.
    pub victim: IpAddr,
    /// The other side.
    pub peer: Peer,
    /// With detection and victim: which alert it belongs to.
    pub subject: Subject,
    /// As the home networks see it.
    pub direction: Direction,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// Of what kind the evidence is.
    pub grade: Grade,
    /// The tool, spelled as in its signature.
    pub tool: Option<String>,
    /// ATT&CK technique ids.
    pub attack: Vec<Cow<'static, str>>,
    /// Each condition with what was observed.
    pub reasons: Vec<Reason>,
    /// What to do.
    pub guidance: Vec<Cow<'static, str>>,
}

/// The other side of a finding, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peer {
    /// Address.
    pub ip: Option<IpAddr>,
    /// Port of the service; `None` where the peer has an ephemeral one.
    pub port: Option<u16>,
    /// Name, and what told it.
    pub name: Option<(String, NameSource)>,
}

/// What tells alerts of one detection and victim apart. Never the five-tuple: reconnecting opens no new alert.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The tool.
    Tool(String),
    /// The other host.
    Peer(IpAddr),
    /// The service of the victim, whoever came to it.
    Service(u16),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tool(tool) => write!(f, "tool {tool}"),
            Self::Peer(ip) => write!(f, "peer {ip}"),
            Self::Service(port) => write!(f, "service {port}"),
        }
    }
}

/// A condition that was met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The field that was looked at.
    pub what: &'static str,
    /// Its value.
    pub observed: String,
    /// Why it matters.
    pub because: Cow<'static, str>,
}

impl Reason {
    /// A condition.
    pub(crate) fn new(
        what: &'static str,
        observed: impl ToString,
        because: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            what,
            observed: observed.to_string(),
            because: because.into(),
        }
    }
}

/// From here on systems choose the port of who opens a connection: Linux from 32768, Windows and RFC 6335 from 49152.
const LOWEST_EPHEMERAL: u16 = 32768;

/// Client and server of a protocol in a flow, and who opened it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roles {
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    /// Whether the server opened the flow.
    pub(crate) reverse: bool,
    /// Whether it may be reversed though nobody saw it opened: the server has a port that systems choose for who calls,
    /// and the client a lower one. Then nothing is said of an open port.
    unclear: bool,
    /// The direction from who opened the flow.
    pub(crate) direction: Direction,
}

impl Roles {
    /// The roles where `client` is the client's side. Where the orientation was only guessed, the client is taken as who
    /// opened the flow: the first packet of a capture that begins in mid-flow says nothing.
    pub(crate) fn new(flow: &FlowRef, client: Side, home: &HomeNetworks) -> Self {
        let reverse = client == Side::Responder && flow.oriented == Oriented::Syn;
        let (client, server) = (flow.endpoint(client), flow.endpoint(client.other()));
        let unclear = flow.oriented == Oriented::Guessed
            && server.port >= LOWEST_EPHEMERAL
            && client.port < server.port;
        let (from, to) = if reverse {
            (server, client)
        } else {
            (client, server)
        };
        Self {
            client,
            server,
            reverse,
            unclear,
            direction: home.direction(from.ip, to.ip),
        }
    }

    /// The port that the flow was opened to, where that is known.
    pub(crate) fn opened_port(&self) -> Option<u16> {
        let port = if self.reverse {
            self.client.port
        } else {
            self.server.port
        };
        (!self.unclear).then_some(port)
    }

    /// Whether a server inside was reached from the internet.
    pub(crate) fn is_exposed(&self) -> bool {
        self.direction == Direction::Inbound && !self.reverse && !self.unclear
    }

    /// The victim of a remote-control session: the server of an inbound or internal one, the originator of an outbound or
    /// reverse one; with no side inside, the server.
    pub(crate) fn victim(&self) -> Endpoint {
        match self.direction {
            Direction::Outbound if !self.reverse => self.client,
            _ => self.server,
        }
    }

    /// The other one.
    pub(crate) fn peer(&self) -> Endpoint {
        match self.direction {
            Direction::Outbound if !self.reverse => self.server,
            _ => self.client,
        }
    }

    /// The peer with its port where that is a service's.
    pub(crate) fn named_peer(&self) -> Peer {
        let peer = self.peer();
        let serves = (peer == self.server) != self.reverse;
        Peer {
            ip: Some(peer.ip),
            port: serves.then_some(peer.port),
            name: None,
        }
    }
}
