//! RDP-UDP: the transport that RDP opens beside its TCP connection, for pictures and sound.
//!
//! *In*: the datagrams of one flow. *Out*: the SYN and its answer, and the octets that the packets behind them carry: TLS
//! in order on a reliable connection, DTLS on a lossy one.
//!
//! *By which document*: MS-RDPEUDP 2.2 (versions 1 and 2), MS-RDPEUDP2 2.2 (version 3).
//!
//! *Left out*: the recovery of lost packets from coded ones, acknowledgements, congestion, what TLS carries; the hash of
//! the client's cookie and the correlation id's octets.
//!
//! *When it fails*: never: a datagram that does not fit is passed over. There is no magic; a SYN is told by its number of
//! all ones, its flags, two MTUs in a range of a hundred, and zeros to its end.
//!
//! | file | holds |
//! |---|---|
//! | `message` | SYN, and the packets of all versions: pure functions |
//! | `ordered` | numbered packets to ordered octets |

mod message;
mod ordered;

pub use message::{Data, Syn, Version, packet, packet_of_version_3, syn};
pub use ordered::{MAX_EARLY, Ordered};
