//! Tailscale's own two protocols: disco (NAT traversal) and DERP (the relay).
//!
//! *In*: one UDP datagram ([`disco`]), or what a relay sends first on a stream ([`derp`]). *Out*: that it is so. *By*:
//! tailscale/tailscale, `disco/disco.go` and `derp/derp.go` (2026), BSD-3-Clause.
//!
//! A disco message opens with six octets of magic (`TS` and a speech balloon in UTF-8), the sender's key and a nonce; it is
//! sent on the port of WireGuard, before and beside its messages, so any port is possible. DERP is seen in clear only on
//! port 80 and behind a TLS proxy: a frame of the relay's key that opens with magic (`DERP` and a key in UTF-8).
//!
//! *Left out*: what is encrypted, which is all the rest. *Fails* never: it answers that it is something else.

mod message;

pub use message::{derp, disco};
