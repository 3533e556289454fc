use std::net::Ipv4Addr;

use super::*;
use crate::home::HomeNetworks;
use crate::observation::{
    DnsRcode, DnsTransport, DnsType, Endpoint, FlowRef, Frames, Key, Oriented, Side, Transport,
    VlanTags,
};

/// The ids found by questions of these types, all answered without error.
fn check(questions: &[(u16, &str)], expected: &[&str]) {
    let home = HomeNetworks::default();
    let around = Around { home: &home };
    let mut tunnels = DnsTunnels::default();
    let mut found = Vec::new();
    for (qtype, query) in questions {
        tunnels.observe(&fact(*qtype, query), &around, &mut found);
    }
    let mut ids: Vec<_> = found.iter().map(|one| &*one.detection).collect();
    ids.dedup();
    assert_eq!(ids, expected);
    for one in found {
        assert_eq!(one.victim, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
        assert_eq!(one.direction, crate::home::Direction::Outbound);
    }
}

fn fact(qtype: u16, query: &str) -> Observation {
    let endpoint = |last, port| Endpoint {
        ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)),
        port,
    };
    Observation {
        key: Key::default(),
        at_ns: 0,
        flow: FlowRef {
            id: 1,
            opened: 1,
            orig: endpoint(1, 40000),
            resp: endpoint(53, 53),
            transport: Transport::Udp,
            vlan: VlanTags::default(),
            vni: None,
            oriented: Oriented::Guessed,
        },
        frames: Frames::one(0, 1),
        fact: Fact::Dns(Box::new(DnsTransaction {
            query: query.to_owned(),
            qtype: DnsType(qtype),
            rcode: Some(DnsRcode(0)),
            answers: Vec::new(),
            transport: DnsTransport::Udp,
            client: Side::Originator,
            service: NameService::Dns,
            addresses: Vec::new(),
            aliases: Vec::new(),
        })),
    }
}

const NULL: u16 = 10;

#[test]
fn iodine_is_a_version_and_a_login_in_one_zone() {
    let version = (NULL, "vaaaakarvq4.t.example.net");
    let login = (NULL, "laeqpumiplhhpz12ynd1efljwlkjcgwy.t.example.net");
    check(&[version, login], &["tunnel.dns.iodine"]);
    check(&[version], &[]);
    check(&[login], &[]);
    check(
        &[
            version,
            (NULL, "laeqpumiplhhpz12ynd1efljwlkjcgwy.u.example.net"),
        ],
        &[],
    );
    check(
        &[(
            NULL,
            "zi05aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpPqQrRsStTuUvVwWxXyYzZ.t.example.net",
        )],
        &["tunnel.dns.iodine"],
    );
    check(&[(A, "valley.example.net"), (A, "login.example.net")], &[]);
}

#[test]
fn dnscat2_is_one_session_under_changing_numbers() {
    let session = [
        (TXT, "958700a621c3620001636f6e736f6c6500.t.example.org"),
        (MX, "7cd501a621c362010a.t.example.org"),
        (CNAME, "b11c01a621c362010a.t.example.org"),
        (TXT, "0ab801a621c362010a.t.example.org"),
    ];
    check(&session, &["tunnel.dns.dnscat2"]);
    check(&session[..3], &[]);
    check(&[session[1]; 8], &[]);
    check(
        &[
            (TXT, "dnscat.91f003f500f61221810aea000004863c691580ec"),
            (TXT, "dnscat.a35c00f5005703c8b1b8cd000118b52347aeb1d7"),
        ],
        &["tunnel.dns.dnscat2"],
    );
}

#[test]
fn hashes_and_dates_in_names_are_no_dnscat2() {
    // Look-ups of files by their hashes: nothing stays the same.
    let hashes: Vec<_> = [
        "0ab801a621c362010a33.reputation.example.com",
        "77d503b721c362010a44.reputation.example.com",
        "19d502c921c362010a55.reputation.example.com",
        "40d501d421c362010a66.reputation.example.com",
    ]
    .map(|name| (A, name))
    .to_vec();
    check(&hashes, &[]);
    // A date in front: the number that must change stays the same.
    let dates: Vec<_> = [
        "20260124080001.cdn.example.com",
        "20260124080002.cdn.example.com",
        "20260124080003.cdn.example.com",
        "20260124080004.cdn.example.com",
        "20260124080005.cdn.example.com",
    ]
    .map(|name| (A, name))
    .to_vec();
    check(&dates, &[]);
}

#[test]
fn dns2tcp_names_its_commands() {
    check(
        &[(TXT, "4VcAAAAA.=auth.t.example.net")],
        &["tunnel.dns.dns2tcp"],
    );
    check(&[(A, "4VcAAAAA.=auth.t.example.net")], &[]);
    check(&[(TXT, "auth.t.example.net")], &[]);
}

#[test]
fn threads_are_bounded() {
    let home = HomeNetworks::default();
    let around = Around { home: &home };
    let mut tunnels = DnsTunnels::default();
    let mut found = Vec::new();
    for session in 1..2000_u16 {
        let query = format!("1234{:02x}{session:04x}01020304.example.org", 1);
        tunnels.observe(&fact(TXT, &query), &around, &mut found);
    }
    assert_eq!(tunnels.suspects.len(), MAX_SUSPECTS);
    assert!(found.is_empty());
}
