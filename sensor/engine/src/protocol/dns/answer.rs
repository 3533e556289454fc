//! What the answer section of a message says.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use foldhash::fast::FixedState;
use terrier_wire::dns::{Data, Message, Name, RcodeName, Record, Section, TypeName, Walk};

use crate::observation::{DnsAnswer, DnsTransaction};

/// Records of an answer section that are looked at: more than the 370 that the largest answer without TCP has room for.
const MAX_RECORDS: usize = 512;
/// Addresses of an answer: what [`MAX_RECORDS`] of them would be, halved, since a judge keeps each.
const MAX_ADDRESSES: usize = 256;
/// Names that a question's name leads to. Resolvers follow some 16 at most.
const MAX_CHAIN: usize = 16;
/// Owners and targets that are handed out; a zone transfer has any number.
const MAX_ALIASES: usize = 32;
/// Passes over the answer section. Servers write a chain in its order, so one is enough; a second one proves it.
const MAX_PASSES: usize = 3;
/// Names of a multicast answer that are handed out.
const MAX_GROUPS: usize = 64;

/// Adds what the answer section says in answer to the only question of a message, whose name is this; `walk` stands behind
/// it. Answers the response code of the message. What is needed of each record is read in one pass: [`of_several`] and
/// [`Message::rcode`] take one for each question they have.
pub(super) fn of_one<'a>(
    transaction: &mut DnsTransaction,
    message: &Message<'a>,
    mut walk: Walk<'a>,
    name: Name<'a>,
) -> RcodeName {
    let header = message.header;
    let [_, count, _, additional] = header.counts;
    let mut edns = None;
    if count > 0 {
        transaction.answers = Vec::with_capacity(room_for(count));
        let mut chain = Chain::new(name);
        let mut aliases = Vec::new();
        let mut strangers = false;
        for _ in 0..MAX_RECORDS {
            let Some(record) = walk.answer() else {
                break;
            };
            edns = edns.or_else(|| record.edns());
            if !record.class.is_registered() {
                break;
            }
            let data = record.data();
            strangers |= !chain.note(&record, &data);
            note_record(transaction, &mut aliases, &record, &data, name);
        }
        if strangers && !chain.others.is_empty() {
            chain = Chain::follow(message, name);
        }
        transaction.addresses = chain.addresses;
        tell_aliases(transaction, &aliases);
    }
    let low = u16::from(header.rcode());
    if additional == 0 {
        return RcodeName(low);
    }
    while let (None, Some(record)) = (edns, walk.record()) {
        edns = record.edns();
    }
    RcodeName(edns.map_or(low, |edns| edns.rcode(low)))
}

/// Adds what the answer section says of one of several questions: the records of its name, and of those it leads to.
pub(super) fn of_several(transaction: &mut DnsTransaction, message: &Message<'_>, name: Name<'_>) {
    let [_, count, ..] = message.header.counts;
    if count == 0 {
        return;
    }
    transaction.answers = Vec::with_capacity(room_for(count));
    let chain = Chain::follow(message, name);
    let mut aliases = Vec::new();
    for record in records(message) {
        if chain.leads_to(record.owner) {
            note_record(transaction, &mut aliases, &record, &record.data(), name);
        }
    }
    transaction.addresses = chain.addresses;
    tell_aliases(transaction, &aliases);
}

fn room_for(count: u16) -> usize {
    usize::from(count).min(DnsTransaction::MAX_ANSWERS)
}

/// What a record says, and the names in it that are not the question's.
fn note_record<'a>(
    transaction: &mut DnsTransaction,
    aliases: &mut Vec<Name<'a>>,
    record: &Record<'a>,
    data: &Data<'a>,
    question: Name<'a>,
) {
    texts(data, &mut transaction.answers);
    note_alias(aliases, record.owner, question);
    if let (TypeName::CNAME | TypeName::DNAME, Data::Name(target)) = (record.rtype, data) {
        note_alias(aliases, *target, question);
    }
}

fn tell_aliases(transaction: &mut DnsTransaction, aliases: &[Name<'_>]) {
    if !aliases.is_empty() {
        transaction.aliases = aliases.iter().map(Name::text).collect();
    }
}

/// A number that is the same for two answers that say the same of the same question, and not 0. Of 32,000 answers that
/// nobody asked for, one is taken for the one before it.
pub(super) fn fingerprint(id: u16, transaction: &DnsTransaction) -> u16 {
    let mut hasher = std::hash::BuildHasher::build_hasher(&FixedState::default());
    (id, transaction.client, transaction.qtype, transaction.rcode).hash(&mut hasher);
    transaction.query.hash(&mut hasher);
    transaction.answers.hash(&mut hasher);
    (hasher.finish() >> 48).max(1) as u16
}

/// What a multicast answer says of one name and type.
pub(super) struct Group<'a> {
    pub(super) owner: Name<'a>,
    pub(super) rtype: TypeName,
    pub(super) answers: Vec<DnsAnswer>,
    pub(super) addresses: Vec<(IpAddr, u32)>,
}

