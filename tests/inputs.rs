//! The same packets give the same answer, whatever files and formats they come in; and what `read` does with a span of time,
//! with captures that are looked at apart, with a filter.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::write::GzEncoder;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::capture::{Frame, frames, pcap};
use crate::support::{Ran, of_kind, read, root, run, skip};

/// Captures whose packets are in the order of their times, of one link type each.
const CAPTURES: [&str; 4] = [
    "pcaps/vnc/tigervnc-no-password-from-internet.pcapng",
    "pcaps/vnc/novnc.pcapng",
    "pcaps/vnc/linux-sll2.pcapng",
    "pcaps/ngrok/python-session.pcapng",
];

/// How a part of a capture is written.
#[derive(Debug, Clone)]
struct Shape {
    format: u8,
    compression: u8,
}

/// Writes packets in one of the formats that are read.
fn written(frames: &[Frame], shape: &Shape) -> Vec<u8> {
    let octets = match shape.format {
        0 => pcap(frames),
        1 => with_header(frames, 0xa1b2_3c4d, true, 0),
        // Eight octets more a record, which mean nothing here.
        2 => with_header(frames, 0xa1b2_cd34, false, 8),
        3 => pcapng(frames, false, 9, 0),
        4 => pcapng(frames, true, 9, 1_700_000_000),
        // Picoseconds fit in 64 bits for some months only.
        5 => pcapng(frames, false, 12, 1_795_400_000),
        _ => pcapng(frames, true, 6, 0),
    };
    match shape.compression {
        1 => {
            let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&octets).expect("memory takes everything");
            gzip.finish().expect("memory takes everything")
        }
        2 => zstd::encode_all(&octets[..], 1).expect("memory takes everything"),
        3 => {
            let (first, second) = octets.split_at(octets.len() / 2);
            let frames = [first, second].map(|part| zstd::encode_all(part, 1).expect("it can be"));
            frames.concat()
        }
        _ => octets,
    }
}

/// Numbers in one byte order.
struct Pen {
    octets: Vec<u8>,
    big: bool,
}

impl Pen {
    fn u16(&mut self, value: u16) {
        let octets = if self.big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        };
        self.octets.extend(octets);
    }

    fn u32(&mut self, value: u32) {
        let octets = if self.big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        };
        self.octets.extend(octets);
    }

    fn block(&mut self, kind: u32, body: impl FnOnce(&mut Self)) {
        let start = self.octets.len();
        self.u32(kind);
        self.u32(0);
        body(self);
        self.octets.resize(self.octets.len().next_multiple_of(4), 0);
        let length = (self.octets.len() - start + 4) as u32;
        self.u32(length);
        let field = if self.big {
            length.to_be_bytes()
        } else {
            length.to_le_bytes()
        };
        self.octets[start + 4..start + 8].copy_from_slice(&field);
    }
}

/// A pcap file; what does not fit its unit of time is no capture of [`CAPTURES`].
fn with_header(frames: &[Frame], magic: u32, big: bool, more: usize) -> Vec<u8> {
    let mut pen = Pen {
        octets: Vec::new(),
        big,
    };
    let unit = if magic == 0xa1b2_3c4d { 1 } else { 1_000 };
    pen.u32(magic);
    pen.u16(2);
    pen.u16(4);
    for field in [0, 0, 262_144, frames.first().map_or(1, |frame| frame.link)] {
        pen.u32(field);
    }
    for frame in frames {
        pen.u32((frame.at_ns / 1_000_000_000) as u32);
        assert_eq!(frame.at_ns % unit, 0, "the format can tell its time");
        pen.u32((frame.at_ns % 1_000_000_000 / unit) as u32);
        pen.u32(frame.octets.len() as u32);
        pen.u32(frame.wire_len);
        pen.octets.extend(std::iter::repeat_n(0xa5, more));
        pen.octets.extend(&frame.octets);
    }
    pen.octets
}

