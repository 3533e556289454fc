//! The pcapng file format (draft-ietf-opsawg-pcapng): blocks, in sections, of interfaces.
//!
//! Read are the section header, the interface description, and the enhanced, simple and obsolete packet block; all others
//! are passed over whatever their length, without keeping them. Two checks tell damage from a block that is not known: a
//! block's length must be a multiple of four, and must stand at its end once more.

use terrier_engine::LinkType;

use super::fault::Damage;
use super::pcap::{Order, Place, Walked};
use super::{MAX_PACKET, Meta};

/// What has been read of the section at hand.
#[derive(Debug, Default)]
pub(super) struct Sections {
    /// `None` before the first section header.
    order: Option<Order>,
    interfaces: Vec<Interface>,
    /// The block that is being passed over.
    skipped: Option<Skipped>,
    /// The time of the packet before, for simple packet blocks, which have none.
    last_ns: i64,
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    link: LinkType,
    /// 0: no limit.
    snaplen: u32,
    clock: Clock,
}

/// How an interface's time stamps become nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clock {
    resolution: Resolution,
    offset_s: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resolution {
    /// One unit is so many nanoseconds.
    Nanoseconds(u64),
    /// So many units are one nanosecond.
    PerNanosecond(i128),
    /// One unit is 2 to the minus so many seconds.
    Binary(u8),
}

#[derive(Debug, Clone, Copy)]
struct Skipped {
    /// Where the block began, in the capture.
    offset: u64,
    /// Its whole length.
    length: u32,
    /// How many octets are left before the length at its end.
    left: u64,
}

/// What became of one block.
enum Block {
    /// It is done with: so many octets.
    Read(usize),
    /// Not all of it is there.
    Incomplete,
    /// Nothing in it is wanted, and it is not all there.
    Skip(Skipped),
    Damaged(Damage),
}

impl Sections {
    /// Enters the packets of the whole blocks at the start of `octets` into `packets`.
    pub(super) fn walk(
        &mut self,
        octets: &[u8],
        place: &mut Place,
        packets: &mut Vec<Meta>,
    ) -> Walked {
        let mut used = 0;
        loop {
            if let Some(skipped) = &mut self.skipped {
                let step = skipped.left.min((octets.len() - used) as u64);
                skipped.left -= step;
                used += step as usize;
                let Some(&end) = octets.get(used..).and_then(|rest| rest.first_chunk()) else {
                    break;
                };
                let Skipped { offset, length, .. } = *skipped;
                if let Some(damage) = self.trailer_damage(length, end) {
                    return Walked {
                        used,
                        damage: Some((offset, damage)),
                    };
                }
                used += TRAILER;
                self.skipped = None;
            }
            match self.block(octets, used, place, packets) {
                Block::Read(length) => used += length,
                Block::Incomplete => break,
                Block::Skip(skipped) => self.skipped = Some(skipped),
                Block::Damaged(damage) => {
                    return Walked {
                        used,
                        damage: Some((place.offset + used as u64, damage)),
                    };
                }
            }
        }
        Walked { used, damage: None }
    }

    /// What is missing of the block that `rest`, the end of the capture, begins; `None` where a block may end.
    pub(super) fn missing(&self, rest: &[u8]) -> Option<Damage> {
        let there = rest.len() as u64;
        if let Some(skipped) = self.skipped {
            let seen = u64::from(skipped.length) - TRAILER as u64 - skipped.left + there;
            return Some(Damage::CutRecord {
                promised: skipped.length.into(),
                there: seen,
            });
        }
        if rest.is_empty() {
            return None;
        }
        let needed = |promised| Damage::CutRecord { promised, there };
        let (Some(order), Some(header)) = (self.order, rest.first_chunk()) else {
            return Some(needed(HEADER as u64));
        };
        let (kind, length) = head_of(order, header);
        let wanted = match kind {
            ENHANCED_PACKET => packet_at(rest, 20, order).map(|len| (28, len)),
            OBSOLETE_PACKET => packet_at(rest, 20, order).map(|len| (28, len)),
            SIMPLE_PACKET => packet_at(rest, 8, order).map(|len| (12, len)),
            _ => None,
        };
        Some(match wanted {
            Some((start, len)) if there < start + u64::from(len) => Damage::CutPacket {
                promised: len.into(),
                there: there.saturating_sub(start),
            },
            // The section header's length may be in the other byte order.
            _ if kind == SECTION_HEADER => needed(SECTION_MINIMUM as u64),
            _ => needed(length.into()),
        })
    }

