//! DNS, multicast DNS and LLMNR: questions with their answers, one fact for each.

mod answer;
mod over_http;
mod pending;

use terrier_wire::Step;
use terrier_wire::dns::{self, Manner, Message, Name, Opcode, Question, TypeName};

use super::{Begins, Emit, Octets, Opening, Patience, Probe, Progress, Protocol, Shape};
use crate::observation::{
    DnsRcode, DnsTransaction, DnsTransport, DnsType, Fact, Frames, NameService, Side, Transport,
};
pub(super) use over_http::OverHttp;
use pending::{Asked, Pending};

/// For the documentation.
const SEES: &str =
    "DNS, mDNS and LLMNR: name, type, answers, result of each transaction, every type";

/// Framed by lengths (RFC 7766).
pub(super) const OVER_TCP: Protocol = Protocol {
    name: "dns",
    transport: Transport::Tcp,
    sees: SEES,
    probe: probe_stream,
    start: || Box::new(Session::new(Transport::Tcp)),
    begins: Begins::AtTheStart,
    shapes: &[Shape::at(&[(7, Octets::of(1))]), Shape::at(&[]).on(&PORTS)],
    patience: Patience::Usual,
};

/// A message in each datagram; one flow may carry any number of them.
pub(super) const OVER_UDP: Protocol = Protocol {
    name: "dns",
    transport: Transport::Udp,
    sees: SEES,
    probe: probe_datagram,
    start: || Box::new(Session::new(Transport::Udp)),
    begins: Begins::AtTheStart,
    shapes: &[Shape::at(&[(5, Octets::of(1))]), Shape::at(&[]).on(&PORTS)],
    patience: Patience::Seconds,
};

/// Of name services, where a malformed message is taken too; on others the count of questions is 1.
const PORTS: [u16; 3] = [53, 5353, 5355];

/// Which service the ports speak of, where they do.
fn service_of(ports: [u16; 2]) -> Option<NameService> {
    // A resolver may ask from any port, so 53 comes first.
    [
        (53, NameService::Dns),
        (5353, NameService::Mdns),
        (5355, NameService::Llmnr),
    ]
    .into_iter()
    .find_map(|(port, service)| ports.contains(&port).then_some(service))
}

fn manner_of(ports: [u16; 2]) -> Manner {
    match service_of(ports) {
        Some(_) => Manner::Lenient,
        None => Manner::Strict,
    }
}

fn probe_stream(opening: &Opening<'_>) -> Probe {
    match dns::stream(opening.octets, manner_of(opening.ports)) {
        Step::Done(..) => Probe::Yes,
        Step::NeedMore(_) => Probe::Maybe,
        Step::NotThisProtocol(_) => Probe::No,
    }
}

fn probe_datagram(opening: &Opening<'_>) -> Probe {
    let manner = manner_of(opening.ports);
    match (dns::datagram(opening.octets, manner), manner) {
        (true, _) => Probe::Yes,
        // On these ports junk may come first and DNS after it.
        (false, Manner::Lenient) => Probe::Maybe,
        (false, Manner::Strict) => Probe::No,
    }
}

/// One flow: the questions that wait for an answer.
struct Session {
    exchange: Exchange,
    /// Over TCP. Most flows are of datagrams, and need not carry the room.
    framing: Option<Box<dns::Session>>,
}

impl Session {
    fn new(transport: Transport) -> Self {
        Self {
            exchange: Exchange::default(),
            framing: (transport == Transport::Tcp).then(Box::default),
        }
    }
}

impl super::Session for Session {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        let exchange = &mut self.exchange;
        exchange.forget_old(emit);
        match &mut self.framing {
            None => {
                if let Step::Done(message, _) = dns::message(octets) {
                    exchange.message(from, &message, emit);
                }
                Progress::More(octets.len())
            }
            Some(framing) => {
                let read = framing.feed(from, octets, |message| {
                    exchange.message(from, &message, emit);
                });
                match read {
                    Ok(used) => Progress::More(used),
                    Err(violation) => {
                        exchange.end(emit);
                        Progress::Violated(violation.0)
                    }
                }
            }
        }
    }

    fn gap(&mut self, from: Side, length: u64, emit: &mut Emit<'_>) -> Progress {
        // A lost datagram is no gap.
        if self
            .framing
            .as_mut()
            .is_none_or(|framing| framing.gap(from, length))
        {
            return Progress::More(0);
        }
        self.exchange.end(emit);
        Progress::Finished
    }

    fn held(&self) -> usize {
        self.exchange.held()
    }

    fn rest(&self) -> Option<u32> {
        self.exchange.rest()
    }

    fn resume(&mut self, kept: u32) {
        self.exchange.resume(kept);
    }

    fn renew(&mut self) -> bool {
        self.exchange.renew();
        self.framing.is_none()
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        self.exchange.end(emit);
    }
}

