//! SSH over TCP, on any port and behind any preamble: one [`Fact::Ssh`] a connection, when encryption begins or the flow
//! ends.

use terrier_wire::Step;
use terrier_wire::ssh::{self, Handshake};

use super::{Begins, Emit, Opening, Patience, Probe, Progress, Protocol, Session as _};
use crate::observation::{Fact, FlowRef, Frames, Oriented, Side, Ssh, Transport};

pub(super) const PROTOCOL: Protocol = Protocol {
    name: "ssh",
    transport: Transport::Tcp,
    sees: "both identification strings, hassh of both sides, reversed roles, whether encryption began; also behind a preamble",
    probe,
    start: || Box::new(Session::default()),
    begins: Begins::AtAnySegment,
    shapes: &[],
    patience: Patience::Usual,
};

fn probe(opening: &Opening<'_>) -> Probe {
    match ssh::opening(opening.octets) {
        Step::Done(..) => Probe::Yes,
        Step::NeedMore(_) => Probe::Maybe,
        Step::NotThisProtocol(_) => Probe::No,
    }
}

#[derive(Default)]
struct Session {
    wire: ssh::Session,
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
        let result = self.wire.feed(from, octets);
        match result {
            Ok(used) => {
                *unread = octets.len().saturating_sub(used);
                self.progress(used, emit)
            }
            Err(violation) => {
                self.end(emit);
                Progress::Violated(violation.0)
            }
        }
    }

    fn gap(&mut self, from: Side, _length: u64, emit: &mut Emit<'_>) -> Progress {
        self.wire.gap(from);
        self.unread[from.index()] = 0;
        self.progress(0, emit)
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        let handshake = self.wire.handshake();
        if handshake.identification.iter().any(Option::is_some) {
            let body = body(handshake, emit);
            emit.fact(&self.frames, Fact::Ssh(Box::new(body)));
        }
    }
}

impl Session {
    fn progress(&mut self, used: usize, emit: &mut Emit<'_>) -> Progress {
        if self.wire.is_finished() {
            self.end(emit);
            return Progress::Finished;
        }
        Progress::More(used)
    }
}

fn body(handshake: &Handshake, emit: &Emit<'_>) -> Ssh {
    let opener = opener(handshake, emit.flow());
    let banner = |side: Side| {
        let identification = handshake.identification[side.index()].as_ref()?;
        Some(identification.text.clone())
    };
    let init = |side: Side| handshake.key_exchange[side.index()].as_ref();
    Ssh {
        client: banner(opener),
        server: banner(opener.other()),
        hassh: init(opener).map(|init| init.hassh.clone()),
        hassh_server: init(opener.other()).map(|init| init.hassh_server.clone()),
        reversed: handshake.client == Some(opener.other()),
        encrypted: handshake.encrypted,
        carrier: emit.carrier(),
        opener,
    }
}

/// Who opened the connection. Without a SYN the first sender is as good as none, for a server may greet first: then the
/// messages tell, else the usual port.
fn opener(handshake: &Handshake, flow: &FlowRef) -> Side {
    match (flow.oriented, handshake.client) {
        (Oriented::Syn, _) => Side::Originator,
        (Oriented::Guessed, Some(client)) => client,
        (Oriented::Guessed, None) if flow.orig.port == PORT && flow.resp.port != PORT => {
            Side::Responder
        }
        (Oriented::Guessed, None) => Side::Originator,
    }
}

const PORT: u16 = 22;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Endpoint, Observation, VlanTags};
    use Side::{Originator as O, Responder as R};

    fn flow(orig_port: u16, resp_port: u16, oriented: Oriented) -> FlowRef {
        let end = |last, port| Endpoint {
            ip: std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, last)),
            port,
        };
        FlowRef {
            id: 1,
            opened: 1,
            orig: end(1, orig_port),
            resp: end(2, resp_port),
            transport: Transport::Tcp,
            vlan: VlanTags::default(),
            vni: None,
            oriented,
        }
    }

    fn run(flow: &FlowRef, conversation: &[(Side, &[u8])]) -> (Vec<Ssh>, Progress) {
        let mut session = Session::default();
        let mut out: Vec<Observation> = Vec::new();
        let mut last = Progress::More(0);
        for (seq, (from, octets)) in (1..).zip(conversation) {
            let mut emit = Emit::new(flow, 0, seq, Some((0, seq)), &mut out);
            last = session.feed(*from, octets, &mut emit);
            if !matches!(last, Progress::More(_)) {
                break;
            }
        }
        if matches!(last, Progress::More(_)) {
            session.end(&mut Emit::new(flow, 0, 1000, None, &mut out));
        }
        let found = out.into_iter().map(|observation| match observation.fact {
            Fact::Ssh(ssh) => *ssh,
            other => panic!("{other:?}"),
        });
        (found.collect(), last)
    }

    const CLIENT: &[u8] = b"SSH-2.0-PuTTY_Release_0.78\r\n";
    const SERVER: &[u8] = b"SSH-2.0-dropbear_2022.83\r\n";

    #[test]
    fn the_client_is_who_opened_the_connection() {
        let (found, _) = run(&flow(40000, 22, Oriented::Syn), &[(R, SERVER), (O, CLIENT)]);
        assert_eq!(
            found[0].client.as_deref(),
            Some("SSH-2.0-PuTTY_Release_0.78")
        );
        assert_eq!(found[0].server.as_deref(), Some("SSH-2.0-dropbear_2022.83"));
        assert!(!found[0].is_session());
        // A capture that begins with the server's greeting.
        let (found, _) = run(
            &flow(22, 40000, Oriented::Guessed),
            &[(O, SERVER), (R, CLIENT)],
        );
        assert_eq!(
            found[0].client.as_deref(),
            Some("SSH-2.0-PuTTY_Release_0.78")
        );
        assert_eq!(found[0].opener, R);
    }

    #[test]
    fn a_violation_or_a_gap_loses_nothing() {
        let flow = flow(40000, 22, Oriented::Syn);
        let (found, end) = run(&flow, &[(O, CLIENT), (R, SERVER), (O, &[0xff; 8])]);
        assert_eq!(found.len(), 1);
        assert!(matches!(end, Progress::Violated(_)));
        let mut out = Vec::new();
        let mut session = Session::default();
        let mut emit = Emit::new(&flow, 0, 1, Some((0, 1)), &mut out);
        session.feed(R, SERVER, &mut emit);
        assert_eq!(session.gap(O, 100, &mut emit), Progress::More(0));
        assert_eq!(session.gap(R, 100, &mut emit), Progress::Finished);
        assert_eq!(out.len(), 1);
    }

    #[test]
    fn nothing_is_told_of_a_flow_without_an_identification() {
        let (found, _) = run(&flow(40000, 22, Oriented::Syn), &[(O, b"hello\r\n")]);
        assert!(found.is_empty());
    }
}
