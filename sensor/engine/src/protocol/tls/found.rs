//! What both sides of one handshake told, over TCP or over datagrams.

use terrier_wire::tls::{
    self, CipherSuite, EncryptedHello, ExtensionType, HandshakeType, Ja4Transport, MAX_PROTOCOLS,
    MAX_SERVER_NAME, Message, Resumption, Sslv2ClientHello, Version,
};

use crate::observation::{
    Alpn, Carrier, Certificate, Ech, Fact, Frames, Resume, Side, TlsCipher, TlsClient,
    TlsClientCertificate, TlsServer, TlsVersion,
};
use crate::protocol::Emit;

/// What was found, apart from the decoder that finds it.
pub(in crate::protocol) struct Found {
    over: Layer,
    carrier: Option<Carrier>,
    sides: [Half; 2],
    client: Option<Hello>,
    server: Server,
    /// Whether the server wants the client's certificate.
    asks_client: bool,
}

/// What the handshake runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::protocol) enum Layer {
    /// TLS.
    Stream,
    /// DTLS.
    Datagrams,
}

impl Layer {
    fn ja4(self) -> Ja4Transport {
        match self {
            Self::Stream => Ja4Transport::Tcp,
            Self::Datagrams => Ja4Transport::Dtls,
        }
    }
}

/// One side of the flow.
#[derive(Default)]
pub(in crate::protocol) struct Half {
    /// Nothing more is wanted of it.
    pub(in crate::protocol) over: bool,
    /// Whether it said anything in TLS.
    pub(in crate::protocol) spoke: bool,
    /// The packets that carried its part.
    pub(in crate::protocol) frames: Frames,
    /// Octets it sent: until it was over, then since.
    pub(in crate::protocol) octets: usize,
}

/// The last hello of a client that was told.
struct Hello {
    side: Side,
    /// [`tls::ClientHello::shape`].
    shape: u64,
    server_name: Option<String>,
    told: u8,
}

#[derive(Default)]
enum Server {
    #[default]
    Unseen,
    /// Its hello was seen, its certificate is still to come.
    Pending(Choice),
    /// All was told.
    Told(Side),
}

/// What a server chose.
struct Choice {
    side: Side,
    version: Version,
    cipher: CipherSuite,
    psk: bool,
}

impl Server {
    fn side(&self) -> Option<Side> {
        match self {
            Self::Unseen => None,
            Self::Pending(choice) => Some(choice.side),
            Self::Told(side) => Some(*side),
        }
    }
}

impl Found {
    pub(in crate::protocol) fn over(layer: Layer, carrier: Option<Carrier>) -> Self {
        Self {
            over: layer,
            carrier,
            sides: Default::default(),
            client: None,
            server: Server::Unseen,
            asks_client: false,
        }
    }

    pub(in crate::protocol) fn half(&mut self, side: Side) -> &mut Half {
        let [originator, responder] = &mut self.sides;
        match side {
            Side::Originator => originator,
            Side::Responder => responder,
        }
    }

    pub(in crate::protocol) fn all_over(&self) -> bool {
        self.sides.iter().all(|half| half.over)
    }

    /// Nothing more is wanted of a side, or can be had.
    pub(in crate::protocol) fn part_over(&mut self, side: Side, emit: &mut Emit<'_>) {
        if self.is_pending(side)
            && let Some((_, fact)) = self.choice(None, false)
        {
            // It is the last thing that is told of the side.
            emit.fact_of(std::mem::take(&mut self.half(side).frames), fact);
        }
        self.close(side);
    }

    /// Closes a side, and the other one too when it is a client of whom nothing more can come in clear.
    fn close(&mut self, side: Side) {
        for side in [side, side.other()] {
            let half = self.half(side);
            if !half.over {
                half.over = true;
                half.octets = 0;
            }
            let client = self.client.as_ref().map(|hello| hello.side);
            if client != Some(side.other()) || self.asks_client {
                return;
            }
        }
    }

