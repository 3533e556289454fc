//! What other protocols send, as far as it resembles a tool: counters, lengths, kinds and texts at the places where tools
//! have theirs. Not meant to be complete messages.

use super::Messages;
use crate::support::random::Random;

/// What carries a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Tcp,
    Udp,
    Icmp,
}

impl Over {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Icmp => 1,
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

/// A kind of conversation.
pub(crate) struct Lookalike {
    pub(crate) name: &'static str,
    pub(crate) over: Over,
    pub(crate) talk: fn(&mut Random) -> Messages,
}

const fn udp(name: &'static str, talk: fn(&mut Random) -> Messages) -> Lookalike {
    let over = Over::Udp;
    Lookalike { name, over, talk }
}

const fn tcp(name: &'static str, talk: fn(&mut Random) -> Messages) -> Lookalike {
    let over = Over::Tcp;
    Lookalike { name, over, talk }
}

const fn icmp(name: &'static str, talk: fn(&mut Random) -> Messages) -> Lookalike {
    let over = Over::Icmp;
    Lookalike { name, over, talk }
}

pub(crate) const LOOKALIKES: &[Lookalike] = &[
    udp("RTP", |chance| media(chance, &[0x80, 0x60])),
    udp("RTP with a marker", |chance| media(chance, &[0x90, 0xef])),
    udp("RTCP", |chance| media(chance, &[0x80, 0xc8])),
    udp("media of a conference", |chance| {
        let kind = [[0x05, 0x10], [0x02, 0x00], [0x04, 0x00], [0x48, 0x00]][chance.below(4)];
        media(chance, &kind)
    }),
    udp("game, counters of 64 bits, least first", |chance| {
        game(chance, |kind, channel, nth| {
            let mut head = vec![kind, 0, 0, 0];
            head.extend(channel.to_le_bytes());
            head.extend((nth + 100).to_le_bytes());
            head
        })
    }),
    udp("game, counters of 32 bits, most first", |chance| {
        game(chance, |kind, channel, nth| {
            let mut head = vec![kind, 0, 0, channel as u8];
            head.extend((nth as u32 + 100).to_be_bytes());
            head
        })
    }),
    udp("game, channel and counter", |chance| {
        game(chance, |kind, channel, nth| {
            let mut head = channel.to_be_bytes().to_vec();
            head.extend((nth as u32 + 100).to_be_bytes());
            head.push(kind);
            head
        })
    }),
    udp("questions and answers of fixed lengths", |chance| {
        let (kind, answer) = (chance.octet(), chance.octet());
        let length = [14, 38, 42, 50, 54, 70, 86][chance.below(7)];
        (0..12)
            .map(|nth| {
                let mut octets = vec![if nth % 2 == 0 { kind } else { answer }];
                octets.extend(chance.octets(length - 1 + 12 * (nth % 2)));
                (nth % 2 == 0, octets)
            })
            .collect()
    }),
    udp("NTP", |chance| {
        let mut ask = vec![0x23, 0, 6, 0xec];
        ask.extend(chance.octets(44));
        let mut answer = vec![0x24, 2, 6, 0xec];
        answer.extend(chance.octets(44));
        vec![(true, ask), (false, answer)]
    }),
    udp("SNMP", |chance| {
        let mut ask = b"\x30\x29\x02\x01\x01\x04\x06public\xa0\x1c\x02\x04".to_vec();
        ask.extend(chance.octets(4));
        ask.extend(b"\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00\x05\x00");
        vec![(true, ask.clone()), (false, ask)]
    }),
    udp("syslog", |chance| {
        lines(chance, b"<134>1 2026-01-24T10:00:00Z host app - - ", b"\n")
    }),
    udp("SIP", |chance| {
        lines(
            chance,
            b"OPTIONS sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP ",
            b"\r\n\r\n",
        )
    }),
    udp("TFTP", |chance| {
        let mut messages = vec![(
            true,
            b"\x00\x01switch.cfg\x00octet\x00blksize\x001428\x00".to_vec(),
        )];
        for block in 1..6_u16 {
            let mut data = vec![0, 3];
            data.extend(block.to_be_bytes());
            data.extend(chance.octets(512));
            messages.push((false, data));
            let [high, low] = block.to_be_bytes();
            messages.push((true, vec![0, 4, high, low]));
        }
        messages
    }),
    udp("memcached", |chance| {
        let mut ask = vec![0, chance.octet(), 0, 0, 0, 1, 0, 0];
        ask.extend(b"get session:1234\r\n");
        vec![(true, ask.clone()), (false, ask)]
    }),
    udp("DHT", |chance| {
        let mut ask = b"d1:ad2:id20:".to_vec();
        ask.extend(chance.octets(20));
        ask.extend(b"6:target20:");
        ask.extend(chance.octets(20));
        ask.extend(b"e1:q9:find_node1:t2:aa1:y1:qe");
        vec![(true, ask.clone()), (false, ask)]
    }),
    udp("uTP", |chance| {
        game(chance, |_, channel, nth| {
            let mut head = vec![0x01, 0x00, 0, channel as u8];
            head.extend((nth as u32 * 20_000).to_be_bytes());
            head.extend([0, 0, 1, 0, 0, 15, 0, 0, 0, nth as u8, 0, 1]);
            head
        })
    }),
    udp("questions to a game's server", |chance| {
        let mut answer = b"\xff\xff\xff\xff\x49\x11".to_vec();
        answer.extend(chance.text(60));
        vec![
            (true, b"\xff\xff\xff\xffTSource Engine Query\x00".to_vec()),
            (false, answer),
        ]
    }),
    udp("DNS on any port", |chance| {
        let mut ask = chance.octets(2);
        ask.extend(b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03com\x00\x00\x01\x00\x01");
        vec![(true, ask)]
    }),
    udp("CoAP", |chance| {
        let mut ask = vec![0x44, 1];
        ask.extend(chance.octets(6));
        ask.extend(b"\xb4time");
        vec![(true, ask.clone()), (false, ask)]
    }),
    udp("TURN channels", |chance| {
        (0..10)
            .map(|nth| {
                let payload = chance.octets(160);
                let mut octets = vec![0x40 + (nth % 2) as u8 * 8, 0, 0, 160];
                octets.extend(payload);
                (nth % 2 == 0, octets)
            })
            .collect()
    }),
    udp("one octet all over", constant),
    udp("lines of text", |chance| lines(chance, b"", b"\n")),
    udp("an announced address", |chance| {
        let mut octets = b"IP=192.0.2.17,PORT=".to_vec();
        octets.extend((1000 + chance.below(60_000)).to_string().into_bytes());
        vec![(true, octets)]
    }),
    udp("JSON", |chance| {
        lines(chance, b"{\"id\":17,\"name\":\"", b"\"}")
    }),
    udp("protobuf", protobuf),
    udp("msgpack", |chance| {
        let mut octets = b"\x83\xa2id\x01\xa4name\xa8".to_vec();
        octets.extend(chance.text(8));
        octets.extend(b"\xa5value\xcb");
        octets.extend(chance.octets(8));
        vec![(true, octets.clone()), (false, octets)]
    }),
    tcp("one octet all over", constant),
    tcp("lines of text", |chance| lines(chance, b"", b"\r\n")),
    tcp("JSON", |chance| {
        lines(
            chance,
            b"{\"version\":\"1\",\"os\":\"linux\",\"text\":\"",
            b"\"}\n",
        )
    }),
    tcp("JSON behind eight octets of length", |chance| {
        let text = [b"{\"run_id\":\"", &chance.text(40)[..], b"\"}"].concat();
        let mut octets = vec![b"abcdefghijklmnop"[chance.below(16)]];
        octets.extend((text.len() as u64).to_be_bytes());
        octets.extend(text);
        vec![(true, octets.clone()), (false, octets)]
    }),
    tcp("protobuf behind its length", |chance| {
        protobuf(chance)
            .into_iter()
            .map(|(side, octets)| {
                let mut framed = vec![octets.len() as u8];
                framed.extend(octets);
                (side, framed)
            })
            .collect()
    }),
    tcp("frames behind their length", |chance| {
        (0..8)
            .map(|nth| {
                let length = chance.below(200) + 1;
                let mut octets = (length as u32).to_be_bytes().to_vec();
                octets.extend(chance.octets(length));
                (nth % 2 == 0, octets)
            })
            .collect()
    }),
    tcp("frames behind a short length", |chance| {
        (0..8)
            .map(|nth| {
                let length = chance.below(100) + 1;
                let mut octets = (length as u16).to_be_bytes().to_vec();
                octets.extend(chance.octets(length));
                (nth % 2 == 0, octets)
            })
            .collect()
    }),
    tcp("texts with a zero behind", |chance| {
        let count = 2 + chance.below(5);
        let mut octets = if chance.one_in(2) {
            vec![0]
        } else {
            // With a port in front nobody can tell three texts from a request of rsh.
            b"0\0".to_vec()
        };
        for _ in 0..count {
            let length = 1 + chance.below(12);
            octets.extend(chance.text(length));
            octets.push(0);
        }
        vec![(true, octets), (false, vec![chance.octet() & 1, 0, 0, 1])]
    }),
    tcp("pictures and sound behind ff", |chance| {
        let mut octets = vec![0xff, 0xf0 | (chance.octet() & 0x0f), chance.octet() & 0x3f];
        octets.extend(chance.octets(800));
        vec![
            (true, octets),
            (false, chance.octets(3000)),
            (false, chance.octets(1000)),
        ]
    }),
    tcp("MQTT", |chance| {
        let mut ask = b"\x10\x16\x00\x04MQTT\x04\x02\x00\x3c\x00\x0a".to_vec();
        ask.extend(chance.text(10));
        vec![
            (true, ask),
            (false, vec![0x20, 2, 0, 0]),
            (true, vec![0xc0, 0]),
            (false, vec![0xd0, 0]),
        ]
    }),
    tcp("Modbus", |chance| {
        (0..8_u8)
            .flat_map(|nth| {
                let ask = vec![0, nth, 0, 0, 0, 6, 1, 3, 0, chance.octet(), 0, 2];
                let mut answer = vec![0, nth, 0, 0, 0, 7, 1, 3, 4];
                answer.extend(chance.octets(4));
                [(true, ask), (false, answer)]
            })
            .collect()
    }),
    tcp("SMB", |chance| {
        let mut ask = b"\x00\x00\x00\x45\xffSMB\x72\x00\x00\x00\x00\x18\x53\xc8".to_vec();
        ask.extend(chance.octets(53));
        vec![(true, ask.clone()), (false, ask)]
    }),
    tcp("Kerberos", |chance| {
        let mut ask =
            b"\x00\x00\x00\x84\x6a\x81\x81\x30\x7f\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a"
                .to_vec();
        ask.extend(chance.octets(117));
        vec![(true, ask.clone()), (false, ask)]
    }),
    tcp("LDAP", |chance| {
        let mut ask = b"\x30\x2d\x02\x01\x01\x60\x28\x02\x01\x03\x04\x17cn=".to_vec();
        ask.extend(chance.text(20));
        vec![
            (true, ask),
            (
                false,
                b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00".to_vec(),
            ),
        ]
    }),
    tcp("BitTorrent", |chance| {
        let mut ask = b"\x13BitTorrent protocol\x00\x00\x00\x00\x00\x10\x00\x05".to_vec();
        ask.extend(chance.octets(40));
        vec![(true, ask.clone()), (false, ask)]
    }),
    tcp("MySQL", |chance| {
        let mut greeting = b"\x4a\x00\x00\x00\x0a8.0.36\x00".to_vec();
        greeting.extend(chance.octets(66));
        let mut answer = b"\xb4\x00\x00\x01\x8d\xa6\xff\x19\x00\x00\x00\x01\xff".to_vec();
        answer.extend([0; 23]);
        answer.extend(b"root\x00\x20");
        vec![(false, greeting), (true, answer)]
    }),
    tcp("PostgreSQL", |_| {
        vec![
            (true, b"\x00\x00\x00\x08\x04\xd2\x16\x2f".to_vec()),
            (false, b"N".to_vec()),
            (
                true,
                b"\x00\x00\x00\x21\x00\x03\x00\x00user\x00app\x00database\x00db\x00\x00".to_vec(),
            ),
            (false, b"R\x00\x00\x00\x08\x00\x00\x00\x00".to_vec()),
        ]
    }),
    tcp("Redis", |chance| {
        lines(chance, b"*2\r\n$3\r\nGET\r\n$5\r\n", b"\r\n")
    }),
    tcp("MongoDB", |chance| {
        let mut ask = b"\x3a\x00\x00\x00".to_vec();
        ask.extend(chance.octets(4));
        ask.extend(b"\x00\x00\x00\x00\xd4\x07\x00\x00\x00\x00\x00\x00admin.$cmd\x00\x00\x00\x00\x00\xff\xff\xff\xff");
        vec![(true, ask.clone()), (false, ask)]
    }),
    tcp("Kafka", |chance| {
        let mut ask =
            b"\x00\x00\x00\x24\x00\x12\x00\x03\x00\x00\x00\x01\x00\x0aconsumer-1".to_vec();
        ask.extend(chance.octets(16));
        vec![(true, ask.clone()), (false, ask)]
    }),
    tcp("Cassandra", |chance| {
        let mut ask = vec![4, 0, 0, 0, 1, 0, 0, 0, 22];
        ask.extend(b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0");
        let mut answer = vec![0x84, 0, 0, 0, 2, 0, 0, 0, 4];
        answer.extend(chance.octets(4));
        vec![(true, ask), (false, answer)]
    }),
    tcp("four, one, a port and an address", |chance| {
        let mut octets = vec![4, 1];
        octets.extend(chance.octets(6));
        octets.push(0);
        let length = chance.below(60);
        octets.extend(chance.octets(length));
        vec![(true, octets), (false, chance.octets(40))]
    }),
    icmp("ping of Linux", |chance| {
        let mut payload = chance.octets(8);
        payload.extend([0; 8]);
        payload.extend(0x10..0x38);
        vec![(true, payload.clone()), (false, payload)]
    }),
    icmp("ping of Windows", |_| {
        let payload = b"abcdefghijklmnopqrstuvwabcdefghi".to_vec();
        vec![(true, payload.clone()), (false, payload)]
    }),
    icmp("large pings of one octet", |chance| {
        let payload = vec![chance.octet(); 56 + chance.below(1400)];
        vec![
            (true, payload.clone()),
            (false, payload.clone()),
            (true, payload.clone()),
            (false, payload),
        ]
    }),
    icmp("pings with a text", |chance| {
        let mut payload = b"hans is here, and so is an IP packet: E".to_vec();
        payload.extend(chance.text(60));
        vec![(true, payload.clone()), (false, payload)]
    }),
    icmp("pings that begin like a packet", |chance| {
        let mut payload = b"\x45\x00\x00\x40\x00\x00\x40\x00\x40\x11".to_vec();
        payload.extend(chance.octets(54));
        vec![
            (true, payload.clone()),
            (false, payload.clone()),
            (true, payload),
        ]
    }),
];

/// Packets of both sides with a number of 16 bits, a clock, and a source.
fn media(chance: &mut Random, kind: &[u8]) -> Messages {
    let sources = [chance.octets(4), chance.octets(4)];
    let first = chance.below(60_000) as u16;
    (0..14_u16)
        .map(|nth| {
            let mut octets = kind.to_vec();
            octets.extend((first + nth / 2).to_be_bytes());
            octets.extend((u32::from(nth) * 160).to_be_bytes());
            octets.extend(&sources[usize::from(nth % 2)]);
            octets.extend(chance.octets(160));
            (nth.is_multiple_of(2), octets)
        })
        .collect()
}

/// Packets of both sides: a head of a kind, a channel and the number of the packet; then little numbers, as games have them.
fn game(chance: &mut Random, head: fn(u8, u32, u64) -> Vec<u8>) -> Messages {
    // The kinds that tools have are met most.
    let kind = [1, 2, 3, 4, 0x38, 0x40, 0x48, chance.octet()][chance.below(8)];
    let channel = if chance.one_in(2) {
        1 + chance.below(9) as u32
    } else {
        chance.next() as u32
    };
    let length = [16, 20, 32, 64, 100][chance.below(5)];
    let both = chance.one_in(2);
    (0..16_u64)
        .map(|nth| {
            let mut octets = head(kind, channel, nth);
            for _ in 0..length / 4 {
                octets.extend([
                    chance.octet() & 3,
                    0,
                    0,
                    if chance.one_in(4) { 0x3f } else { 0 },
                ]);
            }
            (!both || nth.is_multiple_of(2), octets)
        })
        .collect()
}

/// The same octet, the same length, now and then.
fn constant(chance: &mut Random) -> Messages {
    let octet = if chance.one_in(3) { 0 } else { chance.octet() };
    let length = chance.length();
    (0..8)
        .map(|nth| (nth % 2 == 0, vec![octet; length]))
        .collect()
}

fn lines(chance: &mut Random, before: &[u8], after: &[u8]) -> Messages {
    (0..6)
        .map(|nth| {
            let length = chance.length();
            (
                nth % 2 == 0,
                [before, &chance.text(length)[..], after].concat(),
            )
        })
        .collect()
}

/// One of several messages inside another, as services have it: a name, perhaps a number.
fn protobuf(chance: &mut Random) -> Messages {
    let length = 4 + chance.below(12);
    let name: Vec<u8> = chance
        .text(length)
        .into_iter()
        .filter(u8::is_ascii_alphanumeric)
        .collect();
    let mut inner = vec![10, name.len() as u8];
    inner.extend(name);
    match chance.below(3) {
        0 => inner.extend([0x10, chance.octet() & 0x7f]),
        1 => {
            inner.extend([0x12, 4]);
            inner.extend(chance.octets(4));
        }
        _ => {}
    }
    let mut octets = vec![(1 + chance.below(15) as u8) << 3 | 2, inner.len() as u8];
    octets.extend(inner);
    vec![(true, octets.clone()), (false, octets)]
}
