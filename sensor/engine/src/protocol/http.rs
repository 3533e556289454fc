//! HTTP/1 over TCP, on any port, either side as client: one [`Http`](crate::observation::Http) per request, with the status of its answer;
//! the WebSocket or the other protocol behind an upgrade; DNS messages in its bodies; what gateways and tunnels say.

mod pending;

use terrier_wire::http::{self, Message};
use terrier_wire::{Step, ssh};

use super::dns::OverHttp;
use super::websocket::Inside;
use super::{Begins, Emit, Opening, Patience, Probe, Progress, Protocol};
use crate::observation::{Frames, Side, Transport};
use pending::Pending;
pub(super) use pending::Waiting;

pub(super) const PROTOCOL: Protocol = Protocol {
    name: "http",
    transport: Transport::Tcp,
    sees: "HTTP/1: request line, host, user agent, status; what CONNECT and Upgrade carry; RD Gateway, wstunnel, DNS over HTTP",
    probe,
    start: || Box::new(Session::default()),
    begins: Begins::AtTheStart,
    shapes: &[],
    patience: Patience::Usual,
};

fn probe(opening: &Opening<'_>) -> Probe {
    match http::opening(opening.octets) {
        Step::Done(..) => Probe::Yes,
        Step::NeedMore(_) => Probe::Maybe,
        Step::NotThisProtocol(_) => Probe::No,
    }
}

#[derive(Default)]
struct Session {
    wire: http::Session,
    pending: Pending,
    dns: OverHttp,
    /// The frames of the head that a side is sending.
    head: [Frames; 2],
    /// How many octets of each side wait for more.
    unread: [usize; 2],
    /// What follows the heads, once the server has changed the protocol to WebSocket.
    inside: Option<Box<Inside>>,
}

impl super::Session for Session {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        if let Some(inside) = &mut self.inside {
            return inside.feed(from, octets, emit);
        }
        let [originator, responder] = &mut self.head;
        let (head, unread) = match from {
            Side::Originator => (originator, &mut self.unread[0]),
            Side::Responder => (responder, &mut self.unread[1]),
        };
        // Octets that are only offered again came with an earlier packet.
        if octets.len() > *unread {
            emit.note(head);
        }
        let (pending, dns) = (&mut self.pending, &mut self.dns);
        let result = self.wire.feed(from, octets, |message| match message {
            Message::Dns(side, octets) => {
                if let Some(client) = pending.client() {
                    dns.message(side, client, &octets, emit);
                }
            }
            message => pending.take(message, from, head, emit),
        });
        let used = match result {
            Ok(used) => used,
            Err(violation) => {
                self.give_up(emit);
                // A request to a server that speaks SSH: what the server is, is worth knowing.
                if !matches!(ssh::opening(octets), Step::NotThisProtocol(_)) {
                    return Progress::Carries(0);
                }
                return Progress::Violated(violation.0);
            }
        };
        *unread = octets.len().saturating_sub(used);
        if used > 0 {
            head.clear();
            if *unread > 0 {
                emit.note(head);
            }
        }
        let progress = self.progress(used, emit);
        let Some(inside) = &mut self.inside else {
            return progress;
        };
        match inside.feed(from, &octets[used..], emit) {
            Progress::More(more) => Progress::More(used + more),
            ended => ended,
        }
    }

    fn gap(&mut self, from: Side, length: u64, emit: &mut Emit<'_>) -> Progress {
        if let Some(inside) = &mut self.inside {
            return inside.gap(from, length, emit);
        }
        let (head, pending) = (&Frames::default(), &mut self.pending);
        self.wire.gap(from, length, |message| {
            pending.take(message, from, head, emit);
        });
        self.unread[from.index()] = 0;
        self.head[from.index()].clear();
        self.progress(0, emit)
    }

    fn held(&self) -> usize {
        let inside = self.inside.as_ref().map_or(0, |inside| inside.held());
        self.wire.held() + self.pending.held() + self.dns.held() + inside
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        self.give_up(emit);
        if let Some(inside) = &mut self.inside {
            inside.end(emit);
        }
    }
}

impl Session {
    fn progress(&mut self, used: usize, emit: &mut Emit<'_>) -> Progress {
        if !self.wire.is_finished() {
            return Progress::More(used);
        }
        self.give_up(emit);
        if !self.wire.is_carrier() {
            return Progress::Finished;
        }
        match self.pending.websocket() {
            Some(_) if emit.is_deep() => Progress::Finished,
            Some((client, agreement)) => {
                self.inside = Some(Box::new(Inside::begin(client, agreement, emit)));
                Progress::More(used)
            }
            None => Progress::Carries(used),
        }
    }

