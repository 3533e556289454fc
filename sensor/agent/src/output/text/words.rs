//! An alert in plain words.

use std::fmt::Write as _;
use std::net::IpAddr;

use terrier_engine::Direction;
use terrier_engine::alert::Alert;
use terrier_engine::detect::{Finding, Grade, Reason, Severity, Subject};

use super::look::{Look, number};

/// What is kept of an alert for a summary: words, and what sorts them.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) detection: String,
    pub(super) title: String,
    pub(super) severity: Severity,
    pub(super) lead: bool,
    pub(super) victim: IpAddr,
    pub(super) victim_name: Option<String>,
    /// It is about a service, whoever came to it: the route is only the most convincing one.
    pub(super) of_service: bool,
    /// Who to whom, and in which direction.
    pub(super) route: String,
    pub(super) flow: u64,
    pub(super) first_ns: i64,
    pub(super) last_ns: i64,
    pub(super) count: u64,
    pub(super) reasons: Vec<Why>,
    pub(super) capture: u16,
    pub(super) frames: Vec<u64>,
}

/// A reason in plain words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Why {
    /// How much it helps a reader to believe the alert.
    pub(super) weight: u8,
    pub(super) text: String,
    /// Sentences about the tool, the same in each of its alerts.
    pub(super) background: Option<String>,
}

impl Told {
    pub(super) fn new(alert: &Alert, look: Look) -> Self {
        let finding = &alert.finding;
        let mut reasons: Vec<Why> = finding
            .reasons
            .iter()
            .filter(|reason| !is_repeated(reason, finding))
            .filter_map(|reason| why(reason, look))
            .collect();
        strongest(&mut reasons, MAX_REASONS);
        Self {
            detection: finding.detection.clone().into_owned(),
            title: look.whole(&finding.title),
            severity: finding.severity,
            lead: is_lead(finding),
            victim: finding.victim,
            victim_name: alert.victim_name.as_ref().map(|(name, _)| look.safe(name)),
            of_service: matches!(finding.subject, Subject::Service(_)),
            route: route(alert, look),
            flow: finding.flow.id,
            first_ns: alert.first_ns,
            last_ns: alert.last_ns,
            count: alert.count,
            reasons,
            capture: finding.frames.capture,
            frames: finding.frames.numbers().to_vec(),
        }
    }

    /// The title with how often it was found.
    pub(super) fn headline(&self) -> String {
        let times = match self.count {
            0 | 1 => return self.title.clone(),
            2 => "twice".to_owned(),
            more => format!("{}\u{a0}times", number(more)),
        };
        let whose = if self.of_service {
            " from all sources"
        } else {
            ""
        };
        format!("{}, {times}{whose}", self.title)
    }
}

/// Keeps the `most` reasons of the largest weight, in their order. Weak ones are kept only where there are no others.
pub(super) fn strongest(reasons: &mut Vec<Why>, most: usize) {
    if reasons.iter().any(|why| why.weight >= WEAK) {
        reasons.retain(|why| why.weight >= WEAK);
    }
    let mut weights: Vec<u8> = reasons.iter().map(|why| why.weight).collect();
    weights.sort_unstable_by(|a, b| b.cmp(a));
    if let Some(&least) = weights.get(most.saturating_sub(1)) {
        reasons.retain(|why| why.weight >= least);
        reasons.truncate(most);
    }
}

/// A signature that is the very name that was seen says nothing more.
fn is_repeated(reason: &Reason, finding: &Finding) -> bool {
    let mut others = finding.reasons.iter();
    reason.what == "signature"
        && others.any(|other| other.what != reason.what && other.observed == reason.observed)
}

/// A lead never makes an incident alone: a name only, or a visit, a site, a download.
pub(super) fn is_lead(finding: &Finding) -> bool {
    let visit = finding
        .detection
        .split('.')
        .skip(2)
        .any(|aspect| aspect == "endpoint");
    finding.grade == Grade::Name || (visit && finding.severity <= Severity::Low)
}

/// Who to whom, with ports where they are a service's, names and direction.
fn route(alert: &Alert, look: Look) -> String {
    let finding = &alert.finding;
    let victim = finding.victim;
    let peer = &finding.peer;
    let mut other = peer
        .ip
        .map(|ip| endpoint(ip, peer.port))
        .unwrap_or_default();
    if let Some((name, _)) = &peer.name {
        let name = look.safe(name);
        other = if other.is_empty() {
            name
        } else {
            format!("{other} ({name})")
        };
    }
    // A peer with a service's port is where the victim went; one without came to the victim.
    let left = peer.port.is_some() || finding.direction == Direction::Outbound;
    let mut text = match (other.is_empty(), left) {
        (true, _) => served(alert),
        (false, true) => format!("{victim} {} {other}", look.arrow()),
        (false, false) => format!("{other} {} {}", look.arrow(), served(alert)),
    };
    text.push_str(", ");
    text.push_str(match finding.direction {
        Direction::Inbound => "from the internet",
        Direction::Outbound => "to the internet",
        Direction::Internal => "inside",
        Direction::External => "outside the home networks",
    });
    text
}

