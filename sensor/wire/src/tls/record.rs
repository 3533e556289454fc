//! The record layer (RFC 8446, section 5.1; RFC 5246, section 6.2).

use super::{HandshakeType, MAX_MESSAGE, Version};
use crate::{Reader, Step, Violation};

/// What a record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentType(pub u8);

impl ContentType {
    /// The keys of this side change: up to TLS 1.2 all that follows is encrypted.
    pub const CHANGE_CIPHER_SPEC: Self = Self(20);
    /// A warning or the reason of an end.
    pub const ALERT: Self = Self(21);
    /// Handshake messages, or pieces of them.
    pub const HANDSHAKE: Self = Self(22);
    /// Anything encrypted in TLS 1.3; the application's octets before.
    pub const APPLICATION_DATA: Self = Self(23);
    /// RFC 6520.
    pub const HEARTBEAT: Self = Self(24);
}

/// The first five octets of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// What the record carries; 20 to 24.
    pub content_type: ContentType,
    /// Version of the record layer, 3.0 to 3.4. It says little: TLS 1.3 writes 3.1 or 3.3.
    pub version: Version,
    /// Octets that follow, 0 to [`MAX_RECORD`].
    pub length: u16,
}

/// Reads the header of the record that starts here. The record's octets need not be there.
///
/// A length of 0 is allowed: only application data may be empty by the documents, yet servers skip other empty records.
#[must_use]
pub fn record_header(input: &[u8]) -> Step<RecordHeader> {
    // A prefix that fits is never refused, and one that does not fit is refused at once.
    if input.first().is_some_and(|kind| !(20..=24).contains(kind)) {
        return Step::NotThisProtocol("no TLS content type");
    }
    if input.get(1).is_some_and(|&major| major != 3) || input.get(2).is_some_and(|&minor| minor > 4)
    {
        return Step::NotThisProtocol("no TLS record version");
    }
    if input
        .get(3)
        .is_some_and(|&high| usize::from(high) > MAX_RECORD >> 8)
    {
        return Step::NotThisProtocol("TLS record too long");
    }
    let mut reader = Reader::new(input);
    let (Some(kind), Some(version), Some(length)) = (reader.u8(), reader.u16_be(), reader.u16_be())
    else {
        return Step::NeedMore(RECORD_HEADER.saturating_sub(input.len()).max(1));
    };
    if usize::from(length) > MAX_RECORD {
        return Step::NotThisProtocol("TLS record too long");
    }
    let header = RecordHeader {
        content_type: ContentType(kind),
        version: Version(version),
        length,
    };
    Step::Done(header, RECORD_HEADER)
}

/// Whether a connection opens with a ClientHello or a ServerHello: the strict test by which TLS is recognised.
///
/// It looks through as many records as it needs for the first six octets of the handshake: type, length and version.
/// Alerts and empty records before are passed over, as servers do; what must follow is strict enough. Takes no octets: the session reads them again.
#[must_use]
pub fn opening(input: &[u8]) -> Step<HandshakeType> {
    let mut rest = input;
    let mut records = Records::default();
    let mut start = [0; 6];
    let mut have = 0;
    loop {
        let fragment = match records.next(&mut rest) {
            Ok(Some(fragment)) => fragment,
            Ok(None) => return Step::NeedMore(1),
            Err(Violation(why)) => return Step::NotThisProtocol(why),
        };
        match fragment.content_type {
            ContentType::HANDSHAKE => {}
            // A warning, of two octets always.
            ContentType::ALERT if fragment.header.is_none_or(|header| header.length == 2) => {
                continue;
            }
            _ => return Step::NotThisProtocol("first TLS record carries no handshake"),
        }
        for (slot, octet) in start.iter_mut().skip(have).zip(fragment.octets) {
            *slot = *octet;
            have += 1;
        }
        if let Err(why) = plausible(start.get(..have).unwrap_or_default()) {
            return Step::NotThisProtocol(why);
        }
        if have == start.len() {
            return Step::Done(HandshakeType(start[0]), 0);
        }
    }
}

