//! A message: its header, and what stands behind it (RFC 1035, section 4).

use super::name::Name;
use super::registry::{Class, RcodeName, TypeName};
use super::walk::Walk;
use crate::{Reader, Step};

/// A message with a whole header. What follows the header is read only by a [`Walk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The header.
    pub header: Header,
    octets: &'a [u8],
}

/// The first 12 octets (RFC 1035, section 4.1.1; AD and CD: RFC 4035, section 3.1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Ties an answer to its question.
    pub id: u16,
    flags: u16,
    /// How many questions, answer, authority and additional records the sender claims, in this order.
    pub counts: [u16; 4],
}

impl Header {
    /// Octets of a header.
    pub const LENGTH: usize = 12;

    /// Reads a header; none from fewer than [`Header::LENGTH`] octets.
    #[must_use]
    pub fn read(octets: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(octets);
        Some(Self {
            id: reader.u16_be()?,
            flags: reader.u16_be()?,
            counts: [
                reader.u16_be()?,
                reader.u16_be()?,
                reader.u16_be()?,
                reader.u16_be()?,
            ],
        })
    }

    /// QR: an answer, not a question.
    #[must_use]
    pub fn is_response(self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// What is asked for.
    #[must_use]
    pub fn opcode(self) -> Opcode {
        Opcode(u8::try_from(self.flags >> 11 & 0x0f).unwrap_or_default())
    }

    /// AA: the answering server has authority over the name.
    #[must_use]
    pub fn is_authoritative(self) -> bool {
        self.flags & 0x0400 != 0
    }

    /// TC: the answer did not fit.
    #[must_use]
    pub fn is_truncated(self) -> bool {
        self.flags & 0x0200 != 0
    }

    /// RD: the server shall ask on.
    #[must_use]
    pub fn recursion_desired(self) -> bool {
        self.flags & 0x0100 != 0
    }

    /// RA: the server asks on for this client.
    #[must_use]
    pub fn recursion_available(self) -> bool {
        self.flags & 0x0080 != 0
    }

    /// Z: reserved, to be zero.
    #[must_use]
    pub fn reserved(self) -> bool {
        self.flags & 0x0040 != 0
    }

    /// AD: the data are authentic by DNSSEC.
    #[must_use]
    pub fn authentic_data(self) -> bool {
        self.flags & 0x0020 != 0
    }

    /// CD: the client checks by itself.
    #[must_use]
    pub fn checking_disabled(self) -> bool {
        self.flags & 0x0010 != 0
    }

    /// The lower four bits of the response code. [`Message::rcode`] has all of them.
    #[must_use]
    pub fn rcode(self) -> u8 {
        u8::try_from(self.flags & 0x000f).unwrap_or_default()
    }
}

/// What a message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Opcode(pub u8);

impl Opcode {
    /// A standard query.
    pub const QUERY: Self = Self(0);
    /// Which name has this address (RFC 1035, section 6.4; obsolete by RFC 3425).
    pub const INVERSE_QUERY: Self = Self(1);
    /// A server's status.
    pub const STATUS: Self = Self(2);
    /// A zone has changed (RFC 1996).
    pub const NOTIFY: Self = Self(4);
    /// Change a zone (RFC 2136).
    pub const UPDATE: Self = Self(5);
    /// Stateful operations (RFC 8490).
    pub const STATEFUL: Self = Self(6);
}

/// A question. In an update it is the zone (RFC 2136, section 2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question<'a> {
    /// The name asked for.
    pub name: Name<'a>,
    /// The type asked for.
    pub qtype: TypeName,
    /// The class asked for; [`Class::RESERVED`] where the message ends within it.
    pub class: Class,
}

impl Question<'_> {
    /// Whether it makes sense: a class of the registry, or else a name such as people use. In damaged messages and in
    /// what is no DNS neither holds as a rule.
    #[must_use]
    pub fn is_plausible(&self) -> bool {
        self.class.is_registered() || self.has_usual_name()
    }

    /// A name of two labels or more, of the characters that host and service names are made of.
    pub(super) fn has_usual_name(&self) -> bool {
        let usual = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        self.name.labels().all(|label| label.iter().all(usual))
            && self.name.labels().nth(1).is_some()
    }
}

