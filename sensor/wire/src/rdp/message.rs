//! The preconnection PDU, TPKT and X.224, and how RDP is told from others by its first octets.

use crate::{Reader, Step};

use super::negotiation::{ConnectionConfirm, ConnectionRequest};
use super::{mcs, text};

/// A TPDU of X.224 class 0 in its TPKT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tpdu<'a> {
    /// Connection Request: what follows its fixed part.
    ConnectionRequest {
        /// Cookie or token and negotiation.
        variable: &'a [u8],
    },
    /// Connection Confirm.
    ConnectionConfirm {
        /// 0x1234 from Microsoft's servers, 0 from xrdp and FreeRDP.
        source_reference: u16,
        /// The negotiation.
        variable: &'a [u8],
    },
    /// Data: one message of the layer above.
    Data(&'a [u8]),
    /// Any other, by its code (0x80 is a disconnect request).
    Other(u8),
}

/// Reads one TPKT with its TPDU (T.123 section 8, X.224 section 13).
///
/// The TPKT's length alone says where a message ends. The length indicator of X.224 is one octet and at most 254, so a
/// client with a long routing token writes a wrong one; of a Connection Request and Confirm it is not looked at.
#[must_use]
pub fn tpdu(input: &[u8]) -> Step<Tpdu<'_>> {
    if !fits(input, &[Some(TPKT_VERSION), Some(0)]) {
        return Step::NotThisProtocol("no TPKT header");
    }
    let mut reader = Reader::new(input);
    let (Some(_), Some(length)) = (reader.u16_be(), reader.u16_be()) else {
        return Step::NeedMore(TPKT_HEADER - input.len());
    };
    let length = usize::from(length);
    if length < SHORTEST_DATA {
        return Step::NotThisProtocol("TPKT too short for X.224");
    }
    let (Some(indicator), Some(code)) = (reader.u8(), reader.u8()) else {
        return Step::NeedMore(length - input.len());
    };
    let connection = matches!(code, CONNECTION_REQUEST | CONNECTION_CONFIRM);
    if connection && length < FIXED_CONNECTION {
        return Step::NotThisProtocol("TPKT too short for a connection TPDU");
    }
    let header = TPKT_HEADER + 1 + usize::from(indicator);
    if code == DATA && (usize::from(indicator) < 2 || header > length) {
        return Step::NotThisProtocol("X.224 data with a wrong length indicator");
    }
    let Some(message) = input.get(..length) else {
        return Step::NeedMore(length - input.len());
    };
    let after = |fixed: usize| message.get(fixed..).unwrap_or_default();
    let tpdu = match code {
        CONNECTION_REQUEST => Tpdu::ConnectionRequest {
            variable: after(FIXED_CONNECTION),
        },
        CONNECTION_CONFIRM => Tpdu::ConnectionConfirm {
            source_reference: Reader::new(after(8)).u16_be().unwrap_or_default(),
            variable: after(FIXED_CONNECTION),
        },
        DATA => Tpdu::Data(after(header)),
        other => Tpdu::Other(other),
    };
    Step::Done(tpdu, length)
}

/// Says before the Connection Request which of a host's machines is meant (MS-RDPEPS 2.2.1): Hyper-V's console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preconnection {
    /// Version 1 or 2.
    pub version: u32,
    /// Identifies the source; 0 in version 2.
    pub id: u32,
    /// Version 2: for Hyper-V the GUID of a virtual machine.
    pub blob: Option<String>,
}

/// The whole preconnection PDU in octets. A GUID with `;EnhancedMode=1` takes about 130; the format would allow 128 KiB.
pub const MAX_PRECONNECTION: usize = 1024;

