use super::*;

/// A record of TLS with so many octets inside.
fn record(kind: u8, length: usize) -> Vec<u8> {
    let head = [kind, 3, 3, (length >> 8) as u8, length as u8];
    [&head[..], &vec![0xaa; length]].concat()
}

/// A ServerHello, of TLS 1.3 if so.
fn server_hello(is_13: bool) -> Vec<u8> {
    let extension: &[u8] = match is_13 {
        true => &[0, 6, 0, 43, 0, 2, 3, 4],
        false => &[0, 4, 0xff, 1, 0, 0],
    };
    let body = [&[3, 3][..], &[7; 32], &[0], &[0x13, 0x02, 0], extension].concat();
    let head = [22, 3, 3, 0, body.len() as u8 + 4, 2, 0, 0, body.len() as u8];
    [&head[..], &body].concat()
}

/// VeNCrypt up to TLS, then the parts given.
fn vencrypt(kind: VencryptType, parts: &[(Side, Vec<u8>)]) -> Vec<Message> {
    let kind = kind.0.to_be_bytes();
    let offer = [&[0, 1][..], &kind].concat();
    let mut all = vec![
        s(BANNER),
        c(BANNER),
        s(&[1, 19]),
        c(&[19]),
        s(&[0, 2]),
        c(&[0, 2]),
    ];
    all.extend([s(&offer), c(&kind), s(&[1])]);
    all.extend(
        parts
            .iter()
            .map(|(side, octets)| (*side, octets.as_slice())),
    );
    hear(&all)
}

fn server(octets: Vec<u8>) -> (Side, Vec<u8>) {
    (Side::Responder, octets)
}

fn client(octets: Vec<u8>) -> (Side, Vec<u8>) {
    (Side::Originator, octets)
}

/// The handshake of TLS 1.2 and of 1.3, each with what looks like data but is none.
fn handshake(is_13: bool) -> Vec<(Side, Vec<u8>)> {
    let mut parts = vec![client(record(22, 200)), server(server_hello(is_13))];
    if is_13 {
        // Encrypted extensions, certificate, Finished; the client's; two tickets.
        parts.extend([
            server(record(23, 1200)),
            client(record(20, 1)),
            client(record(23, 69)),
        ]);
        parts.extend([server(record(23, 250)), server(record(23, 250))]);
    } else {
        parts.extend([
            client(record(22, 70)),
            client(record(20, 1)),
            client(record(22, 68)),
        ]);
        parts.extend([server(record(20, 1)), server(record(22, 68))]);
    }
    parts
}

#[test]
fn takes_no_wrong_password_for_a_session() {
    for is_13 in [false, true] {
        let close = if is_13 {
            record(23, 19)
        } else {
            record(21, 52)
        };
        let mut parts = handshake(is_13);
        parts.extend([
            server(record(23, 33)),
            client(record(23, 33)),
            server(record(23, 47)),
        ]);
        parts.extend([server(close.clone()), client(close.clone()), server(close)]);
        let messages = vencrypt(VencryptType::X509_VNC, &parts);
        assert!(!messages.contains(&Message::Session), "TLS 1.3: {is_13}");
        assert_eq!(messages.last(), Some(&Message::TlsStarts));
    }
}

#[test]
fn takes_no_split_answer_for_a_session() {
    // LibVNCClient writes user and password in four records; a ticket may come in between.
    let mut parts = handshake(true);
    parts.extend([
        client(record(23, 21)),
        server(record(23, 250)),
        client(record(23, 30)),
    ]);
    parts.extend([
        server(record(23, 60)),
        client(record(23, 19)),
        server(record(23, 19)),
    ]);
    assert!(!vencrypt(VencryptType::TLS_PLAIN, &parts).contains(&Message::Session));
}

#[test]
fn finds_the_session_inside() {
    for is_13 in [false, true] {
        for kind in [
            VencryptType::TLS_NONE,
            VencryptType::TLS_VNC,
            VencryptType::X509_PLAIN,
        ] {
            let mut parts = handshake(is_13);
            match kind {
                VencryptType::TLS_VNC => {
                    parts.extend([server(record(23, 33)), client(record(23, 33))]);
                }
                VencryptType::X509_PLAIN => parts.push(client(record(23, 38))),
                _ => {}
            }
            // Result, ClientInit, ServerInit, requests, an update.
            parts.extend([
                server(record(23, 21)),
                client(record(23, 18)),
                server(record(23, 46)),
            ]);
            let quiet = vencrypt(kind, &parts);
            assert!(!quiet.contains(&Message::Session));
            parts.extend([
                client(record(23, 37)),
                client(record(23, 109)),
                server(record(23, 81)),
            ]);
            let messages = vencrypt(kind, &parts);
            assert_eq!(
                messages.last(),
                Some(&Message::Session),
                "{kind} TLS 1.3: {is_13}"
            );
            assert_eq!(messages.contains(&Message::Unauthenticated), kind.is_none());
        }
    }
}

#[test]
fn finds_the_session_after_a_gap_by_its_volume() {
    let mut session = Session::new();
    let mut messages = Vec::new();
    let mut feed = |session: &mut Session, side, octets: &[u8]| {
        let mut used = 0;
        while used < octets.len() {
            let more = session
                .feed(side, &octets[used..], |m| messages.push(m))
                .unwrap();
            assert!(more > 0);
            used += more;
        }
    };
    for (side, octets) in [s(BANNER), c(BANNER), s(&[2, 18, 2]), c(&[18])] {
        feed(&mut session, side, octets);
    }
    assert!(session.in_tls());
    feed(&mut session, Side::Originator, &record(22, 200));
    feed(&mut session, Side::Originator, &record(23, 200));
    session.gap(Side::Responder, 9000);
    assert!(!session.is_finished());
    feed(&mut session, Side::Responder, &[1, 2, 3]);
    assert_eq!(messages.last(), Some(&Message::Session));
}

