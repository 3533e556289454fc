//! VNC: who is seen, or controlled, over RFB.
//!
//! **Sees** every RFB handshake on any port: sessions, sessions without a password, refusals, handshakes that nobody
//! finished, servers that the internet reaches, reverse connections (the server dials the viewer), sessions that leave the
//! house, unusual ports.
//!
//! **Why it matters.** VNC is the honest program that intruders bring along: endpoint protection lets it pass, and it
//! gives the whole desktop (ATT&CK T1021.005).
//!
//! **What also looks like this.** Administrators and help desks; consoles of virtual machines and of servers' boards.
//!
//! **References.** RFC 6143; the community registry of rfbproto.

use super::kind::{Kind, Told, kind};
use super::{Around, Detection, Finding, Listed, Reason, Roles, Severity, Subject};
use crate::home::Direction;
use crate::observation::{AuthResult, Fact, FactKind, FactKinds, Observation, Rfb, RfbEnd};

/// The detections of class `vnc`.
pub(super) struct Vnc;

const SESSION: Kind = kind("vnc.session", "VNC session", Severity::Low, 2, 1);
const EXPOSED: Kind = kind(
    "vnc.exposed",
    "VNC server reached from the internet",
    Severity::High,
    0,
    0,
);
const NO_AUTH: Kind = kind(
    "vnc.no_auth",
    "VNC session without a password",
    Severity::Medium,
    2,
    0,
);
const AUTH_FAILED: Kind = kind(
    "vnc.auth_failed",
    "VNC authentication refused",
    Severity::Low,
    1,
    0,
);
const REFUSED: Kind = kind(
    "vnc.refused",
    "VNC server refused before authentication",
    Severity::Low,
    0,
    0,
);
const REVERSE: Kind = kind(
    "vnc.reverse",
    "Reverse VNC: the server dialled the viewer",
    Severity::Medium,
    0,
    2,
);
const ODD_PORT: Kind = kind(
    "vnc.odd_port",
    "VNC on an unusual port",
    Severity::Low,
    1,
    1,
);
const OUTBOUND: Kind = kind(
    "vnc.outbound",
    "VNC to the internet",
    Severity::Medium,
    0,
    0,
);

const ATTEMPT: Kind = kind(
    "vnc.attempt",
    "VNC handshake that went no further",
    Severity::Info,
    0,
    0,
);

const ALL: [&Kind; 9] = [
    &SESSION,
    &EXPOSED,
    &NO_AUTH,
    &AUTH_FAILED,
    &REFUSED,
    &REVERSE,
    &ODD_PORT,
    &OUTBOUND,
    &ATTEMPT,
];

impl Detection for Vnc {
    fn finds(&self) -> Vec<Listed> {
        ALL.iter().map(|kind| kind.listed()).collect()
    }

    fn looks_at(&self) -> FactKinds {
        FactKinds::of(&[FactKind::Rfb])
    }

    fn observe(&mut self, fact: &Observation, around: &Around<'_>, found: &mut Vec<Finding>) {
        let Fact::Rfb(rfb) = &fact.fact else { return };
        let roles = Roles::new(&fact.flow, rfb.server.0.other(), around.home);
        for kind in kinds(rfb, &roles) {
            found.push(finding(kind, fact, rfb, &roles));
        }
    }
}

/// What a handshake shows. A greeting that nobody answered is a port somebody knocked at, and nothing here.
fn kinds(rfb: &Rfb, roles: &Roles) -> Vec<&'static Kind> {
    let mut kinds = Vec::new();
    if rfb.end == RfbEnd::Greeted {
        return kinds;
    }
    match rfb.end {
        RfbEnd::Session => kinds.push(&SESSION),
        RfbEnd::Refused => kinds.push(&AUTH_FAILED),
        RfbEnd::Rejected => kinds.push(&REFUSED),
        // Of half a conversation nobody knows how it ended.
        RfbEnd::Abandoned if rfb.server_version.is_some() && rfb.client_version.is_some() => {
            kinds.push(&ATTEMPT);
        }
        RfbEnd::Greeted | RfbEnd::Abandoned => {}
    }
    if rfb.end == RfbEnd::Session && rfb.no_auth {
        kinds.push(&NO_AUTH);
    }
    if roles.reverse {
        kinds.push(&REVERSE);
    } else if roles.is_exposed() {
        kinds.push(&EXPOSED);
    }
    if roles.direction == Direction::Outbound {
        kinds.push(&OUTBOUND);
    }
    let usual = if roles.reverse { REVERSE_PORTS } else { PORTS };
    let is_odd = |port| !usual.contains(&port);
    if roles.opened_port().is_some_and(is_odd) && rfb.carrier == "tcp" {
        kinds.push(&ODD_PORT);
    }
    kinds
}