/// A resource record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where it stands.
    pub section: Section,
    /// The name it belongs to.
    pub owner: Name<'a>,
    /// Its type.
    pub rtype: TypeName,
    /// Its class; the sender's datagram size in an OPT record.
    pub class: Class,
    /// Time to live in seconds, as sent; [`Record::ttl`] reads it.
    pub raw_ttl: u32,
    /// Its data, as sent.
    pub octets: &'a [u8],
    /// The message, and where in it the data start: names within the data may point to what is before them.
    pub(super) message: &'a [u8],
    pub(super) at: usize,
}

impl Record<'_> {
    /// Time to live in seconds. With the highest bit set it is 0 (RFC 2181, section 8).
    #[must_use]
    pub fn ttl(&self) -> u32 {
        ttl_of(self.raw_ttl)
    }

    /// What an OPT record says; none of other types.
    #[must_use]
    pub fn edns(&self) -> Option<Edns> {
        let [extended_rcode, version, high, low] = self.raw_ttl.to_be_bytes();
        (self.rtype == TypeName::OPT).then_some(Edns {
            datagram_size: self.class.0,
            extended_rcode,
            version,
            flags: u16::from_be_bytes([high, low]),
        })
    }
}

/// Time to live in seconds. With the highest bit set it is 0 (RFC 2181, section 8).
pub(super) fn ttl_of(raw: u32) -> u32 {
    i32::try_from(raw).map_or(0, |_| raw)
}

/// The header of EDNS (RFC 6891, section 6.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edns {
    /// Octets of a datagram that its sender takes.
    pub datagram_size: u16,
    /// The upper eight bits of the response code.
    pub extended_rcode: u8,
    /// 0 in all messages so far.
    pub version: u8,
    /// The highest bit is DO: DNSSEC is understood.
    pub flags: u16,
}

impl Edns {
    /// The response code whose lower four bits the header has.
    #[must_use]
    pub fn rcode(self, low: u16) -> u16 {
        u16::from(self.extended_rcode) << 4 | low
    }
}

/// The parts of a message, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Questions.
    Question,
    /// Answers. In an update: what must hold.
    Answer,
    /// Authority. In an update: what is to change.
    Authority,
    /// Additional records.
    Additional,
}

/// How a walk over a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It is still under way.
    UnderWay,
    /// Every count of the header was met; so many octets were read, more may follow.
    Whole(usize),
    /// The octets end where the header claims more.
    Cut,
    /// Octets that no message has.
    Fault(&'static str),
}

/// Reads a datagram, or the octets of a TCP frame.
///
/// Whatever follows the header belongs to the message, so all octets are taken.
#[must_use]
pub fn message(octets: &[u8]) -> Step<Message<'_>> {
    match Header::read(octets) {
        Some(header) => Step::Done(Message { header, octets }, octets.len()),
        None => Step::NeedMore(Header::LENGTH - octets.len()),
    }
}

