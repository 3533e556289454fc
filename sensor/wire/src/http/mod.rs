//! The heads of HTTP/1 requests and answers.
//!
//! *In*: the ordered octets of both sides of a TCP flow; either side may be the client, for behind a reverse tunnel the
//! requests come from the server's side of the connection. *Out*: [`Request`] and [`Answer`], in the order in which each
//! side sent them; an answer belongs to the oldest request without one. *By*: RFC 9110, RFC 9112; read as servers read it
//! (bare LF ends a line, empty lines before a request, folded header lines, blanks in a target), for the client of a
//! tunnel is seldom pedantic.
//!
//! Bodies with a length and chunked bodies are skipped, never kept, but those that are DNS messages (RFC 8484). What a
//! tunnel of wstunnel says of its target is read ([`Wstunnel`]). *Left out*: HTTP/0.9, HTTP/2 ([`crate::http2`]), what
//! other bodies hold, and
//! the disagreements of servers on which request smuggling lives. The session finishes where octets stop being HTTP/1
//! (a granted CONNECT, an upgrade), where a body has no end but the connection's, and where a body is very long.
//!
//! SSDP, the same heads in datagrams, is read by [`mod@datagram`].
//!
//! *Fails* when a head is due and something else comes, or when a head is longer than [`MAX_HEAD`].

mod body;
mod datagram;
mod fields;
mod message;
mod session;
mod wstunnel;

pub use datagram::{Datagram, datagram};
pub use message::{
    Answer, Framing, MAX_HEAD, MAX_METHOD, MAX_TARGET, MAX_VALUE, Opening, Request,
    WebSocketFields, answer, opening, request,
};
pub use session::{MAX_BODY, MAX_EARLY, MAX_EARLY_UPGRADE, MAX_PENDING, Message, Session};
pub use wstunnel::Wstunnel;

pub(crate) use fields::{Fields, text};
pub(crate) use session::{MAX_DNS, dns_in_target};
