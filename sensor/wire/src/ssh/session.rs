//! The state machine of one flow.

use super::message::{self, Identification, KEXINIT, KeyExchangeInit, Protocols, Role};
use crate::{Side, Step, Violation};

/// What both sides have told so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Handshake {
    /// Of originator and responder.
    pub identification: [Option<Identification>; 2],
    /// Of originator and responder; none in protocol 1.
    pub key_exchange: [Option<KeyExchangeInit>; 2],
    /// Which side is the SSH client, once its messages have told.
    pub client: Option<Side>,
    /// Whether a side said that its octets are encrypted from now on: NEWKEYS, or the session key of protocol 1.
    pub encrypted: bool,
}

/// Follows one TCP flow.
#[derive(Debug, Default)]
pub struct Session {
    handshake: Handshake,
    /// Of originator and responder.
    reads: [Reads; 2],
    /// Whether a packet of a method has told the roles.
    method_seen: bool,
    finished: bool,
}

/// What is due from a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// Its identification, after so many octets of lines before it.
    Identification(usize),
    /// A packet of its key exchange, after so many others.
    Packets(u8),
    /// Nothing that can be read; so many octets of it have come.
    Encrypted(usize),
    /// Nothing: its place is lost.
    Nothing,
}

impl Default for Reads {
    fn default() -> Self {
        Self::Identification(0)
    }
}

