//! The name service (RFC 1002, section 4.2).

use std::net::Ipv4Addr;

use super::{Name, name};
use crate::{Reader, Step};

/// A message of the name service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameMessage {
    /// Ties an answer to its question.
    pub transaction: u16,
    /// What is asked or said.
    pub operation: Operation,
    /// Whether it is an answer.
    pub is_response: bool,
    /// The response code; 0 is no error.
    pub code: u8,
    /// The name in question.
    pub name: Name,
    /// Who has the name, or in a node status the names of the sender; [`MAX_NAMES`] at most.
    pub owners: Vec<Owner>,
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Who has this name?
    Query,
    /// Which names do you have?
    Status,
    /// This name is mine.
    Registration,
    /// This name is mine no more.
    Release,
    /// Wait.
    Wait,
    /// This name is still mine.
    Refresh,
}

impl Operation {
    /// As records write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Status => "status",
            Self::Registration => "registration",
            Self::Release => "release",
            Self::Wait => "wait",
            Self::Refresh => "refresh",
        }
    }
}

/// An owner of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The name.
    pub name: Name,
    /// Whether it is a group's name, which many hosts have.
    pub is_group: bool,
    /// The owner's address; `None` in a node status, where it is the sender.
    pub address: Option<Ipv4Addr>,
}

/// Reads a datagram.
#[must_use]
pub fn name_message(input: &[u8]) -> Step<NameMessage> {
    read(input).map_or(
        Step::NotThisProtocol("no NetBIOS name service message"),
        |message| Step::Done(message, input.len()),
    )
}

fn read(input: &[u8]) -> Option<NameMessage> {
    let mut reader = Reader::new(input);
    let transaction = reader.u16_be()?;
    let flags = reader.u16_be()?;
    let is_response = flags & 0x8000 != 0;
    let operation = match (flags >> 11) & 0x0f {
        0 => Operation::Query,
        5 => Operation::Registration,
        6 => Operation::Release,
        7 => Operation::Wait,
        // Section 4.2.4 says 8, section 4.2.1.1 says 9: both are met.
        8 | 9 => Operation::Refresh,
        _ => return None,
    };
    let questions = reader.u16_be()?;
    let answers = reader.u16_be()?;
    let authorities = reader.u16_be()?;
    let additional = reader.u16_be()?;
    // One question or one record of an answer, never more (sections 4.2.2 to 4.2.18).
    if questions > 1 || answers > 1 || authorities > 1 || additional > 1 {
        return None;
    }
    let mut message = NameMessage {
        transaction,
        operation,
        is_response,
        code: (flags & 0x0f) as u8,
        name: name(&mut reader)?,
        owners: Vec::new(),
    };
    if questions == 1 {
        let kind = reader.u16_be()?;
        if !matches!(kind, NB | NBSTAT) || reader.u16_be()? != INTERNET {
            return None;
        }
        if kind == NBSTAT {
            message.operation = Operation::Status;
        }
        if additional == 0 {
            return Some(message);
        }
        // The name of the record points back to the question's, or is written out again.
        if reader.rest().first()? & 0xc0 == 0xc0 {
            reader.take(2)?;
        } else {
            name(&mut reader)?;
        }
    } else if answers == 0 {
        return None;
    }
    let kind = reader.u16_be()?;
    let class = reader.u16_be()?;
    if class != INTERNET || !matches!(kind, NB | NBSTAT | NULL) {
        return None;
    }
    reader.take(4)?; // time to live
    let length = usize::from(reader.u16_be()?);
    let mut data = Reader::new(
        reader
            .rest()
            .get(..length.min(reader.left()))
            .unwrap_or_default(),
    );
    match kind {
        NB => owners(&mut data, &mut message),
        NBSTAT => {
            message.operation = Operation::Status;
            names_of_node(&mut data, &mut message);
        }
        _ => {}
    }
    Some(message)
}

/// Flags and address of each owner (section 4.2.13).
fn owners(data: &mut Reader<'_>, message: &mut NameMessage) {
    while message.owners.len() < MAX_NAMES {
        let (Some(flags), Some(address)) = (data.u16_be(), data.take_array::<4>()) else {
            return;
        };
        message.owners.push(Owner {
            name: message.name,
            is_group: flags & GROUP != 0,
            address: Some(Ipv4Addr::from(address)),
        });
    }
}

