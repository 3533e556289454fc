//! Radmin 2 and 3: the messages of its handshake.
//!
//! *In*: what one side of a TCP flow sent first. *Out*: [`Message`]. *By*: observation of public captures and of what
//! scanners match; the vendor publishes nothing. A message is
//!
//! | octets | field |
//! |---|---|
//! | 1 | `01` |
//! | 4 | length of what follows the sum, network order |
//! | 4 | sum of what follows, read as words of four octets, least significant first, filled up with zeros |
//! | length | command and its data |
//!
//! The sum is what makes the short greeting unmistakable. *Left out*: what follows the handshake (encrypted). *Fails*
//! never: a refusal is no Radmin.

use crate::{Reader, Step};

/// A message of the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// The viewer's greeting.
    Hello,
    /// The server's answer: which log-in it wants.
    Welcome,
    /// Of a viewer's further connections, or a refusal: both sides send these.
    Other(u8),
}

/// Decodes the first message of a side.
#[must_use]
pub fn opening(input: &[u8]) -> Step<Message> {
    let mut reader = Reader::new(input);
    match reader.u8() {
        None => return Step::NeedMore(HEAD),
        Some(1) => {}
        Some(_) => return Step::NotThisProtocol(NO_MESSAGE),
    }
    // The length is below 256, so its first three octets are 0: refused as early as possible.
    if reader.rest().iter().take(3).any(|&octet| octet != 0) {
        return Step::NotThisProtocol("a message too long for a handshake");
    }
    let (Some(length), Some(sum)) = (reader.u32_be(), reader.u32_be()) else {
        return Step::NeedMore(HEAD.saturating_sub(input.len()).max(1));
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length == 0 || length > MAX_LENGTH {
        return Step::NotThisProtocol("a message too long for a handshake");
    }
    let missing = length.saturating_sub(reader.left());
    let Some(body) = reader.take(length) else {
        return Step::NeedMore(missing);
    };
    if sum_of(body) != sum {
        return Step::NotThisProtocol("another sum");
    }
    let used = HEAD + length;
    match (body, body.first()) {
        ([HELLO], _) => Step::Done(Message::Hello, used),
        // A sum of small numbers proves little where there is little to sum.
        (_, Some(&HELLO)) if length >= MIN_WELCOME => Step::Done(Message::Welcome, used),
        (_, Some(&command @ DATA)) if length >= 5 => Step::Done(Message::Other(command), used),
        (_, Some(&command)) if length >= 8 && sum > 0xff => {
            Step::Done(Message::Other(command), used)
        }
        _ => Step::NotThisProtocol(NO_MESSAGE),
    }
}

fn sum_of(body: &[u8]) -> u32 {
    body.chunks(4)
        .map(|chunk| {
            let mut word = [0; 4];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            u32::from_le_bytes(word)
        })
        .fold(0, u32::wrapping_add)
}

const HEAD: usize = 9;
/// Of the handshake: the longest that is known has 37.
const MAX_LENGTH: usize = 64;
/// Radmin 2 answers with fewer octets than Radmin 3.
const MIN_WELCOME: usize = 8;
const HELLO: u8 = 0x08;
/// What a second connection of the same viewer begins with.
const DATA: u8 = 0x27;
const NO_MESSAGE: &str = "no message of Radmin";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_same_however_cut;

    const HELLO_3: &[u8] = &[
        0x01, // version
        0x00, 0x00, 0x00, 0x01, // length
        0x00, 0x00, 0x00, 0x08, // sum
        0x08, // command
    ];

    fn welcome(kind: u8) -> Vec<u8> {
        let mut octets = vec![
            0x01, // version
            0x00, 0x00, 0x00, 0x25, // length
            kind, 0x00, 0x02, 0x12, // sum
            0x08, 0x02, 0x00, kind, 0x0a, // command, log-in wanted
        ];
        octets.resize(46, 0);
        octets
    }

    #[test]
    fn reads_both_greetings() {
        assert_eq!(opening(HELLO_3), Step::Done(Message::Hello, 10));
        assert_same_however_cut(opening, HELLO_3);
        for kind in [0x00, 0x08, 0x71, 0x79] {
            assert_eq!(opening(&welcome(kind)), Step::Done(Message::Welcome, 46));
            assert_same_however_cut(opening, &welcome(kind));
        }
    }

    #[test]
    fn reads_the_greeting_of_a_further_connection() {
        let octets = [
            0x01, // version
            0x00, 0x00, 0x00, 0x05, // length
            0x00, 0x00, 0x02, 0x27, // sum
            0x27, 0x02, 0x00, 0x00, 0x00,
        ];
        assert_eq!(opening(&octets), Step::Done(Message::Other(0x27), 14));
        assert_same_however_cut(opening, &octets);
    }

    #[test]
    fn a_wrong_sum_is_another_protocol() {
        let mut octets = welcome(0);
        octets[20] = 1;
        assert!(matches!(opening(&octets), Step::NotThisProtocol(_)));
        // A structure of small numbers in another byte order.
        let numbers = [1, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0];
        assert!(matches!(opening(&numbers), Step::NotThisProtocol(_)));
        let other = [1, 0, 0, 0, 1, 0, 0, 0, 9, 9];
        assert!(matches!(opening(&other), Step::NotThisProtocol(_)));
    }

    #[test]
    fn a_length_bomb_is_refused_before_it_is_waited_for() {
        let octets = [0x01, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(opening(&octets), Step::NotThisProtocol(_)));
        assert!(matches!(
            opening(&[1, 0, 0, 0, 65, 0, 0, 0, 0]),
            Step::NotThisProtocol(_)
        ));
    }
}
