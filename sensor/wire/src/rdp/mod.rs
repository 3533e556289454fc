//! RDP: what is in clear before TLS or RDP's own encryption.
//!
//! Goes in: the ordered octets of both sides of a TCP connection. Comes out: the Connection Request with cookie, routing
//! token and requested protocols, the Connection Confirm with the server's choice or refusal, the settings that client
//! and server exchange where MCS is not wrapped in TLS, and the point where each side goes on.
//!
//! | layer | document | file |
//! |---|---|---|
//! | preconnection PDU | MS-RDPEPS 2.2.1 | `message.rs` |
//! | TPKT, X.224 class 0 | RFC 2126 (T.123), X.224 13.3, 13.4, 13.7 | `message.rs` |
//! | negotiation | MS-RDPBCGR 2.2.1.1, 2.2.1.2 | `negotiation.rs` |
//! | MCS and GCC, settings of both sides | T.125, T.124, MS-RDPBCGR 2.2.1.3, 2.2.1.4 | `mcs.rs`, `settings.rs` |
//! | sizes of a log-in's TLS records | MS-CSSP 3.1.5 | `login.rs` |
//! | state of a flow | | `session.rs` |
//!
//! Roles do not follow the flow: the client is who sends the Connection Request, also when the server opened the
//! connection (a reverse tunnel) or the capture began in the middle.
//!
//! Left out: everything after the settings (channel joins, licensing, fast path), RDP over UDP, RD Gateway. TLS is
//! recognised here and decoded elsewhere.
//!
//! TPKT carries others too. H.225 call signalling has 0x08 where X.224 has its length, and no Connection Request; ISO
//! transport (S7comm, MMS) puts parameters 0xc0 to 0xc2 into its Connection Request, which RDP must not (MS-RDPBCGR
//! 3.2.5.3.1). A request without cookie, token and negotiation has no mark of its own: only its port decides.
//!
//! It fails when a side's first message is none of these, or when what follows the Confirm is neither TLS nor X.224.

mod login;
mod mcs;
mod message;
mod negotiation;
#[cfg(test)]
mod samples;
mod session;
mod settings;
mod text;

pub use login::{Login, LoginWatch};
pub use mcs::{connect_initial, connect_response};
pub use message::{
    Continuation, MAX_PRECONNECTION, Preconnection, Sender, Tpdu, continuation, preconnection,
    recognise, tpdu,
};
pub use negotiation::{
    Confirm, ConnectionConfirm, ConnectionRequest, FailureCode, MAX_TEXT, NegotiationRequest,
    Protocol, Protocols,
};
pub use session::{Inside, Message, Session};
pub use settings::{
    BuildName, Channel, ClientCore, ClientSettings, Cluster, KeyboardName, MAX_CHANNELS,
    ServerCertificate, ServerSettings,
};

/// The port of RDP (IANA `ms-wbt-server`).
pub const DEFAULT_PORT: u16 = 3389;
