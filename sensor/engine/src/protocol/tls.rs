//! TLS: the client's hello at once, the server's with its certificate.
//!
//! One `tls` and one `tls_server` a flow. Roles are taken from who sends which hello, never from who opened the flow, and
//! each side is followed for itself: a capture of one direction gives what that direction holds. The session ends as
//! soon as both hellos are known, and waits for a missing one no longer than [`MAX_WAIT`] octets of the other side.

use terrier_wire::tls::{
    self, EncryptedHello, HandshakeType, Ja4Transport, MAX_PROTOCOLS, MAX_SERVER_NAME, Message,
    Sslv2ClientHello, Version,
};
use terrier_wire::{Step, Violation};

use super::{Begins, Emit, Opening, Patience, Probe, Progress, Protocol};
use crate::observation::{
    Carrier, Certificate, Ech, Fact, Frames, Side, TlsClient, TlsServer, Transport,
};

pub(super) const PROTOCOL: Protocol = Protocol {
    name: "tls",
    transport: Transport::Tcp,
    probe,
    start: || Box::<Session>::default(),
    begins: Begins::AtAnySegment,
    patience: Patience::Usual,
};

fn probe(opening: &Opening<'_>) -> Probe {
    match tls::opening(opening.octets) {
        Step::Done(..) => return Probe::Yes,
        Step::NeedMore(_) => return Probe::Maybe,
        Step::NotThisProtocol(_) => {}
    }
    match tls::sslv2_client_hello(opening.octets) {
        Step::Done(..) => Probe::Yes,
        Step::NeedMore(_) => Probe::Maybe,
        Step::NotThisProtocol(_) => Probe::No,
    }
}

/// The session of one TLS connection, on its own or inside another protocol.
///
/// An outer session feeds it both sides from the first octet of TLS on. It takes all octets; once it answers anything but
/// [`Progress::More`] it has said all it will say, and the outer session goes on alone. Where it wants to count encrypted
/// records from then on, it walks the same octets with [`tls::Records`] from the start.
#[derive(Default)]
pub(crate) struct Session {
    wire: tls::Session,
    found: Found,
}

/// What was found, apart from the decoder that finds it.
#[derive(Default)]
struct Found {
    carrier: Option<Carrier>,
    sides: [Half; 2],
    client: Option<Side>,
    server: Server,
}

/// One side of the flow.
#[derive(Default)]
struct Half {
    /// Nothing more is wanted of it.
    over: bool,
    /// Whether it said anything in TLS.
    spoke: bool,
    /// The packets that carried its part.
    frames: Frames,
    /// Octets it sent: until it was over, then since.
    octets: usize,
}

#[derive(Default)]
enum Server {
    #[default]
    Unseen,
    /// Its hello was seen, its certificate is still to come.
    Pending {
        side: Side,
        version: Version,
        cipher: String,
    },
    Emitted,
}

impl Session {
    /// TLS that another protocol carries; `None` is TLS on its own.
    pub(crate) fn inside(carrier: Option<Carrier>) -> Self {
        Self {
            wire: tls::Session::default(),
            found: Found {
                carrier,
                ..Found::default()
            },
        }
    }
}

impl super::Session for Session {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        if octets.is_empty() {
            return Progress::More(0);
        }
        let half = self.found.half(from);
        half.octets = half.octets.saturating_add(octets.len());
        if half.over {
            // The other side's part is missing: it may be lost, or lie in another capture.
            if half.octets > MAX_WAIT {
                self.found.resolve(None, emit);
                return Progress::Finished;
            }
            return Progress::More(octets.len());
        }
        emit.note(&mut half.frames);
        let result = self.wire.feed(from, octets, |message| {
            self.found.take(from, message, emit);
        });
        let mut fault = None;
        if let Err(Violation(why)) = result {
            // A side that never spoke TLS while the other one did, such as a web server's error page for a hello on its
            // clear port, breaks no rule of TLS.
            let other = self.found.half(from.other()).spoke;
            fault = (self.found.half(from).spoke || !other).then_some(why);
            self.found.part_over(from, emit);
        }
        if self.found.half(from).octets > MAX_PART {
            self.found.part_over(from, emit);
        }
        match fault {
            _ if !self.found.all_over() => Progress::More(octets.len()),
            Some(why) => Progress::Violated(why),
            None => Progress::Finished,
        }
    }

    fn gap(&mut self, from: Side, _length: u64, emit: &mut Emit<'_>) -> Progress {
        self.wire.gap(from);
        self.found.part_over(from, emit);
        if self.found.all_over() {
            Progress::Finished
        } else {
            Progress::More(0)
        }
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        self.found.resolve(None, emit);
    }
}

impl Found {
    fn half(&mut self, side: Side) -> &mut Half {
        let [originator, responder] = &mut self.sides;
        match side {
            Side::Originator => originator,
            Side::Responder => responder,
        }
    }

    fn all_over(&self) -> bool {
        self.sides.iter().all(|half| half.over)
    }

