//! NetBIOS over UDP: the name service and the datagram service, by which Windows hosts tell their names.
//!
//! *In*: one UDP payload. *Out*: of the name service a [`NameMessage`]: who asks for, registers or answers which name, with
//! the address that stands beside it; of the datagram service a [`Datagram`]: which name, at which address, sends.
//!
//! *By which document*: RFC 1002, sections 4.1 (names), 4.2 (name service, UDP 137) and 4.4 (datagram service, UDP 138); the
//! meaning of the sixteenth octet of a name by Microsoft's MS-NBTE 1.8 and its knowledge base article 163409.
//!
//! *Left out*: scopes behind the name, the session service (TCP 139), what datagrams carry (browser elections,
//! announcements), the statistics behind the names of a node status.
//!
//! *When it fails*: a header that is cut, a name that is not encoded as section 4.1 says.

mod datagram;
mod name;
mod service;

pub use datagram::{Datagram, datagram};
pub use name::{Name, name};
pub use service::{MAX_NAMES, NameMessage, Operation, Owner, name_message};
