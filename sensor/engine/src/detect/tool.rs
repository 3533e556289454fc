//! Tools by their signatures: an agent inside, or a visit to what somebody publishes.
//!
//! **Sees** the host names, certificates, application protocols, requests and first octets that the files of `signatures/`
//! list: in DNS questions and aliases, TLS and QUIC hellos, certificates, HTTP requests, protocols recognised by their marks, and
//! flows that no decoder knows.
//!
//! **Why it matters.** A tunnel's agent makes a machine inside reachable from anywhere, past every filter at the edge, over
//! a connection that it opens itself (ATT&CK T1572).
//!
//! **What also looks like this** is in each file: developers who test webhooks, mostly. A look-up alone is a lead; the
//! agent's own connection is a finding.
//!
//! **References** are in each file.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use super::severity::Sum;
use super::{
    Around, Confidence, Detection, Finding, Grade, Listed, NameSource, Peer, Reason, Severity,
    Subject,
};
use crate::home::Direction;
use crate::observation::{
    Alpn, Certificate, DnsTransaction, Endpoint, Fact, FactKind, FactKinds, Http, NameService,
    Observation, Side,
};
use crate::signature::{self, Hit, Request, Role, SeenIn, Signatures};

/// The detections of all signatures.
pub(super) struct Tools {
    signatures: Arc<Signatures>,
    /// The last flows that were known by their first octets: what the second side says of itself finds nothing new.
    known: VecDeque<u64>,
}

/// What a fact showed of a tool.
struct Sign<'a> {
    hit: Hit<'a>,
    grade: Grade,
    /// Who runs the tool, or visits.
    client: Endpoint,
    server: Option<Endpoint>,
    name: Option<(String, NameSource)>,
    what: &'static str,
    observed: String,
}

impl Tools {
    pub(super) fn new(signatures: Arc<Signatures>) -> Self {
        Self {
            signatures,
            known: VecDeque::new(),
        }
    }

    /// Whether a flow was found by its first octets before.
    fn is_known_by_octets(&mut self, fact: &Observation) -> bool {
        if !matches!(fact.fact, Fact::Unknown(_)) {
            return false;
        }
        if self.known.contains(&fact.flow.id) {
            return true;
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.pop_front();
        }
        self.known.push_back(fact.flow.id);
        false
    }

