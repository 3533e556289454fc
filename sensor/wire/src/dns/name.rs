//! Domain names: compression, limits, text.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A domain name where it stands in a message, case as sent. Labels may hold any octets.
///
/// It was read once, so its labels are there and are within the limits of names; nothing of it was copied. Equality and
/// hash disregard ASCII case (RFC 4343). Writes itself with octets outside 0x21..=0x7e, `\` and a `.` within a label as
/// `\DDD` (RFC 4343, section 2.1), without the trailing dot; the root is the empty text.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    message: &'a [u8],
    /// Where its first label is, behind the pointers that lead there.
    at: usize,
    /// Octets of its uncompressed form, the root's included: 255 at most.
    length: u8,
    /// Pointers behind its first label. Where there is none, its uncompressed form is what stands there.
    pointers: u8,
}

/// Why octets are no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFault {
    /// The octets end within it.
    Cut,
    /// More than [`Name::MAX`] octets uncompressed.
    TooLong,
    /// A pointer to itself or to what follows, or more than [`Name::MAX_POINTERS`].
    BadPointer,
    /// A label whose length octet starts with the bits 01 or 10 (RFC 6891, section 5: no such type is in use).
    UnknownLabel,
}

impl NameFault {
    /// In a few words.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Cut => "name cut short",
            Self::TooLong => "name longer than 255 octets",
            Self::BadPointer => "name with a pointer not backward",
            Self::UnknownLabel => "name with an unknown label type",
        }
    }
}

impl<'a> Name<'a> {
    /// Octets of a name at most, length octets and the root's included (RFC 1035, section 3.1).
    pub const MAX: usize = 255;
    /// A name has 127 labels at most, and an honest sender needs no more than one pointer for each: with this bound a name
    /// takes a fixed number of steps however long the message is.
    pub const MAX_POINTERS: u32 = 127;

    /// Reads the name at offset `at` of `message`, following pointers, which count from the start of `message`. Also
    /// answers the offset behind the name where it stands.
    ///
    /// # Errors
    /// The first fault met.
    #[inline]
    pub fn read(message: &'a [u8], at: usize) -> Result<(Self, usize), NameFault> {
        match Self::read_usual(message, at) {
            Some(read) => Ok(read),
            None => Self::read_any(message, at),
        }
    }

    /// Most names stand in one piece, here or where a pointer leads. None for any other, and where a fault may be.
    #[inline]
    fn read_usual(message: &'a [u8], at: usize) -> Option<(Self, usize)> {
        let kind = *message.get(at)?;
        let (first, pointed) = if kind & 0xc0 == 0xc0 {
            let low = *message.get(at + 1)?;
            let target = usize::from(u16::from_be_bytes([kind & 0x3f, low]));
            if target >= at {
                return None;
            }
            (target, true)
        } else {
            (at, false)
        };
        let mut next = first;
        loop {
            let kind = *message.get(next)?;
            next += 1 + usize::from(kind);
            if kind == 0 {
                break;
            }
            if kind & 0xc0 != 0 || next - first >= Self::MAX {
                return None;
            }
        }
        let name = Self {
            message,
            at: first,
            length: u8::try_from(next - first).ok()?,
            pointers: 0,
        };
        Some((name, if pointed { at + 2 } else { next }))
    }

