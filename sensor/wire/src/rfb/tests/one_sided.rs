use super::*;

#[test]
fn reads_a_session_from_the_server_alone() {
    let messages = hear(&[s(BANNER), s(&[1, 2]), s(CHALLENGE), s(OK), s(SERVER_INIT)]);
    assert_eq!(
        messages,
        [
            Message::ServerVersion {
                version: version(3, 8),
                server: Side::Responder
            },
            Message::SecurityTypes(vec![SecurityType::VNC_AUTH]),
            Message::Chosen(SecurityType::VNC_AUTH),
            Message::Accepted,
            web01(),
            Message::Session,
        ]
    );
    // The unseen client may have asked for less than was offered.
    let lower = [
        s(BANNER),
        s(&[0, 0, 0, 2]),
        s(CHALLENGE),
        s(OK),
        s(SERVER_INIT),
    ];
    assert_eq!(hear(&lower).last(), Some(&Message::Session));
}

#[test]
fn reads_a_session_from_the_client_alone() {
    let messages = hear(&[
        c(BANNER),
        c(&[2]),
        c(RESPONSE),
        c(&[1]),
        c(SET_PIXEL_FORMAT),
    ]);
    assert!(messages.contains(&Message::RolesSwapped {
        server: Side::Responder,
        server_version: None,
        client_version: Some(version(3, 8)),
    }));
    assert!(messages.contains(&Message::Chosen(SecurityType::VNC_AUTH)));
    assert_eq!(messages.last(), Some(&Message::Session));
    // In 3.3 the client chooses nothing.
    let old = [c(b"RFB 003.003\n"), c(RESPONSE), c(&[1]), c(UPDATE_REQUEST)];
    assert!(hear(&old).contains(&Message::Chosen(SecurityType::VNC_AUTH)));
    let none = [
        c(b"RFB 003.003\n"),
        c(&[1]),
        c(UPDATE_REQUEST),
        c(UPDATE_REQUEST),
    ];
    assert!(hear(&none).contains(&Message::Unauthenticated));
}

#[test]
fn a_responder_that_greets_alone_is_never_the_client() {
    // VeNCrypt: one type, version 0.2, accepted, the sub-types X509Vnc and TLSVnc, accepted, then records of TLS.
    let mut hello = vec![0x16, 3, 3, 0, 122];
    hello.resize(127, 1);
    let server = [
        s(BANNER),
        s(&[1, 19]),
        s(&[0, 2]),
        s(&[0, 2, 0, 0, 1, 5, 0, 0, 1, 2]),
        s(&[1]),
        s(&hello),
    ];
    let messages = hear(&server);
    assert!(!messages.contains(&Message::Session));
    let is_swap = |message: &Message| matches!(message, Message::RolesSwapped { .. });
    assert!(!messages.iter().any(is_swap));
}

#[test]
fn is_no_session_for_an_attempt() {
    for attempt in [
        &[s(BANNER), s(&[1, 2]), s(CHALLENGE), s(FAILED)][..],
        &[c(BANNER), c(&[2]), c(RESPONSE)],
        &[s(BANNER), s(&[2, 2, 16])],
        &[s(BANNER)],
    ] {
        assert!(!hear(attempt).contains(&Message::Session));
    }
}

#[test]
fn finds_its_roles_when_the_greeting_was_missed() {
    let messages = hear(&[
        c(BANNER),
        s(&[1, 1]),
        c(&[1]),
        s(OK),
        c(&[1]),
        s(SERVER_INIT),
    ]);
    assert!(messages.ends_with(&session_follows()));
    // Delivered the wrong way round.
    let messages = hear(&[
        c(BANNER),
        s(b"RFB 003.889\n"),
        s(&[1, 1]),
        c(&[1]),
        s(OK),
        c(&[1]),
        s(SERVER_INIT),
    ]);
    assert!(messages.contains(&Message::RolesSwapped {
        server: Side::Responder,
        server_version: Some(version(3, 889)),
        client_version: Some(version(3, 8)),
    }));
    assert!(messages.ends_with(&session_follows()));
}

#[test]
fn goes_on_after_a_gap() {
    let mut session = Session::new();
    let mut messages = Vec::new();
    let mut feed = |session: &mut Session, (side, octets): (Side, &[u8])| {
        session
            .feed(side, octets, |message| messages.push(message))
            .unwrap()
    };
    for part in [s(BANNER), c(BANNER), s(&[1, 2]), c(&[2])] {
        feed(&mut session, part);
    }
    // The challenge, which nobody wanted; then the result and all after it.
    session.gap(Side::Responder, 16);
    feed(&mut session, c(RESPONSE));
    session.gap(Side::Responder, 4000);
    feed(&mut session, c(&[1]));
    feed(&mut session, s(&[1, 2, 3]));
    feed(&mut session, c(SET_PIXEL_FORMAT));
    assert!(session.is_finished());
    assert_eq!(messages.last(), Some(&Message::Session));
}

#[test]
fn does_not_wait_for_ever() {
    let update = [0; 5000];
    let missed = [
        s(BANNER),
        c(BANNER),
        s(&[1, 2]),
        c(&[2]),
        s(CHALLENGE),
        c(RESPONSE),
        s(OK),
    ];
    let messages = hear(&[&missed[..], &[s(SERVER_INIT), s(&update)]].concat());
    assert_eq!(messages.last(), Some(&Message::Session));
}
