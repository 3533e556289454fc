//! See [`super`].

/// RDP-UDP: a packet carries less than its datagram, and what is handed out in order is what was given, once.
pub fn rdpudp(data: &[u8]) {
    use crate::rdpudp::{Data, Ordered, packet, packet_of_version_3, syn};

    if let Some(found) = syn(data) {
        assert!(found.answers || found.acknowledged == u32::MAX);
        assert!(found.mtu.iter().all(|mtu| (1132..=1232).contains(mtu)));
    }
    for found in [packet(data), packet_of_version_3(data)]
        .into_iter()
        .flatten()
    {
        assert!(found.octets.len() < data.len());
    }
    // Each octet is a packet's number, close to the first one.
    for narrow in [false, true] {
        let mut ordered = if narrow {
            Ordered::of_version_3()
        } else {
            Ordered::behind(u32::MAX)
        };
        let mut told: Vec<u8> = Vec::new();
        for number in data {
            let data = Data {
                number: u32::from(*number),
                octets: std::slice::from_ref(number).into(),
            };
            ordered.add(
                &data,
                |octets| octets == [0],
                |octets| told.extend_from_slice(octets),
            );
        }
        let wanted: Vec<u8> = (0..=u8::MAX).take(told.len()).collect();
        assert_eq!(told, wanted);
    }
}

#[cfg(test)]
mod rdpudp_tests {
    use proptest::prelude::*;

    #[test]
    fn rdpudp_holds_for_a_real_syn() {
        let mut octets = vec![0xff, 0xff, 0xff, 0xff, 0, 0x40, 0, 1, 1, 2, 3, 4];
        octets.extend([4, 0xd0, 4, 0xd0]);
        octets.resize(1232, 0);
        super::rdpudp(&octets);
    }

    proptest! {
        #[test]
        fn rdpudp_holds_for_random_octets(data in prop::collection::vec(any::<u8>(), 0..100)) {
            super::rdpudp(&data);
        }

        #[test]
        fn rdpudp_holds_for_close_numbers(data in prop::collection::vec(0_u8..12, 0..60)) {
            super::rdpudp(&data);
        }
    }
}
