//! SSH: shells and tunnels by the clear part of the connection.
//!
//! **Sees** every SSH connection on any port, also inside a proxy or behind a preamble: sessions, sessions on unusual
//! ports, and reversed ones, in which who opened the connection is the server.
//!
//! **Why it matters.** SSH is the tunnel that is already installed: `ssh -R` makes a machine inside reachable, `ssh -D`
//! makes it a proxy, and services such as Pinggy or Serveo need no other client (ATT&CK T1572, T1021.004). On port 443 it
//! passes filters that look at ports. A server that dials out gives a shell to whoever waits at the other end.
//!
//! **What also looks like this.** Administration, version control and file transfer: a session is worth a line, no more.
//! Many servers have moved to another port to be scanned less. Devices that are managed by NETCONF Call Home (RFC 8071,
//! ports 4334 and 4336) dial their manager and are then the server.
//!
//! **References.** RFC 4253, RFC 8071.

use super::kind::{Kind, Told, kind};
use super::{Around, Detection, Finding, Listed, Reason, Roles, Severity, Subject};
use crate::observation::{self, Fact, FactKind, FactKinds, Observation};

/// The detections of class `ssh`.
pub(super) struct Ssh;

const SESSION: Kind = kind("ssh.session", "SSH session", Severity::Info, 1, 0);
const ODD_PORT: Kind = kind(
    "ssh.odd_port",
    "SSH on an unusual port",
    Severity::Low,
    0,
    0,
);
const REVERSE: Kind = kind(
    "ssh.reverse",
    "Reversed SSH: the server dialled the client",
    Severity::Medium,
    0,
    1,
);

const ALL: [&Kind; 3] = [&SESSION, &ODD_PORT, &REVERSE];

impl Detection for Ssh {
    fn finds(&self) -> Vec<Listed> {
        ALL.iter().map(|kind| kind.listed()).collect()
    }

    fn looks_at(&self) -> FactKinds {
        FactKinds::of(&[FactKind::Ssh])
    }

    fn observe(&mut self, fact: &Observation, around: &Around<'_>, found: &mut Vec<Finding>) {
        let Fact::Ssh(ssh) = &fact.fact else { return };
        // A greeting alone is a port somebody knocked at.
        if !ssh.is_session() {
            return;
        }
        let roles = Roles::new(&fact.flow, ssh.client_side(), around.home);
        found.push(finding(&SESSION, fact, ssh, &roles));
        if roles.reverse {
            found.push(finding(&REVERSE, fact, ssh, &roles));
        }
        // A carrier's port is not SSH's.
        if roles.opened_port().is_some_and(|port| port != PORT) && ssh.carrier == "tcp" {
            found.push(finding(&ODD_PORT, fact, ssh, &roles));
        }
    }
}

fn finding(kind: &Kind, fact: &Observation, ssh: &observation::Ssh, roles: &Roles) -> Finding {
    let told = Told {
        subject: Subject::Peer(roles.peer().ip),
        tool: None,
        reasons: reasons(kind, ssh, roles),
        attack: attack(kind),
        guidance: guidance(kind),
    };
    kind.finding(fact, roles, told)
}

fn reasons(kind: &Kind, ssh: &observation::Ssh, roles: &Roles) -> Vec<Reason> {
    let banners = [
        ("ssh.client", &ssh.client, "who opened the connection"),
        ("ssh.server", &ssh.server, "who was addressed"),
    ];
    let mut reasons: Vec<Reason> = banners
        .into_iter()
        .filter_map(|(what, banner, because)| Some(Reason::new(what, banner.as_ref()?, because)))
        .collect();
    let (observed, because) = if ssh.encrypted {
        ("finished", "encryption began")
    } else {
        ("begun", "the capture does not show its end")
    };
    reasons.push(Reason::new("ssh.key_exchange", observed, because));
    if let Some(port) = roles.opened_port().filter(|_| kind.id == ODD_PORT.id) {
        reasons.push(Reason::new("flow.resp_p", port, "not 22"));
    }
    if roles.reverse {
        reasons.push(Reason::new(
            "ssh.reversed",
            "true",
            "who opened the connection answered the key exchange: it is the server",
        ));
    }
    reasons
}

