//! The doctor finds what is wrong with a capture: real ones, spoiled in one way each.

use serde_json::Value;

use crate::support::capture::{Frame, frames, write_pcap};
use crate::support::{root, run};

/// The point of a capture about one matter.
fn point(frames: &[Frame], options: &[&str], id: &str) -> Value {
    let folder = tempfile::tempdir().expect("a folder of our own");
    let path = folder.path().join("spoiled.pcap");
    write_pcap(&path, frames);
    let path = path.to_str().expect("its name is text");
    let arguments = [&["doctor", "--json"], options, &[path]].concat();
    let ran = run(&arguments);
    ran.expect(0, &[]);
    let answer = ran.records().remove(0);
    answer["points"]
        .as_array()
        .and_then(|points| points.iter().find(|point| point["id"] == id))
        .unwrap_or_else(|| panic!("no point {id} in {answer}"))
        .clone()
}

fn capture(name: &str) -> Vec<Frame> {
    frames(&root().join("pcaps").join(name))
}

#[test]
fn a_capture_as_it_should_be_has_nothing_to_mend() {
    let path = "pcaps/vnc/tigervnc-no-password-from-internet.pcapng";
    let answer = run(["doctor", "--json", path]).records().remove(0);
    let worse: Vec<_> = answer["points"]
        .as_array()
        .expect("points")
        .iter()
        .filter(|point| point["level"] != "ok")
        .collect();
    assert!(worse.is_empty(), "{worse:?}");
}

#[test]
fn one_direction_alone_is_noticed_with_its_vlan() {
    let all = capture("vnc/vlan.pcapng");
    // The first frame is of who opens the connection: keep what its sender sent.
    let sender = all[0].octets[6..12].to_vec();
    let one: Vec<Frame> = all
        .into_iter()
        .filter(|frame| frame.octets[6..12] == sender)
        .collect();
    let point = point(&one, &[], "one_sided");
    assert_eq!(point["level"], "fault", "{point}");
    let observed = point["observed"].as_str().expect("a sentence");
    assert!(observed.contains("VLAN "), "{observed}");
}

#[test]
fn frames_that_come_twice_are_noticed() {
    let twice: Vec<Frame> = capture("vnc/tigervnc-no-password-from-internet.pcapng")
        .into_iter()
        .flat_map(|frame| [frame.clone(), frame])
        .collect();
    assert_eq!(point(&twice, &[], "duplicates")["level"], "warning");
}

#[test]
fn a_capture_that_cuts_packets_is_noticed() {
    let point = point(&capture("vnc/snaplen-96.pcapng"), &[], "truncation");
    assert_eq!(point["level"], "fault");
    assert_eq!(point["values"]["longest_kept"], 96);
}

#[test]
fn a_filter_that_vlan_tags_escape_is_noticed() {
    let tagged = capture("vnc/vlan.pcapng");
    let plain = ["--filter", "tcp"];
    assert_eq!(point(&tagged, &plain, "filter")["level"], "warning");
    let both = ["--filter", "tcp or (vlan and tcp)"];
    assert_eq!(point(&tagged, &both, "filter")["level"], "ok");
}

#[test]
fn a_clock_that_goes_back_is_noticed() {
    let mut frames = capture("vnc/tigervnc-no-password-from-internet.pcapng");
    let middle = frames.len() / 2;
    for frame in &mut frames[middle..] {
        frame.at_ns -= 60_000_000_000;
    }
    frames.swap(0, middle);
    assert_eq!(point(&frames, &[], "clock")["level"], "warning");
}

#[test]
fn who_gives_neither_path_nor_interface_is_told() {
    run(["doctor"]).expect(2, &["PATH"]);
    run(["doctor", "-i", "none-such"]).expect(2, &["none-such: no such interface"]);
    run(["doctor", "pcaps/none-such.pcap"]).expect(3, &[]);
}
