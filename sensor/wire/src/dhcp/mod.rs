//! DHCP for IPv4: which host asks for an address, what it calls itself, and which address it gets.
//!
//! *In*: one UDP payload. *Out*: a [`Message`] with the fields that name a host: message type, transaction, hardware
//! address, the addresses asked for and given, the host name (option 12 or 81) and the vendor class.
//!
//! *By which document*: RFC 2131 (the message), RFC 2132 (options), RFC 4702 (client FQDN), RFC 1534 (BOOTP without options
//! is taken too, as its fields are the same).
//!
//! *Left out*: options in the `sname` and `file` fields (option 52), relay agent information, authentication, all other
//! options. DHCPv6.
//!
//! *When it fails*: octets without the fixed header and the magic cookie. An option that is cut ends the walk; what came
//! before it is handed out.

mod message;

pub use message::{HardwareAddress, MAX_NAME, Message, MessageType, Op, message};
