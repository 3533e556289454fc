//! RFB (VNC) over TCP: one [`Fact::Rfb`] per conversation, at the end of its handshake.
//!
//! | how far it came | the fact is told |
//! |---|---|
//! | [`RfbEnd::Session`] | at ServerInit (with Tight after its capabilities); where all is encrypted, once the two have gone on (`wire::rfb`, `hidden.rs`, says when that is sure); where the server's octets were lost, at the viewer's first requests |
//! | [`RfbEnd::Rejected`], [`RfbEnd::Refused`] | after the server's reason, or at the end of a flow that brought none |
//! | [`RfbEnd::Abandoned`], [`RfbEnd::Greeted`] | at the end of the flow, or where it stops being RFB |
//!
//! A result of 0 is a session even when the viewer leaves at once: somebody has the password. `auth.result` is
//! `accepted` where the server said so, asked for nothing, or went on inside its encryption; `unknown` where nothing
//! was said. Security types 18 and 19 carry TLS, which a session of the TLS decoder reads beside this one.

use terrier_wire::Step;
use terrier_wire::rfb::{
    self, Clues, Message, ProtocolVersion, SecurityType, TightAuthentication, VencryptType,
};

use super::{Begins, Emit, Opening, Patience, Probe, Progress, Protocol, tls};
use crate::observation::{
    AuthResult, Carrier, Fact, Frames, Rfb, RfbAuth, RfbEnd, ServerSide, Side, Transport,
};

pub(super) const PROTOCOL: Protocol = Protocol {
    name: "rfb",
    transport: Transport::Tcp,
    sees: "VNC: versions, security types, Tight and VeNCrypt, outcome and reason, desktop's name and size; reversed and through repeaters",
    probe,
    start: || Box::new(Session::new()),
    begins: Begins::AtAnySegment,
    shapes: &[],
    patience: Patience::Usual,
};

/// By the first octets alone, on every port and from either side: a version line, or what an UltraVNC repeater and those
/// who wait at it send before one.
fn probe(opening: &Opening<'_>) -> Probe {
    match rfb::opening(opening.octets) {
        Step::Done(..) => Probe::Yes,
        Step::NeedMore(_) => Probe::Maybe,
        Step::NotThisProtocol(_) => Probe::No,
    }
}

/// The state of one conversation.
pub(super) struct Session {
    handshake: rfb::Session,
    /// What the messages said so far; taken when the fact is told.
    record: Option<Record>,
    frames: Frames,
    inner: Option<Inner>,
}

impl Session {
    /// A conversation of which nothing was seen yet.
    pub(super) fn new() -> Self {
        Self {
            handshake: rfb::Session::new(),
            record: Some(Record::default()),
            frames: Frames::default(),
            inner: None,
        }
    }

    /// Hands octets to the handshake; answers how many it took.
    fn read(
        &mut self,
        from: Side,
        octets: &[u8],
        emit: &mut Emit<'_>,
    ) -> Result<usize, terrier_wire::Violation> {
        let was_hidden = self.handshake.is_hidden();
        let mut is_news = false;
        let record = &mut self.record;
        if let Some(record) = record {
            record.carrier = emit.carrier();
        }
        let used = self.handshake.feed(from, octets, |message| {
            is_news = true;
            if let Some(record) = record {
                record.learn(message);
            }
        });
        if is_news || !was_hidden {
            emit.note(&mut self.frames);
        }
        if used.is_err() || self.record.as_ref().is_some_and(Record::is_over) {
            self.tell(emit);
        }
        used
    }

    fn tell(&mut self, emit: &mut Emit<'_>) {
        if let Some(fact) = self.record.take().and_then(Record::finish) {
            emit.fact(&self.frames, Fact::Rfb(Box::new(fact)));
        }
    }

    /// All that can be understood has been.
    fn is_over(&self) -> bool {
        self.record.is_none() || self.handshake.is_finished()
    }
}

