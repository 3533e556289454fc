//! ZeroTier's greeting.
//!
//! *In*: one UDP datagram. *Out*: the version of who greets. *By*: zerotier/ZeroTierOne, `node/Packet.hpp` (version 1.14):
//! HELLO is the one packet whose start is not encrypted, as it carries the sender's identity. Its address stands there
//! twice, in the packet's header and in the identity, beside the verb, the cipher and the time: enough for one datagram.
//!
//! *Left out*: all other packets, which are encrypted and have no mark; the TCP fallback. *Fails* never.

mod message;

#[cfg(test)]
pub(crate) use message::sample;
pub use message::{Hello, hello};
