//! DNS messages (RFC 1035).

use crate::chance::Chance;

/// The types that stub resolvers of today ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An IPv4 address.
    A = 1,
    /// Text.
    Txt = 16,
    /// An IPv6 address.
    Aaaa = 28,
    /// How to reach the name over HTTPS.
    Https = 65,
}

/// One question, as both messages carry it.
#[derive(Debug, Clone)]
pub struct Question {
    /// Identification of the transaction.
    pub id: u16,
    /// The name in its wire form, with the root.
    pub name: Vec<u8>,
    /// What is asked for.
    pub kind: Kind,
    /// Whether both sides speak EDNS.
    pub edns: bool,
}

impl Question {
    /// A question for a name.
    pub fn new(id: u16, name: &str, kind: Kind, edns: bool) -> Self {
        let mut wire = Vec::with_capacity(name.len() + 2);
        for label in name.split('.') {
            wire.push(label.len() as u8);
            wire.extend_from_slice(label.as_bytes());
        }
        wire.push(0);
        Self {
            id,
            name: wire,
            kind,
            edns,
        }
    }

    /// The query.
    pub fn query(&self) -> Vec<u8> {
        self.message(0x0100, 0, &[])
    }

    /// A reply, as resolvers of a mixed network give it: now and then the name does not exist or has no such record; some
    /// answers lead over an alias.
    pub fn reply(&self, chance: &mut Chance) -> Vec<u8> {
        if chance.permille(80) {
            return self.message(0x8183, 0, &[]);
        }
        let mut answers = Vec::new();
        let mut count = 0;
        match self.kind {
            Kind::A => {
                let mut owner = 0xc00c;
                if chance.permille(350) {
                    // An alias below the second label of the name.
                    let behind = 12 + 1 + u16::from(self.name[0]);
                    let mut alias = b"\x04edge\x03cdn".to_vec();
                    alias.extend_from_slice(&(0xc000 | behind).to_be_bytes());
                    record(&mut answers, owner, 5, 300, &alias);
                    count += 1;
                    owner = 0xc000 | (12 + self.name.len() as u16 + 4 + 12);
                }
                for _ in 0..1 + chance.below(3) {
                    let [third, fourth] = chance.array();
                    record(&mut answers, owner, 1, 60, &[198, 18, third, fourth]);
                    count += 1;
                }
            }
            Kind::Aaaa => {
                if chance.permille(600) {
                    let mut address = vec![0x20, 0x01, 0x0d, 0xb8, 0, 2];
                    chance.extend(&mut address, 10);
                    record(&mut answers, 0xc00c, 28, 300, &address);
                    count = 1;
                }
            }
            Kind::Https => {
                let parameters = b"\x00\x01\x00\x00\x01\x00\x03\x02h2";
                record(&mut answers, 0xc00c, 65, 300, parameters);
                count = 1;
            }
            Kind::Txt => return self.text_reply(&chance.octets(100)),
        }
        self.message(0x8180, count, &answers)
    }

    /// A reply with one text.
    pub(crate) fn text_reply(&self, text: &[u8]) -> Vec<u8> {
        let mut answer = Vec::new();
        let sized = [&[text.len() as u8][..], text].concat();
        record(&mut answer, 0xc00c, 16, 0, &sized);
        self.message(0x8180, 1, &answer)
    }

    fn message(&self, flags: u16, answers: u16, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(12 + self.name.len() + 4 + body.len() + 11);
        for word in [self.id, flags, 1, answers, 0, u16::from(self.edns)] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend_from_slice(&self.name);
        out.extend_from_slice(&(self.kind as u16).to_be_bytes());
        out.extend_from_slice(&[0, 1]);
        out.extend_from_slice(body);
        if self.edns {
            out.extend_from_slice(&[0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
        }
        out
    }
}

fn record(out: &mut Vec<u8>, owner: u16, kind: u16, ttl: u32, data: &[u8]) {
    out.extend_from_slice(&owner.to_be_bytes());
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&[0, 1]);
    out.extend_from_slice(&ttl.to_be_bytes());
    out.extend_from_slice(&(data.len() as u16).to_be_bytes());
    out.extend_from_slice(data);
}
