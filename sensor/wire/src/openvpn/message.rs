//! One packet.

use crate::{Reader, Step};

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Opcode(pub u8);

impl Opcode {
    /// New keys within a session.
    pub const SOFT_RESET: Self = Self(3);
    /// A piece of the TLS session.
    pub const CONTROL: Self = Self(4);
    /// Acknowledges only.
    pub const ACK: Self = Self(5);
    /// Data without a peer's identity.
    pub const DATA_1: Self = Self(6);
    /// A client opens.
    pub const CLIENT_RESET_2: Self = Self(7);
    /// The server answers.
    pub const SERVER_RESET_2: Self = Self(8);
    /// Data.
    pub const DATA_2: Self = Self(9);
    /// A client opens, with its wrapped key behind.
    pub const CLIENT_RESET_3: Self = Self(10);
    /// A piece of the TLS session, with the client's wrapped key behind.
    pub const CONTROL_WKC: Self = Self(11);

    /// Reads the first octet: the opcode and the number of the key.
    #[must_use]
    pub fn of(first: u8) -> (Self, u8) {
        (Self(first >> 3), first & 7)
    }
}

/// How packets of the control channel are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wrap {
    /// Not at all.
    Plain,
    /// `tls-auth`, with a check value of so many octets.
    Auth(u8),
    /// `tls-crypt`.
    Crypt,
    /// `tls-crypt-v2`.
    CryptV2,
}

impl Wrap {
    /// As records write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "none",
            Self::Auth(_) => "tls-auth",
            Self::Crypt => "tls-crypt",
            Self::CryptV2 => "tls-crypt-v2",
        }
    }
}

/// A packet of the control channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control<'a> {
    /// What it is.
    pub opcode: Opcode,
    /// The sender's session.
    pub session: [u8; 8],
    /// The session that it acknowledges, where it acknowledges something and is in clear.
    pub remote: Option<[u8; 8]>,
    /// Its number in the control channel; `None` for a mere acknowledgement and where it is encrypted.
    pub id: Option<u32>,
    /// What it carries; empty where it is encrypted.
    pub payload: &'a [u8],
}

/// The head of a data packet (version 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Data {
    /// Opcode, key and the peer's identity: the same in every packet of a key.
    pub head: [u8; 4],
    /// Counts the packets under a key, from 1.
    pub id: u32,
}

/// Cuts a packet out of a TCP stream: two octets of length before each.
#[must_use]
pub fn framed(octets: &[u8]) -> Step<&[u8]> {
    let Some((length, rest)) = octets.split_first_chunk::<2>() else {
        return Step::NeedMore(2 - octets.len());
    };
    let length = usize::from(u16::from_be_bytes(*length));
    match rest.get(..length) {
        Some(packet) => Step::Done(packet, 2 + length),
        None => Step::NeedMore(length - rest.len()),
    }
}

/// Reads the packet that a side opens with; `None` when it is no hard reset.
#[must_use]
pub fn reset(packet: &[u8]) -> Option<(Control<'_>, Wrap)> {
    let (opcode, key) = Opcode::of(*packet.first()?);
    if key != 0 {
        return None;
    }
    let wraps: &[Wrap] = match opcode {
        Opcode::CLIENT_RESET_2 | Opcode::SERVER_RESET_2 => &WRAPS,
        Opcode::CLIENT_RESET_3 => &[Wrap::CryptV2],
        _ => return None,
    };
    wraps.iter().find_map(|&wrap| {
        let control = control(packet, wrap)?;
        let fits = is_counted_from_one(packet, wrap)
            && match wrap {
                Wrap::Plain | Wrap::Auth(_) => {
                    control.id == Some(0)
                        && match opcode {
                            Opcode::CLIENT_RESET_2 => {
                                control.remote.is_none() && control.payload.is_empty()
                            }
                            _ => control.remote.is_some() && control.payload.len() <= MAX_EARLY,
                        }
                }
                Wrap::Crypt => match opcode {
                    Opcode::CLIENT_RESET_2 => packet.len() == CRYPT_CLIENT,
                    _ => (CRYPT_SERVER..=CRYPT_SERVER + MAX_EARLY).contains(&packet.len()),
                },
                Wrap::CryptV2 => is_key_behind(packet),
            };
        fits.then_some((control, wrap))
    })
}

