//! What travels inside an upgraded connection: the frames of WebSocket.
//!
//! *In*: the ordered octets of both sides behind an answer 101 with `Upgrade: websocket`, and what the two heads agreed
//! on ([`Agreement`]). *Out*: [`Event`]s: the octets of text and binary messages, unmasked and inflated, in the order in
//! which each side sent them. Together they are a stream again, which is what tunnels and remote desktops put there.
//!
//! *By*: RFC 6455 (frames, masking, fragments, control frames), RFC 7692 (permessage-deflate); the `base64` subprotocol
//! of old noVNC and websockify is decoded too. *Read as products write it*: a client that does not mask is read all the
//! same (wstunnel can be told not to), lengths need not be written in the shortest form.
//!
//! *Left out*: whether text is UTF-8, the reason in a close frame, extensions other than permessage-deflate.
//!
//! *Fails* when a frame is none, when a compressed message was not agreed on or does not inflate, and when a side
//! inflates to more than [`MAX_INFLATED`].

mod agreement;
mod inflate;
mod message;
mod session;

pub use agreement::{Agreement, Coding, MAX_TOKENS, tokens};
pub use inflate::MAX_INFLATED;
pub use message::{FrameHead, Opcode, frame_head};
pub use session::{Event, Session};
