use super::super::testing::{Pcapng, put32, read_octets};
use super::*;

const ORDERS: [Order; 2] = [Order::Big, Order::Little];
const SECOND: i64 = 1_000_000_000;

#[test]
fn reads_three_kinds_of_packet_in_both_byte_orders() {
    for order in ORDERS {
        let file = Pcapng::new(order)
            .interface(1, 4, &[])
            .simple(b"0", 1)
            .enhanced(0, 1_700_000_000_000_001, b"enhanced", 60)
            .obsolete(0, 1_700_000_000_000_002, b"old", 3)
            .simple(b"simp", 1_000);
        let (seen, fault) = read_octets(&file.octets);
        assert_eq!(fault, None);
        let told: Vec<_> = seen
            .iter()
            .map(|seen| {
                (
                    seen.frame,
                    seen.at_ns,
                    seen.wire_len,
                    seen.octets.as_slice(),
                )
            })
            .collect();
        let base = 1_700_000_000 * SECOND;
        assert_eq!(
            told,
            [
                (1, 0, 1, &b"0"[..]),
                (2, base + 1_000, 60, b"enhanced"),
                (3, base + 2_000, 3, b"old"),
                (4, base + 2_000, 1_000, b"simp"),
            ]
        );
    }
}

#[test]
fn reads_interfaces_that_differ_and_sections_that_begin_again() {
    let file = Pcapng::new(Order::Big)
        .interface(1, 0, &[])
        .interface(101, 96, &[(TIME_RESOLUTION, &[9])])
        .enhanced(1, 5 * SECOND.unsigned_abs(), b"raw", 3)
        .enhanced(0, 6_000_000, b"ether", 5)
        .section(Order::Little)
        .interface(113, 0, &[])
        .enhanced(0, 7_000_000, b"cooked", 6)
        .enhanced(1, 8_000_000, b"of the other section", 20);
    let (seen, fault) = read_octets(&file.octets);
    let told: Vec<_> = seen
        .iter()
        .map(|seen| (seen.link, seen.at_ns / SECOND))
        .collect();
    assert_eq!(told, [(101, 5), (1, 6), (113, 7)]);
    let fault = fault.unwrap();
    assert_eq!((fault.frame, fault.what), (4, Damage::UnknownInterface(1)));
}

#[test]
fn understands_every_resolution_and_offset() {
    let offset = |order, seconds: i64| {
        let value = seconds.cast_unsigned();
        let (high, low) = ((value >> 32) as u32, value as u32);
        match order {
            Order::Big => [put32(order, high), put32(order, low)].concat(),
            Order::Little => [put32(order, low), put32(order, high)].concat(),
        }
    };
    let at = |resolution: u8, seconds: i64, stamp: u64| {
        let [big, little] = ORDERS.map(|order| {
            let options: &[(u16, &[u8])] = &[
                (2, b"eth0"),
                (TIME_RESOLUTION, &[resolution]),
                (TIME_OFFSET, &offset(order, seconds)),
            ];
            let file = Pcapng::new(order)
                .interface(1, 0, options)
                .enhanced(0, stamp, b"x", 1);
            read_octets(&file.octets).0[0].at_ns
        });
        assert_eq!(big, little);
        big
    };
    assert_eq!(at(3, 0, 1_500), 1_500_000_000);
    assert_eq!(at(0, 0, 7), 7 * SECOND);
    assert_eq!(at(9, 0, 7), 7);
    assert_eq!(at(12, 0, 7_999), 7);
    assert_eq!(at(0x80 | 10, 0, 1_536), 1_500_000_000);
    assert_eq!(at(0x80 | 32, 0, u64::MAX), 4_294_967_295_999_999_999);
    assert_eq!(at(6, 1_700_000_000, 5), 1_700_000_000 * SECOND + 5_000);
    assert_eq!(at(6, -1, 5), -SECOND + 5_000);
    // What is beyond the range of the type stays at its end.
    assert_eq!(at(0, 0, u64::MAX), i64::MAX);
    assert_eq!(at(0, i64::MIN, 0), i64::MIN);
    assert_eq!(at(127, 3, u64::MAX), 3 * SECOND);
    assert_eq!(at(0xff, 3, u64::MAX), 3 * SECOND);
}

#[test]
fn passes_over_blocks_of_any_length() {
    let large = vec![0xa5; 3 * MAX_BLOCK as usize + 2];
    let file = Pcapng::new(Order::Little)
        .block(4, b"names")
        .interface(1, 0, &[])
        .enhanced(0, 1, b"a", 1)
        .block(0x0bad, &large)
        .enhanced(0, 2, b"b", 1)
        .block(5, b"")
        .block(0x8000_0001, &large);
    let (seen, fault) = read_octets(&file.octets);
    assert_eq!((seen.len(), fault), (2, None));
    let (seen, fault) = read_octets(&file.octets[..file.octets.len() - 3]);
    assert_eq!(seen.len(), 2);
    let needed = u64::from(3 * MAX_BLOCK + 16);
    assert_eq!(
        fault.unwrap().what,
        Damage::CutRecord {
            promised: needed,
            there: needed - 3
        }
    );
}

