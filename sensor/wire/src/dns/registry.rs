//! The registries of IANA ("Domain Name System (DNS) Parameters"): types, classes, response codes.

use std::fmt;

/// A type of the DNS registry. Writes itself by its mnemonic, else as `TYPE<n>` (RFC 3597, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TypeName(pub u16);

impl TypeName {
    /// An IPv4 address (RFC 1035).
    pub const A: Self = Self(1);
    /// A name server (RFC 1035).
    pub const NS: Self = Self(2);
    /// The name that this one stands for (RFC 1035).
    pub const CNAME: Self = Self(5);
    /// Start of a zone of authority (RFC 1035).
    pub const SOA: Self = Self(6);
    /// Any octets (RFC 1035).
    pub const NULL: Self = Self(10);
    /// A pointer to another name (RFC 1035).
    pub const PTR: Self = Self(12);
    /// A mail exchange (RFC 1035).
    pub const MX: Self = Self(15);
    /// Character strings (RFC 1035).
    pub const TXT: Self = Self(16);
    /// An IPv6 address (RFC 3596).
    pub const AAAA: Self = Self(28);
    /// The host and port of a service (RFC 2782).
    pub const SRV: Self = Self(33);
    /// The subtree that this one stands for (RFC 6672).
    pub const DNAME: Self = Self(39);
    /// EDNS: no data but a longer header (RFC 6891).
    pub const OPT: Self = Self(41);
    /// A public key of a zone (RFC 4034).
    pub const DNSKEY: Self = Self(48);
    /// How to reach a service (RFC 9460).
    pub const SVCB: Self = Self(64);
    /// How to reach a web site (RFC 9460).
    pub const HTTPS: Self = Self(65);
    /// Question only: the changes of a zone (RFC 1995).
    pub const IXFR: Self = Self(251);
    /// Question only: a whole zone (RFC 5936).
    pub const AXFR: Self = Self(252);
    /// Question only: every type (RFC 8482), `*` in the registry.
    pub const ANY: Self = Self(255);

    /// The mnemonic, where the registry has one. `*` is written `ANY`, as all tools do.
    #[must_use]
    pub fn mnemonic(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "A",
            2 => "NS",
            3 => "MD",
            4 => "MF",
            5 => "CNAME",
            6 => "SOA",
            7 => "MB",
            8 => "MG",
            9 => "MR",
            10 => "NULL",
            11 => "WKS",
            12 => "PTR",
            13 => "HINFO",
            14 => "MINFO",
            15 => "MX",
            16 => "TXT",
            17 => "RP",
            18 => "AFSDB",
            19 => "X25",
            20 => "ISDN",
            21 => "RT",
            22 => "NSAP",
            23 => "NSAP-PTR",
            24 => "SIG",
            25 => "KEY",
            26 => "PX",
            27 => "GPOS",
            28 => "AAAA",
            29 => "LOC",
            30 => "NXT",
            31 => "EID",
            32 => "NIMLOC",
            33 => "SRV",
            34 => "ATMA",
            35 => "NAPTR",
            36 => "KX",
            37 => "CERT",
            38 => "A6",
            39 => "DNAME",
            40 => "SINK",
            41 => "OPT",
            42 => "APL",
            43 => "DS",
            44 => "SSHFP",
            45 => "IPSECKEY",
            46 => "RRSIG",
            47 => "NSEC",
            48 => "DNSKEY",
            49 => "DHCID",
            50 => "NSEC3",
            51 => "NSEC3PARAM",
            52 => "TLSA",
            53 => "SMIMEA",
            55 => "HIP",
            56 => "NINFO",
            57 => "RKEY",
            58 => "TALINK",
            59 => "CDS",
            60 => "CDNSKEY",
            61 => "OPENPGPKEY",
            62 => "CSYNC",
            63 => "ZONEMD",
            64 => "SVCB",
            65 => "HTTPS",
            66 => "DSYNC",
            67 => "HHIT",
            68 => "BRID",
            99 => "SPF",
            100 => "UINFO",
            101 => "UID",
            102 => "GID",
            103 => "UNSPEC",
            104 => "NID",
            105 => "L32",
            106 => "L64",
            107 => "LP",
            108 => "EUI48",
            109 => "EUI64",
            128 => "NXNAME",
            249 => "TKEY",
            250 => "TSIG",
            251 => "IXFR",
            252 => "AXFR",
            253 => "MAILB",
            254 => "MAILA",
            255 => "ANY",
            256 => "URI",
            257 => "CAA",
            258 => "AVC",
            259 => "DOA",
            260 => "AMTRELAY",
            261 => "RESINFO",
            262 => "WALLET",
            263 => "CLA",
            264 => "IPN",
            32768 => "TA",
            32769 => "DLV",
            _ => return None,
        })
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(mnemonic) => f.write_str(mnemonic),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

