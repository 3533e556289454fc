//! DNSCrypt: encrypted DNS that is no TLS.
//!
//! *In*: one UDP datagram, or what a resolver sends on a TCP flow. *Out*: that it is an answer. *By*: the DNSCrypt
//! protocol, versions 1 and 2 (draft-denis-dprive-dnscrypt, sections 5 and 9): each answer opens with the eight octets
//! `r6fnvWj8`, the client's half of a nonce and the resolver's. A question opens with eight octets that the resolver's
//! certificate names, so it has no mark; it is told by the answer.
//!
//! *Left out*: what is encrypted; the certificate, which is asked for in plain DNS by the name `2.dnscrypt-cert.`.
//! *Fails* never: it answers that it is something else.

mod message;

pub use message::{answer, answer_over_tcp};
