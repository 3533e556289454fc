//! The connections of one five-tuple: which packets belong together, and the hello that they carry.

use sha2::{Digest, Sha256};

use super::frame::{crypto_frames, google_frames};
use super::google::{Chlo, chlo, clear_packet, is_public};
use super::message::{
    ConnectionId, FIXED, Kind, LONG, LongPacket, Protected, long_packet, packets,
};
use super::protection::{Keys, Opened};
use super::stream::CryptoStream;
use super::version::{Suite, Version};
use crate::tls::{ClientHello, HandshakeType, RawMessage, client_hello, handshake_message};
use crate::{Reader, Side, Step, Violation};

/// What a session tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// The datagram carried a part of a hello, which is not whole yet.
    Part,
    /// A client's hello.
    Hello {
        /// The version of the packets that carried it.
        version: Version,
        /// What it says.
        hello: Hello<'a>,
    },
    /// What came of a hello whose rest never did; only at the end of a session.
    Remains {
        /// The version of the packets that carried it.
        version: Version,
        /// What it says, up to where it breaks off.
        hello: ClientHello<'a>,
    },
}

/// A client's hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hello<'a> {
    /// TLS 1.3.
    Tls(ClientHello<'a>),
    /// Google's.
    Google(Chlo<'a>),
}

/// Whether a datagram begins QUIC: a packet with a long header of a version that is known, or, where the version is not
/// known, one that opens with the keys of one that is.
#[must_use]
pub fn begins(datagram: &[u8]) -> bool {
    let Some(&[first, version @ ..]) = datagram.first_chunk::<5>() else {
        return false;
    };
    // Half of all datagrams end here, and nearly all of the other half at the version.
    if first & LONG == 0 {
        return is_public(first) && clear_packet(datagram).is_some();
    }
    let version = Version(u32::from_be_bytes(version));
    let long_enough = datagram.len() >= MIN_DATAGRAM && first & FIXED != 0;
    if !version.may_be_known() && !long_enough {
        return false;
    }
    if version.is_clear() {
        return clear_packet(datagram).is_some();
    }
    let known = version == Version::NEGOTIATION || version.suite().is_some();
    if !known && !long_enough {
        return false;
    }
    let Some((packet, _)) = long_packet(datagram) else {
        return false;
    };
    match packet.kind {
        Kind::Negotiation(list) => list.iter().any(Version::is_known),
        _ if known && first & FIXED != 0 => true,
        _ => opens(&packet),
    }
}

/// Whether a packet is a client's first Initial by its protection.
fn opens(packet: &LongPacket<'_>) -> bool {
    let Kind::Initial(protected) = packet.kind else {
        return false;
    };
    packet.destination.is_initial()
        && protected.missing == 0
        && suites(packet.version).any(|suite| {
            let keys = Keys::client(suite, &packet.destination);
            keys.open(protected, None).is_some()
        })
}

/// The suites that a packet of a version may be protected with.
fn suites(version: Version) -> impl Iterator<Item = Suite> {
    let known = version.suite();
    let tried = if known.is_none() {
        &Suite::TRIED[..]
    } else {
        &[]
    };
    known.into_iter().chain(tried.iter().copied())
}

/// Both directions of one five-tuple, any number of connections one after the other.
#[derive(Default)]
pub struct Session {
    /// The oldest first, [`MAX_CONNECTIONS`] at most.
    connections: Vec<Connection>,
    /// What was told last, [`MAX_TOLD`] at most.
    told: Vec<Told>,
    tries: u16,
}

/// One connection, from the client's first Initial on.
struct Connection {
    client: Side,
    version: Version,
    /// Where the client's first Initial went.
    destination: ConnectionId,
    /// The client's own id.
    source: ConnectionId,
    /// The server's own id, once it has answered.
    server: Option<ConnectionId>,
    /// `None` when its hello was told, or given up.
    pending: Option<Box<Pending>>,
}

/// A hello that is not whole yet.
struct Pending {
    keys: Keys,
    largest: Option<u64>,
    stream: CryptoStream,
}

/// What a repeated hello is known by: the client sends it again after a Retry.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Told {
    random: [u8; 32],
    digest: [u8; 32],
}

