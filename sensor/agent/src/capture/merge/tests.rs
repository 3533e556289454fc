use std::fs;

use proptest::prelude::*;

use super::super::Damage;
use super::super::pcap::Order as ByteOrder;
use super::super::testing::{self, Folder, Pcap, Seen, all, drain};
use super::*;

/// A file with a packet at each of these times, in seconds; each packet says where it is from.
fn capture(folder: &Folder, name: &str, times: &[u32], length: usize) -> PathBuf {
    let start = Pcap::new(ByteOrder::Little, testing::MICROSECONDS, 1);
    let file = times
        .iter()
        .enumerate()
        .fold(start, |file, (index, &seconds)| {
            let packet = format!("{name}:{index};").into_bytes();
            file.record(
                seconds,
                0,
                &packet.into_iter().cycle().take(length).collect::<Vec<_>>(),
            )
        });
    folder.file(name, &file.octets)
}

fn order(seen: &[Seen]) -> Vec<(u16, u64)> {
    seen.iter().map(|seen| (seen.capture, seen.frame)).collect()
}

fn packets(merge: &Merge) -> Vec<u64> {
    merge.outcomes().map(|outcome| outcome.packets).collect()
}

fn problems(merge: &Merge) -> Vec<Option<String>> {
    merge
        .outcomes()
        .map(|outcome| outcome.problem.as_ref().map(ToString::to_string))
        .collect()
}

/// How many files of a folder this process has open.
fn descriptors(folder: &Folder) -> usize {
    let links = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link.starts_with(folder.path())).count()
}

