//! Tunnels inside DNS, by the marks of their tools.
//!
//! **Sees** the handshake of iodine, sessions of dnscat2 and of dns2tcp in the questions of a client, whatever resolver
//! hands them on.
//!
//! **Why it matters.** DNS passes where nothing else does: who holds the other end of such a zone talks with the host through
//! the resolver of the house (ATT&CK T1071.004, T1572).
//!
//! **What also looks like this.** Nothing is known: a mark must be spelled out, or several questions must fit together.
//! Zones that carry hashes of files for look-ups (anti-virus, block lists) are told apart by that.
//!
//! **References.** iodine's `doc/proto_00000502.txt`; dnscat2's `doc/protocol.md`; dns2tcp's `common/includes/dns.h`.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::kind::{Kind, Told, kind};
use super::of_client::Deed;
use super::{Around, Detection, Finding, Grade, Listed, Reason, Severity, Subject};
use crate::observation::{DnsTransaction, Fact, FactKind, FactKinds, NameService, Observation};

/// Tunnels by their marks.
#[derive(Default)]
pub(super) struct DnsTunnels {
    /// Clients that may be in the middle of a handshake or a session, the one seen last at the end.
    suspects: VecDeque<Suspect>,
}

const IODINE: Kind = kind(
    "tunnel.dns.iodine",
    "IP over DNS with iodine",
    Severity::High,
    0,
    0,
);
const DNSCAT2: Kind = kind(
    "tunnel.dns.dnscat2",
    "Session of dnscat2 over DNS",
    Severity::High,
    0,
    0,
);
const DNS2TCP: Kind = kind(
    "tunnel.dns.dns2tcp",
    "TCP over DNS with dns2tcp",
    Severity::High,
    0,
    0,
);

const ALL: [&Kind; 3] = [&IODINE, &DNSCAT2, &DNS2TCP];

/// What a client's questions have in common so far.
struct Suspect {
    client: IpAddr,
    thread: Thread,
    /// Questions that fit.
    count: u8,
    /// The packet numbers of the last ones (dnscat2): they are random, so they differ.
    numbers: [u16; 4],
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Thread {
    /// iodine's first question was answered, for this zone.
    Iodine(String),
    /// A session of dnscat2, in this zone.
    Dnscat2(u16, String),
    /// dns2tcp in this zone.
    Dns2tcp(String),
}

impl Detection for DnsTunnels {
    fn finds(&self) -> Vec<Listed> {
        ALL.iter().map(|kind| kind.listed()).collect()
    }

    fn looks_at(&self) -> FactKinds {
        FactKinds::of(&[FactKind::Dns])
    }

