//! Octets to messages: the decoders of Terrier.
//!
//! Everything here is a pure function of octets, or a small state machine fed with octets in order. Nothing here does
//! I/O, reads a clock, logs, or allocates without a named bound; octets from the wire are hostile, so nothing indexes,
//! unwraps or panics. What the messages mean for a defender is not known here.
//!
//! | module | decodes |
//! |---|---|
//! | [`decap`] | a frame down to the inner IP packet and its transport header |
//! | [`link`], [`net`], [`transport`] | the headers on the way there |
//! | [`dns`] | DNS messages over UDP and TCP |
//! | [`dhcp`], [`netbios`] | what hosts call themselves |
//! | [`http`] | the heads of HTTP/1 requests and answers |
//! | [`http2`] | the requests, answers and bodies of HTTP/2 in clear |
//! | [`websocket`] | the frames of an upgraded connection, inflated |
//! | [`tls`] | the clear part of a TLS handshake, JA3 and JA4 |
//! | [`quic`] | the hello in QUIC Initial packets |
//! | [`rfb`] | the handshake of RFB (VNC) |
//! | [`rdp`] | the clear part of RDP: X.224, negotiation, MCS |
//! | [`wireguard`], [`openvpn`], [`ike`], [`tailscale`], [`zerotier`], [`nebula`], [`n2n`], [`tinc`], [`softether`], [`pptp`], [`l2tp`], [`anyconnect`] | what VPNs show in clear |
//! | [`dnscrypt`] | answers of DNSCrypt |
//! | [`icmp_tunnel`] | what tools put into ICMP's echo |
//! | [`ssh`] | identification and key exchange of SSH, hassh |
//! | [`socks`] | what a client asks of a SOCKS proxy, and its answer |
//! | [`dtls`] | the same over datagrams |
//! | [`stun`] | STUN and TURN |
//! | [`rfb`] | the handshake of RFB (VNC) |
//! | [`rdp`] | the clear part of RDP: X.224, negotiation, MCS |
//! | [`rdpudp`] | RDP's own transport over UDP |
//! | [`teamviewer`], [`rustdesk`], [`radmin`], [`nomachine`] | how remote control begins: enough to know it |
//! | [`xdmcp`], [`x11`], [`xpra`], [`telnet`], [`rsh`] | remote sessions in clear |
//! | [`frp`], [`rathole`], [`yamux`] | how reverse tunnels in clear begin |
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub mod anyconnect;
mod base64;
mod checksum;
pub mod decap;
pub mod dhcp;
pub mod dns;
pub mod dnscrypt;
pub mod dtls;
pub mod frp;
pub mod fuzzing;
pub mod hamachi;
pub mod http;
pub mod http2;
pub mod icmp_tunnel;
pub mod ike;
pub mod l2tp;
pub mod link;
pub mod n2n;
pub mod nebula;
pub mod net;
pub mod netbios;
pub mod nomachine;
pub mod openvpn;
pub mod pptp;
pub mod proxy_protocol;
pub mod quic;
pub mod radmin;
pub mod rathole;
pub mod rdp;
pub mod rdpudp;
mod reader;
pub mod rfb;
pub mod rsh;
pub mod rustdesk;
pub mod socks;
pub mod softether;
pub mod ssh;
mod step;
pub mod stun;
pub mod tailscale;
pub mod teamviewer;
pub mod telnet;
pub mod tinc;
pub mod tls;
pub mod transport;
mod variety;
pub mod websocket;
pub mod wireguard;
pub mod x11;
pub mod xdmcp;
pub mod xpra;
pub mod yamux;
pub mod zerotier;

pub use checksum::{Checksum, checksum};
pub use reader::Reader;
pub use step::{Side, Step, Violation};
#[cfg(any(test, feature = "testing"))]
pub mod testing;
