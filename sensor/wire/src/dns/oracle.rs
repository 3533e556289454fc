//! The differential test: what the crate `dns-parser` makes of a message, the walker makes of it too.

use std::collections::HashMap;
use std::net::IpAddr;

use dns_parser::{Packet, RData, Type};
use proptest::prelude::*;

use super::{Data, Ending, Message, Name, Record, Section, message};
use crate::Step;

/// A message, rich in pointers and in types that both know.
pub(super) fn messages() -> impl Strategy<Value = Vec<u8>> {
    let label = prop::sample::select(vec!["www", "a", "example", "com", "xn--mnich-kva", "_tcp"]);
    let name = prop::collection::vec(label, 0..5);
    let qtype = prop::sample::select(vec![1_u16, 2, 5, 6, 10, 12, 15, 16, 28, 33, 252, 255]);
    let question = (name.clone(), qtype);
    let rtype = prop::sample::select(vec![1_u16, 2, 5, 6, 10, 12, 15, 16, 28, 33]);
    let data = prop::collection::vec(any::<u8>(), 0..12);
    let record = (name.clone(), rtype, any::<u32>(), name, data);
    (
        any::<u16>(),
        // Z stays clear: the crate refuses it.
        any::<u16>().prop_map(|flags| flags & !0x0040),
        prop::collection::vec(question, 0..3),
        prop::collection::vec((0..3_u8, record), 0..8),
    )
        .prop_map(|(id, flags, questions, mut records)| {
            records.sort_by_key(|(section, _)| *section);
            let count = |section| records.iter().filter(|(s, _)| *s == section).count();
            let mut out = Builder::default();
            for number in [
                usize::from(id),
                usize::from(flags),
                questions.len(),
                count(0),
                count(1),
                count(2),
            ] {
                out.number(u16::try_from(number).unwrap());
            }
            for (name, qtype) in questions {
                out.name(&name);
                out.number(qtype);
                out.number(1);
            }
            for (_, (owner, rtype, ttl, target, data)) in records {
                out.record(&owner, rtype, ttl, &target, &data);
            }
            out.octets
        })
}

#[derive(Default)]
struct Builder {
    octets: Vec<u8>,
    known: HashMap<Vec<String>, u16>,
}

impl Builder {
    fn number(&mut self, number: u16) {
        self.octets.extend_from_slice(&number.to_be_bytes());
    }

    /// Compressed wherever a suffix was written before.
    fn name(&mut self, labels: &[&str]) {
        for (index, label) in labels.iter().enumerate() {
            let suffix = labels[index..].iter().map(|l| (*l).to_owned()).collect();
            let here = u16::try_from(self.octets.len()).unwrap();
            if let Some(offset) = self.known.insert(suffix, here) {
                self.number(0xc000 | offset);
                return;
            }
            self.octets.push(u8::try_from(label.len()).unwrap());
            self.octets.extend_from_slice(label.as_bytes());
        }
        self.octets.push(0);
    }

    fn record(&mut self, owner: &[&str], rtype: u16, ttl: u32, target: &[&str], data: &[u8]) {
        self.name(owner);
        self.number(rtype);
        self.number(1);
        self.octets.extend_from_slice(&ttl.to_be_bytes());
        let place = self.octets.len();
        self.number(0);
        match rtype {
            1 => self.octets.extend_from_slice(&ttl.to_le_bytes()),
            28 => (0..4).for_each(|_| self.octets.extend_from_slice(&ttl.to_le_bytes())),
            2 | 5 | 12 => self.name(target),
            6 => {
                self.name(target);
                self.name(owner);
                self.octets.extend_from_slice(&[7; 20]);
            }
            15 => {
                self.number(10);
                self.name(target);
            }
            33 => {
                self.octets.extend_from_slice(&[0, 1, 0, 2, 1, 0xbb]);
                self.name(target);
            }
            16 => {
                self.octets.push(u8::try_from(data.len()).unwrap());
                self.octets.extend_from_slice(data);
            }
            _ => self.octets.extend_from_slice(data),
        }
        let length = u16::try_from(self.octets.len() - place - 2).unwrap();
        self.octets[place..place + 2].copy_from_slice(&length.to_be_bytes());
    }
}

/// The crate prints labels as they are, so only then can texts be compared.
fn is_plain(name: &Name<'_>) -> bool {
    name.labels().all(|label| {
        label
            .iter()
            .all(|octet| octet.is_ascii_graphic() && !matches!(octet, b'.' | b'\\'))
    })
}

fn same_name(ours: &Name<'_>, theirs: &dns_parser::Name<'_>) {
    if is_plain(ours) {
        // The crate writes an unwanted dot where a name ends in a pointer to the root.
        assert_eq!(ours.to_string(), theirs.to_string().trim_end_matches('.'));
    }
}

fn same_records(ours: &[Record<'_>], section: Section, theirs: &[dns_parser::ResourceRecord<'_>]) {
    let ours: Vec<_> = ours.iter().filter(|r| r.section == section).collect();
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        same_name(&ours.owner, &theirs.name);
        assert_eq!(ours.ttl(), theirs.ttl);
        assert_eq!(ours.class.without_multicast_bit().0, theirs.cls as u16);
        same_data(ours, &theirs.data);
    }
}

