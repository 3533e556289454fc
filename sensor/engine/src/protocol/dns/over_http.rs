//! DNS messages that HTTP in clear carries (RFC 8484).

use terrier_wire::Step;
use terrier_wire::dns::{self, Manner};

use super::Exchange;
use crate::observation::Side;
use crate::protocol::Emit;

/// The questions and answers of one connection. Their identity is 0 most of the time: name and type tell them apart.
#[derive(Default)]
pub(in crate::protocol) struct OverHttp {
    exchange: Exchange,
}

impl OverHttp {
    /// Takes what `from` sent as a message: its client only asks and its server only answers. What is no DNS is passed
    /// over, for a client may put anything in a target.
    pub(in crate::protocol) fn message(
        &mut self,
        from: Side,
        client: Side,
        octets: &[u8],
        emit: &mut Emit<'_>,
    ) {
        let Step::Done(message, _) = dns::message(octets) else {
            return;
        };
        let is_answer = message.header.is_response();
        if is_answer == (from == client) || !is_answer && !dns::datagram(octets, Manner::Strict) {
            return;
        }
        emit.within(CARRIER, |emit| {
            self.exchange.forget_old(emit);
            self.exchange.message(from, &message, emit);
        });
    }

    /// Octets kept of questions.
    pub(in crate::protocol) fn held(&self) -> usize {
        self.exchange.held()
    }

    /// No answer comes any more.
    pub(in crate::protocol) fn end(&mut self, emit: &mut Emit<'_>) {
        emit.within(CARRIER, |emit| self.exchange.end(emit));
    }
}

pub(super) const CARRIER: &str = "http";
