//! LogMeIn Hamachi: the mediation server over TCP, and a peer or a relay over UDP.
//!
//! *In*: what one side of a TCP flow sent first ([`request`]), or one datagram ([`datagram`]). *Out*: that it may be so, and
//! what stays the same in every datagram of a side. *By*: observation of public captures as ntop/nDPI (`hamachi.c`) and
//! libprotoident tell of it; the vendor publishes nothing.
//!
//! | octets | field, over TCP |
//! |---|---|
//! | 4 | length of what follows, network order |
//! | 8 | not known |
//! | 4 | `7b 7a 0d ad` |
//!
//! | octets | field, over UDP |
//! |---|---|
//! | 4 | the same in every datagram of a side; 0 in a greeting, which has 76 octets |
//! | 4 | number of the datagram, network order; 0 in a greeting |
//! | 2 | the same in every datagram of a side |
//!
//! One datagram proves nothing. *Left out*: what is encrypted, which is all the rest. *Fails* never: a refusal is something
//! else.

use crate::{Reader, Step};

/// Decodes what a client opens the connection to the mediation server with.
#[must_use]
pub fn request(input: &[u8]) -> Step<()> {
    // Below 64 KiB: refused as early as possible.
    if input.iter().take(2).any(|&octet| octet != 0) {
        return Step::NotThisProtocol(NO_REQUEST);
    }
    let mut reader = Reader::new(input);
    if let Some(length) = reader.u32_be()
        && !(MIN_LENGTH..=MAX_LENGTH).contains(&length)
    {
        return Step::NotThisProtocol(NO_REQUEST);
    }
    if !MAGIC.starts_with(input.get(12..input.len().min(16)).unwrap_or_default()) {
        return Step::NotThisProtocol(NO_REQUEST);
    }
    if input.len() < 16 {
        Step::NeedMore(16 - input.len())
    } else {
        Step::Done((), 16)
    }
}

/// A datagram that may be Hamachi's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datagram {
    /// What both sides begin with.
    Greeting,
    /// One of those that follow.
    Data {
        /// What is the same in all of a side.
        constant: (u32, u16),
    },
}

/// Decodes a datagram; `None` where it can be none of Hamachi's.
#[must_use]
pub fn datagram(input: &[u8]) -> Option<Datagram> {
    let mut reader = Reader::new(input);
    let (first, number) = (reader.u32_be()?, reader.u32_be()?);
    if (first, number) == (0, 0) {
        return (input.len() == GREETING).then_some(Datagram::Greeting);
    }
    let constant = (first, reader.u16_be()?);
    let fits = input.len() >= MIN_DATA
        && !matches!(first, 0 | u32::MAX)
        && (1..=MAX_NUMBER).contains(&number);
    fits.then_some(Datagram::Data { constant })
}

const MAGIC: &[u8] = &[0x7b, 0x7a, 0x0d, 0xad];
/// The request holds keys: the shortest that is known has some 470 octets.
const MIN_LENGTH: u32 = 256;
const MAX_LENGTH: u32 = 4096;
const NO_REQUEST: &str = "no request of Hamachi";
const GREETING: usize = 76;
/// An empty packet inside has 46 octets around it.
const MIN_DATA: usize = 46;
/// A capture that begins in mid-flow may have more, and is not told from chance.
const MAX_NUMBER: u32 = 0xffff;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_same_however_cut;

    fn opening() -> Vec<u8> {
        let mut octets = vec![
            0x00, 0x00, 0x01, 0xd4, // length
            0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x10, // not known
            0x7b, 0x7a, 0x0d, 0xad, // magic
        ];
        octets.resize(472, 0x5a);
        octets
    }

    #[test]
    fn reads_the_request_however_cut() {
        assert_eq!(request(&opening()), Step::Done((), 16));
        assert_same_however_cut(request, &opening());
    }

    #[test]
    fn refuses_other_lengths_and_other_magic() {
        for (place, octet) in [(0, 1), (1, 1), (2, 0x20), (12, 0x7c), (15, 0xae)] {
            let mut octets = opening();
            octets[place] = octet;
            assert!(
                matches!(request(&octets), Step::NotThisProtocol(_)),
                "{place}"
            );
            assert_same_however_cut(request, &octets);
        }
    }

    #[test]
    fn tells_a_greeting_from_data() {
        assert_eq!(datagram(&[0; 76]), Some(Datagram::Greeting));
        assert_eq!(datagram(&[0; 75]), None);
        let mut data = [0x11; 46];
        data[4..8].copy_from_slice(&[0, 0, 0, 1]);
        let constant = (0x1111_1111, 0x1111);
        assert_eq!(datagram(&data), Some(Datagram::Data { constant }));
        assert_eq!(datagram(&data[..45]), None, "too short");
        data[4] = 1;
        assert_eq!(datagram(&data), None, "too high a number");
        assert_eq!(datagram(&[0xff; 9]), None, "cut");
    }
}
