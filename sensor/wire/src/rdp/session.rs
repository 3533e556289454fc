//! The state of one RDP connection, as far as it is in clear.

use crate::{Side, Step, Violation};

use super::message::{Continuation, Preconnection, Tpdu, continuation, preconnection, tpdu};
use super::negotiation::{ConnectionConfirm, ConnectionRequest};
use super::settings::{ClientSettings, ServerSettings};
use super::{connect_initial, connect_response};

/// What a session finds. The side that sent it is the one that was fed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A preconnection PDU: the sender is a client.
    Preconnection(Preconnection),
    /// A Connection Request: the sender is the client.
    Request(ConnectionRequest),
    /// A Connection Confirm: the sender is the server.
    Confirm(ConnectionConfirm),
    /// This side goes on after the negotiation: its first message began.
    WentOn(Inside),
    /// The client's settings, in clear.
    Client(ClientSettings),
    /// The server's settings, in clear.
    Server(ServerSettings),
}

/// What is inside the connection after the negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inside {
    /// TLS: [`Session::feed`] takes none of its octets.
    Tls,
    /// MCS in clear, later with RDP's own encryption or none.
    Mcs,
}

/// The state machine of one connection. Each side is read by itself: a client may go on before the Confirm was seen, and
/// a capture may hold one side only.
#[derive(Debug, Default)]
pub struct Session {
    sides: [OneSide; 2],
    client: Option<Side>,
}

#[derive(Debug, Default)]
struct OneSide {
    phase: Phase,
    /// Octets were lost: what comes next need not be what was due.
    lossy: bool,
    /// Its preconnection PDU came: there is one at most.
    preconnected: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// Its Connection Request or Confirm is due.
    #[default]
    Opening,
    /// That came; TLS or MCS is due.
    Opened,
    /// TLS began.
    Tls,
    /// The first message of MCS has begun.
    Mcs,
    /// Nothing more of it is wanted.
    Done,
}

/// What one step of a side did.
enum Did {
    Consumed(usize),
    Waits,
}

