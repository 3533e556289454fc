//! The handshake of Nebula.
//!
//! *In*: one UDP datagram. *Out*: its header. *By*: slackhq/nebula, `header/header.go` (1.6 to 1.9): version 1 and type in
//! the first octet, subtype, two reserved octets, the receiver's index, a counter; the two messages of a handshake have
//! the counters 1 and 2, and the first has no index to send to.
//!
//! *Left out*: all that is encrypted. *Fails* never: it answers that it is something else.

mod message;

pub use message::{Handshake, handshake};
