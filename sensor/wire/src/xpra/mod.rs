//! xpra in clear: the head of the first packet, the hello of each side.
//!
//! *In*: what each side of a TCP flow sent first. *Out*: [`Session::told`] once both have said hello. *By*: the program's
//! source (Xpra-org/xpra: xpra/net/protocol/header.py) and own captures of version 3.1. A packet is `P`, an octet of flags
//! (how it is encoded), an octet for the compression, the index 0, and a length of four octets in network order. A hello
//! is compressed, so only its head tells it: that of one side is no proof. *Left out*: everything behind it, xpra inside
//! TLS, SSH or WebSocket. *Fails* when a side opens with something else.

use crate::{Reader, Side, Step, Violation};

/// How a packet is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// The packet is enciphered.
    pub const CIPHER: Self = Self(0x02);
    /// Others follow at once, or none: says nothing of the content.
    pub const FLUSH: Self = Self(0x08);

    /// Whether a hello can have these: one of the encodings (bencode 0, rencode 1, YAML 4, rencodeplus 16), and perhaps
    /// the two above.
    fn fit(self) -> bool {
        matches!(
            self.0 & !(Self::CIPHER.0 | Self::FLUSH.0),
            0x00 | 0x01 | 0x04 | 0x10
        )
    }
}

/// Decodes the head of a hello.
#[must_use]
pub fn hello(input: &[u8]) -> Step<Flags> {
    let fits = |(place, &octet): (usize, &u8)| match place {
        0 => octet == b'P',
        1 => Flags(octet).fit(),
        // The level in the lower half: 0 only without a compressor (lz4 16, LZO 32, brotli 64, zstd 128) in the upper.
        2 => octet == 0 || octet & 0x0f != 0 && (octet >> 4).count_ones() <= 1,
        // Index; the upper half of a length below 64 KiB.
        _ => octet == 0,
    };
    if !input.iter().take(6).enumerate().all(fits) {
        return Step::NotThisProtocol("no hello of xpra");
    }
    let mut reader = Reader::new(input);
    let flags = reader
        .take_array()
        .map(|[_, flags, _, _, _, _]| Flags(flags));
    let (Some(flags), Some(length)) = (flags, reader.u16_be()) else {
        return Step::NeedMore(HEAD - input.len());
    };
    if length < MIN_LENGTH {
        return Step::NotThisProtocol("no hello of xpra");
    }
    Step::Done(flags, HEAD)
}

/// Follows one TCP flow until both sides have said hello.
#[derive(Debug, Default)]
pub struct Session {
    first: Option<Side>,
    greeted: [bool; 2],
}

impl Session {
    /// The client, who speaks first, once both have said hello.
    #[must_use]
    pub fn told(&self) -> Option<Side> {
        self.first.filter(|_| self.greeted == [true, true])
    }

    /// Reads what a side sent; answers how many octets it took. What follows a side's first head is not looked at.
    ///
    /// # Errors
    /// When a side opens with something else.
    pub fn feed(&mut self, from: Side, input: &[u8]) -> Result<usize, Violation> {
        let Some(greeted) = self.greeted.get_mut(from.index()) else {
            return Ok(0);
        };
        if *greeted || input.is_empty() {
            return Ok(input.len());
        }
        match hello(input) {
            Step::Done(..) => {
                *greeted = true;
                self.first.get_or_insert(from);
                Ok(input.len())
            }
            Step::NeedMore(_) => Ok(0),
            Step::NotThisProtocol(why) => Err(Violation(why)),
        }
    }
}

const HEAD: usize = 8;
/// A hello lists what its side can do: some hundred octets, compressed too.
const MIN_LENGTH: u16 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same_however_cut, in_pieces};
    use Side::{Originator as O, Responder as R};

    const CLIENT: &[u8] = &[
        b'P', // magic
        0x01, // rencode
        0x01, // zlib, level 1
        0x00, // index
        0x00, 0x00, 0x05, 0x88, // length
        0x78, 0x01, 0xbd, 0xbd,
    ];

    #[test]
    fn is_told_when_both_say_hello() {
        for size in [1, 3, 100] {
            let mut session = Session::default();
            in_pieces(&[(O, CLIENT), (R, CLIENT)], size, |from, input| {
                session
                    .feed(from, input)
                    .ok()
                    .filter(|_| session.told().is_none())
            });
            assert_eq!(session.told(), Some(O), "{size}");
        }
        let mut session = Session::default();
        assert!(session.feed(O, CLIENT).is_ok());
        assert_eq!(session.told(), None);
        assert!(session.feed(R, b"HTTP/1.1 400").is_err());
    }

    #[test]
    fn text_and_other_heads_are_refused() {
        for input in [
            &b"POST / HTTP/1.1\r\n"[..],
            b"PRI * HTTP/2.0\r\n",
            b"PASS x\r\n",
            b"P\x05\x00\x00\x00\x00\x01\x00",
            b"P\x01\x30\x00\x00\x00\x01\x00",
            b"P\x01\x01\x01\x00\x00\x01\x00",
            b"P\x01\x01\x00\x00\x01\x00\x00",
            b"P\x01\x01\x00\x00\x00\x00\x20",
        ] {
            assert!(
                matches!(hello(input), Step::NotThisProtocol(_)),
                "{input:?}"
            );
            assert_same_however_cut(hello, input);
        }
        assert_same_however_cut(hello, CLIENT);
        assert_eq!(
            hello(b"P\x10\x11\x00\x00\x00\x02\x00"),
            Step::Done(Flags(0x10), 8)
        );
    }
}
