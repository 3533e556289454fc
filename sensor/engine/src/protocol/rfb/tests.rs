use super::*;
use crate::observation::{Endpoint, FlowRef, Observation, Oriented, VlanTags};
use crate::protocol::Session as _;

fn flow() -> FlowRef {
    let endpoint = |port| Endpoint {
        ip: "192.0.2.7".parse().unwrap(),
        port,
    };
    FlowRef {
        id: 1,
        opened: 1,
        orig: endpoint(50_000),
        resp: endpoint(5900),
        transport: Transport::Tcp,
        vlan: VlanTags::default(),
        vni: None,
        oriented: Oriented::Syn,
    }
}

const S: Side = Side::Responder;
const C: Side = Side::Originator;
const BANNER: &[u8] = b"RFB 003.008\n";
const OK: &[u8] = &[0, 0, 0, 0];
const FAILED: &[u8] = &[0, 0, 0, 1];
const SERVER_INIT: &[u8] = &[
    0x01, 0x40, 0x00, 0xf0, // width, height
    0x10, 0x10, 0x00, 0x01, 0x00, 0x1f, 0x00, 0x3f, // pixel format
    0x00, 0x1f, 0x0b, 0x05, 0x00, 0x00, 0x00, 0x00, // pixel format
    0x00, 0x00, 0x00, 0x05, b'w', b'e', b'b', b'0', b'1', // name
];
const VNC_AUTH: [(Side, &[u8]); 6] = [
    (S, BANNER),
    (C, BANNER),
    (S, &[1, 2]),
    (C, &[2]),
    (S, &[7; 16]),
    (C, &[9; 16]),
];

/// What a flow tells: one part a packet, numbered from 1. Its end comes a packet later.
fn tell(parts: &[(Side, &[u8])]) -> (Vec<Observation>, Progress) {
    let flow = flow();
    let mut session = Session::new();
    let mut out = Vec::new();
    let mut kept = [Vec::new(), Vec::new()];
    for (frame, (side, octets)) in (1..).zip(parts) {
        kept[side.index()].extend_from_slice(octets);
        for side in [*side, side.other(), *side] {
            let mut emit = Emit::new(&flow, 0, frame, Some((0, frame)), &mut out);
            match session.feed(side, &kept[side.index()], &mut emit) {
                Progress::More(used) => drop(kept[side.index()].drain(..used)),
                end => return (out, end),
            }
        }
    }
    session.end(&mut Emit::new(&flow, 0, 1000, None, &mut out));
    (out, Progress::More(0))
}

/// The only fact of a flow.
fn only(parts: &[(Side, &[u8])]) -> (Rfb, Vec<u64>) {
    let (mut out, _) = tell(parts);
    assert_eq!(out.len(), 1, "{out:?}");
    let observation = out.remove(0);
    let Fact::Rfb(rfb) = observation.fact else {
        panic!("{:?}", observation.fact)
    };
    (*rfb, observation.frames.numbers().to_vec())
}