impl super::Session for Session {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        // Octets at the start that one of the two readers has taken already.
        let (mut rfb_at, mut tls_at) = match &self.inner {
            Some(inner) => inner.taken(from),
            None => (0, 0),
        };
        // The handshake stops where TLS begins, and is then asked again.
        for _ in 0..2 {
            let rest = octets.get(rfb_at..).unwrap_or_default();
            match self.read(from, rest, emit) {
                Ok(used) => rfb_at += used,
                Err(violation) => return Progress::Violated(violation.0),
            }
            if self.inner.is_some() || !self.handshake.in_tls() {
                break;
            }
            self.inner = Some(Inner::new());
            tls_at = rfb_at;
        }
        let Some(inner) = &mut self.inner else {
            return match self.is_over() {
                true => self.finish(emit),
                false => Progress::More(rfb_at),
            };
        };
        if let Some(rest @ [_, ..]) = octets.get(tls_at..) {
            tls_at += inner.feed(from, rest, emit);
        }
        let both = inner.settle(from, rfb_at, tls_at);
        match self.is_over() {
            true => self.finish(emit),
            false => Progress::More(both),
        }
    }

    fn gap(&mut self, from: Side, length: u64, emit: &mut Emit<'_>) -> Progress {
        self.handshake.gap(from, length);
        if let Some(inner) = &mut self.inner {
            inner.gap(from, length, emit);
        }
        match self.is_over() {
            true => self.finish(emit),
            false => Progress::More(0),
        }
    }

    fn held(&self) -> usize {
        let inner = self.inner.as_ref();
        let tls = inner.and_then(|inner| inner.session.as_ref());
        tls.map_or(0, tls::Session::held)
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        self.finish(emit);
    }
}

impl Session {
    /// Tells what is left to tell.
    fn finish(&mut self, emit: &mut Emit<'_>) -> Progress {
        if let Some(inner) = &mut self.inner {
            inner.end(emit);
        }
        let record = &mut self.record;
        self.handshake.end(|message| {
            if let Some(record) = record {
                record.learn(message);
            }
        });
        self.tell(emit);
        Progress::Finished
    }
}

/// The TLS inside, read by its own decoder. Both readers get the same octets, each at its own pace.
struct Inner {
    session: Option<tls::Session>,
    /// For each side: octets not yet consumed that the handshake has counted, and that the TLS decoder has read.
    taken: [(usize, usize); 2],
}

impl Inner {
    fn new() -> Self {
        Self {
            session: Some(tls::Session::inside(Some(Carrier::Rfb))),
            taken: [(0, 0); 2],
        }
    }

    fn taken(&self, side: Side) -> (usize, usize) {
        self.taken.get(side.index()).copied().unwrap_or_default()
    }

    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> usize {
        let Some(session) = &mut self.session else {
            return octets.len();
        };
        match super::Session::feed(session, from, octets, emit) {
            Progress::More(used) => used,
            Progress::Finished | Progress::Carries(_) | Progress::Violated(_) => {
                self.session = None;
                octets.len()
            }
        }
    }

    /// Both have come so far: what both have taken is consumed.
    fn settle(&mut self, side: Side, rfb_at: usize, tls_at: usize) -> usize {
        let tls_at = if self.session.is_some() {
            tls_at
        } else {
            rfb_at
        };
        let both = rfb_at.min(tls_at);
        if let Some(taken) = self.taken.get_mut(side.index()) {
            *taken = (rfb_at - both, tls_at - both);
        }
        both
    }

    fn gap(&mut self, from: Side, length: u64, emit: &mut Emit<'_>) {
        let Some(session) = &mut self.session else {
            return;
        };
        if let Some(taken) = self.taken.get_mut(from.index()) {
            *taken = (0, 0);
        }
        if super::Session::gap(session, from, length, emit) != Progress::More(0) {
            self.session = None;
        }
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        if let Some(mut session) = self.session.take() {
            super::Session::end(&mut session, emit);
        }
    }
}

/// What a handshake said so far.
#[derive(Default)]
struct Record {
    server: Option<Side>,
    server_version: Option<ProtocolVersion>,
    client_version: Option<ProtocolVersion>,
    offered: Vec<SecurityType>,
    chosen: Option<SecurityType>,
    subtype: Option<String>,
    unauthenticated: bool,
    accepted: bool,
    refused: bool,
    rejected: bool,
    session: bool,
    /// Viewer and server agreed on no authentication, and the viewer went on.
    went_on: bool,
    reason: Option<String>,
    desktop: Option<(String, u16, u16)>,
    clues: Clues,
    carrier: &'static str,
}

