//! Who talks to whom, and since when: five-tuples, the flow table, timers in packet time.

mod key;
mod spread;
mod table;
mod timer;

pub(crate) use key::{FlowKey, Hasher};
pub use spread::Spread;
pub(crate) use table::{FlowTable, Opener, Phase, TcpSeen};
pub(crate) use timer::Wheel;
