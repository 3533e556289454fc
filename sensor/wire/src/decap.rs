//! Frames to packets.