    /// Nothing more is wanted of a side, or can be had.
    fn part_over(&mut self, side: Side, emit: &mut Emit<'_>) {
        if self.is_pending(side) {
            self.resolve(None, emit);
        }
        self.close(side);
    }

    fn close(&mut self, side: Side) {
        let half = self.half(side);
        if !half.over {
            half.over = true;
            half.octets = 0;
        }
    }

    fn is_pending(&self, from: Side) -> bool {
        matches!(self.server, Server::Pending { side, .. } if side == from)
    }

    fn take(&mut self, from: Side, message: Message<'_>, emit: &mut Emit<'_>) {
        let half = self.half(from);
        half.spoke = true;
        if half.over {
            return;
        }
        match message {
            Message::ClientHello(hello) => {
                self.client(from, emit, || client_fact(&hello, Ja4Transport::Tcp))
            }
            Message::Sslv2ClientHello(hello) => self.client(from, emit, || sslv2_fact(&hello)),
            Message::ServerHello(hello) => {
                if !matches!(self.server, Server::Unseen) {
                    return;
                }
                self.server = Server::Pending {
                    side: from,
                    version: hello.version,
                    cipher: hello.cipher.to_string(),
                };
                if !hello.version.shows_certificate() {
                    self.part_over(from, emit);
                }
            }
            // Another ClientHello follows, which tells nothing new.
            Message::HelloRetryRequest(_) => {}
            Message::Certificate(certificate) => {
                if self.is_pending(from) {
                    self.resolve(certificate.map(certificate_of), emit);
                    self.close(from);
                }
            }
            Message::Other(HandshakeType::HELLO_REQUEST | HandshakeType::SUPPLEMENTAL_DATA) => {}
            // Whatever else follows a ServerHello says that there is no certificate: a resumed session, or an anonymous
            // key exchange.
            Message::Other(_) => {
                if self.is_pending(from) {
                    self.part_over(from, emit);
                }
            }
            Message::Encrypted => self.part_over(from, emit),
        }
    }

    fn client(&mut self, from: Side, emit: &mut Emit<'_>, fact: impl FnOnce() -> TlsClient) {
        if self.client.is_none() {
            self.client = Some(from);
            let fact = TlsClient {
                client: from,
                inside: self.carrier,
                ..fact()
            };
            emit.fact(&self.half(from).frames, Fact::Tls(fact));
        }
        self.close(from);
    }

    /// Emits the server's part, if its hello was seen.
    fn resolve(&mut self, certificate: Option<Certificate>, emit: &mut Emit<'_>) {
        match std::mem::replace(&mut self.server, Server::Emitted) {
            Server::Pending {
                side,
                version,
                cipher,
            } => {
                let fact = TlsServer {
                    version: version.to_string(),
                    cipher,
                    certificate,
                };
                emit.fact(&self.half(side).frames, Fact::TlsServer(fact));
            }
            before => self.server = before,
        }
    }
}

/// What a hello says, whatever carried it; [`TlsClient::client`] is for the caller to set.
pub(super) fn client_fact(hello: &tls::ClientHello<'_>, transport: Ja4Transport) -> TlsClient {
    TlsClient {
        server_name: hello
            .server_name()
            .map(|name| tls::escaped(name, MAX_SERVER_NAME)),
        alpn: hello
            .alpn()
            .take(MAX_PROTOCOLS)
            .map(|protocol| tls::escaped(protocol, protocol.len()))
            .collect(),
        version: hello.highest_version().to_string(),
        ja3: hello.ja3(),
        ja4: hello.ja4(transport),
        ech: match hello.encrypted_hello() {
            EncryptedHello::None => Ech::None,
            EncryptedHello::Grease => Ech::Grease,
            EncryptedHello::Offered => Ech::Offered,
        },
        client: Side::Originator,
        inside: None,
    }
}

/// JA3 and JA4 are not defined for this form, and stay empty.
fn sslv2_fact(hello: &Sslv2ClientHello) -> TlsClient {
    TlsClient {
        server_name: None,
        alpn: Vec::new(),
        version: hello.version.to_string(),
        ja3: String::new(),
        ja4: String::new(),
        ech: Ech::None,
        client: Side::Originator,
        inside: None,
    }
}

fn certificate_of(certificate: tls::Certificate) -> Certificate {
    Certificate {
        not_after: certificate.not_after_text(),
        sha256: certificate.fingerprint(),
        subject: certificate.subject,
        issuer: certificate.issuer,
        san: certificate.names,
    }
}

/// How many octets of a side whose part is known are let pass while the other side's is missing. In a capture of both
/// sides the server answers before the client has sent more than early data, which servers bound to 16 KiB.
const MAX_WAIT: usize = 64 << 10;

/// How many octets a side may need for its part: alerts, a retry, a hello and a chain of 64 KiB fit many times.
const MAX_PART: usize = 256 << 10;

#[cfg(test)]
mod tests;
