use proptest::prelude::*;

use super::*;
use crate::quic::samples::{chlo, clear_packet, crypto, hello, initial, sealed, server};

const CLIENT: Side = Side::Originator;
const SERVER: Side = Side::Responder;

const ID: &[u8] = &[0xd1, 2, 3, 4, 5, 6, 7, 8];
const OTHER: &[u8] = &[0xe1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const SERVERS: &[u8] = &[0x51, 0x52, 0x53, 0x54];
const CLIENTS: &[u8] = &[0xc1, 0xc2];

/// What a session tells of datagrams, one text for each event.
fn told_by(session: &mut Session, datagrams: &[(Side, Vec<u8>)]) -> Vec<String> {
    let mut told = Vec::new();
    for (side, datagram) in datagrams {
        session
            .datagram(*side, datagram, |event| told.push(text(&event)))
            .unwrap();
    }
    told
}

fn text(event: &Event<'_>) -> String {
    match event {
        Event::Part => "part".to_owned(),
        Event::Hello { version, hello } => {
            let name = match hello {
                Hello::Tls(hello) => hello.server_name(),
                Hello::Google(hello) => hello.server_name,
            };
            let name = String::from_utf8_lossy(name.unwrap_or_default());
            format!("{version} {name}")
        }
        Event::Remains { version, hello } => {
            let name = String::from_utf8_lossy(hello.server_name().unwrap_or_default());
            format!("{version} {name}, broken off")
        }
    }
}

fn check(datagrams: &[(Side, Vec<u8>)], wanted: &[&str]) {
    assert_eq!(told_by(&mut Session::default(), datagrams), wanted);
}

/// A whole hello in one packet.
fn whole(version: Version, name: &str) -> Vec<u8> {
    initial(version, ID, [ID, CLIENTS], 0, &crypto(0, &hello(name)))
}

#[test]
fn tells_the_hello_of_every_version_once() {
    for version in [
        Version::V1,
        Version::V2,
        Version::V2_DRAFT,
        Version::V2_DRAFT_00,
        Version(0xff00_0016),
        Version(0xff00_001b),
        Version(0xff00_001d),
        Version(0xff00_0022),
        Version(0xface_b002),
    ] {
        let datagram = whole(version, "a.example");
        assert!(begins(&datagram), "{version}");
        let wanted = format!("{version} a.example");
        check(
            &[(CLIENT, datagram.clone()), (CLIENT, datagram)],
            &[&wanted],
        );
    }
}

#[test]
fn tells_googles_hello_in_clear_and_protected() {
    let message = chlo("g.example", "Chrome/70");
    let stream = [
        &[0xa0, 1][..],
        &(message.len() as u16).to_be_bytes(),
        &message,
    ]
    .concat();
    for (version, first) in [(*b"Q039", 0x09), (*b"Q043", 0x19), (*b"Q046", 0xc3)] {
        let datagram = clear_packet(version, first, &stream);
        assert!(begins(&datagram));
        let wanted = format!("{} g.example", Version(u32::from_be_bytes(version)));
        check(
            &[(CLIENT, datagram.clone()), (CLIENT, datagram)],
            &[&wanted],
        );
    }
    let frames = |message: &[u8]| {
        let mut frame = crypto(0, message);
        frame[0] = 8; // Google's number
        frame
    };
    let datagram = initial(Version::Q050, ID, [ID, &[]], 1, &frames(&message));
    check(&[(CLIENT, datagram)], &["0x51303530 g.example"]);
    let datagram = initial(
        Version::T051,
        ID,
        [ID, &[]],
        1,
        &frames(&hello("t.example")),
    );
    check(&[(CLIENT, datagram)], &["0x54303531 t.example"]);
}

#[test]
fn puts_a_hello_together_from_shuffled_and_repeated_frames() {
    let message = hello("s.example");
    let piece = |range: std::ops::Range<usize>| crypto(range.start, &message[range]);
    let end = message.len();
    let first = [
        piece(240..end),
        vec![1],
        piece(100..180),
        vec![0; 5],
        piece(150..200),
    ]
    .concat();
    let second = [piece(230..250), vec![1, 1], piece(0..110)].concat();
    let third = [piece(100..180), piece(200..231)].concat();
    let packet = |number, frames: &[u8]| {
        let datagram = initial(Version::V1, ID, [ID, &[]], number, frames);
        (CLIENT, datagram)
    };
    check(
        &[packet(0, &first), packet(2, &second), packet(1, &third)],
        &["part", "part", "0x00000001 s.example"],
    );
    // The same in one datagram of several packets.
    let together = [
        packet(0, &first).1,
        packet(2, &second).1,
        packet(1, &third).1,
    ]
    .concat();
    check(
        &[(CLIENT, together)],
        &["part", "part", "0x00000001 s.example"],
    );
}

#[test]
fn follows_a_client_to_the_id_of_its_server() {
    let message = hello("l.example");
    let (head, tail) = message.split_at(200);
    let first = initial(Version::V1, ID, [ID, CLIENTS], 0, &crypto(0, head));
    let answer = server(0xc0, Version::V1, [CLIENTS, SERVERS]);
    let second = initial(Version::V1, ID, [SERVERS, CLIENTS], 1, &crypto(200, tail));
    let wanted = ["part", "0x00000001 l.example"];
    check(
        &[
            (CLIENT, first.clone()),
            (SERVER, answer),
            (CLIENT, second.clone()),
        ],
        &wanted,
    );
    // The same where the server is not seen, and where the originator was guessed wrong.
    check(
        &[(CLIENT, first.clone()), (CLIENT, second.clone())],
        &wanted,
    );
    check(&[(SERVER, first), (SERVER, second)], &wanted);
}

#[test]
fn tells_a_hello_once_that_comes_again_after_a_retry() {
    let message = hello("r.example");
    let first = initial(Version::V1, ID, [ID, CLIENTS], 0, &crypto(0, &message));
    let retry = server(0xf0, Version::V1, [CLIENTS, OTHER]);
    let again = initial(
        Version::V1,
        OTHER,
        [OTHER, CLIENTS],
        1,
        &crypto(0, &message),
    );
    check(
        &[
            (CLIENT, first),
            (SERVER, retry.clone()),
            (CLIENT, again.clone()),
        ],
        &["0x00000001 r.example"],
    );
    // Of a hello in two packets only the first was seen before the Retry.
    let half = initial(
        Version::V1,
        ID,
        [ID, CLIENTS],
        0,
        &crypto(0, &message[..200]),
    );
    let mut session = Session::default();
    let told = told_by(
        &mut session,
        &[(CLIENT, half), (SERVER, retry), (CLIENT, again)],
    );
    assert_eq!(told, ["part", "0x00000001 r.example"]);
    session.end(|event| panic!("{event:?}"));
}

#[test]
fn tells_the_hello_of_each_version_when_it_is_negotiated() {
    let reserved = Version(0x1a2a_3a4a);
    let frames = crypto(0, &hello("n.example"));
    let forced = sealed(Suite::V1, reserved, ID, [ID, CLIENTS], 0, &frames);
    assert!(begins(&forced));
    let list = [
        &[0x80, 0, 0, 0, 0][..],
        &[2, 0xc1, 0xc2, 8],
        ID,
        &[0, 0, 0, 1, 0x2a, 0x2a, 0x2a, 0x2a],
    ]
    .concat();
    assert!(begins(&list));
    check(
        &[
            (CLIENT, forced),
            (SERVER, list),
            (CLIENT, whole(Version::V1, "n.example")),
        ],
        &["0x1a2a3a4a n.example", "0x00000001 n.example"],
    );
}

#[test]
fn tells_every_connection_of_a_five_tuple() {
    let second = initial(
        Version::V1,
        OTHER,
        [OTHER, CLIENTS],
        0,
        &crypto(0, &hello("two.example")),
    );
    let short = vec![0x41; 60];
    check(
        &[
            (CLIENT, whole(Version::V1, "one.example")),
            (SERVER, server(0xe0, Version::V1, [CLIENTS, SERVERS])),
            (CLIENT, short),
            (CLIENT, second),
        ],
        &["0x00000001 one.example", "0x00000001 two.example"],
    );
}

#[test]
fn tells_what_there_is_of_a_hello_that_never_became_whole() {
    let message = hello("part.example");
    let mut session = Session::default();
    let frames = crypto(0, &message[..200]);
    let datagram = initial(Version::V1, ID, [ID, &[]], 0, &frames);
    assert_eq!(told_by(&mut session, &[(CLIENT, datagram)]), ["part"]);
    let mut told = Vec::new();
    session.end(|event| told.push(text(&event)));
    assert_eq!(told, ["0x00000001 part.example, broken off"]);
}

#[test]
fn reads_what_a_capture_left_of_a_packet() {
    let datagram = whole(Version::V1, "cut.example");
    for (cut, wanted) in [
        (700, &["0x00000001 cut.example"][..]),
        (datagram.len() - 3, &["0x00000001 cut.example"]),
        (250, &["part"]),
        (35, &[]),
    ] {
        let mut session = Session::default();
        let datagram = datagram[..cut].to_vec();
        assert!(begins(&datagram));
        assert_eq!(
            told_by(&mut session, &[(CLIENT, datagram)]),
            wanted,
            "{cut}"
        );
        let mut told = Vec::new();
        session.end(|event| told.push(text(&event)));
        let broken_off = "0x00000001 cut.example, broken off";
        assert_eq!(
            told.first().map(String::as_str),
            (cut == 250).then_some(broken_off)
        );
    }
    // Nothing is read with keys that do not fit.
    let wrong = initial(
        Version::V1,
        OTHER,
        [ID, &[]],
        0,
        &crypto(0, &hello("a.example")),
    );
    check(&[(CLIENT, wrong[..700].to_vec())], &[]);
}

#[test]
fn an_open_packet_of_a_known_connection_costs_one_try() {
    let mut session = Session::default();
    told_by(
        &mut session,
        &[
            (CLIENT, whole(Version::V1, "a.example")),
            (SERVER, server(0xc0, Version::V1, [CLIENTS, OTHER])),
        ],
    );
    assert_eq!(session.tries, 1);
    // Whatever the client sends to either id from now on is known without a try.
    let late = initial(Version::V1, ID, [OTHER, CLIENTS], 3, &[1]);
    for _ in 0..10 {
        told_by(&mut session, &[(CLIENT, late.clone())]);
        told_by(&mut session, &[(CLIENT, whole(Version::V1, "a.example"))]);
    }
    assert_eq!(session.tries, 1);
}

#[test]
fn gives_up_a_flow_that_costs_too_much() {
    let mut session = Session::default();
    let mut datagram = whole(Version::V1, "a.example");
    *datagram.last_mut().unwrap() ^= 1;
    for _ in 0..MAX_TRIES {
        assert_eq!(session.datagram(CLIENT, &datagram, |_| {}), Ok(()));
    }
    assert!(session.datagram(CLIENT, &datagram, |_| {}).is_err());
    assert!(session.connections.is_empty());
}

#[test]
fn says_what_it_keeps_of_hellos_that_are_not_whole() {
    let mut session = Session::default();
    let half = crypto(100, &hello("a.example")[100..200]);
    let datagram = initial(Version::V1, ID, [ID, &[]], 0, &half);
    told_by(&mut session, &[(CLIENT, datagram)]);
    assert_eq!(session.held(), size_of::<Pending>() + 200);
    told_by(&mut session, &[(CLIENT, whole(Version::V1, "a.example"))]);
    assert_eq!(session.held(), 0);
}

#[test]
fn opens_a_packet_whose_client_chose_a_short_id() {
    let id = &[7, 8][..];
    let frames = crypto(0, &hello("short.example"));
    let datagram = initial(Version::V1, id, [id, CLIENTS], 0, &frames);
    check(&[(CLIENT, datagram)], &["0x00000001 short.example"]);
}

#[test]
fn keeps_few_connections_and_few_hellos() {
    let mut session = Session::default();
    for count in 0..20_u8 {
        let id = [count; 8];
        let half = crypto(0, &hello("a.example")[..100]);
        let datagram = initial(Version::V1, &id, [&id, CLIENTS], 0, &half);
        told_by(&mut session, &[(CLIENT, datagram)]);
        let id = [count; 9];
        let name = format!("n{count}.example");
        let datagram = initial(
            Version::V1,
            &id,
            [&id, CLIENTS],
            0,
            &crypto(0, &hello(&name)),
        );
        assert_eq!(told_by(&mut session, &[(CLIENT, datagram)]).len(), 1);
        assert!(session.connections.len() <= MAX_CONNECTIONS);
        assert!(session.told.len() <= MAX_TOLD);
    }
}

#[test]
fn does_not_take_other_datagrams_for_quic() {
    let rtp = [&[0x80, 0, 0, 0, 1, 2, 3, 4][..], &[0x11; 160]].concat();
    let dns = [&[0xc6, 0x10, 1, 0, 0, 1][..], &[0; 40]].concat();
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    let dtls = [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0][..], &[0; 100]].concat();
    let noise: Vec<u8> = (0..1300_u32)
        .map(|at| ((at * at) >> 3) as u8 | 0xc0)
        .collect();
    let unopened = {
        let mut datagram = whole(Version(0x1a2a_3a4a), "a.example");
        datagram[700] ^= 1;
        datagram
    };
    for datagram in [rtp, dns, stun, dtls, noise, unopened, vec![], vec![0xc0]] {
        assert!(
            !begins(&datagram),
            "{:02x?}",
            &datagram[..datagram.len().min(8)]
        );
    }
}

