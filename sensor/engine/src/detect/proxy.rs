//! Proxies: traffic that one host carries for another.
//!
//! **Sees** requests that SOCKS and HTTP proxies granted, with their destination: SOCKS 4, 4A and 5, CONNECT, and requests
//! in absolute form. What is inside is decoded and told by its own detections.
//!
//! **Why it matters.** A proxy hides who talks to whom, and a host inside that serves as one lets an intruder reach its
//! neighbours (ATT&CK T1090). SOCKS whose client is at the far end of a connection that a host inside opened is how
//! implants give an intruder the network (T1090, T1572).
//!
//! **What also looks like this.** The company's web proxy; `ssh -D`, Tor and development tools on one host. CONNECT to
//! port 443 that carries TLS is everyday traffic. A web server may answer a request in absolute form without being a proxy.
//!
//! **References.** RFC 1928, RFC 9110 section 9.3.6, RFC 9112 section 3.2.2.

use std::sync::Arc;

use super::awaited::Awaited;
use super::kind::{Kind, Told, kind};
use super::{Around, Detection, Finding, Listed, Reason, Roles, Severity, Subject};
use crate::home::Direction;
use crate::observation::{Fact, FactKinds, Http, Observation, Socks};
use crate::signature::{self, Signatures};

/// The detections of class `proxy` that need no signature.
pub(super) struct Proxy {
    signatures: Arc<Signatures>,
    /// Granted CONNECTs whose inside is still to be seen, by flow id.
    connected: Awaited<Http>,
}

const SOCKS: Kind = kind(
    "proxy.socks",
    "Request through a SOCKS proxy",
    Severity::Info,
    2,
    1,
);
/// The same detection, where it leads to a shell or a desktop.
const SOCKS_TO_CONTROL: Kind = kind(
    "proxy.socks",
    "Remote control through a SOCKS proxy",
    Severity::Low,
    1,
    0,
);
const SOCKS_REVERSE: Kind = kind(
    "proxy.socks.reverse",
    "A host inside is a SOCKS proxy for whom it called",
    Severity::Medium,
    0,
    1,
);
const CONNECT: Kind = kind(
    "proxy.http_connect",
    "CONNECT through an HTTP proxy",
    Severity::Info,
    1,
    0,
);
/// The same detection, where it is not everyday traffic.
const ODD_CONNECT: Kind = kind(
    "proxy.http_connect",
    "Unusual CONNECT through an HTTP proxy",
    Severity::Low,
    0,
    0,
);
const HTTP: Kind = kind(
    "proxy.http",
    "Request through an HTTP proxy",
    Severity::Info,
    0,
    0,
);

const ALL: [&Kind; 4] = [&SOCKS, &SOCKS_REVERSE, &CONNECT, &HTTP];

impl Proxy {
    pub(super) fn new(signatures: Arc<Signatures>, most_octets: usize) -> Self {
        Self {
            signatures,
            connected: Awaited::new(most_octets),
        }
    }

    fn http(&mut self, fact: &Observation, http: &Http, around: &Around<'_>) -> Option<Finding> {
        let status = http.status?;
        if http.method != "CONNECT" {
            let schemes = ["http://", "https://", "ftp://"];
            let proxied = schemes.iter().any(|scheme| http.uri.starts_with(scheme));
            let refused = matches!(status, 400 | 403 | 405 | 407 | 421 | 501);
            return (proxied && !refused).then(|| told(&HTTP, fact, http, around, None));
        }
        if !(200..300).contains(&status) || self.is_of_a_tool(http) {
            return None;
        }
        let odd = odd_destination(&http.uri);
        if odd.is_none() {
            self.connected
                .insert(fact.flow.id, http.clone(), taken(http));
        }
        let kind = if odd.is_some() {
            &ODD_CONNECT
        } else {
            &CONNECT
        };
        Some(told(kind, fact, http, around, odd))
    }

