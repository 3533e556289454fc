//! DTLS: the same facts as TLS, from datagrams.
//!
//! `dtls` has the body of `tls`; the server's part is `tls_server` in a flow over UDP. A hello that comes again, for a
//! cookie or because it was lost, is told once. STUN and SRTP on the same five-tuple are passed over.

use terrier_wire::{Side, Violation, dtls};

use super::tls::{Found, Layer, MAX_PART, MAX_WAIT};
use super::{Begins, Emit, Octets, Opening, Patience, Probe, Progress, Protocol, Shape};
use crate::observation::{Carrier, Transport};

pub(super) const PROTOCOL: Protocol = Protocol {
    name: "dtls",
    transport: Transport::Udp,
    sees: "as of TLS, for DTLS 1.0 to 1.3",
    probe,
    start: || Box::new(Session::inside(None)),
    begins: Begins::AtTheStart,
    shapes: &[Shape::at(&[(0, Octets::of(22))])],
    patience: Patience::Usual,
};

fn probe(opening: &Opening<'_>) -> Probe {
    if begins(opening.octets) {
        Probe::Yes
    } else {
        Probe::No
    }
}

/// Whether a datagram opens a handshake.
pub(super) fn begins(datagram: &[u8]) -> bool {
    dtls::opening(datagram).is_some()
}

/// The session of one association, on its own or inside another protocol.
pub(super) struct Session {
    wire: dtls::Session,
    found: Found,
    /// Datagrams that were no DTLS.
    foreign: u16,
}

impl Session {
    /// DTLS that another protocol carries; `None` is DTLS on its own.
    pub(super) fn inside(carrier: Option<Carrier>) -> Self {
        Self {
            wire: dtls::Session::default(),
            found: Found::over(Layer::Datagrams, carrier),
            foreign: 0,
        }
    }
}

impl super::Session for Session {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        if dtls::Records::new(octets).next().is_none() {
            self.foreign += 1;
            if self.foreign >= MAX_FOREIGN {
                self.end(emit);
                return Progress::Finished;
            }
            return Progress::More(octets.len());
        }
        let half = self.found.half(from);
        half.octets = half.octets.saturating_add(octets.len());
        if half.over {
            // The other side's part is missing: it may be lost, or lie in another capture.
            if half.octets > MAX_WAIT {
                self.end(emit);
                return Progress::Finished;
            }
            return Progress::More(octets.len());
        }
        emit.note(&mut half.frames);
        let result = self.wire.feed(from, octets, |message| {
            self.found.take(from, message, emit);
        });
        if result.is_err() || self.found.half(from).octets > MAX_PART {
            self.found.part_over(from, emit);
        }
        match result {
            _ if !self.found.all_over() => Progress::More(octets.len()),
            Err(Violation(why)) => Progress::Violated(why),
            Ok(_) => Progress::Finished,
        }
    }

    fn gap(&mut self, _from: Side, _length: u64, _emit: &mut Emit<'_>) -> Progress {
        Progress::More(0)
    }

    fn held(&self) -> usize {
        self.wire.held()
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        self.found.resolve(None, false, emit);
    }
}

/// Datagrams of others that are let pass while a handshake is unfinished: checks of ICE go on beside it.
const MAX_FOREIGN: u16 = 256;

#[cfg(test)]
mod tests;
