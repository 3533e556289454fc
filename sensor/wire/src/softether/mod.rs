//! SoftEther's NAT traversal over UDP.
//!
//! *In*: one UDP datagram. *Out*: what it says. *By*: SoftEtherVPN, `src/Mayaqua/Network.h` and `Pack.c` (5.02): a client
//! asks a server of the project with the single octet `A` and is told its own address as `IP=a.b.c.d,PORT=n`; what else
//! is said comes as a pack, a list of named values.
//!
//! *Left out*: the VPN itself, which is TLS to a server that also answers as a web server (see the signature for the
//! request that opens it, where it is in clear). *Fails* never: it answers that it is something else.

mod message;

#[cfg(test)]
pub(crate) use message::sample;
pub use message::{MAX_ELEMENTS, MAX_VALUES, Message, message};