#[test]
fn merges_by_time_and_gives_ties_to_the_first_named() {
    let folder = Folder::new();
    let a = capture(&folder, "a", &[10, 20, 20, 40], 9);
    let b = capture(&folder, "b", &[5, 20, 30], 9);
    let mut merge = Merge::open(&[a.clone(), b.clone()]);
    let (seen, fault) = drain(&mut merge, 1 << 16);
    assert_eq!(fault, None);
    assert_eq!(
        order(&seen),
        [(1, 1), (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (0, 4)]
    );
    assert_eq!(seen[4].octets, b"b:1;b:1;b");
    assert_eq!(packets(&merge), [4, 3]);
    let (seen, _) = drain(&mut Merge::open(&[b, a]), 1 << 16);
    assert_eq!(
        order(&seen),
        [(0, 1), (1, 1), (0, 2), (1, 2), (1, 3), (0, 3), (1, 4)]
    );
}

#[test]
fn one_file_keeps_its_own_order() {
    let folder = Folder::new();
    let (seen, _) = drain(
        &mut Merge::open(&[capture(&folder, "a", &[30, 10, 20], 9)]),
        1 << 16,
    );
    assert_eq!(order(&seen), [(0, 1), (0, 2), (0, 3)]);
}

#[test]
fn files_that_follow_one_another_are_open_one_at_a_time_and_uncopied() {
    let folder = Folder::new();
    let paths: Vec<_> = (0..100)
        .rev()
        .map(|hour| {
            capture(
                &folder,
                &format!("{hour:03}"),
                &[hour * 60, hour * 60 + 59],
                9,
            )
        })
        .collect();
    let mut merge = Merge::open(&paths);
    assert_eq!(descriptors(&folder), 0);
    let mut chunk = Chunk::new();
    let mut times = Vec::new();
    while merge.fill(&mut chunk) == Ok(Filled::More) {
        assert_eq!(chunk.len(), 2, "a chunk is a file's");
        assert!(descriptors(&folder) <= 1);
        times.extend(all(&chunk).map(|seen| seen.at_ns));
    }
    assert_eq!(times.len(), 200);
    assert!(times.is_sorted());
}

#[test]
fn many_files_at_once_stay_below_the_limit_of_descriptors() {
    let folder = Folder::new();
    let times: Vec<u32> = (0..20).collect();
    let count = MAX_OPEN + 40;
    let paths: Vec<_> = (0..count)
        .map(|number| capture(&folder, &format!("{number}"), &times, 5_000))
        .collect();
    let mut merge = Merge::open(&paths);
    let mut chunk = Chunk::new();
    let mut seen = Vec::new();
    while merge.fill(&mut chunk) == Ok(Filled::More) {
        assert!(descriptors(&folder) <= MAX_OPEN + 1);
        seen.extend(chunk.metas().iter().map(|meta| (meta.at_ns, meta.capture)));
    }
    assert_eq!(seen.len(), count * times.len());
    assert!(seen.is_sorted());
}

#[test]
fn tells_what_became_of_each_capture() {
    let folder = Folder::new();
    let good = capture(&folder, "good", &[10, 30], 9);
    let mut octets = fs::read(capture(&folder, "cut", &[5, 20, 40], 9)).unwrap();
    octets.truncate(octets.len() - 4);
    let cut = folder.file("cut", &octets);
    let text = folder.file("text", b"hello");
    let header = capture(&folder, "header", &[], 0);
    let first = folder.file("first", &octets[..24 + 16 + 3]);
    let missing = folder.path().join("missing");
    let mut merge = Merge::open(&[
        good,
        missing.clone(),
        cut.clone(),
        text.clone(),
        header,
        first.clone(),
    ]);
    let (seen, fault) = drain(&mut merge, 1 << 16);
    assert_eq!(fault, None, "a damaged capture does not end the others");
    assert_eq!(order(&seen), [(2, 1), (0, 1), (2, 2), (0, 2)]);
    assert_eq!(packets(&merge), [2, 0, 2, 0, 0, 0]);
    let place = |path: &Path| path.display().to_string();
    assert_eq!(
        problems(&merge),
        [
            None,
            Some(format!("{}: no such file or folder", place(&missing))),
            Some(format!(
                "{}: cut in the middle of frame 3 (offset 74): 9 octets promised, 5 there",
                place(&cut)
            )),
            Some(format!(
                "{}: not a capture: begins with 68 65 6c 6c; pcap and pcapng are read, plain or compressed by gzip or zstd",
                place(&text)
            )),
            None,
            Some(format!(
                "{}: cut in the middle of frame 1 (offset 24): 9 octets promised, 3 there",
                place(&first)
            )),
        ]
    );
    assert!(merge.skipped().is_empty());
}

#[test]
fn a_sole_capture_is_told_about_too() {
    let folder = Folder::new();
    let cut = folder.file(
        "cut",
        &fs::read(capture(&folder, "whole", &[1, 2], 9)).unwrap()[..60],
    );
    let mut merge = Merge::open(&[cut]);
    assert_eq!(drain(&mut merge, 1 << 16).0.len(), 1);
    assert_eq!(packets(&merge), [1]);
    let Some(Problem::Damaged(fault)) = &merge.outcomes().next().unwrap().problem else {
        panic!("no fault")
    };
    assert_eq!(
        fault.what,
        Damage::CutRecord {
            promised: 16,
            there: 11
        }
    );
    let mut merge = Merge::open(&[folder.path().join("missing")]);
    assert!(drain(&mut merge, 1 << 16).0.is_empty());
    assert!(matches!(
        merge.outcomes().next().unwrap().problem,
        Some(Problem::Unreadable(OpenError::Missing(_)))
    ));
}

#[test]
fn folders_are_walked_and_what_is_no_capture_is_passed_over() {
    let folder = Folder::new();
    let named = capture(&folder, "z.pcap", &[3], 9);
    capture(&folder, "in/b.pcap", &[2], 9);
    capture(&folder, "in/a/c.pcap", &[1], 9);
    folder.file("in/notes.txt", b"hello");
    folder.file("in/empty", b"");
    folder.file("none/notes.txt", b"hello");
    let (inside, none) = (folder.path().join("in"), folder.path().join("none"));
    let mut merge = Merge::open(&[named, inside, none.clone()]);
    let (seen, _) = drain(&mut merge, 1 << 16);
    assert_eq!(order(&seen), [(1, 1), (2, 1), (0, 1)]);
    let skipped: Vec<_> = merge
        .skipped()
        .iter()
        .map(|error| error.path().strip_prefix(folder.path()).unwrap())
        .collect();
    assert_eq!(
        skipped,
        [
            Path::new("in/empty"),
            Path::new("in/notes.txt"),
            Path::new("none/notes.txt")
        ]
    );
    let problems = problems(&merge);
    assert_eq!(problems[..3], [None, None, None]);
    assert_eq!(
        problems[3].as_deref(),
        Some(format!("{}: no capture in this folder (1 other files in it); pcap and pcapng are read, plain or compressed by gzip or zstd", none.display()).as_str())
    );
}

#[test]
fn the_same_file_is_read_once_whatever_it_is_called() {
    let folder = Folder::new();
    let path = capture(&folder, "in/a", &[1, 2], 9);
    std::os::unix::fs::symlink("a", folder.path().join("in/latest")).unwrap();
    fs::hard_link(&path, folder.path().join("in/b")).unwrap();
    std::os::unix::fs::symlink(".", folder.path().join("in/again")).unwrap();
    let mut merge = Merge::open(&[folder.path().join("in"), path.clone()]);
    assert_eq!(drain(&mut merge, 1 << 16).0.len(), 2);
    assert_eq!(packets(&merge), [2, 0, 0, 0]);
    let left_out: Vec<_> = merge
        .outcomes()
        .filter_map(|outcome| outcome.left_out.clone())
        .collect();
    assert_eq!(left_out, vec![LeftOut::SameFile(path); 3]);
}

#[test]
fn captures_that_begin_too_late_are_left_unread() {
    let folder = Folder::new();
    let early = capture(&folder, "early", &[100, 900], 9);
    // A packet that came a little out of order is no reason to miss it.
    let late = capture(&folder, "late", &[530, 499], 9);
    let much_later = capture(&folder, "much later", &[600], 9);
    let mut merge = Merge::open(&[much_later, early, late]);
    assert_eq!(merge.first_ns(), Some(100_000_000_000));
    merge.leave_out_from(500_000_000_000);
    let (seen, _) = drain(&mut merge, 1 << 16);
    assert_eq!(order(&seen), [(1, 1), (2, 1), (2, 2), (1, 2)]);
    let left_out: Vec<_> = merge
        .outcomes()
        .map(|outcome| outcome.left_out.clone())
        .collect();
    assert_eq!(left_out, [Some(LeftOut::BeginsLate), None, None]);
}

#[test]
fn progress_counts_each_octet_once() {
    let folder = Folder::new();
    let paths = [
        capture(&folder, "a", &[1, 2, 3], 900),
        capture(&folder, "b", &[2, 3], 50),
    ];
    let length: u64 = paths
        .iter()
        .map(|path| path.metadata().unwrap().len())
        .sum();
    for paths in [&paths[..], &paths[..1]] {
        let mut merge = Merge::open(paths);
        let progress = merge.progress();
        let length = if paths.len() == 1 {
            paths[0].metadata().unwrap().len()
        } else {
            length
        };
        assert_eq!(progress.octets_in_all(), Some(length));
        drain(&mut merge, 1 << 16);
        assert_eq!(progress.octets_read(), length);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever the times, the order is that of the definition: of all heads the earliest, of equals the first.
    #[test]
    fn merges_as_defined(
        mut files in prop::collection::vec(prop::collection::vec(0_u32..40, 0..60), 1..12),
        sorted: bool,
        length in 0_usize..3_000,
        room in prop::sample::select(vec![0, 500, 5_000, 1 << 20]),
    ) {
        if sorted {
            files.iter_mut().for_each(|times| times.sort_unstable());
        }
        let folder = Folder::new();
        let paths: Vec<_> =
            files.iter().enumerate().map(|(index, times)| capture(&folder, &index.to_string(), times, length)).collect();
        let mut merge = Merge::open(&paths);
        let (seen, _) = drain(&mut merge, room);
        let mut expected = Vec::new();
        let mut next = vec![0; files.len()];
        while let Some((_, file)) =
            (0..files.len()).filter_map(|file| Some((*files[file].get(next[file])?, file))).min()
        {
            next[file] += 1;
            expected.push((file as u16, next[file] as u64));
        }
        prop_assert_eq!(order(&seen), &expected[..]);
        for packet in &seen {
            let said = format!("{}:{};", packet.capture, packet.frame - 1).into_bytes();
            let said: Vec<u8> = said.into_iter().cycle().take(length).collect();
            prop_assert_eq!(&packet.octets, &said);
        }
        if sorted {
            let mut stable: Vec<_> = files.iter().enumerate().flat_map(|(file, times)| {
                times.iter().enumerate().map(move |(index, &time)| (time, file as u16, index as u64 + 1))
            }).collect();
            stable.sort_by_key(|&(time, ..)| time);
            let stable: Vec<_> = stable.into_iter().map(|(_, file, frame)| (file, frame)).collect();
            prop_assert_eq!(expected, stable);
        }
    }
}
