//! Records: the public form of what was found (design, "Records"). NDJSON, one `schema_version`, fields in this order.

mod line;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use sha1::{Digest, Sha1};
use time::Date;
use time::macros::date;

use terrier_wire::transport::is_icmp_pair;

use std::net::IpAddr;

use crate::observation::{Endpoint, FlowEnd, FlowRef, Observation, Transport};

/// The version in every record. Within it fields are only added.
pub const SCHEMA_VERSION: u32 = 1;

const UNIX_EPOCH: Date = date!(1970 - 01 - 01);

/// A time as records write it: UTC, microseconds, `2026-11-24T10:00:00.000001Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(
    /// Nanoseconds since 1970.
    pub i64,
);

impl Timestamp {
    /// How long its text is.
    const LENGTH: usize = "2026-11-24T10:00:00.000001Z".len();

    /// Every time that 64 bits of nanoseconds can say has a year of four digits.
    fn text(self) -> [u8; Self::LENGTH] {
        let seconds = self.0.div_euclid(1_000_000_000);
        let micros = self.0.rem_euclid(1_000_000_000) / 1_000;
        let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let date =
            Date::from_julian_day(UNIX_EPOCH.to_julian_day() + day as i32).unwrap_or(Date::MIN);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        for (place, digits, number) in [
            (0, 4, date.year() as u32),
            (5, 2, u8::from(date.month()).into()),
            (8, 2, date.day().into()),
            (11, 2, (second / 3_600) as u32),
            (14, 2, (second / 60 % 60) as u32),
            (17, 2, (second % 60) as u32),
            (20, 6, micros as u32),
        ] {
            let mut left = number;
            for digit in text[place..place + digits].iter_mut().rev() {
                *digit = b'0' + (left % 10) as u8;
                left /= 10;
            }
        }
        text
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A number that stands for an identity, as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&hex(self.0)).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// 16 hexadecimal digits.
fn hex(number: u64) -> [u8; 16] {
    let mut left = number;
    let mut text = [0; 16];
    for digit in text.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(left & 15) as usize];
        left >>= 4;
    }
    text
}

/// The `flow` object of a record.
pub struct FlowObject<'a>(pub &'a FlowRef);

impl Serialize for FlowObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let flow = self.0;
        let mut map = serializer.serialize_map(Some(10))?;
        map.serialize_entry("id", &Id(flow.id))?;
        map.serialize_entry("orig_h", &flow.orig.ip)?;
        map.serialize_entry("orig_p", &flow.orig.port)?;
        map.serialize_entry("resp_h", &flow.resp.ip)?;
        map.serialize_entry("resp_p", &flow.resp.port)?;
        map.serialize_entry("transport", &flow.transport)?;
        map.serialize_entry("community_id", &community_id(flow))?;
        map.serialize_entry("vlan", &flow.vlan)?;
        map.serialize_entry("vni", &flow.vni)?;
        map.serialize_entry("oriented", &flow.oriented)?;
        map.end()
    }
}

/// Community ID version 1 with seed 0 (Corelight's specification): the same text in every tool for the same flow. Protocols
/// without ports have only the addresses; an ICMP message that is not answered by another one keeps its direction.
#[must_use]
pub fn community_id(flow: &FlowRef) -> String {
    format!("1:{}", BASE64.encode(community_hash(flow)))
}

fn community_hash(flow: &FlowRef) -> [u8; 20] {
    let one_way = match flow.transport {
        Transport::Icmp => !is_icmp_pair(false, flow.orig.port),
        Transport::Icmp6 => !is_icmp_pair(true, flow.orig.port),
        _ => false,
    };
    let (low, high) = if one_way || sorted(&flow.orig) <= sorted(&flow.resp) {
        (flow.orig, flow.resp)
    } else {
        (flow.resp, flow.orig)
    };
    let mut hash = Sha1::new();
    hash.update(0_u16.to_be_bytes());
    for end in [low, high] {
        match end.ip {
            IpAddr::V4(v4) => hash.update(v4.octets()),
            IpAddr::V6(v6) => hash.update(v6.octets()),
        }
    }
    hash.update([flow.transport.number(), 0]);
    if flow.transport.has_ports() {
        hash.update(low.port.to_be_bytes());
        hash.update(high.port.to_be_bytes());
    }
    hash.finalize().into()
}

fn sorted(end: &Endpoint) -> (IpAddr, u16) {
    (end.ip, end.port)
}

/// An observation record.
pub struct ObservationRecord<'a> {
    /// The observation.
    pub observation: &'a Observation,
    /// Its `protocol`, as its fact names it.
    pub protocol: &'static str,
}

/// A flow record.
pub struct FlowRecord<'a> {
    /// The flow.
    pub flow: &'a FlowRef,
    /// How it ended.
    pub end: &'a FlowEnd,
    /// Name of the responder and what told it, where one is known.
    pub name: Option<(&'a str, crate::detect::NameSource)>,
}

