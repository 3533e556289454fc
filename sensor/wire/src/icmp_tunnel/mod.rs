//! What tools put into ICMP's echo.
//!
//! *In*: one ICMP message, from its type on. *Out*: which tool's mark it has. *By*: RFC 792 and RFC 4443 (echo); RFC 791 (a
//! whole IP packet inside: icmptunnel, icmptx, Loki's kin); ptunnel-ng, `src/ptunnel.h` (a magic and seven fields; the
//! older ptunnel has another magic); hans, `src/client.cpp` and `src/server.cpp` (a magic for each side).
//!
//! *Left out*: tunnels without a mark, which only their sizes tell. *Fails* never: it answers that it is something else.

mod message;

pub use message::{Tool, is_echo, tunnelled};
