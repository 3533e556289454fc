//! The control messages of L2TP over UDP.
//!
//! *In*: the datagrams of a UDP flow (port 1701 by habit, any port is read). *Out*: what the two sides say of themselves.
//! *By*: RFC 2661, sections 3.1, 4 and 6 (version 2); RFC 3931, sections 3.2.1 and 4.1.2.1 (version 3 over UDP).
//!
//! A control message is told by its flags, a length that is the datagram's, and its first attribute, which is the type of
//! the message. *Left out*: data messages, which have no mark; L2TP directly over IP; hidden attributes. L2TP inside IPsec,
//! as Windows does it, is not seen. *Fails* never: it answers that it is something else.

mod message;

pub use message::{Control, MAX_ATTRIBUTES, MessageType, control};
#[cfg(test)]
pub(crate) fn sample() -> Vec<u8> {
    message::sample(1, 0)
}
