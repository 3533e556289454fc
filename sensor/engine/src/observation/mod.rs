//! The facts: the narrow waist of the program.
//!
//! A worker hands out observations, the judge reads them, the outputs write them. An observation says who, when and what
//! was seen, never whether it is bad. The field names of the bodies are the public record format (design, "Records").

mod dns;
mod flow;
mod hosts;
mod http;
mod marks;
mod quic;
mod rdp;
mod rdp_udp;
mod rfb;
mod socks;
mod ssh;
mod tls;
mod websocket;

use serde::ser::SerializeMap;
pub use terrier_wire::Side;

pub use dns::{DnsAnswer, DnsRcode, DnsTransaction, DnsTransport, DnsType, NameService};
pub use flow::{
    EndCause, Endpoint, FirstOctets, FlowEnd, FlowRef, Frames, NameSource, Openings, Oriented,
    Transport, VlanTags,
};
pub use hosts::{Dhcp, Netbios, Suffix};
pub use http::Http;
pub use marks::Marks;
pub use quic::QuicClient;
pub use rdp::{Rdp, RdpClient, RdpFailure};
pub use rdp_udp::RdpUdp;
pub use rfb::{AuthResult, Rfb, RfbAuth, RfbEnd, ServerSide};
pub use socks::Socks;
pub use ssh::Ssh;
pub use tls::{
    Alpn, Carrier, Certificate, Ech, Resume, TlsCipher, TlsClient, TlsClientCertificate, TlsServer,
    TlsVersion,
};
pub use websocket::WebSocket;

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

/// What was seen. Bodies with a `protocol()` are written as observation records, the others are for detections only. Large
/// ones have memory of their own: a fact moves from list to list on its way to the judge, which may be another processor's.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// A DNS question with its answer (or without, when none came).
    Dns(Box<DnsTransaction>),
    /// A complete ClientHello.
    Tls(Box<TlsClient>),
    /// A complete ClientHello over datagrams.
    Dtls(Box<TlsClient>),
    /// A certificate that a client showed.
    TlsClientCertificate(Box<TlsClientCertificate>),
    /// A ServerHello, with the certificate where it is in clear.
    TlsServer(Box<TlsServer>),
    /// A client's hello over QUIC.
    Quic(Box<QuicClient>),
    /// An RFB handshake, however it ended.
    Rfb(Box<Rfb>),
    /// An RDP negotiation: at the Connection Confirm, or when the flow ended without one.
    Rdp(Box<Rdp>),
    /// What an RDP client says of itself where the MCS Connect Initial is in clear.
    RdpClient(Box<RdpClient>),
    /// After an RDP Connection Confirm both sides went on, with TLS or MCS: a session.
    RdpWentOn,
    /// How a log-in by CredSSP inside an RDP session ended, by the sizes of its TLS records: accepted or refused.
    RdpLogin(AuthResult),
    /// A SYN of RDP-UDP, with its answer: at the answer, or when the flow ended without one.
    RdpUdp(Box<RdpUdp>),
    /// A DHCP message.
    Dhcp(Box<Dhcp>),
    /// A message of NetBIOS over UDP.
    Netbios(Box<Netbios>),
    /// An HTTP request with the status of its answer.
    Http(Box<Http>),
    /// Identification and key exchange of an SSH connection.
    Ssh(Box<Ssh>),
    /// A request to a SOCKS proxy and its reply.
    Socks(Box<Socks>),
    /// A WebSocket that was asked for, with what the server said.
    WebSocket(Box<WebSocket>),
    /// A protocol that was recognised by its octets and has little to tell.
    Marks(Marks),
    /// A flow whose protocol no decoder knows, with its first octets, where [`Openings`] ask for them or another protocol
    /// carries it. Never written out: it is payload.
    Unknown(FirstOctets),
    /// A flow ended.
    FlowEnded(Box<FlowEnd>),
}

// One large body among them would be moved with each.
const _: () = assert!(size_of::<Fact>() <= 48);

/// The kinds of facts, by which the judge finds the detections to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FactKind {
    Dns,
    Tls,
    Dtls,
    TlsClientCertificate,
    TlsServer,
    Quic,
    Rfb,
    Rdp,
    RdpClient,
    RdpWentOn,
    RdpLogin,
    RdpUdp,
    Dhcp,
    Netbios,
    Http,
    Ssh,
    Socks,
    WebSocket,
    Marks,
    Unknown,
    FlowEnded,
}

impl FactKind {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::FlowEnded as usize + 1;
}

/// Some kinds of facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FactKinds(u32);

impl FactKinds {
    /// Every kind.
    pub(crate) const ALL: Self = Self(u32::MAX >> (u32::BITS as usize - FactKind::COUNT));

