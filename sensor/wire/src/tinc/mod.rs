//! The meta connection of tinc.
//!
//! *In*: what one side of a TCP flow sends first. *Out*: the node's name and the version of the protocol. *By*: tinc 1.0,
//! `src/protocol_auth.c` and the manual, section 6.3: both sides open with the line `0 NAME 17`; version 1.1 writes
//! `17.7`. What follows is a key, and then encrypted.
//!
//! *Left out*: the data packets over UDP, which have no mark. *Fails* never: it answers that it is something else.

mod message;

pub use message::{Identity, MAX_LINE, MetaKey, identity, meta_key};