/// A count, then 16 octets and flags each (section 4.2.18).
fn names_of_node(data: &mut Reader<'_>, message: &mut NameMessage) {
    let count = data.u8().map_or(0, usize::from);
    for _ in 0..count.min(MAX_NAMES) {
        let (Some(octets), Some(flags)) = (data.take_array(), data.u16_be()) else {
            return;
        };
        message.owners.push(Owner {
            name: Name::new(octets),
            is_group: flags & GROUP != 0,
            address: None,
        });
    }
}

/// A node has a dozen names; a group of 25 is the largest that Windows answers with.
pub const MAX_NAMES: usize = 25;
const NB: u16 = 0x0020;
const NBSTAT: u16 = 0x0021;
const NULL: u16 = 0x000a;
const INTERNET: u16 = 1;
const GROUP: u16 = 0x8000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::name::tests::encoded;
    use super::*;

    fn header(flags: u16, counts: [u8; 4]) -> Vec<u8> {
        let mut octets = vec![0x12, 0x34];
        octets.extend(flags.to_be_bytes());
        counts.iter().for_each(|&count| octets.extend([0, count]));
        octets
    }

    fn whole(octets: &[u8]) -> NameMessage {
        match name_message(octets) {
            Step::Done(message, _) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_the_registration_of_a_host() {
        let mut octets = header(0x2910, [1, 0, 0, 1]);
        octets.extend(encoded("WS01", 0));
        octets.extend([0, 0x20, 0, 1]); // NB, internet
        octets.extend([0xc0, 0x0c, 0, 0x20, 0, 1, 0, 4, 0x93, 0xe0, 0, 6]); // the name again, its record
        octets.extend([0, 0, 10, 0, 0, 7]); // unique, B node; address
        let message = whole(&octets);
        assert_eq!(message.operation, Operation::Registration);
        assert!(!message.is_response);
        let owner = message.owners[0];
        assert_eq!(owner.name.as_host(), Some("WS01"));
        assert_eq!(owner.address, Some(Ipv4Addr::new(10, 0, 0, 7)));
        assert!(!owner.is_group);
    }

    #[test]
    fn reads_the_names_of_a_node() {
        let mut octets = header(0x8400, [0, 1, 0, 0]);
        octets.extend(encoded("*", 0));
        octets.extend([0, 0x21, 0, 1, 0, 0, 0, 0, 0, 55, 3]);
        for (name, suffix, flags) in [("WS01", 0, 4), ("CORP", 0, 0x84), ("WS01", 0x20, 4)] {
            let mut name: [u8; 16] = format!("{name:<16}").as_bytes().try_into().unwrap();
            name[15] = suffix;
            octets.extend(name);
            octets.extend([flags, 0]);
        }
        let message = whole(&octets);
        assert_eq!(message.operation, Operation::Status);
        let hosts: Vec<_> = message
            .owners
            .iter()
            .filter(|owner| !owner.is_group)
            .map(|owner| owner.name.to_string())
            .collect();
        assert_eq!(hosts, ["WS01", "WS01"]);
    }

    #[test]
    fn an_answer_that_is_cut_keeps_the_name_it_is_about() {
        let mut octets = header(0x8500, [0, 1, 0, 0]);
        octets.extend(encoded("SRV", 0x20));
        octets.extend([0, 0x20, 0, 1, 0, 0, 0, 60, 0, 12, 0, 0, 10, 0, 0, 9, 0]);
        let message = whole(&octets);
        assert_eq!(message.owners.len(), 1);
        assert_eq!(message.name.as_host(), Some("SRV"));
    }

    #[test]
    fn dns_is_no_name_service() {
        let mut octets = header(0x0100, [1, 0, 0, 0]);
        octets.extend(b"\x03www\x07example\x03com\x00\x00\x01\x00\x01");
        assert!(matches!(name_message(&octets), Step::NotThisProtocol(_)));
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(flags: u16, rest in prop::collection::vec(any::<u8>(), 0..120)) {
            let mut octets = header(flags, [1, 0, 0, 1]);
            octets.extend(encoded("A", 0));
            octets.extend(&rest);
            if let Step::Done(message, _) = name_message(&octets) {
                prop_assert!(message.owners.len() <= MAX_NAMES);
            }
            let _ = name_message(&rest);
        }
    }
}