proptest! {
    #[test]
    fn survives_random_datagrams(
        datagrams in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..80)), 0..20),
    ) {
        let mut session = Session::default();
        for (side, mut datagram) in datagrams {
            if let Some(head) = datagram.first_chunk_mut() {
                *head = [0xc1, 0, 0, 0, 1];
            }
            let side = if side { CLIENT } else { SERVER };
            let _ = session.datagram(side, &datagram, |_| {});
        }
        session.end(|_| {});
    }

    #[test]
    fn tells_the_same_hello_however_it_is_cut_and_shuffled(
        cuts in prop::collection::btree_set(1_usize..400, 0..12),
        order in any::<prop::sample::Index>(),
        packets in 1_usize..4,
    ) {
        let message = hello("cut.example");
        let mut bounds: Vec<usize> = cuts.into_iter().filter(|&cut| cut < message.len()).collect();
        bounds.insert(0, 0);
        bounds.push(message.len());
        let mut frames: Vec<Vec<u8>> =
            bounds.windows(2).map(|b| crypto(b[0], &message[b[0]..b[1]])).collect();
        let turn = order.index(frames.len());
        frames.rotate_left(turn);
        let size = frames.len().div_ceil(packets);
        let datagrams: Vec<_> = frames
            .chunks(size)
            .enumerate()
            .map(|(number, frames)| {
                let frames = frames.concat();
                (CLIENT, initial(Version::V2, ID, [ID, &[]], number as u32, &frames))
            })
            .collect();
        let told = told_by(&mut Session::default(), &datagrams);
        prop_assert_eq!(told.last().map(String::as_str), Some("0x6b3343cf cut.example"));
        prop_assert_eq!(told.len(), datagrams.len());
    }
}