/// Reads a preconnection PDU.
#[must_use]
pub fn preconnection(input: &[u8]) -> Step<Preconnection> {
    const REFUSED: &str = "no preconnection PDU";
    // Nearly everything ends at the upper octets of the size.
    if matches!(input, [_, _, low, high, ..] if low | high != 0) {
        return Step::NotThisProtocol(REFUSED);
    }
    let mut start = [None; 12];
    // The two upper octets of the size, and the flags, which must be 0.
    for zero in start.iter_mut().skip(2) {
        *zero = Some(0);
    }
    // The version decides below.
    if let Some(version) = start.get_mut(8) {
        *version = None;
    }
    if !fits(input, &start) {
        return Step::NotThisProtocol(REFUSED);
    }
    let mut reader = Reader::new(input);
    let Some(size) = reader.u16_le().map(usize::from) else {
        return Step::NeedMore(PRECONNECTION_V1 - input.len());
    };
    if (size != PRECONNECTION_V1 && size < PRECONNECTION_V2) || size > MAX_PRECONNECTION {
        return Step::NotThisProtocol(REFUSED);
    }
    let (Some(_), Some(_), Some(version)) = (reader.take(2), reader.u32_le(), reader.u32_le())
    else {
        // The version's first octet is refused as soon as it is here.
        return match input.get(8) {
            Some(0 | 3..) => Step::NotThisProtocol(REFUSED),
            _ => Step::NeedMore(size - input.len()),
        };
    };
    if version != if size == PRECONNECTION_V1 { 1 } else { 2 } {
        return Step::NotThisProtocol(REFUSED);
    }
    if input.len() < size {
        return Step::NeedMore(size - input.len());
    }
    let id = reader.u32_le().unwrap_or_default();
    let blob = reader
        .u16_le()
        .filter(|_| version == 2)
        .map(|count| usize::from(count) * 2)
        .and_then(|octets| reader.take(octets.min(size - PRECONNECTION_V2)))
        .map(text::utf16);
    Step::Done(Preconnection { version, id, blob }, size)
}

/// What a side goes on with after the Connection Confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuation {
    /// A TLS record that carries a handshake message.
    TlsHandshake,
    /// Another TLS record, by its content type: an alert (0x15) where TLS is refused.
    TlsOther(u8),
    /// X.224 data.
    Mcs,
    /// X.224 data with a disconnect of MCS: xrdp that demands TLS confirms without negotiation and then leaves this way.
    McsDisconnect,
    /// Another TPDU, by its code: a disconnect request (0x80).
    OtherTpdu(u8),
}

/// Looks at the first octets of what follows, eight at most; takes none of them.
#[must_use]
pub fn continuation(input: &[u8]) -> Step<Continuation> {
    const REFUSED: &str = "neither TLS nor X.224 after the Connection Confirm";
    // Six octets always do for TLS; where data needs more, that is said below.
    let missing = CONTINUATION.saturating_sub(input.len()).max(1);
    let mut reader = Reader::new(input);
    match input.first() {
        None => Step::NeedMore(missing),
        Some(&TPKT_VERSION) if fits(input, &[Some(TPKT_VERSION), Some(0)]) => {
            let (Some(_), Some(length)) = (reader.u16_be(), reader.u16_be()) else {
                return Step::NeedMore(missing);
            };
            if usize::from(length) < SHORTEST_DATA {
                return Step::NotThisProtocol(REFUSED);
            }
            match (reader.u8(), reader.u8()) {
                (Some(_), Some(DATA)) => continuation_in_data(reader, usize::from(length)),
                (Some(_), Some(code)) => Step::Done(Continuation::OtherTpdu(code), 0),
                _ => Step::NeedMore(missing),
            }
        }
        Some(&content @ 0x14..=0x17) if fits(input, &[None, Some(3)]) => {
            if input.get(2).is_some_and(|&minor| minor > 4) {
                return Step::NotThisProtocol(REFUSED);
            }
            let (Some(_), Some(length)) = (reader.take(3), reader.u16_be()) else {
                return Step::NeedMore(missing);
            };
            match (length, reader.u8()) {
                (0 | MAX_TLS_RECORD.., _) => Step::NotThisProtocol(REFUSED),
                (_, None) => Step::NeedMore(missing),
                _ if content == TLS_HANDSHAKE => Step::Done(Continuation::TlsHandshake, 0),
                _ => Step::Done(Continuation::TlsOther(content), 0),
            }
        }
        // A ClientHello in the form of SSL 2.0, as OpenSSL sent it until 1.0.
        Some(0x80..) if fits(input, &[None, None, Some(1), Some(3)]) => {
            if input.len() < CONTINUATION {
                return Step::NeedMore(missing);
            }
            Step::Done(Continuation::TlsHandshake, 0)
        }
        Some(_) => Step::NotThisProtocol(REFUSED),
    }
}