    fn observe(&mut self, fact: &Observation, around: &Around<'_>, found: &mut Vec<Finding>) {
        let Fact::Dns(dns) = &fact.fact else { return };
        if dns.service != NameService::Dns {
            return;
        }
        if !may_be_one(dns) {
            return;
        }
        let client = fact.flow.endpoint(dns.client).ip;
        let sign = iodine_pattern(dns)
            .or_else(|| self.iodine(client, dns))
            .or_else(|| self.dns2tcp(client, dns))
            .or_else(|| self.dnscat2(client, dns));
        let Some((kind, because)) = sign else { return };
        let deed = Deed {
            fact,
            client: dns.client,
            grade: Grade::Decoded,
            name: None,
        };
        let tool = kind.id.rsplit('.').next().unwrap_or_default().to_owned();
        let told = Told {
            subject: Subject::Tool(tool.clone()),
            tool: Some(tool),
            reasons: vec![Reason::new("dns.query", &dns.query, because)],
            attack: &["T1071.004", "T1572"],
            guidance: &[
                "Take the host off the network: somebody outside talks with it through the resolver.",
                "Block the zone at the resolver, and look for other hosts that asked for it.",
                "Look for the program on the host: it keeps asking as long as it runs.",
            ],
        };
        found.push(deed.through_resolver(kind, around, told));
    }
}

/// The one question for every look-up: each mark needs a long first label, a type that few ask for, or its own name.
fn may_be_one(dns: &DnsTransaction) -> bool {
    let first = dns.query.bytes().take_while(|&octet| octet != b'.').count();
    first >= SHORTEST || matches!(dns.qtype.0, TXT | KEY) || dns.query.starts_with("dnscat.")
}

/// The detection, and why.
type ToldMark = Option<(&'static Kind, &'static str)>;

impl DnsTunnels {
    /// iodine's version question, answered, and its log-in in the same zone.
    fn iodine(&mut self, client: IpAddr, dns: &DnsTransaction) -> ToldMark {
        let (label, zone) = dns.query.split_once('.')?;
        let label = label.as_bytes();
        let opener = *label.first()? | 0x20;
        if opener == b'v' && is_iodine_version(label) {
            let thread = Thread::Iodine(zone.to_ascii_lowercase());
            self.suspect(client, thread);
            return None;
        }
        if opener != b'l' || label.len() != IODINE_LOGIN || !label.iter().all(|&o| is_base32(o)) {
            return None;
        }
        let zone = Thread::Iodine(zone.to_ascii_lowercase());
        self.suspects
            .iter()
            .any(|one| one.client == client && one.thread == zone)
            .then_some((
                &IODINE,
                "a question for iodine's version, then a log-in in the same zone",
            ))
    }

    /// dns2tcp names what it wants in a label of its own.
    fn dns2tcp(&mut self, client: IpAddr, dns: &DnsTransaction) -> ToldMark {
        if !matches!(dns.qtype.0, TXT | KEY) {
            return None;
        }
        let command = DNS2TCP_COMMANDS
            .iter()
            .find_map(|command| dns.query.split_once(command));
        let (_, zone) = command?;
        let count = self.suspect(client, Thread::Dns2tcp(zone.to_ascii_lowercase()));
        let answered = dns.rcode.is_some_and(|rcode| rcode.0 == 0);
        (answered || count >= 3).then_some((&DNS2TCP, "a command of dns2tcp in a label of its own"))
    }

    /// Each question of dnscat2 opens with a random number, a type, and the number of the session.
    fn dnscat2(&mut self, client: IpAddr, dns: &DnsTransaction) -> ToldMark {
        if !matches!(dns.qtype.0, A | CNAME | MX | TXT | AAAA) {
            return None;
        }
        let named = dns.query.strip_prefix("dnscat.");
        let head = Dnscat2::of(named.unwrap_or(&dns.query))?;
        let suspect = self.suspect_at(client, Thread::Dnscat2(head.session, head.zone));
        if suspect.numbers.contains(&head.number) && suspect.count > 0 {
            // A repeated question counts once.
            return None;
        }
        suspect.numbers.rotate_right(1);
        suspect.numbers[0] = head.number;
        suspect.count = suspect.count.saturating_add(1);
        let needed = if named.is_some() { 2 } else { DNSCAT2_IN_ROW };
        (suspect.count >= needed).then_some((
            &DNSCAT2,
            "hexadecimal labels that open with a new number, a type of dnscat2, and the same session each time",
        ))
    }

    /// Counts a question of a thread.
    fn suspect(&mut self, client: IpAddr, thread: Thread) -> u8 {
        let suspect = self.suspect_at(client, thread);
        suspect.count = suspect.count.saturating_add(1);
        suspect.count
    }

