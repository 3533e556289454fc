//! Wrapped and unwrapped: each encapsulation by hand, any of them inside one another, and what hostile senders make of it.

mod families;
mod hostile;
mod oracle;
mod plain;
mod wrap;

use super::*;

/// The names of what was met.
fn met(layers: &Layers) -> Vec<&'static str> {
    layers.met.names().collect()
}

/// Takes a raw IP packet apart.
fn unwrap(packet: &[u8]) -> Decapsulated<'_> {
    frame(RAW, packet).expect("it begins with an IP header")
}

/// Protocol and payload of the innermost packet.
fn innermost(packet: &[u8]) -> (u8, Vec<u8>) {
    let here = unwrap(packet);
    (here.ip.protocol.0, here.ip.payload.to_vec())
}

/// LINKTYPE_RAW.
const RAW: u32 = 101;
