//! RustDesk: the messages between a client and its rendezvous or relay server.
//!
//! *In*: what one side of a TCP flow sent first, or one datagram. *Out*: [`Message`]. *By*: the public definition
//! `rendezvous.proto` and the framing of `bytes_codec.rs` (rustdesk/hbb_common). Over UDP a message stands alone; over TCP
//! a head precedes it, of one to four octets with the least significant one first: its two lowest bits say how many octets
//! follow the first, the others the length. A message holds exactly one of the kinds, each a record of protobuf.
//!
//! As protobuf fits nearly everything, the walk is strict: one kind that fills the message to its end, in it only fields
//! that this kind has, in ascending order, each of its type, and an id where the kind has one. *Left out*: kinds that have
//! too little to be told by (a test of the address translation, an empty answer), and what two clients say to each other,
//! which is encrypted. *Fails* never: a refusal is no RustDesk.

mod protobuf;

use crate::{Reader, Step};
use protobuf::{Field, Value, fields};

/// A message that leaves no doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Which kind it is.
    pub kind: &'static str,
    /// The id that it names: the sender's own when it registers, else the other client's. [`MAX_ID`] octets at most.
    pub id: Option<String>,
    /// Who sends it.
    pub sender: Sender,
}

/// Who sends a kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// A client: the machine that is controlled, or the one that controls.
    Client,
    /// The rendezvous server.
    Server,
}

/// Decodes the first message of a side of a TCP flow.
#[must_use]
pub fn opening(input: &[u8]) -> Step<Message> {
    let Some(&first) = input.first() else {
        return Step::NeedMore(2);
    };
    let head = usize::from(first & 3) + 1;
    // A greeting has some hundred octets: a head of three or four, or one for an empty message, is another protocol's.
    if head > 2 || first >> 2 == 0 && head == 1 {
        return Step::NotThisProtocol(NO_MESSAGE);
    }
    let Some(octets) = input.get(..head) else {
        return Step::NeedMore(1);
    };
    let length = octets
        .iter()
        .rev()
        .fold(0_usize, |length, &octet| length << 8 | usize::from(octet))
        >> 2;
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&length) {
        return Step::NotThisProtocol(NO_MESSAGE);
    }
    // The tag of the kind: refused before the rest is waited for.
    let mut tag = Reader::new(input.get(head..).unwrap_or_default());
    match (protobuf::varint(&mut tag), tag.is_empty()) {
        (Some(tag), _) if kind(tag).is_none() => return Step::NotThisProtocol(NO_MESSAGE),
        (None, false) => return Step::NotThisProtocol(NO_MESSAGE),
        _ => {}
    }
    match input.get(head..head + length) {
        None => Step::NeedMore(head + length - input.len()),
        Some(message) => datagram(message).map_or(Step::NotThisProtocol(NO_MESSAGE), |message| {
            Step::Done(message, head + length)
        }),
    }
}

/// Decodes a message that stands alone, such as a datagram.
#[must_use]
pub fn datagram(input: &[u8]) -> Option<Message> {
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&input.len()) {
        return None;
    }
    let mut reader = Reader::new(input);
    let kind = kind(protobuf::varint(&mut reader)?)?;
    let length = usize::try_from(protobuf::varint(&mut reader)?).ok()?;
    if length != reader.left() {
        return None;
    }
    let mut id = None;
    let mut wanted = kind.needs;
    for field in fields(reader.rest()) {
        let Field { number, value } = field?;
        let fits = match (kind.field(number)?, value) {
            (Type::Number, Value::Number(_)) | (Type::Octets, Value::Octets(_)) => true,
            (Type::Id, Value::Octets(octets)) => {
                id = Some(id_of(octets)?);
                true
            }
            (Type::Key, Value::Octets(octets)) => (32..=256).contains(&octets.len()),
            (Type::Uuid, Value::Octets(octets)) => is_uuid(octets),
            (Type::Word, Value::Octets(octets)) => matches!(octets, b"ping" | b"pong"),
            _ => false,
        };
        if !fits {
            return None;
        }
        wanted &= !1_u32.checked_shl(number).unwrap_or(0);
    }
    (wanted == 0).then_some(Message {
        kind: kind.name,
        id,
        sender: kind.sender,
    })
}

/// Ids are numbers of nine or ten digits; who chooses one begins it with a letter and takes 6 to 16 characters.
fn id_of(octets: &[u8]) -> Option<String> {
    let fits = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-');
    let is_number = (8..=12).contains(&octets.len()) && octets.iter().all(u8::is_ascii_digit);
    let is_name = (6..=MAX_ID).contains(&octets.len())
        && octets.first().is_some_and(u8::is_ascii_alphabetic)
        && octets.iter().all(fits);
    (is_number || is_name).then(|| String::from_utf8_lossy(octets).into_owned())
}

