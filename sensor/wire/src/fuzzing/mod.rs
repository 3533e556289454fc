//! Bodies of the fuzz targets. Each asserts something; `tests/fuzz` calls them with random octets, the tests of each
//! decoder call them with real ones.
#![allow(clippy::panic, reason = "a broken law must stop the fuzzer")]

mod decap;
mod dns;
mod hosts;
mod http;
mod ike;
mod marks;
mod openvpn;
mod quic;
mod rdp;
mod rfb;
mod tls;
mod wireguard;

pub use decap::decap;
pub use dns::dns;
pub use hosts::hosts;
pub use http::http;
pub use ike::ike;
pub use marks::marks;
pub use openvpn::openvpn;
pub use quic::quic;
pub use rdp::rdp;
pub use rfb::rfb;
pub use tls::tls;
pub use wireguard::wireguard;

/// Cuts octets into datagrams: before each two octets, the lowest bit of the first says who sends (1 the originator), the
/// second how long it is.
fn datagrams(mut data: &[u8]) -> impl Iterator<Item = (crate::Side, &[u8])> {
    std::iter::from_fn(move || {
        let ([side, length], rest) = data.split_first_chunk::<2>()?;
        let (datagram, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        data = rest;
        let side = if side & 1 == 1 {
            crate::Side::Originator
        } else {
            crate::Side::Responder
        };
        Some((side, datagram))
    })
}