/// A response code of the DNS registry, with the upper octet of EDNS (RFC 6891, section 6.1.3). Writes itself by its
/// mnemonic, else as `RCODE<n>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RcodeName(pub u16);

impl RcodeName {
    /// The mnemonic in capitals, where the registry has one. 16 is `BADVERS`: its other meaning, `BADSIG`, stands in TSIG
    /// records only.
    #[must_use]
    pub fn mnemonic(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "NOERROR",
            1 => "FORMERR",
            2 => "SERVFAIL",
            3 => "NXDOMAIN",
            4 => "NOTIMP",
            5 => "REFUSED",
            6 => "YXDOMAIN",
            7 => "YXRRSET",
            8 => "NXRRSET",
            9 => "NOTAUTH",
            10 => "NOTZONE",
            11 => "DSOTYPENI",
            16 => "BADVERS",
            17 => "BADKEY",
            18 => "BADTIME",
            19 => "BADMODE",
            20 => "BADNAME",
            21 => "BADALG",
            22 => "BADTRUNC",
            23 => "BADCOOKIE",
            _ => return None,
        })
    }
}

impl fmt::Display for RcodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(mnemonic) => f.write_str(mnemonic),
            None => write!(f, "RCODE{}", self.0),
        }
    }
}

/// A class of the DNS registry. In multicast DNS its highest bit has a meaning of its own (RFC 6762, sections 5.4 and
/// 10.2): [`Class::without_multicast_bit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Class(pub u16);

impl Class {
    /// Belongs to no message.
    pub const RESERVED: Self = Self(0);
    /// The internet.
    pub const IN: Self = Self(1);
    /// Chaos: servers tell their version there.
    pub const CH: Self = Self(3);
    /// In updates only (RFC 2136).
    pub const NONE: Self = Self(254);
    /// Question only: every class.
    pub const ANY: Self = Self(255);

    /// The class without the bit that multicast DNS uses for "answer by unicast" and "flush the cache".
    #[must_use]
    pub fn without_multicast_bit(self) -> Self {
        Self(self.0 & 0x7fff)
    }

    /// Whether the registry has it, the multicast bit set or not.
    #[must_use]
    pub fn is_registered(self) -> bool {
        matches!(self.0 & 0x7fff, 1..=4 | 254 | 255)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_mnemonics_and_numbers() {
        let text = |number| TypeName(number).to_string();
        assert_eq!(text(1), "A");
        assert_eq!(text(10), "NULL");
        assert_eq!(text(65), "HTTPS");
        assert_eq!(text(255), "ANY");
        assert_eq!(text(65399), "TYPE65399");
        assert_eq!(text(54), "TYPE54");
        let text = |number| RcodeName(number).to_string();
        assert_eq!(text(3), "NXDOMAIN");
        assert_eq!(text(23), "BADCOOKIE");
        assert_eq!(text(12), "RCODE12");
        assert_eq!(text(4095), "RCODE4095");
    }

    #[test]
    fn no_mnemonic_stands_for_two_numbers() {
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..=u16::MAX {
            if let Some(mnemonic) = TypeName(number).mnemonic() {
                assert!(seen.insert(mnemonic), "{mnemonic} twice");
            }
        }
    }
}