    /// A tunnel that clothes itself as CONNECT (PageKite) is that tunnel, and no proxy.
    fn is_of_a_tool(&self, http: &Http) -> bool {
        let request = signature::Request {
            method: &http.method,
            uri: &http.uri,
            host: http.host.as_deref(),
            user_agent: http.user_agent.as_deref(),
            upgrade: http.upgrade.as_deref(),
        };
        self.signatures
            .by_http(&request)
            .is_some_and(|hit| hit.entry.kind == signature::Kind::HttpPath)
    }

    /// What a CONNECT to a usual port turned out to carry.
    fn inside(&mut self, fact: &Observation, around: &Around<'_>) -> Option<Finding> {
        let protocol = match &fact.fact {
            Fact::Unknown(_) => "unknown",
            Fact::FlowEnded(_) => {
                self.connected.remove(fact.flow.id);
                return None;
            }
            other => other.protocol()?,
        };
        let http = self.connected.remove(fact.flow.id)?;
        // Behind the hello its server's part comes: it is all TLS.
        if matches!(protocol, "tls" | "tls_server") {
            return None;
        }
        let reason = Reason::new(
            "flow.protocol",
            protocol,
            "the tunnel carries this instead of TLS",
        );
        Some(told(&ODD_CONNECT, fact, &http, around, Some(reason)))
    }
}

impl Detection for Proxy {
    fn finds(&self) -> Vec<Listed> {
        ALL.iter().map(|kind| kind.listed()).collect()
    }

    fn passed_over(&self) -> u64 {
        self.connected.passed_over
    }

    fn looks_at(&self) -> FactKinds {
        // Anything may be inside of what a proxy has connected.
        FactKinds::ALL
    }

    fn observe(&mut self, fact: &Observation, around: &Around<'_>, found: &mut Vec<Finding>) {
        if !self.connected.is_empty() {
            found.extend(self.inside(fact, around));
        }
        match &fact.fact {
            Fact::Http(http) => found.extend(self.http(fact, http, around)),
            Fact::Socks(asked) if asked.granted => found.extend(socks(fact, asked, around)),
            _ => {}
        }
    }
}

/// Octets of its texts.
fn taken(http: &Http) -> usize {
    let texts = [&http.host, &http.user_agent, &http.upgrade];
    let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
    texts + http.method.len() + http.uri.len()
}

/// What is unusual about a destination `host:port`: a port for remote control, or none that a browser asks for.
fn odd_destination(authority: &str) -> Option<Reason> {
    let port = authority
        .split(' ')
        .next()
        .and_then(|authority| authority.rsplit_once(':'))
        .and_then(|(_, port)| port.parse::<u16>().ok());
    let because = match port {
        Some(443) => return None,
        Some(port) if is_for_control(port) => "a port of remote control",
        _ => "not the port of HTTPS",
    };
    Some(Reason::new("http.uri", authority, because))
}

/// SSH, Telnet, RDP, VNC with its listening viewers and Windows' remote shells (5985, 5986).
fn is_for_control(port: u16) -> bool {
    matches!(port, 22 | 23 | 3389 | 5500..=5599 | 5900..=5999)
}

fn told(
    kind: &Kind,
    fact: &Observation,
    http: &Http,
    around: &Around<'_>,
    odd: Option<Reason>,
) -> Finding {
    let roles = Roles::new(&fact.flow, http.client, around.home);
    let (asked, carried) = match odd {
        Some(odd) if odd.what == "http.uri" => (odd, None),
        other => {
            let because = "the client asked the server to reach this";
            (Reason::new("http.uri", &http.uri, because), other)
        }
    };
    let status = http
        .status
        .map(|status| Reason::new("http.status", status, "the server answered"));
    let reasons = [Some(asked), status, carried]
        .into_iter()
        .flatten()
        .collect();
    let told = Told {
        subject: Subject::Peer(roles.peer().ip),
        tool: None,
        reasons,
        attack: &["T1090"],
        guidance: &GUIDANCE,
    };
    kind.finding(fact, &roles, told)
}

