//! IKE, versions 1 and 2, and ESP.
//!
//! *In*: the datagrams of both sides of a UDP flow (ports 500 and 4500 by habit, any port is read), or both streams of a
//! TCP flow ([`Stream`]); or the payload of an IP packet of protocol 50 ([`esp`]). *Out*: [`Known`] once both sides have
//! agreed to speak, with the vendors that name themselves. *By*: RFC 2408, RFC 2409 (version 1), RFC 7296 (version 2), RFC
//! 3948 (the marker on port 4500, ESP in UDP), RFC 9329 (TCP), RFC 4303 (ESP).
//!
//! A message is told by its version, its type of exchange, a length that is the datagram's, and its chain of payloads,
//! which must end where the message ends. A lone question of an initiator proves nothing (scanners ask it of the whole
//! internet): a session is known from the first message that carries both sides' identities.
//!
//! ESP has no mark but an index and a counter: inside UDP it is believed where a port is used for it, when [`IN_ROW`] datagrams of one
//! side go on.
//!
//! *Left out*: proposals, what is encrypted, IKE over TCP without its prefix. *Fails* when a datagram is neither.

mod message;
mod session;
mod stream;
mod vendor;

pub use message::{
    Esp, Exchange, MARKER, MAX_PAYLOADS, MAX_VENDORS, Message, esp, esp_in_udp, is_keepalive,
    message,
};
pub use session::{IN_ROW, Known, Session};
pub use stream::{Stream, opening};
pub use vendor::vendor;
