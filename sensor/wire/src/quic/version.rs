//! Versions, and how each protects its Initial packets.

use std::fmt;

/// A version as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(pub u32);

impl Version {
    /// In its place a server's list of versions follows (RFC 8999, section 6).
    pub const NEGOTIATION: Self = Self(0);
    /// RFC 9000.
    pub const V1: Self = Self(1);
    /// RFC 9369.
    pub const V2: Self = Self(0x6b33_43cf);
    /// The drafts 1 to 7 of version 2.
    pub const V2_DRAFT: Self = Self(0x709a_50c4);
    /// Draft 0 of version 2.
    pub const V2_DRAFT_00: Self = Self(0xff02_0000);
    /// Facebook's mvfst on draft 22.
    pub const MVFST_22: Self = Self(0xface_b001);
    /// Google's last version with a header of its own.
    pub const Q043: Self = Self(0x5130_3433);
    /// Google's version with the long header of draft 17; the hello is in clear.
    pub const Q046: Self = Self(0x5130_3436);
    /// Google's handshake in protected Initial packets.
    pub const Q050: Self = Self(0x5130_3530);
    /// TLS in Google's frames, with draft 25.
    pub const T050: Self = Self(0x5430_3530);
    /// The same, with draft 27.
    pub const T051: Self = Self(0x5430_3531);

    /// Draft 22 to 34 of RFC 9000.
    #[must_use]
    pub fn draft(self) -> Option<u8> {
        let [a, b, c, draft] = self.0.to_be_bytes();
        ([a, b, c] == [0xff, 0, 0] && (22..=34).contains(&draft)).then_some(draft)
    }

    /// The number of one of Google's own versions: 46 of `Q046`.
    #[must_use]
    pub fn google(self) -> Option<u8> {
        match self.0.to_be_bytes() {
            [b'Q' | b'T', b'0', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
                Some((tens - b'0') * 10 + (ones - b'0'))
            }
            _ => None,
        }
    }

    /// One of those that no server may choose, `0x?a?a?a?a` (RFC 9000, section 15).
    #[must_use]
    pub fn is_reserved(self) -> bool {
        self.0 & 0x0f0f_0f0f == 0x0a0a_0a0a
    }

    /// How it protects its Initial packets; `None` when the version is not known or does not protect them.
    #[must_use]
    pub fn suite(self) -> Option<Suite> {
        if let Some(draft) = self.draft() {
            return Some(match draft {
                ..=22 => Suite::DRAFT_22,
                23..=28 => Suite::DRAFT_23,
                29..=32 => Suite::DRAFT_29,
                _ => Suite::V1,
            });
        }
        match self {
            Self::V1 => Some(Suite::V1),
            Self::V2 => Some(Suite::V2),
            Self::V2_DRAFT => Some(Suite::V2_DRAFT),
            Self::V2_DRAFT_00 => Some(Suite::V2_DRAFT_00),
            Self::MVFST_22 => Some(Suite::DRAFT_22),
            // mvfst: draft 27, and its experiments on it.
            Self(0xface_b002 | 0xface_b00e | 0xface_b010..=0xface_b013) => Some(Suite::DRAFT_23),
            Self::Q050 => Some(Suite::Q050),
            Self::T050 => Some(Suite::T050),
            Self::T051 => Some(Suite::T051),
            _ => None,
        }
    }

    /// Whether its first octet is that of a version which is known, or stands for negotiation: a quick look before all
    /// others.
    pub(super) fn may_be_known(self) -> bool {
        let [first, ..] = self.0.to_be_bytes();
        matches!(first, 0 | b'Q' | b'T' | 0x6b | 0x70 | 0xfa | 0xff)
    }

    /// Whether the version is one that this decoder knows, the ones in clear included.
    #[must_use]
    pub fn is_known(self) -> bool {
        self.suite().is_some() || self.is_clear()
    }

    /// Whether it is one of Google's versions whose first packets are in clear: Q024 to Q046.
    #[must_use]
    pub fn is_clear(self) -> bool {
        self.0 >> 24 == u32::from(b'Q') && self.google().is_some_and(|n| (24..=46).contains(&n))
    }

    /// Whether the frames are Google's, not those of RFC 9000.
    #[must_use]
    pub fn has_google_frames(self) -> bool {
        self.google().is_some()
    }
}

/// `0x00000001`
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08x}", self.0)
    }
}

/// How a version protects its Initial packets, and numbers their type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suite {
    /// Salt of the first extraction (RFC 9001, section 5.2).
    pub(super) salt: [u8; 20],
    /// The HKDF labels of keys.
    pub(super) labels: Labels,
    /// The type bits of an Initial packet.
    pub(super) initial_type: u8,
}

/// The HKDF labels of key, IV and header protection key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Labels {
    /// `quic key` and so on.
    V1,
    /// `quicv2 key` and so on.
    V2,
}