    fn read_any(message: &'a [u8], at: usize) -> Result<(Self, usize), NameFault> {
        let mut length: usize = 0;
        let mut at = at;
        // Where the name started, then where each pointer led: the next must lead before it.
        let mut start = at;
        let mut first = None;
        let mut behind = None;
        let mut pointers = 0;
        let mut behind_first = 0;
        loop {
            let kind = *message.get(at).ok_or(NameFault::Cut)?;
            match kind & 0xc0 {
                0x00 => {
                    let next = at + 1 + usize::from(kind);
                    if next > message.len() {
                        return Err(NameFault::Cut);
                    }
                    first = first.or(Some(at));
                    length += next - at;
                    // One octet is kept for the root's 0, unless this is it.
                    if length + usize::from(kind != 0) > Self::MAX {
                        return Err(NameFault::TooLong);
                    }
                    at = next;
                    if kind == 0 {
                        let name = Self {
                            message,
                            at: first.unwrap_or(at),
                            // At most 255, as checked.
                            length: u8::try_from(length).unwrap_or(u8::MAX),
                            pointers: behind_first,
                        };
                        return Ok((name, behind.unwrap_or(at)));
                    }
                }
                0xc0 => {
                    let low = *message.get(at + 1).ok_or(NameFault::Cut)?;
                    let target = usize::from(u16::from_be_bytes([kind & 0x3f, low]));
                    pointers += 1;
                    if target >= start || pointers > Self::MAX_POINTERS {
                        return Err(NameFault::BadPointer);
                    }
                    behind = behind.or(Some(at + 2));
                    behind_first += u8::from(first.is_some());
                    start = target;
                    at = target;
                }
                _ => return Err(NameFault::UnknownLabel),
            }
        }
    }

    /// A name from its own [`Name::to_wire`]; none for other octets.
    #[must_use]
    pub fn from_wire(octets: &'a [u8]) -> Option<Self> {
        match Self::read(octets, 0) {
            Ok((name, behind)) if behind == octets.len() => Some(name),
            _ => None,
        }
    }

    /// The uncompressed form: labels with their length octets, then the root's 0.
    #[must_use]
    pub fn to_wire(&self) -> Vec<u8> {
        self.wire().into_owned()
    }

    /// The uncompressed form, borrowed from the message where it stands there in one piece.
    #[must_use]
    #[inline]
    pub fn wire(&self) -> Cow<'a, [u8]> {
        match self.piece() {
            Some(piece) => Cow::Borrowed(piece),
            None => Cow::Owned(self.put_together()),
        }
    }

    /// The uncompressed form, where it stands in one piece.
    #[inline]
    fn piece(&self) -> Option<&'a [u8]> {
        let whole = self.message.get(self.at..self.at + self.wire_len())?;
        (self.pointers == 0).then_some(whole)
    }

    /// Whether a pointer of `message` to this place is this name again: it leads to its first label, and the name would be
    /// read with it.
    #[inline]
    pub(super) fn is_led_to(&self, message: &[u8], from: usize, target: usize) -> bool {
        self.at == target
            && target < from
            && std::ptr::eq(self.message, message)
            && u32::from(self.pointers) < Self::MAX_POINTERS
    }

    fn put_together(&self) -> Vec<u8> {
        let mut wire = Vec::with_capacity(self.wire_len());
        for label in self.labels() {
            // At most 63, as its first two bits are 0.
            wire.push(u8::try_from(label.len()).unwrap_or_default());
            wire.extend_from_slice(label);
        }
        wire.push(0);
        wire
    }

    /// The uncompressed form, written to the start of `room`.
    fn put_into<'r>(&self, room: &'r mut [u8; Name::<'static>::MAX]) -> Option<&'r [u8]> {
        let room = room.get_mut(..self.wire_len())?;
        let mut at = 0;
        for label in self.labels() {
            *room.get_mut(at)? = u8::try_from(label.len()).ok()?;
            at += 1;
            room.get_mut(at..at + label.len())?.copy_from_slice(label);
            at += label.len();
        }
        *room.get_mut(at)? = 0;
        Some(room)
    }

    /// Octets of the uncompressed form.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        usize::from(self.length)
    }

    /// Whether it has no label.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.length <= 1
    }

    /// The labels from the left, without the root's empty one.
    pub fn labels(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let message = self.message;
        let mut at = self.at;
        std::iter::from_fn(move || {
            // Each pointer leads backward, as was checked when it was read.
            loop {
                let kind = *message.get(at)?;
                if kind & 0xc0 != 0xc0 {
                    let label = message.get(at + 1..at + 1 + usize::from(kind))?;
                    at += 1 + label.len();
                    return (kind != 0).then_some(label);
                }
                let low = *message.get(at + 1)?;
                at = usize::from(u16::from_be_bytes([kind & 0x3f, low]));
            }
        })
    }

    /// Its text: what [`Display`](fmt::Display) writes.
    #[must_use]
    pub fn text(&self) -> String {
        self.plain_text().unwrap_or_else(|| {
            let mut text = String::with_capacity(self.wire_len());
            // A string takes all that is written to it.
            let _ = self.write(&mut text);
            text
        })
    }

    /// The text of a name that has nothing to escape, as nearly all names: copied at once, then with dots in place of the
    /// lengths.
    fn plain_text(&self) -> Option<String> {
        let mut room;
        let wire = match self.piece() {
            Some(piece) => piece,
            None => {
                room = [0; Name::<'static>::MAX];
                self.put_into(&mut room)?
            }
        };
        let (&first, labels) = wire.split_last()?.1.split_first()?;
        let mut text = labels.to_vec();
        let mut at = usize::from(first);
        let mut dots = 0;
        while let Some(length) = text.get_mut(at) {
            at += 1 + usize::from(*length);
            *length = b'.';
            dots += 1;
        }
        // Neither a dot within a label nor anything else that is to be escaped.
        if dots_among_plain(&text)? != dots {
            return None;
        }
        String::from_utf8(text).ok()
    }

    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        for (index, label) in self.labels().enumerate() {
            if index > 0 {
                out.write_char('.')?;
            }
            write_escaped(out, label, |octet| {
                matches!(octet, 0x21..=0x7e) && !matches!(octet, b'\\' | b'.')
            })?;
        }
        Ok(())
    }
}

