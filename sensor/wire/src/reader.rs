//! A bounded cursor over octets: the only way the decoders read.

/// Reads from the front of a slice. Each method answers `None` when too few octets are left, and then takes nothing.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A cursor at the start of `octets`.
    #[must_use]
    pub fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// What has not been read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many octets are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` octets.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    /// The next `N` octets, by value.
    pub fn take_array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    /// A cursor over the next `count` octets, which this one skips.
    pub fn sub(&mut self, count: usize) -> Option<Self> {
        self.take(count).map(Self::new)
    }

    /// One octet.
    pub fn u8(&mut self) -> Option<u8> {
        self.take_array().map(|[octet]| octet)
    }

    /// Two octets, network order.
    pub fn u16_be(&mut self) -> Option<u16> {
        self.take_array().map(u16::from_be_bytes)
    }

    /// Two octets, least significant first.
    pub fn u16_le(&mut self) -> Option<u16> {
        self.take_array().map(u16::from_le_bytes)
    }

    /// Three octets, network order, as TLS writes lengths.
    pub fn u24_be(&mut self) -> Option<u32> {
        self.take_array()
            .map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// Four octets, network order.
    pub fn u32_be(&mut self) -> Option<u32> {
        self.take_array().map(u32::from_be_bytes)
    }

    /// Four octets, least significant first.
    pub fn u32_le(&mut self) -> Option<u32> {
        self.take_array().map(u32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_nothing_when_too_few_octets_are_left() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.u32_be(), None);
        assert_eq!(reader.take(4), None);
        assert_eq!(reader.left(), 3);
        assert_eq!(reader.u16_be(), Some(0x0102));
        assert_eq!(reader.sub(1).map(|sub| sub.left()), Some(1));
        assert!(reader.is_empty());
    }

    #[test]
    fn reads_both_byte_orders() {
        let octets = [
            0x01, 0x02, 0x03, 0x04, 0x01, 0x02, 0x03, 0x04, 0x01, 0x02, 0x00, 0x00, 0x07,
        ];
        let mut reader = Reader::new(&octets);
        assert_eq!(reader.u32_be(), Some(0x0102_0304));
        assert_eq!(reader.u32_le(), Some(0x0403_0201));
        assert_eq!(reader.u16_le(), Some(0x0201));
        assert_eq!(reader.u24_be(), Some(7));
    }
}