impl Session {
    /// What is known by now.
    #[must_use]
    pub fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// Nothing that follows would tell more: the flow needs no more octets.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Reads the whole lines and packets at the start of `input`; answers how many octets they took.
    ///
    /// # Errors
    /// When a side sends what SSH does not allow. What was understood before holds.
    pub fn feed(&mut self, from: Side, input: &[u8]) -> Result<usize, Violation> {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            if rest.is_empty() || self.finished {
                return Ok(used);
            }
            let step = match self.reads(from) {
                Reads::Identification(before) => self.line(from, before, rest),
                Reads::Packets(count) => self.packet(from, count, rest),
                Reads::Encrypted(before) => Ok(self.encrypted(from, before, rest)),
                Reads::Nothing => Ok(rest.len()),
            };
            let step = match step {
                // What the other side has sent is read before the fault is told: it comes again with the next call.
                Err(_) if used > 0 => return Ok(used),
                step => step?,
            };
            if step == 0 {
                return Ok(used);
            }
            used += step;
        }
    }

    /// Octets were lost: what is in clear cannot find its place again.
    pub fn gap(&mut self, from: Side) {
        if !matches!(self.reads(from), Reads::Encrypted(_)) {
            self.set(from, Reads::Nothing);
        }
        self.judge();
    }

    fn reads(&self, side: Side) -> Reads {
        let [originator, responder] = self.reads;
        match side {
            Side::Originator => originator,
            Side::Responder => responder,
        }
    }

    fn set(&mut self, side: Side, reads: Reads) {
        if let Some(place) = self.reads.get_mut(side.index()) {
            *place = reads;
        }
    }

    /// The identification, or a line before it: only servers may send those, but who is the server is not told yet.
    fn line(&mut self, from: Side, before: usize, input: &[u8]) -> Result<usize, Violation> {
        let (identification, used) = match message::identification(input) {
            Step::Done(identification, used) => (identification, used),
            Step::NeedMore(_) => return Ok(0),
            // A packet: the identification stood before what we were shown.
            Step::NotThisProtocol(_) if input.first() == Some(&0) => {
                self.set(from, Reads::Nothing);
                self.judge();
                return Ok(input.len());
            }
            Step::NotThisProtocol(_) => {
                let used = match message::line(input) {
                    Step::Done(_, used) => used,
                    Step::NeedMore(_) => return Ok(0),
                    Step::NotThisProtocol(why) => return Err(Violation(why)),
                };
                if before + used > MAX_PREFACE {
                    return Err(Violation("no SSH identification"));
                }
                self.set(from, Reads::Identification(before + used));
                return Ok(used);
            }
        };
        if let Some(place) = self.handshake.identification.get_mut(from.index()) {
            *place = Some(identification);
        }
        self.set(from, Reads::Packets(0));
        Ok(used)
    }

    fn packet(&mut self, from: Side, count: u8, input: &[u8]) -> Result<usize, Violation> {
        if count >= MAX_PACKETS {
            return Err(Violation("a key exchange of too many packets"));
        }
        // A server that refuses says so in words: too many connections, a version it does not speak.
        if input.len() >= 4 && input.iter().take(4).all(|octet| is_text(*octet)) {
            self.finished = true;
            return Ok(0);
        }
        let Some(protocols) = self.protocols(from) else {
            return Ok(0);
        };
        let used = match protocols {
            Protocols::One => self.protocol_one(from, input)?,
            Protocols::Both | Protocols::Two => self.protocol_two(from, input)?,
        };
        if used > 0 && matches!(self.reads(from), Reads::Packets(_)) {
            self.set(from, Reads::Packets(count + 1));
        }
        Ok(used)
    }

    /// What both sides speak, by the version of the one or the other. A side that offers both waits for its peer's
    /// version as we do, unless the peer is not in the capture: then the newer one is all that is met.
    fn protocols(&self, from: Side) -> Option<Protocols> {
        let [originator, responder] = &self.handshake.identification;
        let (own, peer) = match from {
            Side::Originator => (originator, responder),
            Side::Responder => (responder, originator),
        };
        let own = own.as_ref().map(|own| own.protocols)?;
        let peer = peer.as_ref().map(|peer| peer.protocols);
        match (own, peer) {
            (Protocols::Both, None) => match self.reads(from.other()) {
                Reads::Identification(0) | Reads::Nothing => Some(Protocols::Two),
                _ => None,
            },
            (Protocols::Both, Some(peer)) => Some(peer),
            (own, _) => Some(own),
        }
    }

    fn protocol_one(&mut self, from: Side, input: &[u8]) -> Result<usize, Violation> {
        let (packet, used) = match message::protocol_one_packet(input) {
            Step::Done(packet, used) => (packet, used),
            Step::NeedMore(_) => return Ok(0),
            Step::NotThisProtocol(why) => return Err(Violation(why)),
        };
        match packet.kind {
            ONE_DISCONNECT => self.finished = true,
            ONE_PUBLIC_KEY => self.handshake.client = Some(from.other()),
            ONE_SESSION_KEY => {
                self.handshake.client = Some(from);
                self.handshake.encrypted = true;
                self.finished = true;
            }
            ONE_IGNORE | ONE_DEBUG => {}
            _ => return Err(Violation("a packet that key exchange does not allow")),
        }
        Ok(used)
    }

    fn protocol_two(&mut self, from: Side, input: &[u8]) -> Result<usize, Violation> {
        let (packet, used) = match message::packet(input) {
            Step::Done(packet, used) => (packet, used),
            Step::NeedMore(_) => return Ok(0),
            Step::NotThisProtocol(why) => return Err(Violation(why)),
        };
        match packet.number() {
            DISCONNECT => self.finished = true,
            IGNORE | UNIMPLEMENTED | DEBUG => {}
            KEXINIT => {
                let init = message::key_exchange_init(packet.payload)
                    .ok_or(Violation("a KEXINIT whose lists do not fit"))?;
                // Until a method's first packet shows it.
                if self.handshake.client.is_none() {
                    self.handshake.client = init.says.map(|role| match role {
                        Role::Client => from,
                        Role::Server => from.other(),
                    });
                }
                if let Some(place) = self.handshake.key_exchange.get_mut(from.index()) {
                    *place = Some(init);
                }
                self.judge();
            }
            NEWKEYS => {
                self.handshake.encrypted = true;
                self.set(from, Reads::Encrypted(0));
                self.judge();
            }
            number @ METHOD_FIRST..=METHOD_LAST => self.method(from, number),
            _ => return Err(Violation("a packet that key exchange does not allow")),
        }
        Ok(used)
    }

    /// The first packet of a method that a side sends tells its role: 30, 34 or 40 begins an exchange, 31, 33 or 41
    /// answers. In RFC 4432 it is the server that begins, so a method of it leaves the roles open.
    fn method(&mut self, from: Side, number: u8) {
        let may_be_rsa = self
            .handshake
            .key_exchange
            .iter()
            .all(|init| init.as_ref().is_none_or(|init| init.offers_rsa));
        if may_be_rsa || self.method_seen {
            return;
        }
        self.handshake.client = match number {
            30 | 34 | 40 => Some(from),
            31 | 33 | 41 => Some(from.other()),
            _ => return,
        };
        self.method_seen = true;
    }

    fn encrypted(&mut self, from: Side, before: usize, input: &[u8]) -> usize {
        self.set(from, Reads::Encrypted(before.saturating_add(input.len())));
        self.judge();
        input.len()
    }

    /// All is told once one side encrypts and the other's key exchange is known, or will not come.
    fn judge(&mut self) {
        let told = |side: Side| {
            let init = self.handshake.key_exchange.get(side.index());
            init.is_some_and(Option::is_some) || self.reads(side) == Reads::Nothing
        };
        let gone_on = Side::BOTH.into_iter().any(|side| {
            let Reads::Encrypted(octets) = self.reads(side) else {
                return false;
            };
            told(side.other()) || octets > MAX_ENCRYPTED
        });
        let lost = self.reads == [Reads::Nothing; 2];
        self.finished |= gone_on || lost;
    }
}

