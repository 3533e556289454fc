//! Judges traffic that cannot be read: was the password right?
//!
//! An encrypted security type hides SecurityResult. What it cannot hide is who speaks after whom, and how much. After a
//! refusal the server falls silent; after success the two go on: ClientInit, ServerInit, the viewer's first requests, the
//! first update. So a session is taken for granted when
//!
//! * the server **answers the viewer's first requests**: the viewer has spoken in turn so often that only its requests
//!   can have come last, and then the server has sent 24 octets of its own (an alert that closes TLS 1.3 looks like data,
//!   but is shorter); or
//! * the server has sent **8 KiB** since the handshake, when the viewer has spoken at all: no refusal is so long; or
//! * the viewer has sent **4 KiB**, when the server has spoken at all and nothing so long belongs to the authentication:
//!   pointer and keys, where the screen stands still or the server's packets are missing.
//!
//! The turns of a viewer before it has its answer, and why fewer never do:
//!
//! | inside | viewer's turns in a refusal | turns needed |
//! |---|---|---|
//! | TLS, no password | (alert) | 2: ClientInit, requests |
//! | TLS, VNC authentication, user and password, name | response (alert) | 3 |
//! | security type TLS: the types once more | choice, response (alert) | 4 |
//! | TLS, SASL | mechanism, up to three steps (alert) | 6 |
//! | RA2 | hash, password | 4 |
//! | RA2 in two steps | hash, password, random number | 5 |
//! | nobody knows | ? | 6, and 2 KiB of the server |
//!
//! In TLS only application data counts, with two exceptions of TLS 1.3, where handshake messages look like it: all that
//! the server sends before the client's Finished, and that Finished itself. Session tickets are data of the server within
//! a turn that already is the server's: they make no turn and are no answer to requests. A viewer that writes user and
//! password in pieces may have its turn split by a ticket; hence one turn more than success would need.

use super::message::Role;
use super::names::VencryptType;

/// How traffic is hidden, which decides what counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cover {
    /// Records of TLS.
    Tls(Inside),
    /// RA2 after its random numbers.
    Rsa {
        /// Whether there is a second exchange of random numbers.
        two_steps: bool,
    },
    /// A security type that nobody has described, or one whose thread was lost.
    Unknown,
}

/// What goes on inside TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    /// No authentication.
    Nothing,
    /// One answer of the viewer.
    OneAnswer,
    /// The handshake's security types once more.
    TypesAgain,
    /// SASL, in several steps.
    Sasl,
}

impl Inside {
    /// What a sub-type of VeNCrypt has inside; the longest when it is not known.
    pub(super) fn of(kind: Option<VencryptType>) -> Self {
        match kind {
            Some(kind) if kind.is_none() => Self::Nothing,
            Some(VencryptType::TLS_SASL | VencryptType::X509_SASL) | None => Self::Sasl,
            Some(_) => Self::OneAnswer,
        }
    }
}

/// Counts turns and octets.
#[derive(Debug, Clone)]
pub(super) struct Hidden {
    cover: Cover,
    last: Option<Role>,
    client_turns: u32,
    /// What the server sent, in octets.
    server_octets: u64,
    client_octets: u64,
    /// What the server sent since the viewer's last turn.
    reply: u64,
    records: [Records; 2],
    /// Whether the server chose TLS 1.3; unknown until its hello.
    tls13: Option<bool>,
    /// In TLS 1.3: the client's Finished was seen.
    finished: bool,
}

impl Hidden {
    /// `alone`: the viewer was not captured. That it spoke is taken for granted, for the server answers it.
    pub(super) fn new(cover: Cover, alone: bool) -> Self {
        Self {
            cover,
            last: None,
            client_turns: u32::from(alone),
            server_octets: 0,
            client_octets: 0,
            reply: 0,
            records: [Records::default(); 2],
            tls13: None,
            finished: alone,
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.cover, Cover::Tls(_))
    }

    /// Takes octets of one side and answers how many it is done with.
    pub(super) fn feed(&mut self, role: Role, input: &[u8]) -> usize {
        if !self.is_tls() {
            self.count(role, input.len() as u64);
            return input.len();
        }
        let mut rest = input;
        while !rest.is_empty() {
            let Some(used) = self.record(role, rest) else {
                break;
            };
            rest = rest.get(used..).unwrap_or_default();
        }
        input.len() - rest.len()
    }

    /// Octets were lost: they were sent all the same.
    pub(super) fn gap(&mut self, role: Role, length: u64) {
        if role == Role::Server {
            self.server_octets = self.server_octets.saturating_add(length);
        }
        let records = self.records_of(role);
        if length > 0 && length <= records.left {
            records.left -= length;
        } else {
            records.adrift = true;
        }
    }

    /// Whether this is a session by the rules above.
    pub(super) fn passed(&self) -> bool {
        let (turns, least) = self.needed();
        let answered = self.client_turns >= turns
            && self.last == Some(Role::Server)
            && self.reply >= MIN_REPLY
            && self.server_octets >= least;
        let is_shown = self.client_turns > 0 && self.server_octets >= MIN_SHOWN;
        let is_driven =
            self.server_octets > 0 && self.has_short_answers() && self.client_octets >= MIN_DRIVEN;
        answered || is_shown || is_driven
    }

