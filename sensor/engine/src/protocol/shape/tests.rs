use proptest::prelude::*;

use super::super::remote_tests::client_hello;
use super::super::search::{known, may_begin};
use super::super::{OVER_TCP, Probe};
use super::*;

const DNS: &[u8] = b"\x1a\x2b\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\
    \x03www\x07example\x03com\x00\x00\x01\x00\x01";
const STUN: &[u8] =
    b"\x00\x01\x00\x00\x21\x12\xa4\x42\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c";
const RUSTDESK: &[u8] = b"\x32\x0d\x0a\x09123456789\x10\x2a";

/// So many octets, the first ones given.
fn filled(start: &[u8], length: usize, with: u8) -> Vec<u8> {
    let mut octets = start.to_vec();
    octets.resize(length, with);
    octets
}

fn framed(octets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(octets.len()).unwrap().to_be_bytes();
    [&length, octets].concat()
}

fn ike() -> Vec<u8> {
    let mut octets = [filled(&[], 8, 7), vec![0; 8]].concat();
    octets.extend([33, 0x20, 34, 8, 0, 0, 0, 0, 0, 0, 0, 44]);
    octets.extend(b"\x28\0\0\x08\x01\x02\x03\x04\0\0\0\x08\x09\x09\x09\x09");
    octets
}

/// A datagram of each form that a shape is of, with the port on which it is taken and by whom. Those whose octets are many,
/// and all others, are asked by the golden captures, as [`known`] compares where the program runs with assertions.
fn datagrams() -> Vec<(&'static str, u16, Vec<u8>)> {
    let quic = b"\xc3\0\0\0\x01\x08\x01\x02\x03\x04\x05\x06\x07\x08\0\0\x14";
    let google = b"\x09\x01\x02\x03\x04\x05\x06\x07\x08Q039\x01";
    let rdp = b"\xff\xff\xff\xff\0\x40\0\x01\x01\x02\x03\x04\x04\xd0\x04\xd0";
    let stun = b"\0\x01\0\x08\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\
        \0\x03\0\x04\0\0\0\0";
    let anyconnect = b"\x16\x01\0\0\0\0\0\0\0\0\0\0\x54\x01\0\0\x48\0\0\0\0\0\0\0\x48\x01\0";
    vec![
        ("quic", 9, filled(quic, 37, 0x5a)),
        ("quic", 9, filled(google, 40, 0xaa)),
        ("dns", 9, DNS.to_vec()),
        ("dns", 5353, filled(b"\0\0\x84\0\0\0\0\0\0\0\0\0", 12, 0)),
        (
            "teamviewer",
            9,
            b"\0\0\0\0\0\0\0\0\0\0\0\x17\x24\x2b\x02\0\x01\x02".to_vec(),
        ),
        ("rustdesk", 9, RUSTDESK.to_vec()),
        ("xdmcp", 9, b"\0\x01\0\x02\0\x01\0".to_vec()),
        ("dnscrypt", 9, filled(b"r6fnvWj8", 80, 0x77)),
        ("wireguard", 9, filled(&[1, 0, 0, 0], 148, 0x77)),
        ("tailscale", 9, filled(b"TS\xf0\x9f\x92\xac", 92, 0xb6)),
        (
            "openvpn",
            9,
            b"\x38\x01\x02\x03\x04\x05\x06\x07\x08\0\0\0\0\0".to_vec(),
        ),
        ("openvpn", 9, filled(&[0x48, 0, 0, 1, 0, 0, 0, 9], 60, 0x77)),
        ("openvpn", 9, filled(&[], 42, 0x77)),
        ("anyconnect", 9, filled(anyconnect, 97, 0x6b)),
        ("stun", 9, STUN.to_vec()),
        ("stun", 9, stun.to_vec()),
        ("rdp_udp", 9, filled(rdp, 1232, 0)),
        ("ipsec", 9, ike()),
        ("ipsec", 9, [vec![0; 4], ike()].concat()),
        ("ipsec", 4500, filled(&[0xc1, 0, 0, 5, 0, 0, 0, 1], 88, 7)),
        (
            "nebula",
            9,
            filled(b"\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 331, 0x41),
        ),
        (
            "n2n",
            9,
            filled(
                b"\x01\x01\0\0sales\0\0\0\xc0\x3c\xeb\x08\xbc\x7f\0\0",
                87,
                2,
            ),
        ),
        ("softether", 9, b"IP=192.0.2.7,PORT=51381".to_vec()),
        ("softether", 9, b"A".to_vec()),
        ("hamachi", 9, vec![0; 76]),
    ]
}

/// The same of streams.
fn streams() -> Vec<(&'static str, u16, Vec<u8>)> {
    let rdp = b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0";
    let reset = b"\x38\x01\x02\x03\x04\x05\x06\x07\x08\0\0\0\0\0";
    let key = filled(&[0x91, 0x01, 0xca, 0x01, 0x61, 0x0a, 0x5f], 102, 0x77);
    let sslv2 = b"\x80\x1c\x01\x03\0\0\x03\0\0\0\x10\0\0\x05";
    vec![
        ("tls", 9, client_hello()),
        ("tls", 9, filled(sslv2, 30, 0x77)),
        ("websocket", 9, b"\x82\x0cRFB 003.008\n\0\0".to_vec()),
        ("rdp", 9, rdp.to_vec()),
        ("dns", 9, framed(DNS)),
        ("dns", 53, framed(b"\x30\x40\x80\x81\0\0\0\0\0\0\0\0 send_")),
        ("rustdesk", 9, [&b"\x3c"[..], RUSTDESK].concat()),
        ("rustdesk", 9, key),
        ("rsh", 9, b"1022\0root\0root\0id\0".to_vec()),
        ("stun", 9, STUN.to_vec()),
        ("stun", 9, framed(STUN)),
        ("dnscrypt", 9, framed(&filled(b"r6fnvWj8", 80, 0x77))),
        ("openvpn", 9, framed(reset)),
        ("openvpn", 9, framed(&filled(&[], 42, 0x77))),
    ]
}

fn names(fitting: Fitting) -> Vec<&'static str> {
    fitting.each().map(|(_, protocol)| protocol.name).collect()
}

