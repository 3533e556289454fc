//! Bodies of the fuzz targets. Each asserts something; `tests/fuzz` calls them with random octets, the tests of each
//! decoder call them with real ones.
#![allow(clippy::panic, reason = "a broken law must stop the fuzzer")]

mod decap;
mod dns;
mod dtls;
mod hosts;
mod http;
mod http2;
mod ike;
mod marks;
mod openvpn;
mod quic;
mod rdp;
mod rdpudp;
mod remote;
mod rfb;
mod socks;
mod ssh;
mod stun;
mod tls;
mod websocket;
mod wireguard;

pub use decap::decap;
#[cfg(test)]
pub(crate) use decap::{as_plain, quick};
pub use dns::dns;
pub use dtls::dtls;
pub use hosts::hosts;
pub use http::http;
pub use http2::http2;
pub use ike::ike;
pub use marks::marks;
pub use openvpn::openvpn;
pub use quic::quic;
pub use rdp::rdp;
pub use rdpudp::rdpudp;
pub use remote::remote;
pub use rfb::rfb;
pub use socks::socks;
pub use ssh::ssh;
pub use stun::stun;
pub use tls::tls;
pub use websocket::websocket;
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

/// Feeds the parts of `data` to a session as the engine does: behind the first octet, which is not fed, each part behind a
/// `0xff` is of the other side. `feed` answers how many octets it consumed, or `None` at the end.
fn conversation(
    data: &[u8],
    size: usize,
    mut feed: impl FnMut(crate::Side, &[u8]) -> Option<usize>,
) {
    let mut kept = [Vec::new(), Vec::new()];
    let sides = crate::Side::BOTH.into_iter().cycle();
    let parts = data
        .get(1..)
        .unwrap_or_default()
        .split(|&octet| octet == 0xff);
    for (from, part) in sides.zip(parts) {
        for piece in part.chunks(size) {
            if let Some(buffer) = kept.get_mut(from.index()) {
                buffer.extend_from_slice(piece);
            }
            // As the engine does: until neither side has octets that are consumed.
            let (mut offered, mut idle) = (from, 0);
            while idle < 2 {
                let Some(buffer) = kept.get_mut(offered.index()) else {
                    return;
                };
                let Some(used) = feed(offered, buffer) else {
                    return;
                };
                assert!(used <= buffer.len(), "consumed more than there is");
                buffer.drain(..used);
                idle = if used == 0 { idle + 1 } else { 0 };
                offered = offered.other();
            }
        }
    }
}
