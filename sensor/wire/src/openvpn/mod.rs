//! The control channel of OpenVPN, over UDP and TCP.
//!
//! *In*: the packets of both sides of a flow: datagrams, or what [`framed`] cuts out of a TCP stream. *Out*: [`Known`] once
//! the two hard resets fit together, and the octets of the TLS session that the control channel carries, in their order,
//! where they are in clear. *By*: OpenVPN's `doc/doxygen/doc_protocol_overview.h` and the wire protocol draft
//! (openvpn-rfc, 2023); `src/openvpn/{ssl_pkt,tls_crypt,reliable}.h` (2.4 to 2.6).
//!
//! A packet opens with an opcode and a key's number; packets of the control channel go on with the sender's session
//! identity. What follows depends on the wrapping: nothing, a check value, a counter and a time (`tls-auth`), or a counter,
//! a time and a check value before encrypted octets (`tls-crypt`, and version 2 with the client's key behind).
//!
//! [`Scrambled`] knows the widespread patch that scrambles packets with a password (`scramble obfuscate`, `xormask`,
//! `xorptrpos`): all its ways leave the first octet of each packet under one constant mask, and lengths as they were.
//!
//! *Left out*: data packets, except where a flow is picked up in its middle; version 1 of the key method; static keys, whose
//! packets have no mark. *Fails* when packets of the control channel contradict each other.

mod message;
mod scrambled;
mod session;

pub use message::{Control, Data, MAX_ACKS, Opcode, Wrap, control, data, framed, reset};
pub use scrambled::Scrambled;
pub use session::{IN_ROW, Known, MAX_HELD, Message, Session};