impl<'a> Group<'a> {
    pub(super) fn new(owner: Name<'a>, rtype: TypeName) -> Self {
        Self {
            owner,
            rtype,
            answers: Vec::new(),
            addresses: Vec::new(),
        }
    }
}

/// The answer section by owner and type, in the order in which each is met first, and the addresses of the additional
/// section: there multicast DNS tells where the hosts are that offer a service (RFC 6763, section 12).
pub(super) fn by_owner<'a>(message: &Message<'a>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut walk = message.walk();
    let all = std::iter::from_fn(|| walk.record())
        .take_while(|record| record.class.is_registered() || record.section != Section::Answer)
        .take(MAX_RECORDS);
    for record in all {
        let is_address = matches!(record.rtype, TypeName::A | TypeName::AAAA);
        if !(record.section == Section::Answer
            || record.section == Section::Additional && is_address)
        {
            continue;
        }
        let same = |group: &Group<'_>| group.rtype == record.rtype && group.owner == record.owner;
        let place = match groups.iter().position(same) {
            Some(place) => place,
            None if groups.len() < MAX_GROUPS => {
                groups.push(Group::new(record.owner, record.rtype));
                groups.len() - 1
            }
            None => continue,
        };
        let Some(group) = groups.get_mut(place) else {
            continue;
        };
        let data = record.data();
        texts(&data, &mut group.answers);
        if let (Data::Address(address), true) = (&data, group.addresses.len() < MAX_ADDRESSES) {
            group.addresses.push((*address, record.ttl()));
        }
    }
    groups
}

/// The records of the answer section, as far as they can be read and belong to a registered class.
fn records<'a>(message: &Message<'a>) -> impl Iterator<Item = Record<'a>> + use<'a> {
    let mut walk = message.walk();
    std::iter::from_fn(move || walk.answer())
        .take_while(|record| record.class.is_registered())
        .take(MAX_RECORDS)
}

/// The names that a question's name leads to by CNAME records, and their addresses.
struct Chain<'a> {
    name: Name<'a>,
    others: Vec<Name<'a>>,
    addresses: Vec<(IpAddr, u32)>,
}

impl<'a> Chain<'a> {
    fn new(name: Name<'a>) -> Self {
        Self {
            name,
            others: Vec::new(),
            addresses: Vec::new(),
        }
    }

    fn follow(message: &Message<'a>, name: Name<'a>) -> Self {
        let mut chain = Self::new(name);
        for _ in 0..MAX_PASSES {
            let known = chain.others.len();
            let mut strangers = false;
            chain.addresses.clear();
            for record in records(message) {
                strangers |= !chain.note(&record, &record.data());
            }
            // Only a link that was found after a record it leads to calls for another pass.
            if !strangers || chain.others.len() == known {
                break;
            }
        }
        chain
    }

    fn leads_to(&self, owner: Name<'_>) -> bool {
        // The last name of a chain is the one that has the addresses.
        self.name == owner || self.others.iter().rev().any(|other| *other == owner)
    }

    /// Goes on with what a record says; false where it is one of a name that the chain has not led to.
    fn note(&mut self, record: &Record<'_>, data: &Data<'a>) -> bool {
        if !matches!(record.rtype, TypeName::CNAME | TypeName::A | TypeName::AAAA) {
            return true;
        }
        if !self.leads_to(record.owner) {
            return false;
        }
        match *data {
            // With the first one, the question's.
            Data::Name(target) if self.others.len() + 1 < MAX_CHAIN && !self.leads_to(target) => {
                self.others.push(target);
            }
            Data::Address(address) if self.addresses.len() < MAX_ADDRESSES => {
                self.addresses.push((address, record.ttl()));
            }
            _ => {}
        }
        true
    }
}

fn note_alias<'a>(aliases: &mut Vec<Name<'a>>, name: Name<'a>, question: Name<'a>) {
    if aliases.len() < MAX_ALIASES && name != question && !aliases.contains(&name) {
        aliases.push(name);
    }
}

/// Addresses, names and texts of a record, as long as there is room.
fn texts(data: &Data<'_>, answers: &mut Vec<DnsAnswer>) {
    let mut push = |answer: DnsAnswer| {
        let said = !matches!(&answer, DnsAnswer::Text(text) if text.is_empty());
        if answers.len() < DnsTransaction::MAX_ANSWERS && said {
            answers.push(answer);
        }
    };
    match data {
        Data::Address(address) => push(DnsAnswer::Address(*address)),
        Data::Name(name)
        | Data::MailExchange { exchange: name, .. }
        | Data::Server { target: name, .. } => push(DnsAnswer::Text(name.text())),
        Data::Text(text) => push(DnsAnswer::Text(text.to_string())),
        Data::Service(service) => {
            push(DnsAnswer::Text(service.target.text()));
            service
                .hints()
                .take(DnsTransaction::MAX_ANSWERS)
                .for_each(|hint| push(DnsAnswer::Address(hint)));
        }
        Data::Other => {}
    }
}