impl Session {
    /// Reads one datagram.
    ///
    /// # Errors
    /// When the flow has cost [`MAX_TRIES`] openings: no more of it is read.
    pub fn datagram(
        &mut self,
        from: Side,
        datagram: &[u8],
        mut emit: impl FnMut(Event<'_>),
    ) -> Result<(), Violation> {
        // The bulk of a connection ends here.
        if let Some(&first) = datagram.first()
            && first & LONG == 0
            && !is_public(first)
        {
            return Ok(());
        }
        if let Some(packet) = clear_packet(datagram) {
            self.clear(
                from,
                packet.version,
                packet.connection,
                packet.payload,
                &mut emit,
            );
            return Ok(());
        }
        for packet in packets(datagram) {
            match packet.kind {
                Kind::Initial(protected) => {
                    self.initial(from, &packet, protected, &mut emit)?;
                }
                Kind::Handshake => self.answered(from, &packet),
                Kind::ZeroRtt | Kind::Retry | Kind::Negotiation(_) => {}
            }
        }
        Ok(())
    }

    /// The flow ended: what there is of hellos that never became whole is told.
    pub fn end(&mut self, mut emit: impl FnMut(Event<'_>)) {
        for connection in std::mem::take(&mut self.connections) {
            let Some(pending) = connection.pending else {
                continue;
            };
            let Some((&kind, body)) = pending.stream.start().split_first() else {
                continue;
            };
            // Behind the type stand three octets of length, then version and random.
            let known = |random: &[u8]| self.told.iter().any(|told| told.random == random);
            if HandshakeType(kind) != HandshakeType::CLIENT_HELLO
                || body.get(5..37).is_none_or(known)
            {
                continue;
            }
            let hello = body.get(3..).and_then(client_hello);
            if let Some(hello) = hello.filter(|hello| !hello.extensions.is_empty()) {
                emit(Event::Remains {
                    version: connection.version,
                    hello,
                });
            }
        }
    }

    /// Octets kept for hellos that are not whole yet, and for their keys.
    #[must_use]
    pub fn held(&self) -> usize {
        let pending = self
            .connections
            .iter()
            .filter_map(|one| one.pending.as_ref());
        pending
            .map(|pending| size_of::<Pending>() + pending.stream.kept())
            .sum()
    }

    /// A packet of one of Google's versions in clear.
    fn clear(
        &mut self,
        from: Side,
        version: Version,
        connection: ConnectionId,
        payload: &[u8],
        emit: &mut impl FnMut(Event<'_>),
    ) {
        // The client sends its hello again, longer, when the server has answered; the names stay.
        let told = |known: &Connection| known.destination == connection;
        if self.connections.iter().any(told) {
            return;
        }
        let frames = google_frames(payload, version.google().unwrap_or_default());
        let whole =
            frames
                .filter(|frame| frame.offset == 0)
                .find_map(|frame| match chlo(frame.octets) {
                    Step::Done(hello, _) => Some(hello),
                    _ => None,
                });
        let Some(hello) = whole else { return };
        self.remember(Connection {
            client: from,
            version,
            destination: connection,
            source: ConnectionId::default(),
            server: None,
            pending: None,
        });
        let hello = Hello::Google(hello);
        emit(Event::Hello { version, hello });
    }

    /// An Initial packet: of a connection that is known, of a new one, or a server's.
    fn initial(
        &mut self,
        from: Side,
        packet: &LongPacket<'_>,
        protected: Protected<'_>,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Violation> {
        if self.answered_by(from, packet) {
            return Ok(());
        }
        let addressed = self.connections.iter().position(|connection| {
            connection.client == from
                && connection.version == packet.version
                && (connection.destination == packet.destination
                    || connection.server == Some(packet.destination))
        });
        if let Some(at) = addressed {
            if let Some(opened) = self.open(at, protected)? {
                self.read(at, &opened, emit);
            }
            return Ok(());
        }
        // RFC 9000 asks for 8 octets at least; who makes both ends himself need not care.
        if let Some((keys, opened)) = self.open_first(packet, protected)? {
            let at = self.remember(Connection {
                client: from,
                version: packet.version,
                destination: packet.destination,
                source: packet.source,
                server: None,
                pending: Some(Box::new(Pending {
                    keys,
                    largest: Some(opened.number),
                    stream: CryptoStream::default(),
                })),
            });
            self.read(at, &opened, emit);
            return Ok(());
        }
        // Where the server was not heard, its id is learned from the client.
        for at in 0..self.connections.len() {
            let Some(opened) = self.open_other(at, from, packet, protected)? else {
                continue;
            };
            if let Some(connection) = self.connections.get_mut(at) {
                connection.server = Some(packet.destination);
            }
            self.read(at, &opened, emit);
            break;
        }
        Ok(())
    }

    /// Opens a packet with the keys of a connection whose hello is pending.
    fn open(&mut self, at: usize, packet: Protected<'_>) -> Result<Option<Opened>, Violation> {
        let pending = |connection: &Connection| connection.pending.is_some();
        if !self.connections.get(at).is_some_and(pending) {
            return Ok(None);
        }
        self.count_try()?;
        let connection = self.connections.get_mut(at);
        let Some(pending) = connection.and_then(|connection| connection.pending.as_mut()) else {
            return Ok(None);
        };
        let opened = pending.keys.open(packet, pending.largest);
        if let Some(opened) = &opened {
            pending.largest = pending.largest.max(Some(opened.number));
        }
        Ok(opened)
    }

    /// The same for a packet that is addressed to another id.
    fn open_other(
        &mut self,
        at: usize,
        from: Side,
        packet: &LongPacket<'_>,
        protected: Protected<'_>,
    ) -> Result<Option<Opened>, Violation> {
        let fits = self.connections.get(at).is_some_and(|connection| {
            connection.client == from
                && connection.version == packet.version
                && connection.source == packet.source
                && connection.server.is_none()
        });
        if !fits {
            return Ok(None);
        }
        self.open(at, protected)
    }

    /// Opens a packet as the first one of a connection.
    fn open_first(
        &mut self,
        packet: &LongPacket<'_>,
        protected: Protected<'_>,
    ) -> Result<Option<(Keys, Opened)>, Violation> {
        for suite in suites(packet.version) {
            self.count_try()?;
            let keys = Keys::client(suite, &packet.destination);
            if let Some(opened) = keys.open(protected, None) {
                return Ok(Some((keys, opened)));
            }
        }
        Ok(None)
    }

    fn count_try(&mut self) -> Result<(), Violation> {
        self.tries += 1;
        if self.tries > MAX_TRIES {
            return Err(Violation("too many Initial packets"));
        }
        Ok(())
    }

    /// Notes the id in a server's packet.
    fn answered(&mut self, from: Side, packet: &LongPacket<'_>) {
        self.answered_by(from, packet);
    }

    /// Whether a packet is a server's answer to a connection that is known; then its id is noted.
    fn answered_by(&mut self, from: Side, packet: &LongPacket<'_>) -> bool {
        let mut answers = false;
        for connection in self.connections.iter_mut().rev() {
            if connection.client == from || connection.source != packet.destination {
                continue;
            }
            answers = true;
            // Clients without an id of their own are told apart by who has not been answered yet.
            if connection.server.is_none() {
                connection.server = Some(packet.source);
                break;
            }
        }
        answers
    }

    /// Keeps a connection; the oldest one goes when there are too many.
    fn remember(&mut self, connection: Connection) -> usize {
        if self.connections.len() >= MAX_CONNECTIONS {
            let told = |connection: &Connection| connection.pending.is_none();
            let oldest = self.connections.iter().position(told).unwrap_or_default();
            self.connections.remove(oldest);
        }
        self.connections.push(connection);
        self.connections.len() - 1
    }

    /// Reads the frames of a packet, and tells the hello when it is whole.
    fn read(&mut self, at: usize, opened: &Opened, emit: &mut impl FnMut(Event<'_>)) {
        let Some(connection) = self.connections.get_mut(at) else {
            return;
        };
        let version = connection.version;
        let Some(mut pending) = connection.pending.take() else {
            return;
        };
        let mut grown = false;
        let mut add = |offset, octets: &[u8]| {
            grown = true;
            pending.stream.add(offset, octets);
        };
        match version.google() {
            Some(google) => google_frames(&opened.payload, google)
                .for_each(|frame| add(frame.offset, frame.octets)),
            None => crypto_frames(&opened.payload, opened.extent)
                .for_each(|frame| add(frame.offset, frame.octets)),
        }
        let start = pending.stream.start();
        let hello = if version == Version::Q050 {
            chlo(start).map(|hello| Some(Hello::Google(hello)))
        } else {
            handshake_message(start).map(|message| tls_hello(message).map(Hello::Tls))
        };
        match hello {
            Step::Done(Some(hello), used) => {
                let message = start.get(..used).unwrap_or(start);
                if self.is_new(version, message) {
                    emit(Event::Hello { version, hello });
                }
            }
            Step::NeedMore(_) => {
                if grown {
                    emit(Event::Part);
                }
                connection.pending = Some(pending);
            }
            Step::Done(None, _) | Step::NotThisProtocol(_) => {}
        }
    }

    /// Whether a hello was not told before on this five-tuple; then it is noted.
    fn is_new(&mut self, version: Version, message: &[u8]) -> bool {
        let mut hash = Sha256::new();
        hash.update(version.0.to_be_bytes());
        hash.update(message);
        let mut random = Reader::new(message);
        random.take(4 + 2);
        let told = Told {
            random: random.take_array().unwrap_or_default(),
            digest: hash.finalize().into(),
        };
        if self.told.contains(&told) {
            return false;
        }
        if self.told.len() >= MAX_TOLD {
            self.told.remove(0);
        }
        self.told.push(told);
        true
    }
}

fn tls_hello(message: RawMessage<'_>) -> Option<ClientHello<'_>> {
    if message.kind != HandshakeType::CLIENT_HELLO {
        return None;
    }
    client_hello(message.body)
}

/// How many connections of a five-tuple are followed at once. More than one is rare: a client that came back after a
/// Retry, with another version, or again from the same port.
pub const MAX_CONNECTIONS: usize = 4;

/// How many hellos of a five-tuple are remembered, so that none is told twice.
pub const MAX_TOLD: usize = 8;

/// How many openings a five-tuple may cost, successful or not: some microseconds each. A hello takes one to three;
/// the rest is for retransmissions, and for the clients that reuse a port.
pub const MAX_TRIES: u16 = 256;

/// Octets of a datagram with an Initial packet at least (RFC 9000, section 14.1).
const MIN_DATAGRAM: usize = 1200;

#[cfg(test)]
mod tests;