fn is_text(octet: u8) -> bool {
    octet.is_ascii_graphic() || octet == b' '
}

/// Octets of lines before an identification: OpenSSH's client gives up after 1024 lines, and nobody greets with more.
pub const MAX_PREFACE: usize = 32 * 1024;

/// Packets of one side before its NEWKEYS: a key exchange takes two to four, a side may put some IGNOREs between.
pub const MAX_PACKETS: u8 = 32;

/// A side that has sent so many encrypted octets alone has a peer that is not in the capture.
pub const MAX_ENCRYPTED: usize = 4096;

const DISCONNECT: u8 = 1;
const IGNORE: u8 = 2;
const UNIMPLEMENTED: u8 = 3;
const DEBUG: u8 = 4;
const NEWKEYS: u8 = 21;
/// Numbers that mean what the method wants (RFC 4250, section 4.1.2).
const METHOD_FIRST: u8 = 30;
const METHOD_LAST: u8 = 49;

const ONE_DISCONNECT: u8 = 1;
/// SSH_SMSG_PUBLIC_KEY
const ONE_PUBLIC_KEY: u8 = 2;
/// SSH_CMSG_SESSION_KEY
const ONE_SESSION_KEY: u8 = 3;
const ONE_IGNORE: u8 = 32;
const ONE_DEBUG: u8 = 36;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message::tests::{LISTS, kexinit, packed};
    use super::*;
    use crate::testing::in_pieces;
    use Side::{Originator as O, Responder as R};

    const CLIENT: &[u8] = b"SSH-2.0-PuTTY_Release_0.78\r\n";
    const SERVER: &[u8] = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n";

    /// The handshake in short, and how it ended.
    fn run(conversation: &[(Side, &[u8])], size: usize) -> (Handshake, &'static str) {
        let mut session = Session::default();
        let mut end = "open";
        in_pieces(conversation, size, |from, input| {
            let used = session.feed(from, input);
            if session.is_finished() {
                end = "finished";
                return None;
            }
            match used {
                Ok(used) => Some(used),
                Err(Violation(why)) => {
                    end = why;
                    None
                }
            }
        });
        (session.handshake().clone(), end)
    }

    /// The same however cut.
    fn check(conversation: &[(Side, &[u8])]) -> (Handshake, &'static str) {
        let whole = run(conversation, usize::MAX);
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(run(conversation, size), whole, "pieces of {size}");
        }
        whole
    }

    fn text(handshake: &Handshake, side: Side) -> Option<&str> {
        handshake.identification[side.index()]
            .as_ref()
            .map(|identification| identification.text.as_str())
    }

    fn key_exchange(
        client: &'static [u8],
        server: &'static [u8],
        lists: [&str; 10],
    ) -> [Vec<u8>; 5] {
        [
            [client, &packed(&kexinit(lists))].concat(),
            [server, &packed(&kexinit(lists))].concat(),
            // SSH_MSG_KEX_ECDH_INIT
            packed(&[&[30, 0, 0, 0, 32][..], &[0x55; 32]].concat()),
            // SSH_MSG_KEX_ECDH_REPLY, NEWKEYS
            [packed(&[31; 200]), packed(&[21])].concat(),
            packed(&[21]),
        ]
    }

    #[test]
    fn a_whole_key_exchange_ends_at_the_first_newkeys() {
        let [a, b, c, d, e] = key_exchange(CLIENT, SERVER, LISTS);
        let (handshake, end) = check(&[(O, &a), (R, &b), (O, &c), (R, &d), (O, &e)]);
        assert_eq!(end, "finished");
        assert_eq!(text(&handshake, O), Some("SSH-2.0-PuTTY_Release_0.78"));
        assert_eq!(text(&handshake, R), Some("SSH-2.0-OpenSSH_9.2p1 Debian-2"));
        assert_eq!(handshake.client, Some(O));
        assert!(handshake.encrypted);
        assert!(handshake.key_exchange.iter().all(Option::is_some));
    }

    #[test]
    fn the_server_may_be_who_opened_the_connection() {
        let [a, b, c, d, e] = key_exchange(SERVER, CLIENT, LISTS);
        let (handshake, _) = check(&[(O, &a), (R, &b), (R, &c), (O, &d), (R, &e)]);
        assert_eq!(handshake.client, Some(R));
        // The first packet of a method may be in the hands of the server: then the roles stay open.
        let mut lists = LISTS;
        lists[0] = "rsa2048-sha256";
        let [a, b, c, d, e] = key_exchange(SERVER, CLIENT, lists);
        let (handshake, _) = check(&[(O, &a), (R, &b), (R, &c), (O, &d), (R, &e)]);
        assert_eq!(handshake.client, None);
        // Then what a side says of itself counts.
        lists[0] = "rsa2048-sha256,ext-info-c";
        let b = [CLIENT, &packed(&kexinit(lists))].concat();
        let (handshake, _) = check(&[(O, &a), (R, &b), (R, &c), (O, &d), (R, &e)]);
        assert_eq!(handshake.client, Some(R));
    }

    #[test]
    fn group_exchange_tells_the_roles_too() {
        let a = [CLIENT, &packed(&kexinit(LISTS)), &packed(&[34; 13])].concat();
        let b = [SERVER, &packed(&kexinit(LISTS)), &packed(&[31; 150])].concat();
        assert_eq!(check(&[(O, &a), (R, &b)]).0.client, Some(O));
        assert_eq!(check(&[(R, &b), (O, &a)]).0.client, Some(O));
    }

    #[test]
    fn lines_may_stand_before_the_servers_identification() {
        let (handshake, end) = check(&[
            (O, CLIENT),
            (R, b"Welcome.\r\nSSH is for members only\n\n"),
            (R, SERVER),
        ]);
        assert_eq!(text(&handshake, R), Some("SSH-2.0-OpenSSH_9.2p1 Debian-2"));
        assert_eq!(end, "open");
        let endless = b"line\r\n".repeat(MAX_PREFACE / 6 + 2);
        let (_, end) = check(&[(O, CLIENT), (R, &endless)]);
        assert_eq!(end, "no SSH identification");
    }

    #[test]
    fn a_request_of_another_protocol_gets_the_servers_identification() {
        let (handshake, end) = check(&[
            (O, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            (R, SERVER),
            (R, b"Invalid SSH identification string.\r\n"),
        ]);
        assert_eq!(text(&handshake, O), None);
        assert_eq!(text(&handshake, R), Some("SSH-2.0-OpenSSH_9.2p1 Debian-2"));
        assert_eq!(end, "finished");
    }

    #[test]
    fn an_incomplete_key_exchange_is_kept() {
        let init = packed(&kexinit(LISTS));
        let a = [CLIENT, &init].concat();
        let (handshake, end) = check(&[(R, SERVER), (O, &a), (R, &init[..40])]);
        assert_eq!(end, "open");
        assert!(handshake.key_exchange[0].is_some() && handshake.key_exchange[1].is_none());
        assert!(!handshake.encrypted);
    }

    #[test]
    fn one_side_alone_ends_too() {
        let [a, _, c, _, e] = key_exchange(CLIENT, SERVER, LISTS);
        let data = vec![0xaa; MAX_ENCRYPTED + 1];
        let (handshake, end) = check(&[(O, &a), (O, &c), (O, &e), (O, &data)]);
        assert_eq!((handshake.client, end), (Some(O), "finished"));
        assert!(handshake.encrypted);
    }

    #[test]
    fn a_side_whose_identification_was_missed_does_not_stop_the_other() {
        let [a, b, c, d, e] = key_exchange(CLIENT, SERVER, LISTS);
        let b = &b[SERVER.len()..];
        let (handshake, end) = check(&[(O, &a), (R, b), (O, &c), (R, &d), (O, &e)]);
        assert_eq!((handshake.client, end), (Some(O), "finished"));
        assert!(handshake.encrypted && text(&handshake, R).is_none());
    }

    #[test]
    fn version_1_99_waits_for_the_other_side() {
        // SMSG_PUBLIC_KEY: length 9, seven octets of padding, type, four octets of data, check sum
        let public_key = b"\x00\x00\x00\x09ppppppp\x02ddddcccc";
        let session_key = b"\x00\x00\x00\x09ppppppp\x03ddddcccc";
        let (handshake, end) = check(&[
            (R, b"SSH-1.99-OpenSSH_3.9p1\n"),
            (O, b"SSH-1.5-1.2.27\n"),
            (R, public_key),
            (O, session_key),
        ]);
        assert_eq!((handshake.client, end), (Some(O), "finished"));
        let [a, b, c, d, e] = key_exchange(CLIENT, b"SSH-1.99-OpenSSH_3.9p1\n", LISTS);
        let (handshake, end) = check(&[(R, &b), (O, &a), (O, &c), (R, &d), (O, &e)]);
        assert_eq!((handshake.client, end), (Some(O), "finished"));
    }

    #[test]
    fn hostile_packets_end_the_session_and_keep_what_was_told() {
        for bad in [
            &b"\xff\xff\xff\xff\x00\x00"[..],
            // SSH_MSG_USERAUTH_REQUEST in clear
            &packed(&[50; 30]),
            // A KEXINIT with nothing in it.
            &packed(&[20]),
        ] {
            let (handshake, end) = check(&[(O, CLIENT), (R, SERVER), (O, bad)]);
            assert!(handshake.identification.iter().all(Option::is_some));
            assert!(end != "open" && end != "finished", "{end}");
        }
        let ignores = packed(&[2, 0, 0, 0, 0]).repeat(usize::from(MAX_PACKETS) + 1);
        let (_, end) = check(&[(O, CLIENT), (O, &ignores)]);
        assert_eq!(end, "a key exchange of too many packets");
    }

    #[test]
    fn a_gap_ends_a_side_and_two_end_the_session() {
        let mut session = Session::default();
        assert_eq!(session.feed(O, CLIENT), Ok(CLIENT.len()));
        session.gap(R);
        assert!(!session.is_finished());
        assert_eq!(session.feed(R, b"\x00anything"), Ok(9));
        session.gap(O);
        assert!(session.is_finished());
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            client in proptest::collection::vec(any::<u8>(), 0..80),
            server in proptest::collection::vec(any::<u8>(), 0..80),
            size in 1_usize..40,
        ) {
            let client = [CLIENT, &client[..]].concat();
            let server = [&b"hello\n"[..], SERVER, &server[..]].concat();
            let conversation = [(O, &client[..]), (R, &server[..])];
            prop_assert_eq!(run(&conversation, size), run(&conversation, usize::MAX));
        }
    }
}