#[test]
fn knows_that_the_two_acknowledgements_mean_the_opposite() {
    let start = [
        s(BANNER),
        c(BANNER),
        s(&[1, 19]),
        c(&[19]),
        s(&[0, 2]),
        c(&[0, 2]),
    ];
    let refused = [&start[..], &[s(&[1])]].concat();
    assert_eq!(hear(&refused).last(), Some(&Message::Rejected(None)));
    let offer = [s(&[0, 1, 0, 0, 1, 4]), c(&[0, 0, 1, 4])];
    let refused = [&start[..], &offer, &[s(&[0])]].concat();
    assert_eq!(hear(&refused).last(), Some(&Message::Rejected(None)));
    // No second one for what needs no TLS.
    let plain = [
        s(&[0, 1, 0, 0, 1, 0]),
        c(&[0, 0, 1, 0]),
        c(&[0, 0, 0, 1, 0, 0, 0, 1, b'u', b'p']),
    ];
    let plain = [&start[..], &plain, &[s(OK), c(&[1]), s(SERVER_INIT)]].concat();
    assert!(hear(&plain).ends_with(&session_follows()));
    let ordinary = [
        s(&[0, 1, 0, 0, 0, 2]),
        c(&[0, 0, 0, 2]),
        s(CHALLENGE),
        c(RESPONSE),
        s(OK),
    ];
    let ordinary = [&start[..], &ordinary, &[c(&[1]), s(SERVER_INIT)]].concat();
    assert!(hear(&ordinary).ends_with(&session_follows()));
}

/// RSA keys of 1024 bits and random numbers of both sides.
fn rsa(kind: u8) -> Vec<(Side, Vec<u8>)> {
    let key = [&[0, 0, 4, 0][..], &[3; 256]].concat();
    let random = [&[0, 128][..], &[4; 128]].concat();
    vec![
        server(BANNER.to_vec()),
        client(BANNER.to_vec()),
        server(vec![2, kind, 2]),
        client(vec![kind]),
        server(key.clone()),
        client(key),
        server(random.clone()),
        client(random),
    ]
}

/// A message of RA2 with so many octets inside.
fn message(length: u8) -> Vec<u8> {
    [&[0, length][..], &vec![8; usize::from(length) + 16]].concat()
}

fn hear_owned(parts: &[(Side, Vec<u8>)]) -> Vec<Message> {
    let parts: Vec<_> = parts
        .iter()
        .map(|(side, octets)| (*side, octets.as_slice()))
        .collect();
    hear(&parts)
}

#[test]
fn judges_rsa_by_who_speaks() {
    let mut parts = rsa(5);
    // Hashes, kind of credentials, credentials, result with its reason.
    parts.extend([
        server(message(20)),
        client(message(20)),
        server(message(1)),
        client(message(10)),
    ]);
    let mut refused = parts.clone();
    refused.extend([server(message(4)), server(message(26))]);
    assert!(!hear_owned(&refused).contains(&Message::Session));
    parts.extend([server(message(4)), client(message(1)), server(message(29))]);
    parts.extend([
        client(message(20)),
        client(message(10)),
        server(message(200)),
    ]);
    assert_eq!(hear_owned(&parts).last(), Some(&Message::Session));
}

#[test]
fn reads_the_result_of_rsa_that_leaves_the_session_in_clear() {
    let mut parts = rsa(130);
    parts.extend([
        server(message(32)),
        client(message(32)),
        server(message(1)),
        client(message(10)),
    ]);
    let mut refused = parts.clone();
    refused.extend([server(FAILED.to_vec()), server(vec![0, 0, 0, 1, b'x'])]);
    assert_eq!(
        hear_owned(&refused).last(),
        Some(&Message::Refused(Some(b"x".to_vec())))
    );
    parts.extend([
        server(OK.to_vec()),
        client(vec![1]),
        server(SERVER_INIT.to_vec()),
    ]);
    assert!(hear_owned(&parts).ends_with(&session_follows()));
}

#[test]
fn finds_the_session_though_the_exchange_of_keys_was_lost() {
    // RealVNC as in a public capture: 812 octets of each side are missing, then RA2 in two steps.
    let mut session = Session::new();
    let mut messages = Vec::new();
    let mut feed = |session: &mut Session, side, octets: &[u8]| {
        let used = session.feed(side, octets, |m| messages.push(m)).unwrap();
        assert_eq!(used, octets.len());
    };
    let banner = b"RFB 004.001\n";
    for (side, octets) in [
        s(banner),
        c(banner),
        s(&[7, 13, 133, 5, 129, 6, 130, 2]),
        c(&[13]),
    ] {
        feed(&mut session, side, octets);
    }
    session.gap(Side::Responder, 812);
    session.gap(Side::Originator, 811);
    for length in [1, 11, 16, 16, 4, 17, 12, 9] {
        let side = if length % 2 == 1 && length != 1 || length == 9 {
            Side::Originator
        } else {
            Side::Responder
        };
        feed(&mut session, side, &message(length));
        assert!(!session.is_finished());
    }
    for _ in 0..200 {
        feed(&mut session, Side::Originator, &message(9));
    }
    assert_eq!(messages.last(), Some(&Message::Session));
}
