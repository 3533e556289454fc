use super::*;

const CONTINUE: &[u8] = &[0xff, 0xff, 0xff, 0xff];

#[test]
fn follows_continue_into_the_next_round() {
    let messages = hear(&[
        s(BANNER),
        c(BANNER),
        s(&[2, 17, 113]),
        c(&[17]),
        s(CONTINUE),
        s(&[1, 113]),
        c(&[113]),
        s(&[5; 24]),
        c(&[6; 8 + 256 + 64]),
        s(OK),
        c(&[1]),
        s(SERVER_INIT),
    ]);
    assert!(messages.contains(&Message::Chosen(SecurityType::ULTRA)));
    assert!(messages.contains(&Message::ChosenInside(SecurityType::MS_LOGON_2)));
    assert!(messages.ends_with(&session_follows()));
}

#[test]
fn skips_the_question_of_single_click() {
    for banner in [b"RFB 003.014\n", b"RFB 003.016\n"] {
        let messages = hear(&[
            s(banner),
            c(banner),
            s(&[3, 0, 0, 0, b'p', b'c', b'7']),
            c(&[1, 0, 0, 0]),
            s(&[0xff, 0xff, 0xff, 0xfa]),
            s(&[5; 24]),
            c(&[6; 328]),
            s(OK),
            c(&[1]),
            s(SERVER_INIT),
        ]);
        assert!(messages.contains(&Message::Chosen(SecurityType::MS_LOGON_LEGACY)));
        assert!(messages.ends_with(&session_follows()), "{messages:?}");
    }
    // 3.18 is 3.8 with the question; some ask as a security type instead.
    let banner = b"RFB 003.018\n";
    let asked = [
        s(banner),
        c(banner),
        s(&[1, 0, 0, 0, b'?']),
        c(&[1, 0, 0, 0]),
        s(&[1, 2]),
        c(&[2]),
    ];
    assert!(hear(&asked).contains(&Message::Chosen(SecurityType::VNC_AUTH)));
    let silent = [
        s(banner),
        c(banner),
        s(&[1, 104]),
        c(&[104]),
        s(&[1, 0, 0, 0, b'?']),
        c(&[0; 4]),
        s(FAILED),
    ];
    assert_eq!(hear(&silent).last(), Some(&Message::Refused(None)));
}

#[test]
fn begins_anew_behind_a_repeater() {
    let mut target = b"ID:4711".to_vec();
    target.resize(250, 0);
    let messages = hear(&[
        s(b"RFB 000.000\n"),
        c(&target),
        s(BANNER),
        c(BANNER),
        s(&[1, 1]),
        c(&[1]),
        s(OK),
        c(&[1]),
        s(SERVER_INIT),
    ]);
    assert_eq!(messages[0], Message::Repeater);
    assert!(messages.ends_with(&session_follows()));
    let mut clues = Clues::default();
    messages.iter().for_each(|message| clues.learn(message));
    assert_eq!(software(&clues), Some("ultravnc-repeater"));
}

#[test]
fn waits_with_a_server_at_a_repeater() {
    let mut name = b"ID:4711".to_vec();
    name.resize(250, 0);
    let alive = b"REP 000.000\n";
    let messages = hear(&[
        c(&name),
        s(alive),
        s(alive),
        c(BANNER),
        s(BANNER),
        c(&[1, 1]),
        s(&[1]),
    ]);
    assert!(messages.contains(&Message::ServerVersion {
        version: version(3, 8),
        server: Side::Originator,
    }));
    assert!(messages.contains(&Message::Unauthenticated));
}
