//! Both sides of one association.

use super::fragments::{Assembler, Whole};
use super::{Fragment, Record, Records, fragment, without_cookie};
use crate::tls::{
    Certificate, ContentType, HandshakeType, MAX_MESSAGE, Message, client_hello, first_certificate,
    server_hello,
};
use crate::{Side, Step, Violation};

/// The session of one association. It keeps the octets of unfinished messages, some 80 KiB per side at most.
#[derive(Debug, Default)]
pub struct Session {
    sides: [Half; 2],
}

/// One side.
#[derive(Debug, Default)]
struct Half {
    assembler: Assembler,
    over: bool,
}

impl Session {
    /// Reads a datagram; answers whether it was DTLS.
    ///
    /// # Errors
    /// When a hello is not readable. The side is over then, the other one may go on.
    pub fn feed(
        &mut self,
        from: Side,
        datagram: &[u8],
        mut emit: impl FnMut(Message<'_>),
    ) -> Result<bool, Violation> {
        let [originator, responder] = &mut self.sides;
        let half = match from {
            Side::Originator => originator,
            Side::Responder => responder,
        };
        let mut known = false;
        for record in Records::new(datagram) {
            known = true;
            if half.over {
                break;
            }
            half.record(record, &mut emit)
                .inspect_err(|_| half.over = true)?;
        }
        Ok(known)
    }

    /// Octets kept of messages that are not whole yet, or wait for their turn.
    #[must_use]
    pub fn held(&self) -> usize {
        self.sides.iter().map(|half| half.assembler.kept()).sum()
    }

    /// Whether nothing more will be read of a side.
    #[must_use]
    pub fn is_over(&self, side: Side) -> bool {
        self.sides.get(side.index()).is_some_and(|half| half.over)
    }
}

impl Half {
    fn record(
        &mut self,
        record: Record<'_>,
        emit: &mut impl FnMut(Message<'_>),
    ) -> Result<(), Violation> {
        match record {
            Record::Clear {
                content_type: ContentType::HANDSHAKE,
                octets,
                ..
            } => self.handshake(octets, emit),
            Record::Clear {
                content_type: ContentType::CHANGE_CIPHER_SPEC,
                ..
            }
            | Record::Encrypted => {
                let mut result = Ok(());
                self.assembler.flush(&mut |whole| {
                    if result.is_ok() {
                        result = read(&whole, emit);
                    }
                });
                emit(Message::Encrypted);
                self.over = true;
                result
            }
            // Alerts, and the acknowledgements of DTLS 1.3.
            Record::Clear { .. } => Ok(()),
        }
    }

    /// A record of handshake fragments; some stacks pack several into one.
    fn handshake(
        &mut self,
        mut octets: &[u8],
        emit: &mut impl FnMut(Message<'_>),
    ) -> Result<(), Violation> {
        while let Step::Done(fragment, used) = fragment(octets) {
            octets = octets.get(used..).unwrap_or_default();
            let Some(whole) = self.whole(&fragment)? else {
                continue;
            };
            let mut result = Ok(());
            self.assembler.order(whole, |whole| {
                if result.is_ok() {
                    result = read(&whole, emit);
                }
            });
            result?;
        }
        Ok(())
    }

    fn whole(&mut self, fragment: &Fragment<'_>) -> Result<Option<Whole>, Violation> {
        if is_read(fragment.kind) && fragment.length <= MAX_MESSAGE {
            return Ok(self.assembler.add(fragment));
        }
        if matches!(
            fragment.kind,
            HandshakeType::CLIENT_HELLO | HandshakeType::SERVER_HELLO
        ) {
            return Err(Violation("DTLS hello over 64 KiB"));
        }
        // Of what is not read, only that it came is told, once.
        let known = self.assembler.is_known(fragment.kind, fragment.message);
        Ok((fragment.offset == 0 && !known).then(|| Whole {
            kind: fragment.kind,
            message: fragment.message,
            body: Vec::new(),
        }))
    }
}

fn read(whole: &Whole, emit: &mut impl FnMut(Message<'_>)) -> Result<(), Violation> {
    match whole.kind {
        HandshakeType::CLIENT_HELLO => {
            let body = without_cookie(&whole.body);
            let hello = body.as_deref().and_then(client_hello);
            emit(Message::ClientHello(
                hello.ok_or(Violation("ClientHello not readable"))?,
            ));
        }
        HandshakeType::SERVER_HELLO => {
            let hello = server_hello(&whole.body).ok_or(Violation("ServerHello not readable"))?;
            emit(if hello.retry {
                Message::HelloRetryRequest(hello)
            } else {
                Message::ServerHello(hello)
            });
        }
        HandshakeType::CERTIFICATE => {
            let first = first_certificate(&whole.body);
            emit(Message::Certificate(first.and_then(Certificate::from_der)));
        }
        kind => emit(Message::Other(kind)),
    }
    Ok(())
}

/// Whether a message is put together to be read; of all others only the first fragment counts.
fn is_read(kind: HandshakeType) -> bool {
    matches!(
        kind,
        HandshakeType::CLIENT_HELLO | HandshakeType::SERVER_HELLO | HandshakeType::CERTIFICATE
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtls::samples::{self, datagram, record};
    use crate::tls::samples as tls;

    const CLIENT: Side = Side::Originator;
    const SERVER: Side = Side::Responder;
    const CERTIFICATE: HandshakeType = HandshakeType::CERTIFICATE;

    fn told(conversation: &[(Side, Vec<u8>)]) -> Vec<String> {
        let mut session = Session::default();
        let mut told = Vec::new();
        for (side, octets) in conversation {
            let mark = if *side == CLIENT { 'C' } else { 'S' };
            session
                .feed(*side, octets, |message| {
                    told.push(format!("{mark} {}", brief(&message)));
                })
                .unwrap();
        }
        told
    }

    fn brief(message: &Message<'_>) -> String {
        match message {
            Message::ClientHello(hello) => {
                let name = hello.server_name().unwrap_or_default();
                format!(
                    "client {} {}",
                    hello.highest_version(),
                    String::from_utf8_lossy(name)
                )
            }
            Message::ServerHello(hello) => format!("server {} {}", hello.version, hello.cipher),
            Message::HelloRetryRequest(_) => "retry".to_owned(),
            Message::Certificate(Some(certificate)) => certificate.subject.clone(),
            Message::Other(kind) => format!("other {}", kind.0),
            other => format!("{other:?}"),
        }
    }

    /// A message in datagrams of `size` octets of its body each.
    fn pieces(kind: HandshakeType, body: &[u8], message: u16, size: usize) -> Vec<Vec<u8>> {
        (0..body.len())
            .step_by(size)
            .map(|from| {
                let part = (from, (from + size).min(body.len()));
                record(22, 0, &samples::fragment(kind, body, message, part))
            })
            .collect()
    }

    #[test]
    fn follows_a_handshake_with_a_cookie_and_a_certificate() {
        let first = samples::client_hello("a.example", &[]);
        let second = samples::client_hello("a.example", &[9; 20]);
        let verify = [&[0xfe, 0xff, 20][..], &[9; 20]].concat();
        let chain = tls::certificate(&[tls::CERTIFICATE]);
        // GnuTLS packs a whole flight into one datagram.
        let flight = [
            datagram(HandshakeType::SERVER_HELLO, &samples::server_hello(), 1),
            datagram(CERTIFICATE, &chain, 2),
            datagram(HandshakeType(12), &[5; 60], 3),
            datagram(HandshakeType(14), &[], 4),
        ]
        .concat();
        let conversation = [
            (CLIENT, datagram(HandshakeType::CLIENT_HELLO, &first, 0)),
            (SERVER, datagram(HandshakeType(3), &verify, 0)),
            (CLIENT, datagram(HandshakeType::CLIENT_HELLO, &second, 1)),
            (SERVER, flight),
            (CLIENT, datagram(HandshakeType(16), &[1; 33], 2)),
            (CLIENT, record(20, 4, &[1])),
        ];
        assert_eq!(
            told(&conversation),
            [
                "C client 1.2 a.example",
                "S other 3",
                "C client 1.2 a.example",
                "S server 1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                "S CN=WIN-TEST,O=Example\\, Inc.,C=CH",
                "S other 12",
                "S other 14",
                "C other 16",
                "C Encrypted",
            ]
        );
    }

    #[test]
    fn puts_fragments_together_that_come_in_reverse_and_twice() {
        let hello = samples::client_hello("fragmented.example", &[]);
        let chain = tls::certificate(&[tls::CERTIFICATE]);
        for size in [1, 7, 50, 97] {
            let size = size.max(chain.len() / 90 + 1);
            let mut client = pieces(HandshakeType::CLIENT_HELLO, &hello, 0, size);
            client.reverse();
            let mut server = pieces(CERTIFICATE, &chain, 2, size);
            server.extend(pieces(CERTIFICATE, &chain, 2, size));
            server.push(datagram(
                HandshakeType::SERVER_HELLO,
                &samples::server_hello(),
                1,
            ));
            server.reverse();
            let conversation: Vec<_> = client
                .into_iter()
                .map(|octets| (CLIENT, octets))
                .chain(server.into_iter().map(|octets| (SERVER, octets)))
                .collect();
            assert_eq!(
                told(&conversation),
                [
                    "C client 1.2 fragmented.example",
                    "S server 1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                    "S CN=WIN-TEST,O=Example\\, Inc.,C=CH",
                ],
                "{size}"
            );
        }
    }

    #[test]
    fn follows_dtls_1_3_by_its_extension() {
        let extensions = [tls::sni("b.example"), (43, vec![2, 0xfe, 0xfc])];
        let body = tls::client_hello(0xfefd, &[0x1301], Some(&extensions));
        let hello = samples::with_cookie(&body, &[]);
        let server = tls::server_hello(0xfefd, [7; 32], 0x1301, Some(&[(43, vec![0xfe, 0xfc])]));
        let conversation = [
            (CLIENT, datagram(HandshakeType::CLIENT_HELLO, &hello, 0)),
            (SERVER, datagram(HandshakeType::SERVER_HELLO, &server, 0)),
            (SERVER, vec![0x2e, 0, 1, 2, 3]),
        ];
        assert_eq!(
            told(&conversation),
            [
                "C client 1.3 b.example",
                "S server 1.3 TLS_AES_128_GCM_SHA256",
                "S Encrypted"
            ]
        );
    }

    #[test]
    fn passes_over_stun_and_srtp_on_the_same_five_tuple() {
        let mut session = Session::default();
        for foreign in [
            &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..],
            &[0x80, 0x60, 1, 2, 3],
            &[],
        ] {
            assert_eq!(session.feed(CLIENT, foreign, |_| {}), Ok(false));
        }
        assert!(!session.is_over(CLIENT));
    }

    #[test]
    fn refuses_a_hello_over_64_kib_and_an_unreadable_one() {
        let mut session = Session::default();
        let bomb = [1, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0];
        assert_eq!(
            session.feed(CLIENT, &record(22, 0, &bomb), |_| {}),
            Err(Violation("DTLS hello over 64 KiB"))
        );
        assert!(session.is_over(CLIENT) && !session.is_over(SERVER));
        let unreadable = datagram(HandshakeType::SERVER_HELLO, &[0xff; 40], 0);
        assert_eq!(
            session.feed(SERVER, &unreadable, |_| {}),
            Err(Violation("ServerHello not readable"))
        );
    }
}
