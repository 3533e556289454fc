//! DNS messages: over UDP and TCP, multicast DNS, LLMNR.
//!
//! **In**: a datagram ([`message()`]), or the octets of a TCP connection in order ([`Session`], RFC 1035, section 4.2.2).
//! **Out**: a [`Message`]: its [`Header`] and a [`Walk`] over questions and records in the order of the wire, with the
//! [`Data`] of those record types that tell addresses, names or text.
//!
//! **By**: RFC 1035 (messages), 2181 (times to live), 3597 (unknown types), 4343 (names as text), 4795 (LLMNR), 6762
//! (multicast DNS), 6891 (EDNS), 7766 (TCP), 9460 (SVCB and HTTPS); the type and response code registries of IANA.
//!
//! **Left out**: signatures (TSIG, SIG(0), DNSSEC) are walked over, never checked; no record type but those of [`Data`]
//! is taken apart; EDNS options are not read.
//!
//! **Fails** never as a whole: a walk hands out every question and record before the first fault and then says in its
//! [`Ending`] why it stopped. Counts in the header are believed only as long as there are octets. Only TCP has a
//! violation: a frame too short for a header, after which no frame can be found again.
//!
//! The crate `dns-parser` reads texts. Names, headers and records are walked here, since that crate refuses types such as HTTPS and labels that are no ASCII, accepts names beyond 255
//! octets, allocates by the header's counts and takes quadratic time to print chained pointers. In the tests it is the
//! oracle: what it accepts, the walker reads alike.

mod data;
mod message;
mod name;
mod recognise;
mod registry;
mod session;
mod walk;

#[cfg(test)]
mod oracle;

pub use data::{Data, Service, Text};
pub use message::{Edns, Ending, Header, Message, Opcode, Question, Record, Section, message};
pub use name::{Name, NameFault};
pub use recognise::{Manner, datagram, stream};
pub use registry::{Class, RcodeName, TypeName};
pub use session::Session;
pub use walk::Walk;
