//! STUN and TURN over TCP (RFC 8489, section 6.2.2; RFC 8656, section 12.5; RFC 4571 for ICE).

use super::{Message, message};
use crate::{Reader, Step};

/// How messages are told apart in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By their own lengths.
    Plain,
    /// By a length of two octets before each (RFC 4571), as ICE over TCP does.
    Sized,
}

/// What a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// A message.
    Message(Message<'a>),
    /// What a relay sends on, or what shares the stream with STUN.
    Payload(&'a [u8]),
}

/// The item at the start of `input`.
#[must_use]
pub fn item(input: &[u8], framing: Framing) -> Step<Item<'_>> {
    match framing {
        Framing::Plain => plain(input),
        Framing::Sized => sized(input),
    }
}

fn plain(input: &[u8]) -> Step<Item<'_>> {
    if input.first().is_some_and(|first| first & 0xf0 != 0x40) {
        return message(input).map(Item::Message);
    }
    let mut reader = Reader::new(input);
    let (Some(_channel), Some(length)) = (reader.u16_be(), reader.u16_be()) else {
        return Step::NeedMore(4_usize.saturating_sub(input.len()).max(1));
    };
    let length = usize::from(length);
    // Over TCP the padding is there always.
    let padded = length.next_multiple_of(4);
    match reader.take(padded) {
        Some(octets) => Step::Done(
            Item::Payload(octets.get(..length).unwrap_or(octets)),
            4 + padded,
        ),
        None => Step::NeedMore(padded - reader.left()),
    }
}

fn sized(input: &[u8]) -> Step<Item<'_>> {
    let mut reader = Reader::new(input);
    let Some(length) = reader.u16_be() else {
        return Step::NeedMore(2_usize.saturating_sub(input.len()).max(1));
    };
    let length = usize::from(length);
    let Some(octets) = reader.take(length) else {
        return Step::NeedMore(length - reader.left());
    };
    let item = match message(octets) {
        Step::Done(message, used) if used == length => Item::Message(message),
        _ => Item::Payload(octets),
    };
    Step::Done(item, 2 + length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stun::Method;
    use crate::testing::assert_same_however_cut;

    const REQUEST: &[u8] = &[
        0x00, 0x03, 0x00, 0x08, 0x21, 0x12, 0xa4, 0x42, // Allocate, length, cookie
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, // transaction
        0x00, 0x19, 0x00, 0x04, 17, 0, 0, 0, // REQUESTED-TRANSPORT: UDP
    ];

    fn brief(item: &Item<'_>) -> String {
        match item {
            Item::Message(message) => message.method.to_string(),
            Item::Payload(octets) => format!("{octets:?}"),
        }
    }

    #[test]
    fn reads_messages_and_channel_data_however_cut() {
        let plain = |input: &[u8]| item(input, Framing::Plain).map(|item| brief(&item));
        assert_same_however_cut(plain, REQUEST);
        assert_eq!(plain(REQUEST), Step::Done("Allocate".to_owned(), 28));
        let data = [0x40, 0x02, 0x00, 0x03, 7, 8, 9, 0, 0xff];
        assert_same_however_cut(plain, &data[..8]);
        assert_eq!(plain(&data), Step::Done("[7, 8, 9]".to_owned(), 8));
        assert!(matches!(plain(&[0x80, 3]), Step::NotThisProtocol(_)));
    }

    #[test]
    fn reads_messages_behind_a_length() {
        let sized = |input: &[u8]| item(input, Framing::Sized).map(|item| brief(&item));
        let framed = [&[0, 28], REQUEST].concat();
        assert_same_however_cut(sized, &framed);
        assert_eq!(sized(&framed), Step::Done("Allocate".to_owned(), 30));
        assert_eq!(sized(&[0, 1, 9]), Step::Done("[9]".to_owned(), 3));
        let Step::Done(Item::Message(message), _) = item(&framed, Framing::Sized) else {
            panic!("no message");
        };
        assert_eq!(message.method, Method::ALLOCATE);
    }
}
