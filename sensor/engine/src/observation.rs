//! The facts: the narrow waist of the program.
//!
//! A worker hands out observations, the judge reads them, the outputs write them. An observation says who, when and what
//! was seen, never whether it is bad. The field names of the bodies are the public record format (design, "Records").

use std::net::IpAddr;

use serde::{Serialize, Serializer};
pub use terrier_wire::Side;

/// One fact, with its place in the order of all facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Its place among all facts: the judge reads them in this order.
    pub key: Key,
    /// Time of the packet (or tick) that completed it, in nanoseconds since 1970.
    pub at_ns: i64,
    /// The flow it was seen in.
    pub flow: FlowRef,
    /// Which packets showed it.
    pub frames: Frames,
    /// What was seen.
    pub fact: Fact,
}

/// The order of facts: by the packet or tick that completed it, then by the packet that opened its flow, then as emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key {
    /// `seq` of the packet or tick that completed the fact.
    pub seq: u64,
    /// `seq` of the packet that opened the flow.
    pub opened: u64,
    /// Counts the facts of one packet and flow.
    pub n: u32,
}

/// What was seen. Bodies with a `protocol()` are written as observation records, the others are for detections only.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// A DNS question with its answer (or without, when none came).
    Dns(DnsTransaction),
    /// A complete ClientHello.
    Tls(TlsClient),
    /// A ServerHello, with the certificate where it is in clear.
    TlsServer(TlsServer),
    /// An RFB handshake, however it ended.
    Rfb(Rfb),
    /// An RDP negotiation: at the Connection Confirm, or when the flow ended without one.
    Rdp(Rdp),
    /// What an RDP client says of itself where the MCS Connect Initial is in clear.
    RdpClient(RdpClient),
    /// After an RDP Connection Confirm both sides went on, with TLS or MCS: a session.
    RdpWentOn,
    /// How a log-in by CredSSP inside an RDP session ended, by the sizes of its TLS records: accepted or refused.
    RdpLogin(AuthResult),
    /// An HTTP/1 request with the status of its answer.
    Http(Http),
    /// A flow whose protocol no decoder knows, with its first octets. Never written out: it is payload.
    Unknown(FirstOctets),
    /// A flow ended.
    FlowEnded(FlowEnd),
}

impl Fact {
    /// The `protocol` of its record; none for facts that are not written as observations.
    #[must_use]
    pub fn protocol(&self) -> Option<&'static str> {
        match self {
            Self::Dns(dns) => Some(dns.service.name()),
            Self::Tls(_) => Some("tls"),
            Self::TlsServer(_) => Some("tls_server"),
            Self::Rfb(_) => Some("rfb"),
            Self::Rdp(_) => Some("rdp"),
            Self::RdpClient(_) => Some("rdp_client"),
            Self::Http(_) => Some("http"),
            Self::RdpWentOn | Self::RdpLogin(_) | Self::Unknown(_) | Self::FlowEnded(_) => None,
        }
    }
}

/// A flow, the same in all its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowRef {
    /// Hash of the `seq` that opened it and its five-tuple.
    pub id: u64,
    /// `seq` of the packet that opened it.
    pub opened: u64,
    /// Originator.
    pub orig: Endpoint,
    /// Responder.
    pub resp: Endpoint,
    /// Transport protocol.
    pub transport: Transport,
    /// VLAN ids of the first packet, outermost first.
    pub vlan: VlanTags,
    /// How sure the orientation is.
    pub oriented: Oriented,
}

impl FlowRef {
    /// The endpoint of a side.
    #[must_use]
    pub fn endpoint(&self, side: Side) -> Endpoint {
        match side {
            Side::Originator => self.orig,
            Side::Responder => self.resp,
        }
    }
}

/// An address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Address of the inner IP packet.
    pub ip: IpAddr,
    /// Port in host order.
    pub port: u16,
}

/// A transport protocol that has ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// IP protocol 6.
    Tcp,
    /// IP protocol 17.
    Udp,
}

impl Transport {
    /// Its IP protocol number.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }

    /// As records write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// How the orientation of a flow was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Oriented {
    /// By the TCP handshake.
    Syn,
    /// The first sender is taken as originator.
    Guessed,
}

/// The VLAN ids of a packet, outermost first; the first two are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct VlanTags {
    ids: [u16; Self::MAX],
    count: u8,
}

impl VlanTags {
    /// QinQ has two; a third is met only in tests.
    pub const MAX: usize = 2;

    /// Keeps the id unless the list is full.
    pub fn push(&mut self, id: u16) {
        if let Some(slot) = self.ids.get_mut(usize::from(self.count)) {
            *slot = id & 0x0fff;
            self.count += 1;
        }
    }

    /// The ids, outermost first.
    #[must_use]
    pub fn as_slice(&self) -> &[u16] {
        self.ids.get(..usize::from(self.count)).unwrap_or_default()
    }
}

impl Serialize for VlanTags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}

/// Frame numbers within one capture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frames {
    /// Which capture they belong to, in the order of the command line.
    pub capture: u16,
    /// Ascending, each once, [`Frames::MAX`] at most: the first ones and the last.
    pub numbers: Vec<u64>,
}