fn attack(kind: &Kind) -> &'static [&'static str] {
    match kind.id {
        "ssh.odd_port" => &["T1571", "T1021.004"],
        "ssh.reverse" => &["T1572", "T1021.004"],
        _ => &["T1021.004"],
    }
}

fn guidance(kind: &Kind) -> &'static [&'static str] {
    match kind.id {
        "ssh.reverse" => &[
            "Somebody at the other end has a shell on this host, or will: block the connection, then ask the host's owner.",
            "Collect which program dialled, its command line and who started it.",
        ],
        "ssh.odd_port" => &[
            "Ask the host's owner why SSH runs on this port: a moved server, or a tunnel past a filter.",
        ],
        _ => &[
            "Ask the host's owner whether this session is theirs.",
            "Look for forwarded ports (-R, -L, -D) in the command line of the client.",
        ],
    }
}

const PORT: u16 = 22;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::HomeNetworks;
    use crate::observation::{Endpoint, FlowRef, Frames, Key, Oriented, Side, Transport, VlanTags};

    fn observe(
        from: &str,
        to: &str,
        port: u16,
        change: impl FnOnce(&mut observation::Ssh),
    ) -> Vec<String> {
        let end = |ip: &str, port| Endpoint {
            ip: ip.parse().unwrap(),
            port,
        };
        let flow = FlowRef {
            id: 1,
            opened: 1,
            orig: end(from, 40000),
            resp: end(to, port),
            transport: Transport::Tcp,
            vlan: VlanTags::default(),
            vni: None,
            oriented: Oriented::Syn,
        };
        let mut ssh = observation::Ssh {
            client: Some("SSH-2.0-a".into()),
            server: Some("SSH-2.0-b".into()),
            hassh: None,
            hassh_server: None,
            reversed: false,
            encrypted: true,
            carrier: "tcp",
            opener: Side::Originator,
        };
        change(&mut ssh);
        let fact = Observation {
            key: Key::default(),
            at_ns: 0,
            flow,
            frames: Frames::one(0, 1),
            fact: Fact::Ssh(Box::new(ssh)),
        };
        let home = HomeNetworks::default();
        let mut found = Vec::new();
        Ssh.observe(&fact, &Around { home: &home }, &mut found);
        let said = |finding: Finding| {
            format!(
                "{} {} {}",
                finding.detection,
                finding.severity.name(),
                finding.victim
            )
        };
        found.into_iter().map(said).collect()
    }

    #[test]
    fn a_session_is_worth_a_line() {
        assert_eq!(
            observe("10.0.0.1", "10.0.0.2", 22, |_| {}),
            ["ssh.session info 10.0.0.2"]
        );
        assert_eq!(
            observe("10.0.0.1", "192.0.2.9", 22, |_| {}),
            ["ssh.session info 10.0.0.1"]
        );
        assert_eq!(
            observe("192.0.2.9", "10.0.0.2", 22, |_| {}),
            ["ssh.session low 10.0.0.2"]
        );
    }

    #[test]
    fn another_port_is_a_lead_unless_something_carries_it() {
        assert_eq!(
            observe("10.0.0.1", "192.0.2.9", 443, |_| {}),
            ["ssh.session info 10.0.0.1", "ssh.odd_port low 10.0.0.1"]
        );
        assert_eq!(
            observe("10.0.0.1", "192.0.2.9", 443, |ssh| ssh.carrier =
                "websocket"),
            ["ssh.session info 10.0.0.1"]
        );
    }

    #[test]
    fn a_server_that_dials_out_is_controlled_through_it() {
        assert_eq!(
            observe("10.0.0.1", "192.0.2.9", 22, |ssh| ssh.reversed = true),
            ["ssh.session info 10.0.0.1", "ssh.reverse high 10.0.0.1"]
        );
    }

    #[test]
    fn a_greeting_alone_is_nothing() {
        let greeted = |ssh: &mut observation::Ssh| {
            ssh.encrypted = false;
            ssh.client = None;
        };
        assert!(observe("192.0.2.9", "10.0.0.2", 22, greeted).is_empty());
    }
}
