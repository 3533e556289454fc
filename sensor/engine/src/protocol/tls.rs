//! TLS: the client's hello at once, the server's with its certificate.
//!
//! One `tls` and one `tls_server` a flow; another `tls` only for a hello that differs from the one before, such as the one
//! behind a HelloRetryRequest, and a `tls_client` for a client that shows its certificate in clear. Roles are taken from who sends which hello, never from who opened the flow, and
//! each side is followed for itself: a capture of one direction gives what that direction holds. The session ends as
//! soon as both hellos are known, and waits for a missing one no longer than [`MAX_WAIT`] octets of the other side.

mod found;

use terrier_wire::{Step, Violation, tls};

use super::{Begins, Emit, Octets, Opening, Patience, Probe, Progress, Protocol, Shape};
use crate::observation::{Carrier, Side, Transport};
pub(super) use found::{Found, Layer, client_fact};

pub(super) const PROTOCOL: Protocol = Protocol {
    name: "tls",
    transport: Transport::Tcp,
    sees: "SNI, ALPN, versions, JA3, JA4, ECH, resumption; certificates of both sides up to TLS 1.2; behind STARTTLS too",
    probe,
    start: || Box::new(Session::inside(None)),
    begins: Begins::Within(tls::embedded),
    shapes: &[
        Shape::at(&[(0, Octets::between(20, 24)), (1, Octets::of(3))]),
        Shape::at(&[(0, Octets::masked(0xfc, 0x80)), (2, Octets::of(1))]),
    ],
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
pub(crate) struct Session {
    wire: tls::Session,
    found: Found,
}

impl Session {
    /// TLS that another protocol carries; `None` is TLS on its own.
    pub(crate) fn inside(carrier: Option<Carrier>) -> Self {
        Self {
            wire: tls::Session::default(),
            found: Found::over(Layer::Stream, carrier),
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
                self.found.resolve(None, false, emit);
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

    fn held(&self) -> usize {
        self.wire.held()
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        self.found.resolve(None, false, emit);
    }
}

/// How many octets of a side whose part is known are let pass while the other side's is missing. In a capture of both
/// sides the server answers before the client has sent more than early data, which servers bound to 16 KiB.
pub(super) const MAX_WAIT: usize = 64 << 10;

/// How many octets a side may need for its part: alerts, a retry, a hello and a chain of 64 KiB fit many times.
pub(super) const MAX_PART: usize = 256 << 10;

#[cfg(test)]
mod tests;