/// By the MCS message in X.224 data, read up to its code. The choice stands in the upper six bits of its first octet.
fn continuation_in_data(mut reader: Reader<'_>, length: usize) -> Step<Continuation> {
    if length == SHORTEST_DATA {
        return Step::Done(Continuation::OtherTpdu(DATA), 0);
    }
    let missing = 2usize.saturating_sub(reader.left()).max(1);
    let (Some(_), Some(choice)) = (reader.u8(), reader.u8()) else {
        return Step::NeedMore(missing);
    };
    match choice >> 2 {
        DISCONNECT_ULTIMATUM => Step::Done(Continuation::McsDisconnect, 0),
        _ => Step::Done(Continuation::Mcs, 0),
    }
}

/// Which role sent what was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// It sent a Connection Request, or an MCS Connect Initial.
    Client,
    /// It sent a Connection Confirm.
    Server,
}

/// Tells RDP from others by the first message of one side. Takes nothing.
///
/// `default_port` says whether the server of that message has port 3389: only there a connection TPDU without any mark
/// of RDP counts.
#[must_use]
pub fn recognise(input: &[u8], default_port: bool) -> Step<Sender> {
    const REFUSED: &str = "no mark of RDP";
    let (input, skipped) = match preconnection(input) {
        Step::Done(_, used) => (input.get(used..).unwrap_or_default(), true),
        Step::NeedMore(missing) => return Step::NeedMore(missing),
        Step::NotThisProtocol(_) => (input, false),
    };
    // H.225 and others are refused before their message is whole.
    if input
        .get(TPKT_HEADER + 1)
        .is_some_and(|code| !matches!(*code, CONNECTION_REQUEST | CONNECTION_CONFIRM | DATA))
    {
        return Step::NotThisProtocol(REFUSED);
    }
    let message = match tpdu(input) {
        Step::Done(message, _) => message,
        Step::NeedMore(missing) => return Step::NeedMore(missing),
        Step::NotThisProtocol(_) => return Step::NotThisProtocol(REFUSED),
    };
    let sender = match message {
        Tpdu::ConnectionRequest { variable } => match ConnectionRequest::read(variable) {
            Ok(request) if request.has_mark() || default_port || skipped => Some(Sender::Client),
            _ => None,
        },
        Tpdu::ConnectionConfirm {
            source_reference,
            variable,
        } if !skipped => match ConnectionConfirm::read(source_reference, variable) {
            Ok(confirm) if confirm.has_mark() || default_port => Some(Sender::Server),
            _ => None,
        },
        // A capture that began after the Confirm.
        Tpdu::Data(data) if !skipped => mcs::connect_initial(data).map(|_| Sender::Client),
        _ => None,
    };
    sender.map_or(Step::NotThisProtocol(REFUSED), |sender| {
        Step::Done(sender, 0)
    })
}

/// Whether the octets so far agree with a pattern; `None` in it stands for any octet.
fn fits(input: &[u8], pattern: &[Option<u8>]) -> bool {
    input
        .iter()
        .zip(pattern)
        .all(|(&octet, &want)| want.is_none_or(|want| want == octet))
}