    /// What a fact shows; the first thing that is known counts.
    fn sign(&self, fact: &Observation) -> Option<Sign<'_>> {
        match &fact.fact {
            Fact::Dns(dns) => self.in_dns(fact, dns),
            Fact::Tls(tls) | Fact::Dtls(tls) if tls.inside.is_none() => {
                let whats = ["tls.server_name", "tls.alpn"];
                let place = (SeenIn::Sni, whats);
                self.in_hello(fact, tls.client, place, &tls.server_name, &tls.alpn)
            }
            Fact::Quic(quic) => {
                let place = (SeenIn::QuicSni, ["quic.server_name", "quic.alpn"]);
                self.in_hello(fact, quic.client, place, &quic.server_name, &quic.alpn)
            }
            Fact::TlsServer(tls) => {
                let what = "tls_server.certificate";
                self.in_certificate(fact, tls.client, tls.certificate.as_ref(), what)
            }
            Fact::TlsClientCertificate(tls) => {
                let what = "tls_client.certificate";
                self.in_certificate(fact, tls.client, Some(&tls.certificate), what)
            }
            Fact::Http(http) => self.in_http(fact, http),
            Fact::Ssh(ssh) => [("ssh.client", &ssh.client), ("ssh.server", &ssh.server)]
                .into_iter()
                .find_map(|(what, banner)| {
                    let banner = banner.as_ref()?;
                    let hit = self.signatures.by_ssh_banner(banner)?;
                    Some(decoded(fact, ssh.opener, hit, None, what, banner.clone()))
                }),
            Fact::WebSocket(websocket) => {
                let mut named = websocket.offered.iter().chain(&websocket.subprotocol);
                let (name, hit) = named
                    .find_map(|name| Some((name, self.signatures.by_websocket_protocol(name)?)))?;
                let host = websocket.host.clone().map(|host| (host, NameSource::Http));
                let (client, what) = (websocket.client, "websocket.subprotocol");
                Some(decoded(fact, client, hit, host, what, name.clone()))
            }
            Fact::Unknown(first) => {
                let hit = self.signatures.by_octets(&first.octets)?;
                // The octets themselves are payload and stay here.
                let observed = hit.entry.value.clone();
                let what = "flow.first_octets";
                Some(decoded(fact, Side::Originator, hit, None, what, observed))
            }
            Fact::Marks(marks) => {
                let hit = self.signatures.by_protocol(marks.protocol)?;
                let observed = marks.protocol.to_owned();
                let what = "flow.protocol";
                Some(decoded(fact, marks.client, hit, None, what, observed))
            }
            _ => None,
        }
    }

    /// The name in a client's hello, else the protocols that it offers; `place` says where names are looked for, and what
    /// the two are called in a reason.
    fn in_hello(
        &self,
        fact: &Observation,
        client: Side,
        place: (SeenIn, [&'static str; 2]),
        name: &Option<String>,
        alpn: &Alpn,
    ) -> Option<Sign<'_>> {
        let (seen_in, [by_name, by_alpn]) = place;
        let named = name.as_deref().and_then(|name| {
            let hit = self.signatures.by_name(name, seen_in)?;
            Some((hit, by_name, name.to_owned()))
        });
        let (hit, what, observed) = match named {
            Some(named) => named,
            None => {
                let hit = self.signatures.by_alpn(alpn.iter())?;
                let offered: Vec<_> = alpn.iter().collect();
                (hit, by_alpn, offered.join(","))
            }
        };
        let name = name.clone().map(|name| (name, NameSource::Sni));
        Some(decoded(fact, client, hit, name, what, observed))
    }

    /// A question, or a name that its answer leads to.
    fn in_dns(&self, fact: &Observation, dns: &DnsTransaction) -> Option<Sign<'_>> {
        if dns.service != NameService::Dns {
            return None;
        }
        let (name, hit) = std::iter::once(&dns.query)
            .chain(&dns.aliases)
            .find_map(|name| Some((name, self.signatures.by_name(name, SeenIn::Dns)?)))?;
        let server = dns
            .addresses
            .first()
            .map(|&(ip, _)| Endpoint { ip, port: 0 });
        Some(Sign {
            hit,
            grade: Grade::Name,
            client: fact.flow.endpoint(dns.client),
            server,
            name: Some((name.clone(), NameSource::Dns)),
            what: if *name == dns.query {
                "dns.query"
            } else {
                "dns.answers"
            },
            observed: name.clone(),
        })
    }

    /// A certificate of either side: `client` runs the tool, as the server's is that of a relay or a service.
    fn in_certificate(
        &self,
        fact: &Observation,
        client: Side,
        certificate: Option<&Certificate>,
        what: &'static str,
    ) -> Option<Sign<'_>> {
        let Certificate {
            subject, issuer, ..
        } = certificate?;
        let hit = self.signatures.by_certificate(subject, issuer)?;
        let observed = format!("{subject} / {issuer}");
        Some(decoded(fact, client, hit, None, what, observed))
    }

    fn in_http(&self, fact: &Observation, http: &Http) -> Option<Sign<'_>> {
        let hit = self.signatures.by_http(&Request {
            method: &http.method,
            uri: &http.uri,
            host: http.host.as_deref(),
            user_agent: http.user_agent.as_deref(),
            upgrade: http.upgrade.as_deref(),
        })?;
        let name = http.host.clone().map(|host| (host, NameSource::Http));
        let (what, observed) = match hit.entry.kind {
            signature::Kind::UserAgent => (
                "http.user_agent",
                http.user_agent.clone().unwrap_or_default(),
            ),
            signature::Kind::HttpPath => ("http.uri", http.uri.clone()),
            signature::Kind::HttpUpgrade => {
                ("http.upgrade", http.upgrade.clone().unwrap_or_default())
            }
            _ => ("http.host", http.host.clone().unwrap_or_default()),
        };
        Some(decoded(fact, http.client, hit, name, what, observed))
    }
}