    /// The entry of a thread, which is now the youngest; the oldest makes room.
    fn suspect_at(&mut self, client: IpAddr, thread: Thread) -> &mut Suspect {
        let at = self
            .suspects
            .iter()
            .position(|one| one.client == client && one.thread == thread);
        let suspect = at.and_then(|at| self.suspects.remove(at));
        if self.suspects.len() >= MAX_SUSPECTS {
            self.suspects.pop_front();
        }
        self.suspects.push_back(suspect.unwrap_or(Suspect {
            client,
            thread,
            count: 0,
            numbers: [0; 4],
        }));
        let last = self.suspects.len() - 1;
        &mut self.suspects[last]
    }
}

/// The head of a packet of dnscat2.
struct Dnscat2 {
    number: u16,
    session: u16,
    /// What stands behind the packet.
    zone: String,
}

impl Dnscat2 {
    /// Reads the first label; the packet's rest is not needed.
    fn of(name: &str) -> Option<Self> {
        let (label, rest) = name.split_once('.').unwrap_or((name, ""));
        // A packet has a head of five octets and something behind; labels are cut at even places.
        if label.len() < 2 * DNSCAT2_MIN || !label.len().is_multiple_of(2) || label.len() > 62 {
            return None;
        }
        if !label.bytes().all(|octet| octet.is_ascii_hexdigit()) || rest.len() > 250 {
            return None;
        }
        let number = |at: usize| u16::from_str_radix(label.get(at..at + 4)?, 16).ok();
        let kind = u8::from_str_radix(label.get(4..6)?, 16).ok()?;
        let session = u16::from_str_radix(label.get(6..10)?, 16).ok()?;
        let mut zone = rest;
        while let Some((next, behind)) = zone.split_once('.')
            && next.len().is_multiple_of(2)
            && next.bytes().all(|octet| octet.is_ascii_hexdigit())
        {
            zone = behind;
        }
        // Open, message, close, encrypted.
        (kind <= 3 && session != 0).then_some(Self {
            number: number(0)?,
            session,
            zone: zone.to_ascii_lowercase(),
        })
    }
}

/// iodine tries which codecs pass with texts that nobody else asks for.
fn iodine_pattern(dns: &DnsTransaction) -> ToldMark {
    const ALPHABET: &str = "aabbccddeeffgghhiijjkkllmmnnooppqqrrssttuuvvwwxxyyzz";
    let label = dns.query.split('.').next()?;
    if label.len() < ALPHABET.len() {
        return None;
    }
    let label = label.to_ascii_lowercase();
    label
        .contains(ALPHABET)
        .then_some((&IODINE, "iodine's test of the alphabet"))
}

/// Whether a label is `v` and the version 0x00000502 with two more octets, in iodine's base32.
fn is_iodine_version(label: &[u8]) -> bool {
    const START: &[u8] = b"vaaaaka";
    // Two bits of the version and three of what follows.
    const NEXT: std::ops::RangeInclusive<u8> = b'q'..=b'x';
    label.len() == IODINE_VERSION
        && label
            .iter()
            .zip(START)
            .all(|(octet, want)| octet.eq_ignore_ascii_case(want))
        && label
            .get(START.len())
            .is_some_and(|octet| NEXT.contains(&octet.to_ascii_lowercase()))
        && label.iter().all(|&octet| is_base32(octet))
}

/// iodine's alphabet: letters and 0 to 5.
fn is_base32(octet: u8) -> bool {
    matches!(octet, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'5')
}

const A: u16 = 1;
const CNAME: u16 = 5;
const MX: u16 = 15;
const TXT: u16 = 16;
const KEY: u16 = 25;
const AAAA: u16 = 28;

/// `v`, and six octets in base32.
const IODINE_VERSION: usize = 11;
/// Characters of the shortest first label that one of the marks has.
const SHORTEST: usize = IODINE_VERSION;
/// `l`, and 19 octets in base32: user, an answer to a challenge, two random octets.
const IODINE_LOGIN: usize = 32;
const DNS2TCP_COMMANDS: [&str; 3] = [".=auth.", ".=connect.", ".=resource."];
/// Number, type, session, and the two numbers of four octets that all but a farewell have.
const DNSCAT2_MIN: usize = 9;
/// Questions of one session without the tool's name: 24 bits that are equal, and numbers that differ.
const DNSCAT2_IN_ROW: u8 = 4;
/// Threads that are followed at once. A question that fits none makes no entry, so honest ones do not push these out.
const MAX_SUSPECTS: usize = 256;

#[cfg(test)]
mod tests;