impl Record {
    fn learn(&mut self, message: Message) {
        self.clues.learn(&message);
        match message {
            Message::ServerVersion { version, server } => {
                self.server = Some(server);
                self.server_version = Some(version);
            }
            Message::ClientVersion(version) => self.client_version = Some(version),
            Message::RolesSwapped {
                server,
                server_version,
                client_version,
            } => {
                self.server = Some(server);
                self.server_version = server_version;
                self.client_version = client_version;
            }
            Message::SecurityTypes(types) => self.offer(&types),
            Message::Chosen(kind) => self.chosen = Some(kind),
            Message::ChosenInside(kind) => self.subtype = Some(kind.to_string()),
            Message::TightChosen(kind) => self.tight(kind),
            Message::VencryptChosen(kind) => self.vencrypt(kind),
            Message::Unauthenticated => self.unauthenticated = true,
            Message::Accepted => self.accepted = true,
            Message::ClientInit { .. } => self.went_on = true,
            Message::Rejected(reason) => {
                self.rejected = true;
                self.reason = reason.map(|reason| rfb::printable(&reason));
            }
            Message::Refused(reason) => {
                self.refused = true;
                self.reason = reason.map(|reason| rfb::printable(&reason));
            }
            Message::ServerInit(init) => {
                self.desktop = Some((rfb::desktop_name(&init.name), init.width, init.height));
            }
            Message::Session => self.session = true,
            Message::Repeater
            | Message::TlsStarts
            | Message::Capabilities(_)
            | Message::OnTrial => {}
        }
    }

    /// UltraVNC offers its types more than once.
    fn offer(&mut self, types: &[SecurityType]) {
        for kind in types {
            if !self.offered.contains(kind) {
                self.offered.push(*kind);
            }
        }
    }

    fn tight(&mut self, kind: TightAuthentication) {
        self.subtype = Some(kind.to_string());
    }

    /// Inside Tight or UltraVNC's type the innermost name says most.
    fn vencrypt(&mut self, kind: VencryptType) {
        self.subtype = Some(kind.to_string());
    }

    /// Nothing more is to come that belongs into the fact.
    fn is_over(&self) -> bool {
        self.session || self.refused || self.rejected
    }

    /// Security was passed: the server said so, or there was nothing to pass and the viewer went on.
    fn is_session(&self) -> bool {
        let passed = self.accepted || (self.unauthenticated && self.went_on);
        self.session || (passed && !self.refused && !self.rejected)
    }

    fn end(&self) -> RfbEnd {
        if self.is_session() {
            RfbEnd::Session
        } else if self.refused {
            RfbEnd::Refused
        } else if self.rejected {
            RfbEnd::Rejected
        } else if self.client_version.is_some() || !self.offered.is_empty() {
            // A server offers its types only to a client that answered, captured or not.
            RfbEnd::Abandoned
        } else {
            RfbEnd::Greeted
        }
    }

    /// The fact; none when not even a greeting was seen.
    fn finish(self) -> Option<Rfb> {
        let server = self.server?;
        let end = self.end();
        let result = match end {
            RfbEnd::Session => AuthResult::Accepted,
            RfbEnd::Refused => AuthResult::Refused,
            _ => AuthResult::Unknown,
        };
        let (desktop_name, width, height) = match self.desktop {
            Some((name, width, height)) => (Some(name), Some(width), Some(height)),
            None => (None, None, None),
        };
        Some(Rfb {
            server_version: self.server_version.map(|version| version.to_string()),
            client_version: self.client_version.map(|version| version.to_string()),
            security_types: self.offered.iter().map(SecurityType::to_string).collect(),
            security_type: self.chosen.map(|kind| kind.to_string()),
            security_type_code: self.chosen.map(|kind| kind.0),
            security_subtype: self.subtype,
            auth: RfbAuth {
                result,
                reason: self.reason,
            },
            desktop_name,
            width,
            height,
            server: ServerSide(server),
            carrier: self.carrier,
            software: rfb::software(&self.clues),
            end,
            no_auth: self.unauthenticated && end == RfbEnd::Session,
        })
    }
}

#[cfg(test)]
mod tests;