/// 36 characters: hexadecimal digits in five groups.
fn is_uuid(octets: &[u8]) -> bool {
    let fits = |(place, octet): (usize, &u8)| match place {
        8 | 13 | 18 | 23 => *octet == b'-',
        _ => octet.is_ascii_hexdigit(),
    };
    octets.len() == 36 && octets.iter().enumerate().all(fits)
}

impl Message {
    /// Whether it leaves no doubt where nothing frames it: a name inside one of several messages is what many services
    /// send. A number is no other's, and longer messages have fields enough.
    #[must_use]
    pub fn stands_alone(&self) -> bool {
        let is_number = |id: &String| id.bytes().all(|octet| octet.is_ascii_digit());
        let is_rich = !matches!(
            self.kind,
            "register_peer" | "punch_hole_request" | "online_request"
        );
        is_rich || self.id.as_ref().is_some_and(is_number)
    }
}

/// Whether a datagram is the server's answer to a registration: `register_peer_response`, which asks for the key or does
/// not. Too short to tell anything by itself.
#[must_use]
pub fn is_answer(datagram: &[u8]) -> bool {
    matches!(datagram, [0x3a, 0] | [0x3a, 2, 0x10, 0..=1])
}

/// What a field may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Number,
    Octets,
    Id,
    /// A public key, perhaps signed.
    Key,
    /// Names a connection.
    Uuid,
    /// `ping` or `pong`.
    Word,
}

/// A kind of message.
struct Kind {
    /// Number and type (2, length and octets) as the wire has them together.
    tag: u64,
    name: &'static str,
    sender: Sender,
    /// Fields that must be there, a bit each, bit 1 the first.
    needs: u32,
    /// From number 1 on; numbers that are not listed are refused.
    fields: &'static [Type],
}

impl Kind {
    fn field(&self, number: u32) -> Option<Type> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.fields.get(place).copied()
    }
}

fn kind(tag: u64) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.tag == tag)
}

const fn tag(number: u64) -> u64 {
    number << 3 | 2
}

const KINDS: &[Kind] = {
    use Type::{Id, Key, Number as N, Octets as O, Uuid, Word};
    &[
        Kind {
            tag: tag(6),
            name: "register_peer",
            sender: Sender::Client,
            needs: 1 << 1,
            fields: &[Id, N],
        },
        Kind {
            tag: tag(8),
            name: "punch_hole_request",
            sender: Sender::Client,
            needs: 1 << 1,
            fields: &[Id, N, O, N, O, O, N, N, N, O, O, O],
        },
        Kind {
            tag: tag(10),
            name: "punch_hole_sent",
            sender: Sender::Client,
            needs: 1 << 1 | 1 << 2,
            fields: &[O, Id, O, N, O, N, O, O],
        },
        Kind {
            tag: tag(13),
            name: "local_addr",
            sender: Sender::Client,
            needs: 1 << 1 | 1 << 2 | 1 << 4,
            fields: &[O, O, O, Id, O, O],
        },
        Kind {
            tag: tag(15),
            name: "register_pk",
            sender: Sender::Client,
            needs: 1 << 1 | 1 << 2 | 1 << 3,
            fields: &[Id, O, Key, O, N],
        },
        Kind {
            tag: tag(18),
            name: "request_relay",
            sender: Sender::Client,
            needs: 1 << 2,
            fields: &[Id, Uuid, O, O, N, O, N, O, O, O, O],
        },
        Kind {
            tag: tag(22),
            name: "peer_discovery",
            sender: Sender::Client,
            needs: 1 << 1,
            fields: &[Word, O, O, O, O, O, O],
        },
        Kind {
            tag: tag(23),
            name: "online_request",
            sender: Sender::Client,
            needs: 1 << 1 | 1 << 2,
            fields: &[Id, O],
        },
        Kind {
            tag: tag(25),
            name: "key_exchange",
            sender: Sender::Server,
            needs: 1 << 1,
            fields: &[Key],
        },
    ]
};

/// What the program lets its user choose.
pub const MAX_ID: usize = 16;
/// The shortest that leaves no doubt: a kind and an id of six.
const MIN_LENGTH: usize = 10;
/// What a head of two octets can say, and a datagram hold.
const MAX_LENGTH: usize = 2048;
const NO_MESSAGE: &str = "no message of RustDesk";

#[cfg(test)]
mod tests;