    /// These.
    pub(crate) const fn of(kinds: &[FactKind]) -> Self {
        let mut bits = 0;
        let mut rest = kinds;
        while let [kind, others @ ..] = rest {
            bits |= 1 << *kind as u32;
            rest = others;
        }
        Self(bits)
    }

    /// Whether the kind of this number is among them.
    pub(crate) fn have(self, number: usize) -> bool {
        self.0 >> number & 1 == 1
    }
}

impl Fact {
    /// Of which kind it is.
    #[inline]
    pub(crate) fn kind(&self) -> FactKind {
        match self {
            Self::Dns(_) => FactKind::Dns,
            Self::Tls(_) => FactKind::Tls,
            Self::Dtls(_) => FactKind::Dtls,
            Self::TlsClientCertificate(_) => FactKind::TlsClientCertificate,
            Self::TlsServer(_) => FactKind::TlsServer,
            Self::Quic(_) => FactKind::Quic,
            Self::Rfb(_) => FactKind::Rfb,
            Self::Rdp(_) => FactKind::Rdp,
            Self::RdpClient(_) => FactKind::RdpClient,
            Self::RdpWentOn => FactKind::RdpWentOn,
            Self::RdpLogin(_) => FactKind::RdpLogin,
            Self::RdpUdp(_) => FactKind::RdpUdp,
            Self::Dhcp(_) => FactKind::Dhcp,
            Self::Netbios(_) => FactKind::Netbios,
            Self::Http(_) => FactKind::Http,
            Self::Ssh(_) => FactKind::Ssh,
            Self::Socks(_) => FactKind::Socks,
            Self::WebSocket(_) => FactKind::WebSocket,
            Self::Marks(_) => FactKind::Marks,
            Self::Unknown(_) => FactKind::Unknown,
            Self::FlowEnded(_) => FactKind::FlowEnded,
        }
    }

    /// The `protocol` of its record; none for facts that are not written as observations.
    #[must_use]
    pub fn protocol(&self) -> Option<&'static str> {
        match self {
            Self::Dns(dns) => Some(dns.service.name()),
            Self::Tls(_) => Some("tls"),
            Self::Dtls(_) => Some("dtls"),
            Self::TlsServer(_) => Some("tls_server"),
            Self::Quic(_) => Some("quic"),
            Self::TlsClientCertificate(_) => Some("tls_client"),
            Self::RdpUdp(_) => Some("rdp_udp"),
            Self::Rfb(_) => Some("rfb"),
            Self::Rdp(_) => Some("rdp"),
            Self::RdpClient(_) => Some("rdp_client"),
            Self::Dhcp(_) => Some("dhcp"),
            Self::Netbios(_) => Some("netbios"),
            Self::Http(_) => Some("http"),
            Self::Ssh(_) => Some("ssh"),
            Self::Socks(_) => Some("socks"),
            Self::WebSocket(_) => Some("websocket"),
            Self::Marks(marks) => Some(marks.protocol),
            Self::RdpWentOn | Self::RdpLogin(_) | Self::Unknown(_) | Self::FlowEnded(_) => None,
        }
    }

    /// Whether a detection remembers it until its flow ends, and must be told then.
    pub(crate) fn asks_for_end(&self) -> bool {
        match self {
            Self::Rdp(_) => true,
            Self::Http(http) => http.method == "CONNECT",
            _ => false,
        }
    }

    /// Writes its body into a record, under the name of its protocol.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn write_body<M: SerializeMap>(&self, record: &mut M) -> Result<(), M::Error> {
        match self {
            // mDNS and LLMNR have the body of DNS.
            Self::Dns(body) => record.serialize_entry("dns", body),
            // DTLS has the body of TLS.
            Self::Tls(body) | Self::Dtls(body) => record.serialize_entry("tls", body),
            Self::TlsClientCertificate(body) => record.serialize_entry("tls_client", body),
            Self::RdpUdp(body) => record.serialize_entry("rdp_udp", body),
            Self::TlsServer(body) => record.serialize_entry("tls_server", body),
            Self::Quic(body) => record.serialize_entry("quic", body),
            Self::Rfb(body) => record.serialize_entry("rfb", body),
            Self::Rdp(body) => record.serialize_entry("rdp", body),
            Self::RdpClient(body) => record.serialize_entry("rdp_client", body),
            Self::Dhcp(body) => record.serialize_entry("dhcp", body),
            Self::Netbios(body) => record.serialize_entry("netbios", body),
            Self::Http(body) => record.serialize_entry("http", body),
            Self::Ssh(body) => record.serialize_entry("ssh", body),
            Self::Socks(body) => record.serialize_entry("socks", body),
            Self::WebSocket(body) => record.serialize_entry("websocket", body),
            Self::Marks(body) => record.serialize_entry(body.protocol, body),
            Self::RdpWentOn | Self::RdpLogin(_) | Self::Unknown(_) | Self::FlowEnded(_) => Ok(()),
        }
    }
}
