//! Tunnels: in DNS, in ICMP, WireGuard, OpenVPN.

use crate::chance::Chance;
use crate::dns::{Kind, Question};
use crate::frame::Ends;
use crate::script::Script;
use crate::script::Side::{self, Client, Server};
use crate::stock::Stock;

/// Data in the names of TXT queries and in their answers.
pub(crate) fn dns(chance: &mut Chance, ends: Ends, mut at: u64, count: usize) -> Script {
    let mut script = Script::new(chance, ends);
    for _ in 0..count {
        let mut label = || -> String {
            (0..56)
                .map(|_| char::from(*chance.pick(BASE32)))
                .collect::<String>()
        };
        let name = format!("{}.{}.t.tunnel-example.net", label(), label());
        let question = Question::new(chance.next() as u16, &name, Kind::Txt, false);
        script.datagram(at, Client, &question.query());
        let text: Vec<u8> = (0..240).map(|_| *chance.pick(BASE32)).collect();
        script.datagram(at + 20_000_000, Server, &question.text_reply(&text));
        at += (30e6 * (0.5 + chance.part())) as u64;
    }
    script.sorted()
}

/// Long echoes with other octets each way.
pub(crate) fn icmp(
    chance: &mut Chance,
    stock: &Stock,
    ends: Ends,
    mut at: u64,
    count: usize,
) -> Script {
    let mut script = Script::new(chance, ends);
    for number in 0..count {
        for (side, after) in [(Client, 0), (Server, 10_000_000)] {
            let body = stock.random(chance, 1000);
            script.echo(at + after, side, number as u16, body);
        }
        at += 20_000_000;
    }
    script.sorted()
}

/// The handshake of WireGuard, then data: a third of it the client's.
pub(crate) fn wireguard(
    chance: &mut Chance,
    stock: &Stock,
    ends: Ends,
    mut at: u64,
    count: usize,
) -> Script {
    let mut script = Script::new(chance, ends);
    let indices: [[u8; 4]; 2] = [chance.array(), chance.array()];
    let mut initiation = [&[1, 0, 0, 0][..], &indices[0]].concat();
    chance.extend(&mut initiation, 108 + 16);
    initiation.extend_from_slice(&[0; 16]);
    script.datagram(at, Client, &initiation);
    let mut response = [&[2, 0, 0, 0][..], &indices[1], &indices[0]].concat();
    chance.extend(&mut response, 48 + 16);
    response.extend_from_slice(&[0; 16]);
    script.datagram(at + 20_000_000, Server, &response);
    at += 30_000_000;
    let mut counters = [0_u64; 2];
    for number in 0..count {
        let (side, size) = of_data(number);
        let counter = &mut counters[side.index()];
        let head = [
            &[4, 0, 0, 0][..],
            &indices[side.other().index()],
            &counter.to_le_bytes(),
        ]
        .concat();
        *counter += 1;
        let body = stock.random(chance, size);
        script.datagram_of(at, side, &head, body);
        at += 2_000_000;
    }
    script.sorted()
}

/// The first two control messages of OpenVPN, then data.
pub(crate) fn openvpn(
    chance: &mut Chance,
    stock: &Stock,
    ends: Ends,
    mut at: u64,
    count: usize,
) -> Script {
    let mut script = Script::new(chance, ends);
    let sessions: [[u8; 8]; 2] = [chance.array(), chance.array()];
    let reset = [&[0x38][..], &sessions[0], &[0; 5]].concat();
    script.datagram(at, Client, &reset);
    let answer = [
        &[0x40][..],
        &sessions[1],
        &[1, 0, 0, 0, 0],
        &sessions[0],
        &[0; 4],
    ]
    .concat();
    script.datagram(at + 20_000_000, Server, &answer);
    at += 30_000_000;
    for number in 0..count {
        let (side, size) = of_data(number);
        let head = [&[0x48, 0, 0, 1][..], &(number as u32).to_be_bytes()].concat();
        let body = stock.random(chance, size);
        script.datagram_of(at, side, &head, body);
        at += 2_000_000;
    }
    script.sorted()
}

/// Every third packet acknowledges.
const fn of_data(number: usize) -> (Side, u16) {
    match number % 3 {
        0 => (Client, 84),
        _ => (Server, 1220),
    }
}

const BASE32: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";