    fn is_pending(&self, from: Side) -> bool {
        matches!(&self.server, Server::Pending(choice) if choice.side == from)
    }

    pub(in crate::protocol) fn take(
        &mut self,
        from: Side,
        message: Message<'_>,
        emit: &mut Emit<'_>,
    ) {
        let half = self.half(from);
        half.spoke = true;
        if half.over {
            return;
        }
        match message {
            Message::ClientHello(hello) => {
                let fact = client_fact(&hello, self.over.ja4(), emit.fingerprints());
                self.client(from, hello.shape(), fact, emit);
            }
            Message::Sslv2ClientHello(hello) => {
                self.client(from, 0, sslv2_fact(&hello), emit);
                self.close(from);
            }
            Message::ServerHello(hello) => self.server(from, &hello, emit),
            // Another ClientHello follows.
            Message::HelloRetryRequest(_) => {}
            Message::Certificate(certificate) => {
                self.certificate(from, certificate.map(certificate_of), emit);
            }
            Message::Other(kind) => self.other(from, kind, emit),
            Message::Encrypted => {
                // Right behind the hello it says that an earlier session goes on.
                if self.is_pending(from) {
                    self.resolve(None, true, emit);
                }
                self.close(from);
            }
        }
    }

    /// A client's hello: the first one, and a later one when it is another. A retry mostly repeats the first.
    fn client(&mut self, from: Side, shape: u64, mut fact: TlsClient, emit: &mut Emit<'_>) {
        let told = match &self.client {
            None => 0,
            Some(hello) if hello.side != from => return self.close(from),
            Some(hello) if hello.is_that_of(shape, &fact) || hello.told >= MAX_HELLOS => return,
            Some(hello) => hello.told,
        };
        self.client = Some(Hello {
            side: from,
            shape,
            server_name: fact.server_name.clone(),
            told: told + 1,
        });
        fact.client = from;
        fact.inside = self.carrier;
        let fact = match self.over {
            Layer::Stream => Fact::Tls(Box::new(fact)),
            Layer::Datagrams => Fact::Dtls(Box::new(fact)),
        };
        emit.fact(&self.half(from).frames, fact);
        if self.half(from.other()).over && !self.asks_client {
            self.close(from);
        }
    }

    fn server(&mut self, from: Side, hello: &tls::ServerHello<'_>, emit: &mut Emit<'_>) {
        if self
            .client
            .as_ref()
            .is_some_and(|client| client.side == from)
        {
            return self.close(from);
        }
        if !matches!(self.server, Server::Unseen) {
            return;
        }
        self.server = Server::Pending(Choice {
            side: from,
            version: hello.version,
            cipher: hello.cipher,
            psk: hello.psk,
        });
        if !hello.version.shows_certificate() {
            self.part_over(from, emit);
        }
    }

    fn certificate(&mut self, from: Side, certificate: Option<Certificate>, emit: &mut Emit<'_>) {
        if self.is_pending(from) {
            return self.resolve(certificate, false, emit);
        }
        let client = self.client.as_ref().map(|hello| hello.side);
        if client == Some(from) || self.server.side() == Some(from.other()) {
            if let Some(certificate) = certificate {
                let fact = Fact::TlsClientCertificate(Box::new(TlsClientCertificate {
                    certificate,
                    client: from,
                }));
                emit.fact(&self.half(from).frames, fact);
            }
            self.close(from);
        }
    }

    fn other(&mut self, from: Side, kind: HandshakeType, emit: &mut Emit<'_>) {
        match kind {
            HandshakeType::HELLO_REQUEST
            | HandshakeType::HELLO_VERIFY_REQUEST
            | HandshakeType::HELLO_RETRY_REQUEST
            | HandshakeType::SUPPLEMENTAL_DATA => return,
            HandshakeType::CERTIFICATE_REQUEST => {
                self.asks_client |= self.server.side() == Some(from);
            }
            _ => {}
        }
        if self.is_pending(from) {
            // Behind its hello a server that resumes sends a ticket at most; anything else says that there is no
            // certificate, as with an anonymous key exchange.
            let resumed = kind == HandshakeType::NEW_SESSION_TICKET;
            self.resolve(None, resumed, emit);
        }
        let done = kind == HandshakeType::SERVER_HELLO_DONE;
        if done || self.server.side() != Some(from) {
            self.close(from);
        }
    }