/// Whether the counter of a reset is that of a session's first packets, where it has one.
fn is_counted_from_one(packet: &[u8], wrap: Wrap) -> bool {
    let check = match wrap {
        Wrap::Plain => return true,
        Wrap::Auth(check) => usize::from(check),
        Wrap::Crypt | Wrap::CryptV2 => 0,
    };
    let mut reader = Reader::new(packet);
    reader.take(1 + 8 + check);
    reader
        .u32_be()
        .is_some_and(|count| count & 0xffff <= MAX_FIRST_COUNT)
}

/// The client's wrapped key ends a packet, and its length is its last two octets.
fn is_key_behind(packet: &[u8]) -> bool {
    packet.last_chunk::<2>().is_some_and(|length| {
        let length = usize::from(u16::from_be_bytes(*length));
        length >= MIN_KEY
            && (CRYPT_CLIENT..=CRYPT_CLIENT + MAX_EARLY)
                .contains(&packet.len().saturating_sub(length))
    })
}

/// Reads a packet of the control channel; `None` when it is none, or otherwise wrapped.
#[must_use]
pub fn control(packet: &[u8], wrap: Wrap) -> Option<Control<'_>> {
    let mut reader = Reader::new(packet);
    let (opcode, _) = Opcode::of(reader.u8()?);
    if !matches!(opcode.0, 3..=5 | 7..=8 | 10..=11) {
        return None;
    }
    let session = reader.take_array::<8>()?;
    if session == [0; 8] {
        return None;
    }
    let hidden = Control {
        opcode,
        session,
        remote: None,
        id: None,
        payload: &[],
    };
    match wrap {
        Wrap::Plain => {}
        Wrap::Auth(check) => {
            reader.take(usize::from(check))?;
            is_plausible(&mut reader)?;
        }
        Wrap::Crypt | Wrap::CryptV2 => {
            is_plausible(&mut reader)?;
            // A check value, and a mere acknowledgement at least.
            return (reader.left() >= 32 + 5).then_some(hidden);
        }
    }
    let acks = usize::from(reader.u8()?);
    if acks > MAX_ACKS {
        return None;
    }
    let remote = if acks > 0 {
        reader.take(4 * acks)?;
        Some(reader.take_array::<8>()?)
    } else {
        None
    };
    let id = if opcode == Opcode::ACK {
        if acks == 0 || !reader.is_empty() {
            return None;
        }
        None
    } else {
        Some(reader.u32_be().filter(|&id| id < MAX_ID)?)
    };
    Some(Control {
        remote,
        id,
        payload: reader.rest(),
        ..hidden
    })
}

/// A counter of packets, and seconds since 1970: it must be some time between 2001 and 2096.
fn is_plausible(reader: &mut Reader<'_>) -> Option<()> {
    let (count, time) = (reader.u32_be()?, reader.u32_be()?);
    // Versions from 2.6 on say by the high octet what they can do.
    let fits = matches!(count >> 16, 0 | EARLY_NEGOTIATION | EARLIER_NEGOTIATION)
        && (1..=MAX_COUNT).contains(&(count & 0xffff))
        && (1_000_000_000..4_000_000_000).contains(&time);
    fits.then_some(())
}

