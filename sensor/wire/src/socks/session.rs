//! The state machine of one flow.

use super::message::{self, Command, Method, Reply, Request, Version};
use super::opening::{Opening, opening};
use crate::{Side, Step, Violation};

/// What was asked and answered so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exchange {
    /// Version of the protocol, once the first message has told.
    pub version: Option<Version>,
    /// Which side is the client of SOCKS.
    pub client: Option<Side>,
    /// Version 5: what the server chose.
    pub method: Option<Method>,
    /// Version 5: whether the server took the password.
    pub password_taken: Option<bool>,
    /// What the client asked for.
    pub request: Option<Request>,
    /// What the server answered; of BIND's two answers the first, unless the second is a refusal.
    pub reply: Option<Reply>,
}

/// Follows one TCP flow.
#[derive(Debug, Default)]
pub struct Session {
    exchange: Exchange,
    from_client: FromClient,
    from_server: FromServer,
    /// What the greeting offered beside a password, which has the same first octet.
    offers_gssapi: bool,
    /// Whether anything came from the server.
    server_spoke: bool,
    finished: bool,
    carrier: bool,
}

/// What is due from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum FromClient {
    #[default]
    Greeting,
    /// A password or a request.
    Request,
    /// What the proxy is to carry.
    Payload,
}

/// What is due from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum FromServer {
    #[default]
    Method,
    PasswordStatus,
    Reply,
    /// BIND: somebody has come.
    SecondReply,
    /// What the proxy carries.
    Payload,
}

impl Session {
    /// What is known by now.
    #[must_use]
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// SOCKS is over.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether it is over because another protocol follows on both sides.
    #[must_use]
    pub fn is_carrier(&self) -> bool {
        self.carrier
    }

