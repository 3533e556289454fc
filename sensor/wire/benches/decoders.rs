//! What one message costs in each decoder that most packets or most flows meet. Run by `cargo bench`.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use terrier_traffic::{Addresses, Chance, DnsKind, Ends, Hello, Question, Segment, Side as Of};
use terrier_wire::quic::Session as Quic;
use terrier_wire::tls::Session as Tls;
use terrier_wire::{Side, Step, decap, dns};

fn main() {
    divan::main();
}

/// Messages that a decoder sees in turn, so that no branch is always right.
const DIFFERENT: usize = 64;

fn questions() -> Vec<Question> {
    let mut chance = Chance::new(1);
    (0..DIFFERENT)
        .map(|number| {
            let kind = *chance.pick(&[DnsKind::A, DnsKind::A, DnsKind::Aaaa, DnsKind::Https]);
            let name = format!("edge{number}.static.example-{}.com", chance.below(1000));
            Question::new(chance.next() as u16, &name, kind, number % 2 == 0)
        })
        .collect()
}

#[divan::bench]
fn dns_query(bencher: Bencher<'_, '_>) {
    let queries: Vec<Vec<u8>> = questions().iter().map(Question::query).collect();
    walk_each(bencher, &queries);
}

#[divan::bench]
fn dns_reply(bencher: Bencher<'_, '_>) {
    let mut chance = Chance::new(2);
    let replies: Vec<Vec<u8>> = questions()
        .iter()
        .map(|question| question.reply(&mut chance))
        .collect();
    walk_each(bencher, &replies);
}

/// Question, records and the typed data of each.
fn walk_each(bencher: Bencher<'_, '_>, messages: &[Vec<u8>]) {
    bencher
        .counter(ItemsCount::new(messages.len()))
        .bench_local(|| {
            for octets in messages {
                let Step::Done(message, _) = dns::message(black_box(octets)) else {
                    unreachable!("whole messages");
                };
                let mut walk = message.walk();
                while let Some(question) = walk.question() {
                    black_box(&question);
                }
                while let Some(record) = walk.record() {
                    black_box(&record.data());
                }
            }
        });
}

#[divan::bench(args = [Hello::Plain, Hello::PostQuantum])]
fn client_hello(bencher: Bencher<'_, '_>, kind: Hello) {
    let mut chance = Chance::new(3);
    let hellos: Vec<Vec<u8>> = (0..DIFFERENT)
        .map(|number| {
            let name = format!("www.example-{number}.com");
            terrier_traffic::tls_record(
                22,
                &terrier_traffic::client_hello(&mut chance, &name, kind),
            )
        })
        .collect();
    bencher
        .counter(ItemsCount::new(hellos.len()))
        .bench_local(|| {
            let mut told = 0;
            for hello in &hellos {
                let mut session = Tls::default();
                // As TCP brings it: the second segment of a long one is the rest.
                for segment in hello.chunks(1448) {
                    let fed = session.feed(Side::Originator, black_box(segment), |message| {
                        black_box(&message);
                        told += 1;
                    });
                    assert!(fed.is_ok());
                }
            }
            assert_eq!(told, hellos.len());
        });
}

#[divan::bench(args = [Hello::Quic, Hello::QuicPostQuantum])]
fn quic_initial(bencher: Bencher<'_, '_>, kind: Hello) {
    let mut chance = Chance::new(4);
    let hellos: Vec<Vec<Vec<u8>>> = (0..DIFFERENT)
        .map(|number| {
            let name = format!("www.example-{number}.com");
            let connection: [u8; 8] = chance.array();
            terrier_traffic::quic_hello(&mut chance, &name, kind, &connection)
        })
        .collect();
    let datagrams: usize = hellos.iter().map(Vec::len).sum();
    bencher.counter(ItemsCount::new(datagrams)).bench_local(|| {
        let mut told = 0;
        for hello in &hellos {
            let mut session = Quic::default();
            for datagram in hello {
                let read = session.datagram(Side::Originator, black_box(datagram), |event| {
                    black_box(&event);
                    told += 1;
                });
                assert!(read.is_ok());
            }
        }
        assert!(told >= hellos.len());
    });
}

/// How a frame is wrapped.
#[derive(Debug, Clone, Copy)]
enum Around {
    Nothing,
    Vlan,
    Ipv6,
    Vxlan,
}

#[divan::bench(args = [Around::Nothing, Around::Vlan, Around::Ipv6, Around::Vxlan])]
fn decap(bencher: Bencher<'_, '_>, around: Around) {
    let frames: Vec<Vec<u8>> = (0..DIFFERENT).map(|number| frame(around, number)).collect();
    bencher
        .counter(ItemsCount::new(frames.len()))
        .bench_local(|| {
            let mut here = decap::Decapsulated::NOTHING;
            for frame in &frames {
                let read = decap::frame_into(1, black_box(frame), &mut here);
                assert!(read.is_ok() && here.stopped.is_none());
                let transport = decap::transport(&here.ip);
                assert!(matches!(black_box(transport), Ok(decap::Transport::Tcp(_))));
            }
        });
}

/// A TCP segment with half a kilobyte.
fn frame(around: Around, number: usize) -> Vec<u8> {
    let host = number as u8;
    let v4 = Addresses::V4([[10, 0, 0, host], [198, 18, host, 1]]);
    let ends = |addresses, vlan, ports| Ends {
        vlan,
        client_mac: [2, 0, 10, 0, 0, host],
        addresses,
        ports,
    };
    let segment = Segment {
        flags: terrier_traffic::ACK,
        seq: 1,
        ack: 1,
        stamps: [1, 1],
    };
    let ports = [40_000 + u16::from(host), 443];
    let inner = match around {
        Around::Ipv6 => {
            let address = |last| {
                let mut address = [0; 16];
                address[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
                address[15] = last;
                address
            };
            ends(Addresses::V6([address(host), address(255)]), None, ports)
        }
        Around::Vlan => ends(v4, Some(100), ports),
        Around::Nothing | Around::Vxlan => ends(v4, None, ports),
    };
    let mut frame = Vec::new();
    inner.segment(&mut frame, Of::Client, 1, &segment, &[0x55; 500]);
    if let Around::Vxlan = around {
        let carried = [&[8, 0, 0, 0, 0, 0, 42, 0][..], &frame].concat();
        let mut outer = Vec::new();
        ends(v4, None, [50_000, 4789]).datagram(&mut outer, Of::Client, 1, &carried);
        return outer;
    }
    frame
}
