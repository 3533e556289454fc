use proptest::prelude::*;

use super::*;
use crate::testing::in_pieces;
use crate::websocket::{Agreement, MAX_INFLATED};
use Side::{Originator as O, Responder as R};

/// The streams of both sides, messages ended by `|`, and how it ended; the same whatever the size of the pieces.
fn check(agreement: Agreement, conversation: &[(Side, &[u8])], expected: [&[u8]; 2], end: &str) {
    for size in [1, 2, 3, 7, 64, usize::MAX] {
        let (found, how) = run(agreement, conversation, size);
        assert_eq!(found, expected.map(<[u8]>::to_vec), "pieces of {size}");
        assert_eq!(how, end, "pieces of {size}");
    }
}

fn run(
    agreement: Agreement,
    conversation: &[(Side, &[u8])],
    size: usize,
) -> ([Vec<u8>; 2], String) {
    let mut session = Session::new(O, agreement);
    let mut found = [Vec::new(), Vec::new()];
    let mut end = "open".to_owned();
    in_pieces(conversation, size, |from, input| {
        let used = session.feed(from, input, |event| match event {
            Event::Octets(octets) => found[from.index()].extend_from_slice(octets),
            Event::EndOfMessage => found[from.index()].push(b'|'),
            Event::Close => found[from.index()].push(b'.'),
        });
        match used {
            Ok(_) if session.is_finished() => {
                "finished".clone_into(&mut end);
                None
            }
            Ok(used) => Some(used),
            Err(Violation(why)) => {
                why.clone_into(&mut end);
                None
            }
        }
    });
    (found, end)
}

fn plain() -> Agreement {
    Agreement::default()
}

fn deflate(parameters: &str) -> Agreement {
    Agreement::of_answer(None, Some(&format!("permessage-deflate{parameters}")))
}

