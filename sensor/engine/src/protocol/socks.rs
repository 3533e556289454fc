//! SOCKS over TCP, on any port, either side as client: one [`Fact::Socks`] a request, at its reply. What a proxy then
//! carries is looked at as a flow of its own.

use terrier_wire::Step;
use terrier_wire::socks::{self, Version};

use super::{Begins, Emit, Opening, Patience, Probe, Progress, Protocol};
use crate::observation::{Fact, Frames, Side, Socks, Transport};

pub(super) const PROTOCOL: Protocol = Protocol {
    name: "socks",
    transport: Transport::Tcp,
    sees: "SOCKS 4, 4A and 5, also reversed: how it asks for the user, command, destination, reply; what it carries",
    probe,
    start: || Box::new(Session::default()),
    begins: Begins::AtTheStart,
    shapes: &[],
    patience: Patience::Usual,
};

fn probe(opening: &Opening<'_>) -> Probe {
    match socks::opening(opening.octets) {
        // Version 4 has little that is its own. Its client must wait for the answer: nothing follows the request.
        Step::Done(socks::Opening::Client(Version::Four), used) if used < opening.octets.len() => {
            Probe::No
        }
        Step::Done(..) => Probe::Yes,
        Step::NeedMore(_) => Probe::Maybe,
        Step::NotThisProtocol(_) => Probe::No,
    }
}

#[derive(Default)]
struct Session {
    wire: socks::Session,
    frames: Frames,
    /// How many octets of each side wait for more.
    unread: [usize; 2],
}

impl super::Session for Session {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        let unread = &mut self.unread[from.index()];
        // Octets that are only offered again came with an earlier packet.
        if octets.len() > *unread {
            emit.note(&mut self.frames);
        }
        match self.wire.feed(from, octets) {
            Ok(used) => {
                *unread = octets.len().saturating_sub(used);
                if !self.wire.is_finished() {
                    return Progress::More(used);
                }
                self.end(emit);
                if self.wire.is_carrier() {
                    Progress::Carries(used)
                } else {
                    Progress::Finished
                }
            }
            Err(violation) => {
                // What looked like version 4 was something else.
                if self.wire.exchange().version == Some(Version::Five) {
                    self.end(emit);
                }
                Progress::Violated(violation.0)
            }
        }
    }

    fn gap(&mut self, _from: Side, _length: u64, emit: &mut Emit<'_>) -> Progress {
        self.end(emit);
        Progress::Finished
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        if let Some(body) = self.body() {
            emit.fact(&self.frames, Fact::Socks(Box::new(body)));
        }
    }
}

impl Session {
    fn body(&self) -> Option<Socks> {
        let exchange = self.wire.exchange();
        let (version, client) = (exchange.version?, exchange.client?);
        let request = exchange.request.as_ref();
        let reply = exchange.reply.as_ref();
        let said = match (reply, exchange.password_taken) {
            (Some(reply), _) => Some(
                reply
                    .name()
                    .map_or_else(|| reply.code.to_string(), str::to_owned),
            ),
            (None, Some(false)) => Some("password refused".to_owned()),
            (None, _) => None,
        };
        let method = exchange.method;
        Some(Socks {
            version: match version {
                Version::Four => 4,
                Version::Five => 5,
            },
            auth: method.map(|method| {
                method
                    .name()
                    .map_or_else(|| method.0.to_string(), str::to_owned)
            }),
            command: request.and_then(|request| request.command.name()),
            host: request.map(|request| request.destination.host.clone()),
            port: request.map(|request| request.destination.port),
            reply: said,
            bound_host: reply.map(|reply| reply.bound.host.clone()),
            bound_port: reply.map(|reply| reply.bound.port),
            client,
            granted: match reply {
                Some(reply) => reply.is_granted(),
                None => self.wire.is_carrier(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Endpoint, FlowRef, Observation, Oriented, VlanTags};
    use crate::protocol::Session as _;
    use Side::{Originator as O, Responder as R};

    fn flow() -> FlowRef {
        let end = |last, port| Endpoint {
            ip: std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, last)),
            port,
        };
        FlowRef {
            id: 1,
            opened: 1,
            orig: end(1, 40000),
            resp: end(2, 1080),
            transport: Transport::Tcp,
            vlan: VlanTags::default(),
            vni: None,
            oriented: Oriented::Syn,
        }
    }

    fn probed(octets: &[u8]) -> Probe {
        probe(&Opening {
            ports: flow().ports(),
            octets,
        })
    }

    /// Each side's octets are fed whole: the session keeps none.
    fn run(conversation: &[(Side, &[u8])]) -> (Vec<Socks>, Progress) {
        let flow = flow();
        let mut session = Session::default();
        let mut out: Vec<Observation> = Vec::new();
        let mut last = Progress::More(0);
        for (seq, (from, octets)) in (1..).zip(conversation) {
            let mut emit = Emit::new(&flow, 0, seq, Some((0, seq)), &mut out);
            last = session.feed(*from, octets, &mut emit);
            if !matches!(last, Progress::More(_)) {
                break;
            }
        }
        if matches!(last, Progress::More(_)) {
            session.end(&mut Emit::new(&flow, 0, 1000, None, &mut out));
        }
        let found = out.into_iter().map(|observation| match observation.fact {
            Fact::Socks(socks) => *socks,
            other => panic!("{other:?}"),
        });
        (found.collect(), last)
    }

    const ASKED: &[u8] = b"\x05\x01\x00\x05\x01\x00\x03\x0bexample.org\x16\xa8";

    #[test]
    fn a_few_octets_are_no_session() {
        assert_eq!(probed(b"\x05"), Probe::Maybe);
        assert_eq!(probed(b"\x05\x01\x00"), Probe::Maybe);
        assert_eq!(probed(ASKED), Probe::Yes);
        assert_eq!(probed(b"\x04\x01\x00\x50\xc0\x00\x02\x07\0"), Probe::Yes);
        assert_eq!(
            probed(b"\x04\x01\x00\x50\xc0\x00\x02\x07\0\0\0\0"),
            Probe::No
        );
    }

    #[test]
    fn a_granted_request_carries_what_follows() {
        let (found, end) = run(&[
            (O, ASKED),
            (R, b"\x05\x00\x05\x00\x00\x01\x0a\x00\x00\x07\x8f\x01"),
        ]);
        assert_eq!(end, Progress::Carries(12));
        let [socks] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!((socks.version, socks.auth.as_deref()), (5, Some("none")));
        assert_eq!(
            (socks.host.as_deref(), socks.port),
            (Some("example.org"), Some(5800))
        );
        assert_eq!(socks.reply.as_deref(), Some("succeeded"));
        assert!(socks.granted && socks.client == O);
    }

    #[test]
    fn a_refusal_and_a_request_without_a_reply_are_told_too() {
        let (found, end) = run(&[(O, ASKED), (R, b"\x05\x00\x05\x05\x00\x01\0\0\0\0\0\0")]);
        assert_eq!(
            (found[0].reply.as_deref(), end),
            (Some("connection refused"), Progress::Finished)
        );
        assert!(!found[0].granted);
        let (found, _) = run(&[(O, ASKED)]);
        assert!(found[0].reply.is_none() && !found[0].granted);
    }

    #[test]
    fn what_only_looked_like_version_4_is_not_told() {
        let (found, end) = run(&[
            (O, b"\x04\x01\x00\x50\xc0\x00\x02\x07\0"),
            (R, b"\x04\x01\x00\x50"),
        ]);
        assert!(found.is_empty());
        assert!(matches!(end, Progress::Violated(_)));
    }
}