impl PartialEq for Name<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        // Most records belong to the name that the message began with.
        self.at == other.at && std::ptr::eq(self.message, other.message)
            || self.length == other.length && self.is_alike(other)
    }
}

impl Name<'_> {
    /// Of a name of the same length.
    fn is_alike(&self, other: &Self) -> bool {
        match (self.piece(), other.piece()) {
            // A length is no letter, so it is compared as it is.
            (Some(one), Some(other)) => one == other || one.eq_ignore_ascii_case(other),
            _ => self.same_labels(other),
        }
    }
}

impl Name<'_> {
    fn same_labels(&self, other: &Self) -> bool {
        self.length == other.length
            && self
                .labels()
                .zip(other.labels())
                .all(|(one, other)| one.eq_ignore_ascii_case(other))
    }
}

impl Eq for Name<'_> {}

impl Hash for Name<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for label in self.labels() {
            state.write_usize(label.len());
            for octet in label {
                state.write_u8(octet.to_ascii_lowercase());
            }
        }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// How many dots there are among octets that are all printable and neither space nor `\\`; none where one is not, or there
/// are fewer than eight. Eight at a time, as each name that is seen is asked.
fn dots_among_plain(octets: &[u8]) -> Option<u64> {
    const fn each(octet: u8) -> u64 {
        u64::from_ne_bytes([octet; 8])
    }
    let mut odd = 0;
    let mut dots = 0;
    // The sums set the highest bit of the octets asked for; where it was set before, what they carry does not count.
    let mut look = |eight: u64| {
        let printable = eight.wrapping_add(each(0x80 - 0x21));
        let deleted = eight.wrapping_add(each(0x80 - 0x7f));
        let no_backslash = (eight ^ each(b'\\')).wrapping_add(each(0x7f));
        let no_dot = (eight ^ each(b'.')).wrapping_add(each(0x7f));
        odd |= eight | deleted | !printable | !no_backslash;
        dots += !no_dot >> 7 & each(1);
    };
    let (eights, rest) = octets.as_chunks();
    for eight in eights {
        look(u64::from_le_bytes(*eight));
    }
    if !rest.is_empty() {
        // The last eight, with letters in place of those that were looked at already.
        let seen = 8 * (8 - rest.len());
        let last = u64::from_le_bytes(*octets.last_chunk()?);
        look(last >> seen | each(b'a') << (64 - seen));
    }
    // A name has no more of them than an octet can count.
    (odd & each(0x80) == 0).then_some(dots.wrapping_mul(each(1)) >> 56)
}

