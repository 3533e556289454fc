//! Preface and frame heads: pure functions.

use crate::{Reader, Step};

/// What stands before each frame's payload (RFC 9113, section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// Length of the payload, in octets; below 2^24.
    pub length: u32,
    /// What the frame is.
    pub kind: FrameKind,
    /// By kind: see the constants of [`FrameHead`].
    pub flags: u8,
    /// Which stream it belongs to; 0 is the connection.
    pub stream: u32,
}

impl FrameHead {
    /// Length of a head, in octets.
    pub const LENGTH: usize = 9;
    /// DATA, HEADERS: the sender's last on this stream.
    pub const END_STREAM: u8 = 0x01;
    /// HEADERS, PUSH_PROMISE, CONTINUATION: no CONTINUATION follows.
    pub const END_HEADERS: u8 = 0x04;
    /// DATA, HEADERS, PUSH_PROMISE: the first octet says how much padding is at the end.
    pub const PADDED: u8 = 0x08;
    /// HEADERS: five octets of priority stand before the block.
    pub const PRIORITY: u8 = 0x20;

    /// Whether a flag is set.
    #[must_use]
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The type of a frame (RFC 9113, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameKind(pub u8);

impl FrameKind {
    /// A body.
    pub const DATA: Self = Self(0);
    /// Begins a header block.
    pub const HEADERS: Self = Self(1);
    /// Ends a stream early.
    pub const RST_STREAM: Self = Self(3);
    /// The first frame of each side.
    pub const SETTINGS: Self = Self(4);
    /// Begins the header block of a request that the server expects.
    pub const PUSH_PROMISE: Self = Self(5);
    /// Goes on with a header block.
    pub const CONTINUATION: Self = Self(9);
}

/// Decodes a frame's head.
#[must_use]
pub fn frame_head(input: &[u8]) -> Step<FrameHead> {
    let mut reader = Reader::new(input);
    let mut read = || {
        Some(FrameHead {
            length: reader.u24_be()?,
            kind: FrameKind(reader.u8()?),
            flags: reader.u8()?,
            // The highest bit is reserved and ignored.
            stream: reader.u32_be()? & 0x7fff_ffff,
        })
    };
    match read() {
        Some(head) => Step::Done(head, FrameHead::LENGTH),
        None => Step::NeedMore(FrameHead::LENGTH.saturating_sub(input.len()).max(1)),
    }
}

/// The 24 octets that a client opens with (RFC 9113, section 3.4).
#[must_use]
pub fn preface(input: &[u8]) -> Step<()> {
    let shown = PREFACE.len().min(input.len());
    if input.get(..shown) != PREFACE.get(..shown) {
        Step::NotThisProtocol("no preface of HTTP/2")
    } else if shown < PREFACE.len() {
        Step::NeedMore(PREFACE.len() - shown)
    } else {
        Step::Done((), shown)
    }
}

/// Whether a server may have begun like this: with SETTINGS.
#[must_use]
pub fn server_preface(input: &[u8]) -> Step<()> {
    let fits = input
        .iter()
        .zip([0, 0, 0xff, 4, 0, 0, 0, 0, 0])
        .all(|(&octet, want)| {
            // The third is a length of whole settings, and no server sends twenty of them.
            octet == want || want == 0xff && octet % 6 == 0 && octet <= 120
        });
    if !fits {
        return Step::NotThisProtocol("no SETTINGS of HTTP/2");
    }
    match frame_head(input) {
        Step::Done(_, used) => Step::Done((), used),
        Step::NeedMore(missing) => Step::NeedMore(missing),
        Step::NotThisProtocol(why) => Step::NotThisProtocol(why),
    }
}

/// An old server takes the start for a request that it must refuse.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_same_however_cut;

    #[test]
    fn knows_how_both_sides_begin() {
        let client = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04";
        assert_same_however_cut(preface, client);
        assert_eq!(preface(client), Step::Done((), 24));
        assert!(matches!(
            preface(b"PRI * HTTP/1.1\r\n"),
            Step::NotThisProtocol(_)
        ));
        for server in [
            &b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"[..],
            b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03",
        ] {
            assert_same_however_cut(server_preface, server);
            assert_eq!(server_preface(server), Step::Done((), 9));
        }
        for other in [
            &b"\x00\x00\x05\x04"[..],
            b"\x00\x0c\x00",
            b"\x00\x00\x00\x04\x01",
            b"HTTP",
        ] {
            assert!(matches!(server_preface(other), Step::NotThisProtocol(_)));
        }
    }

    #[test]
    fn reads_a_frame_head() {
        let input = b"\x00\x01\x02\x01\x25\x80\x00\x00\x0dxx";
        assert_same_however_cut(frame_head, input);
        let Step::Done(head, 9) = frame_head(input) else {
            panic!("no head");
        };
        assert_eq!(
            (head.length, head.kind, head.stream),
            (258, FrameKind::HEADERS, 13)
        );
        assert!(head.has(FrameHead::END_HEADERS) && !head.has(FrameHead::PADDED));
    }
}
