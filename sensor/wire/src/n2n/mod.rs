//! n2n's registration at its supernode.
//!
//! *In*: one UDP datagram. *Out*: its version, type and community. *By*: ntop/n2n, `include/n2n_typedefs.h` and
//! `src/wire.c` (2.8 and 3.0), and what edges and supernodes of 1.3.1 send: version, time to live, flags with the type in their last five bits, the community's name
//! filled with NUL.
//!
//! One datagram is no proof: a community has registered when the supernode's answer repeats its name. *Left out*:
//! headers that are encrypted, which version 3 may do; data. *Fails* never: it answers that it is something else.

mod message;

pub use message::{Header, PacketType, header};
