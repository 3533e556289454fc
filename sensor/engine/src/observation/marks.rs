//! Protocols that are known by their octets and have little to tell.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::Side;

/// A protocol that was recognised by its octets. Its record has the protocol's name twice: `"protocol":"wireguard"` and,
/// as the name of its body, `"wireguard":{...}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// As records, counters and the signatures' kind `protocol` write it.
    pub protocol: &'static str,
    /// Which side runs the client: who speaks the client's messages, else who opened the flow.
    pub client: Side,
    /// Field names and values, in the order they are written; never a secret, never payload.
    pub details: Vec<(&'static str, String)>,
}

impl Serialize for Marks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.details.len()))?;
        for (field, value) in &self.details {
            map.serialize_entry(field, value)?;
        }
        map.end()
    }
}
