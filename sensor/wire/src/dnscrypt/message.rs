//! An answer.

use crate::Step;

/// Whether a datagram is a resolver's answer.
#[must_use]
pub fn answer(datagram: &[u8]) -> bool {
    datagram.starts_with(MAGIC) && datagram.len() >= MIN
}

/// Reads the start of an answer over TCP, behind its length.
#[must_use]
pub fn answer_over_tcp(octets: &[u8]) -> Step<()> {
    const NOT: Step<()> = Step::NotThisProtocol("no answer of DNSCrypt");
    let Some((length, rest)) = octets.split_first_chunk::<2>() else {
        return Step::NeedMore(2 - octets.len());
    };
    if usize::from(u16::from_be_bytes(*length)) < MIN {
        return NOT;
    }
    if rest.starts_with(MAGIC) {
        Step::Done((), 2 + MAGIC.len())
    } else if MAGIC.starts_with(rest) {
        Step::NeedMore(MAGIC.len() - rest.len())
    } else {
        NOT
    }
}

const MAGIC: &[u8] = b"r6fnvWj8";
/// Magic, both halves of the nonce, the tag, and a padded message: it is at least 32 octets long.
const MIN: usize = 8 + 24 + 16 + 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_same_however_cut;

    #[test]
    fn an_answer_opens_with_the_magic() {
        let mut octets = b"r6fnvWj8".to_vec();
        octets.resize(112, 0x5f);
        assert!(answer(&octets));
        assert!(!answer(&octets[1..]));
        assert!(!answer(&octets[..60]));
        let framed = [&[0, 112][..], &octets].concat();
        assert_same_however_cut(answer_over_tcp, &framed);
        assert!(matches!(answer_over_tcp(&framed), Step::Done((), 10)));
        assert!(matches!(
            answer_over_tcp(b"\x00\x20r6fnvWj8"),
            Step::NotThisProtocol(_)
        ));
    }
}
