//! Bodies of the fuzz targets. Each asserts something; `tests/fuzz` calls them with random octets, the tests of each
//! decoder call them with real ones.
#![allow(clippy::panic, reason = "a broken law must stop the fuzzer")]

mod dns;
mod dtls;
mod hosts;
mod http;
mod rdp;
mod rdpudp;
mod rfb;
mod stun;
mod tls;

pub use dns::dns;
pub use dtls::dtls;
pub use hosts::hosts;
pub use http::http;
pub use rdp::rdp;
pub use rdpudp::rdpudp;
pub use rfb::rfb;
pub use stun::stun;
pub use tls::tls;
