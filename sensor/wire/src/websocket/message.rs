//! One frame's head: a pure function.

use crate::{Reader, Step};

/// What stands before the payload of a frame (RFC 6455, section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// Whether the message ends with this frame.
    pub is_final: bool,
    /// RSV1: the message is compressed (RFC 7692, section 6).
    pub is_compressed: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// The key that the payload is masked with; servers send none.
    pub mask: Option<[u8; 4]>,
    /// Length of the payload, in octets; below 2^63.
    pub length: u64,
}

/// The kind of a frame (RFC 6455, section 11.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Opcode(pub u8);

impl Opcode {
    /// Goes on with a message.
    pub const CONTINUATION: Self = Self(0);
    /// Begins a message of text.
    pub const TEXT: Self = Self(1);
    /// Begins a message of octets.
    pub const BINARY: Self = Self(2);
    /// Ends the connection.
    pub const CLOSE: Self = Self(8);
    /// Asks for a pong.
    pub const PING: Self = Self(9);
    /// Answers a ping.
    pub const PONG: Self = Self(10);

    /// A frame that may stand between the frames of a message.
    #[must_use]
    pub fn is_control(self) -> bool {
        self.0 & 0x08 != 0
    }
}

/// Decodes the head of the frame at the start of `input`; its payload follows.
#[must_use]
pub fn frame_head(input: &[u8]) -> Step<FrameHead> {
    let mut reader = Reader::new(input);
    let Some(first) = reader.u8() else {
        return Step::NeedMore(2);
    };
    let opcode = Opcode(first & 0x0f);
    let is_final = first & 0x80 != 0;
    let is_compressed = first & 0x40 != 0;
    if first & 0x30 != 0 {
        return Step::NotThisProtocol("a reserved bit of a WebSocket frame is set");
    }
    if !matches!(opcode.0, 0..=2 | 8..=10) {
        return Step::NotThisProtocol("a reserved opcode of WebSocket");
    }
    if opcode.is_control() && (!is_final || is_compressed) {
        return Step::NotThisProtocol("a control frame in pieces");
    }
    let Some(second) = reader.u8() else {
        return Step::NeedMore(1);
    };
    if opcode.is_control() && second & 0x7f > 125 {
        return Step::NotThisProtocol("a control frame is too long");
    }
    let (mask_octets, length_octets) = (
        if second & 0x80 == 0 { 0 } else { 4 },
        match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        },
    );
    let Some(length) = (match second & 0x7f {
        126 => reader.u16_be().map(u64::from),
        127 => reader.take_array().map(u64::from_be_bytes),
        length => Some(u64::from(length)),
    }) else {
        return Step::NeedMore(length_octets + mask_octets - reader.left());
    };
    if length >> 63 != 0 {
        return Step::NotThisProtocol("the length of a WebSocket frame has its highest bit set");
    }
    let mask = if mask_octets == 0 {
        None
    } else {
        let Some(mask) = reader.take_array() else {
            return Step::NeedMore(mask_octets - reader.left());
        };
        Some(mask)
    };
    let head = FrameHead {
        is_final,
        is_compressed,
        opcode,
        mask,
        length,
    };
    Step::Done(head, input.len() - reader.left())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_same_however_cut;

    fn check(input: &[u8], expected: &str) {
        assert_same_however_cut(frame_head, input);
        let found = match frame_head(input) {
            Step::Done(head, used) => format!(
                "{}{} {} mask {:?} length {} in {used}",
                if head.is_final { "final " } else { "" },
                if head.is_compressed { "compressed" } else { "" },
                head.opcode.0,
                head.mask,
                head.length
            ),
            Step::NeedMore(missing) => format!("needs {missing}"),
            Step::NotThisProtocol(why) => why.to_owned(),
        };
        assert_eq!(found, expected, "{input:?}");
    }

    #[test]
    fn reads_all_three_lengths_with_and_without_a_mask() {
        // Greeting of a VNC server: final binary frame, 12 octets.
        check(b"\x82\x0cRFB", "final  2 mask None length 12 in 2");
        check(
            b"\x81\xfe\x01\x00\x0a\x0b\x0c\x0dx",
            "final  1 mask Some([10, 11, 12, 13]) length 256 in 8",
        );
        check(
            b"\x02\x7f\x00\x00\x00\x01\x00\x00\x00\x00",
            " 2 mask None length 4294967296 in 10",
        );
        check(
            b"\xc1\xff\x00\x00\x00\x00\x00\x00\x00\x05\x01\x02\x03\x04",
            "final compressed 1 mask Some([1, 2, 3, 4]) length 5 in 14",
        );
        check(
            b"\x8a\x80\x01\x02\x03\x04",
            "final  10 mask Some([1, 2, 3, 4]) length 0 in 6",
        );
    }

    #[test]
    fn asks_for_what_is_missing() {
        check(b"", "needs 2");
        check(b"\x82", "needs 1");
        check(b"\x82\xfe\x01", "needs 5");
        check(b"\x82\x80\x01\x02", "needs 2");
    }

    #[test]
    fn refuses_frames_that_are_none() {
        check(b"\xa2\x00", "a reserved bit of a WebSocket frame is set");
        check(b"\x83\x00", "a reserved opcode of WebSocket");
        check(b"\x8b\x00", "a reserved opcode of WebSocket");
        check(b"\x08\x00", "a control frame in pieces");
        check(b"\xc9\x00", "a control frame in pieces");
        check(b"\x89\x7e\x00\x7e", "a control frame is too long");
        check(
            b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00",
            "the length of a WebSocket frame has its highest bit set",
        );
    }
}