impl Serialize for FlowRecord<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let end = self.end;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", "flow")?;
        map.serialize_entry("schema_version", &SCHEMA_VERSION)?;
        map.serialize_entry("ts", &Timestamp(end.last_ns))?;
        map.serialize_entry("flow", &FlowObject(self.flow))?;
        map.serialize_entry("first_seen", &Timestamp(end.first_ns))?;
        map.serialize_entry("last_seen", &Timestamp(end.last_ns))?;
        map.serialize_entry("packets", &end.packets)?;
        map.serialize_entry("bytes", &end.bytes)?;
        map.serialize_entry("name", &self.name.map(|(name, _)| name))?;
        map.serialize_entry("name_source", &self.name.map(|(_, source)| source))?;
        map.serialize_entry("service", &end.service)?;
        map.serialize_entry("end", &end.end)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Oriented, Transport, VlanTags};

    fn flow(orig: (&str, u16), resp: (&str, u16), transport: Transport) -> FlowRef {
        let end = |(ip, port): (&str, u16)| Endpoint {
            ip: ip.parse().unwrap(),
            port,
        };
        FlowRef {
            id: 0x00ab,
            opened: 1,
            orig: end(orig),
            resp: end(resp),
            transport,
            vlan: VlanTags::default(),
            vni: None,
            oriented: Oriented::Syn,
        }
    }

    #[test]
    fn community_ids_agree_with_the_published_examples() {
        // The baseline of Corelight's reference implementation.
        let cases = [
            (
                ("128.232.110.120", 34855),
                ("66.35.250.204", 80),
                Transport::Tcp,
                "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
            ),
            (
                ("192.168.1.52", 54585),
                ("8.8.8.8", 53),
                Transport::Udp,
                "1:d/FP5EW3wiY1vCndhwleRRKHowQ=",
            ),
        ];
        for (orig, resp, transport, want) in cases {
            assert_eq!(community_id(&flow(orig, resp, transport)), want);
            assert_eq!(
                community_id(&flow(resp, orig, transport)),
                want,
                "the other direction"
            );
        }
    }

    #[test]
    fn community_ids_of_protocols_without_ports_agree_with_the_reference() {
        // From `communityid` 1.5 of PyPI, by the author of the specification.
        for (orig, resp, transport, want) in [
            // Unreachable, code 1: it has no answer and keeps its direction.
            (
                ("10.0.0.1", 3),
                ("10.0.0.2", 1),
                Transport::Icmp,
                "1:gkoOC4ouXvyYq0Ek/WqwbLoqcxM=",
            ),
            (
                ("10.0.0.2", 3),
                ("10.0.0.1", 1),
                Transport::Icmp,
                "1:JHjlyD5IJJjl3wHWOMj46lLWZag=",
            ),
            (
                ("fe80::1", 128),
                ("fe80::2", 129),
                Transport::Icmp6,
                "1:3H+V/JVcqh/phPel5utt4dOKqOU=",
            ),
            (
                ("fe80::2", 129),
                ("fe80::1", 128),
                Transport::Icmp6,
                "1:3H+V/JVcqh/phPel5utt4dOKqOU=",
            ),
            (
                ("fe80::200:86ff:fe05:80da", 135),
                ("fe80::260:97ff:fe07:69ea", 136),
                Transport::Icmp6,
                "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=",
            ),
            (
                ("192.168.170.8", 7),
                ("192.168.170.56", 80),
                Transport::Other(132),
                "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ=",
            ),
            (
                ("192.0.2.1", 0),
                ("192.0.2.9", 0),
                Transport::Other(50),
                "1:TjSQaK1rEllH7MxriPEhSUN9/j4=",
            ),
            (
                ("fe80::9", 0),
                ("fe80::2", 0),
                Transport::Other(47),
                "1:xHHH0MhcbLMCVQQGlc0nn7VDm7w=",
            ),
            (
                ("10.0.0.1", 0),
                ("224.0.0.13", 0),
                Transport::Other(103),
                "1:9MN8MztCKy68p776NNIrzveuvg8=",
            ),
        ] {
            assert_eq!(
                community_id(&flow(orig, resp, transport)),
                want,
                "{transport} {orig:?}"
            );
        }
    }

    #[test]
    fn transports_are_named_or_numbered() {
        let name = |number| Transport::of(number).to_string();
        assert_eq!(
            [6, 17, 1, 58, 47, 50, 51, 132].map(name),
            ["tcp", "udp", "icmp", "icmp6", "gre", "esp", "ah", "sctp"]
        );
        assert_eq!(name(89), "ip-89");
    }

    #[test]
    fn times_have_microseconds_and_may_lie_before_1970() {
        assert_eq!(
            Timestamp(1_764_000_000_000_001_999).to_string(),
            "2025-11-24T16:00:00.000001Z"
        );
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59.999999Z");
        assert_eq!(
            Timestamp(i64::MAX).to_string(),
            "2262-04-11T23:47:16.854775Z"
        );
    }

    #[test]
    fn a_flow_object_has_the_fields_of_the_design() {
        let text = serde_json::to_string(&FlowObject(&flow(
            ("10.0.0.1", 1),
            ("10.0.0.2", 5900),
            Transport::Tcp,
        )))
        .unwrap();
        assert!(text.starts_with(
            r#"{"id":"00000000000000ab","orig_h":"10.0.0.1","orig_p":1,"resp_h":"10.0.0.2","resp_p":5900,"transport":"tcp","community_id":"1:"#
        ));
        assert!(text.ends_with(r#""vlan":[],"vni":null,"oriented":"syn"}"#));
    }
}
