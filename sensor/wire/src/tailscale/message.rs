//! The two magics.

use crate::{Reader, Step};

/// Whether a datagram is a disco message.
#[must_use]
pub fn disco(datagram: &[u8]) -> bool {
    let mut reader = Reader::new(datagram);
    reader.take(DISCO_MAGIC.len()) == Some(DISCO_MAGIC)
        && datagram.len() >= DISCO_MIN
        && reader
            .take_array::<KEY>()
            .is_some_and(|key| key.iter().any(|&octet| octet != 0))
}

/// Reads the relay's first frame: type 1, its length, magic, the relay's key.
#[must_use]
pub fn derp(octets: &[u8]) -> Step<()> {
    let fits = octets
        .iter()
        .zip(DERP_HEAD)
        .enumerate()
        // The length, which may grow in later versions.
        .all(|(at, (octet, want))| octet == want || at == DERP_LENGTH_AT);
    if !fits
        || octets
            .get(DERP_LENGTH_AT)
            .is_some_and(|&length| length < DERP_MIN)
    {
        return Step::NotThisProtocol("no frame of a DERP relay's key");
    }
    match DERP_HEAD.len().checked_sub(octets.len()) {
        Some(missing @ 1..) => Step::NeedMore(missing),
        _ => Step::Done((), DERP_HEAD.len()),
    }
}

const DISCO_MAGIC: &[u8] = &[0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac];
const KEY: usize = 32;
/// Magic, key, nonce, tag, and a message of a type and a version.
const DISCO_MIN: usize = 6 + KEY + 24 + 16 + 2;

const DERP_HEAD: &[u8] = &[
    0x01, // frame type: server key
    0x00, 0x00, 0x00, 0x28, // length
    0x44, 0x45, 0x52, 0x50, 0xf0, 0x9f, 0x94, 0x91, // magic
];
const DERP_LENGTH_AT: usize = 4;
/// Magic and key.
const DERP_MIN: u8 = 8 + 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_same_however_cut;

    #[test]
    fn disco_has_magic_a_key_and_a_sealed_box() {
        let mut ping = DISCO_MAGIC.to_vec();
        ping.extend([0xb6; 32]); // sender's key
        ping.extend([0x11; 24]); // nonce
        ping.extend([0x22; 16 + 2 + 12]); // tag, type, version, transaction
        assert!(disco(&ping));
        assert!(!disco(&ping[..79]));
        assert!(!disco(&ping[1..]));
        ping[6..38].fill(0);
        assert!(!disco(&ping));
        assert!(!disco(b""));
    }

    #[test]
    fn derp_is_told_by_the_relays_key() {
        let mut frame = DERP_HEAD.to_vec();
        frame.extend([0x33; 32]); // key
        assert_eq!(derp(&frame), Step::Done((), 13));
        assert_same_however_cut(derp, &frame);
        frame[4] = 0x27;
        assert!(matches!(derp(&frame), Step::NotThisProtocol(_)));
        assert!(matches!(derp(b"\x01\x01"), Step::NotThisProtocol(_)));
    }
}
