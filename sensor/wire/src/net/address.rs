//! One form for both families, so that tables have keys of one size.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 or IPv6 address in 16 octets; IPv4 in the mapped form `::ffff:a.b.c.d` (RFC 4291, section 2.5.5.2), which no
/// packet on a wire carries as IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(pub [u8; 16]);

impl Address {
    /// From the four octets of an IPv4 header.
    #[inline]
    #[must_use]
    pub fn v4([a, b, c, d]: [u8; 4]) -> Self {
        Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }

    /// As a number, in which form a processor handles it in two pieces and not in sixteen.
    #[inline]
    #[must_use]
    pub fn number(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// From its number.
    #[inline]
    #[must_use]
    pub fn of_number(number: u128) -> Self {
        Self(number.to_be_bytes())
    }

    /// Whether it is one of IPv4.
    #[inline]
    #[must_use]
    pub fn is_v4(self) -> bool {
        matches!(self.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ..])
    }

    /// As the standard library has it.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        let number = self.number();
        if number >> 32 == 0xffff {
            IpAddr::V4(Ipv4Addr::from_bits(number as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(number))
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::v4(v4.octets()),
            IpAddr::V6(v6) => Self(v6.octets()),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.ip(), f)
    }
}
