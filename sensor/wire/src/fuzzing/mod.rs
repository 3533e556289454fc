//! Bodies of the fuzz targets. Each asserts something; `tests/fuzz` calls them with random octets, the tests of each
//! decoder call them with real ones.
#![allow(clippy::panic, reason = "a broken law must stop the fuzzer")]

mod decap;
mod dns;
mod http;
mod rdp;
mod rfb;
mod tls;

pub use decap::decap;
pub use dns::dns;
pub use http::http;
pub use rdp::rdp;
pub use rfb::rfb;
pub use tls::tls;
