//! QUIC: the client's hello in the Initial packets of a connection.
//!
//! *In*: the datagrams of one five-tuple, both directions, in the order of the wire; one direction will do. *Out*: each
//! ClientHello once, with the version of the packets that carried it, put together from CRYPTO frames in any order and
//! over any number of packets.
//!
//! *By which document*: RFC 8999 (what all versions share), RFC 9000 (version 1), RFC 9001 (its protection), RFC 9369
//! (version 2), the drafts 22 to 34 of both (other salts), RFC 9287 (a fixed bit that is not set). Versions of single
//! vendors: Facebook's mvfst, and Google's Q024 to Q050, T050 and T051 by the documents named in `google`. A version
//! that nobody has written down is tried with the salts of those that somebody has; the tag of the cipher tells.
//!
//! The keys of Initial packets follow from the connection id that the client chose for the server, so that everybody
//! on the way can open them; that is a guard against damage and accident, not against observers (RFC 9001, section 7).
//!
//! *Left out*: all that the server says, 0-RTT, Handshake and 1-RTT packets, the integrity tag of Retry, a hello over
//! 16 KiB, drafts before 22.
//!
//! *When it fails*: a packet that does not open is passed over; a flow ends when it has cost too many openings. Of a
//! packet that the capture cut, what there is of the hello is read where it begins in the packet.
//!
//! | file | holds |
//! |---|---|
//! | `version` | versions, their salts and labels |
//! | `message` | long headers, the packets of a datagram |
//! | `protection` | keys, header protection, opening |
//! | `frame` | frames: CRYPTO and what stands between |
//! | `stream` | the handshake's octets in order |
//! | `google` | Google's headers and hello |
//! | `session` | the connections of a five-tuple |

mod frame;
mod google;
mod message;
mod protection;
#[cfg(any(test, feature = "testing"))]
pub mod samples;
mod session;
mod stream;
mod version;

pub use frame::{Crypto, Extent, crypto_frames, google_frames};
pub use google::{Chlo, ClearPacket, chlo, clear_packet};
pub use message::{
    ConnectionId, Kind, LongPacket, MAX_PACKETS, Protected, Versions, long_packet, packets,
};
pub use protection::{Keys, Opened};
pub use session::{Event, Hello, MAX_CONNECTIONS, MAX_TOLD, MAX_TRIES, Session, begins};
pub use stream::{CryptoStream, MAX_HANDSHAKE, MAX_RANGES};
pub use version::{Suite, Version};