    /// Reads the block at `at`.
    fn block(
        &mut self,
        octets: &[u8],
        at: usize,
        place: &mut Place,
        packets: &mut Vec<Meta>,
    ) -> Block {
        let Some(rest) = octets.get(at..) else {
            return Block::Incomplete;
        };
        let Some(header) = rest.first_chunk() else {
            return Block::Incomplete;
        };
        // The section header tells the byte order of its own length. Its type reads the same both ways.
        let order = if header.starts_with(&MAGIC) {
            match rest.first_chunk().map(byte_order) {
                None => return Block::Incomplete,
                Some(None) => {
                    return Block::Damaged(Damage::Block("a section without a byte-order magic"));
                }
                Some(Some(order)) => order,
            }
        } else {
            match self.order {
                Some(order) => order,
                None => return Block::Damaged(Damage::Block("a block before the first section")),
            }
        };
        let (kind, length) = head_of(order, header);
        if length % 4 != 0 || length < SHORTEST {
            return Block::Damaged(Damage::BlockLength(length.into()));
        }
        let wanted = matches!(
            kind,
            SECTION_HEADER | INTERFACE | ENHANCED_PACKET | SIMPLE_PACKET | OBSOLETE_PACKET
        );
        if wanted && length > MAX_BLOCK {
            return Block::Damaged(Damage::BlockLength(length.into()));
        }
        let inside = length as usize - TRAILER;
        let (Some(body), Some(&end)) = (
            rest.get(HEADER..inside),
            rest.get(inside..).and_then(|rest| rest.first_chunk()),
        ) else {
            if wanted {
                return Block::Incomplete;
            }
            return Block::Skip(Skipped {
                offset: place.offset + at as u64,
                length,
                left: inside as u64,
            });
        };
        if order.u32(end) != length {
            return Block::Damaged(Damage::Trailer {
                start: length,
                end: order.u32(end),
            });
        }
        let start = at + HEADER;
        let read = match kind {
            SECTION_HEADER => self.section(order, body),
            INTERFACE => self.interface(order, body),
            ENHANCED_PACKET => self
                .enhanced_packet(order, body, start, place)
                .map(|meta| packets.push(meta)),
            OBSOLETE_PACKET => self
                .obsolete_packet(order, body, start, place)
                .map(|meta| packets.push(meta)),
            SIMPLE_PACKET => self
                .simple_packet(order, body, start, place)
                .map(|meta| packets.push(meta)),
            _ => Ok(()),
        };
        match read {
            Ok(()) => Block::Read(length as usize),
            Err(damage) => Block::Damaged(damage),
        }
    }

    fn trailer_damage(&self, start: u32, end: [u8; 4]) -> Option<Damage> {
        let end = self.order.map_or(0, |order| order.u32(end));
        (end != start).then_some(Damage::Trailer { start, end })
    }

    /// Section header: byte-order magic, version, section length (not used: it is often unknown), options.
    fn section(&mut self, order: Order, body: &[u8]) -> Result<(), Damage> {
        let Some(&[_, _, _, _, a0, a1, _, _]) = body.first_chunk() else {
            return Err(Damage::Block("a section header that is too short"));
        };
        if order.u16([a0, a1]) != 1 {
            return Err(Damage::Block("a section of another version than 1"));
        }
        self.order = Some(order);
        self.interfaces.clear();
        Ok(())
    }

