//! Whether octets are DNS, by themselves.

use super::message::{Ending, Header, Message, Opcode, message};
use super::registry::{Class, TypeName};
use super::walk::Walk;
use crate::{Reader, Step};

/// How much is asked of octets to be DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// On any port, where the octets alone must convince: one question of a registered type and class for a name that
    /// people use, a header without contradiction, and nothing else in the datagram.
    Strict,
    /// On the ports of name services, where most is DNS and a malformed message is worth seeing: a header and a first
    /// question or record that can be read.
    Lenient,
}

/// Whether a datagram is DNS.
#[must_use]
pub fn datagram(octets: &[u8], manner: Manner) -> bool {
    if manner == Manner::Strict && !asks_one(octets) {
        return false;
    }
    let Step::Done(message, _) = message(octets) else {
        return false;
    };
    match manner {
        Manner::Strict => {
            header_is_consistent(message.header, octets.len())
                && question_is_usual(&mut message.walk()) == Some(true)
                && read_to_the_end(&message)
        }
        Manner::Lenient => first_entry_is_plausible(&message, Part::All) == Some(true),
    }
}

/// Whether what one side of a TCP connection sent first is DNS: a length, then a message. The length and the header are
/// counted as taken.
#[must_use]
pub fn stream(octets: &[u8], manner: Manner) -> Step<()> {
    let mut reader = Reader::new(octets);
    let Some(length) = reader.u16_be().map(usize::from) else {
        return Step::NeedMore(2 - octets.len());
    };
    if length < Header::LENGTH {
        return Step::NotThisProtocol("DNS frame shorter than a header");
    }
    let shown = reader.rest();
    let shown = shown.get(..length).unwrap_or(shown);
    if manner == Manner::Strict && shown.len() >= Header::LENGTH && !asks_one(shown) {
        return Step::NotThisProtocol("no DNS message");
    }
    let Step::Done(message, _) = message(shown) else {
        return Step::NeedMore(Header::LENGTH - shown.len());
    };
    let part = if shown.len() < length {
        Part::Start
    } else {
        Part::All
    };
    let verdict = match manner {
        Manner::Strict if !header_is_consistent(message.header, length) => Some(false),
        Manner::Strict => question_is_usual(&mut message.walk()),
        Manner::Lenient => first_entry_is_plausible(&message, part),
    };
    match verdict {
        Some(true) => Step::Done((), 2 + Header::LENGTH),
        None if part == Part::Start => Step::NeedMore(1),
        _ => Step::NotThisProtocol("no DNS message"),
    }
}

/// Whether a header has the opcode of a query and counts one question: most of what is no DNS ends here, and costs nothing
/// more.
fn asks_one(message: &[u8]) -> bool {
    matches!(message, [_, _, flags, _, 0, 1, ..] if flags & 0x78 == 0)
}

/// A header of a standard query or of its answer whose counts the length can hold.
fn header_is_consistent(header: Header, length: usize) -> bool {
    let [questions, answers, authority, additional] = header.counts;
    // The shortest record: the root, type, class, time to live, no data.
    let records = usize::from(answers) + usize::from(authority) + usize::from(additional);
    let fits = Header::LENGTH + 5 + records * 11 <= length;
    // EDNS and a signature follow a query at most. The response code of a query is zero, as are AA and TC; but RA, AD and
    // CD are met.
    let query = answers == 0
        && authority == 0
        && additional <= 2
        && header.rcode() == 0
        && !header.is_authoritative()
        && !header.is_truncated();
    header.opcode() == Opcode::QUERY
        && !header.reserved()
        && questions == 1
        && fits
        && (header.is_response() || query)
}

/// Whether the question is one that people ask; none where it is cut.
fn question_is_usual(walk: &mut Walk<'_>) -> Option<bool> {
    let question = walk.question();
    if walk.ending() == Ending::Cut {
        return None;
    }
    // The root is looked up by resolvers that ask for its servers.
    Some(question.is_some_and(|question| {
        matches!(question.class, Class::IN | Class::CH | Class::ANY)
            && question.qtype.mnemonic().is_some()
            && (question.has_usual_name()
                || question.name.is_root()
                    && matches!(
                        question.qtype,
                        TypeName::NS | TypeName::SOA | TypeName::DNSKEY
                    ))
    }))
}

fn read_to_the_end(message: &Message<'_>) -> bool {
    let mut walk = message.walk();
    while walk.record().is_some() {}
    walk.ending() == Ending::Whole(message.octets().len())
}

/// Whether the first question, or the first record where there is no question, makes sense; none where it is cut.
fn first_entry_is_plausible(message: &Message<'_>, part: Part) -> Option<bool> {
    let header = message.header;
    if header.opcode().0 > Opcode::STATEFUL.0 {
        return Some(false);
    }
    if header.counts == [0; 4] {
        // A refusal may be no more than a header. Octets behind it are the padding of its frame.
        return Some(header.is_response());
    }
    let mut walk = message.walk();
    let plausible = match walk.question() {
        Some(question) => Some(question.is_plausible()),
        // In an OPT record the class is a size.
        None => walk
            .record()
            .map(|record| record.rtype == TypeName::OPT || record.class.is_registered()),
    };
    match (walk.ending(), part) {
        (Ending::Cut, Part::Start) => None,
        _ => Some(plausible.unwrap_or(false)),
    }
}