/// A pcapng file of two sections, with an interface that has no packets, blocks that are passed over, and times in units of
/// ten to the minus `digits` seconds since `offset_s`.
fn pcapng(frames: &[Frame], big: bool, digits: u8, offset_s: i64) -> Vec<u8> {
    let mut pen = Pen {
        octets: Vec::new(),
        big,
    };
    let middle = frames.len() / 2;
    for part in [&frames[..middle], &frames[middle..]] {
        pen.block(0x0a0d_0d0a, |pen| {
            pen.u32(0x1a2b_3c4d);
            pen.u16(1);
            pen.u16(0);
            pen.octets.extend([0xff; 8]);
        });
        pen.block(1, |pen| {
            pen.u16(147);
            pen.u16(0);
            pen.u32(64);
        });
        pen.block(1, |pen| {
            pen.u16(frames.first().map_or(1, |frame| frame.link) as u16);
            pen.u16(0);
            pen.u32(0);
            pen.u16(9);
            pen.u16(1);
            pen.octets.extend([digits, 0, 0, 0]);
            pen.u16(14);
            pen.u16(8);
            let offset = if big {
                offset_s.to_be_bytes()
            } else {
                offset_s.to_le_bytes()
            };
            pen.octets.extend(offset);
            pen.u32(0);
        });
        // Names, statistics, secrets, a custom block: what the program has nothing to do with.
        for kind in [4, 5, 10, 0x0bad] {
            pen.block(kind, |pen| pen.octets.extend([0x5a; 30]));
        }
        for frame in part {
            let since = i128::from(frame.at_ns) - i128::from(offset_s) * 1_000_000_000;
            let stamp = match digits {
                12 => since * 1_000,
                9 => since,
                _ => since / 1_000,
            };
            let stamp = u64::try_from(stamp).expect("after the offset");
            pen.block(6, |pen| {
                pen.u32(1);
                pen.u32((stamp >> 32) as u32);
                pen.u32(stamp as u32);
                pen.u32(frame.octets.len() as u32);
                pen.u32(frame.wire_len);
                pen.octets.extend(&frame.octets);
            });
        }
    }
    pen.octets
}

/// Everything that was said, without what names a place in a file.
fn said(ran: &Ran) -> Vec<Value> {
    let mut records = ran.expect(0, &[]).records();
    for record in &mut records {
        let Some(fields) = record.as_object_mut() else {
            continue;
        };
        for field in ["frames", "evidence", "captures", "capture"] {
            fields.remove(field);
        }
    }
    records
}

const ALL: [&str; 4] = ["read", "--json", "--emit", "alert,observation,flow,stats"];

fn read_all<S: AsRef<Path>>(paths: &[S]) -> Ran {
    let paths = paths.iter().map(|path| path.as_ref().as_os_str());
    run(ALL.iter().map(std::ffi::OsStr::new).chain(paths))
}

#[test]
fn however_a_capture_is_cut_into_files_and_formats_the_answer_is_the_same() {
    let parts = 5_u8;
    let shapes = prop::collection::vec(
        (0..7_u8, 0..4_u8).prop_map(|(format, compression)| Shape {
            format,
            compression,
        }),
        usize::from(parts),
    );
    for capture in CAPTURES {
        let whole = frames(&root().join(capture));
        assert!(whole.is_sorted_by_key(|frame| frame.at_ns), "{capture}");
        let expected = said(&read_all(&[capture]));
        assert!(expected.len() > 2, "{capture}: there is something to say");
        let dealt = prop::collection::vec(0..parts, whole.len());
        let mut runner = TestRunner::new(Config {
            cases: 12,
            failure_persistence: None,
            ..Config::default()
        });
        let outcome = runner.run(
            &(&shapes, dealt, any::<bool>()),
            |(shapes, dealt, as_folder)| {
                let folder = TempDir::new().expect("a folder for the test");
                let mut files = vec![Vec::new(); usize::from(parts)];
                let mut last: Option<(i64, usize)> = None;
                for (frame, part) in whole.iter().zip(dealt) {
                    // Of packets of the same time the order is that of the files.
                    let part = match last {
                        Some((at_ns, part)) if at_ns == frame.at_ns => part,
                        _ => usize::from(part),
                    };
                    last = Some((frame.at_ns, part));
                    files[part].push(frame.clone());
                }
                let mut paths = Vec::new();
                for (number, (frames, shape)) in files.iter().zip(&shapes).enumerate() {
                    let path = folder.path().join(format!("{number}"));
                    fs::write(&path, written(frames, shape)).expect("a file in our folder");
                    paths.push(path);
                }
                let ran = if as_folder {
                    read_all(&[folder.path()])
                } else {
                    read_all(&paths)
                };
                prop_assert_eq!(said(&ran), expected.clone());
                Ok(())
            },
        );
        if let Err(error) = outcome {
            panic!("{capture}: {error}");
        }
    }
}