    /// Interface description: link type, reserved, snaplen, options.
    fn interface(&mut self, order: Order, body: &[u8]) -> Result<(), Damage> {
        let Some((&[l0, l1, _, _, s0, s1, s2, s3], options)) = body.split_first_chunk() else {
            return Err(Damage::Block("an interface description that is too short"));
        };
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err(Damage::Block("more than 65536 interfaces in one section"));
        }
        self.interfaces.push(Interface {
            link: LinkType(order.u16([l0, l1]).into()),
            snaplen: order.u32([s0, s1, s2, s3]),
            clock: Clock::from_options(order, options),
        });
        Ok(())
    }

    /// Enhanced packet: interface, time (high and low half), captured length, length on the wire, octets, options.
    fn enhanced_packet(
        &mut self,
        order: Order,
        body: &[u8],
        start: usize,
        place: &mut Place,
    ) -> Result<Meta, Damage> {
        let Some((&[i0, i1, i2, i3], rest)) = body.split_first_chunk() else {
            return Err(SHORT_PACKET);
        };
        self.timed_packet(order, order.u32([i0, i1, i2, i3]), rest, start + 4, place)
    }

    /// Obsolete packet: interface and drop count (16 bits each), then as in the enhanced one.
    fn obsolete_packet(
        &mut self,
        order: Order,
        body: &[u8],
        start: usize,
        place: &mut Place,
    ) -> Result<Meta, Damage> {
        let Some((&[i0, i1, _, _], rest)) = body.split_first_chunk() else {
            return Err(SHORT_PACKET);
        };
        self.timed_packet(order, order.u16([i0, i1]).into(), rest, start + 4, place)
    }

    fn timed_packet(
        &mut self,
        order: Order,
        interface: u32,
        fields: &[u8],
        start: usize,
        place: &mut Place,
    ) -> Result<Meta, Damage> {
        let Some((fixed, octets)) = fields.split_first_chunk() else {
            return Err(SHORT_PACKET);
        };
        let &[
            h0,
            h1,
            h2,
            h3,
            l0,
            l1,
            l2,
            l3,
            c0,
            c1,
            c2,
            c3,
            w0,
            w1,
            w2,
            w3,
        ] = fixed;
        let Some(interface) = self.interfaces.get(interface as usize) else {
            return Err(Damage::UnknownInterface(interface));
        };
        let stamp =
            u64::from(order.u32([h0, h1, h2, h3])) << 32 | u64::from(order.u32([l0, l1, l2, l3]));
        let len = order.u32([c0, c1, c2, c3]);
        if len > MAX_PACKET {
            return Err(Damage::TooLong(len.into()));
        }
        // What follows up to the block's end is padding and options, so the captured length decides.
        if len as usize > octets.len() {
            return Err(Damage::Block("a packet that is longer than its block"));
        }
        self.last_ns = interface.clock.nanoseconds(stamp);
        let wire_len = order.u32([w0, w1, w2, w3]);
        Ok(self.meta(interface.link, len, wire_len, start + fixed.len(), place))
    }

    /// Simple packet: length on the wire, octets. It is of the section's first interface, whose snaplen cut it, and has no
    /// time: it gets that of the packet before it in the file (1970 where there is none), so that it stays in its place.
    fn simple_packet(
        &mut self,
        order: Order,
        body: &[u8],
        start: usize,
        place: &mut Place,
    ) -> Result<Meta, Damage> {
        let Some((fixed, octets)) = body.split_first_chunk() else {
            return Err(SHORT_PACKET);
        };
        let Some(interface) = self.interfaces.first() else {
            return Err(Damage::UnknownInterface(0));
        };
        let wire_len = order.u32(*fixed);
        let limit = if interface.snaplen == 0 {
            u32::MAX
        } else {
            interface.snaplen
        };
        let len = wire_len
            .min(limit)
            .min(u32::try_from(octets.len()).unwrap_or(u32::MAX));
        if len > MAX_PACKET {
            return Err(Damage::TooLong(len.into()));
        }
        Ok(self.meta(interface.link, len, wire_len, start + fixed.len(), place))
    }

    fn meta(
        &self,
        link: LinkType,
        len: u32,
        wire_len: u32,
        start: usize,
        place: &mut Place,
    ) -> Meta {
        place.frames += 1;
        Meta {
            at_ns: self.last_ns,
            frame: place.frames,
            link,
            wire_len: wire_len.max(len),
            start: start as u32,
            len,
            capture: place.capture,
        }
    }
}

