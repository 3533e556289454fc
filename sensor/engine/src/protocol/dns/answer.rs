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

/// Adds what the answer section says of the only question of a message, whose name is this; `walk` stands behind it. Answers
/// the response code of the message. All this takes one pass over the records.
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
        let mut chain = Chain::new(name, count);
        let mut aliases = Vec::new();
        let mut strangers = false;
        walk.enter_answers();
        for _ in 0..MAX_RECORDS {
            // An address of the name that the chain has come to: that name is the question's, or was noted with the link.
            if let Some((address, ttl)) = walk.plain_address(chain.last()) {
                if transaction.answers.len() < DnsTransaction::MAX_ANSWERS {
                    transaction.answers.push(DnsAnswer::Address(address));
                }
                chain.note_address(address, ttl);
                continue;
            }
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
        transaction.aliases = Vec::with_capacity(aliases.len());
        let texts = aliases.iter().map(Name::text);
        transaction.aliases.extend(texts);
    }
}

/// A number that is the same for two answers that say the same of the same question, and not 0. Of 32,000 answers that
/// nobody asked for, one is taken for the one before it.
pub(super) fn fingerprint(id: u16, transaction: &DnsTransaction) -> u16 {
    let mut hasher = std::hash::BuildHasher::build_hasher(&FixedState::default());
    (id, transaction.client, transaction.qtype, transaction.rcode).hash(&mut hasher);
    transaction.query.hash(&mut hasher);
    for answer in &transaction.answers {
        match answer {
            DnsAnswer::Address(IpAddr::V4(address)) => hasher.write_u32(address.to_bits()),
            DnsAnswer::Address(IpAddr::V6(address)) => hasher.write_u128(address.to_bits()),
            DnsAnswer::Text(text) => text.hash(&mut hasher),
        }
    }
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
    /// So many addresses are made room for once there is one.
    room: usize,
}

impl<'a> Chain<'a> {
    fn new(name: Name<'a>, count: u16) -> Self {
        Self {
            name,
            others: Vec::new(),
            addresses: Vec::new(),
            room: room_for(count),
        }
    }

    fn follow(message: &Message<'a>, name: Name<'a>) -> Self {
        let [_, count, ..] = message.header.counts;
        let mut chain = Self::new(name, count);
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
            Data::Address(address) => self.note_address(address, record.ttl()),
            _ => {}
        }
        true
    }

    #[inline]
    fn note_address(&mut self, address: IpAddr, ttl: u32) {
        if self.addresses.len() < MAX_ADDRESSES {
            if self.addresses.capacity() == 0 {
                self.addresses = Vec::with_capacity(self.room);
            }
            self.addresses.push((address, ttl));
        }
    }

    /// The name that it has come to: the one that has the addresses.
    fn last(&self) -> &Name<'a> {
        self.others.last().unwrap_or(&self.name)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use terrier_wire::Step;
    use terrier_wire::dns::message;

    use super::*;
    use crate::observation::{DnsTransport, DnsType, NameService, Side};

    /// What [`of_one`] does, by a pass for each thing that is asked.
    fn by_several_passes<'a>(
        transaction: &mut DnsTransaction,
        message: &Message<'a>,
        name: Name<'a>,
    ) -> RcodeName {
        let chain = Chain::follow(message, name);
        let mut aliases = Vec::new();
        for record in records(message) {
            texts(&record.data(), &mut transaction.answers);
        }
        for record in records(message) {
            note_alias(&mut aliases, record.owner, name);
            if matches!(record.rtype, TypeName::CNAME | TypeName::DNAME)
                && let Data::Name(target) = record.data()
            {
                note_alias(&mut aliases, target, name);
            }
        }
        transaction.addresses = chain.addresses;
        transaction.aliases = aliases.iter().map(Name::text).collect();
        message.rcode()
    }

    fn empty() -> DnsTransaction {
        DnsTransaction {
            query: String::new(),
            qtype: DnsType(1),
            rcode: None,
            answers: Vec::new(),
            transport: DnsTransport::Udp,
            client: Side::Originator,
            service: NameService::Dns,
            addresses: Vec::new(),
            aliases: Vec::new(),
        }
    }

    const NAMES: [&[u8]; 7] = [
        b"\xc0\x0c",
        b"\x01a\x01b\x00",
        b"\x01A\x01B\x00",
        b"\x01c\xc0\x0e",
        b"\x01d\x00",
        b"\x01e\xc0\x0c",
        b"\x00",
    ];

    proptest! {
        #[test]
        fn one_pass_reads_what_several_do(
            flags: u16,
            counts in (0_u16..14, 0_u16..3, 0_u16..3),
            records in prop::collection::vec(
                (
                    prop::sample::select(NAMES.to_vec()),
                    prop::sample::select(vec![1_u16, 1, 5, 5, 5, 28, 39, 41, 16, 65]),
                    prop::sample::select(vec![1_u16, 1, 1, 1, 1, 1, 1, 0x8001, 7]),
                    prop::sample::select(NAMES.to_vec()),
                    0_u8..16,
                ),
                0..16,
            ),
            cut in 0_usize..400,
        ) {
            let (answers, authority, additional) = counts;
            let mut octets = Vec::new();
            for word in [7, flags, 1, answers, authority, additional] {
                octets.extend_from_slice(&word.to_be_bytes());
            }
            octets.extend_from_slice(b"\x01a\x01b\x00\x00\x01\x00\x01");
            for (owner, rtype, class, target, number) in records {
                let address = [198, 51, 100, number];
                let data = match rtype {
                    1 => &address[..],
                    28 => &[number; 16],
                    16 => b"\x03any",
                    65 => b"\x00\x01\x00\x00\x04\x00\x04\xc0\x00\x02\x01",
                    41 => b"",
                    _ => target,
                };
                octets.extend_from_slice(owner);
                octets.extend_from_slice(&rtype.to_be_bytes());
                octets.extend_from_slice(&class.to_be_bytes());
                octets.extend_from_slice(&[number, 0, 0, 60, 0, data.len() as u8]);
                octets.extend_from_slice(data);
            }
            // Half of them are whole.
            octets.truncate(if cut < 200 { octets.len() } else { cut - 190 });
            let Step::Done(message, _) = message(&octets) else {
                return Ok(());
            };
            let mut walk = message.walk();
            let Some(question) = walk.question() else {
                return Ok(());
            };
            let (mut one, mut several) = (empty(), empty());
            let rcode = of_one(&mut one, &message, walk, question.name);
            prop_assert_eq!(rcode, by_several_passes(&mut several, &message, question.name));
            prop_assert_eq!(one, several);
        }
    }
}
