//! SOCKS: what a client asks of a proxy, and what the proxy answers.
//!
//! *In*: the ordered octets of both sides of a TCP flow. Either side may be the client: where a host inside dials out and
//! then serves as a proxy to whoever it reached (reverse SOCKS), the greeting comes from the responder. *Out*: an
//! [`Exchange`]: version, methods, command, destination, reply. *By*: RFC 1928, RFC 1929, the notes of NEC on SOCKS 4 and
//! 4A, and for two more commands Tor's `socks-extensions`.
//!
//! Behind a granted CONNECT (or the second answer of BIND) SOCKS is over and another protocol begins on both sides.
//! SOCKS 5 begins with so few octets that [`mod@opening`] wants the message behind the greeting too.
//!
//! *Left out*: names, passwords and tokens of the sub-negotiations, which are skipped; what follows GSSAPI, which may
//! encrypt all; the datagrams of UDP ASSOCIATE.
//!
//! *Fails* when a side sends something else. What was understood before holds.

mod message;
mod opening;
mod session;

pub use message::{
    Command, Destination, Method, Reply, Request, Version, greeting, method_selection, password,
    password_status, reply_4, reply_5, request_4, request_5,
};
pub use opening::{Opening, opening};
pub use session::{Exchange, Session};