impl Clock {
    /// `if_tsresol` and `if_tsoffset` among an interface's options; options that overrun their block are left.
    fn from_options(order: Order, mut options: &[u8]) -> Self {
        let mut clock = Self {
            resolution: Resolution::Nanoseconds(1_000),
            offset_s: 0,
        };
        while let Some((&[c0, c1, l0, l1], rest)) = options.split_first_chunk() {
            let code = order.u16([c0, c1]);
            let length = usize::from(order.u16([l0, l1]));
            let Some(value) = rest.get(..length) else {
                break;
            };
            match (code, value) {
                (END_OF_OPTIONS, _) => break,
                (TIME_RESOLUTION, &[resolution]) => {
                    clock.resolution = Resolution::from_option(resolution)
                }
                (TIME_OFFSET, _) => {
                    if let Ok(value) = value.try_into() {
                        clock.offset_s = order.u64(value).cast_signed();
                    }
                }
                _ => {}
            }
            options = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        clock
    }

    /// A time beyond the range of 64 bits stays at its end.
    fn nanoseconds(self, stamp: u64) -> i64 {
        let since = match self.resolution {
            Resolution::Nanoseconds(unit) => i128::from(stamp) * i128::from(unit),
            Resolution::PerNanosecond(units) => i128::from(stamp) / units,
            // A time stamp of 64 bits times 30 bits of nanoseconds a second stays below 94 bits.
            Resolution::Binary(exponent) => (i128::from(stamp) * 1_000_000_000) >> exponent,
        };
        let at_ns = since + i128::from(self.offset_s) * 1_000_000_000;
        i64::try_from(at_ns).unwrap_or(if at_ns < 0 { i64::MIN } else { i64::MAX })
    }
}

impl Resolution {
    /// The high bit says whether the other seven are a negative power of two or of ten.
    fn from_option(value: u8) -> Self {
        let exponent = value & 0x7f;
        if value & 0x80 != 0 {
            return Self::Binary(exponent);
        }
        match u32::from(exponent).checked_sub(9) {
            None | Some(0) => Self::Nanoseconds(10_u64.pow(9 - u32::from(exponent))),
            // No time stamp of 64 bits makes a nanosecond of the smallest units.
            Some(finer) => Self::PerNanosecond(10_i128.checked_pow(finer).unwrap_or(i128::MAX)),
        }
    }
}

/// Type and length of a block.
fn head_of(order: Order, &[t0, t1, t2, t3, l0, l1, l2, l3]: &[u8; HEADER]) -> (u32, u32) {
    (order.u32([t0, t1, t2, t3]), order.u32([l0, l1, l2, l3]))
}

/// The byte order that a section header announces.
fn byte_order(&[_, _, _, _, _, _, _, _, m0, m1, m2, m3]: &[u8; 12]) -> Option<Order> {
    match u32::from_be_bytes([m0, m1, m2, m3]) {
        0x1a2b_3c4d => Some(Order::Big),
        0x4d3c_2b1a => Some(Order::Little),
        _ => None,
    }
}

/// The length of a packet, which stands `at` octets into its block.
fn packet_at(block: &[u8], at: usize, order: Order) -> Option<u32> {
    block
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map(|&length| order.u32(length))
}

/// How every pcapng file begins: the type of the section header.
pub(super) const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const END_OF_OPTIONS: u16 = 0;
const TIME_RESOLUTION: u16 = 9;
const TIME_OFFSET: u16 = 14;

/// Type and length.
const HEADER: usize = 8;
/// The length once more.
const TRAILER: usize = 4;
/// A block without a body.
const SHORTEST: u32 = (HEADER + TRAILER) as u32;
/// A section header without options.
const SECTION_MINIMUM: usize = 28;
/// The longest block that is kept as a whole, for which a chunk must grow. A packet of [`MAX_PACKET`] octets leaves three
/// quarters of it to comments.
pub(super) const MAX_BLOCK: u32 = 1 << 20;
/// More interfaces than any machine has; each takes 40 octets here.
const MAX_INTERFACES: usize = 1 << 16;

const SHORT_PACKET: Damage = Damage::Block("a packet block that is too short");

#[cfg(test)]
mod tests;