impl<'a> Message<'a> {
    /// All octets of the message, and what may follow it in its datagram.
    #[must_use]
    pub fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// Starts at the first question.
    #[must_use]
    pub fn walk(&self) -> Walk<'a> {
        Walk::new(self.octets, self.header.counts)
    }

    /// The response code with the upper bits of EDNS, where an OPT record can be read.
    #[must_use]
    pub fn rcode(&self) -> RcodeName {
        let low = u16::from(self.header.rcode());
        let [.., additional] = self.header.counts;
        if additional == 0 {
            return RcodeName(low);
        }
        let mut walk = self.walk();
        let mut edns = None;
        while let (None, Some(record)) = (edns, walk.record()) {
            edns = record.edns();
        }
        RcodeName(edns.map_or(low, |edns| edns.rcode(low)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_same_however_cut;

    fn read(octets: &[u8]) -> Message<'_> {
        match message(octets) {
            Step::Done(message, used) => {
                assert_eq!(used, octets.len());
                message
            }
            other => panic!("{other:?}"),
        }
    }

    /// An answer to `www.example.com` HTTPS: a CNAME, an address, and EDNS with BADVERS.
    const ANSWER: &[u8] = &[
        0x12, 0x34, // id
        0x85, 0xb0, // QR, AA, RD, RA, AD, CD
        0, 1, 0, 2, 0, 0, 0, 1, // counts
        3, b'w', b'w', b'w', 7, b'E', b'x', b'a', b'm', b'p', b'l', b'e', 3, b'c', b'o', b'm', 0,
        0, 65, 0, 1, // HTTPS IN
        0xc0, 0x0c, 0, 5, 0, 1, // CNAME IN
        0, 0, 1, 0, 0, 2, 0xc0, 0x10, // time to live 256, `Example.com`
        0xc0, 0x10, 0, 1, 0, 1, // A IN
        0x80, 0, 0, 1, 0, 4, 192, 0, 2, 1, // time to live beyond 31 bits
        0, 0, 41, 0x04, 0xd0, // OPT, datagrams of 1232 octets
        1, 0, 0x80, 0, 0, 0, // upper octet of the response code, version, DO
    ];

    #[test]
    fn reads_every_field_of_an_answer() {
        let message = read(ANSWER);
        let header = message.header;
        assert_eq!(header.id, 0x1234);
        assert!(header.is_response() && header.is_authoritative() && !header.is_truncated());
        assert!(header.recursion_desired() && header.recursion_available());
        assert!(!header.reserved() && header.authentic_data() && header.checking_disabled());
        assert_eq!((header.opcode(), header.rcode()), (Opcode::QUERY, 0));
        assert_eq!(message.rcode(), RcodeName(16));

        let mut walk = message.walk();
        let question = walk.question().unwrap();
        assert_eq!(question.name.to_string(), "www.Example.com");
        assert_eq!(
            (question.qtype, question.class),
            (TypeName::HTTPS, Class::IN)
        );
        assert_eq!(walk.question(), None);
        let alias = walk.answer().unwrap();
        assert_eq!((alias.owner, alias.rtype), (question.name, TypeName::CNAME));
        assert_eq!(alias.raw_ttl, 256);
        let address = walk.answer().unwrap();
        assert_eq!(address.owner.to_string(), "Example.com");
        assert_eq!(address.ttl(), 0);
        assert_eq!(walk.answer(), None);
        let edns = walk.record().unwrap().edns().unwrap();
        assert_eq!((edns.datagram_size, edns.version), (1232, 0));
        assert_eq!(edns.flags, 0x8000);
        assert_eq!(walk.record(), None);
        assert_eq!(walk.ending(), Ending::Whole(ANSWER.len()));
    }

    #[test]
    fn a_question_counts_even_where_its_answers_are_cut() {
        let mut walk = read(&ANSWER[..40]).walk();
        assert!(walk.question().is_some());
        assert_eq!(walk.record(), None);
        assert_eq!(walk.ending(), Ending::Cut);
        assert_eq!(walk.record(), None);
    }

    #[test]
    fn a_question_counts_without_its_class() {
        for cut in 31..33 {
            let mut walk = read(&ANSWER[..cut]).walk();
            let question = walk.question().unwrap();
            assert_eq!(question.class, Class::RESERVED);
            assert!(question.is_plausible());
            assert_eq!((walk.question(), walk.ending()), (None, Ending::Cut));
        }
        assert_eq!(read(&ANSWER[..30]).walk().question(), None);
    }

    #[test]
    fn hands_out_what_stands_before_the_fault() {
        let mut octets = ANSWER.to_vec();
        // The second record's owner becomes a pointer to itself.
        octets[47..49].copy_from_slice(&[0xc0, 47]);
        let mut walk = read(&octets).walk();
        assert_eq!(walk.answer().map(|r| r.rtype), Some(TypeName::CNAME));
        assert_eq!(walk.answer(), None);
        assert_eq!(
            walk.ending(),
            Ending::Fault("name with a pointer not backward")
        );
    }

    #[test]
    fn counts_that_lie_end_where_the_octets_do() {
        let mut octets = ANSWER.to_vec();
        octets[4..12].fill(0xff);
        let mut walk = read(&octets).walk();
        let questions = std::iter::from_fn(|| walk.question()).count();
        assert!(questions <= octets.len() / 5);
        assert_eq!(walk.record(), None);
        assert_ne!(walk.ending(), Ending::UnderWay);
    }

    #[test]
    fn junk_behind_the_message_is_told_by_the_length() {
        let octets = [ANSWER, b"junk"].concat();
        let mut walk = read(&octets).walk();
        while walk.record().is_some() {}
        assert_eq!(walk.ending(), Ending::Whole(ANSWER.len()));
    }

    #[test]
    fn a_header_is_the_same_however_cut() {
        // The message borrows what it is shown, so the header alone is compared.
        assert_same_however_cut(
            |octets| match message(octets) {
                Step::Done(message, _) => Step::Done(message.header, Header::LENGTH),
                Step::NeedMore(missing) => Step::NeedMore(missing),
                Step::NotThisProtocol(why) => Step::NotThisProtocol(why),
            },
            ANSWER,
        );
    }
}
