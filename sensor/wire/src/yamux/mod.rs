//! yamux in clear: many streams over one connection, with which reverse tunnels written in Go hand visitors on.
//!
//! *In*: the octets of both sides of a TCP flow. *Out*: [`Event`]: what the first stream begins with, then that there is no
//! doubt. *By*: hashicorp/yamux, spec.md, version 0. A frame is a head of twelve octets (version, type, flags, stream,
//! length, in network order) and, for data, as many octets. *Left out*: what the streams carry beyond the first octets of
//! the first one, yamux inside TLS. *Fails* when a frame does not fit.

use crate::{Reader, Side, Step, Violation};

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Data, window update, ping, go away.
    pub kind: Kind,
    /// SYN 1, ACK 2, FIN 4, RST 8.
    pub flags: u16,
    /// 0 is the session; the client's streams are odd.
    pub stream: u32,
    /// Octets that follow (data), a difference, a value, a reason.
    pub length: u32,
}

/// A type of frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 0.
    Data,
    /// 1.
    WindowUpdate,
    /// 2.
    Ping,
    /// 3.
    GoAway,
}

/// Decodes the head of a frame.
#[must_use]
pub fn head(input: &[u8]) -> Step<Head> {
    let mut reader = Reader::new(input);
    let bad = Step::NotThisProtocol("no frame of yamux");
    if reader.u8().is_some_and(|version| version != 0) {
        return bad;
    }
    let kind = match reader.u8() {
        None => return Step::NeedMore(HEAD - input.len()),
        Some(0) => Kind::Data,
        Some(1) => Kind::WindowUpdate,
        Some(2) => Kind::Ping,
        Some(3) => Kind::GoAway,
        Some(_) => return bad,
    };
    // The upper octet of the flags is 0, and the lower knows four of them.
    if reader.rest().first().is_some_and(|&octet| octet != 0)
        || reader.rest().get(1).is_some_and(|&octet| octet > 0x0f)
    {
        return bad;
    }
    let (Some(flags), Some(stream), Some(length)) =
        (reader.u16_be(), reader.u32_be(), reader.u32_be())
    else {
        return Step::NeedMore(HEAD - input.len());
    };
    let of_session = matches!(kind, Kind::Ping | Kind::GoAway);
    if of_session != (stream == 0) || stream > MAX_STREAM {
        return bad;
    }
    if matches!(kind, Kind::Data | Kind::WindowUpdate) && length > MAX_WINDOW {
        return bad;
    }
    Step::Done(
        Head {
            kind,
            flags,
            stream,
            length,
        },
        HEAD,
    )
}

/// Decodes the first frame of the side that speaks first: it opens its first stream, or measures the round trip.
#[must_use]
pub fn opening(input: &[u8]) -> Step<Head> {
    match head(input) {
        Step::Done(head, used) => {
            let fits = match head.kind {
                Kind::Data | Kind::WindowUpdate => head.stream <= 2,
                Kind::Ping => true,
                Kind::GoAway => false,
            };
            if fits && head.flags == SYN {
                Step::Done(head, used)
            } else {
                Step::NotThisProtocol("no first frame of yamux")
            }
        }
        other => other,
    }
}

/// What a session hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The octets at the start of the first stream, from the side that opened it: offered again, longer, until
    /// [`Session::looked_at`].
    First(Side, &'a [u8]),
    /// Both sides speak yamux; it was this side that opened the first stream.
    Told(Side),
}

/// Follows one TCP flow.
#[derive(Debug, Default)]
pub struct Session {
    frames: [u8; 2],
    opener: Option<(Side, u32)>,
    first: Vec<u8>,
    seen: bool,
    told: bool,
    /// Octets of a frame's data that are still to come.
    rest: [u32; 2],
}

impl Session {
    /// Nobody needs more of the first stream.
    pub fn looked_at(&mut self) {
        self.seen = true;
        self.first = Vec::new();
    }

