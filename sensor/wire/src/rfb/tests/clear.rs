use super::*;

#[test]
fn reads_a_session_with_vnc_authentication() {
    let messages = hear(&[
        s(BANNER),
        c(BANNER),
        s(&[1, 2]),
        c(&[2]),
        s(CHALLENGE),
        c(RESPONSE),
        s(OK),
        c(&[1]),
        s(SERVER_INIT),
    ]);
    let mut expected = after_3_8(&[
        Message::SecurityTypes(vec![SecurityType::VNC_AUTH]),
        Message::Chosen(SecurityType::VNC_AUTH),
        Message::Accepted,
    ]);
    expected.extend(session_follows());
    assert_eq!(messages, expected);
}

#[test]
fn waits_for_no_result_after_none_before_3_8() {
    for (banner, types) in [
        (b"RFB 003.003\n", &[0, 0, 0, 1][..]),
        (b"RFB 003.007\n", &[1, 1]),
    ] {
        let choice: &[u8] = if banner[10] == b'7' { &[1] } else { &[] };
        let messages = hear(&[
            s(banner),
            c(banner),
            s(types),
            c(choice),
            c(&[1]),
            s(SERVER_INIT),
        ]);
        assert!(!messages.contains(&Message::Accepted));
        assert!(messages.contains(&Message::Unauthenticated));
        assert!(messages.ends_with(&session_follows()), "{messages:?}");
    }
    let with_result = [
        s(BANNER),
        c(BANNER),
        s(&[1, 1]),
        c(&[1]),
        s(OK),
        c(&[1]),
        s(SERVER_INIT),
    ];
    assert!(hear(&with_result).contains(&Message::Accepted));
}

#[test]
fn bears_a_result_where_none_is_foreseen_and_none_where_one_is() {
    let old = b"RFB 003.003\n";
    let before = [
        s(old),
        c(old),
        s(&[0, 0, 0, 1]),
        s(OK),
        c(&[1]),
        s(SERVER_INIT),
    ];
    let after = [
        s(old),
        c(old),
        s(&[0, 0, 0, 1]),
        c(&[1]),
        s(OK),
        s(SERVER_INIT),
    ];
    let lacking = [
        s(BANNER),
        c(BANNER),
        s(&[1, 1]),
        c(&[1]),
        c(&[1]),
        s(SERVER_INIT),
    ];
    for conversation in [before, after, lacking] {
        let messages = hear(&conversation);
        assert_eq!(messages.last(), Some(&Message::Session), "{messages:?}");
        assert!(messages.contains(&web01()));
    }
}

#[test]
fn gives_a_reason_only_where_the_version_has_one() {
    let reason = [0, 0, 0, 5, b'w', b'r', b'o', b'n', b'g'];
    let new = [
        s(BANNER),
        c(BANNER),
        s(&[1, 2]),
        c(&[2]),
        s(CHALLENGE),
        c(RESPONSE),
        s(FAILED),
        s(&reason),
    ];
    assert_eq!(
        hear(&new).last(),
        Some(&Message::Refused(Some(b"wrong".to_vec())))
    );
    let without = &new[..7];
    assert_eq!(
        hear(without).last(),
        Some(&Message::Refused(None)),
        "Apple sends none"
    );
    let middle = b"RFB 003.007\n";
    let middle = [
        s(BANNER),
        c(middle),
        s(&[1, 2]),
        c(&[2]),
        s(CHALLENGE),
        c(RESPONSE),
        s(FAILED),
    ];
    assert_eq!(hear(&middle).last(), Some(&Message::Refused(None)));
    let old = b"RFB 003.003\n";
    let old = |result| {
        [
            s(old),
            c(old),
            s(&[0, 0, 0, 2]),
            s(CHALLENGE),
            c(RESPONSE),
            s(result),
            s(&reason),
        ]
    };
    assert_eq!(hear(&old(FAILED)).last(), Some(&Message::Refused(None)));
    // UltraVNC's 3 has a reason in every version.
    assert_eq!(
        hear(&old(&[0, 0, 0, 3])).last(),
        Some(&Message::Refused(Some(b"wrong".to_vec())))
    );
}

#[test]
fn reads_why_there_are_no_types() {
    let reason = [0, 0, 0, 4, b'b', b'u', b's', b'y'];
    let rejected = Message::Rejected(Some(b"busy".to_vec()));
    assert_eq!(
        hear(&[s(BANNER), c(BANNER), s(&[0]), s(&reason)]).last(),
        Some(&rejected)
    );
    assert_eq!(
        hear(&[s(BANNER), c(BANNER), s(&[0])]).last(),
        Some(&Message::Rejected(None))
    );
    // TigerVNC's black list: all at once, before and without an answer.
    let old = b"RFB 003.003\n";
    let messages = hear(&[s(old), s(&[0, 0, 0, 0]), s(&reason), c(old)]);
    let mut expected = greeting(version(3, 3), version(3, 3));
    expected.push(rejected.clone());
    assert_eq!(messages, expected);
    assert_eq!(
        hear(&[s(old), s(&[0, 0, 0, 0]), s(&reason)]).last(),
        Some(&rejected)
    );
}

