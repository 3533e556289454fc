//! Both sides of one connection: records and handshake messages over any cuts.

use super::message::{HEADER, TOO_LONG};
use super::sslv2::MAX_HELLO;
use super::{
    Certificate, ClientHello, ContentType, HandshakeType, MAX_MESSAGE, RawMessage, Records,
    ServerHello, Sslv2ClientHello, client_hello, first_certificate, handshake_message,
    server_hello, sslv2_client_hello,
};
use crate::{Side, Step, Violation};

/// What a side said, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// A client's offer; a second one follows a HelloRetryRequest.
    ClientHello(ClientHello<'a>),
    /// A client's offer in SSL 2.0 form.
    Sslv2ClientHello(Sslv2ClientHello),
    /// A server's choice.
    ServerHello(ServerHello<'a>),
    /// The server wants another ClientHello.
    HelloRetryRequest(ServerHello<'a>),
    /// The first certificate of a chain; `None` when the chain is empty or over 64 KiB, or the certificate unreadable.
    Certificate(Option<Certificate>),
    /// Any other handshake message: its type, as soon as that is known.
    Other(HandshakeType),
    /// The clear part of this side is over: a ChangeCipherSpec or application data. No message follows.
    Encrypted,
}

/// The session of one connection. It takes all octets it is shown and keeps those of unfinished messages, at most
/// [`MAX_MESSAGE`] and a header per side.
#[derive(Debug, Default)]
pub struct Session {
    sides: [Half; 2],
}

/// One side.
#[derive(Debug, Default)]
struct Half {
    state: State,
    records: Records,
    /// An unfinished message, its header included; empty between messages.
    message: Vec<u8>,
    /// Octets still to come of a message that nobody reads.
    skip: usize,
    /// Whether this side sent a HelloRetryRequest and no ServerHello since.
    retrying: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was seen.
    #[default]
    Fresh,
    /// A hello in SSL 2.0 form has begun.
    Sslv2,
    /// Records.
    Records,
    /// Encrypted, lost or violated.
    Over,
}

impl Session {
    /// Reads all octets of `input`; the answer is its length.
    ///
    /// # Errors
    /// When the octets are no TLS. The side is over then, the other one may go on.
    pub fn feed(
        &mut self,
        from: Side,
        input: &[u8],
        mut emit: impl FnMut(Message<'_>),
    ) -> Result<usize, Violation> {
        let [originator, responder] = &mut self.sides;
        let (half, other) = match from {
            Side::Originator => (originator, responder),
            Side::Responder => (responder, originator),
        };
        // After a HelloRetryRequest both sides send a ChangeCipherSpec for the eyes of middleboxes only, and go on in
        // clear (RFC 8446, appendix D.4).
        let retrying = half.retrying || other.retrying;
        half.feed(input, retrying, &mut emit)
            .inspect_err(|_| half.over())?;
        Ok(input.len())
    }

    /// Octets of one side were lost. Record boundaries cannot be found again, so the side is over.
    pub fn gap(&mut self, from: Side) {
        if let Some(half) = self.sides.get_mut(from.index()) {
            half.over();
        }
    }

    /// Octets kept of messages that are not whole yet, and room for the rest of them.
    #[must_use]
    pub fn held(&self) -> usize {
        self.sides.iter().map(|half| half.message.capacity()).sum()
    }

    /// Whether nothing more will be read of a side.
    #[must_use]
    pub fn is_over(&self, side: Side) -> bool {
        self.sides
            .get(side.index())
            .is_some_and(|half| half.state == State::Over)
    }
}

impl Half {
    fn over(&mut self) {
        self.state = State::Over;
        self.message = Vec::new();
    }

    fn feed(
        &mut self,
        input: &[u8],
        retrying: bool,
        emit: &mut impl FnMut(Message<'_>),
    ) -> Result<(), Violation> {
        if self.state == State::Fresh {
            match input.first() {
                None => return Ok(()),
                Some(first) if first & 0x80 != 0 => self.state = State::Sslv2,
                Some(_) => self.state = State::Records,
            }
        }
        match self.state {
            State::Sslv2 => self.sslv2(input, emit),
            State::Records => self.records(input, retrying, emit),
            State::Fresh | State::Over => Ok(()),
        }
    }

    fn sslv2(&mut self, input: &[u8], emit: &mut impl FnMut(Message<'_>)) -> Result<(), Violation> {
        let room = MAX_HELLO.saturating_sub(self.message.len());
        self.message
            .extend_from_slice(input.get(..room).unwrap_or(input));
        match sslv2_client_hello(&self.message) {
            Step::Done(hello, _) => {
                emit(Message::Sslv2ClientHello(hello));
                self.over();
                Ok(())
            }
            Step::NeedMore(_) if self.message.len() < MAX_HELLO => Ok(()),
            Step::NeedMore(_) => Err(Violation("ClientHello of SSL 2.0 too long")),
            Step::NotThisProtocol(why) => Err(Violation(why)),
        }
    }

    fn records(
        &mut self,
        mut input: &[u8],
        retrying: bool,
        emit: &mut impl FnMut(Message<'_>),
    ) -> Result<(), Violation> {
        while let Some(fragment) = self.records.next(&mut input)? {
            match fragment.content_type {
                ContentType::HANDSHAKE => self.handshake(fragment.octets, emit)?,
                ContentType::CHANGE_CIPHER_SPEC if retrying || self.retrying => {}
                ContentType::CHANGE_CIPHER_SPEC | ContentType::APPLICATION_DATA => {
                    emit(Message::Encrypted);
                    self.over();
                    return Ok(());
                }
                // Alerts and heartbeats may come at any time, before the hellos too.
                _ => {}
            }
        }
        Ok(())
    }

    fn handshake(
        &mut self,
        mut octets: &[u8],
        emit: &mut impl FnMut(Message<'_>),
    ) -> Result<(), Violation> {
        while !octets.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(octets.len());
                self.skip -= skipped;
                octets = octets.get(skipped..).unwrap_or_default();
                continue;
            }
            // The usual case, a message whole in its record, needs no copy.
            if self.message.is_empty()
                && let Step::Done(message, used) = handshake_message(octets)
            {
                self.read(message, emit)?;
                octets = octets.get(used..).unwrap_or_default();
                continue;
            }
            octets = self.gather(octets, emit)?;
        }
        Ok(())
    }

    /// Adds to the unfinished message and reads it when it is whole; returns the octets behind it.
    fn gather<'a>(
        &mut self,
        octets: &'a [u8],
        emit: &mut impl FnMut(Message<'_>),
    ) -> Result<&'a [u8], Violation> {
        self.make_room(octets);
        let octets = self.append(octets, HEADER);
        let Some(&[kind, a, b, c]) = self.message.first_chunk::<HEADER>() else {
            return Ok(octets);
        };
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        if !is_read(HandshakeType(kind)) {
            self.message = Vec::new();
            self.skip = length;
            self.other(HandshakeType(kind), emit);
            return Ok(octets);
        }
        if length > MAX_MESSAGE {
            // A hello of this length is a bomb; such a chain of certificates is only unusual, and not read.
            if HandshakeType(kind) != HandshakeType::CERTIFICATE {
                return Err(Violation(TOO_LONG));
            }
            self.message = Vec::new();
            self.skip = length;
            emit(Message::Certificate(None));
            return Ok(octets);
        }
        let octets = self.append(octets, HEADER + length);
        if self.message.len() == HEADER + length {
            let whole = std::mem::take(&mut self.message);
            if let Step::Done(message, _) = handshake_message(&whole) {
                self.read(message, emit)?;
            }
        }
        Ok(octets)
    }

    /// Where a message that is gathered begins, its room is made at once: a chain of certificates comes in three segments.
    fn make_room(&mut self, octets: &[u8]) {
        if self.message.is_empty()
            && let Some(&[kind, a, b, c]) = octets.first_chunk::<HEADER>()
            && is_read(HandshakeType(kind))
        {
            let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
            self.message.reserve_exact(HEADER + length.min(ROOM));
        }
    }

    /// Fills the unfinished message up to `wanted` octets; returns the rest.
    fn append<'a>(&mut self, octets: &'a [u8], wanted: usize) -> &'a [u8] {
        let missing = wanted.saturating_sub(self.message.len());
        let (taken, rest) = octets.split_at(missing.min(octets.len()));
        self.message.extend_from_slice(taken);
        rest
    }

    fn read(
        &mut self,
        message: RawMessage<'_>,
        emit: &mut impl FnMut(Message<'_>),
    ) -> Result<(), Violation> {
        match message.kind {
            HandshakeType::CLIENT_HELLO => {
                let hello =
                    client_hello(message.body).ok_or(Violation("ClientHello not readable"))?;
                emit(Message::ClientHello(hello));
            }
            HandshakeType::SERVER_HELLO => {
                let hello =
                    server_hello(message.body).ok_or(Violation("ServerHello not readable"))?;
                self.retrying = hello.retry;
                emit(if hello.retry {
                    Message::HelloRetryRequest(hello)
                } else {
                    Message::ServerHello(hello)
                });
            }
            HandshakeType::CERTIFICATE => {
                let first = first_certificate(message.body);
                emit(Message::Certificate(first.and_then(Certificate::from_der)));
            }
            kind => self.other(kind, emit),
        }
        Ok(())
    }

    fn other(&mut self, kind: HandshakeType, emit: &mut impl FnMut(Message<'_>)) {
        self.retrying |= kind == HandshakeType::HELLO_RETRY_REQUEST;
        emit(Message::Other(kind));
    }
}

/// Room that is made for a message by its own word alone: most chains of certificates are shorter.
const ROOM: usize = 4 << 10;

/// Whether a message is gathered to be read; all others are skipped.
fn is_read(kind: HandshakeType) -> bool {
    matches!(
        kind,
        HandshakeType::CLIENT_HELLO | HandshakeType::SERVER_HELLO | HandshakeType::CERTIFICATE
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::in_pieces;
    use crate::tls::message::RETRY_RANDOM;
    use crate::tls::samples::{self, flight, message, records};

    const CLIENT: Side = Side::Originator;
    const SERVER: Side = Side::Responder;

    /// Everything that a conversation in pieces of `size` octets tells.
    fn told(conversation: &[(Side, &[u8])], size: usize) -> Vec<(Side, String)> {
        let mut session = Session::default();
        let mut told = Vec::new();
        in_pieces(conversation, size, |side, octets| {
            let used = session
                .feed(side, octets, |message| told.push((side, brief(&message))))
                .ok()?;
            assert_eq!(used, octets.len());
            Some(used)
        });
        told
    }

    fn brief(message: &Message<'_>) -> String {
        match message {
            Message::ClientHello(hello) => {
                let name = hello.server_name().unwrap_or_default();
                format!("client {}", String::from_utf8_lossy(name))
            }
            Message::Sslv2ClientHello(hello) => format!("client of SSL 2.0 {}", hello.version),
            Message::ServerHello(hello) => format!("server {}", hello.version),
            Message::HelloRetryRequest(_) => "retry".to_owned(),
            Message::Certificate(Some(certificate)) => {
                format!("certificate {}", certificate.subject)
            }
            Message::Certificate(None) => "certificate not readable".to_owned(),
            Message::Other(kind) => format!("other {}", kind.0),
            Message::Encrypted => "encrypted".to_owned(),
        }
    }

    /// The conversation tells the same in pieces of any size.
    fn check(conversation: &[(Side, &[u8])], wanted: &[(Side, &str)]) {
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(side, text)| (*side, (*text).to_owned()))
            .collect();
        for size in [1, 2, 3, 5, 7, 64, 1000, 1 << 20] {
            assert_eq!(told(conversation, size), wanted, "pieces of {size}");
        }
    }

    const CHANGE_CIPHER_SPEC: &[u8] = &[20, 3, 3, 0, 1, 1];
    const APPLICATION_DATA: &[u8] = &[23, 3, 3, 0, 4, 9, 9, 9, 9];

    #[test]
    fn follows_a_handshake_of_tls_1_2() {
        let client = flight(HandshakeType::CLIENT_HELLO, &samples::chrome("a.example"));
        // One record with four messages, as OpenSSL packs them.
        let server = [
            message(
                HandshakeType::SERVER_HELLO,
                &samples::server_hello(0x0303, [7; 32], 0xc02f, None),
            ),
            message(
                HandshakeType::CERTIFICATE,
                &samples::certificate(&[samples::CERTIFICATE, b"x"]),
            ),
            message(HandshakeType(12), &[5; 200]),
            message(HandshakeType(14), &[]),
        ]
        .concat();
        let server = records(ContentType::HANDSHAKE, &server, 1 << 14);
        let rest = [
            CHANGE_CIPHER_SPEC,
            &[22, 3, 3, 0, 2, 0xee, 0xee],
            APPLICATION_DATA,
        ]
        .concat();
        check(
            &[
                (CLIENT, &client),
                (SERVER, &server),
                (CLIENT, &rest),
                (SERVER, &rest),
            ],
            &[
                (CLIENT, "client a.example"),
                (SERVER, "server 1.2"),
                (SERVER, "certificate CN=WIN-TEST,O=Example\\, Inc.,C=CH"),
                (SERVER, "other 12"),
                (SERVER, "other 14"),
                (CLIENT, "encrypted"),
                (SERVER, "encrypted"),
            ],
        );
    }

    #[test]
    fn follows_a_retry_through_change_cipher_specs() {
        let first = flight(HandshakeType::CLIENT_HELLO, &samples::chrome("a.example"));
        let retry = samples::server_hello(0x0303, RETRY_RANDOM, 0x1301, Some(&[(43, vec![3, 4])]));
        let retry = [
            &flight(HandshakeType::SERVER_HELLO, &retry)[..],
            CHANGE_CIPHER_SPEC,
        ]
        .concat();
        let second = [CHANGE_CIPHER_SPEC, &first].concat();
        let server = [
            &flight(HandshakeType::SERVER_HELLO, &samples::server_hello_1_3())[..],
            APPLICATION_DATA,
        ]
        .concat();
        check(
            &[
                (CLIENT, &first),
                (SERVER, &retry),
                (CLIENT, &second),
                (SERVER, &server),
            ],
            &[
                (CLIENT, "client a.example"),
                (SERVER, "retry"),
                (CLIENT, "client a.example"),
                (SERVER, "server 1.3"),
                (SERVER, "encrypted"),
            ],
        );
    }

    #[test]
    fn reads_messages_over_records_of_any_size() {
        let client = message(HandshakeType::CLIENT_HELLO, &samples::chrome("a.example"));
        let server = message(
            HandshakeType::CERTIFICATE,
            &samples::certificate(&[samples::CERTIFICATE]),
        );
        for size in [1, 2, 3, 4, 5, 100] {
            check(
                &[
                    (CLIENT, &records(ContentType::HANDSHAKE, &client, size)),
                    (SERVER, &records(ContentType::HANDSHAKE, &server, size)),
                ],
                &[
                    (CLIENT, "client a.example"),
                    (SERVER, "certificate CN=WIN-TEST,O=Example\\, Inc.,C=CH"),
                ],
            );
        }
    }

    #[test]
    fn reads_a_hello_of_post_quantum_size_behind_alerts_and_empty_records() {
        let key_share = (51, vec![7; 20_000]);
        let body = samples::client_hello(
            0x0303,
            &[0x1301],
            Some(&[key_share, samples::sni("pq.example")]),
        );
        let hello = flight(HandshakeType::CLIENT_HELLO, &body);
        let stream = [
            &[21, 3, 1, 0, 2, 1, 112][..], // a warning
            &[22, 3, 1, 0, 0],             // an empty record
            &hello,
        ]
        .concat();
        check(&[(CLIENT, &stream)], &[(CLIENT, "client pq.example")]);
    }

    #[test]
    fn reads_a_hello_in_the_form_of_ssl_2() {
        let hello = [
            &[0x80, 0x1c, 1, 3, 1, 0, 3, 0, 0, 0, 16][..], // header
            &[0, 0, 0x2f],                                 // cipher
            &[4; 16],                                      // challenge
        ]
        .concat();
        check(&[(CLIENT, &hello)], &[(CLIENT, "client of SSL 2.0 1.0")]);
    }

    #[test]
    fn a_fault_of_one_side_leaves_the_other_side_alone() {
        let mut session = Session::default();
        assert!(
            session
                .feed(SERVER, b"HTTP/1.1 400 Bad Request\r\n", |_| {})
                .is_err()
        );
        assert!(session.is_over(SERVER) && !session.is_over(CLIENT));
        let mut seen = 0;
        let client = flight(HandshakeType::CLIENT_HELLO, &samples::chrome("a.example"));
        assert_eq!(
            session.feed(CLIENT, &client, |_| seen += 1),
            Ok(client.len())
        );
        assert_eq!(seen, 1);
        session.gap(CLIENT);
        assert!(session.is_over(CLIENT));
    }

    #[test]
    fn refuses_a_hello_over_64_kib_and_an_unreadable_one() {
        let mut session = Session::default();
        let bomb = [22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff];
        assert_eq!(
            session.feed(CLIENT, &bomb, |_| {}),
            Err(Violation(TOO_LONG))
        );
        let unreadable = flight(HandshakeType::SERVER_HELLO, &[0xff; 40]);
        assert_eq!(
            session.feed(SERVER, &unreadable, |_| {}),
            Err(Violation("ServerHello not readable"))
        );
    }

    #[test]
    fn passes_over_a_chain_of_certificates_that_is_too_long() {
        let chain = flight(
            HandshakeType::CERTIFICATE,
            &samples::certificate(&[&[0x30; 70_000]]),
        );
        let done = flight(HandshakeType(14), &[]);
        let told = told(&[(SERVER, &chain), (SERVER, &done)], 1000);
        let told: Vec<_> = told.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(told, ["certificate not readable", "other 14"]);
    }

    #[test]
    fn keeps_no_more_than_one_message() {
        let mut session = Session::default();
        let begin = [22, 3, 1, 0, 4, 1, 1, 0, 0]; // a hello of 64 KiB
        session.feed(CLIENT, &begin, |_| {}).unwrap();
        let piece = records(ContentType::HANDSHAKE, &[0; 4096], 4096);
        for _ in 0..64 {
            if session.feed(CLIENT, &piece, |_| {}).is_err() {
                break;
            }
            assert!(session.sides[0].message.len() <= HEADER + MAX_MESSAGE);
        }
    }
}