#[test]
fn checks_the_length_at_the_end_of_a_block() {
    for body in [10, 3 * MAX_BLOCK as usize] {
        let mut file = Pcapng::new(Order::Big)
            .interface(1, 0, &[])
            .enhanced(0, 1, b"a", 1);
        let offset = file.octets.len();
        file = file.block(0x0bad, &vec![0; body]);
        let length = (file.octets.len() - offset) as u32;
        *file.octets.last_mut().unwrap() ^= 1;
        file = file.enhanced(0, 2, b"b", 1);
        let (seen, fault) = read_octets(&file.octets);
        assert_eq!(seen.len(), 1);
        let fault = fault.unwrap();
        assert_eq!((fault.offset, fault.frame), (offset as u64, 2));
        assert_eq!(
            fault.what,
            Damage::Trailer {
                start: length,
                end: length ^ 1
            }
        );
    }
}

#[test]
fn stops_at_what_no_block_can_be() {
    let good = || {
        Pcapng::new(Order::Big)
            .interface(1, 0, &[])
            .enhanced(0, 1, b"a", 1)
    };
    let ends_with = |rest: &[u8]| {
        let (seen, fault) = read_octets(&[&good().octets, rest].concat());
        assert_eq!(seen.len(), 1);
        fault.unwrap().what
    };
    let with_length = |length: u32| [[0, 0, 0, 6], length.to_be_bytes()].concat();
    assert_eq!(ends_with(&with_length(0)), Damage::BlockLength(0));
    assert_eq!(ends_with(&with_length(8)), Damage::BlockLength(8));
    assert_eq!(ends_with(&with_length(33)), Damage::BlockLength(33));
    assert_eq!(
        ends_with(&with_length(0xffff_fffc)),
        Damage::BlockLength(0xffff_fffc)
    );
    assert_eq!(
        ends_with(&[0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 1, 2, 3, 4]),
        Damage::Block("a section without a byte-order magic")
    );
    let block = |kind, body: &[u8]| {
        let start = good().octets.len();
        good().block(kind, body).octets.split_off(start)
    };
    assert_eq!(ends_with(&block(6, b"")), SHORT_PACKET);
    assert_eq!(ends_with(&block(2, b"")), SHORT_PACKET);
    assert_eq!(ends_with(&block(3, b"")), SHORT_PACKET);
    assert_eq!(
        ends_with(&block(1, b"")),
        Damage::Block("an interface description that is too short")
    );
    let mut packet = vec![0; 20];
    packet[15] = 1;
    assert_eq!(
        ends_with(&block(6, &packet)),
        Damage::Block("a packet that is longer than its block")
    );
    packet[12] = 1;
    assert_eq!(ends_with(&block(6, &packet)), Damage::TooLong(0x0100_0001));
}

#[test]
fn every_cut_keeps_the_packets_before_it_and_names_the_place() {
    for order in ORDERS {
        let mut file = Pcapng::new(order);
        // Where a block ends, and how many packets are whole there.
        let mut ends = vec![(file.octets.len(), 0)];
        file = file.interface(1, 0, &[(TIME_RESOLUTION, &[9])]);
        ends.push((file.octets.len(), 0));
        file = file.enhanced(0, 1, b"first", 5);
        ends.push((file.octets.len(), 1));
        file = file.block(5, b"statistics");
        ends.push((file.octets.len(), 1));
        file = file.simple(b"second", 6);
        ends.push((file.octets.len(), 2));
        file = file.section(order);
        ends.push((file.octets.len(), 2));
        for cut in MAGIC.len()..=file.octets.len() {
            let &(end, whole) = ends
                .iter()
                .rev()
                .find(|&&(end, _)| end <= cut)
                .unwrap_or(&(0, 0));
            let (seen, fault) = read_octets(&file.octets[..cut]);
            assert_eq!(seen.len(), whole, "cut at {cut}");
            assert_eq!(fault.is_none(), end == cut, "cut at {cut}");
            if let Some(fault) = fault {
                assert_eq!(fault.frame, whole as u64 + 1, "cut at {cut}");
                assert!(
                    matches!(
                        fault.what,
                        Damage::CutPacket { .. } | Damage::CutRecord { .. }
                    ),
                    "cut at {cut}"
                );
            }
        }
    }
}

#[test]
fn says_how_much_of_a_cut_packet_is_there() {
    let file = Pcapng::new(Order::Little)
        .interface(1, 0, &[])
        .enhanced(0, 1, &[0; 60], 60);
    let (_, fault) = read_octets(&file.octets[..28 + 20 + 28 + 12]);
    assert_eq!(
        fault.unwrap().to_string(),
        "capture: cut in the middle of frame 1 (offset 48): 60 octets promised, 12 there"
    );
}