    /// Reads the whole messages at the start of `input`; answers how many octets they took.
    ///
    /// # Errors
    /// When something else comes. What was understood before holds.
    pub fn feed(&mut self, from: Side, input: &[u8]) -> Result<usize, Violation> {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            if rest.is_empty() || self.finished || (used > 0 && self.is_through(from)) {
                return Ok(used);
            }
            let step = match self.step(from, rest) {
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

    /// Whether nothing more is due from this side: then it is the other one's turn, which is read before anything is made of
    /// its absence.
    fn is_through(&self, from: Side) -> bool {
        match self.exchange.client {
            Some(client) if client == from => self.from_client == FromClient::Payload,
            Some(_) => self.from_server == FromServer::Payload,
            None => false,
        }
    }

    /// Octets were lost: the message they were of, or the place where the payload begins.
    pub fn gap(&mut self) {
        self.finished = true;
    }

    fn step(&mut self, from: Side, input: &[u8]) -> Result<usize, Violation> {
        let Some(client) = self.exchange.client else {
            return self.roles(from, input);
        };
        if from == client {
            self.client(input)
        } else {
            self.server_spoke = true;
            self.server(input)
        }
    }

    /// The side whose first messages tell is read first; nothing is consumed here.
    fn roles(&mut self, from: Side, input: &[u8]) -> Result<usize, Violation> {
        let (client, version) = match opening(input) {
            Step::Done(Opening::Client(version), _) => (from, version),
            Step::Done(Opening::Server, _) => (from.other(), Version::Five),
            Step::NeedMore(_) => return Ok(0),
            Step::NotThisProtocol(why) => return Err(Violation(why)),
        };
        self.exchange.client = Some(client);
        self.exchange.version = Some(version);
        if version == Version::Four {
            self.from_client = FromClient::Request;
            self.from_server = FromServer::Reply;
        }
        self.step(from, input)
    }

    fn client(&mut self, input: &[u8]) -> Result<usize, Violation> {
        match self.from_client {
            FromClient::Greeting => {
                let Some((methods, used)) = whole(message::greeting(input))? else {
                    return Ok(0);
                };
                self.offers_gssapi = methods.contains(&Method::GSSAPI.0);
                self.from_client = FromClient::Request;
                Ok(used)
            }
            FromClient::Request => self.request(input),
            FromClient::Payload => {
                // The client would have waited for the server, whose side is then not in the capture.
                if !self.server_spoke {
                    self.carry();
                }
                Ok(0)
            }
        }
    }

    fn request(&mut self, input: &[u8]) -> Result<usize, Violation> {
        let four = self.exchange.version == Some(Version::Four);
        if !four && input.first() == Some(&1) {
            // A password, or a token of GSSAPI: the server's choice tells, or that only one was offered.
            let is_password = match self.exchange.method {
                Some(method) => method == Method::PASSWORD,
                None => !self.offers_gssapi,
            };
            if !is_password {
                return Ok(0);
            }
            return Ok(whole(message::password(input))?.map_or(0, |((), used)| used));
        }
        let step = if four {
            message::request_4(input)
        } else {
            message::request_5(input)
        };
        let Some((request, used)) = whole(step)? else {
            return Ok(0);
        };
        self.exchange.request = Some(request);
        self.from_client = FromClient::Payload;
        self.settle(false);
        Ok(used)
    }

    fn server(&mut self, input: &[u8]) -> Result<usize, Violation> {
        match self.from_server {
            FromServer::Method => {
                let Some((method, used)) = whole(message::method_selection(input))? else {
                    return Ok(0);
                };
                self.exchange.method = Some(method);
                self.from_server = match method {
                    Method::NONE => FromServer::Reply,
                    Method::PASSWORD => FromServer::PasswordStatus,
                    // Refused, or a method that may encrypt what follows.
                    _ => {
                        self.finished = true;
                        FromServer::Payload
                    }
                };
                Ok(used)
            }
            FromServer::PasswordStatus => {
                let Some((taken, used)) = whole(message::password_status(input))? else {
                    return Ok(0);
                };
                self.exchange.password_taken = Some(taken);
                self.finished = !taken;
                self.from_server = FromServer::Reply;
                Ok(used)
            }
            FromServer::Reply | FromServer::SecondReply => self.reply(input),
            FromServer::Payload => {
                // The server goes on, and the client is not in the capture.
                if self.from_client == FromClient::Greeting {
                    self.finished = true;
                    self.carrier = self.exchange.reply.as_ref().is_some_and(Reply::is_granted);
                }
                Ok(0)
            }
        }
    }

    fn reply(&mut self, input: &[u8]) -> Result<usize, Violation> {
        let step = if self.exchange.version == Some(Version::Four) {
            message::reply_4(input)
        } else {
            message::reply_5(input)
        };
        let Some((reply, used)) = whole(step)? else {
            return Ok(0);
        };
        let second = self.from_server == FromServer::SecondReply;
        if !second || !reply.is_granted() {
            self.exchange.reply = Some(reply);
        }
        self.from_server = FromServer::Payload;
        self.settle(second);
        Ok(used)
    }

    /// How it goes on once a request and its reply are known, whichever side was read first.
    fn settle(&mut self, second: bool) {
        let (Some(request), Some(reply)) = (&self.exchange.request, &self.exchange.reply) else {
            return;
        };
        match request.command {
            _ if !reply.is_granted() => self.finished = true,
            Command::BIND if !second => self.from_server = FromServer::SecondReply,
            Command::CONNECT | Command::BIND => self.carry(),
            // A relay of datagrams, or an answer that is all.
            _ => self.finished = true,
        }
    }

    fn carry(&mut self) {
        self.finished = true;
        self.carrier = true;
    }
}

/// A whole message, or nothing yet.
fn whole<M>(step: Step<M>) -> Result<Option<(M, usize)>, Violation> {
    match step {
        Step::Done(message, used) => Ok(Some((message, used))),
        Step::NeedMore(_) => Ok(None),
        Step::NotThisProtocol(why) => Err(Violation(why)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::in_pieces;
    use Side::{Originator as O, Responder as R};

    const GREETING: &[u8] = b"\x05\x01\x00";
    const REQUEST: &[u8] = b"\x05\x01\x00\x03\x0bexample.org\x01\xbb";
    const GRANTED: &[u8] = b"\x05\x00\x00\x01\x0a\x00\x00\x07\x8f\x01";

    fn run(conversation: &[(Side, &[u8])], size: usize) -> (Exchange, &'static str) {
        let mut session = Session::default();
        let mut end = "open";
        in_pieces(conversation, size, |from, input| {
            let used = session.feed(from, input);
            if session.is_finished() {
                end = if session.is_carrier() {
                    "carries"
                } else {
                    "finished"
                };
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
        (session.exchange().clone(), end)
    }

    fn check(conversation: &[(Side, &[u8])]) -> (Exchange, &'static str) {
        let whole = run(conversation, usize::MAX);
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(run(conversation, size), whole, "pieces of {size}");
        }
        whole
    }

    fn asked(exchange: &Exchange) -> (&str, u16) {
        let destination = &exchange.request.as_ref().unwrap().destination;
        (&destination.host, destination.port)
    }

    #[test]
    fn a_granted_connect_carries_what_follows() {
        let (exchange, end) = check(&[
            (O, GREETING),
            (R, b"\x05\x00"),
            (O, REQUEST),
            (R, GRANTED),
            (O, b"\x16\x03\x01"),
        ]);
        assert_eq!(end, "carries");
        assert_eq!(asked(&exchange), ("example.org", 443));
        assert_eq!(
            (exchange.client, exchange.method),
            (Some(O), Some(Method::NONE))
        );
        assert_eq!(exchange.reply.unwrap().bound.host, "10.0.0.7");
    }

    #[test]
    fn the_responder_may_be_the_client() {
        let (exchange, end) = check(&[(R, GREETING), (O, b"\x05\x00"), (R, REQUEST), (O, GRANTED)]);
        assert_eq!((exchange.client, end), (Some(R), "carries"));
    }

    #[test]
    fn a_password_is_skipped_and_its_refusal_ends_the_exchange() {
        let password = b"\x01\x03bob\x06secret";
        let begin: [(Side, &[u8]); 3] = [(O, b"\x05\x02\x00\x02"), (R, b"\x05\x02"), (O, password)];
        let (exchange, end) =
            check(&[&begin[..], &[(R, b"\x01\x00"), (O, REQUEST), (R, GRANTED)]].concat());
        assert_eq!((exchange.password_taken, end), (Some(true), "carries"));
        assert!(!format!("{exchange:?}").contains("secret"));
        let (exchange, end) = check(&[&begin[..], &[(R, b"\x01\x01")]].concat());
        assert_eq!((exchange.password_taken, end), (Some(false), "finished"));
    }

    #[test]
    fn gssapi_is_named_and_given_up() {
        let (exchange, end) = check(&[
            (O, b"\x05\x02\x01\x02"),
            (R, b"\x05\x01"),
            (O, b"\x01\x01\x01\x00\x60\x82\x01"),
            (R, b"\x01\x01\x00\x40\x60"),
        ]);
        assert_eq!((exchange.method, end), (Some(Method::GSSAPI), "finished"));
    }

    #[test]
    fn a_refusal_ends_the_exchange() {
        let (exchange, end) = check(&[
            (O, GREETING),
            (R, b"\x05\x00"),
            (O, REQUEST),
            (R, b"\x05\x02\x00\x01\0\0\0\0\0\0"),
        ]);
        assert_eq!(end, "finished");
        assert_eq!(exchange.reply.unwrap().code, 2);
    }

    #[test]
    fn bind_answers_twice() {
        let bind = b"\x05\x02\x00\x01\xc0\x00\x02\x07\x00\x14";
        let (exchange, end) = check(&[
            (O, GREETING),
            (R, b"\x05\x00"),
            (O, bind),
            (R, GRANTED),
            (R, b"\x05\x00\x00\x01\xc0\x00\x02\x07\x00\x14"),
        ]);
        assert_eq!(end, "carries");
        assert_eq!(exchange.reply.unwrap().bound.host, "10.0.0.7");
    }

    #[test]
    fn a_relay_of_datagrams_ends_the_exchange() {
        let associate = b"\x05\x03\x00\x01\0\0\0\0\0\0";
        let (_, end) = check(&[
            (O, GREETING),
            (R, b"\x05\x00"),
            (O, associate),
            (R, GRANTED),
        ]);
        assert_eq!(end, "finished");
    }

    #[test]
    fn version_4_is_answered_by_eight_octets() {
        let (exchange, end) = check(&[
            (O, b"\x04\x01\x16\xa8\0\0\0\x01root\0desk.example\0"),
            (R, b"\x00\x5a\0\0\0\0\0\0RFB 003.008\n"),
        ]);
        assert_eq!(end, "carries");
        assert_eq!(asked(&exchange), ("desk.example", 5800));
        let (_, end) = check(&[
            (O, b"\x04\x01\x16\xa8\xc0\0\x02\x01\0"),
            (R, b"HTTP/1.1 400"),
        ]);
        assert_eq!(end, "no SOCKS reply");
    }

    #[test]
    fn one_side_alone_carries_too() {
        let (exchange, end) = check(&[(O, GREETING), (O, REQUEST), (O, b"\x16\x03\x01")]);
        assert_eq!((exchange.reply.is_none(), end), (true, "carries"));
        let (exchange, end) = check(&[(R, b"\x05\x00"), (R, GRANTED), (R, b"\x16\x03\x03")]);
        assert_eq!((exchange.client, end), (Some(O), "carries"));
        assert!(exchange.request.is_none());
    }

    #[test]
    fn which_side_is_read_first_does_not_matter() {
        // Offers GSSAPI and a password, as curl does.
        let client = [&b"\x05\x03\x00\x01\x02\x01\x03bob\x03pwd"[..], REQUEST].concat();
        let server = [&b"\x05\x02\x01\x00"[..], GRANTED].concat();
        let (one, end) = check(&[(R, &server), (O, &client)]);
        assert_eq!(end, "carries");
        let (other, end) = check(&[
            (O, &client[..5]),
            (R, &server[..2]),
            (O, &client[5..]),
            (R, &server[2..]),
        ]);
        assert_eq!((other, end), (one, "carries"));
    }

    #[test]
    fn a_gap_ends_it() {
        let mut session = Session::default();
        assert_eq!(session.feed(O, &[GREETING, REQUEST].concat()), Ok(21));
        session.gap();
        assert!(session.is_finished() && !session.is_carrier());
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            client in proptest::collection::vec(prop_oneof![0_u8..6, any::<u8>()], 0..40),
            server in proptest::collection::vec(prop_oneof![0_u8..6, any::<u8>()], 0..40),
            size in 1_usize..20,
        ) {
            let client = [&b"\x05\x02\x00\x02"[..], &client].concat();
            let server = [&b"\x05"[..], &server].concat();
            let conversation = [(O, &client[..]), (R, &server[..])];
            prop_assert_eq!(run(&conversation, size), run(&conversation, usize::MAX));
        }
    }
}
