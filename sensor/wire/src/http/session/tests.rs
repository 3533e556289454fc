use proptest::prelude::*;

use super::*;
use crate::testing::in_pieces;
use Side::{Originator as O, Responder as R};

/// The messages, shortened, and how it ended; the same whatever the size of the pieces.
fn check(conversation: &[(Side, &[u8])], expected: &[&str]) {
    for size in [1, 2, 3, 7, 64, usize::MAX] {
        assert_eq!(run(conversation, size), expected, "pieces of {size}");
    }
}

fn run(conversation: &[(Side, &[u8])], size: usize) -> Vec<String> {
    let mut session = Session::default();
    let mut found = Vec::new();
    let mut end = None;
    in_pieces(conversation, size, |from, input| {
        let used = session.feed(from, input, |message| found.push(short(&message)));
        if session.is_finished() {
            end = Some("finished".to_owned());
            return None;
        }
        match used {
            Ok(used) => Some(used),
            Err(Violation(why)) => {
                end = Some(format!("violation: {why}"));
                None
            }
        }
    });
    found.extend(end);
    found
}

fn short(message: &Message) -> String {
    match message {
        Message::Request(request) => format!("{} {}", request.method, request.target),
        Message::Answer(answer) => answer.status.to_string(),
        Message::Dns(_, octets) => format!("dns {}", octets.escape_ascii()),
        Message::AnswersLost => "lost".to_owned(),
    }
}