fn finding(kind: &Kind, fact: &Observation, rfb: &Rfb, roles: &Roles) -> Finding {
    let subject = if kind.id == EXPOSED.id {
        // Whoever comes to an open server, it is one exposure.
        Subject::Service(roles.server.port)
    } else {
        Subject::Peer(roles.peer().ip)
    };
    let told = Told {
        subject,
        tool: rfb.software.map(str::to_owned),
        reasons: reasons(kind, rfb, roles),
        attack: attack(kind),
        guidance: guidance(kind),
    };
    kind.finding(fact, roles, told)
}

fn reasons(kind: &Kind, rfb: &Rfb, roles: &Roles) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if let Some(version) = &rfb.server_version {
        reasons.push(Reason::new(
            "rfb.server_version",
            version,
            "the server greeted",
        ));
    }
    if let Some(version) = &rfb.client_version {
        reasons.push(Reason::new(
            "rfb.client_version",
            version,
            "the client answered",
        ));
    }
    if let Some(chosen) = &rfb.security_type {
        let inner = rfb
            .security_subtype
            .as_ref()
            .map(|inner| format!(" ({inner})"))
            .unwrap_or_default();
        let because = if rfb.no_auth {
            "no password was asked for"
        } else {
            "the security type chosen"
        };
        reasons.push(Reason::new(
            "rfb.security_type",
            format!("{chosen}{inner}"),
            because,
        ));
    }
    match (rfb.end, rfb.auth.result) {
        (RfbEnd::Session, AuthResult::Unknown) => {
            reasons.push(Reason::new(
                "rfb.auth.result",
                "unknown",
                "encrypted, with octets both ways afterwards",
            ));
        }
        (RfbEnd::Session, _) => reasons.push(Reason::new(
            "rfb.auth.result",
            "accepted",
            "security passed",
        )),
        (RfbEnd::Refused | RfbEnd::Rejected, _) => {
            let words = rfb
                .auth
                .reason
                .clone()
                .unwrap_or_else(|| "refused".to_owned());
            reasons.push(Reason::new("rfb.auth.reason", words, "the server refused"));
        }
        _ => {}
    }
    if let Some(name) = &rfb.desktop_name {
        reasons.push(Reason::new(
            "rfb.desktop_name",
            name,
            "the desktop that was shown",
        ));
    }
    if let Some(port) = roles.opened_port().filter(|_| kind.id == ODD_PORT.id) {
        let because = if roles.reverse {
            "not 5500 to 5599"
        } else {
            "not 5900 to 5999"
        };
        reasons.push(Reason::new("flow.resp_p", port, because));
    }
    if roles.reverse {
        reasons.push(Reason::new(
            "rfb.server",
            "orig",
            "who opened the connection greeted first",
        ));
    }
    reasons
}

fn attack(kind: &Kind) -> &'static [&'static str] {
    match kind.id {
        "vnc.exposed" => &["T1133", "T1021.005"],
        "vnc.auth_failed" | "vnc.refused" => &["T1110", "T1021.005"],
        "vnc.attempt" => &["T1046", "T1021.005"],
        "vnc.odd_port" => &["T1571", "T1021.005"],
        "vnc.reverse" | "vnc.outbound" => &["T1219", "T1021.005"],
        _ => &["T1021.005"],
    }
}

fn guidance(kind: &Kind) -> &'static [&'static str] {
    match kind.id {
        "vnc.exposed" => &[
            "Close the port at the edge, or let only a VPN reach it.",
            "Ask the host's owner who set the server up, and look for sessions before this one.",
        ],
        "vnc.no_auth" => &[
            "End the session and set a password, or stop the server: anyone who reaches it has the desktop.",
            "Collect the server's configuration and who started it.",
        ],
        "vnc.reverse" => &[
            "Somebody at the other end sees this desktop: block the connection, then ask the host's user.",
            "Collect the command line of the VNC server: it names the viewer.",
        ],
        "vnc.auth_failed" | "vnc.refused" | "vnc.attempt" => &[
            "Look whether the same source is refused again and again, and whether it was let in later.",
        ],
        _ => &[
            "Ask the host's owner whether this session is theirs.",
            "Collect which VNC program runs on the host, since when, and who started it.",
        ],
    }
}

/// 5900 plus the display.
const PORTS: std::ops::RangeInclusive<u16> = 5900..=5999;
/// A listening viewer waits at 5500 plus its display.
const REVERSE_PORTS: std::ops::RangeInclusive<u16> = 5500..=5599;