    /// How often the viewer must have spoken, and how much the server must have sent.
    fn needed(&self) -> (u32, u64) {
        match self.cover {
            // With the server's hello lost, the client's Finished may look like a turn.
            Cover::Tls(inside) => {
                let turns = match inside {
                    Inside::Nothing => 2,
                    Inside::OneAnswer => 3,
                    Inside::TypesAgain => 4,
                    Inside::Sasl => 6,
                };
                (turns + u32::from(self.tls13.is_none()), 0)
            }
            Cover::Rsa { two_steps } => (4 + u32::from(two_steps), 0),
            Cover::Unknown => (6, 2048),
        }
    }

    /// Whether no authentication inside has long answers, as Kerberos does.
    fn has_short_answers(&self) -> bool {
        matches!(
            self.cover,
            Cover::Rsa { .. } | Cover::Tls(Inside::Nothing | Inside::OneAnswer)
        )
    }

    /// One record, or a piece of one; `None` when its head is not yet whole.
    fn record(&mut self, role: Role, input: &[u8]) -> Option<usize> {
        let records = self.records_of(role);
        let left = usize::try_from(records.left).unwrap_or(usize::MAX);
        if records.adrift {
            // No place in the stream any more: only the volume is sure.
            match role {
                Role::Server => {
                    self.server_octets = self.server_octets.saturating_add(input.len() as u64)
                }
                Role::Client => self.client_turns = self.client_turns.max(1),
            }
            return Some(input.len());
        }
        if left > 0 {
            let used = left.min(input.len());
            records.left -= used as u64;
            return Some(used);
        }
        let &[kind, 3, _, high, low] = input.first_chunk()? else {
            records.adrift = true;
            return Some(0);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if role == Role::Server && kind == HANDSHAKE && self.tls13.is_none() {
            let body = input.get(HEAD..).unwrap_or_default();
            let body = body.get(..length.min(MAX_HELLO))?;
            self.tls13 = Some(chooses_tls13(body));
        }
        self.records_of(role).left = length as u64;
        if kind == APPLICATION_DATA {
            self.application_data(role, length as u64);
        }
        Some(HEAD)
    }

    fn application_data(&mut self, role: Role, length: u64) {
        if self.tls13 == Some(true) && !self.finished {
            self.finished = role == Role::Client;
        } else {
            self.count(role, length);
        }
    }

    fn count(&mut self, role: Role, octets: u64) {
        if octets == 0 {
            return;
        }
        if role == Role::Client {
            self.client_octets = self.client_octets.saturating_add(octets);
        }
        match role {
            Role::Client if self.last != Some(Role::Client) => {
                self.client_turns = self.client_turns.saturating_add(1);
                self.reply = 0;
            }
            Role::Client => {}
            Role::Server => {
                self.server_octets = self.server_octets.saturating_add(octets);
                self.reply = self.reply.saturating_add(octets);
            }
        }
        self.last = Some(role);
    }

    fn records_of(&mut self, role: Role) -> &mut Records {
        let [server, client] = &mut self.records;
        match role {
            Role::Server => server,
            Role::Client => client,
        }
    }
}

/// Where one side is in its records.
#[derive(Debug, Clone, Copy, Default)]
struct Records {
    /// Octets of the present record still to come.
    left: u64,
    /// The place was lost, or it never was TLS.
    adrift: bool,
}

/// Whether a ServerHello (or a retry request) has the extension `supported_versions` with 1.3 (RFC 8446, section 4.2.1).
fn chooses_tls13(record: &[u8]) -> bool {
    let mut reader = crate::Reader::new(record);
    let mut extensions = || {
        // Type 2 and length, version, random.
        reader.take(4)?;
        reader.take(34)?;
        let session_id = reader.u8()?;
        reader.take(usize::from(session_id))?;
        // Cipher suite, compression, length of the extensions.
        reader.take(5)?;
        Some(reader)
    };
    let Some(mut extensions) = extensions() else {
        return false;
    };
    while let (Some(kind), Some(length)) = (extensions.u16_be(), extensions.u16_be()) {
        match extensions.take(usize::from(length)) {
            Some(body) if kind == SUPPORTED_VERSIONS => return body == [3, 4],
            Some(_) => {}
            None => return false,
        }
    }
    false
}

/// Octets of a record's head (RFC 8446, section 5.1).
const HEAD: usize = 5;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const SUPPORTED_VERSIONS: u16 = 43;
/// So much of the server's first record is waited for: a hello has less before its extensions end.
const MAX_HELLO: usize = 512;
/// A record of 24 octets in TLS 1.3, where the alert that closes has 2; both grow by 17.
const MIN_REPLY: u64 = 41;
/// A refusal has a few hundred octets, tickets included; the first update of a desktop has more than this.
const MIN_SHOWN: u64 = 8192;
/// User and password have two thousand octets at most; a pointer that moves for some seconds sends more than this.
const MIN_DRIVEN: u64 = 4096;