#[test]
fn a_span_of_time_is_read_as_if_nothing_else_were_there() {
    let folder = TempDir::new().expect("a folder for the test");
    for capture in CAPTURES {
        let whole = frames(&root().join(capture));
        let (first, last) = (whole[0].at_ns, whole[whole.len() - 1].at_ns);
        let (from, to) = (first + (last - first) / 4, first + (last - first) / 4 * 3);
        let inside: Vec<Frame> = whole
            .iter()
            .filter(|frame| (from..to).contains(&frame.at_ns))
            .cloned()
            .collect();
        let path = folder.path().join("inside.pcap");
        fs::write(&path, pcap(&inside)).expect("a file in our folder");
        let mut expected = said(&read_all(&[&path]));
        let seconds = |ns: i64| format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
        let after = |ns: i64| format!("+{}", seconds(ns - first));
        for (since, until) in [(seconds(from), seconds(to)), (after(from), after(to))] {
            let window = ["--since", &since, "--until", &until, capture];
            let ran = run(ALL.iter().chain(&window));
            let stats = ran.stats();
            assert_eq!(stats["captures"][0]["packets"], whole.len());
            let left_out: u64 = ["before_since", "after_until"]
                .iter()
                .filter_map(|why| stats["left_out"][why].as_u64())
                .sum();
            assert_eq!(left_out, (whole.len() - inside.len()) as u64);
            let mut records = said(&ran);
            for stats in [records.last_mut(), expected.last_mut()]
                .into_iter()
                .flatten()
            {
                stats
                    .as_object_mut()
                    .map(|fields| fields.remove("left_out"));
            }
            assert_eq!(records, expected, "{capture} {since} {until}");
        }
    }
}

#[test]
fn captures_that_begin_after_the_span_are_left_unread() {
    let ran = run(ALL.iter().chain(&["--until", "2001-09-09", "pcaps/vnc"]));
    ran.expect(
        0,
        &["captures that begin after --until, and were not read: "],
    );
    let stats = ran.stats();
    assert_eq!(stats["packets"], 0);
    assert_eq!(stats["captures"][0]["left_out"], "it begins after --until");
}

#[test]
fn a_time_that_is_none_is_wrong_usage() {
    let with = |option: &str, time: &str| run(["read", option, time, CAPTURES[0]]);
    with("--since", "yesterday").expect(2, &["--since", "yesterday", "2026-11-24T10:00:00Z"]);
    with("--until", "20261124").expect(2, &["--until", "@20261124", "2026-11-24"]);
    run([
        "read",
        "--since",
        "2026-11-24",
        "--until",
        "2026-11-24",
        CAPTURES[0],
    ])
    .expect(2, &["--until is not after --since"]);
    run([
        "read",
        "--since",
        "+1h",
        "--until",
        "2001-01-01",
        CAPTURES[0],
    ])
    .expect(2, &["--until is not after --since"]);
}

#[test]
fn captures_that_are_read_apart_say_what_each_says_alone() {
    let separate = ["--separate", CAPTURES[0], CAPTURES[3], CAPTURES[1]];
    let together = run(ALL.iter().chain(&separate)).records();
    let mut expected = Vec::new();
    for capture in &separate[1..] {
        for mut record in read_all(&[capture]).records() {
            record["capture"] = Value::from(*capture);
            expected.push(record);
        }
    }
    assert_eq!(together, expected);
    let stats = of_kind(together, "stats");
    assert_eq!(stats.len(), 3, "counts of each");
    // For people, one summary after another.
    let text = run(["read", "--format", "text"].iter().chain(&separate));
    let text = &text.expect(0, &[]).stdout;
    for capture in &separate[1..] {
        let heading = format!("Read   {capture}: ");
        assert_eq!(text.matches(&heading).count(), 1, "{text}");
    }
}

#[test]
fn captures_that_are_read_apart_fail_apart() {
    let folder = TempDir::new().expect("a folder for the test");
    fs::write(folder.path().join("notes.txt"), b"about these captures").expect("it is ours");
    let capture = root().join(CAPTURES[0]);
    fs::copy(&capture, folder.path().join("a.pcapng")).expect("it is ours");
    std::os::unix::fs::symlink(".", folder.path().join("loop")).expect("it is ours");
    std::os::unix::fs::symlink("a.pcapng", folder.path().join("b.pcapng")).expect("it is ours");
    let path = folder.path().to_str().expect("a path in UTF-8");
    let ran = run(ALL
        .iter()
        .chain(&["--separate", "no/such.pcap", path, "--fail-on", "high"]));
    ran.expect(
        3,
        &["no/such.pcap: no such file", "b.pcapng: the same file as"],
    );
    let stats = of_kind(ran.records(), "stats");
    let packets: Vec<u64> = stats
        .iter()
        .filter_map(|stats| stats["packets"].as_u64())
        .collect();
    assert_eq!(packets, [0, 34], "{}", ran.stdout);
    assert!(stats[0]["captures"][0]["fault"].is_string());
    run(["read", "--separate", "--fail-on", "high", path]).expect(1, &[]);
    let empty = TempDir::new().expect("a folder for the test");
    let path = empty.path().to_str().expect("a path in UTF-8");
    run(["read", "--separate", path]).expect(3, &["no capture in this folder"]);
    run(["read", "--separate", "--follow", CAPTURES[0]]).expect(2, &["--separate", "--follow"]);
}