#[test]
fn takes_the_lower_version_as_servers_do() {
    let flow = |major, minor| version(major, minor).flow();
    for minor in [3, 4, 5, 6, 14, 16, 130] {
        assert_eq!(flow(3, minor), Flow::V3_3, "3.{minor}");
    }
    assert_eq!(flow(3, 7), Flow::V3_7);
    for (major, minor) in [
        (3, 8),
        (3, 18),
        (3, 888),
        (3, 889),
        (4, 0),
        (4, 1),
        (5, 0),
        (103, 6),
    ] {
        assert_eq!(flow(major, minor), Flow::V3_8, "{major}.{minor}");
    }
    // A Mac at a Linux server: greeted with 3.8, answers 3.3.
    let messages = hear(&[
        s(BANNER),
        c(b"RFB 003.003\n"),
        s(&[0, 0, 0, 2]),
        s(CHALLENGE),
        c(RESPONSE),
        s(OK),
        c(&[1]),
        s(SERVER_INIT),
    ]);
    assert!(messages.ends_with(&session_follows()));
    // A client of 3.3 at a server that lists all the same.
    let stubborn = [
        s(BANNER),
        c(b"RFB 003.003\n"),
        s(&[2, 2, 16]),
        c(&[2]),
        s(CHALLENGE),
    ];
    assert!(hear(&stubborn).contains(&Message::Chosen(SecurityType::VNC_AUTH)));
    // A type that was not offered.
    let wilful = [
        s(BANNER),
        c(BANNER),
        s(&[1, 2]),
        c(&[1]),
        s(OK),
        c(&[1]),
        s(SERVER_INIT),
    ];
    assert!(hear(&wilful).contains(&Message::Unauthenticated));
}

#[test]
fn takes_who_greets_first_for_the_server() {
    let reverse = [
        c(BANNER),
        s(BANNER),
        c(&[1, 1]),
        s(&[1]),
        c(OK),
        s(&[1]),
        c(SERVER_INIT),
    ];
    let messages = hear(&reverse);
    assert_eq!(
        messages[0],
        Message::ServerVersion {
            version: version(3, 8),
            server: Side::Originator
        }
    );
    assert!(messages.ends_with(&session_follows()));
}

#[test]
fn reads_diffie_hellman_of_apple() {
    let apple = b"RFB 003.889\n";
    let question = [&[0, 2, 0, 0x80][..], &[7; 256]].concat();
    let name = [&SERVER_INIT[..20], &[0, 0, 0, 3, 0, 0xbf, b'M']].concat();
    let messages = hear(&[
        s(apple),
        c(apple),
        s(&[4, 0x1e, 0x21, 0x24, 0x23]),
        c(&[0x1e]),
        s(&question),
        c(&[9; 128]),
        c(&[9; 128]),
        s(OK),
        c(&[0xc1]),
        s(&name),
    ]);
    assert_eq!(messages.last(), Some(&Message::Session));
    let mut clues = Clues::default();
    messages.iter().for_each(|message| clues.learn(message));
    assert_eq!(software(&clues), Some("macos"));
}

#[test]
fn reads_sasl_in_two_steps() {
    let mechanisms = [&[0, 0, 0, 11][..], b"DIGEST-MD5,"].concat();
    let mechanism = [&[0, 0, 0, 10][..], b"DIGEST-MD5"].concat();
    let messages = hear(&[
        s(BANNER),
        c(BANNER),
        s(&[1, 20]),
        c(&[20]),
        s(&mechanisms),
        c(&mechanism),
        c(&[0, 0, 0, 0]),
        s(&[0, 0, 0, 3, 1, 2, 3, 0]),
        c(&[0, 0, 0, 2, 9, 9]),
        s(&[0, 0, 0, 0, 1]),
        s(OK),
        c(&[1]),
        s(SERVER_INIT),
    ]);
    assert!(messages.ends_with(&session_follows()), "{messages:?}");
}

#[test]
fn skips_user_and_target_of_xvp() {
    let messages = hear(&[
        s(BANNER),
        c(BANNER),
        s(&[1, 22]),
        c(&[22]),
        c(&[2, 3, b'u', b's', b'v', b'm', b'1']),
        s(CHALLENGE),
        c(RESPONSE),
        s(OK),
        c(&[1]),
        s(SERVER_INIT),
    ]);
    assert!(messages.ends_with(&session_follows()));
}

#[test]
fn believes_a_session_whose_desktop_is_encrypted() {
    // SASL with a security layer: lengths of four octets, then ciphertext.
    let sealed = [0, 0, 0, 40, 0x9c, 0x11, 0x52, 0xe0];
    let messages = hear(&[
        s(BANNER),
        c(BANNER),
        s(&[1, 20]),
        c(&[20]),
        s(&[0, 0, 0, 6, b'G', b'S', b'S', b'A', b'P', b'I']),
        c(&[0, 0, 0, 6, b'G', b'S', b'S', b'A', b'P', b'I']),
        c(&[0, 0, 0, 1, 5]),
        s(&[0, 0, 0, 0, 1]),
        s(OK),
        c(&sealed),
        s(&sealed),
    ]);
    assert_eq!(messages.last(), Some(&Message::Session));
    assert!(!messages.iter().any(|m| matches!(m, Message::ServerInit(_))));
}
