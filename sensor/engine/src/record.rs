//! Records: the public form of what was found (design, "Records"). NDJSON, one `schema_version`, fields in this order.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use sha1::{Digest, Sha1};
use time::OffsetDateTime;
use time::macros::format_description;

use terrier_wire::transport::is_icmp_pair;

use crate::observation::{Endpoint, FlowEnd, FlowRef, Observation, Transport};
use std::net::IpAddr;

/// The version in every record. Within it fields are only added.
pub const SCHEMA_VERSION: u32 = 1;

/// A time as records write it: UTC, microseconds, `2026-11-24T10:00:00.000001Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(
    /// Nanoseconds since 1970.
    pub i64,
);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z"
        );
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0))
            .ok()
            .and_then(|at| at.format(format).ok())
            .ok_or(fmt::Error)?;
        f.write_str(&text)
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
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
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
    format!("1:{}", BASE64.encode(hash.finalize()))
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

impl Serialize for ObservationRecord<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let observation = self.observation;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", "observation")?;
        map.serialize_entry("schema_version", &SCHEMA_VERSION)?;
        map.serialize_entry("ts", &Timestamp(observation.at_ns))?;
        map.serialize_entry("flow", &FlowObject(&observation.flow))?;
        map.serialize_entry("frames", observation.frames.numbers())?;
        map.serialize_entry("protocol", self.protocol)?;
        observation.fact.write_body(&mut map)?;
        map.end()
    }
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