    /// Both sides speak it.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.told
    }

    /// Reads whole frames; answers how many octets it took.
    ///
    /// # Errors
    /// When a frame does not fit.
    pub fn feed(
        &mut self,
        from: Side,
        input: &[u8],
        mut emit: impl FnMut(Event<'_>),
    ) -> Result<usize, Violation> {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(used);
            }
            let due = self.rest.get(from.index()).copied().unwrap_or(0);
            if due > 0 {
                let length = rest.len().min(usize::try_from(due).unwrap_or(usize::MAX));
                let data = rest.get(..length).unwrap_or_default();
                self.data(from, data, &mut emit);
                if let Some(due) = self.rest.get_mut(from.index()) {
                    *due -= u32::try_from(length).unwrap_or(*due);
                }
                used += length;
                continue;
            }
            let step = if self.opener.is_none() && self.frames == [0, 0] {
                opening(rest)
            } else {
                head(rest)
            };
            match step {
                Step::Done(head, length) => {
                    self.frame(from, head, &mut emit);
                    used += length;
                }
                Step::NeedMore(_) => return Ok(used),
                Step::NotThisProtocol(why) => return Err(Violation(why)),
            }
        }
    }

    fn frame(&mut self, from: Side, head: Head, emit: &mut impl FnMut(Event<'_>)) {
        if let Some(frames) = self.frames.get_mut(from.index()) {
            *frames = frames.saturating_add(1);
        }
        if head.kind == Kind::Data
            && let Some(rest) = self.rest.get_mut(from.index())
        {
            *rest = head.length;
        }
        if self.opener.is_none() && head.stream != 0 {
            self.opener = Some((from, head.stream));
        }
        let enough = self.frames.iter().all(|&frames| frames > 0)
            && self
                .frames
                .iter()
                .map(|&frames| u32::from(frames))
                .sum::<u32>()
                >= ENOUGH;
        if enough && !self.told {
            self.told = true;
            emit(Event::Told(self.opener.map_or(from, |(side, _)| side)));
        }
    }

    /// Data of the opener, as long as only its first stream is there, is the start of that stream.
    fn data(&mut self, from: Side, data: &[u8], emit: &mut impl FnMut(Event<'_>)) {
        if self.seen || self.opener.is_none_or(|(side, _)| side != from) {
            return;
        }
        let room = MAX_FIRST.saturating_sub(self.first.len());
        self.first.extend(data.iter().take(room));
        emit(Event::First(from, &self.first));
    }
}

const HEAD: usize = 12;
const SYN: u16 = 1;
/// A connection of a tunnel opens some thousands of streams at most.
const MAX_STREAM: u32 = 1 << 24;
/// Windows in use are 256 KiB to 16 MiB.
const MAX_WINDOW: u32 = 16 << 20;
/// A log-in of frp has some hundred octets.
const MAX_FIRST: usize = 2048;
/// Frames of both sides together: twelve octets of mostly zeros are met elsewhere, four such on end are not.
const ENOUGH: u32 = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{assert_same_however_cut, in_pieces};
    use Side::{Originator as O, Responder as R};

    fn frame(kind: u8, flags: u16, stream: u32, length: u32, data: &[u8]) -> Vec<u8> {
        let mut octets = vec![0, kind]; // version, type
        octets.extend(flags.to_be_bytes());
        octets.extend(stream.to_be_bytes());
        octets.extend(length.to_be_bytes());
        octets.extend(data);
        octets
    }

    fn run(conversation: &[(Side, &[u8])], size: usize) -> (Vec<u8>, Option<Side>) {
        let (mut session, mut first, mut told) = (Session::default(), Vec::new(), None);
        in_pieces(conversation, size, |from, input| {
            session
                .feed(from, input, |event| match event {
                    Event::First(_, octets) => first = octets.to_vec(),
                    Event::Told(side) => told = Some(side),
                })
                .ok()
        });
        (first, told)
    }

    #[test]
    fn hands_out_the_first_stream_and_tells_once_both_speak() {
        let client = [
            frame(1, 1, 1, 0x5c_0000, &[]), // window update, SYN
            frame(0, 0, 1, 5, b"hello"),
            frame(0, 0, 1, 2, b"!!"),
        ]
        .concat();
        let server = [frame(1, 2, 1, 0, &[]), frame(2, 1, 0, 7, &[])].concat();
        for size in [1, 7, 13, 500] {
            let (first, told) = run(&[(O, &client), (R, &server)], size);
            assert_eq!(
                (first.as_slice(), told),
                (&b"hello!!"[..], Some(O)),
                "{size}"
            );
        }
    }

    #[test]
    fn frames_are_the_same_however_cut() {
        for octets in [
            frame(1, 1, 1, 0, &[]),
            frame(0, 1, 2, 9, &[]),
            frame(2, 1, 0, 1, &[]),
            frame(1, 1, 0, 0, &[]),
            frame(0, 0x10, 1, 0, &[]),
            frame(4, 1, 1, 0, &[]),
        ] {
            assert_same_however_cut(head, &octets);
            assert_same_however_cut(opening, &octets);
        }
    }

    #[test]
    fn other_protocols_are_refused_early() {
        for input in [
            &b"\x00\x1d\x12\x34\x01\x00"[..],                    // DNS over TCP
            b"\x00\x00\x00\x54\xfeSMB@\x00\x00\x00",             // SMB 2
            b"\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x0a", // Modbus
            b"\x16\x03\x01",
        ] {
            assert!(
                matches!(opening(input), Step::NotThisProtocol(_)),
                "{input:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(data in proptest::collection::vec(any::<u8>(), 0..80), size in 1_usize..30) {
            let client = [frame(1, 1, 1, 0, &[]), frame(0, 0, 1, 6, b"hello!"), data].concat();
            let server = frame(1, 2, 1, 0, &[]);
            let conversation = [(O, &client[..]), (R, &server[..])];
            prop_assert_eq!(run(&conversation, size), run(&conversation, 1));
        }
    }
}
