//! One head at a time: pure functions from octets to a request or an answer.

use memchr::memchr;

use super::fields::{Fields, text};
use super::wstunnel::Wstunnel;
use crate::Step;

/// What the first line of a head says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// `METHOD target HTTP/1.x`
    Request,
    /// `HTTP/1.x ddd`
    Answer,
}

/// The head of a request: what a defender reads of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Upper-case token, as sent, [`MAX_METHOD`] octets at most.
    pub method: String,
    /// Request target as sent, cut to [`MAX_TARGET`] octets.
    pub target: String,
    /// First `Host` field, cut to [`MAX_VALUE`] octets.
    pub host: Option<String>,
    /// First `User-Agent` field, cut to [`MAX_VALUE`] octets.
    pub user_agent: Option<String>,
    /// First `Upgrade` field, cut to [`MAX_VALUE`] octets.
    pub upgrade: Option<String>,
    /// How its body ends.
    pub framing: Framing,
    /// What the client offers for a WebSocket.
    pub websocket: WebSocketFields,
    /// The body is a DNS message (RFC 8484).
    pub is_dns: bool,
    /// The target of a tunnel of wstunnel.
    pub wstunnel: Option<Wstunnel>,
}

/// The fields that agree on a WebSocket (RFC 6455, section 11.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebSocketFields {
    /// `Sec-WebSocket-Protocol`: what the client offers or the server chose, of [`MAX_VALUE`] octets at most. Tokens are
    /// no names: of a member that seems to be one only the start is kept, with `*` behind it.
    pub subprotocols: Option<String>,
    /// `Sec-WebSocket-Extensions`, cut to [`MAX_VALUE`] octets.
    pub extensions: Option<String>,
}

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code, 100 to 999.
    pub status: u16,
    /// How its body ends, as its fields say; the request and the status may say that there is none.
    pub framing: Framing,
    /// First `Upgrade` field, cut to [`MAX_VALUE`] octets: with status 101 the protocol that follows.
    pub upgrade: Option<String>,
    /// What the server accepts for a WebSocket.
    pub websocket: WebSocketFields,
    /// The body is a DNS message (RFC 8484).
    pub is_dns: bool,
}

impl Answer {
    /// An answer that another one follows (RFC 9110, section 15.2). 101 is not: after it HTTP is over.
    #[must_use]
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }
}

/// How a message says where its body ends (RFC 9112, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// It says nothing.
    Silent,
    /// `Content-Length`, in octets.
    Length(u64),
    /// `Transfer-Encoding` whose last coding is chunked.
    Chunked,
    /// Another transfer coding, or lengths that are none or contradict each other.
    Unclear,
}

/// Which kind of head these octets begin: decided by the first line alone, and strictly, so that no other line protocol
/// is taken for HTTP. `Done` tells how many octets decided it.
#[must_use]
pub fn opening(input: &[u8]) -> Step<Opening> {
    match status_line(input) {
        Step::Done(_, used) => return Step::Done(Opening::Answer, used),
        Step::NeedMore(missing) => return Step::NeedMore(missing),
        Step::NotThisProtocol(_) => {}
    }
    if let Some(long) = input.get(..LONG_LINE)
        && begins_long_line(long)
    {
        return Step::Done(Opening::Request, LONG_LINE);
    }
    request_line(input).map(|_| Opening::Request)
}

/// Decodes the head of a request, from its first line to the empty line.
#[must_use]
pub fn request(input: &[u8]) -> Step<Request> {
    match request_line(input) {
        Step::Done(line, _) => {
            let (method, target) = (text(line.method, MAX_METHOD), text(line.target, MAX_TARGET));
            fields(input).map(|fields| fields.into_request(method, target))
        }
        Step::NeedMore(missing) => Step::NeedMore(missing),
        Step::NotThisProtocol(why) => Step::NotThisProtocol(why),
    }
}

/// Decodes the head of an answer, from its status line to the empty line.
#[must_use]
pub fn answer(input: &[u8]) -> Step<Answer> {
    match status_line(input) {
        Step::Done(status, _) => fields(input).map(|fields| fields.into_answer(status)),
        Step::NeedMore(missing) => Step::NeedMore(missing),
        Step::NotThisProtocol(why) => Step::NotThisProtocol(why),
    }
}

