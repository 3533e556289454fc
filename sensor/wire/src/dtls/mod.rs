//! DTLS: the clear part of a handshake over datagrams.
//!
//! *In*: the datagrams of one DTLS association, per side and as they arrive. *Out*: the messages of [`crate::tls`]:
//! ClientHello, ServerHello, HelloRetryRequest, the first certificate of each Certificate message, and when a side's
//! clear part is over. Fragments may come in any order, overlap, and come again.
//!
//! *By which document*: RFC 4347 (DTLS 1.0), RFC 6347 (DTLS 1.2), RFC 9147 (DTLS 1.3), RFC 9146 (connection ids), RFC 7983
//! (how DTLS shares a five-tuple with STUN, TURN and RTP). The bodies of the messages are read by [`crate::tls`]; a
//! ClientHello has a cookie more than that of TLS, which is cut out before.
//!
//! *Left out*: everything encrypted, the acknowledgements of DTLS 1.3, the cookie's octets.
//!
//! *When it fails*: a hello over 64 KiB or one that is not readable. A datagram that is no DTLS is passed over, since STUN
//! and SRTP share the five-tuple.
//!
//! | file | holds |
//! |---|---|
//! | `record` | records and handshake fragments: pure functions, and the strict test for an opening |
//! | `fragments` | fragments to messages, in their order |
//! | `session` | both sides of an association |

mod fragments;
mod record;
#[cfg(any(test, feature = "testing"))]
pub mod samples;
mod session;

pub use record::{Fragment, Record, Records, fragment, opening, without_cookie};
pub use session::Session;