fn after<'a>(start: &[(Side, &'a [u8])], rest: &[(Side, &'a [u8])]) -> Vec<(Side, &'a [u8])> {
    [start, rest].concat()
}

#[test]
fn tells_a_session_at_server_init() {
    let parts = after(
        &VNC_AUTH,
        &[(S, OK), (C, &[1]), (S, SERVER_INIT), (C, &[0; 20])],
    );
    let (rfb, frames) = only(&parts);
    assert_eq!(frames, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(rfb.end, RfbEnd::Session);
    assert!(!rfb.no_auth);
    let expected = serde_json::json!({
        "server_version": "003.008", "client_version": "003.008", "security_types": ["VncAuth"],
        "security_type": "VncAuth", "security_type_code": 2, "security_subtype": null,
        "auth": {"result": "accepted", "reason": null}, "desktop_name": "web01", "width": 320, "height": 240,
        "server": "resp", "carrier": "tcp", "software": null
    });
    assert_eq!(serde_json::to_value(&rfb).unwrap(), expected);
    assert_eq!(tell(&parts).1, Progress::Finished);
}

#[test]
fn tells_how_far_it_came() {
    let reason: &[u8] = &[0, 0, 0, 2, b'n', b'o'];
    let ends = [
        (
            after(&VNC_AUTH[..1], &[]),
            RfbEnd::Greeted,
            AuthResult::Unknown,
            None,
        ),
        (
            after(&VNC_AUTH[..3], &[]),
            RfbEnd::Abandoned,
            AuthResult::Unknown,
            None,
        ),
        (
            after(&VNC_AUTH, &[]),
            RfbEnd::Abandoned,
            AuthResult::Unknown,
            None,
        ),
        (
            after(&VNC_AUTH[..2], &[(S, &[0]), (S, reason)]),
            RfbEnd::Rejected,
            AuthResult::Unknown,
            Some("no"),
        ),
        (
            after(&VNC_AUTH, &[(S, FAILED), (S, reason)]),
            RfbEnd::Refused,
            AuthResult::Refused,
            Some("no"),
        ),
        // Apple gives none.
        (
            after(&VNC_AUTH, &[(S, FAILED)]),
            RfbEnd::Refused,
            AuthResult::Refused,
            None,
        ),
        // Who guesses passwords leaves when one fits.
        (
            after(&VNC_AUTH, &[(S, OK)]),
            RfbEnd::Session,
            AuthResult::Accepted,
            None,
        ),
        // No RFB any more.
        (
            after(&VNC_AUTH[..1], &[(C, b"GET / HTTP/1.1\r\n\r\n")]),
            RfbEnd::Greeted,
            AuthResult::Unknown,
            None,
        ),
    ];
    for (parts, end, result, reason) in ends {
        let (rfb, _) = only(&parts);
        assert_eq!((rfb.end, rfb.auth.result), (end, result), "{parts:?}");
        assert_eq!(rfb.auth.reason.as_deref(), reason);
    }
}

#[test]
fn knows_none_in_any_clothes() {
    let none: [(Side, &[u8]); 4] = [(S, BANNER), (C, BANNER), (S, &[1, 1]), (C, &[1])];
    assert!(
        only(&after(&none, &[(S, OK), (C, &[1]), (S, SERVER_INIT)]))
            .0
            .no_auth
    );
    assert!(!only(&none).0.no_auth, "the viewer went no further");
    let tight: [(Side, &[u8]); 8] = [
        (C, BANNER),
        (S, BANNER),
        (C, &[1, 16]),
        (S, &[16]),
        (C, &[0; 8]),
        (C, OK),
        (S, &[1]),
        (C, SERVER_INIT),
    ];
    let (rfb, _) = only(&tight);
    assert!(rfb.no_auth);
    assert_eq!(rfb.server, ServerSide(Side::Originator));
    assert_eq!(rfb.security_type.as_deref(), Some("Tight"));
    assert_eq!(rfb.software, Some("tightvnc"));
}

#[test]
fn names_the_inner_type_beside_the_outer_one() {
    let ultra: [(Side, &[u8]); 9] = [
        (S, BANNER),
        (C, BANNER),
        (S, &[2, 17, 113]),
        (C, &[17]),
        (S, &[0xff; 4]),
        (S, &[1, 113]),
        (C, &[113]),
        (S, &[0; 24]),
        (C, &[0; 328]),
    ];
    let (rfb, _) = only(&after(&ultra, &[(S, FAILED), (S, OK)]));
    assert_eq!(rfb.security_types, ["Ultra", "MSLogonII"]);
    assert_eq!(rfb.security_type_code, Some(17));
    assert_eq!(rfb.security_subtype.as_deref(), Some("MSLogonII"));
    assert_eq!(rfb.software, Some("ultravnc"));
    assert_eq!(rfb.end, RfbEnd::Refused);
}

#[test]
fn tells_a_session_inside_tls_once_it_is_sure() {
    let record =
        |kind: u8, length: u8| [&[kind, 3, 3, 0, length][..], &vec![0; length.into()]].concat();
    let (handshake, data) = (record(22, 60), record(23, 60));
    let finished = [record(20, 1), record(22, 60)].concat();
    let start: [(Side, &[u8]); 9] = [
        (S, BANNER),
        (C, BANNER),
        (S, &[1, 19]),
        (C, &[19]),
        (S, &[0, 2]),
        (C, &[0, 2]),
        (S, &[0, 1, 0, 0, 1, 1]),
        (C, &[0, 0, 1, 1]),
        // The acknowledgement and, in the same segment, nothing of TLS: the client begins.
        (S, &[1]),
    ];
    let inside: [(Side, &[u8]); 8] = [
        (C, &handshake),
        (S, &handshake),
        (C, &finished),
        (S, &finished),
        (S, &data),
        (C, &data),
        (S, &data),
        (C, &data),
    ];
    let quiet = after(&start, &inside);
    assert_eq!(only(&quiet).0.end, RfbEnd::Abandoned);
    let (rfb, frames) = only(&after(&quiet, &[(S, &data)]));
    assert_eq!(rfb.end, RfbEnd::Session);
    assert!(rfb.no_auth);
    assert_eq!(rfb.security_subtype.as_deref(), Some("TLSNone"));
    assert_eq!(frames, [1, 2, 3, 4, 5, 6, 7, 8, 9, 18]);
}

#[test]
fn lets_both_readers_of_tls_go_at_their_own_pace() {
    let mut inner = Inner::new();
    assert_eq!(inner.settle(S, 10, 4), 4);
    assert_eq!(inner.taken(S), (6, 0));
    assert_eq!(inner.settle(S, 6, 9), 6);
    assert_eq!(inner.taken(S), (0, 3));
    inner.session = None;
    assert_eq!(inner.settle(S, 12, 3), 12);
    assert_eq!(inner.taken(S), (0, 0));
}

#[test]
fn tells_what_a_gap_left_over() {
    let flow = flow();
    let mut session = Session::new();
    let mut out = Vec::new();
    for (side, octets) in after(&VNC_AUTH, &[(S, OK), (C, &[1])]) {
        let progress = session.feed(
            side,
            octets,
            &mut Emit::new(&flow, 0, 1, Some((0, 1)), &mut out),
        );
        assert_eq!(progress, Progress::More(octets.len()));
    }
    let mut emit = Emit::new(&flow, 0, 2, Some((0, 2)), &mut out);
    assert_eq!(session.gap(S, 1460, &mut emit), Progress::More(0));
    assert_eq!(session.gap(C, 20, &mut emit), Progress::Finished);
    assert_eq!(out.len(), 1);
    assert!(matches!(&out[0].fact, Fact::Rfb(rfb) if rfb.end == RfbEnd::Session));
}

#[test]
fn probes_by_the_first_octets_of_either_side() {
    let flow = flow();
    let ask = |octets: &[u8]| {
        probe(&Opening {
            ports: flow.ports(),
            octets,
        })
    };
    let mut name = b"ID:4711".to_vec();
    name.resize(250, 0);
    for octets in [
        BANNER,
        b"RFB 005.000\n",
        b"RFB 000.000\n\0\0",
        b"REP 000.000\n",
        &name,
    ] {
        assert_eq!(ask(octets), Probe::Yes);
        assert_eq!(ask(&octets[..octets.len().min(9)]), Probe::Maybe);
    }
    for octets in [
        &b"RFB 3.8\n"[..],
        b"RFB 003.008\r",
        b"GET / HTTP/1.1",
        b"ID: 17\r\n",
        b"\x16\x03\x01",
    ] {
        assert_eq!(ask(octets), Probe::No);
    }
}