fn decoded<'a>(
    fact: &Observation,
    client: Side,
    hit: Hit<'a>,
    name: Option<(String, NameSource)>,
    what: &'static str,
    observed: String,
) -> Sign<'a> {
    Sign {
        hit,
        grade: Grade::Decoded,
        client: fact.flow.endpoint(client),
        server: Some(fact.flow.endpoint(client.other())),
        name,
        what,
        observed,
    }
}

impl Detection for Tools {
    fn finds(&self) -> Vec<Listed> {
        let mut listed = Vec::new();
        for tool in self.signatures.tools() {
            let agent = tool
                .entries
                .iter()
                .any(|entry| Meaning::of(entry.role) == Some(Meaning::Agent));
            let endpoint = tool
                .entries
                .iter()
                .any(|entry| entry.role == Role::Endpoint);
            let meanings = [(agent, Meaning::Agent), (endpoint, Meaning::Visit)];
            listed.extend(
                meanings
                    .into_iter()
                    .filter(|&(has, _)| has)
                    .map(|(_, meaning)| meaning.listed(tool)),
            );
        }
        listed
    }

    fn looks_at(&self) -> FactKinds {
        FactKinds::of(&[
            FactKind::Dns,
            FactKind::Tls,
            FactKind::Dtls,
            FactKind::Quic,
            FactKind::TlsServer,
            FactKind::TlsClientCertificate,
            FactKind::Http,
            FactKind::Ssh,
            FactKind::WebSocket,
            FactKind::Unknown,
            FactKind::Marks,
        ])
    }

    fn observe(&mut self, fact: &Observation, around: &Around<'_>, found: &mut Vec<Finding>) {
        let Some(sign) = self.sign(fact) else { return };
        let Some(meaning) = Meaning::of(sign.hit.entry.role) else {
            return;
        };
        let direction = direction(&sign, around);
        let wanted = sign.hit.entry.direction;
        // Somebody outside who asks a server inside for a tunnel's name runs nothing here.
        if direction == Direction::Inbound && wanted == signature::Direction::Outbound {
            return;
        }
        let finding = finding(fact, &sign, meaning, direction);
        if !self.is_known_by_octets(fact) {
            found.push(finding);
        }
    }
}

/// What a role means when a host inside shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Agent,
    Visit,
}

impl Meaning {
    fn of(role: Role) -> Option<Self> {
        match role {
            Role::Control | Role::Registration | Role::Relay => Some(Self::Agent),
            Role::Endpoint => Some(Self::Visit),
            Role::Download | Role::Website | Role::Shared => None,
        }
    }

    /// The detection of it, and what it is called unless more is known.
    fn listed(self, tool: &signature::Tool) -> Listed {
        let (id, title) = match self {
            Self::Agent => (tool.detection(), format!("Agent of {} inside", tool.title)),
            Self::Visit => (
                format!("{}.endpoint", tool.detection()),
                format!("Visit to an endpoint of {}", tool.title),
            ),
        };
        Listed {
            id: Cow::Owned(id),
            title,
        }
    }
}

/// A look-up says where its asker will go, not where the resolver stands.
fn direction(sign: &Sign<'_>, around: &Around<'_>) -> Direction {
    let inside = |ip: IpAddr| around.home.contains(ip);
    match (sign.grade, sign.server) {
        (Grade::Decoded, Some(server)) => around.home.direction(sign.client.ip, server.ip),
        _ if inside(sign.client.ip) => Direction::Outbound,
        _ => Direction::External,
    }
}

