use super::*;

const NOW_NS: i64 = 1_795_514_400_000_000_000;

fn down() -> Fault {
    Fault {
        path: "a0".into(),
        offset: 0,
        frame: 1,
        what: Damage::InterfaceDown,
    }
}

#[test]
fn what_a_ring_still_held_does_not_bring_an_interface_up_and_what_follows_does() {
    let board = Board::new(&["a0".to_owned()], 1);
    assert_eq!(board.trouble(0, down(), NOW_NS), State::Down);
    // The ring asks again with the next packets, as it is down still.
    assert_eq!(board.came(0, NOW_NS - 5), State::Down);
    assert_eq!(board.states(), [State::Down]);
    assert_eq!(board.came(0, NOW_NS + 5), State::Up);
    assert_eq!(board.states(), [State::Up]);
}

#[test]
fn a_clock_that_was_set_back_meanwhile_keeps_no_interface_down() {
    let board = Board::new(&["a0".to_owned()], 1);
    board.trouble(0, down(), NOW_NS);
    lock(&board.wires[0].state).since -= LATE * 2;
    assert_eq!(board.came(0, NOW_NS - 3_600_000_000_000), State::Up);
    // Nor does it hide that it goes down again.
    lock(&board.wires[0].state).since -= LATE * 2;
    board.trouble(0, down(), NOW_NS - 3_600_000_000_000);
    assert_eq!(board.states(), [State::Down]);
}
