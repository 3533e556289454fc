//! The control connection of PPTP.
//!
//! *In*: the ordered octets of both sides of a TCP flow (port 1723 by habit, any port is read). *Out*: what the two sides
//! say of themselves, once the server has answered. *By*: RFC 2637, section 2. The tunnel itself is GRE with PPP inside.
//!
//! *Left out*: calls, and what is negotiated in PPP. *Fails* never: it answers that it is something else.

mod message;

pub use message::{Kind, LENGTH, Start, start};
#[cfg(test)]
pub(crate) fn sample() -> Vec<u8> {
    message::sample(1)
}
