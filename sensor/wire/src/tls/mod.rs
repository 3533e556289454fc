//! TLS: the clear part of a handshake, JA3 and JA4.
//!
//! *In*: the octets of one TLS connection, per side and in order, from the first record on. *Out*: ClientHello,
//! ServerHello, HelloRetryRequest and, up to TLS 1.2, the first certificate of each Certificate message. A handshake
//! message may lie over any number of segments and records, records of one octet included.
//!
//! *By which document*: RFC 8446 and RFC 5246 (records and messages), RFC 6066 (server name), RFC 7301 (ALPN), RFC 8701
//! (GREASE), RFC 9849 (Encrypted ClientHello), RFC 6101 (SSL 3.0), appendix E of RFC 5246 (the hello in SSL 2.0 form);
//! JA3 by `salesforce/ja3`, JA4 by `FoxIO-LLC/ja4` (the client's fingerprint alone, which is BSD-licensed). Cipher
//! suites have the names of `tls-parser`, certificates are read with `x509-parser`; all else is our own. `tls-parser` reads a
//! message in one record only, copies every list of it, and stops in silence at the first extension it dislikes, which would
//! let a broken server name hide the ALPN behind it: it is the oracle of a test.
//!
//! *Left out*: everything encrypted, the drafts of TLS 1.3 before 18, SSL 2.0 beyond the client's hello, DTLS records
//! (see [`crate::dtls`]), compressed certificates, the check of any signature or chain.
//!
//! *When it fails*: octets that are no record, a hello over 64 KiB, a hello that is not readable to the end of its
//! compression methods. A chain of certificates over 64 KiB is passed over. A fault in the extensions is no failure: what stands before it is handed out.
//!
//! | file | holds |
//! |---|---|
//! | `record` | the record header, and a walk over records in pieces |
//! | `message` | handshake messages: pure functions |
//! | `extension` | the walk over extensions, their lists, GREASE |
//! | `sslv2` | the ClientHello in SSL 2.0 form |
//! | `ech` | whether Encrypted ClientHello is offered or GREASE |
//! | `fingerprint` | JA3 and JA4 |
//! | `certificate` | what a certificate says |
//! | `session` | both sides of a connection |

mod certificate;
mod ech;
mod extension;
mod fingerprint;
mod message;
#[cfg(test)]
mod oracle;
mod record;
#[cfg(any(test, feature = "testing"))]
pub mod samples;
mod session;
mod sslv2;

pub use certificate::{Certificate, MAX_NAMES, MAX_TEXT};
pub use ech::EncryptedHello;
pub use extension::{
    Extension, ExtensionType, Extensions, MAX_PROTOCOLS, MAX_SERVER_NAME, escape_into, escaped,
    is_grease,
};
pub use fingerprint::Ja4Transport;
pub use message::{
    CipherSuite, ClientHello, HandshakeType, MAX_MESSAGE, RawMessage, Resumption, ServerHello,
    Version, client_hello, first_certificate, handshake_message, server_hello,
};
pub use record::{
    ContentType, Fragment, MAX_BEFORE, MAX_RECORD, RECORD_HEADER, RecordHeader, Records, embedded,
    opening, record_header,
};
pub use session::{Message, Session};
pub use sslv2::{Sslv2ClientHello, sslv2_client_hello};
