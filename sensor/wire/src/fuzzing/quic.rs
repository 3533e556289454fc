//! See [`super`].

/// QUIC: packets lie inside their datagram, a hello is told no more often than its packets allow, and datagrams that
/// were seen before tell nothing new.
pub fn quic(data: &[u8]) {
    use crate::quic::{CryptoStream, Extent, MAX_HANDSHAKE, MAX_PACKETS};
    use crate::quic::{Event, Hello, Session, begins, chlo, crypto_frames, google_frames, packets};
    use crate::tls::Ja4Transport;
    use crate::{Side, Step};

    let _ = begins(data);
    assert!(packets(data).count() <= MAX_PACKETS);
    let mut stream = CryptoStream::default();
    for frame in crypto_frames(data, Extent::Cut).chain(google_frames(data, 46)) {
        assert!(frame.octets.len() <= data.len());
        stream.add(frame.offset, frame.octets);
        assert!(stream.start().len() <= stream.kept() && stream.kept() <= MAX_HANDSHAKE);
    }
    if let Step::Done(_, used) = chlo(data) {
        assert!(used <= data.len());
    }
    // The first octet says how long datagrams are, in units of 16 octets.
    let Some((&size, octets)) = data.split_first() else {
        return;
    };
    let size = (usize::from(size) * 16).max(1);
    let mut session = Session::default();
    let told = |session: &mut Session| {
        let mut hellos = 0;
        for datagram in octets.chunks(size) {
            let _ = session.datagram(Side::Originator, datagram, |event| {
                if let Event::Hello { hello, .. } = event {
                    hellos += 1;
                    if let Hello::Tls(hello) = hello {
                        assert_eq!(hello.ja4(Ja4Transport::Quic).len(), 36);
                    }
                }
            });
        }
        hellos
    };
    let first: usize = told(&mut session);
    assert!(first <= octets.chunks(size).len() * MAX_PACKETS);
    // With few packets nothing is left to wait for, and nothing is forgotten.
    if octets.len() <= size && first == 1 {
        assert_eq!(told(&mut session), 0);
    }
    session.end(|_| {});
}

#[cfg(test)]
mod quic_tests {
    use proptest::prelude::*;

    use crate::quic::{Version, samples};

    const ID: &[u8] = &[7; 8];

    fn datagram(frames: &[u8]) -> Vec<u8> {
        let datagram = samples::initial(Version::V1, ID, [ID, &[]], 0, frames);
        [&[75], &datagram[..]].concat()
    }

    #[test]
    fn quic_holds_for_real_packets() {
        let hello = samples::hello("a.example");
        let frames = [
            samples::crypto(200, hello.get(200..).unwrap()),
            samples::crypto(0, hello.get(..200).unwrap()),
        ]
        .concat();
        super::quic(&datagram(&frames));
        super::quic(&frames);
        let chlo = samples::chlo("a.example", "Chrome/70");
        super::quic(&chlo);
        let clear = samples::clear_packet(*b"Q046", 0xc3, &[&[0x80, 1][..], &chlo].concat());
        super::quic(&[&[0xff], &clear[..]].concat());
    }

    proptest! {
        #[test]
        fn quic_holds_for_random_octets(data in prop::collection::vec(any::<u8>(), 0..300)) {
            super::quic(&data);
        }

        /// Random frames under a good seal get further than random packets.
        #[test]
        fn quic_holds_for_random_frames(frames in prop::collection::vec(0_u8..12, 0..300)) {
            super::quic(&datagram(&frames));
            super::quic(&frames);
        }

        #[test]
        fn quic_holds_for_changed_hellos(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut hello = samples::hello("a.example");
            for (place, value) in changes {
                let place = place.index(hello.len());
                hello[place] = value;
            }
            super::quic(&datagram(&samples::crypto(0, &hello)));
        }
    }
}
