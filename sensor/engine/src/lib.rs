//! Packets to alerts: the engine of Terrier, without I/O and without a clock.
//!
//! [`Worker`]s turn packets into facts ([`observation`]), one [`Judge`] turns facts into records. `Worker::packets`,
//! `Worker::tick` and `Judge::take` are the only ways in and out. Time comes with the packet: the same input and
//! configuration give the same records, octet by octet, with any number of workers.

pub mod alert;
mod clock;
mod conversation;
mod counters;
mod coverage;
pub mod detect;
mod flow;
mod home;
mod hosts;
mod judge;
mod limits;
mod names;
pub mod observation;
mod packet;
mod prefetch;
mod protocol;
mod reassembly;
pub mod record;
pub mod signature;
mod survey;
mod worker;

pub use clock::Clock;
pub use counters::Counters;
pub use coverage::{Coverage, Encapsulation, ProtocolRow, ToolRow, coverage};
pub use flow::Spread;
pub use home::{Direction, HomeNetworks};
pub use judge::{Hellos, Judge, JudgeConfig, Sink, Table, Verdicts};
pub use limits::Limits;
pub use packet::{LinkType, Packet};
pub use protocol::protocols;
pub use survey::Survey;
pub use terrier_wire::link::Undecoded;
pub use worker::{
    Aside, Dealer, Dealt, END_OF_INPUT, Facts, Taken, Ticked, Wanted, Worker, WorkerConfig,
};