/// Where in a segment a ClientHello begins that stands behind something else: a preamble that was sent with it, or the
/// header of a protocol that wraps records into its own packets, as MS-TDS does.
///
/// The test is stricter than [`opening`], as octets anywhere may look like a record: record, message and session id agree
/// in their lengths, and so does the list of cipher suites. A hello at the very start is no find. The first
/// [`MAX_BEFORE`] octets are looked at.
#[must_use]
pub fn embedded(segment: &[u8]) -> Option<usize> {
    // Behind the last place that counts there is room for the start of a hello.
    let last = segment.len().checked_sub(HELLO_START)?.min(MAX_BEFORE - 1);
    let searched = segment.get(1..last + 2)?;
    if !has_start(searched) {
        return None;
    }
    let mut places = (1..).zip(searched.windows(2));
    places.find_map(|(place, start)| match start {
        [kind, 3] if *kind == ContentType::HANDSHAKE.0 => {
            is_hello(segment.get(place..)?).map(|()| place)
        }
        _ => None,
    })
}

/// Whether type and major version stand together anywhere: they seldom do by chance. Without a way out in between, many
/// places are looked at together; a search for the type alone would stop in nearly every segment of random octets.
fn has_start(octets: &[u8]) -> bool {
    /// So many places at once.
    const STEP: usize = 32;
    let mut found = [0; STEP];
    let mut look = |block: &[u8; STEP + 1]| {
        for ((found, kind), major) in found.iter_mut().zip(block).zip(block.iter().skip(1)) {
            *found |= u8::from(*kind == ContentType::HANDSHAKE.0) & u8::from(*major == 3);
        }
    };
    let Some(last) = octets.last_chunk() else {
        return octets
            .windows(2)
            .any(|start| start == [ContentType::HANDSHAKE.0, 3]);
    };
    let mut rest = octets;
    while let Some(block) = rest.first_chunk() {
        look(block);
        rest = rest.get(STEP..).unwrap_or_default();
    }
    look(last);
    found != [0; STEP]
}

/// A ClientHello whose start is whole up to its cipher suites, the only message of its first record or cut over several.
fn is_hello(input: &[u8]) -> Option<()> {
    let mut reader = Reader::new(input);
    let (kind, version) = (reader.u8()?, reader.u16_be()?);
    if kind != ContentType::HANDSHAKE.0 || !matches!(version, 0x0300..=0x0303) {
        return None;
    }
    let record = usize::from(reader.u16_be()?);
    let (message, length) = (reader.u8()?, usize::try_from(reader.u24_be()?).ok()?);
    let hello = reader.u16_be()?;
    reader.take(32)?;
    let session_id = usize::from(reader.u8()?);
    reader.take(session_id)?;
    let ciphers = usize::from(reader.u16_be()?);
    let rest = HELLO_LEAST + session_id + ciphers;
    let fits = HandshakeType(message) == HandshakeType::CLIENT_HELLO
        && record == length + 4
        && matches!(hello, 0x0300..=0x0303)
        && matches!(session_id, 0 | 32)
        && ciphers > 0
        && ciphers % 2 == 0
        && rest <= length;
    fits.then_some(())
}

/// Whether these are the first octets of a hello.
fn plausible(start: &[u8]) -> Result<(), &'static str> {
    let mut reader = Reader::new(start);
    let Some(kind) = reader.u8() else {
        return Ok(());
    };
    if !matches!(
        HandshakeType(kind),
        HandshakeType::CLIENT_HELLO | HandshakeType::SERVER_HELLO
    ) {
        return Err("first handshake message is no hello");
    }
    // Version and random alone are 34 octets.
    let Some(length) = reader.u24_be() else {
        return if reader.rest().first().is_some_and(|&high| high > 0) {
            Err("hello length not plausible")
        } else {
            Ok(())
        };
    };
    if !(34..=MAX_MESSAGE).contains(&usize::try_from(length).unwrap_or(usize::MAX)) {
        return Err("hello length not plausible");
    }
    match reader.u8() {
        // 0x7f: the servers of the drafts before 22.
        None | Some(0x03 | 0x7f) => Ok(()),
        Some(_) => Err("hello version not plausible"),
    }
}

