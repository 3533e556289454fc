//! See [`super`].

/// Frames of any link type: what is found lies inside the frame, the depth has its bound, and a packet that is put back as
/// if fragments of it had been gathered is taken apart the same way.
///
/// The first two octets are the link type.
///
/// # Panics
/// When a law is broken.
pub fn decap(data: &[u8]) {
    use crate::decap;
    use crate::link::{Layers, MAX_DEPTH};

    let Some((&[a, b], octets)) = data.split_first_chunk() else {
        return;
    };
    let link_type = u32::from(u16::from_be_bytes([a, b]));
    let Ok(here) = decap::frame(link_type, octets) else {
        return;
    };
    let within = octets.as_ptr_range();
    let payload = here.ip.payload.as_ptr_range();
    assert!(
        here.ip.payload.is_empty() || within.start <= payload.start && payload.end <= within.end,
        "a payload from elsewhere"
    );
    assert!(here.layers.depth <= MAX_DEPTH, "deeper than the bound");
    let _ = decap::transport(&here.ip);
    if here.ip.fragment.is_none()
        && let Ok(again) = decap::reassembled(Layers::default(), here.ip)
        && here.stopped.is_none()
        && here.layers.depth == 0
    {
        assert_eq!(again.ip, here.ip, "goes on where it had ended");
    }
}

#[cfg(test)]
mod decap_tests {
    use proptest::prelude::*;

    #[test]
    fn laws_hold_for_a_packet_in_a_packet() {
        let mut octets = vec![0, 101];
        octets.extend([0x45, 0, 0, 60, 0, 1, 0, 0, 64, 41, 0, 0]);
        octets.extend([10, 0, 0, 1, 10, 0, 0, 2]);
        octets.extend([0x60, 0, 0, 0, 0, 0, 59, 64]);
        octets.extend([0xfd; 32]);
        super::decap(&octets);
    }

    proptest! {
        #[test]
        fn laws_hold_for_random_octets(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            super::decap(&data);
        }

        #[test]
        fn laws_hold_for_random_ethernet(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            super::decap(&[&[0, 1], &data[..]].concat());
        }
    }
}
