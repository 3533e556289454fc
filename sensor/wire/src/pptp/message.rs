//! Start-Control-Connection-Request and -Reply.

use crate::{Reader, Side, Step};

/// The first message of either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Request or reply.
    pub kind: Kind,
    /// Version and revision; 1.0.
    pub version: (u8, u8),
    /// Host name, as sent, without what is not printable ASCII; often empty.
    pub host: String,
    /// Vendor, likewise.
    pub vendor: String,
}

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The client's.
    Request,
    /// The server's, with its result code: 1 is success.
    Reply(u8),
}

impl Start {
    /// The client's side, when this came from `from`.
    #[must_use]
    pub fn client(&self, from: Side) -> Side {
        match self.kind {
            Kind::Request => from,
            Kind::Reply(_) => from.other(),
        }
    }
}

/// Reads the first message of a side.
#[must_use]
pub fn start(octets: &[u8]) -> Step<Start> {
    let opening = octets.iter().zip(HEAD).enumerate();
    for (at, (&octet, &want)) in opening {
        let fits = if at == TYPE_AT {
            octet == REQUEST || octet == REPLY
        } else {
            octet == want
        };
        if !fits {
            return Step::NotThisProtocol("no start of a PPTP control connection");
        }
    }
    let Some(message) = octets.get(..LENGTH) else {
        return Step::NeedMore(LENGTH - octets.len());
    };
    parse(message).map_or(
        Step::NotThisProtocol("start of a PPTP control connection too short"),
        |start| Step::Done(start, LENGTH),
    )
}

fn parse(message: &[u8]) -> Option<Start> {
    let mut reader = Reader::new(message);
    reader.take(TYPE_AT)?;
    let kind = reader.u8()?;
    reader.take(2)?; // reserved
    let version = (reader.u8()?, reader.u8()?);
    let result = reader.u8()?;
    reader.take(1)?; // error code
    reader.take(4 + 4 + 2 + 2)?; // framing, bearer, channels, firmware
    let kind = if kind == REQUEST {
        Kind::Request
    } else {
        Kind::Reply(result)
    };
    Some(Start {
        kind,
        version,
        host: text(reader.take(NAME)?),
        vendor: text(reader.take(NAME)?),
    })
}

/// A name, up to its NUL.
fn text(field: &[u8]) -> String {
    field
        .iter()
        .take_while(|&&octet| octet != 0)
        .filter(|octet| matches!(octet, b' '..=b'~'))
        .map(|&octet| char::from(octet))
        .collect()
}

/// Octets of the message.
pub const LENGTH: usize = 156;

const HEAD: &[u8] = &[
    0x00, 0x9c, // length: 156
    0x00, 0x01, // control message
    0x1a, 0x2b, 0x3c, 0x4d, // magic cookie
    0x00, 0x01, // type, of which the second octet is looked at by itself
    0x00, 0x00, // reserved
    0x01, 0x00, // version 1, revision 0
];
const TYPE_AT: usize = 9;
const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const NAME: usize = 64;

#[cfg(test)]
pub(crate) fn sample(kind: u8) -> Vec<u8> {
    let mut octets = HEAD.to_vec();
    octets[TYPE_AT] = kind;
    octets.extend([u8::from(kind == REPLY), 0]); // result, error
    octets.extend([0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1]); // framing, bearer, channels, firmware
    octets.extend(b"gate");
    octets.resize(28 + 64, 0);
    octets.extend(b"linux");
    octets.resize(LENGTH, 0);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_same_however_cut;

    #[test]
    fn request_and_reply_name_host_and_vendor() {
        let Step::Done(request, used) = start(&sample(1)) else {
            panic!()
        };
        assert_eq!(used, LENGTH);
        assert_eq!(request.kind, Kind::Request);
        assert_eq!((&*request.host, &*request.vendor), ("gate", "linux"));
        assert_eq!(request.version, (1, 0));
        let Step::Done(reply, _) = start(&sample(2)) else {
            panic!()
        };
        assert_eq!(reply.kind, Kind::Reply(1));
        assert_same_however_cut(start, &sample(1));
    }

    #[test]
    fn any_other_magic_is_refused_at_once() {
        for at in [0, 1, 3, 4, 5, 6, 7, 9, 12] {
            let mut other = sample(1);
            other[at] ^= 0x55;
            assert!(
                matches!(start(&other[..=at]), Step::NotThisProtocol(_)),
                "{at}"
            );
        }
    }
}
