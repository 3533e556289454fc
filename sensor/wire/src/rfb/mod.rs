//! RFB, the protocol of VNC: its handshake, from the first greeting to the session.
//!
//! **In**: the ordered octets of both sides of a flow. **Out**: [`Message`]s: versions, security types, what was chosen,
//! the result, size and name of the desktop, and the one that says that a session runs.
//!
//! Documents: RFC 6143; the community's `rfbproto.rst`; for what they leave out the behaviour of TigerVNC, TightVNC,
//! UltraVNC (with its repeater), RealVNC, QEMU and macOS.
//!
//! * Every version string is known ([`ProtocolVersion::flow`]); the lower of both sides decides, as it does for servers.
//! * The server is who greets first, whoever opened the flow: reverse VNC is nothing special here.
//! * Each side is read at its own place. One that runs ahead waits for the other; one that was never captured, or lost
//!   octets, is done without ([`Session`] says how).
//! * An encrypted security type hides the result. Such traffic is judged by who speaks in turn, and how much (`hidden.rs`); a wrong password inside the encryption is never taken for a session.
//! * Challenges, responses, keys, names and passwords of users are skipped, never kept.
//!
//! It leaves out everything after ServerInit, what is inside TLS (the engine has a decoder for its hello), and the
//! inner octets of security types that nobody has described. It fails with a [`Violation`](crate::Violation) when
//! octets cannot be RFB; what was understood before has been handed out by then.

mod handshake;
mod hidden;
mod initialisation;
mod message;
mod names;
mod script;
mod security;
mod session;
mod software;
mod text;

pub use message::{
    Capabilities, Flow, MAX_TEXT, Message, Opening, ProtocolVersion, Role, SecurityResult,
    ServerInit, opening, protocol_version, server_init,
};
pub use names::{SecurityType, TightAuthentication, VencryptType};
pub use session::Session;
pub use software::{Clues, software};
pub use text::{desktop_name, printable};

#[cfg(test)]
mod tests;