/// Reads the head of a data packet of version 2; `None` when it cannot be one.
#[must_use]
pub fn data(packet: &[u8]) -> Option<Data> {
    let (head, rest) = packet.split_first_chunk::<4>()?;
    let (opcode, _) = Opcode::of(*head.first()?);
    let (id, rest) = rest.split_first_chunk::<4>()?;
    let id = u32::from_be_bytes(*id);
    // No server has more than 65,536 peers, and no key as many packets as 2^30: data channels renegotiate hourly.
    let fits = opcode == Opcode::DATA_2
        && matches!(head, [_, 0, ..])
        && (1..1 << 30).contains(&id)
        && rest.len() >= 16;
    fits.then_some(Data { head: *head, id })
}

/// Lengths of the check values of MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512; the packet's length tells which.
const WRAPS: [Wrap; 8] = [
    Wrap::Plain,
    Wrap::Auth(16),
    Wrap::Auth(20),
    Wrap::Auth(28),
    Wrap::Auth(32),
    Wrap::Auth(48),
    Wrap::Auth(64),
    Wrap::Crypt,
];
/// Opcode, session, counter, time, check value, no acknowledgement, number.
const CRYPT_CLIENT: usize = 1 + 8 + 4 + 4 + 32 + 1 + 4;
/// One acknowledgement and the session that it is for in addition.
const CRYPT_SERVER: usize = CRYPT_CLIENT + 4 + 8;
/// What a hard reset may carry: what the sides can do, in elements of six octets.
const MAX_EARLY: usize = 32;
/// A wrapped key: check value, key of 256 octets, length.
const MIN_KEY: usize = 32 + 256 + 2;
/// Acknowledgements of one packet: 8 by the reference, 4 in its older versions.
pub const MAX_ACKS: usize = 8;
/// Packets of one control channel: it is made anew each hour.
const MAX_ID: u32 = 1 << 20;
const MAX_COUNT: u32 = 0x7fff;
/// A reset that is sent again and again without an answer counts on.
const MAX_FIRST_COUNT: u32 = 0x3ff;
/// The upper half of the counter (`packet_id.h`, 2.6: `EARLY_NEG_START`).
const EARLY_NEGOTIATION: u32 = 0x0f00;
/// The same as clients wrote it before that version was released.
const EARLIER_NEGOTIATION: u32 = 0x0a01;

#[cfg(test)]
pub(super) mod samples {
    use super::Opcode;

    pub(crate) const CLIENT: [u8; 8] = [0x39, 0xfd, 0xed, 0x2d, 0xaa, 0x10, 0xa4, 0x37];
    pub(crate) const SERVER: [u8; 8] = [0x94, 0x21, 0x91, 0x7d, 0xe7, 0x26, 0x77, 0x29];

    /// What stands between the session and the acknowledgements: nothing, or `tls-auth` with SHA-1.
    pub(crate) fn auth(count: u8) -> Vec<u8> {
        let mut octets = vec![0xaa; 20]; // check value
        octets.extend([0, 0, 0, count]); // counter
        octets.extend([0x69, 0x20, 0x00, 0x00]); // time
        octets
    }

    pub(crate) fn packet(
        opcode: Opcode,
        session: [u8; 8],
        wrap: &[u8],
        ack: Option<(u8, [u8; 8])>,
        id: Option<u8>,
        payload: &[u8],
    ) -> Vec<u8> {
        let mut octets = vec![opcode.0 << 3];
        octets.extend(session);
        octets.extend(wrap);
        match ack {
            Some((id, remote)) => {
                octets.extend([1, 0, 0, 0, id]);
                octets.extend(remote);
            }
            None => octets.push(0),
        }
        if let Some(id) = id {
            octets.extend([0, 0, 0, id]);
        }
        octets.extend(payload);
        octets
    }

