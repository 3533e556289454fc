//! Products by the identities that they send. Most identities are hashes of a text that the vendor chose.

/// The product that a vendor's identity names; `None` for what is not known, and for identities of mere features (dead
/// peer detection, NAT traversal), which all products send.
#[must_use]
pub fn vendor(identity: &[u8]) -> Option<&'static str> {
    KNOWN
        .iter()
        .find(|(start, _)| identity.starts_with(start))
        .map(|&(_, name)| name)
}

/// Starts of identities: a version may follow. The names in letters explain themselves; the hashes are in the sources of
/// strongSwan (`src/libcharon/sa/ikev1/tasks/isakmp_vendor.c`) and ike-scan (`ike-vendor-ids`).
const KNOWN: &[(&[u8], &str)] = &[
    (
        &[
            0x88, 0x2f, 0xe5, 0x6d, 0x6f, 0xd2, 0x0d, 0xbc, 0x22, 0x51, 0x61, 0x3b, 0x2e, 0xbe,
            0x5b, 0xeb,
        ],
        "strongSwan",
    ),
    (b"strongSwan", "strongSwan"),
    (b"OE-Libreswan", "Libreswan"),
    (
        &[
            0x12, 0xf5, 0xf2, 0x8c, 0x45, 0x71, 0x68, 0xa9, 0x70, 0x2d, 0x9f, 0xe2, 0x74, 0xcc,
        ],
        "Cisco Unity",
    ),
    (b"CISCO-DELETE-REASON", "Cisco"),
    (b"CISCOVPN-REV-02", "Cisco"),
    (b"CISCO-DYNAMIC-ROUTE", "Cisco"),
    (b"FLEXVPN-SUPPORTED", "Cisco"),
    (
        &[
            0x1e, 0x2b, 0x51, 0x69, 0x05, 0x99, 0x1c, 0x7d, 0x7c, 0x96, 0xfc, 0xbf, 0xb5, 0x87,
            0xe4, 0x61,
        ],
        "Microsoft",
    ),
    (
        &[
            0x82, 0x99, 0x03, 0x17, 0x57, 0xa3, 0x60, 0x82, 0xc6, 0xa6, 0x21, 0xde,
        ],
        "FortiGate",
    ),
    (
        &[
            0x4c, 0x53, 0x42, 0x7b, 0x6d, 0x46, 0x5d, 0x1b, 0x33, 0x7b, 0xb7, 0x55, 0xa3, 0x7a,
            0x7f, 0xef,
        ],
        "FortiClient",
    ),
    (
        &[
            0xf4, 0xed, 0x19, 0xe0, 0xc1, 0x14, 0xeb, 0x51, 0x6f, 0xaa, 0xac, 0x0e, 0xe3, 0x7d,
            0xaf, 0x28,
        ],
        "Check Point",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_may_carry_a_version() {
        let mut unity = super::super::message::samples::STRONGSWAN.to_vec();
        assert_eq!(vendor(&unity), Some("strongSwan"));
        unity.extend([1, 2]);
        assert_eq!(vendor(&unity), Some("strongSwan"));
        assert_eq!(vendor(b"FLEXVPN-SUPPORTED"), Some("Cisco"));
        assert_eq!(vendor(b""), None);
    }
}
