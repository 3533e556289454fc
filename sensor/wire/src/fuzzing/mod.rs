//! Bodies of the fuzz targets. Each asserts something; `tests/fuzz` calls them with random octets, the tests of each
//! decoder call them with real ones.
#![allow(clippy::panic, reason = "a broken law must stop the fuzzer")]

mod dns;
mod hosts;
mod http;
mod rdp;
mod remote;
mod rfb;
mod tls;

pub use dns::dns;
pub use hosts::hosts;
pub use http::http;
pub use rdp::rdp;
pub use remote::remote;
pub use rfb::rfb;
pub use tls::tls;