/// A frame, masked as clients do.
fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let flag = if mask.is_some() { 0x80 } else { 0 };
    let mut octets = vec![first];
    match payload.len() {
        length @ 0..=125 => octets.push(flag | u8::try_from(length).unwrap()),
        length @ 126..=0xffff => {
            octets.push(flag | 126);
            octets.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            octets.push(flag | 127);
            octets.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    octets.extend_from_slice(&mask.unwrap_or_default()[..if mask.is_some() { 4 } else { 0 }]);
    let key = mask.unwrap_or_default();
    octets.extend(payload.iter().zip(key.iter().cycle()).map(|(o, k)| o ^ k));
    octets
}

const KEY: Option<[u8; 4]> = Some([0x37, 0xfa, 0x21, 0x3d]);

#[test]
fn reads_the_greeting_of_a_desktop_on_both_sides() {
    // RFC 6455, section 5.7, has the same key.
    let client = frame(0x82, KEY, b"RFB 003.008\n");
    check(
        plain(),
        &[(R, b"\x82\x0cRFB 003.008\n"), (O, &client)],
        [b"RFB 003.008\n|", b"RFB 003.008\n|"],
        "open",
    );
}

#[test]
fn joins_fragments_around_control_frames() {
    let pieces = [
        frame(0x02, KEY, b"SSH-"),
        frame(0x89, KEY, b"are you there"),
        frame(0x00, KEY, b"2.0-chi"),
        frame(0x8a, KEY, b""),
        frame(0x80, KEY, b"sel\r\n"),
        frame(0x81, None, b""),
        frame(0x88, KEY, b"\x03\xe8bye"),
        b"anything".to_vec(),
    ]
    .concat();
    check(
        plain(),
        &[(O, &pieces), (R, b"\x88\x00")],
        [b"SSH-2.0-chisel\r\n||.", b"."],
        "finished",
    );
}

#[test]
fn reads_long_frames_without_keeping_them() {
    let long = vec![0x5a; 70_000];
    let octets = frame(0x82, KEY, &long);
    let mut session = Session::new(O, plain());
    let mut count = 0;
    for piece in octets[14..].chunks(1000) {
        if count == 0 {
            assert_eq!(session.feed(O, &octets[..14], |_| ()), Ok(14));
        }
        let used = session.feed(O, piece, |event| {
            if let Event::Octets(octets) = event {
                assert!(octets.iter().all(|&octet| octet == 0x5a));
                count += octets.len();
            }
        });
        assert_eq!(used, Ok(piece.len()));
    }
    assert_eq!(count, long.len());
}

#[test]
fn inflates_the_examples_of_the_standard() {
    // RFC 7692, section 7.2.3: one block, in two fragments, again with the window kept, stored, with a last block, in
    // two blocks.
    let server = [
        &b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
        b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00",
        b"\xc1\x05\xf2\x00\x11\x00\x00",
        b"\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
        b"\x81\x02ab",
        b"\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00",
    ]
    .concat();
    check(
        deflate(""),
        &[(R, &server)],
        [b"", b"Hello|Hello|Hello|Hello|ab|Hello|Hello|Hello|"],
        "open",
    );
}

#[test]
fn a_side_that_forgets_its_window_is_inflated_anew() {
    let twice = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00";
    check(
        deflate("; client_no_context_takeover"),
        &[(R, twice)],
        [b"", b"Hello|Hello|"],
        "open",
    );
    check(
        deflate("; server_no_context_takeover"),
        &[(R, twice)],
        // What points before the message finds nothing.
        [b"", b"Hello|H\0\0\0\0|"],
        "open",
    );
}

#[test]
fn an_inflate_bomb_is_given_up() {
    let mut packer = flate2::Compress::new(flate2::Compression::best(), false);
    let zeros = vec![0; 2 * usize::try_from(MAX_INFLATED).unwrap()];
    let mut packed = Vec::with_capacity(zeros.len());
    packer
        .compress_vec(&zeros, &mut packed, flate2::FlushCompress::Sync)
        .unwrap();
    let octets = frame(0xc2, None, &packed);
    let mut session = Session::new(O, deflate(""));
    let mut count = 0;
    let result = session.feed(R, &octets, |event| {
        if let Event::Octets(octets) = event {
            count += octets.len() as u64;
        }
    });
    assert_eq!(result, Err(Violation("messages inflate to too much")));
    assert!(count <= MAX_INFLATED);
}

#[test]
fn compression_that_was_refused_is_a_violation() {
    check(
        plain(),
        &[(R, b"\x81\x01a\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00")],
        [b"", b"a|"],
        "a compressed message that nobody agreed on",
    );
}

#[test]
fn messages_within_messages_are_a_violation() {
    let why = "a WebSocket message within another";
    check(plain(), &[(R, b"\x80\x01a")], [b"", b""], why);
    check(plain(), &[(R, b"\x01\x01a\x81\x01b")], [b"", b"a"], why);
}

#[test]
fn decodes_the_base64_of_an_old_browser() {
    let client = frame(0x81, KEY, b"UkZCIDAwMy4wMDgK");
    let agreement = Agreement::of_answer(Some("base64"), None);
    check(
        agreement,
        &[(R, b"\x81\x10UkZCIDAwMy4wMDgK\x81\x04AQI="), (O, &client)],
        [b"RFB 003.008\n|", b"RFB 003.008\n|\x01\x02|"],
        "open",
    );
    check(agreement, &[(R, b"\x81\x02{}")], [b"", b""], "no base64");
}

#[test]
fn a_gap_within_a_payload_keeps_the_place_and_the_mask() {
    let octets = frame(0x82, KEY, b"0123456789");
    let mut session = Session::new(O, plain());
    let mut found = Vec::new();
    let mut feed = |session: &mut Session, input: &[u8]| {
        session.feed(O, input, |event| {
            if let Event::Octets(octets) = event {
                found.extend_from_slice(octets);
            }
        })
    };
    assert_eq!(feed(&mut session, &octets[..8]), Ok(8));
    assert_eq!(session.gap(O, 3), Some(3));
    assert_eq!(feed(&mut session, &octets[11..]), Ok(5));
    assert_eq!(session.gap(O, 1), None);
    assert_eq!(session.gap(R, 0), None);
    let ping = frame(0x89, KEY, b"0123456789");
    assert_eq!(feed(&mut session, &ping[..8]), Ok(8));
    assert_eq!(session.gap(O, 8), Some(0));
    assert_eq!(feed(&mut session, &octets), Ok(16));
    assert_eq!(found, b"01567890123456789");
}

proptest! {
    #[test]
    fn pieces_do_not_matter(
        client in proptest::collection::vec(any::<u8>(), 0..200),
        server in proptest::collection::vec(any::<u8>(), 0..200),
        size in 1_usize..40,
    ) {
        let server = [b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\x82\x01", &server[..]].concat();
        let conversation = [(O, &client[..]), (R, &server[..])];
        let one_side = |at: usize| [conversation[at]];
        for at in 0..2 {
            let (cut, how) = run(deflate(""), &one_side(at), size);
            let (whole, expected) = run(deflate(""), &one_side(at), usize::MAX);
            // How much of a message comes out before its fault depends on the pieces.
            if expected != "a compressed message does not inflate" {
                prop_assert_eq!(cut, whole);
            }
            prop_assert_eq!(how, expected);
        }
    }

    #[test]
    fn what_was_framed_comes_out(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..6),
        cut in 1_usize..200,
        key in any::<[u8; 4]>(),
    ) {
        let mut octets = Vec::new();
        for message in &messages {
            let mut pieces = message.chunks(cut).peekable();
            let mut opcode = 2;
            if message.is_empty() {
                octets.extend(frame(0x82, Some(key), b""));
            }
            while let Some(piece) = pieces.next() {
                let last = if pieces.peek().is_none() { 0x80 } else { 0 };
                octets.extend(frame(last | opcode, Some(key), piece));
                opcode = 0;
            }
        }
        let (found, _) = run(plain(), &[(O, &octets)], 50);
        let expected: Vec<u8> = messages.iter().flat_map(|m| [&m[..], b"|"].concat()).collect();
        prop_assert_eq!(&found[0], &expected);
    }
}
