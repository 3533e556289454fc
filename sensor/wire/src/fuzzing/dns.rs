//! See [`super`].

/// A DNS message, and a TCP connection that carries it: the walk ends within the octets, names keep their limits and
/// survive a round trip, and a connection gives the same messages whole and in two pieces.
pub fn dns(data: &[u8]) {
    use crate::dns::{Ending, Manner, Message, Name, Session, datagram, message, stream};
    use crate::{Side, Step};

    fn check_name(name: &Name<'_>) {
        let wire = name.to_wire();
        assert!(wire.len() <= Name::MAX);
        assert_eq!(Name::from_wire(&wire).as_ref(), Some(name));
        let text = name.to_string();
        assert!(text.bytes().all(|octet| octet.is_ascii_graphic()));
        assert!(text.len() <= 4 * Name::MAX);
    }

    fn check_message(message: &Message<'_>) {
        let length = message.octets().len();
        let mut walk = message.walk();
        let mut entries = 0;
        while let Some(question) = walk.question() {
            check_name(&question.name);
            entries += 1;
        }
        while let Some(record) = walk.record() {
            check_name(&record.owner);
            // Taken apart and printed, whatever it is.
            assert!(!format!("{:?}", record.data()).is_empty());
            entries += 1;
        }
        assert!(
            entries <= length / 5 + 1,
            "more entries than octets can hold"
        );
        match walk.ending() {
            Ending::UnderWay => panic!("a walk without an end"),
            Ending::Whole(used) => assert!(used <= length),
            Ending::Cut | Ending::Fault(_) => {}
        }
        assert!(message.rcode().0 < 1 << 12);
    }

    if let Step::Done(message, used) = message(data) {
        assert!(used <= data.len());
        check_message(&message);
    }
    // What convinces on any port convinces on the ports of DNS.
    assert!(!datagram(data, Manner::Strict) || datagram(data, Manner::Lenient));
    let _ = stream(data, Manner::Strict);

    let read = |pieces: [&[u8]; 2]| {
        let mut session = Session::default();
        let mut found = Vec::new();
        let mut kept = Vec::new();
        for piece in pieces {
            kept.extend_from_slice(piece);
            let Ok(used) = session.feed(Side::Originator, &kept, |message| {
                check_message(&message);
                found.push((message.header, message.octets().len()));
            }) else {
                break;
            };
            assert!(used <= kept.len());
            kept.drain(..used);
        }
        found
    };
    let (head, tail) = data.split_at(data.len() / 2);
    assert_eq!(read([data, &[]]), read([head, tail]));
}