/// Writes octets as text, those that are not plain as `\DDD`. What is plain must be ASCII.
pub(super) fn write_escaped(
    f: &mut impl fmt::Write,
    octets: &[u8],
    plain: impl Fn(u8) -> bool,
) -> fmt::Result {
    let mut rest = octets;
    while !rest.is_empty() {
        let run = rest
            .iter()
            .position(|&octet| !plain(octet))
            .unwrap_or(rest.len());
        let (head, tail) = rest.split_at(run);
        f.write_str(std::str::from_utf8(head).unwrap_or_default())?;
        rest = tail;
        if let Some((octet, tail)) = rest.split_first() {
            write!(f, "\\{octet:03}")?;
            rest = tail;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(message: &[u8], at: usize) -> Result<(String, usize), NameFault> {
        Name::read(message, at).map(|(name, behind)| (name.to_string(), behind))
    }

    #[test]
    fn follows_pointers_backward() {
        let message = b"\x03www\x07example\x03com\x00\x04mail\xc0\x04\xc0\x11";
        assert_eq!(text(message, 0), Ok(("www.example.com".into(), 17)));
        assert_eq!(text(message, 17), Ok(("mail.example.com".into(), 24)));
        assert_eq!(text(message, 24), Ok(("mail.example.com".into(), 26)));
    }

    #[test]
    fn escapes_what_is_no_plain_text_and_keeps_the_case() {
        assert_eq!(
            text(b"\x05a.B\\ \x02\xff\x7f\x00", 0),
            Ok(("a\\046B\\092\\032.\\255\\127".into(), 10))
        );
        assert_eq!(text(b"\x00", 0), Ok((String::new(), 1)));
    }

    #[test]
    fn refuses_pointers_that_do_not_lead_backward() {
        assert_eq!(text(b"\xc0\x00", 0), Err(NameFault::BadPointer));
        assert_eq!(text(b"\xc0\x02\x00", 0), Err(NameFault::BadPointer));
        // `a` and then a pointer to that `a`: never ends.
        assert_eq!(text(b"\x01a\xc0\x00", 0), Err(NameFault::BadPointer));
        assert_eq!(
            text(b"\x01a\xc0\x00\xc0\x02", 4),
            Err(NameFault::BadPointer)
        );
    }

    #[test]
    fn bounds_the_pointers_of_a_name() {
        let mut message = vec![0];
        for target in 0..Name::MAX_POINTERS + 1 {
            let target = if target == 0 { 0 } else { target * 2 - 1 };
            message.extend_from_slice(&(0xc000 | u16::try_from(target).unwrap()).to_be_bytes());
        }
        let last = message.len() - 2;
        assert_eq!(text(&message, last), Err(NameFault::BadPointer));
        assert_eq!(text(&message, last - 2), Ok((String::new(), last)));
    }

    #[test]
    fn takes_255_octets_and_not_one_more() {
        let mut long = Vec::new();
        for _ in 0..3 {
            long.push(63);
            long.extend_from_slice(&[b'a'; 63]);
        }
        let with_last = |length: u8| {
            let mut name = long.clone();
            name.push(length);
            name.extend(std::iter::repeat_n(b'b', usize::from(length)));
            name.push(0);
            name
        };
        assert_eq!(with_last(61).len(), 255);
        assert!(Name::read(&with_last(61), 0).is_ok());
        assert_eq!(text(&with_last(62), 0), Err(NameFault::TooLong));
    }

    #[test]
    fn refuses_unknown_label_types_and_cuts() {
        assert_eq!(text(b"\x41a\x00", 0), Err(NameFault::UnknownLabel));
        assert_eq!(text(b"\x80", 0), Err(NameFault::UnknownLabel));
        for cut in 0..5 {
            assert_eq!(text(&b"\x03abc\x00"[..cut], 0), Err(NameFault::Cut));
        }
        assert_eq!(text(b"\x00\xc0", 1), Err(NameFault::Cut));
        assert_eq!(text(b"\x00", 7), Err(NameFault::Cut));
    }

    #[test]
    fn names_are_equal_in_any_case() {
        let lower = Name::from_wire(b"\x03abc\x00").unwrap();
        let upper = Name::from_wire(b"\x03aBC\x00").unwrap();
        assert_eq!(lower, upper);
        assert_ne!(lower, Name::from_wire(b"\x03abd\x00").unwrap());
        assert_eq!(Name::from_wire(b"\x03abc\x00\x00").map(|_| ()), None);
    }

    proptest! {
        #[test]
        fn any_octets_give_a_name_within_its_limits(message: Vec<u8>, at in 0_usize..64) {
            if let Ok((name, behind)) = Name::read(&message, at) {
                prop_assert!(behind > at && behind <= message.len());
                let wire = name.to_wire();
                prop_assert!(wire.len() <= Name::MAX && wire.len() == name.wire_len());
                prop_assert!(name.to_string().bytes().all(|octet| octet.is_ascii_graphic()));
                prop_assert_eq!(name.to_string(), name.text());
                prop_assert_eq!(name.wire(), wire.as_slice());
                prop_assert_eq!(Name::from_wire(&wire), Some(name));
            }
        }

        /// Labels that are short, pointers that lead near: what is read at once and what is read step by step.
        #[test]
        fn the_quick_way_reads_what_the_slow_one_does(
            message in prop::collection::vec(prop::sample::select(vec![0_u8, 0, 1, 2, 3, 60, 63, b'a', b'B', b'.', b'\\', 0x7f, 0xc0, 0xc0, 0x40, 0xff]), 0..700),
            at in 0_usize..64,
        ) {
            let slow = Name::read_any(&message, at);
            let read = Name::read(&message, at);
            let shown = |read: Result<(Name<'_>, usize), NameFault>| read.map(|(name, behind)| {
                (name.at, name.length, name.pointers, behind)
            });
            prop_assert_eq!(shown(read), shown(slow));
            if let Ok((name, _)) = read {
                prop_assert_eq!(name.text(), name.to_string());
                let mut other = name.to_wire();
                other.make_ascii_uppercase();
                let upper = Name::from_wire(&other).unwrap();
                prop_assert_eq!(upper, name);
                prop_assert!(name.same_labels(&upper));
                for place in 0..other.len() - 1 {
                    other[place] ^= 1;
                    if let Some(changed) = Name::from_wire(&other) && changed.length == name.length {
                        prop_assert_eq!(name == changed, name.same_labels(&changed));
                    }
                    other[place] ^= 1;
                }
            }
        }

        #[test]
        fn plain_octets_are_told_from_others(octets in prop::collection::vec(prop::sample::select(vec![0_u8, b' ', b'!', b'.', b'.', b'a', b'~', 0x7f, 0x80, 0xae, 0xff, b'\\', b'[', b']', b'-', b'/']), 8..40), plain: bool) {
            let is_plain = |octet: &u8| octet.is_ascii_graphic() && *octet != b'\\';
            let octets: Vec<u8> = octets.into_iter().filter(|octet| !plain || is_plain(octet)).collect();
            prop_assume!(octets.len() >= 8);
            let dots = octets.iter().filter(|&&octet| octet == b'.').count() as u64;
            let expected = octets.iter().all(is_plain).then_some(dots);
            prop_assert_eq!(dots_among_plain(&octets), expected);
        }

        #[test]
        fn labels_come_out_as_they_went_in(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..8)) {
            let mut wire = Vec::new();
            for label in &labels {
                wire.push(u8::try_from(label.len()).unwrap());
                wire.extend_from_slice(label);
            }
            wire.push(0);
            let name = Name::from_wire(&wire).unwrap();
            prop_assert_eq!(name.labels().map(<[u8]>::to_vec).collect::<Vec<_>>(), labels);
        }
    }
}
