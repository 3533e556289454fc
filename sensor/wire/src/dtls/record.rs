//! Records (RFC 6347, section 4.1; RFC 9147, section 4) and handshake fragments (RFC 6347, section 4.2.2).

use crate::tls::{ContentType, HandshakeType, MAX_MESSAGE, MAX_RECORD, Version};
use crate::{Reader, Step};

/// A record in a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    /// A record of epoch 0: in clear.
    Clear {
        /// What it carries.
        content_type: ContentType,
        /// Version of the record layer.
        version: Version,
        /// Number of the record within its epoch, 48 bits.
        number: u64,
        /// What it carries, whole.
        octets: &'a [u8],
    },
    /// A record of a later epoch, one with a connection id, or one with the short header of DTLS 1.3.
    Encrypted,
}

/// The records of one datagram, up to the first octets that are none.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: Reader<'a>,
}

impl<'a> Records<'a> {
    /// The records at the start of a datagram.
    #[must_use]
    pub fn new(datagram: &'a [u8]) -> Self {
        Self {
            rest: Reader::new(datagram),
        }
    }

    fn clear_or_encrypted(&mut self) -> Option<Record<'a>> {
        let mut reader = self.rest;
        let content_type = reader.u8()?;
        // The short header of DTLS 1.3 says 001 in its first bits. How long its record is depends on a connection id
        // whose length only the two ends know.
        if content_type & 0xe0 == 0x20 {
            self.rest = Reader::new(&[]);
            return Some(Record::Encrypted);
        }
        let version = Version(reader.u16_be()?);
        if !is_record_version(version) {
            return None;
        }
        let epoch = reader.u16_be()?;
        let (high, low) = (reader.u16_be()?, reader.u32_be()?);
        if content_type == CONNECTION_ID {
            self.rest = Reader::new(&[]);
            return Some(Record::Encrypted);
        }
        if !(20..=26).contains(&content_type) {
            return None;
        }
        let length = usize::from(reader.u16_be()?);
        if length > MAX_RECORD {
            return None;
        }
        let octets = reader.take(length)?;
        self.rest = reader;
        Some(if epoch == 0 {
            Record::Clear {
                content_type: ContentType(content_type),
                version,
                number: u64::from(high) << 32 | u64::from(low),
                octets,
            }
        } else {
            Record::Encrypted
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let record = self.clear_or_encrypted();
        if record.is_none() {
            self.rest = Reader::new(&[]);
        }
        record
    }
}

/// A piece of a handshake message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The message's type.
    pub kind: HandshakeType,
    /// Octets of the whole message's body, [`MAX_MESSAGE`] at most for those that are read.
    pub length: usize,
    /// Number of the message among those of its side.
    pub message: u16,
    /// Where in the body the piece belongs.
    pub offset: usize,
    /// The piece.
    pub octets: &'a [u8],
}

/// The fragment at the start of the octets of a handshake record.
#[must_use]
pub fn fragment(input: &[u8]) -> Step<Fragment<'_>> {
    let mut reader = Reader::new(input);
    let (Some(kind), Some(length), Some(message), Some(offset), Some(size)) = (
        reader.u8(),
        reader.u24_be(),
        reader.u16_be(),
        reader.u24_be(),
        reader.u24_be(),
    ) else {
        return Step::NeedMore(FRAGMENT_HEADER.saturating_sub(input.len()).max(1));
    };
    let [length, offset, size] =
        [length, offset, size].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    if offset.saturating_add(size) > length {
        return Step::NotThisProtocol("DTLS fragment behind its message");
    }
    match reader.take(size) {
        Some(octets) => Step::Done(
            Fragment {
                kind: HandshakeType(kind),
                length,
                message,
                offset,
                octets,
            },
            FRAGMENT_HEADER + size,
        ),
        None => Step::NeedMore(size - reader.left()),
    }
}

/// Whether a datagram opens with a hello of either side: the strict test by which DTLS is recognised.
///
/// The first record is one of epoch 0 with a low number, whole in the datagram, and its first fragment is whole, of a
/// ClientHello, a ServerHello or a HelloVerifyRequest of believable length, with a version of DTLS at its place.
#[must_use]
pub fn opening(datagram: &[u8]) -> Option<HandshakeType> {
    if datagram.first() != Some(&ContentType::HANDSHAKE.0) {
        return None;
    }
    let Some(Record::Clear { number, octets, .. }) = Records::new(datagram).next() else {
        return None;
    };
    let Step::Done(fragment, _) = fragment(octets) else {
        return None;
    };
    let least = match fragment.kind {
        // Version, random, and four lengths at least.
        HandshakeType::CLIENT_HELLO => 2 + 32 + 4,
        HandshakeType::SERVER_HELLO => 2 + 32 + 4,
        HandshakeType::HELLO_VERIFY_REQUEST => 2 + 1,
        _ => return None,
    };
    let believable = (least..=MAX_MESSAGE).contains(&fragment.length)
        && fragment.message <= MAX_FIRST_MESSAGE
        && number <= MAX_FIRST_NUMBER
        && !fragment.octets.is_empty();
    let versioned = fragment.offset > 0
        || Reader::new(fragment.octets)
            .u16_be()
            .is_none_or(|version| is_record_version(Version(version)));
    (believable && versioned).then_some(fragment.kind)
}

