//! Packets to alerts: the engine of Terrier, without I/O and without a clock.

pub mod observation;
mod packet;
mod protocol;
pub mod signature;

pub use packet::{LinkType, Packet};
