//! QUIC: the client's hello, each connection of a five-tuple once.
//!
//! Roles are taken from who sends the hello, never from who opened the flow. The flow is left after [`MAX_SHORT`] packets
//! without a long header: until then a client may come again from the same port, with a resumed session mostly.

use terrier_wire::Violation;
use terrier_wire::quic::{self, Chlo, Event, Hello, Version};
use terrier_wire::tls::{self, Ja4Transport, MAX_SERVER_NAME};

use super::tls::client_fact;
use super::{Begins, Emit, LENGTH, Octets, Opening, Patience, Probe, Progress, Protocol, Shape};
use crate::observation::{Alpn, Ech, Fact, Frames, QuicClient, Side, TlsClient, Transport};

pub(super) const PROTOCOL: Protocol = Protocol {
    name: "quic",
    transport: Transport::Udp,
    sees: "SNI, ALPN, version, JA3, JA4, ECH of each hello: versions 1 and 2, drafts from 22 on, mvfst, Google's own",
    probe,
    start: || Box::<Session>::default(),
    begins: Begins::AtTheStart,
    shapes: SHAPES,
    patience: Patience::Usual,
};

/// A long header of a version that may be known, or of any in a datagram of the length that a client's first one must have;
/// the flags of Google's older versions.
const SHAPES: &[Shape] = &[
    Shape::at(&[
        (0, Octets::masked(0x80, 0x80)),
        (1, Octets::among(b"\0QT\x6b\x70\xfa\xff")),
    ]),
    Shape::at(&[(0, Octets::masked(0xc0, 0xc0)), (LENGTH, Octets::of(255))]),
    Shape::at(&[(0, Octets::masked(0xcb, 0x09))]),
];

fn probe(opening: &Opening<'_>) -> Probe {
    if quic::begins(opening.octets) {
        Probe::Yes
    } else {
        Probe::No
    }
}

/// The connections of one flow.
#[derive(Default)]
struct Session {
    wire: quic::Session,
    /// The packets since the last hello that carried a part of one.
    frames: Frames,
    /// Who sent the last part.
    client: Option<Side>,
    /// Packets without a long header.
    short: u16,
}

impl super::Session for Session {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        if octets.first().is_some_and(|first| first & LONG == 0) {
            self.short += 1;
            if self.short > MAX_SHORT {
                self.end(emit);
                return Progress::Finished;
            }
        }
        let (frames, client) = (&mut self.frames, &mut self.client);
        let mut in_clear = false;
        let read = self.wire.datagram(from, octets, |event| {
            emit.note(frames);
            *client = Some(from);
            if let Event::Hello { version, hello } = event {
                in_clear |= version.is_clear();
                let fact = match hello {
                    Hello::Tls(hello) => tls_fact(version, &hello, from, emit.fingerprints()),
                    Hello::Google(hello) => google_fact(version, &hello, from),
                };
                emit.fact(&std::mem::take(frames), Fact::Quic(Box::new(fact)));
            }
        });
        match read {
            Err(Violation(why)) => {
                self.end(emit);
                Progress::Violated(why)
            }
            // These versions have no form by which a later connection is known.
            Ok(()) if in_clear => Progress::Finished,
            Ok(()) => Progress::More(octets.len()),
        }
    }

    fn gap(&mut self, _from: Side, _length: u64, _emit: &mut Emit<'_>) -> Progress {
        // A lost datagram is no gap.
        Progress::More(0)
    }

    fn held(&self) -> usize {
        self.wire.held()
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        let client = self.client.unwrap_or(Side::Originator);
        let frames = &self.frames;
        self.wire.end(|event| {
            if let Event::Remains { version, hello } = event {
                let fact = QuicClient {
                    partial: true,
                    // The fingerprint of a part would be that of another program.
                    ..tls_fact(version, &hello, client, false)
                };
                emit.fact(frames, Fact::Quic(Box::new(fact)));
            }
        });
    }
}

fn tls_fact(
    version: Version,
    hello: &tls::ClientHello<'_>,
    client: Side,
    fingerprints: bool,
) -> QuicClient {
    let TlsClient {
        server_name,
        alpn,
        ja3,
        ja4,
        ech,
        ..
    } = client_fact(hello, Ja4Transport::Quic, fingerprints);
    QuicClient {
        version: version.to_string(),
        server_name,
        alpn,
        ja3: fingerprints.then_some(ja3),
        ja4: fingerprints.then_some(ja4),
        ech,
        user_agent: None,
        partial: false,
        client,
    }
}

fn google_fact(version: Version, hello: &Chlo<'_>, client: Side) -> QuicClient {
    QuicClient {
        version: version.to_string(),
        server_name: hello
            .server_name
            .map(|name| tls::escaped(name, MAX_SERVER_NAME)),
        alpn: Alpn::default(),
        ja3: None,
        ja4: None,
        ech: Ech::None,
        user_agent: hello
            .user_agent
            .map(|agent| tls::escaped(agent, QuicClient::MAX_USER_AGENT)),
        partial: false,
        client,
    }
}

/// Header form: a long header (RFC 8999, section 5.1).
const LONG: u8 = 0x80;

/// How many packets without a long header a flow may have before it is left. A connection that only fetches a page has
/// fewer, so that one which follows it is seen; a download has thousands, which then cost nothing.
const MAX_SHORT: u16 = 256;

#[cfg(test)]
mod tests;
