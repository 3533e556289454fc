//! Who is there: clients in 10.0.0.0/9 and 2001:db8:1::/48, servers in 198.18.0.0/15 (RFC 2544) and 2001:db8:2::/48.

use crate::chance::Chance;
use crate::frame::{Addresses, Ends};

#[derive(Debug)]
pub(crate) struct Network {
    /// How many ports each client has used.
    used: Vec<u16>,
}

/// Which IP a flow uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ip {
    /// Version 4.
    Four,
    /// Version 6 in 8 flows of 100.
    Either,
}

impl Network {
    pub(crate) fn new(chance: &mut Chance, clients: usize) -> Self {
        let used = (0..clients).map(|_| chance.below(PORTS) as u16).collect();
        Self { used }
    }

    pub(crate) fn client(&self, chance: &mut Chance) -> usize {
        chance.below(self.used.len())
    }

    /// The ends of a new flow: the client's next port is taken.
    pub(crate) fn ends(
        &mut self,
        chance: &mut Chance,
        client: usize,
        server: usize,
        port: u16,
        ip: Ip,
    ) -> Ends {
        let used = &mut self.used[client];
        *used = (*used + 1) % PORTS as u16;
        let six = ip == Ip::Either && chance.permille(80);
        between(client, server, [32_768 + *used, port], six)
    }

    /// One of the three servers of a name.
    pub(crate) fn server_of(chance: &mut Chance, name: &str) -> usize {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for octet in name.bytes() {
            hash = (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
        }
        1000 + (hash >> 20) as usize % 130_000 + chance.below(3)
    }
}

/// The ends of a flow between a client and a server by their numbers.
pub(crate) fn between(client: usize, server: usize, ports: [u16; 2], six: bool) -> Ends {
    let addresses = if six {
        let address = |network: u8, host: usize| {
            let mut address = [0; 16];
            address[..6].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8, 0, network]);
            address[12..].copy_from_slice(&(host as u32 + 1).to_be_bytes());
            address
        };
        Addresses::V6([address(1, client), address(2, server)])
    } else {
        let network = (client / 200) as u32;
        let inside = 0x0a00_0000 | network << 8 | (client % 200 + 10) as u32;
        let outside = 0xc612_0000 | server as u32 & 0x1_ffff;
        Addresses::V4([inside.to_be_bytes(), outside.to_be_bytes()])
    };
    let [_, second, third, fourth] = (client as u32).to_be_bytes();
    Ends {
        // One client of eight: the tagged networks of a trunk.
        vlan: client
            .is_multiple_of(8)
            .then_some(100 + (client % 16) as u16),
        client_mac: [0x02, 0, 0x0a, second, third, fourth],
        addresses,
        ports,
    }
}

/// Ports that a client uses in turn, from 32768.
const PORTS: usize = 28_000;