fn socks(fact: &Observation, asked: &Socks, around: &Around<'_>) -> Vec<Finding> {
    let roles = Roles::new(&fact.flow, asked.client, around.home);
    let to_control = asked.port.is_some_and(is_for_control);
    let first = if to_control {
        &SOCKS_TO_CONTROL
    } else {
        &SOCKS
    };
    let reversed = roles.reverse && roles.direction != Direction::External;
    std::iter::once(first)
        .chain(reversed.then_some(&SOCKS_REVERSE))
        .map(|kind| {
            let told = Told {
                subject: Subject::Peer(roles.peer().ip),
                tool: None,
                reasons: socks_reasons(asked, &roles, to_control),
                attack: if roles.reverse {
                    &["T1090", "T1572"]
                } else {
                    &["T1090"]
                },
                guidance: if kind.id == SOCKS_REVERSE.id {
                    &REVERSE_GUIDANCE
                } else {
                    &GUIDANCE
                },
            };
            kind.finding(fact, &roles, told)
        })
        .collect()
}

fn socks_reasons(asked: &Socks, roles: &Roles, to_control: bool) -> Vec<Reason> {
    let mut reasons = vec![Reason::new(
        "socks.version",
        asked.version,
        "a SOCKS proxy by its own messages",
    )];
    if let (Some(command), Some(host), Some(port)) = (asked.command, &asked.host, asked.port) {
        let because = if to_control {
            "what the client asked for: a port of remote control"
        } else {
            "what the client asked for"
        };
        reasons.push(Reason::new(
            "socks.command",
            if host.contains(':') {
                format!("{command} [{host}]:{port}")
            } else {
                format!("{command} {host}:{port}")
            },
            because,
        ));
    }
    reasons.push(match &asked.reply {
        Some(reply) => Reason::new("socks.reply", reply, "the server did"),
        None => Reason::new(
            "socks.reply",
            "none",
            "only one side is seen, and it went on",
        ),
    });
    if roles.reverse {
        reasons.push(Reason::new(
            "socks.server",
            "orig",
            "who opened the connection serves as the proxy",
        ));
    }
    reasons
}

