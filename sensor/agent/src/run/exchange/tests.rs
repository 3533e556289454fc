use super::*;

fn packet(at_ns: i64, octets: &[u8]) -> Packet<'_> {
    Packet {
        at_ns,
        seq: 0,
        capture: 3,
        frame: 1,
        link: LinkType::ETHERNET,
        wire_len: octets.len() as u32,
        octets,
    }
}

fn looked_at(exchange: &mut Exchange) -> Vec<(i64, Vec<u8>)> {
    let mut seen = Vec::new();
    exchange.look(3, |packets| {
        assert!(packets.len() <= 3);
        seen.extend(
            packets
                .iter()
                .map(|packet| (packet.at_ns, packet.octets.to_vec())),
        );
    });
    seen
}

fn none_lost(exchange: &mut Exchange) {
    exchange.send(|_| panic!("there is room"));
}

#[test]
fn packets_of_several_workers_are_looked_at_in_the_order_of_capture() {
    let mut all = Exchange::among(3, 1 << 20);
    for at in [1, 4, 7] {
        all[0].put(&packet(at, &[0]), 0b100);
    }
    none_lost(&mut all[0]);
    for at in [2, 3, 8] {
        all[1].put(&packet(at, &[1]), 0b100);
    }
    none_lost(&mut all[1]);
    all[2].put(&packet(5, &[2]), 0b101);
    none_lost(&mut all[2]);
    all[0].sent_through(7);
    all[1].sent_through(8);
    assert_eq!(
        looked_at(&mut all[2]),
        [],
        "it may have looked at nothing itself"
    );
    all[2].sent_through(6);
    let seen = looked_at(&mut all[2]);
    let times: Vec<i64> = seen.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [1, 2, 3, 4, 5]);
    assert_eq!(seen[1].1, [1]);
    assert_eq!(looked_at(&mut all[0]), [(5, vec![2])]);
    assert_eq!(looked_at(&mut all[1]), []);
    for exchange in &all {
        exchange.sent_through(i64::MAX);
    }
    assert_eq!(looked_at(&mut all[2]).len(), 2);
    assert!(all[0].is_over());
}

#[test]
fn what_finds_no_room_is_told_and_room_comes_back() {
    let mut all = Exchange::among(2, 1_000);
    let octets = [0; 300];
    let mut lost = 0;
    for at in 0..4 {
        all[0].put(&packet(at, &octets), 0b10);
        all[0].send(|capture| {
            assert_eq!(capture, 3);
            lost += 1;
        });
    }
    assert_eq!(lost, 2);
    // With its queue more than half full a worker waits for nobody.
    assert_eq!(looked_at(&mut all[1]).len(), 2);
    all[0].put(&packet(9, &octets), 0b10);
    none_lost(&mut all[0]);
    assert_eq!(
        looked_at(&mut all[1]),
        [],
        "there is room, and so time to wait"
    );
}

#[test]
fn a_worker_that_has_ended_takes_nothing() {
    let mut all = Exchange::among(2, 1_000);
    drop(all.pop());
    let mut lost = 0;
    all[0].put(&packet(1, &[1]), 0b10);
    all[0].send(|_| lost += 1);
    assert_eq!(lost, 1);
}
