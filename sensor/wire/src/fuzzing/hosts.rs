//! See [`super`].

/// DHCP and NetBIOS: a message that is read is read to its end, and what is kept has its bounds.
///
/// # Panics
/// When a law is broken.
pub fn hosts(data: &[u8]) {
    use crate::{Step, dhcp, netbios};

    if let Step::Done(message, used) = dhcp::message(data) {
        assert_eq!(used, data.len(), "a datagram is one message");
        let name = message.domain_name.as_deref().unwrap_or_default();
        assert!(name.len() <= dhcp::MAX_NAME, "a name too long");
    }
    if let Step::Done(message, used) = netbios::name_message(data) {
        assert_eq!(used, data.len(), "a datagram is one message");
        assert!(
            message.owners.len() <= netbios::MAX_NAMES,
            "too many owners"
        );
    }
    if let Step::Done(datagram, _) = netbios::datagram(data) {
        assert!(datagram.source.as_octets().len() < 16, "a name too long");
    }
}

#[cfg(test)]
mod hosts_tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn laws_hold_for_random_octets(data in proptest::collection::vec(any::<u8>(), 0..400)) {
            super::hosts(&data);
        }
    }
}