#[test]
fn a_folder_of_everything_is_read_as_far_as_it_can_be() {
    let folder = TempDir::new().expect("a folder for the test");
    let file = |name: &str, octets: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("it is ours");
        fs::write(path, octets).expect("it is ours");
    };
    let whole = fs::read(root().join(CAPTURES[0])).expect("a capture of ours");
    file("a/good.pcapng", &whole);
    file(
        "a/cut.pcapng",
        &fs::read(root().join(CAPTURES[1])).expect("ours")[..5_000],
    );
    file("b/stump.pcap", &pcap(&[])[..20]);
    file("b/report.pdf", b"%PDF-1.7");
    file("b/sun.snoop", b"snoop\0\0\0\0\0\0\x02\0\0\0\x04");
    file("c/none", b"");
    std::os::unix::fs::symlink("..", folder.path().join("c/up")).expect("it is ours");
    std::os::unix::fs::symlink("../a/good.pcapng", folder.path().join("c/latest")).expect("ours");
    let ran = read(&[folder.path()]);
    ran.expect(
        3,
        &[
            "stump.pcap: cut in the header",
            "cut.pcapng: cut in the middle",
        ],
    );
    let stats = ran.stats();
    let rows = stats["captures"].as_array().expect("a list");
    let names: BTreeSet<_> = rows
        .iter()
        .filter_map(|row| row["path"].as_str()?.rsplit('/').next())
        .collect();
    assert_eq!(
        names,
        BTreeSet::from(["cut.pcapng", "good.pcapng", "latest", "stump.pcap"])
    );
    let latest = rows
        .iter()
        .find(|row| row["left_out"].is_string())
        .expect("one is a link");
    assert!(
        latest["left_out"]
            .as_str()
            .is_some_and(|why| why.ends_with("a/good.pcapng"))
    );
    // One that is named is told what it is.
    let snoop = folder.path().join("b/sun.snoop");
    read(&[&snoop]).expect(
        3,
        &["sun.snoop: not a capture", "(snoop; convert it: editcap"],
    );
}

#[test]
fn a_filter_without_a_meaning_for_some_packets_is_an_error() {
    let ran = run(ALL
        .iter()
        .chain(&["--filter", "vlan 7", CAPTURES[2], CAPTURES[0]]));
    // Linux cooked captures have no VLAN tags that libpcap can look for.
    ran.expect(
        2,
        &[
            "the filter cannot be applied to the",
            "packets of link type 276",
        ],
    );
    let stats = ran.stats();
    assert!(
        stats["left_out"]["unfit_filter"].as_u64() > Some(0),
        "{stats}"
    );
    assert_eq!(stats["left_out"]["filter"], 34);
    let ran = run(ALL
        .iter()
        .chain(&["--filter", "tcp port 5900", CAPTURES[2], CAPTURES[0]]));
    let stats = ran.expect(0, &[]).stats();
    assert!(stats["left_out"]["unfit_filter"].is_null(), "{stats}");
    run(["read", "--filter", "inbound", CAPTURES[0]])
        .expect(2, &["link type 1", "known only while packets are captured"]);
}

#[test]
fn a_filter_takes_what_tcpdump_takes() {
    let expression = "tcp[tcpflags] & tcp-syn != 0 or udp port 53";
    for capture in CAPTURES {
        let path = root().join(capture);
        let output = std::process::Command::new("tcpdump")
            .arg("--count")
            .args(["-nr"])
            .arg(&path)
            .arg(expression)
            .output();
        let Ok(output) = output else {
            return skip("there is no tcpdump here");
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let Some(count) = text
            .split(' ')
            .next()
            .and_then(|count| count.parse::<u64>().ok())
        else {
            return skip("this tcpdump does not count");
        };
        let stats = run(ALL.iter().chain(&["--filter", expression, capture])).stats();
        assert_eq!(stats["packets"], count, "{capture}");
    }
}