const GUIDANCE: [&str; 2] = [
    "Ask whether the server is a proxy that your network knows.",
    "If not, find out which program listens there and who started it, and look where it led.",
];
const REVERSE_GUIDANCE: [&str; 2] = [
    "Somebody at the other end reaches your network through this host: block the connection, then look where it led.",
    "Collect which program dialled, its command line and who started it.",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::HomeNetworks;
    use crate::observation::{
        EndCause, Endpoint, FirstOctets, FlowEnd, FlowRef, Frames, Key, Oriented, Side, Transport,
        VlanTags,
    };

    /// Facts of one flow from the first address to the second; what was found, in short.
    fn observe(from: &str, to: &str, facts: Vec<Fact>) -> Vec<String> {
        let end = |ip: &str, port| Endpoint {
            ip: ip.parse().unwrap(),
            port,
        };
        let flow = FlowRef {
            id: 1,
            opened: 1,
            orig: end(from, 40000),
            resp: end(to, 3128),
            transport: Transport::Tcp,
            vlan: VlanTags::default(),
            vni: None,
            oriented: Oriented::Syn,
        };
        let home = HomeNetworks::default();
        let mut proxy = Proxy::new(Arc::new(Signatures::built_in()), 1 << 20);
        let mut found = Vec::new();
        for fact in facts {
            let observation = Observation {
                key: Key::default(),
                at_ns: 0,
                flow,
                frames: Frames::one(0, 1),
                fact,
            };
            proxy.observe(&observation, &Around { home: &home }, &mut found);
        }
        let said = |finding: Finding| {
            let (id, severity) = (finding.detection, finding.severity.name());
            format!("{id} {severity} {}", finding.victim)
        };
        found.into_iter().map(said).collect()
    }

    fn asked(method: &str, uri: &str, status: u16) -> Fact {
        Fact::Http(Box::new(Http {
            version: None,
            method: method.into(),
            host: None,
            uri: uri.into(),
            status: Some(status),
            user_agent: None,
            upgrade: None,
            client: Side::Originator,
        }))
    }

    fn socks(client: Side, port: u16) -> Fact {
        Fact::Socks(Box::new(Socks {
            version: 5,
            auth: None,
            command: Some("connect"),
            host: Some("192.0.2.1".into()),
            port: Some(port),
            reply: Some("succeeded".into()),
            bound_host: None,
            bound_port: None,
            client,
            granted: true,
        }))
    }

    const PC: &str = "10.0.0.1";
    const INSIDE: &str = "10.0.0.8";
    const OUTSIDE: &str = "192.0.2.9";

    #[test]
    fn a_connect_to_https_is_worth_a_line_until_something_else_is_inside() {
        let connect = || asked("CONNECT", "www.example.org:443", 200);
        let info = "proxy.http_connect info 10.0.0.8";
        assert_eq!(observe(PC, INSIDE, vec![connect()]), [info]);
        let inside = Fact::Unknown(FirstOctets::of(Side::Originator, b"x"));
        assert_eq!(
            observe(PC, INSIDE, vec![connect(), inside]),
            [info, "proxy.http_connect low 10.0.0.8"]
        );
        let ended = Fact::FlowEnded(Box::new(FlowEnd {
            first_ns: 0,
            last_ns: 0,
            packets: [1, 1],
            bytes: [1, 1],
            end: EndCause::Fin,
            service: None,
        }));
        assert_eq!(observe(PC, INSIDE, vec![connect(), ended]), [info]);
    }

    #[test]
    fn a_connect_to_another_port_is_a_lead() {
        for uri in [
            "10.0.0.9:3389",
            "desk.example:5901",
            "mail.example:25 /",
            "nonsense",
        ] {
            assert_eq!(
                observe(PC, INSIDE, vec![asked("CONNECT", uri, 200)]),
                ["proxy.http_connect low 10.0.0.8"]
            );
        }
        assert!(observe(PC, INSIDE, vec![asked("CONNECT", "a:22", 403)]).is_empty());
    }

    #[test]
    fn a_tunnel_in_the_clothes_of_connect_is_no_proxy() {
        assert!(observe(PC, OUTSIDE, vec![asked("CONNECT", "PageKite:1", 200)]).is_empty());
    }

    #[test]
    fn a_request_in_absolute_form_counts_when_it_was_answered() {
        let uri = "http://www.example.org/";
        assert_eq!(
            observe(PC, INSIDE, vec![asked("GET", uri, 200)]),
            ["proxy.http info 10.0.0.8"]
        );
        assert!(observe(PC, INSIDE, vec![asked("GET", uri, 407)]).is_empty());
        assert!(observe(PC, INSIDE, vec![asked("GET", "/?u=http://a", 200)]).is_empty());
    }

    #[test]
    fn socks_is_weighed_by_direction_destination_and_who_serves() {
        let of = |from, to, client, port| observe(from, to, vec![socks(client, port)]);
        assert_eq!(
            of(PC, INSIDE, Side::Originator, 80),
            ["proxy.socks info 10.0.0.8"]
        );
        assert_eq!(
            of(PC, INSIDE, Side::Originator, 3389),
            ["proxy.socks low 10.0.0.8"]
        );
        assert_eq!(
            of(PC, OUTSIDE, Side::Originator, 80),
            ["proxy.socks low 10.0.0.1"]
        );
        assert_eq!(
            of(OUTSIDE, INSIDE, Side::Originator, 80),
            ["proxy.socks medium 10.0.0.8"]
        );
        assert_eq!(
            of(PC, OUTSIDE, Side::Responder, 80),
            [
                "proxy.socks low 10.0.0.1",
                "proxy.socks.reverse high 10.0.0.1"
            ]
        );
    }
}