impl Suite {
    const fn new(labels: Labels, salt: [u8; 20]) -> Self {
        let initial_type = match labels {
            Labels::V1 => 0,
            Labels::V2 => 1,
        };
        Self {
            salt,
            labels,
            initial_type,
        }
    }

    /// RFC 9001, and the drafts from 33 on.
    pub const V1: Self = Self::new(
        Labels::V1,
        [
            0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8,
            0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a,
        ],
    );
    /// RFC 9369, section 3.3.1.
    pub const V2: Self = Self::new(
        Labels::V2,
        [
            0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26,
            0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9,
        ],
    );
    /// draft-ietf-quic-v2-01.
    pub const V2_DRAFT: Self = Self::new(
        Labels::V2,
        [
            0xa7, 0x07, 0xc2, 0x03, 0xa5, 0x9b, 0x47, 0x18, 0x4a, 0x1d, 0x62, 0xca, 0x57, 0x04,
            0x06, 0xea, 0x7a, 0xe3, 0xe5, 0xd3,
        ],
    );
    /// draft-ietf-quic-v2-00, which kept the types of version 1.
    pub const V2_DRAFT_00: Self = Self {
        initial_type: 0,
        ..Self::V2_DRAFT
    };
    /// draft-ietf-quic-tls-22.
    pub const DRAFT_22: Self = Self::new(
        Labels::V1,
        [
            0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a, 0x96, 0xcd, 0x21, 0x51,
            0x9e, 0xbd, 0x7a, 0x02, 0x64, 0x4a,
        ],
    );
    /// draft-ietf-quic-tls-23 to 28.
    pub const DRAFT_23: Self = Self::new(
        Labels::V1,
        [
            0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4,
            0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02,
        ],
    );
    /// draft-ietf-quic-tls-29 to 32.
    pub const DRAFT_29: Self = Self::new(
        Labels::V1,
        [
            0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61,
            0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99,
        ],
    );
    /// Chromium's Q050.
    pub const Q050: Self = Self::new(
        Labels::V1,
        [
            0x50, 0x45, 0x74, 0xef, 0xd0, 0x66, 0xfe, 0x2f, 0x9d, 0x94, 0x5c, 0xfc, 0xdb, 0xd3,
            0xa7, 0xf0, 0xd3, 0xb5, 0x6b, 0x45,
        ],
    );
    /// Chromium's T050.
    pub const T050: Self = Self::new(
        Labels::V1,
        [
            0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4c, 0x43, 0xa2,
            0x36, 0x7c, 0x60, 0x48, 0x83, 0x10,
        ],
    );
    /// Chromium's T051.
    pub const T051: Self = Self::new(
        Labels::V1,
        [
            0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50, 0x6c, 0x19, 0x12, 0x4f,
            0xc8, 0xcc, 0xda, 0x6e, 0x03, 0x3d,
        ],
    );

    /// What is tried for a version that is not known: who forces a negotiation, or has a version of his own, uses the
    /// protection of some document all the same, with the packet types of version 1. The likeliest come first.
    pub const TRIED: [Self; 4] = [Self::V1, Self::DRAFT_29, Self::DRAFT_23, Self::DRAFT_22];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_the_salt_of_its_document() {
        for (version, suite) in [
            (0x0000_0001, Some(Suite::V1)),
            (0x6b33_43cf, Some(Suite::V2)),
            (0x709a_50c4, Some(Suite::V2_DRAFT)),
            (0xff02_0000, Some(Suite::V2_DRAFT_00)),
            (0xff00_0016, Some(Suite::DRAFT_22)),
            (0xff00_0017, Some(Suite::DRAFT_23)),
            (0xff00_001c, Some(Suite::DRAFT_23)),
            (0xff00_001d, Some(Suite::DRAFT_29)),
            (0xff00_0020, Some(Suite::DRAFT_29)),
            (0xff00_0021, Some(Suite::V1)),
            (0xff00_0022, Some(Suite::V1)),
            (0xff00_0023, None),
            (0xface_b002, Some(Suite::DRAFT_23)),
            (0x5430_3531, Some(Suite::T051)),
            (0x1a2a_3a4a, None),
        ] {
            assert_eq!(Version(version).suite(), suite, "{version:x}");
            assert!(Version(version).may_be_known() || suite.is_none());
        }
    }

    #[test]
    fn tells_googles_versions_by_their_letters() {
        assert!(Version::Q043.is_clear() && Version::Q046.is_clear());
        assert!(!Version::Q050.is_clear() && !Version(0x5430_3433).is_clear());
        assert_eq!(Version::T051.google(), Some(51));
        assert!(Version(0x1a2a_3a4a).is_reserved());
        assert!(!Version::V1.is_reserved());
        assert_eq!(Version::V1.to_string(), "0x00000001");
    }
}