fn same_data(ours: &Record<'_>, theirs: &RData<'_>) {
    match (ours.data(), theirs) {
        (Data::Address(IpAddr::V4(ours)), RData::A(theirs)) => assert_eq!(ours, theirs.0),
        (Data::Address(IpAddr::V6(ours)), RData::AAAA(theirs)) => assert_eq!(ours, theirs.0),
        (Data::Name(ours), RData::CNAME(theirs)) => same_name(&ours, &theirs.0),
        (Data::Name(ours), RData::NS(theirs)) => same_name(&ours, &theirs.0),
        (Data::Name(ours), RData::PTR(theirs)) => same_name(&ours, &theirs.0),
        (Data::Name(ours), RData::SOA(theirs)) => same_name(&ours, &theirs.primary_ns),
        (
            Data::MailExchange {
                preference,
                exchange,
            },
            RData::MX(theirs),
        ) => {
            assert_eq!(preference, theirs.preference);
            same_name(&exchange, &theirs.exchange);
        }
        (
            Data::Server {
                priority,
                weight,
                port,
                target,
            },
            RData::SRV(theirs),
        ) => {
            assert_eq!(
                (priority, weight, port),
                (theirs.priority, theirs.weight, theirs.port)
            );
            same_name(&target, &theirs.target);
        }
        (Data::Text(ours), RData::TXT(theirs)) => assert!(ours.strings().eq(theirs.iter())),
        // The crate reads names to the end of the message and lets the first pointer of a name lead forward.
        (Data::Other, _) => {}
        (ours, theirs) => panic!("{ours:?} against {theirs:?}"),
    }
}

/// Where the crate accepts a whole message, the walker gives the same, or has one of two reasons not to.
fn check(octets: &[u8]) -> bool {
    let Ok(theirs) = Packet::parse(octets) else {
        return false;
    };
    let Step::Done(ours, _) = message(octets) else {
        panic!("no header");
    };
    let mut walk = ours.walk();
    let questions: Vec<_> = std::iter::from_fn(|| walk.question()).collect();
    let records: Vec<_> = std::iter::from_fn(|| walk.record()).collect();
    match walk.ending() {
        Ending::Whole(used) => assert!(used <= octets.len()),
        Ending::Fault("name longer than 255 octets" | "name with a pointer not backward") => {
            return false;
        }
        other => panic!("{other:?}"),
    }
    same_header(&ours, &theirs.header);
    assert_eq!(questions.len(), theirs.questions.len());
    for (ours, theirs) in questions.iter().zip(&theirs.questions) {
        same_name(&ours.name, &theirs.qname);
        assert_eq!(ours.qtype.0, theirs.qtype as u16);
        assert_eq!(ours.class.without_multicast_bit().0, theirs.qclass as u16);
    }
    same_records(&records, Section::Answer, &theirs.answers);
    same_records(&records, Section::Authority, &theirs.nameservers);
    let additional: Vec<_> = records
        .into_iter()
        .filter(|record| theirs.opt.is_none() || record.rtype.0 != Type::OPT as u16)
        .collect();
    same_records(&additional, Section::Additional, &theirs.additional);
    true
}

fn same_header(ours: &Message<'_>, theirs: &dns_parser::Header) {
    let ours = ours.header;
    assert_eq!(
        (
            ours.id,
            !ours.is_response(),
            u16::from(ours.opcode().0),
            ours.is_authoritative(),
            ours.is_truncated(),
            ours.recursion_desired(),
            ours.recursion_available(),
            ours.authentic_data(),
            ours.checking_disabled(),
            ours.rcode(),
            ours.counts,
        ),
        (
            theirs.id,
            theirs.query,
            theirs.opcode.into(),
            theirs.authoritative,
            theirs.truncated,
            theirs.recursion_desired,
            theirs.recursion_available,
            theirs.authenticated_data,
            theirs.checking_disabled,
            theirs.response_code.into(),
            [
                theirs.questions,
                theirs.answers,
                theirs.nameservers,
                theirs.additional
            ],
        )
    );
}

#[test]
fn agrees_with_the_crate_on_a_plain_answer() {
    assert!(check(
        b"\x9d\xe9\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00\
          \x06google\x03com\x00\x00\x01\x00\x01\
          \xc0\x0c\x00\x05\x00\x01\x00\x00\x00\xef\x00\x04\x01x\xc0\x13\
          \xc0\x28\x00\x01\x00\x01\x00\x00\x00\xef\x00\x04@\xe9\xa4d"
    ));
}

proptest! {
    #[test]
    fn the_fuzz_body_holds(octets in messages(), random: Vec<u8>) {
        crate::fuzzing::dns(&octets);
        crate::fuzzing::dns(&random);
        let framed = [&u16::try_from(octets.len()).unwrap().to_be_bytes()[..], &octets, &random];
        crate::fuzzing::dns(&framed.concat());
    }

    #[test]
    fn agrees_with_the_crate_on_whole_messages(octets in messages()) {
        prop_assert!(check(&octets), "the crate refuses {octets:?}");
    }

    #[test]
    fn agrees_with_the_crate_on_damaged_messages(
        octets in messages(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut octets = octets;
        for (place, octet) in damage {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        check(&octets);
    }
}