/// Walks the records of one side, in pieces of any size.
///
/// It takes every octet it is shown, so that a session that counts encrypted records leaves nothing behind. One record
/// comes as one or more fragments; the first has the header.
#[derive(Debug, Default)]
pub struct Records {
    /// The header as far as it was seen.
    partial: [u8; RECORD_HEADER],
    /// How many octets of `partial` are there.
    have: usize,
    /// What the present record carries, and its octets still to come.
    content_type: Option<ContentType>,
    left: usize,
}

/// A piece of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// What the record carries.
    pub content_type: ContentType,
    /// The record's header, with its first fragment only.
    pub header: Option<RecordHeader>,
    /// Octets of the record; may be empty.
    pub octets: &'a [u8],
}

impl Records {
    /// The next fragment; `input` is advanced behind it. `None` when all octets are taken.
    ///
    /// # Errors
    /// When what follows a record is no record.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Fragment<'a>>, Violation> {
        let mut header = None;
        if self.left == 0 {
            let Some(found) = self.header(input)? else {
                return Ok(None);
            };
            self.left = usize::from(found.length);
            self.content_type = Some(found.content_type);
            header = Some(found);
        }
        let Some(content_type) = self.content_type else {
            return Ok(None);
        };
        if header.is_none() && input.is_empty() {
            return Ok(None);
        }
        let (octets, rest) = input.split_at(self.left.min(input.len()));
        self.left -= octets.len();
        *input = rest;
        Ok(Some(Fragment {
            content_type,
            header,
            octets,
        }))
    }

    fn header(&mut self, input: &mut &[u8]) -> Result<Option<RecordHeader>, Violation> {
        let wanted = RECORD_HEADER - self.have;
        let (octets, rest) = input.split_at(wanted.min(input.len()));
        for (slot, octet) in self.partial.iter_mut().skip(self.have).zip(octets) {
            *slot = *octet;
        }
        self.have += octets.len();
        *input = rest;
        match record_header(self.partial.get(..self.have).unwrap_or_default()) {
            Step::Done(header, _) => {
                self.have = 0;
                Ok(Some(header))
            }
            Step::NeedMore(_) => Ok(None),
            Step::NotThisProtocol(why) => Err(Violation(why)),
        }
    }
}

/// Octets before a hello that are looked at: preambles are lines or short packets.
pub const MAX_BEFORE: usize = 256;

/// Record and message headers, version, random, and the lengths of an empty session id and of the cipher suites.
const HELLO_START: usize = RECORD_HEADER + 4 + 2 + 32 + 1 + 2;

/// A hello without session id and cipher suites: version, random, the lengths of both, one compression method.
const HELLO_LEAST: usize = 2 + 32 + 1 + 2 + 2;

/// Octets of a record header.
pub const RECORD_HEADER: usize = 5;

