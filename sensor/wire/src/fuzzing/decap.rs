//! See [`super`].

use crate::decap::{self, Decapsulated, Ends, Plain, Transport};

/// Frames of any link type: what is found lies inside the frame, the depth has its bound, a packet that is put back as if
/// fragments of it had been gathered is taken apart the same way, and what the quick way tells is what the whole one tells.
///
/// The first two octets are the link type.
///
/// # Panics
/// When a law is broken.
pub fn decap(data: &[u8]) {
    use crate::link::{Layers, MAX_DEPTH};

    let Some((&[a, b], octets)) = data.split_first_chunk() else {
        return;
    };
    let link_type = u32::from(u16::from_be_bytes([a, b]));
    let whole = decap::frame(link_type, octets);
    if let Some(quick) = quick(link_type, octets) {
        assert_eq!(Some(quick), whole.ok().and_then(|here| as_plain(&here)));
    }
    let Ok(here) = whole else {
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

/// What the quick way tells of a packet that is plain, but for the place of its payload; and the payload.
pub(crate) fn quick(link_type: u32, octets: &[u8]) -> Option<(Ends, Plain, &[u8])> {
    let mut plain = Plain::NOTHING;
    let ends = decap::plain_into(link_type, octets, &mut plain)?;
    let payload = plain.payload(octets);
    plain.payload_at = 0;
    Some((ends, plain, payload))
}

/// What the whole way tells of a packet that is plain, but for the place of its payload; and the payload.
pub(crate) fn as_plain<'a>(here: &Decapsulated<'a>) -> Option<(Ends, Plain, &'a [u8])> {
    let Decapsulated {
        layers,
        ip,
        stopped: None,
    } = here
    else {
        return None;
    };
    if layers.depth > 0 || layers.outer.is_some() || layers.vni.is_some() {
        return None;
    }
    if ip.fragment.is_some() || ip.authenticated {
        return None;
    }
    let mut plain = Plain {
        vlan: layers.vlan,
        met: layers.met,
        identification: ip.identification,
        total_len: ip.total_len,
        ..Plain::NOTHING
    };
    let (source_port, destination_port, payload) = match decap::transport(ip).ok()? {
        Transport::Tcp(segment) => {
            plain.payload_len = segment.payload_len;
            plain.seq = segment.seq;
            plain.ack = segment.ack;
            plain.flags = segment.flags;
            let ports = (segment.source_port, segment.destination_port);
            (ports.0, ports.1, segment.payload)
        }
        Transport::Udp(datagram) => {
            let ports = (datagram.source_port, datagram.destination_port);
            (ports.0, ports.1, datagram.payload)
        }
        Transport::Other(_) => return None,
    };
    plain.captured_len = u32::try_from(payload.len()).ok()?;
    let ends = Ends {
        source: (ip.source, source_port),
        destination: (ip.destination, destination_port),
        protocol: ip.protocol,
    };
    Some((ends, plain, payload))
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