/// What was asked on a flow and not yet answered.
#[derive(Default)]
struct Exchange {
    pending: Pending,
    /// The zone transfer under way: all its messages but the first are answers that nobody asked for again.
    transfer: Option<u16>,
    /// What the last answers said, as hashes; 0 where there is none. Who repeats a question gets each answer twice.
    recent: [u16; Self::RECENT],
}

impl Exchange {
    /// A resolver repeats a question two or three times.
    const RECENT: usize = 4;
    /// Questions of one message that are looked at. DNS has one; multicast DNS asks for some dozen services at once.
    const MAX_QUESTIONS: usize = 64;
    /// Questions of one answer for which its records are searched. Honest answers have one; each costs a walk.
    const MAX_ANSWERED: usize = 4;

    /// As at the beginning. One that rested has little to forget.
    fn renew(&mut self) {
        if !self.pending.is_as_new() {
            self.pending = Pending::default();
        }
        self.transfer = None;
        self.recent = Default::default();
    }

    /// Octets kept of questions.
    fn held(&self) -> usize {
        self.pending.held()
    }

    /// The last two answers, where nothing else is to be remembered: most flows have no more.
    fn rest(&self) -> Option<u32> {
        let [last, before, ..] = self.recent;
        let others = self.recent.iter().skip(2).any(|&said| said != 0);
        let idle = self.pending.is_empty() && self.transfer.is_none() && !others;
        idle.then_some(u32::from(last) | u32::from(before) << 16)
    }

    fn resume(&mut self, kept: u32) {
        let [a, b, c, d] = kept.to_le_bytes();
        let [last, before, ..] = &mut self.recent;
        *last = u16::from_le_bytes([a, b]);
        *before = u16::from_le_bytes([c, d]);
    }

    fn message(&mut self, from: Side, message: &Message<'_>, emit: &mut Emit<'_>) {
        if message.header.opcode().0 > Opcode::STATEFUL.0 {
            return;
        }
        let service = match transport_of(emit) {
            // The ports are those of HTTP.
            DnsTransport::Http => NameService::Dns,
            _ => service_of(emit.flow().ports()).unwrap_or(NameService::Dns),
        };
        match (message.header.is_response(), service) {
            (false, NameService::Dns) => self.query(from, message, emit),
            (true, NameService::Dns) => self.response(from, message, emit),
            (false, _) => announce_query(from, message, service, emit),
            (true, _) => announce_response(from, message, service, emit),
        }
    }

    fn query(&mut self, from: Side, message: &Message<'_>, emit: &mut Emit<'_>) {
        let id = message.header.id;
        // Nearly all ask one.
        if let [1, ..] = message.header.counts {
            let question = message.walk().question();
            if let Some(question) = question.filter(Question::is_plausible) {
                self.ask(from, id, &question, emit);
            }
            return;
        }
        for question in questions(message) {
            self.ask(from, id, &question, emit);
        }
    }

    #[inline]
    fn ask(&mut self, client: Side, id: u16, question: &Question<'_>, emit: &mut Emit<'_>) {
        let asked = Asked {
            id,
            client,
            name: question.name,
            qtype: question.qtype,
        };
        if let Some(oldest) = self.pending.ask(&asked, emit) {
            unanswered(&oldest, emit);
        }
    }

    fn response(&mut self, from: Side, message: &Message<'_>, emit: &mut Emit<'_>) {
        let (id, client) = (message.header.id, from.other());
        let answered = if let [1, ..] = message.header.counts {
            self.one_answer(client, message, emit)
        } else {
            self.several_answers(client, message, emit)
        };
        if answered {
            return;
        }
        // A bare refusal names no question: it answers what was asked under its identity.
        let rcode = DnsRcode(message.rcode().0);
        while let Some(asked) = self.pending.take_any(id, client) {
            let Some(name) = asked.name() else { continue };
            let mut transaction = bare(name, asked.qtype, client, NameService::Dns, emit);
            transaction.rcode = Some(rcode);
            self.answered(Some(asked.frames), id, transaction, emit);
        }
    }

    /// The answer to the only question of a message, as nearly all are: one pass over it. False where the question makes no
    /// sense.
    fn one_answer(&mut self, client: Side, message: &Message<'_>, emit: &mut Emit<'_>) -> bool {
        let mut walk = message.walk();
        let Some(question) = walk.question().filter(Question::is_plausible) else {
            return false;
        };
        let (id, name, qtype) = (message.header.id, question.name, question.qtype);
        let mut transaction = bare(name, qtype, client, NameService::Dns, emit);
        let rcode = answer::of_one(&mut transaction, message, walk, name);
        transaction.rcode = Some(DnsRcode(rcode.0));
        self.settled(id, client, (name, qtype), transaction, emit);
        true
    }

