//! Who talks to whom, and since when: five-tuples, the flow table, timers in packet time.

mod index;
mod key;
mod spread;
mod table;
mod tags;
mod timer;

use index::Index;
pub(crate) use key::{FlowKey, Hasher, fold};
pub use spread::Spread;
pub(crate) use table::{Flow, FlowTable, Opener, Phase, TcpSeen, Traits};
pub(crate) use timer::Wheel;
