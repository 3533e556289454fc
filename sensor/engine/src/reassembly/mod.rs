//! Ordered octets, or a gap: TCP segments of one side, fragments of one IP packet.

mod ip;
mod tcp;

pub(crate) use ip::Fragments;
pub(crate) use tcp::{Accepted, Piece, Stream};
