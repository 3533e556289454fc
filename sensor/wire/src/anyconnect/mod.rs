//! The hello of Cisco AnyConnect's tunnel over UDP.
//!
//! *In*: one UDP datagram. *Out*: who says hello. *By*: OpenSSL's `DTLS1_BAD_VER` (`include/openssl/prov_ssl.h`, 3.0) and
//! OpenConnect's `dtls.c`: AnyConnect's data channel is DTLS in a form before RFC 4347 was finished, with version 1.0 in
//! the place of 254.255. Nothing else was ever built on it.
//!
//! *Left out*: newer servers, which take DTLS 1.2 as it is; the tunnel over TLS, which is told by its certificate or not at
//! all. *Fails* never: it answers that it is something else.

mod message;

pub use message::{Hello, hello};
