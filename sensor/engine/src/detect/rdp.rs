//! RDP: desktops reached over Microsoft's protocol.
//!
//! **Sees** every X.224 negotiation on any port: servers that the internet reaches, sessions, servers that do without
//! network level authentication, sessions that leave the house, unusual ports, refusals; and the SYN of RDP's own
//! transport over UDP.
//!
//! **Why it matters.** RDP is how intruders move sideways, and an open 3389 is how many of them come in (ATT&CK T1021.001,
//! T1133).
//!
//! **What also looks like this.** Administration and terminal servers: inside, a session is worth a line, no more.
//!
//! **References.** MS-RDPBCGR 2.2.1.1, 2.2.1.2; MS-RDPEUDP 3.1.5.1.

use super::awaited::Awaited;
use super::kind::{Kind, Told, kind};
use super::{Around, Detection, Finding, Listed, Reason, Roles, Severity, Subject};
use crate::home::Direction;
use crate::observation::{self, AuthResult, Fact, FactKind, FactKinds, Observation, Side};

/// The detections of class `rdp`.
pub(super) struct Rdp {
    /// Flows with a Connection Confirm whose session may still begin, by flow id.
    confirmed: Awaited<observation::Rdp>,
}

const SESSION: Kind = kind("rdp.session", "RDP session", Severity::Info, 3, 2);
/// The same detection, once the sizes of CredSSP's records show that the log-in was accepted.
const LOGGED_IN: Kind = kind(
    "rdp.session",
    "RDP session, logged in",
    Severity::Info,
    4,
    3,
);
const EXPOSED: Kind = kind(
    "rdp.exposed",
    "RDP server reached from the internet",
    Severity::High,
    0,
    0,
);
const NO_NLA: Kind = kind(
    "rdp.no_nla",
    "RDP without network level authentication",
    Severity::Low,
    2,
    0,
);
const ODD_PORT: Kind = kind(
    "rdp.odd_port",
    "RDP on an unusual port",
    Severity::Low,
    1,
    1,
);
const OUTBOUND: Kind = kind(
    "rdp.outbound",
    "RDP to the internet",
    Severity::Medium,
    0,
    0,
);

const ATTEMPT: Kind = kind(
    "rdp.attempt",
    "RDP asked for and refused",
    Severity::Info,
    0,
    0,
);

const UDP: Kind = kind("rdp.udp", "RDP over UDP asked for", Severity::Info, 0, 0);
/// The same detection, once the server answered.
const UDP_ANSWERED: Kind = kind("rdp.udp", "RDP over UDP", Severity::Low, 0, 0);

const ALL: [&Kind; 7] = [
    &SESSION, &EXPOSED, &NO_NLA, &ODD_PORT, &OUTBOUND, &ATTEMPT, &UDP,
];

impl Rdp {
    pub(super) fn new(most_octets: usize) -> Self {
        Self {
            confirmed: Awaited::new(most_octets),
        }
    }
}

impl Detection for Rdp {
    fn finds(&self) -> Vec<Listed> {
        ALL.iter().map(|kind| kind.listed()).collect()
    }

    fn passed_over(&self) -> u64 {
        self.confirmed.passed_over
    }

    fn looks_at(&self) -> FactKinds {
        FactKinds::of(&[
            FactKind::Rdp,
            FactKind::RdpWentOn,
            FactKind::RdpLogin,
            FactKind::RdpUdp,
            FactKind::FlowEnded,
        ])
    }

    fn observe(&mut self, fact: &Observation, around: &Around<'_>, found: &mut Vec<Finding>) {
        match &fact.fact {
            Fact::Rdp(rdp) if rdp.confirmed => {
                let roles = Roles::new(&fact.flow, rdp.client, around.home);
                found.extend(
                    kinds(rdp, &roles)
                        .into_iter()
                        .map(|kind| finding(kind, fact, rdp, &roles)),
                );
                self.confirmed
                    .insert(fact.flow.id, (**rdp).clone(), taken(rdp));
            }
            Fact::RdpWentOn => {
                // A capture that begins behind the Confirm shows a session all the same.
                let unseen = unseen();
                let rdp = self.confirmed.get(fact.flow.id).unwrap_or(&unseen);
                let roles = Roles::new(&fact.flow, rdp.client, around.home);
                found.push(finding(&SESSION, fact, rdp, &roles));
            }
            Fact::RdpLogin(AuthResult::Accepted) => {
                if let Some(rdp) = self.confirmed.get(fact.flow.id) {
                    let roles = Roles::new(&fact.flow, rdp.client, around.home);
                    found.push(finding(&LOGGED_IN, fact, rdp, &roles));
                }
            }
            Fact::RdpUdp(udp) => {
                let roles = Roles::new(&fact.flow, udp.client, around.home);
                let kind = if udp.answered { &UDP_ANSWERED } else { &UDP };
                found.push(udp_finding(kind, fact, udp, &roles));
                if udp.answered && roles.is_exposed() {
                    found.push(udp_finding(&EXPOSED, fact, udp, &roles));
                }
            }
            Fact::FlowEnded(_) if !self.confirmed.is_empty() => {
                self.confirmed.remove(fact.flow.id);
            }
            _ => {}
        }
    }
}

/// Octets of its texts and of its list.
fn taken(rdp: &observation::Rdp) -> usize {
    let texts = [&rdp.cookie, &rdp.routing_token, &rdp.selected];
    let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
    texts + size_of_val(rdp.requested.as_slice())
}

