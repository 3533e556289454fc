//! Handshakes made for tests, of this crate and of its users.

use crate::tls::{HandshakeType, samples};

/// The body of a ClientHello of DTLS 1.2 with one cipher suite and a server name.
#[must_use]
pub fn client_hello(server_name: &str, cookie: &[u8]) -> Vec<u8> {
    with_cookie(
        &samples::client_hello(0xfefd, &[0xc02b], Some(&[samples::sni(server_name)])),
        cookie,
    )
}

/// A body of TLS, whose session id is empty, with the cookie that DTLS has behind it.
#[must_use]
pub fn with_cookie(body: &[u8], cookie: &[u8]) -> Vec<u8> {
    let (before, behind) = body.split_at_checked(2 + 32 + 1).unwrap_or((body, &[]));
    let length = u8::try_from(cookie.len()).unwrap_or(u8::MAX);
    [before, &[length], cookie, behind].concat()
}

/// The body of a ServerHello of DTLS 1.2.
#[must_use]
pub fn server_hello() -> Vec<u8> {
    samples::server_hello(0xfefd, [7; 32], 0xc02b, None)
}

/// A fragment of a message with its header.
#[must_use]
pub fn fragment(kind: HandshakeType, body: &[u8], message: u16, part: (usize, usize)) -> Vec<u8> {
    let (offset, end) = (part.0.min(body.len()), part.1.min(body.len()));
    let mut octets = vec![kind.0];
    octets.extend(u24(body.len()));
    octets.extend(message.to_be_bytes());
    octets.extend(u24(offset));
    octets.extend(u24(end.saturating_sub(offset)));
    octets.extend_from_slice(body.get(offset..end).unwrap_or_default());
    octets
}

/// A record of epoch 0 with the version of DTLS 1.2.
#[must_use]
pub fn record(content_type: u8, number: u8, octets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(octets.len()).unwrap_or(u16::MAX);
    let mut record = vec![content_type, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, number];
    record.extend(length.to_be_bytes());
    record.extend_from_slice(octets);
    record
}

/// A message whole in one datagram.
#[must_use]
pub fn datagram(kind: HandshakeType, body: &[u8], message: u16) -> Vec<u8> {
    record(22, 0, &fragment(kind, body, message, (0, body.len())))
}

fn u24(number: usize) -> [u8; 3] {
    let [_, a, b, c] = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    [a, b, c]
}
