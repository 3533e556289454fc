//! X11 in clear: the set-up of a connection to an X server.
//!
//! *In*: what each side of a TCP flow sends, on any port. *Out*: [`SetUp`] of the client, [`Answer`] of the server. *By*:
//! X Window System Protocol, version 11, section 8 and appendix B. The client says its byte order, `B` or `l`, the
//! version, and the name and data of its authorization; the server refuses, accepts, or asks for more. Mind the roles:
//! the server is the machine with the screen and the keyboard, so who may connect to it reads both.
//! *Left out*: all requests and events. *Never kept*: authorization data. *Fails* when a side says something else.

use crate::{Reader, Side, Step, Violation};

/// The client's first message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetUp {
    /// How both sides write numbers.
    pub order: Order,
    /// Such as `MIT-MAGIC-COOKIE-1`; empty where the client has none. [`MAX_NAME`] octets at most.
    pub authorization: String,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `l`.
    LeastFirst,
    /// `B`.
    MostFirst,
}

impl Order {
    fn u16(self, reader: &mut Reader<'_>) -> Option<u16> {
        match self {
            Self::LeastFirst => reader.u16_le(),
            Self::MostFirst => reader.u16_be(),
        }
    }
}

/// The server's first message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The client may draw and read.
    Accepted {
        /// Who made the server, such as `The X.Org Foundation`. [`MAX_NAME`] octets at most.
        vendor: String,
    },
    /// It may not.
    Refused,
    /// It must say more.
    More,
}

/// Decodes what a client begins with.
#[must_use]
pub fn set_up(input: &[u8]) -> Step<SetUp> {
    let mut reader = Reader::new(input);
    let order = match reader.u8() {
        None => return Step::NeedMore(SET_UP),
        Some(b'l') => Order::LeastFirst,
        Some(b'B') => Order::MostFirst,
        Some(_) => return Step::NotThisProtocol(NO_SET_UP),
    };
    let version: &[u8] = match order {
        Order::LeastFirst => &[0, 11, 0, 0, 0],
        Order::MostFirst => &[0, 0, 11, 0, 0],
    };
    if reader.rest().iter().zip(version).any(|(a, b)| a != b) {
        return Step::NotThisProtocol(NO_SET_UP);
    }
    reader.take(version.len());
    let (Some(name), Some(data), Some(_)) = (
        order.u16(&mut reader),
        order.u16(&mut reader),
        reader.take(2),
    ) else {
        return Step::NeedMore(SET_UP.saturating_sub(input.len()).max(1));
    };
    let (name, data) = (usize::from(name), usize::from(data));
    if name > MAX_NAME || data > MAX_DATA {
        return Step::NotThisProtocol("an authorization that is too long");
    }
    let whole = SET_UP + padded(name) + padded(data);
    let Some(authorization) = reader.take(name) else {
        return Step::NeedMore(whole - input.len());
    };
    if !authorization.iter().all(u8::is_ascii_graphic) {
        return Step::NotThisProtocol("an authorization without a name");
    }
    if input.len() < whole {
        return Step::NeedMore(whole - input.len());
    }
    Step::Done(
        SetUp {
            order,
            authorization: text(authorization),
        },
        whole,
    )
}

/// Decodes what the server answers, as far as it tells something; `used` is that much only.
#[must_use]
pub fn answer(input: &[u8], order: Order) -> Step<Answer> {
    let mut reader = Reader::new(input);
    match reader.u8() {
        None => return Step::NeedMore(8),
        // Authenticate has no version.
        Some(2) => return Step::Done(Answer::More, 1),
        Some(0 | 1) => {}
        Some(_) => return Step::NotThisProtocol(NO_ANSWER),
    }
    reader.u8();
    let major = order.u16(&mut reader);
    let Some(_minor) = order.u16(&mut reader) else {
        return Step::NeedMore(8_usize.saturating_sub(input.len()).max(1));
    };
    if major != Some(11) {
        return Step::NotThisProtocol(NO_ANSWER);
    }
    if input.first() == Some(&0) {
        return Step::Done(Answer::Refused, 6);
    }
    // Length, release, resource base and mask, motion buffer; then the length of the vendor's name.
    let length = reader.take(18).and_then(|_| order.u16(&mut reader));
    let (Some(length), Some(_)) = (length.map(usize::from), reader.take(14)) else {
        return Step::NeedMore(ACCEPTED.saturating_sub(input.len()).max(1));
    };
    if length > MAX_NAME {
        return Step::NotThisProtocol("a vendor's name that is too long");
    }
    match reader.take(length) {
        Some(vendor) => Step::Done(
            Answer::Accepted {
                vendor: text(vendor),
            },
            ACCEPTED + length,
        ),
        None => Step::NeedMore(length - reader.left()),
    }
}

fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn text(octets: &[u8]) -> String {
    let printable = octets.iter().filter(|octet| (0x20..0x7f).contains(*octet));
    printable.map(|&octet| char::from(octet)).collect()
}

/// Follows one TCP flow until the server has answered.
#[derive(Debug, Default)]
pub struct Session {
    client: Option<(Side, SetUp)>,
    answer: Option<Answer>,
}

impl Session {
    /// The client and what it said, once it has.
    #[must_use]
    pub fn client(&self) -> Option<(Side, &SetUp)> {
        self.client.as_ref().map(|(side, set_up)| (*side, set_up))
    }

    /// What the server answered, once it has.
    #[must_use]
    pub fn answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }

    /// Reads what a side sent; answers how many octets it took.
    ///
    /// # Errors
    /// When a side says what neither role says.
    pub fn feed(&mut self, from: Side, input: &[u8]) -> Result<usize, Violation> {
        let step = match &self.client {
            None => set_up(input).map(|set_up| {
                self.client = Some((from, set_up));
            }),
            Some((client, _)) if *client == from => return Ok(0),
            Some((_, set_up)) => answer(input, set_up.order).map(|answer| {
                self.answer = Some(answer);
            }),
        };
        match step {
            Step::Done((), used) => Ok(used),
            Step::NeedMore(_) => Ok(0),
            Step::NotThisProtocol(why) => Err(Violation(why)),
        }
    }
}

const SET_UP: usize = 12;
const ACCEPTED: usize = 40;
/// The longest name in use, `XDM-AUTHORIZATION-1`, has 19 octets; vendors say more.
pub const MAX_NAME: usize = 128;
/// Kerberos tickets are the longest.
const MAX_DATA: usize = 4096;
const NO_SET_UP: &str = "no set-up of X11";
const NO_ANSWER: &str = "no answer of an X server";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same_however_cut, in_pieces};
    use Side::{Originator as O, Responder as R};

    fn client() -> Vec<u8> {
        let mut octets = vec![b'l', 0]; // byte order
        octets.extend([11, 0, 0, 0]); // version
        octets.extend([18, 0, 16, 0, 0, 0]); // lengths of authorization
        octets.extend(b"MIT-MAGIC-COOKIE-1\0\0"); // name, padded
        octets.extend([0xc0; 16]); // data
        octets
    }

    fn accepted() -> Vec<u8> {
        let mut octets = vec![1, 0]; // success
        octets.extend([11, 0, 0, 0]); // version
        octets.extend([0x2c, 0x03]); // length
        octets.extend([0; 16]); // release, resource base and mask, motion buffer
        octets.extend([20, 0]); // length of the vendor's name
        octets.extend([0; 14]);
        octets.extend(b"The X.Org Foundation");
        octets
    }

    #[test]
    fn reads_a_set_up_in_both_byte_orders() {
        let octets = client();
        let want = SetUp {
            order: Order::LeastFirst,
            authorization: "MIT-MAGIC-COOKIE-1".into(),
        };
        assert_eq!(set_up(&octets), Step::Done(want, 48));
        assert_same_however_cut(set_up, &octets);
        let most_first = [b'B', 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_same_however_cut(set_up, &most_first);
        assert!(
            matches!(set_up(&most_first), Step::Done(set_up, 12) if set_up.authorization.is_empty())
        );
    }

    #[test]
    fn text_is_refused_at_the_second_octet() {
        for input in [&b"login: "[..], b"BEGIN", b"l\x0011\0\0", b"B\x00\x0b\x00"] {
            assert!(
                matches!(set_up(input), Step::NotThisProtocol(_)),
                "{input:?}"
            );
        }
        let bomb = [b'l', 0, 11, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0];
        assert!(matches!(set_up(&bomb), Step::NotThisProtocol(_)));
    }

    #[test]
    fn the_server_answers() {
        let refused = b"\0\x16\x0b\0\0\0\x06\0No protocol specified\n";
        for (octets, want) in [
            (
                accepted(),
                Answer::Accepted {
                    vendor: "The X.Org Foundation".into(),
                },
            ),
            (refused.to_vec(), Answer::Refused),
            (vec![2, 0, 0], Answer::More),
        ] {
            assert_same_however_cut(|input| answer(input, Order::LeastFirst), &octets);
            for size in [1, 7, 500] {
                let mut session = Session::default();
                in_pieces(&[(O, &client()), (R, &octets)], size, |from, input| {
                    session
                        .feed(from, input)
                        .ok()
                        .filter(|_| session.answer().is_none())
                });
                assert_eq!(session.client().map(|(side, _)| side), Some(O));
                assert_eq!(session.answer(), Some(&want));
            }
        }
        assert!(matches!(
            answer(b"RFB 003.008\n", Order::LeastFirst),
            Step::NotThisProtocol(_)
        ));
    }
}
