//! RDP sessions: the negotiation, what a client says of itself in clear, and whether both sides went on.
//!
//! | fact | when |
//! |---|---|
//! | [`Fact::Rdp`] | at the Connection Confirm; without one at the gap that swallowed it, or at the flow's end |
//! | [`Fact::RdpClient`] | at the MCS Connect Initial, where it is in clear |
//! | [`Fact::RdpWentOn`] | when after the negotiation both sides have begun with TLS or MCS |
//! | [`Fact::RdpLogin`] | when with CredSSP the sizes of the TLS records show how the log-in ended |
//! | [`Fact::Tls`], [`Fact::TlsServer`] | from the TLS inside, which [`super::tls`] decodes |
//!
//! A Confirm whose request was not seen is held until the request comes (two interfaces of one capture may be merged out
//! of order) or either side goes on. A flow taken up after its Confirm gives no [`Fact::Rdp`], for nothing of it was seen.

use terrier_wire::rdp::{
    self, BuildName, Confirm, ConnectionConfirm, ConnectionRequest, DEFAULT_PORT, KeyboardName,
    Login, LoginWatch, MAX_PRECONNECTION, Message,
};
use terrier_wire::{Step, Violation};

use super::{
    Begins, Emit, Octets, Opening, Patience, Probe, Progress, Protocol, Session as _, Shape, tls,
};
use crate::observation::{
    AuthResult, Carrier, Fact, Frames, Rdp, RdpClient, RdpFailure, Side, Transport,
};

pub(super) const PROTOCOL: Protocol = Protocol {
    name: "rdp",
    transport: Transport::Tcp,
    sees: "cookie, routing token, requested and selected security, failures, the client's name; log-in under NLA by record sizes",
    probe,
    start: || Box::new(Session::default()),
    begins: Begins::AtAnySegment,
    shapes: SHAPES,
    patience: Patience::Usual,
};

/// The code of a TPDU behind TPKT, or the flags of a preconnection PDU, whose size has two octets.
const SHAPES: &[Shape] = &[Shape::at(&[
    (1, Octets::between(0, (MAX_PRECONNECTION >> 8) as u8)),
    (5, Octets::among(&[0, 0xd0, 0xe0, 0xf0])),
])];

fn probe(opening: &Opening<'_>) -> Probe {
    let ports = opening.ports;
    match rdp::recognise(opening.octets, ports.contains(&DEFAULT_PORT)) {
        Step::Done(..) => Probe::Yes,
        Step::NeedMore(_) => Probe::Maybe,
        Step::NotThisProtocol(_) => Probe::No,
    }
}

/// How many octets may pass while those of the other side, or the end of a log-in, are still awaited. In a capture of one
/// side they never come; a negotiation with a log-in takes 4 KiB.
const MAX_AWAITING: usize = 64 * 1024;

#[derive(Default)]
struct Session {
    wire: rdp::Session,
    frames: Frames,
    /// Who sent the Connection Request, or was sent the Confirm.
    client: Option<Side>,
    request: Option<ConnectionRequest>,
    confirm: Option<ConnectionConfirm>,
    /// Whether [`Fact::Rdp`] is out.
    told: bool,
    went_on: [bool; 2],
    inside: Inside,
    /// With CredSSP, until the log-in's end is known.
    login: Option<LoginWatch>,
    /// Why the TLS inside could not go on.
    fault: Option<&'static str>,
    /// Octets that passed while something was awaited.
    passed: usize,
}

/// The TLS inside.
#[derive(Default)]
enum Inside {
    #[default]
    NotYet,
    Tls(Box<tls::Session>),
    /// It has told all it will.
    Over,
}

impl super::Session for Session {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        if !octets.is_empty() && !self.both_went_on() {
            emit.note(&mut self.frames);
        }
        let mut used = match self.feed_clear(from, octets, emit) {
            Ok(used) => used,
            Err(Violation(why)) => {
                self.end(emit);
                return Progress::Violated(why);
            }
        };
        if self.wire.is_tls(from) {
            let rest = octets.get(used..).unwrap_or_default();
            used += self.feed_tls(from, rest, emit);
        }
        if !self.both_went_on() || matches!(self.inside, Inside::Over) {
            self.passed += used;
        }
        if !self.is_over() {
            return Progress::More(used);
        }
        self.end(emit);
        self.fault.map_or(Progress::Finished, Progress::Violated)
    }

    fn gap(&mut self, from: Side, length: u64, emit: &mut Emit<'_>) -> Progress {
        // What the lost records were cannot be made up for.
        self.login = None;
        if !self.wire.is_tls(from) {
            self.wire.gap(from, length);
            let lost_confirm = self.client == Some(from.other()) && self.confirm.is_none();
            let lost_request = self.client == Some(from) && self.request.is_none();
            if lost_confirm || lost_request {
                self.tell(emit);
            }
        } else if let Inside::Tls(tls) = &mut self.inside {
            let progress = tls.gap(from, length, emit);
            self.take_progress(progress);
        }
        if !self.is_over() {
            return Progress::More(0);
        }
        self.end(emit);
        self.fault.map_or(Progress::Finished, Progress::Violated)
    }

    fn held(&self) -> usize {
        match &self.inside {
            Inside::Tls(tls) => tls.held(),
            Inside::NotYet | Inside::Over => 0,
        }
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        self.tell(emit);
        if let Inside::Tls(mut tls) = std::mem::replace(&mut self.inside, Inside::Over) {
            tls.end(emit);
        }
    }
}

impl Session {
    /// Feeds what is not TLS.
    fn feed_clear(
        &mut self,
        from: Side,
        octets: &[u8],
        emit: &mut Emit<'_>,
    ) -> Result<usize, Violation> {
        // Without a message this takes no memory.
        let mut messages = Vec::new();
        let used = self.wire.feed(from, octets, |message| {
            messages.push(message);
        });
        for message in messages {
            self.take(from, message, emit);
        }
        used
    }