    /// No answer comes any more.
    fn give_up(&mut self, emit: &mut Emit<'_>) {
        self.pending.give_up(emit);
        self.dns.end(emit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Endpoint, Fact, FlowRef, Observation, Oriented, VlanTags};
    use crate::protocol::Session as _;
    use Side::{Originator as O, Responder as R};

    fn flow() -> FlowRef {
        FlowRef {
            id: 1,
            opened: 1,
            orig: Endpoint {
                ip: std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)),
                port: 40000,
            },
            resp: Endpoint {
                ip: std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
                port: 80,
            },
            transport: Transport::Tcp,
            vlan: VlanTags::default(),
            vni: None,
            oriented: Oriented::Syn,
        }
    }

    /// Method, uri, status, frames.
    type Row = (String, String, Option<u16>, Vec<u64>);

    /// What was found. Packet n of the conversation is frame n + 1.
    fn run(conversation: &[(Side, &[u8])]) -> (Vec<Row>, Progress) {
        let mut session = Session::default();
        let mut out: Vec<Observation> = Vec::new();
        let mut kept = [Vec::new(), Vec::new()];
        let (mut last, flow) = (Progress::More(0), flow());
        'packets: for (seq, (from, octets)) in (1..).zip(conversation) {
            kept[from.index()].extend_from_slice(octets);
            let mut emit = Emit::new(&flow, 0, seq, Some((0, seq)), &mut out);
            for side in [*from, from.other()] {
                last = session.feed(side, &kept[side.index()], &mut emit);
                match last {
                    Progress::More(used) => kept[side.index()].drain(..used),
                    _ => break 'packets,
                };
            }
        }
        if matches!(last, Progress::More(_)) {
            session.end(&mut Emit::new(&flow, 0, 1000, None, &mut out));
        }
        let found = out
            .into_iter()
            .map(|observation| match observation.fact {
                Fact::Http(http) => (
                    http.method,
                    http.uri,
                    http.status,
                    observation.frames.numbers().to_vec(),
                ),
                other => panic!("{other:?}"),
            })
            .collect();
        (found, last)
    }

    fn row(method: &str, uri: &str, status: Option<u16>, frames: &[u64]) -> Row {
        (method.into(), uri.into(), status, frames.to_vec())
    }

    #[test]
    fn a_fact_has_the_frames_of_its_request_and_its_answer() {
        let (found, end) = run(&[
            (O, b"GET /ngrok.crl HTTP/1.1\r\nHost: crl.ng"),
            (O, b"rok-agent.com\r\n\r\n"),
            (R, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"),
            (R, b"cd"),
            (O, b"GET /two HTTP/1.1\r\n\r\n"),
        ]);
        assert_eq!(
            found,
            [
                row("GET", "/ngrok.crl", Some(200), &[1, 2, 3]),
                row("GET", "/two", None, &[5]),
            ]
        );
        assert_eq!(end, Progress::More(0));
    }

    #[test]
    fn the_tunnel_of_pagekite_is_a_connect_of_the_originator() {
        let (found, end) = run(&[
            (
                O,
                b"CONNECT PageKite:1 HTTP/1.0\r\nX-PageKite-Version: 1.5.2\r\n\r\n",
            ),
            (R, b"HTTP/1.1 200 OK\r\n\r\n"),
        ]);
        assert_eq!(found, [row("CONNECT", "PageKite:1", Some(200), &[1, 2])]);
        assert_eq!(end, Progress::Carries(19));
    }

    #[test]
    fn a_violation_loses_no_request() {
        let (found, end) = run(&[
            (O, b"GET / HTTP/1.1\r\n\r\n"),
            (R, b"\x15\x03\x01\x00\x02\x02\x0a"),
        ]);
        assert_eq!(found, [row("GET", "/", None, &[1])]);
        assert!(matches!(end, Progress::Violated(_)));
    }

    #[test]
    fn a_server_that_speaks_ssh_is_left_to_its_decoder() {
        for banner in [&b"SSH-2.0-OpenSSH_9.2\r\n"[..], b"S"] {
            let (found, end) = run(&[(O, b"GET / HTTP/1.1\r\n\r\n"), (R, banner)]);
            assert_eq!(found, [row("GET", "/", None, &[1])]);
            assert_eq!(end, Progress::Carries(0));
        }
    }

    #[test]
    fn a_capture_of_one_side_has_all_its_requests() {
        let request: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
        let (found, _) = run(&vec![(O, request); 200]);
        assert_eq!(found.len(), 200);
        assert_eq!(found[199], row("GET", "/", None, &[200]));
    }

    #[test]
    fn a_lost_answer_leaves_its_request_without_status() {
        let mut out = Vec::new();
        let (mut session, flow) = (Session::default(), flow());
        let mut emit = Emit::new(&flow, 0, 1, Some((0, 1)), &mut out);
        let request = b"GET / HTTP/1.1\r\n\r\n";
        session.feed(O, request, &mut emit);
        assert_eq!(session.gap(R, 100, &mut emit), Progress::More(0));
        session.feed(O, request, &mut emit);
        assert_eq!(session.gap(O, 100, &mut emit), Progress::Finished);
        assert_eq!(out.len(), 2);
    }
}
