//! WireGuard and the two services that changed its messages.
//!
//! *In*: the datagrams of both sides of a UDP flow, in their order. *Out*: [`Known`], once both sides or several datagrams
//! of one side leave no doubt. *By*: the WireGuard whitepaper (Donenfeld, NDSS 2017), section 5.4; the deviations of
//! Cloudflare WARP (other types, and a client's identity in the reserved octets) and of TunnelBear (longer handshake
//! messages) as seen on the wire.
//!
//! A message is told by its type, three reserved octets, and its length; nothing else of it is in clear but the indices
//! of sender and receiver and, in transport data, a counter. So one datagram alone proves nothing: a handshake is believed
//! when its answer repeats the sender's index, and a flow that is picked up in its middle when [`IN_ROW`] datagrams of
//! transport data of one side have the same receiver and ascending counters.
//!
//! *Left out*: what is encrypted, and whose keys they are. *Fails* when the datagrams of a side do not fit together.

mod message;
mod session;

pub use message::{Dialect, Message, message};
pub use session::{IN_ROW, Known, Session};
