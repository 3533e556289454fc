//! An observation as a line, written by hand as far as all observations are alike.
//!
//! Two thirds of a line say when, in which flow and in which frames. Whoever wants every observation gets hundreds of
//! thousands of them, and a general serializer looks at each octet of them twice: once for the escapes that these fields
//! cannot have. The body is what the fact says, through that serializer. That both agree is tested.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::{ObservationRecord, SCHEMA_VERSION, Timestamp, community_hash};
use crate::observation::{Fact, FlowRef, Oriented};

/// The fields of a fact, as an object.
struct Body<'a>(&'a Fact);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.0.write_body(&mut map)?;
        map.end()
    }
}

impl ObservationRecord<'_> {
    /// Appends the record, without an end of line.
    ///
    /// # Errors
    /// When the fact cannot be told as JSON, which would be a bug; what was appended is to be taken back.
    pub fn append(&self, line: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let observation = self.observation;
        line.extend_from_slice(b"{\"kind\":\"observation\",\"schema_version\":");
        number(line, SCHEMA_VERSION.into());
        line.extend_from_slice(b",\"ts\":\"");
        line.extend_from_slice(&Timestamp(observation.at_ns).text());
        line.extend_from_slice(b"\",\"flow\":");
        flow(line, &observation.flow);
        line.extend_from_slice(b",\"frames\":");
        numbers(line, observation.frames.numbers().iter().copied());
        line.extend_from_slice(b",\"protocol\":\"");
        line.extend_from_slice(self.protocol.as_bytes());
        line.push(b'"');
        let body = line.len();
        serde_json::to_writer(&mut *line, &Body(&observation.fact))?;
        // The fields go on where the object would begin.
        match line.get_mut(body..) {
            Some([first, second, ..]) if *second != b'}' => *first = b',',
            _ => {
                line.truncate(body);
                line.push(b'}');
            }
        }
        Ok(())
    }
}

fn flow(line: &mut Vec<u8>, flow: &FlowRef) {
    line.extend_from_slice(b"{\"id\":\"");
    line.extend_from_slice(&super::hex(flow.id));
    line.extend_from_slice(b"\",\"orig_h\":\"");
    address(line, flow.orig.ip);
    line.extend_from_slice(b"\",\"orig_p\":");
    number(line, flow.orig.port.into());
    line.extend_from_slice(b",\"resp_h\":\"");
    address(line, flow.resp.ip);
    line.extend_from_slice(b"\",\"resp_p\":");
    number(line, flow.resp.port.into());
    line.extend_from_slice(b",\"transport\":\"");
    let name = flow.transport.name();
    line.extend_from_slice(name.as_bytes());
    if name == "ip" {
        line.push(b'-');
        number(line, flow.transport.number().into());
    }
    line.extend_from_slice(b"\",\"community_id\":\"1:");
    let mut text = [0; 28];
    // Twenty octets are always 28 digits.
    if BASE64.encode_slice(community_hash(flow), &mut text).is_ok() {
        line.extend_from_slice(&text);
    }
    line.extend_from_slice(b"\",\"vlan\":");
    numbers(line, flow.vlan.as_slice().iter().map(|&id| id.into()));
    line.extend_from_slice(b",\"vni\":");
    match flow.vni {
        Some(vni) => number(line, vni.into()),
        None => line.extend_from_slice(b"null"),
    }
    line.extend_from_slice(match flow.oriented {
        Oriented::Syn => b",\"oriented\":\"syn\"}",
        Oriented::Guessed => b",\"oriented\":\"guessed\"}",
    });
}

fn numbers(line: &mut Vec<u8>, all: impl Iterator<Item = u64>) {
    line.push(b'[');
    for (index, one) in all.enumerate() {
        if index > 0 {
            line.push(b',');
        }
        number(line, one);
    }
    line.push(b']');
}

fn number(line: &mut Vec<u8>, number: u64) {
    line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn address(line: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            for (index, octet) in v4.octets().into_iter().enumerate() {
                if index > 0 {
                    line.push(b'.');
                }
                number(line, octet.into());
            }
        }
        IpAddr::V6(v6) => line.extend_from_slice(v6.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::super::FlowObject;
    use super::*;
    use crate::observation::{
        Endpoint, Frames, Key, Marks, Observation, Side, Transport, VlanTags,
    };

    /// The record by the general serializer.
    struct General<'a>(&'a ObservationRecord<'a>);

    impl Serialize for General<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let observation = self.0.observation;
            let mut map = serializer.serialize_map(None)?;
            map.serialize_entry("kind", "observation")?;
            map.serialize_entry("schema_version", &SCHEMA_VERSION)?;
            map.serialize_entry("ts", &Timestamp(observation.at_ns))?;
            map.serialize_entry("flow", &FlowObject(&observation.flow))?;
            map.serialize_entry("frames", observation.frames.numbers())?;
            map.serialize_entry("protocol", self.0.protocol)?;
            observation.fact.write_body(&mut map)?;
            map.end()
        }
    }

    fn address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<[u8; 4]>().prop_map(|octets| Ipv4Addr::from(octets).into()),
            any::<[u8; 16]>().prop_map(|octets| Ipv6Addr::from(octets).into()),
            Just(Ipv6Addr::from(0xffff_0a00_0001_u128).into()),
        ]
    }

    fn endpoint() -> impl Strategy<Value = Endpoint> {
        (address(), any::<u16>()).prop_map(|(ip, port)| Endpoint { ip, port })
    }

    fn flow_ref() -> impl Strategy<Value = FlowRef> {
        let vlans = prop::collection::vec(0..4096_u16, 0..5);
        let rest = (vlans, any::<Option<u32>>(), any::<bool>());
        (any::<u64>(), endpoint(), endpoint(), any::<u8>(), rest).prop_map(
            |(id, orig, resp, transport, (ids, vni, syn))| {
                let mut vlan = VlanTags::default();
                ids.into_iter().for_each(|id| vlan.push(id));
                FlowRef {
                    id,
                    opened: 1,
                    orig,
                    resp,
                    transport: Transport::of(transport),
                    vlan,
                    vni,
                    oriented: if syn {
                        Oriented::Syn
                    } else {
                        Oriented::Guessed
                    },
                }
            },
        )
    }

    proptest! {
        #[test]
        fn agrees_with_the_general_serializer(
            flow in flow_ref(),
            at_ns in any::<i64>(),
            numbers in prop::collection::btree_set(any::<u64>(), 0..20),
            details in prop::collection::vec(".{0,12}", 0..3),
        ) {
            let mut frames = Frames::default();
            for number in numbers {
                frames.add(0, number);
            }
            let fact = Fact::Marks(Marks {
                protocol: "openvpn",
                client: Side::Originator,
                details: details.into_iter().map(|text| ("detail", text)).collect(),
            });
            for fact in [fact, Fact::RdpWentOn] {
                let observation = Observation { key: Key::default(), at_ns, flow, frames: frames.clone(), fact };
                let record = ObservationRecord { observation: &observation, protocol: "openvpn" };
                let mut line = b"before\n".to_vec();
                record.append(&mut line).unwrap();
                let general = serde_json::to_string(&General(&record)).unwrap();
                prop_assert_eq!(std::str::from_utf8(&line).unwrap(), format!("before\n{general}"));
            }
        }
    }
}
