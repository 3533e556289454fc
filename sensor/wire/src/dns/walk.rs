//! The walk over the questions and records of a message (RFC 1035, section 4).

use std::net::IpAddr;

use super::message::{Ending, Header, Question, Record, Section, ttl_of};
use super::name::{Name, NameFault};
use super::registry::{Class, TypeName};

/// A cursor over the questions and records of a message. A clone goes on from the same place.
///
/// It stops at the first fault: [`Walk::ending`]. Each step takes at least 3 octets of the message, all but the last 5, so a header that lies
/// about its counts costs nothing.
#[derive(Debug, Clone)]
pub struct Walk<'a> {
    octets: &'a [u8],
    counts: [u16; 4],
    section: Section,
    /// How many the present section still has.
    left: u16,
    at: usize,
    ending: Ending,
}

impl<'a> Walk<'a> {
    /// At the first question of a message whose header says these counts.
    pub(super) fn new(octets: &'a [u8], counts: [u16; 4]) -> Self {
        let [questions, ..] = counts;
        Self {
            octets,
            counts,
            section: Section::Question,
            left: questions,
            at: Header::LENGTH,
            ending: Ending::UnderWay,
        }
    }

    /// The next question; none after the last.
    #[inline]
    pub fn question(&mut self) -> Option<Question<'a>> {
        if self.section != Section::Question {
            return None;
        }
        if self.left == 0 {
            // On to the records: what follows the last question must not be read as one more.
            self.settle();
            return None;
        }
        if !self.take_one() {
            return None;
        }
        let name = self.name()?;
        let qtype = TypeName(u16::from_be_bytes(*self.fixed()?));
        // Name and type are understood even where the message ends within the class.
        let class = self
            .fixed()
            .map_or(Class::RESERVED, |octets| Class(u16::from_be_bytes(*octets)));
        Some(Question { name, qtype, class })
    }

    /// The next record of any section; none after the last. Skips questions that were not read.
    #[inline]
    pub fn record(&mut self) -> Option<Record<'a>> {
        self.pass_questions();
        if !self.take_one() {
            return None;
        }
        let section = self.section;
        let owner = self.name()?;
        let &[t0, t1, c0, c1, l0, l1, l2, l3, n0, n1] = self.fixed()?;
        let at = self.at;
        let Some(octets) = self
            .octets
            .get(at..at + usize::from(u16::from_be_bytes([n0, n1])))
        else {
            self.ending = Ending::Cut;
            return None;
        };
        self.at += octets.len();
        Some(Record {
            section,
            owner,
            rtype: TypeName(u16::from_be_bytes([t0, t1])),
            class: Class(u16::from_be_bytes([c0, c1])),
            raw_ttl: u32::from_be_bytes([l0, l1, l2, l3]),
            octets,
            message: self.octets,
            at,
        })
    }

    /// The next record of the answer section; none after its last. Skips questions that were not read.
    #[inline]
    pub fn answer(&mut self) -> Option<Record<'a>> {
        self.enter_answers();
        if self.section != Section::Answer {
            return None;
        }
        self.record()
    }

    /// Goes on to the answer section, where there is one. Skips questions that were not read.
    #[inline]
    pub fn enter_answers(&mut self) {
        self.pass_questions();
        self.settle();
    }

    /// The next record of the answer section, where it is an address of `name` in the form that nearly all have: its owner a
    /// pointer to that name, its class that of the internet. With its time to live in seconds. None where it is any other, which
    /// is not taken.
    #[inline]
    pub fn plain_address(&mut self, name: &Name<'a>) -> Option<(IpAddr, u32)> {
        if self.section != Section::Answer || self.left == 0 || self.ending != Ending::UnderWay {
            return None;
        }
        let (head, data) = self.octets.get(self.at..)?.split_first_chunk()?;
        let &[p0, p1, t0, t1, c0, c1, l0, l1, l2, l3, n0, n1] = head;
        let target = usize::from(u16::from_be_bytes([p0 ^ 0xc0, p1]));
        if p0 & 0xc0 != 0xc0 || [c0, c1] != [0, 1] || !name.is_led_to(self.octets, self.at, target)
        {
            return None;
        }
        let address = match [t0, t1, n0, n1] {
            [0, 1, 0, 4] => IpAddr::from(*data.first_chunk::<4>()?),
            [0, 28, 0, 16] => IpAddr::from(*data.first_chunk::<16>()?),
            _ => return None,
        };
        self.at += head.len() + usize::from(n1);
        self.left -= 1;
        Some((address, ttl_of(u32::from_be_bytes([l0, l1, l2, l3]))))
    }

    #[inline]
    fn pass_questions(&mut self) {
        if self.section == Section::Question {
            while self.question().is_some() {}
        }
    }

    /// How the walk ended, if it has.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// Counts one entry of the present section, or of the next one that has any; false at the end of the message.
    #[inline]
    fn take_one(&mut self) -> bool {
        self.settle();
        if self.ending != Ending::UnderWay || self.left == 0 {
            return false;
        }
        self.left -= 1;
        true
    }

    /// Enters the next section that has entries left.
    #[inline]
    fn settle(&mut self) {
        let [_, answers, authority, additional] = self.counts;
        while self.left == 0 && self.ending == Ending::UnderWay {
            (self.section, self.left) = match self.section {
                Section::Question => (Section::Answer, answers),
                Section::Answer => (Section::Authority, authority),
                Section::Authority => (Section::Additional, additional),
                Section::Additional => {
                    self.ending = Ending::Whole(self.at);
                    return;
                }
            };
        }
    }

    #[inline]
    fn name(&mut self) -> Option<Name<'a>> {
        match Name::read(self.octets, self.at) {
            Ok((name, behind)) => {
                self.at = behind;
                Some(name)
            }
            Err(NameFault::Cut) => {
                self.ending = Ending::Cut;
                None
            }
            Err(fault) => {
                self.ending = Ending::Fault(fault.reason());
                None
            }
        }
    }

    /// Reads what has a fixed length; when it is cut, the walk ends.
    #[inline]
    fn fixed<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let octets = self
            .octets
            .get(self.at..)
            .and_then(|rest| rest.first_chunk());
        match octets {
            Some(_) => self.at += N,
            None => self.ending = Ending::Cut,
        }
        octets
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Step;
    use crate::dns::oracle::messages;
    use crate::dns::{Data, message};

    #[test]
    fn reads_plain_addresses_and_takes_nothing_else() {
        // `a.b` is `c.b`, which has two addresses; the second is of another class.
        let octets =
            b"\x00\x01\x80\x00\x00\x01\x00\x03\x00\x00\x00\x00\x01a\x01b\x00\x00\x01\x00\x01\
            \xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x04\x01c\xc0\x0e\
            \xc0\x21\x00\x01\x00\x01\x80\x00\x00\x3c\x00\x04\xc0\x00\x02\x01\
            \xc0\x21\x00\x01\x00\x03\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x02";
        let Step::Done(message, _) = message(octets) else {
            panic!("no message");
        };
        let mut walk = message.walk();
        let question = walk.question().unwrap();
        walk.enter_answers();
        assert_eq!(walk.plain_address(&question.name), None);
        let Some(Data::Name(alias)) = walk.answer().map(|record| record.data()) else {
            panic!("no alias");
        };
        assert_eq!(walk.plain_address(&question.name), None);
        let address = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(walk.plain_address(&alias), Some((address, 0)));
        assert_eq!(walk.plain_address(&alias), None);
        assert_eq!(walk.answer().map(|record| record.class), Some(Class::CH));
    }

    proptest! {
        #[test]
        fn a_plain_address_is_the_record_that_stands_there(
            octets in messages(),
            damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let mut octets = octets;
            if let Some((place, octet)) = damage {
                *place.get_mut(&mut octets) = octet;
            }
            let Step::Done(message, _) = message(&octets) else {
                return Ok(());
            };
            let mut walk = message.walk();
            let mut names: Vec<_> = std::iter::from_fn(|| walk.question()).map(|question| question.name).collect();
            loop {
                walk.enter_answers();
                for name in &names {
                    let (mut quick, mut slow) = (walk.clone(), walk.clone());
                    if let Some((address, ttl)) = quick.plain_address(name) {
                        let record = slow.answer().expect("a record");
                        prop_assert_eq!((record.owner, record.class, record.ttl()), (*name, Class::IN, ttl));
                        prop_assert!(matches!(record.data(), Data::Address(same) if same == address));
                        prop_assert_eq!((quick.at, quick.left, quick.ending), (slow.at, slow.left, slow.ending));
                    }
                }
                let Some(record) = walk.answer() else {
                    break;
                };
                names.push(record.owner);
                if let Data::Name(target) = record.data() {
                    names.push(target);
                }
            }
        }
    }
}
