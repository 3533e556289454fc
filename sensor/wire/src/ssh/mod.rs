//! The clear part of an SSH connection: who the two sides say they are, and how they agree on keys.
//!
//! *In*: the ordered octets of both sides of a TCP flow, from the first one on; either side may speak first. *Out*: a
//! [`Handshake`]: the identification strings, the fingerprints of both key exchanges, which side is the SSH client, and
//! whether encryption began. *By*: RFC 4253 (sections 4.2, 6, 7), for protocol 1 the draft of T. Ylönen (1995), for the
//! fingerprints `salesforce/hassh`.
//!
//! The server may send lines before its identification. Both line ends are taken, as every implementation does. The roles
//! come from the messages, not from who opened the connection: a reversed connection (a server that dials out) shows by
//! the side that begins the key exchange, or by what the sides say of themselves in their KEXINITs.
//!
//! *Left out*: what follows the first NEWKEYS, which is encrypted, and a second key exchange. Neither public keys nor the
//! cookie are kept.
//!
//! *Fails* when a side sends neither an identification nor lines that may stand before it, or a packet that a key exchange
//! does not allow. What was understood before holds.

mod message;
mod session;

pub use message::{
    Identification, KeyExchangeInit, MAX_IDENTIFICATION, MAX_LINE, MAX_PACKET, Packet,
    ProtocolOnePacket, Protocols, Role, identification, key_exchange_init, opening, packet,
    protocol_one_packet,
};
pub use session::{Handshake, MAX_ENCRYPTED, MAX_PACKETS, MAX_PREFACE, Session};