impl Session {
    /// A session at the start of a connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the whole messages at the start of `input`; returns how many octets they took. Where TLS begins it stops:
    /// see [`Session::is_tls`].
    ///
    /// # Errors
    /// When a side sends what RDP does not allow. What was emitted before stays true.
    pub fn feed(
        &mut self,
        from: Side,
        input: &[u8],
        mut emit: impl FnMut(Message),
    ) -> Result<usize, Violation> {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            let did = match self.side(from).phase {
                Phase::Tls => return Ok(used),
                Phase::Done => return Ok(input.len()),
                _ if rest.is_empty() => return Ok(used),
                Phase::Opening => self.opening(from, rest, &mut emit)?,
                Phase::Opened => self.opened(from, rest, &mut emit)?,
                Phase::Mcs => self.settings(from, rest, &mut emit)?,
            };
            match did {
                Did::Consumed(octets) => used += octets,
                Did::Waits => return Ok(used),
            }
        }
    }

    /// `length` octets of a side were lost. A message that was cut is given up; the next one is looked for where the
    /// octets go on, for what is lost is mostly one packet with one message.
    pub fn gap(&mut self, from: Side, _length: u64) {
        let side = self.side_mut(from);
        side.lossy = true;
        if side.phase == Phase::Mcs {
            side.phase = Phase::Done;
        }
    }

    /// Whether the octets of this side, from the first one that [`Session::feed`] did not take, are TLS.
    #[must_use]
    pub fn is_tls(&self, from: Side) -> bool {
        self.side(from).phase == Phase::Tls
    }

    /// Whether nothing more of this side is wanted.
    #[must_use]
    pub fn is_done(&self, from: Side) -> bool {
        self.side(from).phase == Phase::Done
    }

    fn opening(
        &mut self,
        from: Side,
        input: &[u8],
        emit: &mut impl FnMut(Message),
    ) -> Result<Did, Violation> {
        match preconnection(input) {
            Step::Done(message, used) if !self.side(from).preconnected => {
                emit(Message::Preconnection(message));
                self.side_mut(from).preconnected = true;
                return Ok(Did::Consumed(used));
            }
            Step::NeedMore(_) => return Ok(Did::Waits),
            Step::Done(..) | Step::NotThisProtocol(_) => {}
        }
        match tpdu(input) {
            Step::Done(Tpdu::ConnectionRequest { variable }, used) => {
                let request = ConnectionRequest::read(variable).map_err(Violation)?;
                self.take_client(from)?;
                emit(Message::Request(request));
                self.side_mut(from).phase = Phase::Opened;
                Ok(Did::Consumed(used))
            }
            Step::Done(
                Tpdu::ConnectionConfirm {
                    source_reference,
                    variable,
                },
                used,
            ) => {
                let confirm =
                    ConnectionConfirm::read(source_reference, variable).map_err(Violation)?;
                self.take_client(from.other())?;
                emit(Message::Confirm(confirm));
                self.side_mut(from).phase = Phase::Opened;
                Ok(Did::Consumed(used))
            }
            Step::NeedMore(_)
                if !matches!(continuation(input), Step::Done(Continuation::Mcs, _)) =>
            {
                Ok(Did::Waits)
            }
            // A capture that began after this side's first message, or lost it.
            _ => {
                self.side_mut(from).phase = Phase::Opened;
                Ok(Did::Consumed(0))
            }
        }
    }

    /// A service that echoes what it gets must not pass for a server.
    fn take_client(&mut self, client: Side) -> Result<(), Violation> {
        if self
            .client
            .replace(client)
            .is_some_and(|known| known != client)
        {
            return Err(Violation("both sides send the same connection TPDU"));
        }
        Ok(())
    }

    fn opened(
        &mut self,
        from: Side,
        input: &[u8],
        emit: &mut impl FnMut(Message),
    ) -> Result<Did, Violation> {
        let lossy = self.side(from).lossy;
        let (inside, went_on) = match continuation(input) {
            Step::NeedMore(_) => return Ok(Did::Waits),
            Step::Done(Continuation::TlsHandshake, _) => (Some(Inside::Tls), true),
            // In the middle of TLS any record says that it goes on, but for an alert.
            Step::Done(Continuation::TlsOther(content), _) => {
                (Some(Inside::Tls), lossy && content != TLS_ALERT)
            }
            Step::Done(Continuation::Mcs, _) => (Some(Inside::Mcs), true),
            Step::Done(Continuation::OtherTpdu(_) | Continuation::McsDisconnect, _) => {
                (None, false)
            }
            Step::NotThisProtocol(_) if lossy => (None, false),
            Step::NotThisProtocol(why) => return Err(Violation(why)),
        };
        let phase = match inside {
            Some(Inside::Tls) => Phase::Tls,
            Some(Inside::Mcs) => Phase::Mcs,
            None => Phase::Done,
        };
        if matches!(
            (phase, self.side(from.other()).phase),
            (Phase::Tls, Phase::Mcs) | (Phase::Mcs, Phase::Tls)
        ) {
            return Err(Violation("one side goes on with TLS, the other with MCS"));
        }
        self.side_mut(from).phase = phase;
        if let Some(inside) = inside.filter(|_| went_on) {
            emit(Message::WentOn(inside));
        }
        Ok(Did::Consumed(0))
    }

    fn settings(
        &mut self,
        from: Side,
        input: &[u8],
        emit: &mut impl FnMut(Message),
    ) -> Result<Did, Violation> {
        let (data, used) = match tpdu(input) {
            Step::Done(Tpdu::Data(data), used) => (data, used),
            Step::Done(_, used) => (&[][..], used),
            Step::NeedMore(_) => return Ok(Did::Waits),
            Step::NotThisProtocol(why) => return Err(Violation(why)),
        };
        if let Some(settings) = connect_initial(data) {
            emit(Message::Client(settings));
        } else if let Some(settings) = connect_response(data) {
            emit(Message::Server(settings));
        }
        self.side_mut(from).phase = Phase::Done;
        Ok(Did::Consumed(used))
    }

    fn side(&self, side: Side) -> &OneSide {
        let [originator, responder] = &self.sides;
        match side {
            Side::Originator => originator,
            Side::Responder => responder,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut OneSide {
        let [originator, responder] = &mut self.sides;
        match side {
            Side::Originator => originator,
            Side::Responder => responder,
        }
    }
}

/// Content type of a TLS alert.
const TLS_ALERT: u8 = 0x15;

#[cfg(test)]
mod tests {
    use super::super::negotiation::{Confirm, Protocol};
    use super::super::samples::{
        BARE_CONFIRM, REQUEST_WITHOUT_COOKIE, block, channels, confirm, connect_initial,
        connect_response, cookie_request, core, data, hello, request,
    };
    use super::*;
    use crate::testing::in_pieces;

    const CLIENT: Side = Side::Originator;
    const SERVER: Side = Side::Responder;

    /// One line for each message: the sender and what it was.
    fn told(conversation: &[(Side, &[u8])], size: usize) -> Vec<String> {
        let mut session = Session::new();
        let mut lines = Vec::new();
        in_pieces(conversation, size, |from, input| {
            let fed = session.feed(from, input, |message| {
                lines.push(format!("{from:?} {}", short(&message)));
            });
            match fed {
                // TLS belongs to somebody else.
                Ok(_) if session.is_tls(from) => Some(input.len()),
                Ok(used) => Some(used),
                Err(violation) => {
                    lines.push(violation.to_string());
                    None
                }
            }
        });
        lines
    }

    fn short(message: &Message) -> String {
        match message {
            Message::Preconnection(p) => format!("preconnection {}", p.version),
            Message::Request(r) => format!("request {:?}", r.cookie),
            Message::Confirm(c) => format!("confirm {:?}", c.selected()),
            Message::WentOn(inside) => format!("went on {inside:?}"),
            Message::Client(c) => format!("client {:?}", c.core.as_ref().map(|c| &c.name)),
            Message::Server(s) => format!("server {:?}", s.encryption_level),
        }
    }

    fn check(conversation: &[(Side, &[u8])], expected: &[&str]) {
        for size in [1, 2, 3, 5, 7, 11, 64, usize::MAX] {
            assert_eq!(told(conversation, size), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn follows_a_negotiation_into_tls() {
        check(
            &[
                (CLIENT, &cookie_request("anna", 3)),
                (SERVER, &confirm(2, 0x1f, 2)),
                (CLIENT, &hello(1)),
                (SERVER, &hello(2)),
            ],
            &[
                "Originator request Some(\"anna\")",
                "Responder confirm Some(Protocol(2))",
                "Originator went on Tls",
                "Responder went on Tls",
            ],
        );
    }

    #[test]
    fn follows_a_session_with_rdp_security() {
        check(
            &[
                (CLIENT, &request(b"Cookie: mstshash=A70067\r\n")),
                (SERVER, BARE_CONFIRM),
                (
                    CLIENT,
                    &connect_initial(&[core("SETUP", 2600, 0x409), channels(&["rdpdr"])]),
                ),
                (
                    SERVER,
                    &connect_response(&[block(0x0c02, &[2, 0, 0, 0, 3, 0, 0, 0])]),
                ),
                (CLIENT, &data(&[0x04, 0x01, 0x00, 0x01, 0x00])),
                (CLIENT, b"whatever follows"),
            ],
            &[
                "Originator request Some(\"A70067\")",
                "Responder confirm Some(Protocol(0))",
                "Originator went on Mcs",
                "Originator client Some(\"SETUP\")",
                "Responder went on Mcs",
                "Responder server Some(3)",
            ],
        );
    }

    #[test]
    fn takes_roles_from_the_messages_not_from_the_flow() {
        check(
            &[
                (SERVER, REQUEST_WITHOUT_COOKIE),
                (CLIENT, &confirm(2, 0, 1)),
                (SERVER, &hello(1)),
                (CLIENT, &hello(2)),
            ],
            &[
                "Responder request None",
                "Originator confirm Some(Protocol(1))",
                "Responder went on Tls",
                "Originator went on Tls",
            ],
        );
    }

    #[test]
    fn reads_one_side_alone() {
        check(
            &[(CLIENT, &cookie_request("anna", 1)), (CLIENT, &hello(1))],
            &[
                "Originator request Some(\"anna\")",
                "Originator went on Tls",
            ],
        );
        check(
            &[(SERVER, &confirm(2, 0, 1)), (SERVER, &hello(2))],
            &[
                "Responder confirm Some(Protocol(1))",
                "Responder went on Tls",
            ],
        );
    }

    #[test]
    fn reads_a_client_that_does_not_wait_for_the_confirm() {
        let eager = [cookie_request("anna", 1), hello(1)].concat();
        check(
            &[(CLIENT, &eager), (SERVER, &confirm(3, 0, 5))],
            &[
                "Originator request Some(\"anna\")",
                "Originator went on Tls",
                "Responder confirm None",
            ],
        );
    }

    #[test]
    fn passes_over_a_preconnection_pdu() {
        let mut input = vec![16, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0];
        input.extend(REQUEST_WITHOUT_COOKIE);
        check(
            &[(CLIENT, &input)],
            &["Originator preconnection 1", "Originator request None"],
        );
    }

    #[test]
    fn does_not_take_an_alert_for_a_session() {
        check(
            &[
                (CLIENT, REQUEST_WITHOUT_COOKIE),
                (SERVER, &confirm(2, 0, 1)),
                (CLIENT, &hello(1)),
                (SERVER, &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28]),
            ],
            &[
                "Originator request None",
                "Responder confirm Some(Protocol(1))",
                "Originator went on Tls",
            ],
        );
    }

    #[test]
    fn does_not_take_an_mcs_disconnect_for_a_session() {
        // xrdp that demands TLS, as FreeRDP with /sec:rdp sees it.
        check(
            &[
                (CLIENT, &request(b"Cookie: mstshash=alice\r\n")),
                (SERVER, BARE_CONFIRM),
                (CLIENT, &connect_initial(&[core("pc21", 18363, 0x409)])),
                (SERVER, &data(&[0x21, 0x80])),
            ],
            &[
                "Originator request Some(\"alice\")",
                "Responder confirm Some(Protocol(0))",
                "Originator went on Mcs",
                "Originator client Some(\"pc21\")",
            ],
        );
    }

    #[test]
    fn refuses_an_echo() {
        check(
            &[
                (CLIENT, REQUEST_WITHOUT_COOKIE),
                (SERVER, REQUEST_WITHOUT_COOKIE),
            ],
            &[
                "Originator request None",
                "both sides send the same connection TPDU",
            ],
        );
    }

    #[test]
    fn refuses_another_protocol_after_the_confirm() {
        check(
            &[
                (CLIENT, REQUEST_WITHOUT_COOKIE),
                (SERVER, &confirm(2, 0, 1)),
                (CLIENT, b"GET / HTTP/1.1\r\n"),
            ],
            &[
                "Originator request None",
                "Responder confirm Some(Protocol(1))",
                "neither TLS nor X.224 after the Connection Confirm",
            ],
        );
    }

    #[test]
    fn goes_on_after_a_lost_confirm() {
        let mut session = Session::new();
        let mut messages = Vec::new();
        let mut feed = |session: &mut Session, from, input: &[u8]| {
            session.feed(from, input, |message| messages.push(message))
        };
        feed(&mut session, CLIENT, REQUEST_WITHOUT_COOKIE).unwrap();
        session.gap(SERVER, 19);
        feed(&mut session, CLIENT, &hello(1)).unwrap();
        feed(&mut session, SERVER, &hello(2)).unwrap();
        assert!(session.is_tls(SERVER));
        assert_eq!(messages.len(), 3);
        assert_eq!(messages[2], Message::WentOn(Inside::Tls));
    }

    #[test]
    fn gives_a_side_up_when_it_cannot_find_its_place() {
        let mut session = Session::new();
        let mut nothing = |_| {};
        session
            .feed(CLIENT, REQUEST_WITHOUT_COOKIE, &mut nothing)
            .unwrap();
        session.gap(CLIENT, 0);
        assert_eq!(session.feed(CLIENT, b"\x99middle", &mut nothing), Ok(7));
        assert!(session.is_done(CLIENT));
    }

    #[test]
    fn gives_cut_settings_up_at_a_gap() {
        let initial = connect_initial(&[core("SETUP", 2600, 0x409)]);
        let mut session = Session::new();
        let mut messages = Vec::new();
        session
            .feed(CLIENT, &request(b""), |m| messages.push(m))
            .unwrap();
        let used = session.feed(CLIENT, &initial[..60], |m| messages.push(m));
        assert_eq!(used, Ok(0));
        assert_eq!(messages.last(), Some(&Message::WentOn(Inside::Mcs)));
        session.gap(CLIENT, 100);
        assert!(session.is_done(CLIENT));
    }

    #[test]
    fn keeps_an_unknown_choice() {
        let mut session = Session::new();
        let mut messages = Vec::new();
        session
            .feed(SERVER, &confirm(2, 0xff, 0x80), |m| messages.push(m))
            .unwrap();
        let [Message::Confirm(confirm)] = &messages[..] else {
            panic!("{messages:?}");
        };
        assert_eq!(
            confirm.answer,
            Confirm::Selected {
                flags: 0xff,
                protocol: Protocol(0x80)
            }
        );
    }

    #[test]
    fn keeps_the_laws_of_the_fuzz_target() {
        let conversation = [
            cookie_request("anna", 0),
            confirm(2, 0, 0),
            connect_initial(&[core("SETUP", 2600, 0x409), channels(&["rdpdr"])]),
            connect_response(&[block(0x0c02, &[2, 0, 0, 0, 3, 0, 0, 0])]),
        ]
        .concat();
        for senders in [0x00, 0xff, 0x5a] {
            crate::fuzzing::rdp(&[&[senders][..], &conversation].concat());
        }
    }

    proptest::proptest! {
        #[test]
        fn keeps_the_laws_on_random_octets(
            senders: u8,
            head in proptest::sample::select(vec![0usize, 5, 11, 19, 47]),
            tail in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        ) {
            let start = cookie_request("Administr", 1);
            let input = [&[senders][..], &start[..head], &tail].concat();
            crate::fuzzing::rdp(&input);
        }
    }
}