/// The longest record: 2^14 octets and what compression and encryption may add (RFC 5246, section 6.2.3).
pub const MAX_RECORD: usize = (1 << 14) + 2048;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::assert_same_however_cut;
    use crate::tls::samples;

    #[test]
    fn reads_a_record_header_however_cut() {
        let input = [
            22, // content type: handshake
            3, 1, // record version
            0x48, 0x00, // length: the longest
            1,
        ];
        assert_same_however_cut(record_header, &input);
        assert_eq!(
            record_header(&input),
            Step::Done(
                RecordHeader {
                    content_type: ContentType::HANDSHAKE,
                    version: Version::TLS_1_0,
                    length: 0x4800
                },
                5
            )
        );
    }

    #[test]
    fn refuses_what_is_no_record() {
        for octets in [
            &b"GET / HTTP/1.1"[..],
            &[22, 2],
            &[22, 3, 5],
            &[22, 3, 1, 0x49],
            &[22, 3, 1, 0x48, 0x01],
            &[25],
        ] {
            assert!(
                matches!(record_header(octets), Step::NotThisProtocol(_)),
                "{octets:?}"
            );
        }
    }

    #[test]
    fn recognises_a_hello_in_records_of_one_octet() {
        let mut input = Vec::new();
        for octet in [1, 0, 0, 50, 3, 3] {
            input.extend_from_slice(&[22, 3, 1, 0, 1, octet]);
        }
        assert_same_however_cut(opening, &input);
        assert_eq!(opening(&input), Step::Done(HandshakeType::CLIENT_HELLO, 0));
    }

    #[test]
    fn recognises_a_hello_behind_alerts_and_empty_records() {
        let input = [
            &[21, 3, 1, 0, 2, 1, 112][..], // a warning
            &[22, 3, 1, 0, 0],             // an empty record
            &[22, 3, 1, 0, 54, 1, 0, 0, 50, 3, 3],
        ]
        .concat();
        assert_same_however_cut(opening, &input);
        assert_eq!(opening(&input), Step::Done(HandshakeType::CLIENT_HELLO, 0));
    }

    #[test]
    fn finds_a_hello_behind_a_preamble_in_the_same_segment() {
        let hello = samples::flight(HandshakeType::CLIENT_HELLO, &samples::chrome("a.example"));
        for before in [
            &b"STARTTLS\r\n"[..],
            &[0x12, 1, 0, 200, 0, 0, 0, 0], // the header of MS-TDS
            &[22, 3, 1, 0, 9, 1, 0, 0, 5, 3, 3], // looks like a record
            &[22; 250],
        ] {
            let segment = [before, &hello].concat();
            assert_eq!(embedded(&segment), Some(before.len()), "{before:?}");
            // Up to the list of cipher suites it has to be whole.
            assert_eq!(embedded(&segment[..before.len() + 40]), None);
        }
        assert_eq!(embedded(&hello), None);
        let far = [&[0; 256][..], &hello].concat();
        assert_eq!(embedded(&far), None);
        let mut wrong = [b"x", &hello[..]].concat();
        wrong[5] ^= 1; // length of the record
        assert_eq!(embedded(&wrong), None);
    }

    #[test]
    fn takes_nothing_else_for_an_opening() {
        for octets in [
            &[23, 3, 3, 0, 5, 1, 0, 0, 50, 3, 3][..], // application data
            &[21, 3, 3, 0, 26],                       // an encrypted alert
            &[22, 3, 3, 0, 9, 0],                     // HelloRequest
            &[22, 3, 3, 0, 9, 16],                    // ClientKeyExchange
            &[22, 3, 3, 0, 9, 1, 0, 0, 33],           // too short for version and random
            &[22, 3, 3, 0, 9, 1, 2],                  // over 64 KiB
            &[22, 3, 3, 0, 9, 1, 0, 0, 90, 5],        // no such version
        ] {
            assert!(
                matches!(opening(octets), Step::NotThisProtocol(_)),
                "{octets:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn finds_the_first_hello_of_all_places(
            before in prop::collection::vec(prop::sample::select(vec![22, 3, 0, 1, 7]), 0..300),
            kept in 0_usize..400,
            random in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let hello = samples::flight(HandshakeType::CLIENT_HELLO, &samples::chrome("a.example"));
            let hello = &hello[..kept.min(hello.len())];
            for segment in [[&before, hello].concat(), [&random, hello].concat(), random] {
                let first = (1..MAX_BEFORE.min(segment.len()))
                    .find(|&place| is_hello(&segment[place..]).is_some());
                prop_assert_eq!(embedded(&segment), first);
            }
        }

        #[test]
        fn walks_the_same_records_however_cut(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12),
            size in 1_usize..60,
        ) {
            let mut stream = Vec::new();
            for body in &bodies {
                stream.extend_from_slice(&[23, 3, 3, 0, u8::try_from(body.len()).unwrap()]);
                stream.extend_from_slice(body);
            }
            let mut records = Records::default();
            let mut seen: Vec<Vec<u8>> = Vec::new();
            for mut piece in stream.chunks(size) {
                while let Some(fragment) = records.next(&mut piece).unwrap() {
                    if fragment.header.is_some() {
                        seen.push(Vec::new());
                    }
                    seen.last_mut().unwrap().extend_from_slice(fragment.octets);
                }
                prop_assert!(piece.is_empty());
            }
            prop_assert_eq!(seen, bodies);
        }
    }
}