    /// The answers to each of several questions. False where none of them makes sense.
    fn several_answers(
        &mut self,
        client: Side,
        message: &Message<'_>,
        emit: &mut Emit<'_>,
    ) -> bool {
        let id = message.header.id;
        let rcode = DnsRcode(message.rcode().0);
        let mut count = 0;
        for question in questions(message) {
            let (name, qtype) = (question.name, question.qtype);
            let mut transaction = bare(name, qtype, client, NameService::Dns, emit);
            transaction.rcode = Some(rcode);
            if count < Self::MAX_ANSWERED {
                answer::of_several(&mut transaction, message, name);
            }
            self.settled(id, client, (name, qtype), transaction, emit);
            count += 1;
        }
        count > 0
    }

    /// Hands out the answer to a question by its name and type, with the one that waits for it.
    #[inline]
    fn settled(
        &mut self,
        id: u16,
        client: Side,
        (name, qtype): (Name<'_>, TypeName),
        transaction: Box<DnsTransaction>,
        emit: &mut Emit<'_>,
    ) {
        let asked = Asked {
            id,
            client,
            name,
            qtype,
        };
        let frames = self.pending.answer(&asked);
        self.answered(frames, id, transaction, emit);
    }

    /// Hands out a transaction with its question, or without where none was seen.
    fn answered(
        &mut self,
        asked: Option<Frames>,
        id: u16,
        transaction: Box<DnsTransaction>,
        emit: &mut Emit<'_>,
    ) {
        let said = answer::fingerprint(id, &transaction);
        let qtype = TypeName(transaction.qtype.0);
        if asked.is_none() && (self.recent.contains(&said) || self.transfer == Some(id)) {
            return;
        }
        let [a, b, c, _] = self.recent;
        self.recent = [said, a, b, c];
        if matches!(qtype, TypeName::AXFR | TypeName::IXFR) {
            self.transfer = Some(id);
        }
        let mut frames = asked.unwrap_or_default();
        emit.note(&mut frames);
        emit.fact_of(frames, Fact::Dns(transaction));
    }

    #[inline]
    fn forget_old(&mut self, emit: &mut Emit<'_>) {
        while let Some(old) = self.pending.take_old(emit.at_ns()) {
            unanswered(&old, emit);
        }
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        for entry in self.pending.take_all() {
            unanswered(&entry, emit);
        }
    }
}

/// The questions of a message, up to the first that makes no sense: past damage the rest is not to be trusted.
fn questions<'a>(message: &Message<'a>) -> impl Iterator<Item = Question<'a>> + use<'a> {
    let mut walk = message.walk();
    let [count, ..] = message.header.counts;
    std::iter::from_fn(move || walk.question())
        .take_while(Question::is_plausible)
        .take(Exchange::MAX_QUESTIONS.min(count.into()))
}

fn unanswered(entry: &pending::Entry, emit: &mut Emit<'_>) {
    let Some(name) = entry.name() else { return };
    let transaction = bare(name, entry.qtype, entry.client, NameService::Dns, emit);
    emit.fact(&entry.frames, Fact::Dns(transaction));
}

/// A question without an answer.
fn bare(
    name: Name<'_>,
    qtype: TypeName,
    client: Side,
    service: NameService,
    emit: &Emit<'_>,
) -> Box<DnsTransaction> {
    Box::new(DnsTransaction {
        query: name.text(),
        qtype: DnsType(qtype.0),
        rcode: None,
        answers: Vec::new(),
        transport: transport_of(emit),
        client,
        service,
        addresses: Vec::new(),
        aliases: Vec::new(),
    })
}

fn transport_of(emit: &Emit<'_>) -> DnsTransport {
    match (emit.carrier(), emit.flow().transport) {
        (over_http::CARRIER, _) => DnsTransport::Http,
        (_, Transport::Udp) => DnsTransport::Udp,
        _ => DnsTransport::Tcp,
    }
}

/// A question to everybody: whoever answers does so to everybody or in a flow of his own, so nothing is waited for.
fn announce_query(from: Side, message: &Message<'_>, service: NameService, emit: &mut Emit<'_>) {
    let mut frames = Frames::default();
    emit.note(&mut frames);
    for question in questions(message) {
        let transaction = bare(question.name, question.qtype, from, service, emit);
        emit.fact(&frames, Fact::Dns(transaction));
    }
}

/// An answer to everybody: what it says of each name. Where it says nothing (LLMNR), its questions with the response code.
fn announce_response(from: Side, message: &Message<'_>, service: NameService, emit: &mut Emit<'_>) {
    let mut frames = Frames::default();
    emit.note(&mut frames);
    let client = from.other();
    let mut found = answer::by_owner(message);
    if found.is_empty() {
        found.extend(
            questions(message).map(|question| answer::Group::new(question.name, question.qtype)),
        );
    }
    let rcode = DnsRcode(message.rcode().0);
    for group in found {
        let mut transaction = bare(group.owner, group.rtype, client, service, emit);
        transaction.rcode = Some(rcode);
        transaction.answers = group.answers;
        transaction.addresses = group.addresses;
        emit.fact(&frames, Fact::Dns(transaction));
    }
}

#[cfg(test)]
mod tests;