/// A negotiation that was not seen.
fn unseen() -> observation::Rdp {
    observation::Rdp {
        cookie: None,
        routing_token: None,
        requested: Vec::new(),
        selected: None,
        failure: None,
        client: Side::Originator,
        confirmed: false,
    }
}

/// What a Connection Confirm shows.
fn kinds(rdp: &observation::Rdp, roles: &Roles) -> Vec<&'static Kind> {
    let mut kinds = Vec::new();
    if roles.is_exposed() {
        kinds.push(&EXPOSED);
    }
    // One that nobody answered cannot be told from one whose answer went another way.
    if rdp.failure.is_some() {
        kinds.push(&ATTEMPT);
    }
    if rdp.failure.is_none() && matches!(rdp.selected.as_deref(), Some("RDP" | "TLS")) {
        kinds.push(&NO_NLA);
    }
    if roles.direction == Direction::Outbound {
        kinds.push(&OUTBOUND);
    }
    if roles.opened_port().is_some_and(|port| port != PORT) {
        kinds.push(&ODD_PORT);
    }
    kinds
}

fn finding(kind: &Kind, fact: &Observation, rdp: &observation::Rdp, roles: &Roles) -> Finding {
    let subject = if matches!(kind.id, "rdp.exposed" | "rdp.no_nla") {
        // It is a property of the server, whoever came to it.
        Subject::Service(roles.server.port)
    } else {
        Subject::Peer(roles.peer().ip)
    };
    let told = Told {
        subject,
        tool: None,
        reasons: reasons(kind, rdp, roles),
        attack: attack(kind),
        guidance: guidance(kind),
    };
    kind.finding(fact, roles, told)
}

/// RDP's own transport: beside a connection over TCP it is part of a session, alone it is a scan or a reflection.
fn udp_finding(
    kind: &Kind,
    fact: &Observation,
    udp: &observation::RdpUdp,
    roles: &Roles,
) -> Finding {
    let mut reasons = vec![Reason::new(
        "rdp_udp.offered",
        udp.offered.as_deref().unwrap_or("1"),
        "a client sent the SYN of RDP-UDP with this version",
    )];
    if udp.answered {
        reasons.push(Reason::new(
            "rdp_udp.chosen",
            udp.chosen.as_deref().unwrap_or("1"),
            "the server answered: it serves RDP over UDP",
        ));
    } else {
        reasons.push(Reason::new("rdp_udp.answered", false, "no answer was seen"));
    }
    let told = Told {
        subject: if kind.id == EXPOSED.id {
            Subject::Service(roles.server.port)
        } else {
            Subject::Peer(roles.peer().ip)
        },
        tool: None,
        reasons,
        attack: attack(kind),
        guidance: guidance(kind),
    };
    kind.finding(fact, roles, told)
}

fn reasons(kind: &Kind, rdp: &observation::Rdp, roles: &Roles) -> Vec<Reason> {
    let mut reasons = vec![Reason::new(
        "rdp.requested",
        rdp.requested.join(","),
        "the client asked for these",
    )];
    if let Some(cookie) = &rdp.cookie {
        reasons.push(Reason::new(
            "rdp.cookie",
            cookie,
            "the name the client gave in clear",
        ));
    }
    match (&rdp.failure, &rdp.selected) {
        (Some(failure), _) => reasons.push(Reason::new(
            "rdp.failure",
            failure.name,
            "the server answered, and refused these protocols",
        )),
        (None, Some(selected)) => {
            let because = match selected.as_str() {
                "RDP" => {
                    "without TLS: its old encryption can be broken, and anyone sees the log-in screen"
                }
                "TLS" => {
                    "anyone who reaches it sees the log-in screen, and credentials are asked for only inside"
                }
                _ => "credentials are asked for before the session",
            };
            reasons.push(Reason::new("rdp.selected", selected, because));
        }
        (None, None) => {}
    }
    if kind.id == SESSION.id {
        reasons.push(Reason::new(
            "rdp.after_confirm",
            "both sides",
            "both went on after the Connection Confirm",
        ));
    }
    if kind.title == LOGGED_IN.title {
        reasons.push(Reason::new(
            "rdp.login",
            "accepted",
            "by the sizes of CredSSP's records",
        ));
    }
    if let Some(port) = roles.opened_port().filter(|_| kind.id == ODD_PORT.id) {
        reasons.push(Reason::new("flow.resp_p", port, "not 3389"));
    }
    if roles.reverse {
        reasons.push(Reason::new(
            "rdp.server",
            "orig",
            "the server's host opened the connection",
        ));
    }
    reasons
}

fn attack(kind: &Kind) -> &'static [&'static str] {
    match kind.id {
        "rdp.exposed" => &["T1133", "T1021.001"],
        "rdp.odd_port" => &["T1571", "T1021.001"],
        _ => &["T1021.001"],
    }
}

fn guidance(kind: &Kind) -> &'static [&'static str] {
    match kind.id {
        "rdp.exposed" => &[
            "Close the port at the edge, or put a gateway or VPN before it.",
            "Look in the server's log for log-ins from outside (event 4624, logon type 10, and 4625).",
        ],
        "rdp.no_nla" => {
            &["Demand network level authentication on the server; take old clients out of use."]
        }
        "rdp.odd_port" => {
            &["Ask the host's owner why RDP answers here; a forwarded port is how it is hidden."]
        }
        "rdp.attempt" => {
            &["Look whether the same source asks other hosts too, and whether it was let in later."]
        }
        _ => &[
            "Ask the host's owner whether this session is theirs.",
            "Look for the log-in in the server's log (event 4624, logon type 10).",
        ],
    }
}

const PORT: u16 = 3389;
