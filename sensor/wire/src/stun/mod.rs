//! STUN and TURN: who asks the outside for its own address, and for a relay.
//!
//! *In*: one datagram, or the octets of one side of a TCP connection. *Out*: a message with its method, class, transaction
//! and the attributes worth telling: SOFTWARE, the mapped and the relayed address, the error code.
//!
//! *By which document*: RFC 8489 and RFC 5389 (the message, its magic cookie), RFC 3489 (without the cookie), RFC 8656
//! (TURN and its ChannelData), RFC 4571 (the length before each message over TCP in ICE), RFC 7983 (what else shares the
//! five-tuple).
//!
//! *Left out*: USERNAME, REALM, NONCE and MESSAGE-INTEGRITY, which belong to authentication; DATA, which is payload; the
//! check of FINGERPRINT.
//!
//! *When it fails*: a length that does not fit the datagram, attributes that do not fill the length. A message of RFC
//! 3489 has no mark of its own: it is believed only when its length and all its attributes agree.
//!
//! | file | holds |
//! |---|---|
//! | `message` | the message and its attributes: pure functions |
//! | `stream` | messages and ChannelData over TCP |

mod message;
mod stream;

pub use message::{
    Attribute, Class, MAX_SOFTWARE, Message, Method, channel_data, classic, message,
};
pub use stream::{Framing, Item, item};