impl Frames {
    /// A handshake needs fewer; a slow one must not grow its evidence without end.
    pub const MAX: usize = 24;

    /// A single frame.
    #[must_use]
    pub fn one(capture: u16, frame: u64) -> Self {
        Self {
            capture,
            numbers: vec![frame],
        }
    }

    /// Adds a frame. When the list is full the last entry is replaced. A frame of another capture starts the list anew.
    pub fn add(&mut self, capture: u16, frame: u64) {
        if self.numbers.is_empty() || self.capture != capture {
            self.capture = capture;
            self.numbers.clear();
        }
        match self.numbers.binary_search(&frame) {
            Ok(_) => {}
            Err(_) if self.numbers.len() >= Self::MAX => {
                if let Some(last) = self.numbers.last_mut() {
                    *last = (*last).max(frame);
                }
            }
            Err(place) => self.numbers.insert(place, frame),
        }
    }
}

/// A question to a name service and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DnsTransaction {
    /// The name asked for, as sent; octets that are no printable ASCII, and `\`, are written `\DDD` (RFC 4343, 2.1). No
    /// trailing dot; the root is the empty text.
    pub query: String,
    /// Mnemonic of the registry, else `TYPE<n>` (RFC 3597).
    pub qtype: DnsType,
    /// Mnemonic such as `NOERROR`; `None` when no answer was seen.
    pub rcode: Option<DnsRcode>,
    /// Addresses and names of the answer section, in order, as text; at most [`DnsTransaction::MAX_ANSWERS`].
    pub answers: Vec<String>,
    /// UDP or TCP.
    pub transport: Transport,
    /// Which side of the flow asked.
    #[serde(skip)]
    pub client: Side,
    /// DNS, mDNS or LLMNR.
    #[serde(skip)]
    pub service: NameService,
    /// The addresses of the answer with the name that owns each, the question's name (CNAMEs followed), and its time to
    /// live in seconds.
    #[serde(skip)]
    pub addresses: Vec<(IpAddr, u32)>,
    /// Every other owner and target of a CNAME in the answer, as text.
    #[serde(skip)]
    pub aliases: Vec<String>,
}

impl DnsTransaction {
    /// An answer of 4096 octets can hold about 250 addresses; nobody reads more than this.
    pub const MAX_ANSWERS: usize = 64;
}

/// Which name service a message belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameService {
    /// RFC 1035.
    Dns,
    /// RFC 6762.
    Mdns,
    /// RFC 4795.
    Llmnr,
}

impl NameService {
    /// As records write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Mdns => "mdns",
            Self::Llmnr => "llmnr",
        }
    }
}

/// A type of the DNS registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DnsType(pub u16);

impl Serialize for DnsType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&terrier_wire::dns::TypeName(self.0))
    }
}

/// A response code of the DNS registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DnsRcode(pub u16);

impl Serialize for DnsRcode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&terrier_wire::dns::RcodeName(self.0))
    }
}

/// A ClientHello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsClient {
    /// SNI, as sent (lower-cased only where it is compared).
    pub server_name: Option<String>,
    /// ALPN protocols in order.
    pub alpn: Vec<String>,
    /// Highest version offered: `1.3`, `1.2`, `1.1`, `1.0`, `3.0`.
    pub version: String,
    /// JA3 as 32 hexadecimal digits.
    pub ja3: String,
    /// JA4 (client).
    pub ja4: String,
    /// Encrypted ClientHello.
    pub ech: Ech,
    /// Which side sent it.
    #[serde(skip)]
    pub client: Side,
    /// What carries this TLS: `None` on its own.
    #[serde(skip)]
    pub inside: Option<Carrier>,
}

/// A protocol that carries TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// After the Connection Confirm.
    Rdp,
    /// VeNCrypt, or security type TLS.
    Rfb,
}

/// Encrypted ClientHello, as far as an observer can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ech {
    /// No extension.
    None,
    /// The extension with the marks of GREASE.
    Grease,
    /// The extension.
    Offered,
}

/// A server's answer to a ClientHello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsServer {
    /// Version chosen.
    pub version: String,
    /// IANA name of the cipher suite chosen, or `0x....`.
    pub cipher: String,
    /// First certificate of the chain; `None` from TLS 1.3 on, where it is encrypted.
    pub certificate: Option<Certificate>,
}

/// A certificate in clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Subject, RFC 4514 text.
    pub subject: String,
    /// Issuer, RFC 4514 text.
    pub issuer: String,
    /// DNS names and addresses of the subject alternative name.
    pub san: Vec<String>,
    /// End of validity, RFC 3339.
    pub not_after: String,
    /// Fingerprint of the DER form, 64 hexadecimal digits.
    pub sha256: String,
}