/// How much of a message there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// As much as there will ever be.
    All,
    /// Its start; more may come.
    Start,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::assert_same_however_cut;

    const QUERY: &[u8] = b"\x1a\x2b\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\
        \x03www\x07example\x03com\x00\x00\x41\x00\x01\
        \x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";
    const ANSWER: &[u8] = b"\x1a\x2b\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\
        \x03www\x07example\x03com\x00\x00\x01\x00\x01\
        \xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01";

    fn framed(message: &[u8]) -> Vec<u8> {
        let mut octets = u16::try_from(message.len()).unwrap().to_be_bytes().to_vec();
        octets.extend_from_slice(message);
        octets
    }

    fn changed(at: usize, to: u8) -> Vec<u8> {
        let mut octets = QUERY.to_vec();
        octets[at] = to;
        octets
    }

    #[test]
    fn knows_queries_and_answers_on_any_port() {
        for message in [QUERY, ANSWER] {
            assert!(datagram(message, Manner::Strict));
            assert!(datagram(message, Manner::Lenient));
            assert!(matches!(
                stream(&framed(message), Manner::Strict),
                Step::Done(..)
            ));
        }
    }

    #[test]
    fn the_octets_before_a_cut_never_contradict_the_rest() {
        for manner in [Manner::Strict, Manner::Lenient] {
            for message in [QUERY, ANSWER, &changed(12, 0xc0), &changed(2, 0x7f)] {
                assert_same_however_cut(|octets| stream(octets, manner), &framed(message));
            }
        }
    }

    #[test]
    fn off_its_ports_a_message_must_be_without_contradiction() {
        // opcode, Z, a response code, two questions, an answer, a type, a class, a character, a label that is too long
        for (at, to) in [
            (2, 0x29),
            (3, 0x40),
            (3, 0x03),
            (5, 2),
            (7, 1),
            (30, 0x36),
            (32, 0x07),
            (13, 0xff),
            (12, 63),
        ] {
            assert!(!datagram(&changed(at, to), Manner::Strict), "octet {at}");
        }
        assert!(!datagram(&[QUERY, b"x"].concat(), Manner::Strict));
        assert!(!datagram(&QUERY[..QUERY.len() - 1], Manner::Strict));
    }

    #[test]
    fn a_netbios_name_query_is_no_dns() {
        // Name service on port 137: broadcast, NB (32), an encoded name of 32 letters without a dot.
        let query = b"\x80\x10\x01\x10\x00\x01\x00\x00\x00\x00\x00\x00\
            \x20EKEFEMEMEJCACACACACACACACACACAAA\x00\x00\x20\x00\x01";
        assert!(!datagram(query, Manner::Strict));
    }

    #[test]
    fn other_traffic_is_no_dns() {
        // STUN binding request (RFC 8489), QUIC Initial, RTP, WireGuard initiation, SNMP on port 53.
        let stun =
            b"\x00\x01\x00\x00\x21\x12\xa4\x42\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c";
        let quic =
            b"\xc3\x00\x00\x00\x01\x08\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00\x44\x9e\x11\x22";
        let rtp =
            b"\x80\x00\x00\x01\x00\x00\x00\xa0\x12\x34\x56\x78\xff\xff\xff\xff\xff\xff\xff\xff";
        let wireguard =
            b"\x01\x00\x00\x00\x2a\x51\x9b\x03\x6f\x8a\x90\x12\x3c\xd5\x77\x01\xee\x42\x16\x99";
        let snmp = b"\x30\x40\x02\x01\x03\x30\x0f\x02\x03\x00\x91\xc8\x02\x02\x05\xdc\x04\x01\x04\x02\x01\x03\x04\x15\x30\x13\x04\x00\x02\x01\x00";
        for octets in [
            &stun[..],
            quic,
            rtp,
            wireguard,
            snmp,
            b"",
            &[0; 12],
            &[0; 64],
        ] {
            assert!(!datagram(octets, Manner::Strict), "{octets:?}");
            assert!(!datagram(octets, Manner::Lenient), "{octets:?}");
        }
    }

    #[test]
    fn on_its_ports_malformed_messages_count() {
        // A bare refusal, padded; an inverse query; counts that lie; a cut answer; an odd octet in the name.
        let refusal = b"\x30\x40\x80\x81\x00\x00\x00\x00\x00\x00\x00\x00 send_";
        let inverse = b"\x77\xfc\x09\x00\x00\x00\x00\x01\x00\x00\x00\x00\
            \x03216\x0258\x03202\x014\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00";
        for octets in [
            &refusal[..],
            inverse,
            &changed(4, 0xff),
            &ANSWER[..40],
            &changed(14, 0xff),
        ] {
            assert!(datagram(octets, Manner::Lenient), "{octets:?}");
            assert!(!datagram(octets, Manner::Strict), "{octets:?}");
        }
    }

    #[test]
    fn the_start_of_other_protocols_is_no_frame() {
        for octets in [
            &b"SSH-2.0-OpenSSH_9.6\r\n"[..],
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"RFB 003.008\n\0\0\0\0",
            b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x01\x02\x03\x04",
        ] {
            assert!(matches!(
                stream(octets, Manner::Strict),
                Step::NotThisProtocol(_)
            ));
        }
    }

    proptest! {
        #[test]
        fn random_octets_are_never_dns(octets in prop::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(!datagram(&octets, Manner::Strict));
            prop_assert!(!matches!(stream(&octets, Manner::Strict), Step::Done(..)));
        }
    }
}