    fn take(&mut self, from: Side, message: Message, emit: &mut Emit<'_>) {
        match message {
            Message::Preconnection(_) => {
                self.client.get_or_insert(from);
            }
            Message::Request(request) => {
                self.client = Some(from);
                self.request = Some(request);
                if self.confirm.is_some() {
                    self.tell(emit);
                }
            }
            Message::Confirm(confirm) => {
                self.client = Some(from.other());
                self.confirm = Some(confirm);
                if self.request.is_some() {
                    self.tell(emit);
                }
            }
            Message::WentOn(_) => self.side_went_on(from, emit),
            Message::Client(settings) => {
                self.client.get_or_insert(from);
                if let Some(core) = settings.core {
                    let client = RdpClient {
                        client: from,
                        client_name: Some(core.name).filter(|name| !name.is_empty()),
                        client_build: Some(BuildName(core.build).to_string()),
                        keyboard: Some(KeyboardName(core.keyboard_layout).to_string()),
                    };
                    emit.fact(&self.frames, Fact::RdpClient(Box::new(client)));
                }
            }
            Message::Server(_) => {
                self.client.get_or_insert_with(|| from.other());
            }
        }
    }

    fn side_went_on(&mut self, from: Side, emit: &mut Emit<'_>) {
        if self.confirm.is_some() {
            self.tell(emit);
        }
        let both_before = self.both_went_on();
        if let Some(side) = self.went_on.get_mut(from.index()) {
            *side = true;
        }
        if self.both_went_on() && !both_before {
            // Both going on proves a Confirm, seen or not.
            self.tell(emit);
            emit.fact(&self.frames, Fact::RdpWentOn);
        }
    }

    /// Returns how many octets were taken.
    fn feed_tls(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> usize {
        if matches!(self.inside, Inside::NotYet) {
            let tls = tls::Session::inside(Some(Carrier::Rdp));
            self.inside = Inside::Tls(Box::new(tls));
            self.login = self.uses_credssp().then(LoginWatch::default);
        }
        let mut used = octets.len();
        if let Inside::Tls(tls) = &mut self.inside {
            match tls.feed(from, octets, emit) {
                Progress::More(taken) => used = taken,
                over => self.take_progress(over),
            }
        }
        self.watch_login(from, octets.get(..used).unwrap_or_default(), emit);
        used
    }

    fn watch_login(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) {
        let Some(watch) = &mut self.login else { return };
        let login = watch.feed(self.client == Some(from), octets);
        if watch.is_over() {
            self.login = None;
        }
        let result = match login {
            Some(Login::Accepted) => AuthResult::Accepted,
            Some(Login::Refused) => AuthResult::Refused,
            None => return,
        };
        emit.note(&mut self.frames);
        emit.fact(&self.frames, Fact::RdpLogin(result));
    }

    fn uses_credssp(&self) -> bool {
        let selected = self.confirm.and_then(|confirm| confirm.selected());
        matches!(
            selected,
            Some(rdp::Protocol::CREDSSP | rdp::Protocol::CREDSSP_EX)
        )
    }

    fn take_progress(&mut self, progress: Progress) {
        match progress {
            Progress::More(_) => return,
            Progress::Finished | Progress::Carries(_) => {}
            Progress::Violated(why) => self.fault = Some(why),
        }
        self.inside = Inside::Over;
    }

    fn both_went_on(&self) -> bool {
        self.went_on == [true; 2]
    }

    /// Whether nothing more can be learnt here.
    fn is_over(&self) -> bool {
        let refused = matches!(
            self.confirm,
            Some(ConnectionConfirm {
                answer: Confirm::Failed(_),
                ..
            })
        );
        let read = match (&self.inside, self.client) {
            (Inside::Tls(_), _) => false,
            (Inside::Over, _) => true,
            // The settings of the server are in no fact.
            (Inside::NotYet, Some(client)) => self.wire.is_done(client),
            (Inside::NotYet, None) => Side::BOTH.iter().all(|&side| self.wire.is_done(side)),
        };
        let known = self.both_went_on() && read && self.login.is_none();
        refused && self.told || known || self.passed > MAX_AWAITING
    }

    /// Hands out the negotiation, once, if any of it was seen.
    fn tell(&mut self, emit: &mut Emit<'_>) {
        let Some(client) = self.client else { return };
        if self.told || (self.request.is_none() && self.confirm.is_none()) {
            return;
        }
        self.told = true;
        let request = self.request.take();
        let requested = request.as_ref().map(|r| r.protocols().names().collect());
        let (cookie, routing_token) = request.map_or((None, None), |r| (r.cookie, r.routing_token));
        let fact = Rdp {
            cookie,
            routing_token,
            requested: requested.unwrap_or_default(),
            selected: self.confirm.as_ref().and_then(selected),
            failure: self.confirm.as_ref().and_then(failure),
            client,
            confirmed: self.confirm.is_some(),
        };
        emit.fact(&self.frames, Fact::Rdp(Box::new(fact)));
    }
}

fn selected(confirm: &ConnectionConfirm) -> Option<String> {
    let protocol = confirm.selected()?;
    Some(
        protocol
            .name()
            .map_or_else(|| protocol.0.to_string(), str::to_owned),
    )
}

fn failure(confirm: &ConnectionConfirm) -> Option<RdpFailure> {
    let Confirm::Failed(code) = confirm.answer else {
        return None;
    };
    Some(RdpFailure {
        code: code.0,
        name: code.name().unwrap_or("UNKNOWN"),
    })
}

#[cfg(test)]
mod tests;
