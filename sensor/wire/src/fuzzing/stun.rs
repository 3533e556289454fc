//! See [`super`].

/// STUN: a message never takes more than it was given, a prefix of it asks for more, and its attributes end.
pub fn stun(data: &[u8]) {
    use crate::Step;
    use crate::stun::{
        Attribute, Framing, Item, MAX_SOFTWARE, channel_data, classic, item, message,
    };

    if let Step::Done(found, used) = message(data) {
        assert!(used <= data.len());
        let attributes = found.attributes();
        let count = attributes
            .inspect(|attribute| {
                if let Attribute::Software(name) = attribute {
                    assert!(name.len() <= MAX_SOFTWARE);
                }
            })
            .count();
        assert!(count <= used / 4);
        for cut in [0, 1, used / 2, used.saturating_sub(1)] {
            let prefix = data.get(..cut).unwrap_or_default();
            assert!(matches!(message(prefix), Step::NeedMore(missing) if missing > 0));
        }
    }
    if let Some(found) = classic(data, true) {
        assert!(found.attributes().count() <= data.len() / 4);
    }
    if let Some((channel, payload)) = channel_data(data) {
        assert!(channel >= 0x4000 && payload.len() + 4 <= data.len());
    }
    for framing in [Framing::Plain, Framing::Sized] {
        if let Step::Done(found, used) = item(data, framing) {
            assert!((1..=data.len()).contains(&used));
            if let Item::Payload(payload) = found {
                assert!(payload.len() < used);
            }
        }
    }
}

#[cfg(test)]
mod stun_tests {
    use proptest::prelude::*;

    const ALLOCATE: &[u8] = &[
        0x00, 0x03, 0x00, 0x10, 0x21, 0x12, 0xa4, 0x42, // Allocate, length, cookie
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, // transaction
        0x00, 0x19, 0x00, 0x04, 17, 0, 0, 0, // REQUESTED-TRANSPORT: UDP
        0x80, 0x22, 0x00, 0x03, b'a', b'b', b'c', 0, // SOFTWARE
    ];

    #[test]
    fn stun_holds_for_a_real_message() {
        super::stun(ALLOCATE);
        super::stun(&[&[0, 36], ALLOCATE].concat());
    }

    proptest! {
        #[test]
        fn stun_holds_for_random_octets(data in prop::collection::vec(any::<u8>(), 0..100)) {
            super::stun(&data);
        }

        #[test]
        fn stun_holds_for_a_message_with_changed_octets(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut octets = ALLOCATE.to_vec();
            for (place, value) in changes {
                let place = place.index(octets.len());
                octets[place] = value;
            }
            super::stun(&octets);
        }
    }
}