    /// Emits the server's part, if its hello was seen and not told yet.
    pub(in crate::protocol) fn resolve(
        &mut self,
        certificate: Option<Certificate>,
        resumed: bool,
        emit: &mut Emit<'_>,
    ) {
        if let Some((side, fact)) = self.choice(certificate, resumed) {
            emit.fact(&self.half(side).frames, fact);
        }
    }

    /// The server's part, which counts as told, and who is the server.
    fn choice(&mut self, certificate: Option<Certificate>, resumed: bool) -> Option<(Side, Fact)> {
        let Server::Pending(choice) = &self.server else {
            return None;
        };
        let side = choice.side;
        let fact = TlsServer {
            version: TlsVersion(choice.version.0),
            cipher: TlsCipher(choice.cipher.0),
            certificate,
            resumed: resumed || choice.psk,
            client: side.other(),
            inside: self.carrier,
        };
        self.server = Server::Told(side);
        Some((side, Fact::TlsServer(Box::new(fact))))
    }
}

impl Hello {
    fn is_that_of(&self, shape: u64, fact: &TlsClient) -> bool {
        self.shape == shape && self.server_name == fact.server_name
    }
}

pub(in crate::protocol) fn client_fact(
    hello: &tls::ClientHello<'_>,
    over: Ja4Transport,
    fingerprints: bool,
) -> TlsClient {
    let made = |make: &dyn Fn() -> String| {
        if fingerprints { make() } else { String::new() }
    };
    TlsClient {
        server_name: hello
            .server_name()
            .map(|name| tls::escaped(name, MAX_SERVER_NAME)),
        alpn: alpn_of(hello),
        version: TlsVersion(hello.highest_version().0),
        ja3: made(&|| hello.ja3()),
        ja4: made(&|| hello.ja4(over)),
        ech: match hello.encrypted_hello() {
            EncryptedHello::None => Ech::None,
            EncryptedHello::Grease => Ech::Grease,
            EncryptedHello::Offered => Ech::Offered,
        },
        resume: match hello.resumption() {
            Resumption::None => None,
            Resumption::Ticket => Some(Resume::Ticket),
            Resumption::PreSharedKey => Some(Resume::Psk),
        },
        client: Side::Originator,
        inside: None,
    }
}

fn alpn_of(hello: &tls::ClientHello<'_>) -> Alpn {
    let Some(list) = hello.extension(ExtensionType::ALPN) else {
        return Alpn::default();
    };
    // A length before each becomes the end behind it.
    let mut alpn = Alpn::with_capacity(list.len());
    for protocol in hello.alpn().take(MAX_PROTOCOLS) {
        alpn.push_with(|text| tls::escape_into(text, protocol));
    }
    alpn
}

/// JA3 and JA4 are not defined for this form, and stay empty.
fn sslv2_fact(hello: &Sslv2ClientHello) -> TlsClient {
    TlsClient {
        server_name: None,
        alpn: Alpn::default(),
        version: TlsVersion(hello.version.0),
        ja3: String::new(),
        ja4: String::new(),
        ech: Ech::None,
        resume: None,
        client: Side::Originator,
        inside: None,
    }
}

fn certificate_of(certificate: tls::Certificate) -> Certificate {
    Certificate {
        not_before: certificate.not_before_text(),
        not_after: certificate.not_after_text(),
        sha256: certificate.fingerprint(),
        subject: certificate.subject,
        issuer: certificate.issuer,
        san: certificate.names,
    }
}

/// Hellos of one connection that differ: a retry changes the extensions once, a scanner may try on.
const MAX_HELLOS: u8 = 4;
