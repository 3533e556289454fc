//! HTTP/2 in clear: what each stream asks for and gets.
//!
//! *In*: the ordered octets of both sides of a connection that a client opens with the preface, by prior knowledge or
//! behind `Upgrade: h2c`. *Out*: [`Message`]s: the same [`Request`] and [`Answer`] as of HTTP/1 with the number of their
//! stream, DNS messages (RFC 8484), and the octets of bodies as they come.
//!
//! *By*: RFC 9113 (frames, padding, CONTINUATION, interim answers, trailers), RFC 7541 (header compression), RFC 8441
//! (WebSocket in a stream). The priority, flow control and settings of a connection tell nothing and are passed over.
//!
//! *Left out*: requests that a server promises are read, as the tables need it, and not handed out; the first request of
//! an upgraded connection is HTTP/1's.
//!
//! *Fails* when a side does not begin as it must, when a header block is none, longer than [`MAX_BLOCK`] or wants a table
//! of more than 64 KiB. What a gap hides ends the reading of that side, unless it lies within a body.

mod hpack;
mod message;
mod session;

pub use crate::http::{Answer, Request};
pub use message::{FrameHead, FrameKind, frame_head, preface, server_preface};
pub use session::{MAX_BLOCK, MAX_FRAME, Message, Session};