/// Version 3, one reserved octet, length of the whole message.
const TPKT_HEADER: usize = 4;
const TPKT_VERSION: u8 = 3;
/// TPKT header and the three octets of a data TPDU.
const SHORTEST_DATA: usize = 7;
/// TPKT header, length indicator, code, two references, class.
const FIXED_CONNECTION: usize = 11;
const CONNECTION_REQUEST: u8 = 0xe0;
const CONNECTION_CONFIRM: u8 = 0xd0;
const DATA: u8 = 0xf0;
const PRECONNECTION_V1: usize = 16;
/// Version 2 adds a count of characters.
const PRECONNECTION_V2: usize = 18;
/// Enough to know a TLS record or a TPDU by.
const CONTINUATION: usize = 6;
/// T.125 section 7: DisconnectProviderUltimatum.
const DISCONNECT_ULTIMATUM: u8 = 8;
const TLS_HANDSHAKE: u8 = 0x16;
/// One above the longest record of any version (RFC 5246, 6.2.3: 2^14 + 2048).
const MAX_TLS_RECORD: u16 = 0x4801;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples::{
        BARE_CONFIRM, REQUEST_WITHOUT_COOKIE, confirm, connect_initial, cookie_request, core, data,
        hello, request, tpkt,
    };
    use super::*;
    use crate::testing::assert_same_however_cut;

    /// [`tpdu`] without its borrow.
    fn shown(input: &[u8]) -> Step<String> {
        tpdu(input).map(|tpdu| format!("{tpdu:?}"))
    }

    fn recognised(input: &[u8]) -> Step<Sender> {
        assert_same_however_cut(|input| recognise(input, false), input);
        assert_same_however_cut(|input| recognise(input, true), input);
        recognise(input, false)
    }

    #[test]
    fn recognises_a_request_by_its_cookie_on_any_port() {
        let input = cookie_request("JOHN-PC  ", 0);
        assert_eq!(recognised(&input), Step::Done(Sender::Client, 0));
        let only_cookie = request(b"Cookie: mstshash=Administr\r\n");
        assert_eq!(recognised(&only_cookie), Step::Done(Sender::Client, 0));
    }

    #[test]
    fn recognises_a_request_without_cookie_by_its_negotiation() {
        assert_eq!(
            recognised(REQUEST_WITHOUT_COOKIE),
            Step::Done(Sender::Client, 0)
        );
    }

    #[test]
    fn recognises_a_bare_request_only_on_its_port() {
        let bare = request(b"");
        assert!(matches!(recognised(&bare), Step::NotThisProtocol(_)));
        assert_eq!(recognise(&bare, true), Step::Done(Sender::Client, 0));
        assert!(matches!(recognised(BARE_CONFIRM), Step::NotThisProtocol(_)));
        assert_eq!(recognise(BARE_CONFIRM, true), Step::Done(Sender::Server, 0));
    }

    #[test]
    fn recognises_an_unknown_token_only_on_its_port() {
        let input = request(b"gateway-7\r\n");
        assert!(matches!(recognised(&input), Step::NotThisProtocol(_)));
        assert_eq!(recognise(&input, true), Step::Done(Sender::Client, 0));
    }

    #[test]
    fn recognises_a_confirm_seen_alone() {
        let selected = confirm(2, 0x1f, 8);
        assert_eq!(recognised(&selected), Step::Done(Sender::Server, 0));
        let failed = confirm(3, 0, 5);
        assert_eq!(recognised(&failed), Step::Done(Sender::Server, 0));
    }

    #[test]
    fn recognises_a_connect_initial_in_mid_flow() {
        let input = connect_initial(&[core("LAPTOP-7", 2600, 0x409)]);
        assert_eq!(recognised(&input), Step::Done(Sender::Client, 0));
        // Another user of T.120 (NetMeeting) has no such key.
        let other = data(&[0x7f, 0x65, 0x03, 0x04, 0x01, 0x01]);
        assert!(matches!(recognised(&other), Step::NotThisProtocol(_)));
    }

    #[test]
    fn leaves_iso_transport_alone_even_on_its_port() {
        let s7comm = [
            0x03, 0x00, 0x00, 0x16, // TPKT: length 22
            0x11, 0xe0, 0x00, 0x00, 0x00, 0x01,
            0x00, // Connection Request, source reference 1
            0xc0, 0x01, 0x0a, // TPDU size 1024
            0xc1, 0x02, 0x01, 0x00, // calling selector
            0xc2, 0x02, 0x01, 0x02, // called selector
        ];
        assert!(matches!(recognised(&s7comm), Step::NotThisProtocol(_)));
        assert!(matches!(recognise(&s7comm, true), Step::NotThisProtocol(_)));
    }

    #[test]
    fn leaves_call_signalling_alone_before_it_is_whole() {
        // H.225 in Q.931: discriminator 8, a call reference of 2 octets, SETUP.
        let h225 = [0x03, 0x00, 0x01, 0x2c, 0x08, 0x02, 0x00, 0x01, 0x05];
        assert!(matches!(recognised(&h225), Step::NotThisProtocol(_)));
        assert!(matches!(recognise(&h225, true), Step::NotThisProtocol(_)));
    }

    #[test]
    fn reads_a_request_whose_length_indicator_cannot_hold_its_length() {
        let token = format!(
            "tsv://MS Terminal Services Plugin.1.{}\r\n",
            "x".repeat(300)
        );
        let input = request(token.as_bytes());
        assert_eq!(usize::from(input[4]), (token.len() + 6) & 0xff);
        assert_eq!(
            tpdu(&input),
            Step::Done(
                Tpdu::ConnectionRequest {
                    variable: token.as_bytes()
                },
                input.len()
            )
        );
        assert_eq!(recognise(&input, false), Step::Done(Sender::Client, 0));
    }

    #[test]
    fn reads_each_tpdu() {
        let check = |input: &[u8], expected: Tpdu<'_>| {
            assert_same_however_cut(shown, input);
            assert_eq!(tpdu(input), Step::Done(expected, input.len()));
        };
        check(
            BARE_CONFIRM,
            Tpdu::ConnectionConfirm {
                source_reference: 0x1234,
                variable: b"",
            },
        );
        check(&data(b"xyz"), Tpdu::Data(b"xyz"));
        // Disconnect request.
        check(&tpkt(&[0x06, 0x80, 0, 0, 0, 0, 0]), Tpdu::Other(0x80));
        for refused in [
            &tpkt(&[0x01, 0xf0, 0x80])[..],
            &tpkt(&[0x09, 0xf0, 0x80]),
            &tpkt(&[0x05, 0xe0, 0, 0, 0, 0]),
            &tpkt(&[0x02, 0xf0]),
            &[0x03, 0x01],
            b"GET / HTTP/1.1\r\n",
        ] {
            assert_same_however_cut(shown, refused);
            assert!(matches!(tpdu(refused), Step::NotThisProtocol(_)));
        }
    }

    #[test]
    fn reads_both_versions_of_the_preconnection_pdu() {
        let first = [
            0x10, 0x00, 0x00, 0x00, // size 16
            0x00, 0x00, 0x00, 0x00, // flags
            0x01, 0x00, 0x00, 0x00, // version 1
            0x2a, 0x00, 0x00, 0x00, // id 42
        ];
        assert_same_however_cut(preconnection, &first);
        let expected = Preconnection {
            version: 1,
            id: 42,
            blob: None,
        };
        assert_eq!(preconnection(&first), Step::Done(expected, 16));

        let mut second = vec![
            0x18, 0x00, 0x00, 0x00, // size 24
            0x00, 0x00, 0x00, 0x00, // flags
            0x02, 0x00, 0x00, 0x00, // version 2
            0x00, 0x00, 0x00, 0x00, // id
            0x03, 0x00, // three characters
            b'V', 0x00, b'M', 0x00, 0x00, 0x00,
        ];
        assert_same_however_cut(preconnection, &second);
        let Step::Done(read, 24) = preconnection(&second) else {
            panic!("not read");
        };
        assert_eq!(read.blob.as_deref(), Some("VM"));
        // The request after it has no mark of its own; the preconnection PDU is one.
        second.extend(request(b""));
        assert_eq!(recognised(&second), Step::Done(Sender::Client, 0));
    }

    #[test]
    fn tells_what_a_side_goes_on_with() {
        let check = |input: &[u8], expected: Continuation| {
            assert_same_however_cut(continuation, input);
            assert_eq!(continuation(input), Step::Done(expected, 0));
        };
        check(&hello(1), Continuation::TlsHandshake);
        check(
            &[0x80, 0x2e, 0x01, 0x03, 0x01, 0x00, 0x15],
            Continuation::TlsHandshake,
        );
        check(
            &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28],
            Continuation::TlsOther(0x15),
        );
        check(&data(b"\x7f\x65"), Continuation::Mcs);
        check(&data(b"\x21\x80"), Continuation::McsDisconnect);
        check(&data(b""), Continuation::OtherTpdu(0xf0));
        check(
            &tpkt(&[0x06, 0x80, 0, 0, 0, 0, 0]),
            Continuation::OtherTpdu(0x80),
        );
        for refused in [
            &b"SSH-2.0-x\r\n"[..],
            &[0x16, 0x03, 0x05, 0x00, 0x20, 0x01],
            &[0x16, 0x03, 0x01, 0x00, 0x00, 0x01],
            &[0x16, 0x03, 0x01, 0x48, 0x01, 0x01],
            &[0x03, 0x00, 0x00, 0x04, 0x02, 0xf0],
        ] {
            assert_same_however_cut(continuation, refused);
            assert!(matches!(continuation(refused), Step::NotThisProtocol(_)));
        }
    }

    proptest! {
        #[test]
        fn answers_alike_however_random_octets_are_cut(
            head in prop::sample::select(vec![&b""[..], &[3, 0, 0], &[3, 0, 0, 40, 35, 0xe0], &[18, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]]),
            tail in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let input = [head, &tail].concat();
            assert_same_however_cut(shown, &input);
            assert_same_however_cut(preconnection, &input);
            assert_same_however_cut(continuation, &input);
            assert_same_however_cut(|input| recognise(input, false), &input);
            assert_same_however_cut(|input| recognise(input, true), &input);
        }
    }
}