#[test]
fn pairs_requests_and_answers_over_a_kept_connection() {
    check(
        &[
            (O, b"POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nGET "),
            (R, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nHTTP/1.1"),
            (O, b"\r\nHEAD /b HTTP/1.1\r\n\r\n"),
            (R, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
            (O, b"GET /c HTTP/1.1\r\n\r\nGET /d HTTP/1.1\r\n\r\n"),
            (R, b"HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
            (O, b"GET /e HTTP/1.1\r\n\r\n"),
            (R, b"HTTP/1.1 204 No Content\r\n\r\n"),
        ],
        &[
            "POST /a", "200", "HEAD /b", "200", "GET /c", "GET /d", "304", "200", "GET /e",
            "204",
        ],
    );
}

#[test]
fn hands_out_the_bodies_that_are_dns_messages() {
    check(
        &[
            (O, b"POST /dns-query HTTP/1.1\r\nContent-Type: application/dns-message\r\nContent-Length: 5\r\n\r\nquery"),
            (R, b"HTTP/1.1 200 OK\r\ncontent-type: Application/DNS-message; x=y\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nans\r\n3\r\nwer\r\n0\r\n\r\n"),
            (O, b"GET /dns-query?ct&dns=cXVlcnk HTTP/1.1\r\n\r\n"),
            (R, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno"),
            (O, b"GET /?dns=no+base64! HTTP/1.1\r\n\r\n"),
        ],
        &[
            "POST /dns-query",
            "dns query",
            "200",
            "dns answer",
            "GET /dns-query?ct&dns=cXVlcnk",
            "dns query",
            "200",
            "GET /?dns=no+base64!",
        ],
    );
}

#[test]
fn the_responder_may_be_the_client() {
    // A visitor's request that a tunnel hands to its agent.
    check(
        &[
            (R, b"GET / HTTP/1.1\r\nHost: witty-fox-1.loca.lt\r\n\r\n"),
            (O, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ],
        &["GET /", "200"],
    );
}

#[test]
fn finishes_where_the_connection_is_handed_over() {
    check(
        &[
            (
                O,
                b"CONNECT PageKite:1 HTTP/1.0\r\nX-PageKite-Version: 1.5\r\n\r\n",
            ),
            (
                R,
                b"HTTP/1.1 200 OK\r\nX-PageKite-UUID: 1\r\n\r\n5\r\nNOOP\n",
            ),
        ],
        &["CONNECT PageKite:1", "200", "finished"],
    );
    check(
        &[
            (
                O,
                b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\x82\x05",
            ),
            (R, b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x82\x0c"),
        ],
        &["GET /chat", "101", "finished"],
    );
}

#[test]
fn goes_on_after_a_connect_that_was_refused() {
    check(
        &[
            (O, b"CONNECT a:443 HTTP/1.1\r\n\r\n"),
            (
                R,
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno",
            ),
            (
                O,
                b"CONNECT a:443 HTTP/1.1\r\nProxy-Authorization: x\r\n\r\n\x16\x03\x01",
            ),
            (R, b"HTTP/1.1 200 Connection established\r\n\r\n"),
        ],
        &["CONNECT a:443", "407", "CONNECT a:443", "200", "finished"],
    );
}

#[test]
fn a_connect_whose_answer_was_not_captured_does_not_wait_for_ever() {
    let early = vec![0x17; MAX_EARLY + 1];
    check(
        &[(O, b"CONNECT a:443 HTTP/1.1\r\n\r\n"), (O, &early)],
        &["CONNECT a:443", "finished"],
    );
}

#[test]
fn finishes_at_a_body_that_only_the_connection_ends() {
    check(
        &[
            (O, b"GET / HTTP/1.0\r\n\r\n"),
            (R, b"HTTP/1.0 200 OK\r\n\r\n<html>"),
        ],
        &["GET /", "200", "finished"],
    );
    check(
        &[
            (O, b"GET / HTTP/1.1\r\n\r\n"),
            (R, b"HTTP/1.1 200 OK\r\nContent-Length: 16777217\r\n\r\n"),
        ],
        &["GET /", "200", "finished"],
    );
}

#[test]
fn an_answer_alone_stands_alone() {
    check(
        &[
            (R, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
            (O, b"GET /later HTTP/1.1\r\n\r\n"),
        ],
        &["200", "GET /later"],
    );
}

#[test]
fn keeps_the_request_to_a_server_that_speaks_something_else() {
    check(
        &[
            (R, b"220 mail.example ESMTP\r\n"),
            (O, b"GET / HTTP/1.1\r\n\r\n"),
        ],
        &["GET /", "violation: no HTTP/1 status line"],
    );
}

#[test]
fn goes_on_with_requests_alone_when_no_answer_is_in_the_capture() {
    let requests = b"GET / HTTP/1.1\r\n\r\n".repeat(MAX_PENDING + 3);
    let found = run(&[(O, &requests)], 1000);
    assert_eq!(found.len(), MAX_PENDING + 4);
    assert_eq!(found.iter().filter(|found| *found == "lost").count(), 1);
}

#[test]
fn a_gap_inside_a_body_loses_nothing() {
    let mut session = Session::default();
    let mut found = Vec::new();
    let mut feed = |session: &mut Session, from, input: &[u8]| {
        session.feed(from, input, |message| found.push(short(&message)))
    };
    let get = b"GET / HTTP/1.1\r\n\r\n";
    assert!(feed(&mut session, O, get).is_ok());
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab";
    assert_eq!(feed(&mut session, R, head), Ok(head.len()));
    session.gap(R, 8, |_| panic!("nothing is lost"));
    assert!(feed(&mut session, O, get).is_ok());
    assert!(feed(&mut session, R, head).is_ok());
    session.gap(R, 9, |message| assert_eq!(message, Message::AnswersLost));
    assert!(!session.is_finished());
    assert_eq!(feed(&mut session, R, b"anything"), Ok(8));
    session.gap(O, 0, |_| {});
    assert!(session.is_finished());
    assert_eq!(found, ["GET /", "200", "GET /", "200"]);
}

proptest! {
    #[test]
    fn pieces_do_not_matter(
        client in proptest::collection::vec(any::<u8>(), 0..60),
        server in proptest::collection::vec(any::<u8>(), 0..60),
        size in 1_usize..40,
    ) {
        let client = [b"GET /x HTTP/1.1\r\nContent-Length: 3\r\n\r\n", &client[..]].concat();
        let server = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &server[..]].concat();
        let conversation = [(O, &client[..]), (R, &server[..])];
        prop_assert_eq!(run(&conversation, size), run(&conversation, usize::MAX));
    }
}