fn finding(fact: &Observation, sign: &Sign<'_>, meaning: Meaning, direction: Direction) -> Finding {
    let tool = sign.hit.tool;
    let (base, confidence) = match (meaning, sign.grade) {
        (Meaning::Agent, Grade::Decoded) => (severity_of(tool), Confidence::High),
        (Meaning::Agent, Grade::Name) => (Severity::Low, Confidence::Medium),
        (Meaning::Visit, Grade::Decoded) => (Severity::Low, Confidence::High),
        (Meaning::Visit, Grade::Name) => (Severity::Info, Confidence::Medium),
    };
    let Listed {
        id: detection,
        title,
    } = meaning.listed(tool);
    let session = is_session(sign, meaning);
    let title = if meaning == Meaning::Agent && sign.grade == Grade::Name {
        format!("Look-up of a name that {} uses", tool.title)
    } else if session {
        match direction {
            Direction::Outbound => format!("Connection of {}", tool.title),
            _ => format!("Session of {}", tool.title),
        }
    } else {
        title
    };
    // Whoever on the internet opened a session to a server inside may be at its desk now.
    let (severity, arithmetic) = Sum {
        base,
        inbound: match (session, base) {
            (false, _) => 0,
            (true, Severity::Info) => 2,
            (true, _) => 1,
        },
        outbound: 0,
    }
    .of(direction);
    let because = match meaning {
        Meaning::Agent => Cow::Owned(tool.why.clone()),
        Meaning::Visit => Cow::Borrowed("somebody publishes a service there through a tunnel"),
    };
    let mut reasons = vec![
        Reason::new(sign.what, &sign.observed, because),
        Reason::new(
            "signature",
            &sign.hit.entry.value,
            format!("role {} in {}", sign.hit.entry.role.name(), tool.id),
        ),
    ];
    if let (Grade::Decoded, Some(server)) = (sign.grade, sign.server)
        && tool.uses_port(fact.flow.transport.name(), server.port)
    {
        reasons.push(Reason::new(
            "flow.resp_p",
            server.port,
            "the port that the tool uses",
        ));
    }
    if sign.grade == Grade::Name {
        reasons.push(Reason::new(
            "grade",
            "name",
            "a look-up alone: a lead until the connection is seen",
        ));
    }
    reasons.push(Reason::new(
        "direction",
        direction.name(),
        "against the home networks",
    ));
    reasons.push(arithmetic);
    // As of VNC and RDP: the server of a session is controlled, unless it is one to the internet; of anything else, whoever
    // runs the tool is. A peer has a port where it serves.
    let (victim, peer, port) = match sign.server {
        Some(server) if session && direction != Direction::Outbound => {
            (server, Some(sign.client), None)
        }
        server => (
            sign.client,
            server,
            server.map(|server| server.port).filter(|&port| port != 0),
        ),
    };
    Finding {
        detection,
        title,
        at_ns: fact.at_ns,
        flow: fact.flow,
        frames: fact.frames.clone(),
        victim: victim.ip,
        peer: Peer {
            ip: peer.map(|peer| peer.ip),
            port,
            name: sign.name.clone(),
        },
        subject: Subject::Tool(tool.id.clone()),
        direction,
        severity,
        confidence,
        grade: sign.grade,
        tool: Some(tool.id.clone()),
        attack: tool
            .attack
            .iter()
            .map(|id| Cow::Owned(id.clone()))
            .collect(),
        reasons,
        guidance: match meaning {
            Meaning::Agent => tool
                .guidance
                .iter()
                .map(|step| Cow::Owned(step.clone()))
                .collect(),
            Meaning::Visit => VISIT.iter().map(|&step| Cow::Borrowed(step)).collect(),
        },
    }
}

/// Whether a sign shows remote control between its two ends: behind a name may stand a proxy.
fn is_session(sign: &Sign<'_>, meaning: Meaning) -> bool {
    meaning == Meaning::Agent
        && sign.hit.tool.class == signature::Class::Remote
        && matches!(
            sign.hit.entry.kind,
            signature::Kind::Protocol
                | signature::Kind::Octets
                | signature::Kind::Alpn
                | signature::Kind::CertSubject
                | signature::Kind::CertIssuer
        )
}

fn severity_of(tool: &signature::Tool) -> Severity {
    match tool.severity() {
        signature::Severity::Info => Severity::Info,
        signature::Severity::Low => Severity::Low,
        signature::Severity::Medium => Severity::Medium,
        signature::Severity::High => Severity::High,
    }
}

/// Nothing runs on the host of a visitor: the question is what was there.
/// Flows that were known by their octets, and whose other side has not spoken yet.
const MAX_KNOWN: usize = 64;

const VISIT: [&str; 2] = [
    "Ask the user what the page or service was and where its address came from: a message, a test, a download.",
    "Look for what the host fetched there, and for other hosts that went to the same name.",
];