/// The victim with its port in the flow.
fn served(alert: &Alert) -> String {
    let (victim, flow) = (alert.finding.victim, &alert.finding.flow);
    let port = [flow.resp, flow.orig]
        .into_iter()
        .find(|end| end.ip == victim)
        .map(|end| end.port);
    endpoint(victim, port)
}

fn endpoint(ip: IpAddr, port: Option<u16>) -> String {
    match (ip, port) {
        (IpAddr::V6(ip), Some(port)) => format!("[{ip}]:{port}"),
        (ip, Some(port)) => format!("{ip}:{port}"),
        (ip, None) => ip.to_string(),
    }
}

/// A reason in plain words; none for what the text shows elsewhere.
fn why(reason: &Reason, look: Look) -> Option<Why> {
    let observed = look.safe(&reason.observed);
    let quoted = || format!("\"{}\"", observed.replace('"', "\\\""));
    let because = look.whole(&reason.because);
    let (weight, text) = match reason.what {
        "direction" | "severity" => return None,
        "rfb.server_version" => (40, format!("the server greeted {observed}")),
        "rfb.client_version" => (15, format!("the client answered {observed}")),
        "rfb.security_type" if reason.because == "the security type chosen" => {
            (60, format!("security type {observed} was chosen"))
        }
        "rfb.security_type" => (95, format!("{observed} chosen: {because}")),
        "rfb.auth.result" => (50, because),
        "rfb.auth.reason" if reason.observed == "refused" => (80, because),
        "rfb.auth.reason" => (80, format!("{because}: {}", quoted())),
        "rfb.desktop_name" => (55, format!("the desktop is called {}", quoted())),
        "rdp.requested" => (25, format!("the client asked for {}", listed(&observed))),
        "rdp.cookie" => (60, format!("the client gave the name {}", quoted())),
        "rdp.failure" => (70, format!("{because} ({observed})")),
        "rdp.selected" => (65, format!("{observed} chosen: {because}")),
        "rdp.after_confirm" => (40, because),
        "rdp.login" => (90, format!("log-in {observed}, {because}")),
        "rfb.server" | "rdp.server" => (75, because),
        "flow.resp_p" if because.starts_with("not ") => (85, format!("port {observed}, {because}")),
        "flow.resp_p" => (35, format!("port {observed}, {because}")),
        "signature" => (20, format!("signature {observed}, {because}")),
        "grade" => (35, because),
        what => return Some(other(what, &observed, because)),
    };
    Some(Why {
        weight,
        text,
        background: None,
    })
}

/// What was seen and why it matters; what is known of a tool stands apart, as it is long and always the same.
fn other(what: &str, observed: &str, because: String) -> Why {
    let (weight, seen) = match what {
        "dns.query" => (80, format!("a look-up of {observed}")),
        "dns.answers" => (80, format!("a look-up led to {observed}")),
        "tls.server_name" => (80, format!("TLS to the name {observed}")),
        "tls.alpn" => (80, format!("TLS for the protocol {}", listed(observed))),
        "quic.server_name" => (80, format!("QUIC to the name {observed}")),
        "quic.alpn" => (80, format!("QUIC for the protocol {}", listed(observed))),
        "tls_server.certificate" => (80, format!("the certificate of {observed}")),
        "http.host" => (80, format!("HTTP to the host {observed}")),
        "http.uri" => (80, format!("HTTP asked for {observed}")),
        "http.user_agent" => (80, format!("the HTTP client calls itself {observed}")),
        "http.upgrade" => (80, format!("HTTP asked to go on with {observed}")),
        "websocket.subprotocol" => (80, format!("a WebSocket for {observed}")),
        "tls_client.certificate" => (80, format!("the client's certificate of {observed}")),
        "ssh.client" => (80, format!("the client greets with {observed}")),
        "ssh.server" => (80, format!("the server greets with {observed}")),
        "flow.protocol" => (80, format!("it speaks {observed}")),
        "flow.first_octets" => (80, format!("the first octets match {observed}")),
        _ => (50, format!("{what} {observed}")),
    };
    if because.len() > MAX_ASIDE {
        Why {
            weight,
            text: seen,
            background: Some(because),
        }
    } else {
        Why {
            weight,
            text: format!("{seen}: {because}"),
            background: None,
        }
    }
}

fn listed(observed: &str) -> String {
    observed.replace(',', ", ")
}

/// Frame numbers as Wireshark shows them, runs drawn together.
pub(super) fn frames(numbers: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let mut text = String::from(if numbers.len() == 1 {
        "frame\u{a0}"
    } else {
        "frames\u{a0}"
    });
    for (at, (first, last)) in runs.iter().take(MAX_RUNS).enumerate() {
        if at > 0 {
            text.push_str(", ");
        }
        // Two neighbours are a list, three a run.
        let _ = match last - first {
            0 => write!(text, "{first}"),
            1 => write!(text, "{first}, {last}"),
            _ => write!(text, "{first}-{last}"),
        };
    }
    if runs.len() > MAX_RUNS {
        text.push_str(", ...");
    }
    text
}

/// More do not convince more; the records have all.
pub(super) const MAX_REASONS: usize = 3;
/// What convinces nobody by itself.
const WEAK: u8 = 30;
/// A longer explanation is a tool's, and stands apart.
const MAX_ASIDE: usize = 90;
/// Enough for a line.
const MAX_RUNS: usize = 10;