/// The body of a ClientHello without its cookie, which makes it one of TLS; `None` when it ends before.
#[must_use]
pub fn without_cookie(body: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(body);
    reader.take(2 + 32)?;
    let session_id = usize::from(reader.u8()?);
    reader.take(session_id)?;
    let before = body.get(..body.len() - reader.left())?;
    let cookie = usize::from(reader.u8()?);
    reader.take(cookie)?;
    Some([before, reader.rest()].concat())
}

/// DTLS 1.0 and 1.2; 1.3 writes 1.2. 0x0100 is what OpenSSL before 0.9.8f and some VPN servers write for 1.0.
fn is_record_version(version: Version) -> bool {
    matches!(
        version,
        Version::DTLS_1_0 | Version::DTLS_1_2 | Version::DTLS_BAD
    )
}

/// Octets before a fragment.
const FRAGMENT_HEADER: usize = 12;

/// Content type of records with a connection id (RFC 9146, section 4).
const CONNECTION_ID: u8 = 25;

/// A first flight has number 0, the one behind a cookie 1.
const MAX_FIRST_MESSAGE: u16 = 3;

/// Hellos are sent again for a minute at most, each in a handful of fragments; a server that was picked up later is not
/// at its hello.
const MAX_FIRST_NUMBER: u64 = 0xffff;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dtls::samples;
    use crate::testing::assert_same_however_cut;

    #[test]
    fn reads_a_fragment_however_cut() {
        let input = [
            1, // ClientHello
            0, 0, 9, // length of the message
            0, 1, // message 1
            0, 0, 4, // offset
            0, 0, 3, // length of the fragment
            7, 8, 9,
        ];
        assert_same_however_cut(
            |input| fragment(input).map(|fragment| (fragment.kind, fragment.octets.to_vec())),
            &input,
        );
        assert_eq!(
            fragment(&input),
            Step::Done(
                Fragment {
                    kind: HandshakeType::CLIENT_HELLO,
                    length: 9,
                    message: 1,
                    offset: 4,
                    octets: &[7, 8, 9],
                },
                15
            )
        );
        let mut behind = input;
        behind[8] = 7;
        assert!(matches!(fragment(&behind), Step::NotThisProtocol(_)));
    }

    #[test]
    fn walks_the_records_of_a_datagram() {
        let datagram = [
            &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 5, 0, 1, 0xaa][..], // handshake
            &[20, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1, 1],        // ChangeCipherSpec
            &[22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 9, 9],     // epoch 1
            &[0x2e, 1, 2, 3], // the short header of DTLS 1.3
        ]
        .concat();
        let kinds: Vec<_> = Records::new(&datagram)
            .map(|record| match record {
                Record::Clear {
                    content_type,
                    number,
                    ..
                } => Some((content_type.0, number)),
                Record::Encrypted => None,
            })
            .collect();
        assert_eq!(kinds, [Some((22, 5)), Some((20, 6)), None, None]);
        let id = [25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3];
        assert_eq!(Records::new(&id).next(), Some(Record::Encrypted));
    }

    #[test]
    fn recognises_the_hellos_of_both_sides() {
        let hello = samples::client_hello("a.example", &[]);
        let client = samples::datagram(HandshakeType::CLIENT_HELLO, &hello, 0);
        assert_eq!(opening(&client), Some(HandshakeType::CLIENT_HELLO));
        let server = samples::datagram(HandshakeType::SERVER_HELLO, &samples::server_hello(), 1);
        assert_eq!(opening(&server), Some(HandshakeType::SERVER_HELLO));
        let verify = samples::datagram(HandshakeType(3), &[0xfe, 0xff, 2, 1, 2], 0);
        assert_eq!(opening(&verify), Some(HandshakeType(3)));
    }

    #[test]
    fn takes_nothing_else_for_an_opening() {
        let hello = samples::client_hello("a.example", &[]);
        let good = samples::datagram(HandshakeType::CLIENT_HELLO, &hello, 0);
        for (place, value, what) in [
            (0, 23, "application data"),
            (1, 3, "TLS"),
            (2, 0xfb, "no version of DTLS"),
            (4, 1, "epoch 1"),
            (5, 1, "a high number"),
            (11, 9, "a record that is longer than the datagram"),
            (13, 11, "a certificate"),
            (14, 1, "over 64 KiB"),
            (18, 9, "the tenth message"),
            (25, 3, "a hello of TLS"),
        ] {
            let mut octets = good.clone();
            octets[place] = value;
            assert_eq!(opening(&octets), None, "{what}");
        }
        assert_eq!(opening(&good[..good.len() - 1]), None);
        assert_eq!(opening(&[]), None);
    }

    #[test]
    fn cuts_the_cookie_out_of_a_hello() {
        let with = samples::client_hello("a.example", &[1, 2, 3]);
        let without = crate::tls::samples::client_hello(
            0xfefd,
            &[0xc02b],
            Some(&[crate::tls::samples::sni("a.example")]),
        );
        assert_eq!(without_cookie(&with), Some(without));
        for cut in 0..39 {
            assert_eq!(without_cookie(&with[..cut.min(38)]), None);
        }
    }

    proptest! {
        #[test]
        fn never_goes_on_forever(datagram in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Records::new(&datagram).count() <= 1 + datagram.len() / 13);
            let _ = opening(&datagram);
            let _ = without_cookie(&datagram);
        }
    }
}
