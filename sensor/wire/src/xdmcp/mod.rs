//! XDMCP: how an X terminal asks a display manager for a session.
//!
//! *In*: one datagram. *Out*: [`Message`]. *By*: the X Display Manager Control Protocol, version 1 (X.Org). A message is a
//! version, an operation and a length, which must be what is left; the body is walked to its end by the operation's
//! layout. *Left out*: IPv6 multicast queries' own port, what the addresses are. *Never kept*: authentication data.
//! *Fails* never: a refusal is no XDMCP.

use crate::Reader;

/// One datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub operation: Operation,
    /// Of Willing and Unwilling: the server's name and what it says of itself, [`MAX_TEXT`] octets at most each.
    pub host: Option<(String, String)>,
    /// Whether nothing but its fixed octets tells it: a query without names of authentication.
    pub is_bare: bool,
}

/// An operation code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation(pub u16);

impl Operation {
    /// A server that would serve.
    pub const WILLING: Self = Self(5);
    /// A server that would not.
    pub const UNWILLING: Self = Self(6);
    /// The terminal wants a session.
    pub const REQUEST: Self = Self(7);
    /// It gets one.
    pub const ACCEPT: Self = Self(8);
    /// It does not.
    pub const DECLINE: Self = Self(9);
    /// The terminal is ready: the server now opens an X connection to it.
    pub const MANAGE: Self = Self(10);

    /// The document's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let place = usize::from(self.0).checked_sub(1);
        place
            .and_then(|place| NAMES.get(place).copied())
            .unwrap_or("UNKNOWN")
    }

    /// Whether the terminal (the X server) sends it, and not the display manager.
    #[must_use]
    pub fn is_from_display(self) -> bool {
        matches!(self.0, 1..=4 | 7 | 10 | 13)
    }
}

/// Decodes one datagram.
#[must_use]
pub fn message(input: &[u8]) -> Option<Message> {
    let mut reader = Reader::new(input);
    if reader.u16_be() != Some(1) {
        return None;
    }
    let operation = Operation(reader.u16_be()?);
    if usize::from(reader.u16_be()?) != reader.left() {
        return None;
    }
    let mut host = None;
    let body = &mut reader;
    match operation.0 {
        1..=3 => arrays(body)?,
        4 => {
            array(body)?;
            array(body)?;
            arrays(body)?;
        }
        5 => {
            array(body)?;
            host = Some((text(array(body)?), text(array(body)?)));
        }
        6 => host = Some((text(array(body)?), text(array(body)?))),
        7 => {
            body.u16_be()?; // display number
            let types = body.u8()?;
            body.take(usize::from(types) * 2)?;
            arrays(body)?; // addresses
            array(body)?; // authentication name
            array(body)?; // authentication data
            arrays(body)?; // authorization names
            array(body)?; // manufacturer
        }
        8 => {
            body.u32_be()?;
            for _ in 0..4 {
                array(body)?;
            }
        }
        9 => {
            for _ in 0..3 {
                array(body)?;
            }
        }
        10 => {
            body.u32_be()?; // session
            body.u16_be()?; // display number
            array(body)?; // class
        }
        11 => {
            body.u32_be()?;
        }
        12 => {
            body.u32_be()?;
            array(body)?;
        }
        13 => {
            body.take(6)?;
        }
        14 => {
            body.take(5)?;
        }
        _ => return None,
    }
    body.is_empty().then_some(Message {
        operation,
        host,
        is_bare: input.len() < MIN_TELLING,
    })
}

/// ARRAY8: a length of two octets and as many octets.
fn array<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = reader.u16_be()?;
    reader.take(usize::from(length))
}

/// ARRAYofARRAY8: a count of one octet and as many arrays.
fn arrays(reader: &mut Reader<'_>) -> Option<()> {
    for _ in 0..reader.u8()? {
        array(reader)?;
    }
    Some(())
}

fn text(octets: &[u8]) -> String {
    let printable = octets.iter().filter(|octet| (0x20..0x7f).contains(*octet));
    printable
        .take(MAX_TEXT)
        .map(|&octet| char::from(octet))
        .collect()
}

const NAMES: [&str; 14] = [
    "BroadcastQuery",
    "Query",
    "IndirectQuery",
    "ForwardQuery",
    "Willing",
    "Unwilling",
    "Request",
    "Accept",
    "Decline",
    "Manage",
    "Refuse",
    "Failed",
    "KeepAlive",
    "Alive",
];
/// Host names have 253 octets at most; the status is a line.
pub const MAX_TEXT: usize = 256;
/// The head of six octets and a body that says more than zeros.
const MIN_TELLING: usize = 14;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(operation: u16, body: &[u8]) -> Vec<u8> {
        let mut octets = vec![0x00, 0x01]; // version
        octets.extend(operation.to_be_bytes());
        octets.extend((body.len() as u16).to_be_bytes());
        octets.extend(body);
        octets
    }

    #[test]
    fn reads_a_query_and_its_answer() {
        let query = message(&of(2, &[0])).unwrap();
        assert_eq!(query.operation.name(), "Query");
        assert!(query.is_bare && query.operation.is_from_display());
        let mut body = vec![0, 0]; // authentication name
        body.extend([0, 5]);
        body.extend(b"host1");
        body.extend([0, 3]);
        body.extend(b"0.1");
        let willing = message(&of(5, &body)).unwrap();
        assert_eq!(willing.operation, Operation::WILLING);
        assert_eq!(willing.host, Some(("host1".into(), "0.1".into())));
        assert!(!willing.is_bare && !willing.operation.is_from_display());
    }

    #[test]
    fn reads_a_request_to_its_end() {
        let mut body = vec![0, 1]; // display number
        body.extend([1, 0, 0]); // one connection type: IPv4
        body.extend([1, 0, 4, 10, 20, 0, 21]); // one address
        body.extend([0, 0, 0, 0]); // authentication name and data
        body.extend([1, 0, 18]); // one authorization name
        body.extend(b"MIT-MAGIC-COOKIE-1");
        body.extend([0, 0]); // manufacturer
        let request = message(&of(7, &body)).unwrap();
        assert_eq!(request.operation, Operation::REQUEST);
        body.pop();
        assert_eq!(message(&of(7, &body)), None);
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let mut octets = of(2, &[0]);
        octets.push(0);
        assert_eq!(message(&octets), None);
        assert_eq!(message(&of(2, &[1])), None);
        assert_eq!(message(&of(15, &[])), None);
        assert_eq!(message(&[0, 1]), None);
        assert_eq!(message(&of(2, &[255; 9])), None);
    }

    proptest! {
        #[test]
        fn every_message_says_its_own_length(data in proptest::collection::vec(any::<u8>(), 0..60), operation in 0_u16..16) {
            if let Some(found) = message(&of(operation, &data)) {
                prop_assert_eq!(found.operation.0, operation);
            }
            let _ = message(&data);
        }
    }
}
