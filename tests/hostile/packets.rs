//! Packets made here: raw IPv4, with as little in the headers as the engine needs.

use crate::support::capture::Frame;

/// A conversation of two hosts over TCP or UDP.
pub(crate) struct Flow {
    ports: [u16; 2],
    addresses: [[u8; 4]; 2],
    seq: [u32; 2],
    pub(crate) at_ns: i64,
}

impl Flow {
    /// The n-th flow, from another client each, to this port.
    pub(crate) fn new(n: u32, port: u16) -> Self {
        let [_, a, b, c] = n.to_be_bytes();
        Self {
            ports: [1024 + (n >> 24) as u16 + (n % 50_000) as u16, port],
            addresses: [[10, a, b, c], [192, 0, 2, 1]],
            seq: [1, 1],
            at_ns: 1_700_000_000_000_000_000,
        }
    }

    /// The next segment of a side: 0 is the client.
    pub(crate) fn tcp(&mut self, side: usize, octets: &[u8]) -> Frame {
        let frame = self.segment(side, self.seq[side], 0x18, octets);
        self.seq[side] = self.seq[side].wrapping_add(octets.len() as u32);
        frame
    }

    /// A segment with any sequence number and flags.
    pub(crate) fn segment(&self, side: usize, seq: u32, flags: u8, octets: &[u8]) -> Frame {
        let mut header = Vec::with_capacity(20 + octets.len());
        for port in [self.ports[side], self.ports[1 - side]] {
            header.extend_from_slice(&port.to_be_bytes());
        }
        header.extend_from_slice(&seq.to_be_bytes());
        header.extend_from_slice(&self.seq[1 - side].to_be_bytes());
        header.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        header.extend_from_slice(octets);
        self.ip(side, 6, 0, 0, &header)
    }

    /// A datagram of a side.
    pub(crate) fn udp(&self, side: usize, octets: &[u8]) -> Frame {
        let mut header = Vec::with_capacity(8 + octets.len());
        let length = 8 + octets.len() as u16;
        for field in [self.ports[side], self.ports[1 - side], length, 0] {
            header.extend_from_slice(&field.to_be_bytes());
        }
        header.extend_from_slice(octets);
        self.ip(side, 17, 0, 0, &header)
    }

    /// An IP packet; `fragment` is the field of flags and offset.
    pub(crate) fn ip(
        &self,
        side: usize,
        protocol: u8,
        id: u16,
        fragment: u16,
        payload: &[u8],
    ) -> Frame {
        let mut octets = Vec::with_capacity(20 + payload.len());
        octets.extend_from_slice(&[0x45, 0]);
        octets.extend_from_slice(&(20 + payload.len() as u16).to_be_bytes());
        octets.extend_from_slice(&id.to_be_bytes());
        octets.extend_from_slice(&fragment.to_be_bytes());
        octets.extend_from_slice(&[64, protocol, 0, 0]);
        octets.extend_from_slice(&self.addresses[side]);
        octets.extend_from_slice(&self.addresses[1 - side]);
        octets.extend_from_slice(payload);
        Frame {
            at_ns: self.at_ns,
            link: 101,
            wire_len: octets.len() as u32,
            octets,
        }
    }
}
