//! The table, full and not.

use terrier_wire::net::Address;

use super::*;
fn opener(seq: u64, at_s: i64) -> Opener {
    Opener {
        seq,
        at_ns: at_s * NS_PER_S,
        originator_is_low: true,
        oriented: Oriented::Syn,
        vlan: VlanTags::default(),
        vni: None,
    }
}

fn key(port: u16) -> FlowKey {
    let end = |last| Address::v4([10, 0, 0, last]);
    FlowKey::of((end(1), port), (end(2), 80), Transport::Tcp).0
}

fn table_of(flows: u16, most: usize) -> (FlowTable, Hasher) {
    let hasher = Hasher::new(1);
    let mut table = FlowTable::new(most, hasher);
    for port in 0..flows {
        table.open(
            hasher.hash(&key(port)),
            key(port),
            opener(u64::from(port) + 1, 100),
        );
    }
    (table, hasher)
}

#[test]
fn finds_what_it_opened_and_forgets_what_it_removed() {
    let (mut table, hasher) = table_of(500, 1000);
    let at = table.find(hasher.hash(&key(77)), &key(77)).unwrap();
    assert_eq!(table.get(at).opened, 78);
    table.remove(at);
    assert_eq!(table.find(hasher.hash(&key(77)), &key(77)), None);
    assert_eq!(table.len(), 499);
    let again = table.open(hasher.hash(&key(77)), key(77), opener(900, 100));
    assert_eq!(again, at, "the entry is used again");
}

#[test]
fn where_a_flow_was_seen_is_believed_only_if_it_is_there() {
    let (mut table, hasher) = table_of(500, 1000);
    let find = |table: &FlowTable, port, seen_at| {
        let hash = hasher.hash(&key(port));
        table.find_at(seen_at, hash, &key(port))
    };
    let at = table.fetch_flow(hasher.hash(&key(77)));
    assert_eq!(find(&table, 77, at), Some(at));
    assert_eq!(find(&table, 78, at), find(&table, 78, FlowTable::NOWHERE));
    table.remove(at);
    assert_eq!(find(&table, 77, at), None, "it has left");
    table.open(hasher.hash(&key(900)), key(900), opener(900, 100));
    assert_eq!(find(&table, 77, at), None, "another one lies there");
    assert_eq!(find(&table, 900, FlowTable::NOWHERE), Some(at));
    assert_eq!(table.fetch_flow(hasher.hash(&key(77))), FlowTable::NOWHERE);
}

#[test]
fn a_half_open_flow_leaves_long_before_an_established_one() {
    let (mut table, hasher) = table_of(2, 10);
    let at = table.find(hasher.hash(&key(1)), &key(1)).unwrap();
    table.get(at).phase = Phase::Decided;
    let gone = expired(&mut table, 140 * NS_PER_S);
    assert_eq!(gone.len(), 1);
    assert_ne!(gone[0], at);
    assert!(expired(&mut table, 3000 * NS_PER_S).is_empty());
    assert_eq!(expired(&mut table, 3800 * NS_PER_S), [at]);
}

#[test]
fn flows_leave_in_parts_and_each_of_them_once() {
    let (mut table, hasher) = table_of(1000, 1000);
    let stays = table.find(hasher.hash(&key(500)), &key(500)).unwrap();
    table.get(stays).last_ns += 60 * NS_PER_S;
    let mut gone = expired(&mut table, 140 * NS_PER_S);
    gone.sort_unstable();
    assert_eq!(
        gone,
        (0..1000).filter(|&at| at != stays).collect::<Vec<_>>()
    );
    assert_eq!(table.len(), 1);
    assert_eq!(table.find(hasher.hash(&key(500)), &key(500)), Some(stays));
}