/// An RFB handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rfb {
    /// `003.008`, as the server greeted.
    pub server_version: Option<String>,
    /// As the client answered; `None` when it did not.
    pub client_version: Option<String>,
    /// What the server offered, by the registry's names.
    pub security_types: Vec<String>,
    /// What was chosen, by the registry's name or the number as text.
    pub security_type: Option<String>,
    /// The number of what was chosen.
    pub security_type_code: Option<u32>,
    /// What was chosen inside Tight or VeNCrypt, e.g. `X509Vnc`, `VncAuth`.
    pub security_subtype: Option<String>,
    /// How authentication ended.
    pub auth: RfbAuth,
    /// From ServerInit, control characters left out of its ends.
    pub desktop_name: Option<String>,
    /// Desktop width in pixels.
    pub width: Option<u16>,
    /// Desktop height in pixels.
    pub height: Option<u16>,
    /// Which side is the RFB server: who greeted first.
    pub server: ServerSide,
    /// `tcp`, later `websocket`.
    pub carrier: &'static str,
    /// Which program the server is, where its octets tell.
    pub software: Option<&'static str>,
    /// How far it came.
    #[serde(skip)]
    pub end: RfbEnd,
    /// Whether the session has no password: type None, in Tight's or VeNCrypt's clothes too.
    #[serde(skip)]
    pub no_auth: bool,
}

/// How authentication ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RfbAuth {
    /// Accepted, refused, unknown.
    pub result: AuthResult,
    /// The server's words for a refusal.
    pub reason: Option<String>,
}

/// The result of an authentication as an observer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthResult {
    /// The server said so, or asked for nothing.
    Accepted,
    /// The server said so.
    Refused,
    /// Encrypted, or never seen.
    Unknown,
}

/// How far an RFB handshake came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RfbEnd {
    /// The server greeted; the client never answered with its version line.
    Greeted,
    /// Both gave their version; it ended before a result.
    Abandoned,
    /// The server ended it before authentication: no security types, with its reason.
    Rejected,
    /// The server refused the authentication.
    Refused,
    /// Security passed: a session.
    Session,
}

/// A side, as records write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerSide(pub Side);

impl Serialize for ServerSide {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self.0 {
            Side::Originator => "orig",
            Side::Responder => "resp",
        })
    }
}

/// An RDP negotiation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rdp {
    /// Name in `Cookie: mstshash=`, as sent.
    pub cookie: Option<String>,
    /// Load balancer's token, as sent.
    pub routing_token: Option<String>,
    /// `RDP`, `TLS`, `CredSSP`, `RDSTLS`, `CredSSP_EX`, `RDSAAD`; `RDP` where the request carries no negotiation.
    pub requested: Vec<&'static str>,
    /// One of the same, or the number as text; `None` without a Confirm or with a failure.
    pub selected: Option<String>,
    /// The server's refusal.
    pub failure: Option<RdpFailure>,
    /// Which side is the RDP client: who sent the Connection Request.
    #[serde(skip)]
    pub client: Side,
    /// Whether the server answered with a Connection Confirm of any kind.
    #[serde(skip)]
    pub confirmed: bool,
}

/// A negotiation failure (MS-RDPBCGR 2.2.1.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RdpFailure {
    /// Number on the wire.
    pub code: u32,
    /// Name in the document, or `UNKNOWN`.
    pub name: &'static str,
}

/// What an RDP client says of itself (MS-RDPBCGR 2.2.1.3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RdpClient {
    /// Name of the client's machine.
    pub client_name: Option<String>,
    /// Build number with the product it belongs to, e.g. `2600 (Windows XP)`.
    pub client_build: Option<String>,
    /// Keyboard layout, e.g. `0x00000409 (en-US)`.
    pub keyboard: Option<String>,
}

/// An HTTP/1 request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Http {
    /// Method, as sent.
    pub method: String,
    /// Host header, verbatim.
    pub host: Option<String>,
    /// Request target, as sent, cut to [`Http::MAX_URI`] octets.
    pub uri: String,
    /// Status code of the answer; `None` when none was seen.
    pub status: Option<u16>,
    /// User-Agent header.
    pub user_agent: Option<String>,
    /// Upgrade header of the request.
    pub upgrade: Option<String>,
    /// Which side asked.
    #[serde(skip)]
    pub client: Side,
}

impl Http {
    /// Long enough for every path a signature names.
    pub const MAX_URI: usize = 2048;
}

/// The first octets of each side of a flow that no decoder knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstOctets {
    /// Originator's, responder's; [`FirstOctets::MAX`] at most each.
    pub octets: [Vec<u8>; 2],
}

impl FirstOctets {
    /// Enough for the marks in the knowledge pages.
    pub const MAX: usize = 64;
}

/// The end of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowEnd {
    /// Time of the first packet, in nanoseconds since 1970.
    pub first_ns: i64,
    /// Time of the last packet.
    pub last_ns: i64,
    /// Packets of originator and responder.
    pub packets: [u64; 2],
    /// IP octets of originator and responder, on the wire.
    pub bytes: [u64; 2],
    /// What ended it.
    pub end: EndCause,
}

/// What ended a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// Both sides finished.
    Fin,
    /// A reset.
    Rst,
    /// Nothing more came.
    Idle,
    /// The table was full.
    Evicted,
    /// The input ended.
    EndOfInput,
}