/// How long the head at the start of `input` is, the empty line included.
fn head_length(input: &[u8]) -> Step<()> {
    let searched = input.get(..MAX_HEAD).unwrap_or(input);
    let mut at = 0;
    while let Some(line_end) = searched.get(at..).and_then(|rest| memchr(b'\n', rest)) {
        at += line_end + 1;
        match searched.get(at..) {
            Some([b'\n', ..]) => return Step::Done((), at + 1),
            Some([b'\r', b'\n', ..]) => return Step::Done((), at + 2),
            _ => {}
        }
    }
    if input.len() >= MAX_HEAD {
        return Step::NotThisProtocol("a head without an end");
    }
    Step::NeedMore(1)
}

struct RequestLine<'a> {
    method: &'a [u8],
    target: &'a [u8],
}

/// `METHOD target HTTP/1.x` (RFC 9112, section 3). Refused as soon as no continuation can repair it.
fn request_line(input: &[u8]) -> Step<RequestLine<'_>> {
    let token = input
        .iter()
        .take(MAX_METHOD + 1)
        .take_while(|&&octet| is_method_octet(octet))
        .count();
    let Some((method, [after, rest @ ..])) = input.split_at_checked(token) else {
        return Step::NeedMore(1);
    };
    if token > MAX_METHOD {
        return Step::NotThisProtocol("the method is too long");
    }
    if *after != b' ' || !method.first().is_some_and(u8::is_ascii_uppercase) {
        return Step::NotThisProtocol("no method");
    }
    let searched = rest.get(..MAX_HEAD).unwrap_or(rest);
    let line_end = memchr(b'\n', searched);
    let line = searched.get(..line_end.unwrap_or(searched.len()));
    let line = line.unwrap_or(searched);
    // A carriage return may only end the line; while the line is not whole, it may be the last octet we have.
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // Without a way out in between, many are looked at together.
    let controls = line
        .iter()
        .fold(false, |some, octet| some | octet.is_ascii_control());
    if controls {
        return Step::NotThisProtocol("a control character in the request line");
    }
    let Some(line_end) = line_end else {
        return if searched.len() < MAX_HEAD {
            Step::NeedMore(1)
        } else {
            Step::NotThisProtocol("a head without an end")
        };
    };
    let line = line.trim_ascii();
    match line.split_last_chunk::<9>() {
        Some((target, [b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9']))
            if !target.is_empty() =>
        {
            let target = target.trim_ascii_end();
            Step::Done(RequestLine { method, target }, token + 1 + line_end + 1)
        }
        _ => Step::NotThisProtocol("no HTTP/1 version at the end of the line"),
    }
}

/// Methods of HTTP, WebDAV and of products with `_` (`RPC_IN_DATA`, `BITS_POST`) and `-` (`VERSION-CONTROL`).
fn is_method_octet(octet: u8) -> bool {
    octet.is_ascii_uppercase() || octet == b'_' || octet == b'-'
}

/// Whether a line that has not ended yet is a request all the same: a usual method and the start of a usual target.
fn begins_long_line(line: &[u8]) -> bool {
    let usual = [
        &b"GET "[..],
        b"POST ",
        b"PUT ",
        b"HEAD ",
        b"DELETE ",
        b"PATCH ",
    ];
    usual.iter().any(|method| {
        line.strip_prefix(*method)
            .is_some_and(|target| target.starts_with(b"/") || target.starts_with(b"http"))
    }) && line
        .iter()
        .all(|octet| octet.is_ascii_graphic() || *octet == b' ')
}

/// `HTTP/1.x ddd` and what must follow it (RFC 9112, section 4).
fn status_line(input: &[u8]) -> Step<u16> {
    let fits = |(&octet, &want): (&u8, &u8)| match want {
        b'#' => octet.is_ascii_digit(),
        b'+' => (b'1'..=b'9').contains(&octet),
        // What ends the code.
        b'.' if octet == b' ' || octet == b'\r' || octet == b'\n' => true,
        want => octet == want,
    };
    // The point in `1.` would match blanks too: the fixed part is compared as it stands.
    let fixed = STATUS_FIXED.len().min(input.len());
    if input.get(..fixed) != STATUS_FIXED.get(..fixed)
        || !input.iter().skip(fixed).zip(STATUS_FREE).all(fits)
    {
        return Step::NotThisProtocol("no HTTP/1 status line");
    }
    let whole = STATUS_FIXED.len() + STATUS_FREE.len();
    let Some([_, _, a, b, c, _]) = input.get(STATUS_FIXED.len()..whole) else {
        return Step::NeedMore(whole - input.len());
    };
    let status = [a, b, c]
        .iter()
        .fold(0, |sum, &&digit| sum * 10 + u16::from(digit - b'0'));
    Step::Done(status, whole)
}

const STATUS_FIXED: &[u8] = b"HTTP/1.";
/// Minor version, blank, code, and what ends the code: `#` any digit, `+` any but 0, `.` a blank or the line's end.
const STATUS_FREE: &[u8] = b"# +##.";

/// Reads the field lines below the first line, once the head is whole.
fn fields(input: &[u8]) -> Step<Fields> {
    match head_length(input) {
        Step::Done((), used) => {
            let head = input.get(..used).unwrap_or(input);
            Step::Done(Fields::read(head), used)
        }
        Step::NeedMore(missing) => Step::NeedMore(missing),
        Step::NotThisProtocol(why) => Step::NotThisProtocol(why),
    }
}

/// Servers allow 8 to 16 KiB for a whole head; what is longer is no request that anybody answers.
pub const MAX_HEAD: usize = 16 * 1024;

/// The longest registered method has 17 letters (`UPDATEREDIRECTREF`).
pub const MAX_METHOD: usize = 20;

/// Long enough for every path a signature names; web shells post, they do not ask with long targets.
pub const MAX_TARGET: usize = 2048;

/// Names have 255 octets, the longest user agents in use about 500.
pub const MAX_VALUE: usize = 1024;

/// A request line may be as long as the head, but a prober waits only so long for its end when all else is plain.
const LONG_LINE: usize = 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::assert_same_however_cut;

    fn kind(input: &[u8]) -> Option<Opening> {
        assert_same_however_cut(opening, input);
        match opening(input) {
            Step::Done(kind, used) => {
                assert!(used <= input.len());
                Some(kind)
            }
            Step::NeedMore(_) | Step::NotThisProtocol(_) => None,
        }
    }

    fn whole<M: PartialEq + std::fmt::Debug>(
        decode: impl Fn(&[u8]) -> Step<M>,
        input: &[u8],
    ) -> (M, usize) {
        assert_same_however_cut(&decode, input);
        match decode(input) {
            Step::Done(message, used) => (message, used),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn knows_requests_and_answers_by_their_first_line() {
        for line in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"OPTIONS * HTTP/1.0\n",
            b"CONNECT PageKite:1 HTTP/1.0\r\n",
            b"PROPFIND /dav/a b HTTP/1.1\r\n",
            b"RPC_IN_DATA /rpc/rpcproxy.dll?gateway:3388 HTTP/1.1\r\n",
            b"UPDATEREDIRECTREF /x HTTP/1.1\r\n",
        ] {
            assert_eq!(kind(line), Some(Opening::Request), "{line:?}");
        }
        for line in [
            &b"HTTP/1.1 200 OK\r\n"[..],
            b"HTTP/1.0 404\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\n",
        ] {
            assert_eq!(kind(line), Some(Opening::Answer), "{line:?}");
        }
    }

    #[test]
    fn takes_no_other_line_protocol_for_http() {
        for line in [
            &b"EHLO mail.example\r\n"[..],
            b"220 mail.example ESMTP\r\n",
            b"NICK somebody\r\nUSER a b c :GET / HTTP/1.1\r\n",
            b"PRIVMSG #room :see HTTP/1.1 please\r\n",
            b"GET the milk\r\n",
            b"OPTIONS rtsp://camera/1 RTSP/1.0\r\n",
            b"INVITE sip:a@example.org SIP/2.0\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"get / HTTP/1.1\r\n",
            b"HTTP/2 200\r\n",
            b"HTTP/1.1 OK\r\n",
            b"HTTP/1.1 2000\r\n",
            b"HTTP/1 1 200 OK\r\n",
            b"RFB 003.008\n",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"AAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n",
            b"GET /\x00 HTTP/1.1\r\n",
            b"GET  HTTP/1.1\r\n",
            b"\x16\x03\x01\x02\x00\x01",
        ] {
            assert_eq!(kind(line), None, "{line:?}");
        }
    }

    #[test]
    fn does_not_wait_for_the_end_of_a_long_plain_line() {
        let long = [b"GET /".to_vec(), vec![b'a'; LONG_LINE]].concat();
        assert_eq!(kind(&long), Some(Opening::Request));
        let words = [b"LIST /".to_vec(), vec![b'a'; LONG_LINE]].concat();
        assert_eq!(kind(&words), None);
    }

    #[test]
    fn reads_what_a_request_says_of_itself() {
        let head = b"POST /ngrok.crl?a=b HTTP/1.1\r\n\
            HOST: crl.ngrok-agent.com:80\r\n\
            User-Agent:  Go-http-client/1.1 \r\n\
            no field\r\n\
            Upgrade : websocket,\r\n\tother\r\n\
            Content-Length: 12\r\n\
            Host: second.example\r\n\
            \r\nbody";
        let (request, used) = whole(request, head);
        assert_eq!(used, head.len() - 4);
        assert_eq!(
            request,
            Request {
                method: "POST".into(),
                target: "/ngrok.crl?a=b".into(),
                host: Some("crl.ngrok-agent.com:80".into()),
                user_agent: Some("Go-http-client/1.1".into()),
                upgrade: Some("websocket, other".into()),
                framing: Framing::Length(12),
                websocket: WebSocketFields::default(),
                is_dns: false,
                wstunnel: None,
            }
        );
    }

    #[test]
    fn reads_heads_with_bare_line_feeds_and_without_fields() {
        let (bare, used) = whole(request, b"GET /a HTTP/1.0\nHost: x\n\nrest");
        assert_eq!((bare.host.as_deref(), used), (Some("x"), 25));
        let (alone, used) = whole(answer, b"HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(
            (alone.status, alone.framing, used),
            (204, Framing::Silent, 27)
        );
    }

    #[test]
    fn tells_how_a_body_ends() {
        let framing = |fields: &str| {
            let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
            whole(answer, head.as_bytes()).0.framing
        };
        assert_eq!(framing("Content-Length: 7\r\n"), Framing::Length(7));
        assert_eq!(
            framing("Content-Length: 7\r\ncontent-length: 7\r\n"),
            Framing::Length(7)
        );
        assert_eq!(
            framing("Content-Length: 7\r\nContent-Length: 8\r\n"),
            Framing::Unclear
        );
        assert_eq!(framing("Content-Length: +7\r\n"), Framing::Unclear);
        assert_eq!(
            framing("Content-Length: 99999999999999999999\r\n"),
            Framing::Unclear
        );
        assert_eq!(
            framing("Content-Length: 7\r\nTransfer-Encoding: gzip, Chunked\r\n"),
            Framing::Chunked
        );
        assert_eq!(
            framing("Transfer-Encoding: chunked\r\nContent-Length: 7\r\n"),
            Framing::Chunked
        );
        assert_eq!(framing("Transfer-Encoding: gzip\r\n"), Framing::Unclear);
    }

    #[test]
    fn keeps_long_targets_and_values_within_their_bounds() {
        let head = [
            b"GET /".to_vec(),
            vec![0xe4; 4000],
            b" HTTP/1.1\r\nUser-Agent: ".to_vec(),
            vec![0xff; 4000],
            b"\r\n ".to_vec(),
            vec![0xff; 4000],
            b"\r\n\r\n".to_vec(),
        ]
        .concat();
        let (request, _) = whole(request, &head);
        assert!(request.target.len() <= MAX_TARGET);
        assert!(
            request
                .user_agent
                .is_some_and(|agent| agent.len() <= MAX_VALUE)
        );
    }

    #[test]
    fn refuses_a_head_without_an_end() {
        let endless = [b"GET / HTTP/1.1\r\n".to_vec(), vec![b'a'; MAX_HEAD]].concat();
        assert!(matches!(request(&endless), Step::NotThisProtocol(_)));
        let line = [b"GET /".to_vec(), vec![b'a'; 2 * MAX_HEAD]].concat();
        assert!(matches!(request(&line), Step::NotThisProtocol(_)));
    }

    proptest! {
        #[test]
        fn random_octets_never_change_an_answer_given_early(
            input in proptest::collection::vec(
                prop_oneof![Just(b'\r'), Just(b'\n'), Just(b' '), Just(b':'), any::<u8>()], 0..200)
        ) {
            let request_like = [b"GET /x HTTP/1.1\r\n", &input[..]].concat();
            assert_same_however_cut(opening, &input);
            assert_same_however_cut(request, &request_like);
            assert_same_however_cut(answer, &[b"HTTP/1.1 200 ", &input[..]].concat());
        }
    }
}
