use super::*;

#[test]
fn buffers_no_text_however_long_it_claims_to_be() {
    let huge = [&[0xff; 4][..], &[b'a'; 3000]].concat();
    let messages = hear(&[s(BANNER), c(BANNER), s(&[0]), s(&huge)]);
    assert_eq!(
        messages.last(),
        Some(&Message::Rejected(Some(vec![b'a'; MAX_TEXT])))
    );
    let name = [&SERVER_INIT[..20], &huge].concat();
    let messages = hear(&[
        s(BANNER),
        c(BANNER),
        s(&[1, 1]),
        c(&[1]),
        s(OK),
        c(&[1]),
        s(&name),
    ]);
    let Some(Message::ServerInit(init)) = messages.iter().rev().nth(1) else {
        panic!("{messages:?}")
    };
    assert_eq!((init.name_length, init.name.len()), (u32::MAX, MAX_TEXT));
    let tunnels = [s(BANNER), c(BANNER), s(&[1, 16]), c(&[16]), s(&[0xff; 4])];
    assert_eq!(
        hear_in_pieces(&tunnels, 9).1,
        Some(Violation("too many Tight capabilities"))
    );
}

#[test]
fn hands_out_what_was_understood_before_the_fault() {
    let (messages, violation) = hear_in_pieces(&[s(BANNER), c(b"GET / HTTP/1.1\r\n")], 5);
    assert_eq!(messages.len(), 1);
    assert!(violation.is_some());
    let odd = [
        s(BANNER),
        c(BANNER),
        s(&[1, 2]),
        c(&[2]),
        s(CHALLENGE),
        c(RESPONSE),
        s(&[0, 9, 9, 9]),
    ];
    assert_eq!(
        hear_in_pieces(&odd, 3).1,
        Some(Violation("unknown security result"))
    );
    let many = [
        &[s(BANNER), c(BANNER)][..],
        &[s(&[1, 17]), c(&[17]), s(&[0xff; 4])].repeat(9),
    ]
    .concat();
    assert!(hear_in_pieces(&many, 3).1.is_some());
}

#[test]
fn keeps_the_laws_on_a_real_conversation() {
    // The head octet of each piece: its side and its length.
    let parts = [
        s(BANNER),
        c(BANNER),
        s(&[1, 2]),
        c(&[2]),
        s(CHALLENGE),
        c(RESPONSE),
        s(OK),
        c(&[1]),
        s(SERVER_INIT),
    ];
    let mut data = Vec::new();
    for (side, octets) in parts {
        data.push((octets.len() as u8) << 2 | u8::from(side == Side::Originator));
        data.extend_from_slice(octets);
    }
    crate::fuzzing::rfb(&data);
}

#[test]
fn keeps_no_secret() {
    let mut session = Session::new();
    for (side, octets) in [
        s(BANNER),
        c(BANNER),
        s(&[1, 2]),
        c(&[2]),
        s(CHALLENGE),
        c(RESPONSE),
        s(FAILED),
    ] {
        session.feed(side, octets, |_| {}).unwrap();
    }
    let shown = format!("{session:?}");
    assert!(
        !shown.contains("182, 57, 10") && !shown.contains("191, 38, 93"),
        "{shown}"
    );
}

#[test]
fn answers_the_same_however_an_opening_is_cut() {
    let mut name = b"ID:4711".to_vec();
    name.resize(260, 0);
    assert_same_however_cut(opening, &name[..250]);
    for input in [
        &b"RFB 003.008\n"[..],
        b"REP 000.000\n",
        b"RFB 3.8\n",
        b"ID:\0\0",
        b"IDENT x\r\n",
    ] {
        assert_same_however_cut(opening, input);
    }
    assert_same_however_cut(server_init, SERVER_INIT);
    assert_eq!(opening(b"R"), Step::NeedMore(11));
    assert!(matches!(opening(b"RTSP"), Step::NotThisProtocol(_)));
}

proptest! {
    #[test]
    fn writes_versions_as_it_reads_them(major in 0..1000u16, minor in 0..1000u16) {
        let line = format!("RFB {}\n", version(major, minor));
        prop_assert_eq!(protocol_version(line.as_bytes()), Step::Done(version(major, minor), 12));
    }

    #[test]
    fn survives_any_octets(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        crate::fuzzing::rfb(&octets);
    }

    #[test]
    fn survives_any_octets_after_a_greeting(
        kind in prop_oneof![Just(2u8), Just(5), Just(6), Just(16), Just(17), Just(18), Just(19), Just(20), Just(22), Just(30), any::<u8>()],
        octets in proptest::collection::vec(prop_oneof![0..4u8, any::<u8>()], 0..300),
    ) {
        let (list, choice) = ([1, kind], [kind]);
        let mut all = vec![s(BANNER), c(BANNER), s(&list), c(&choice)];
        all.extend(octets.chunks(9).enumerate().map(|(n, part)| if n % 2 == 0 { s(part) } else { c(part) }));
        hear_in_pieces(&all, 4);
    }

    #[test]
    fn writes_printable_texts(octets in proptest::collection::vec(any::<u8>(), 0..60)) {
        prop_assert!(!desktop_name(&octets).chars().any(char::is_control));
        prop_assert!(!printable(&octets).chars().any(char::is_control));
    }
}
