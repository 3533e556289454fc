use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use terrier_engine::signature::Signatures;
use terrier_engine::{Limits, Verdicts};

use super::*;

/// A server on a free port, with what it may be told.
fn server() -> (Server, SocketAddr, Arc<Status>) {
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let telemetry = Telemetry::new(
        &Verdicts::default(),
        &Arc::new(Signatures::built_in()),
        &Limits::default(),
        "json",
    );
    let status = Arc::new(Status::new(telemetry));
    let server = Server::start(listener, Arc::clone(&status), None).unwrap();
    (server, address, status)
}

/// Sends this and reads until the server closes.
fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // The server may have answered and closed before all of a bad request is sent.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn get(address: SocketAddr, path: &str) -> String {
    ask(
        address,
        format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").as_bytes(),
    )
}

#[test]
fn answers_what_it_has_and_refuses_the_rest() {
    let (server, address, status) = server();
    let code = |answer: &str| answer.get(9..12).map(str::to_owned);
    let is = |answer: &str, expected: &str| {
        assert_eq!(code(answer).as_deref(), Some(expected), "{answer}");
    };
    is(&get(address, "/healthz"), "200");
    is(&get(address, "/readyz"), "503");
    status.set_ready(true);
    is(&get(address, "/readyz"), "200");
    status.set_ready(false);
    is(&get(address, "/readyz"), "503");
    let metrics = get(address, "/metrics");
    is(&metrics, "200");
    assert!(metrics.contains("content-type: text/plain; version=0.0.4"));
    assert!(metrics.contains("\nterrier_build_info{"));
    is(&get(address, "/metrics?debug=1"), "200");
    is(&get(address, "/"), "404");
    is(&get(address, "/metrics/"), "404");
    let post = ask(
        address,
        b"POST /metrics HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\nhi",
    );
    is(&post, "405");
    assert!(post.contains("allow: GET, HEAD"));
    let head = ask(address, b"HEAD /healthz HTTP/1.1\r\nHost: here\r\n\r\n");
    is(&head, "200");
    assert!(head.ends_with("\r\n\r\n"), "no body: {head}");
    server.finish();
}

#[test]
fn a_large_or_senseless_request_is_refused_and_harms_nobody() {
    let (server, address, _) = server();
    let mut large = b"GET /metrics HTTP/1.1\r\nX: ".to_vec();
    large.resize(64 << 10, b'x');
    let answer = ask(address, &large);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    let answer = ask(address, b"\x16\x03\x01 this is no HTTP\r\n\r\n");
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
    assert!(get(address, "/healthz").starts_with("HTTP/1.1 200"));
    server.finish();
}

#[test]
fn slow_clients_are_sent_away_and_make_place_for_others() {
    let (server, address, _) = server();
    let began = Instant::now();
    let mut idle: Vec<TcpStream> = (0..MOST_CONNECTIONS + 8)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    for stream in &mut idle {
        stream.write_all(b"GET /he").unwrap();
    }
    // All places are taken, so this one waits until their patience has gone.
    assert!(get(address, "/healthz").starts_with("HTTP/1.1 200"));
    let waited = began.elapsed();
    assert!(
        waited > PATIENCE / 2 && waited < PATIENCE * 2 + PATIENCE / 2,
        "{waited:?}"
    );
    idle.iter().for_each(|stream| {
        let _ = stream.shutdown(Shutdown::Both);
    });
    server.finish();
}

#[test]
fn an_address_in_use_is_wrong_usage_and_named() {
    let taken = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = taken.local_addr().unwrap();
    let failure = bind(address).unwrap_err();
    assert_eq!(failure.code, exit::USAGE);
    let text = failure.to_string();
    assert!(
        text.contains(&address.to_string()) && text.contains("--listen"),
        "{text}"
    );
}