#[test]
fn each_form_is_taken_by_its_protocol() {
    for (name, port, octets) in datagrams() {
        let opening = Opening {
            ports: [9, port],
            octets: &octets,
        };
        let found = known(Fitting::of(Transport::Udp), &opening);
        assert_eq!(
            found.map(|(_, protocol)| protocol.name),
            Some(name),
            "{octets:?}"
        );
    }
    for (name, port, octets) in streams() {
        let opening = Opening {
            ports: [9, port],
            octets: &octets,
        };
        assert!(
            octets.len() >= SHOWN && names(may_begin(&opening)).contains(&name),
            "{name}"
        );
        let taken = |protocol: &Protocol| (protocol.probe)(&opening) == Probe::Yes;
        assert!(
            OVER_TCP
                .each()
                .any(|(_, one)| one.name == name && taken(one)),
            "{name} {octets:?}"
        );
    }
}

#[test]
fn of_what_nobody_knows_hardly_any_protocol_is_asked() {
    let octets = [0xb1_u8; 64];
    let opening = Opening {
        ports: [40_000, 9],
        octets: &octets,
    };
    assert!(
        of_datagram(Fitting::of(Transport::Udp), &opening)
            .next()
            .is_none()
    );
    assert_eq!(names(may_begin(&opening)), [""; 0]);
}

proptest! {
    /// Real forms, with an octet or two changed, cut and made longer, on any of the ports.
    #[test]
    fn no_shape_leaves_out_what_a_probe_takes(
        (_, own, octets) in prop::sample::select([datagrams(), streams()].concat()),
        port in prop::option::of(prop::sample::select(PORTS.to_vec())),
        changes in prop::collection::vec((0_usize..32, any::<u8>()), 0..3),
        length in prop::option::of(0_usize..100),
        behind in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut octets = [octets, behind].concat();
        octets.truncate(length.unwrap_or(usize::MAX));
        for (place, octet) in changes {
            if let Some(changed) = octets.get_mut(place) {
                *changed = octet;
            }
        }
        let opening = Opening { ports: [9, port.unwrap_or(own)], octets: &octets };
        let stream = may_begin(&opening);
        let udp = Fitting::of(Transport::Udp);
        let datagram: Vec<_> = of_datagram(udp, &opening).map(|(at, _)| at).collect();
        prop_assert!(datagram.is_sorted());
        for (at, protocol) in udp.each() {
            let said = (protocol.probe)(&opening);
            prop_assert!(datagram.contains(&at) || said != Probe::Yes, "{} {octets:?}", protocol.name);
        }
        for (at, protocol) in OVER_TCP.each() {
            let said = (protocol.probe)(&opening);
            prop_assert!(stream.has(at) || said == Probe::No, "{} {octets:?}", protocol.name);
        }
    }
}