/// All that have expired by then; they are removed.
fn expired(table: &mut FlowTable, now_ns: i64) -> Vec<u32> {
    let (mut all, mut some) = (Vec::new(), Vec::new());
    loop {
        table.expired(now_ns, &mut some);
        if some.is_empty() {
            return all;
        }
        some.iter().for_each(|&at| table.remove(at));
        all.append(&mut some);
    }
}

#[test]
fn the_ends_of_time_overflow_nothing() {
    for at_ns in [i64::MAX, i64::MIN] {
        let (mut table, hasher) = (FlowTable::new(1, Hasher::new(1)), Hasher::new(1));
        let opener = Opener {
            at_ns,
            ..opener(1, 0)
        };
        table.open(hasher.hash(&key(1)), key(1), opener);
        table.expired(at_ns, &mut Vec::new());
        assert!(table.least_worth(at_ns).is_some());
    }
}

/// Makes the flow of a port what it is to be, at 100 s.
fn set(table: &mut FlowTable, port: u16, set: impl FnOnce(&mut Flow)) {
    let hash = table.hasher.hash(&key(port));
    let at = table.find(hash, &key(port)).unwrap();
    set(table.get(at));
}

/// The ports of the flows in the order in which they make room, as of 101 s.
fn leave_in_turn(table: &mut FlowTable) -> Vec<u16> {
    std::iter::from_fn(|| {
        let at = table.least_worth(101 * NS_PER_S)?;
        // They were opened in the order of their ports, from 1.
        let port = table.get(at).opened as u16 - 1;
        table.remove(at);
        Some(port)
    })
    .collect()
}

#[test]
fn closed_half_open_idle_and_decided_flows_make_room_in_this_order() {
    let (mut table, _) = table_of(8, 8);
    assert!(table.is_full());
    let talks = |phase, last_s: i64| {
        move |flow: &mut Flow| {
            (flow.phase, flow.packets) = (phase, [5, 5]);
            flow.last_ns = last_s * NS_PER_S;
        }
    };
    set(&mut table, 0, talks(Phase::Watched, 100));
    set(&mut table, 1, talks(Phase::Unknown, 100));
    set(&mut table, 2, talks(Phase::Decided, 100));
    set(&mut table, 3, talks(Phase::Watched, 40));
    set(&mut table, 4, |flow| {
        (flow.phase, flow.packets) = (Phase::Unknown, [3, 0]);
    });
    set(&mut table, 5, |flow| {
        flow.packets = [1, 1];
        flow.last_ns -= 1;
    });
    set(&mut table, 6, |flow| flow.packets = [3, 2]);
    set(&mut table, 7, |flow| {
        (flow.phase, flow.packets) = (Phase::Decided, [5, 5]);
        flow.seen.set(TcpSeen::RST);
    });
    assert_eq!(leave_in_turn(&mut table), [7, 5, 4, 3, 2, 1, 6, 0]);
}

#[test]
fn a_flood_of_half_open_flows_leaves_the_others_alone() {
    let (mut table, hasher) = table_of(400, 400);
    // One in four is no part of it, at the places where the flood comes by.
    for port in (0..400).step_by(4) {
        set(&mut table, port, |flow| {
            (flow.phase, flow.packets) = (Phase::Watched, [3, 2]);
        });
    }
    for port in 400..20_000 {
        let at = table.least_worth(101 * NS_PER_S).unwrap();
        assert_eq!(table.get(at).phase, Phase::New);
        table.remove(at);
        let opener = Opener {
            at_ns: 101 * NS_PER_S + i64::from(port),
            ..opener(u64::from(port) + 1, 0)
        };
        table.open(hasher.hash(&key(port)), key(port), opener);
    }
    let sessions = table
        .iter()
        .filter(|(_, flow)| flow.phase == Phase::Watched);
    assert_eq!(sessions.count(), 100);
    // What is left of the flood is its end: nobody leaves right after he came.
    let oldest = table.iter().filter(|(_, flow)| flow.phase == Phase::New);
    assert!(oldest.map(|(_, flow)| flow.opened).min() > Some(19_000));
}