    /// `tls-crypt`: counter, time, check value, encrypted octets.
    pub(crate) fn crypt(opcode: Opcode, session: [u8; 8], count: u8, length: usize) -> Vec<u8> {
        let mut octets = vec![opcode.0 << 3];
        octets.extend(session);
        octets.extend([0, 0, 0, count]);
        octets.extend([0x69, 0x20, 0x00, 0x00]);
        octets.resize(length, 0xcc);
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{CLIENT, SERVER, auth, crypt, packet};
    use super::*;
    use crate::testing::assert_same_however_cut;

    #[test]
    fn a_reset_tells_how_the_channel_is_wrapped() {
        let wrap = |octets: &[u8]| reset(octets).map(|(_, wrap)| wrap);
        let plain = packet(Opcode::CLIENT_RESET_2, CLIENT, &[], None, Some(0), &[]);
        assert_eq!(plain.len(), 14);
        assert_eq!(wrap(&plain), Some(Wrap::Plain));
        let signed = packet(Opcode::CLIENT_RESET_2, CLIENT, &auth(1), None, Some(0), &[]);
        assert_eq!(signed.len(), 42);
        assert_eq!(wrap(&signed), Some(Wrap::Auth(20)));
        assert_eq!(
            wrap(&crypt(Opcode::CLIENT_RESET_2, CLIENT, 1, 54)),
            Some(Wrap::Crypt)
        );
        let mut with_key = crypt(Opcode::CLIENT_RESET_3, CLIENT, 1, 54 + 297);
        with_key.extend([0x01, 0x2b]);
        assert_eq!(wrap(&with_key), Some(Wrap::CryptV2));
        let answer = packet(
            Opcode::SERVER_RESET_2,
            SERVER,
            &[],
            Some((0, CLIENT)),
            Some(0),
            &[],
        );
        assert_eq!(answer.len(), 26);
        assert_eq!(reset(&answer).unwrap().0.remote, Some(CLIENT));
    }

    #[test]
    fn a_reset_has_its_exact_length() {
        for octets in [
            packet(Opcode::CLIENT_RESET_2, CLIENT, &[], None, Some(0), &[]),
            packet(Opcode::CLIENT_RESET_2, CLIENT, &auth(1), None, Some(0), &[]),
        ] {
            for cut in 0..octets.len() {
                assert_eq!(reset(&octets[..cut]), None, "{cut}");
            }
            assert_eq!(reset(&[&octets[..], &[0]].concat()), None);
        }
        let mut numbered = packet(Opcode::CLIENT_RESET_2, CLIENT, &[], None, Some(1), &[]);
        assert_eq!(reset(&numbered), None);
        numbered[0] |= 1;
        assert_eq!(reset(&numbered), None);
    }

    #[test]
    fn an_acknowledgement_carries_nothing() {
        let ack = packet(Opcode::ACK, CLIENT, &[], Some((0, SERVER)), None, &[]);
        let found = control(&ack, Wrap::Plain).unwrap();
        assert_eq!((found.id, found.remote), (None, Some(SERVER)));
        assert_eq!(control(&[&ack[..], &[1]].concat(), Wrap::Plain), None);
        let piece = packet(Opcode::CONTROL, CLIENT, &auth(4), None, Some(1), b"\x16");
        let found = control(&piece, Wrap::Auth(20)).unwrap();
        assert_eq!((found.id, found.payload), (Some(1), &b"\x16"[..]));
        assert_eq!(control(&piece, Wrap::Auth(16)), None);
    }

    #[test]
    fn a_stream_is_cut_by_lengths() {
        assert_same_however_cut(|octets| framed(octets).map(<[u8]>::to_vec), b"\x00\x03abc");
        assert_eq!(framed(b"\x00\x03abcdef"), Step::Done(&b"abc"[..], 5));
        assert_eq!(framed(b"\x00"), Step::NeedMore(1));
    }

    #[test]
    fn data_has_a_peer_and_a_counter() {
        let mut octets = vec![0x48, 0, 0, 1, 0, 0, 0, 9];
        octets.resize(60, 0x77);
        assert_eq!(
            data(&octets),
            Some(Data {
                head: [0x48, 0, 0, 1],
                id: 9
            })
        );
        assert_eq!(data(b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250"), None);
    }
}
