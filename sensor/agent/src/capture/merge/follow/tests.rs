use std::fs::{File, OpenOptions};
use std::io::Write;

use super::*;
use crate::capture::pcap::Order;
use crate::capture::testing::{self, Folder, Pcap, Pcapng, all};

/// Everything there is at present: the captures' numbers, and what the packets say.
fn read_on(merge: &mut Merge) -> Vec<(u16, String)> {
    let mut chunk = Chunk::new();
    let mut seen = Vec::new();
    // A look may find a file, and only the next one what became of another.
    for _ in 0..3 {
        merge.look_now();
        while merge.fill(&mut chunk) == Ok(Filled::More) {
            seen.extend(
                all(&chunk).map(|seen| (seen.capture, String::from_utf8(seen.octets).unwrap())),
            );
        }
    }
    seen
}

fn said(expected: &[(u16, &str)]) -> Vec<(u16, String)> {
    expected
        .iter()
        .map(|&(capture, text)| (capture, text.to_owned()))
        .collect()
}

/// A file with the packets `a`, `b`, ... of which each was captured a second after the one before.
fn pcap(first_second: u32, packets: &[&str]) -> Vec<u8> {
    let start = Pcap::new(Order::Little, testing::MICROSECONDS, 1);
    let numbered = (first_second..).zip(packets);
    numbered
        .fold(start, |file, (second, packet)| {
            file.record(second, 0, packet.as_bytes())
        })
        .octets
}

fn append(path: &Path) -> File {
    OpenOptions::new().append(true).open(path).unwrap()
}

fn problems(merge: &Merge) -> Vec<Option<String>> {
    merge
        .outcomes()
        .map(|outcome| outcome.problem.as_ref().map(ToString::to_string))
        .collect()
}

#[test]
fn every_octet_of_a_growing_capture_may_come_by_itself() {
    let pcapng = Pcapng::new(Order::Big)
        .interface(1, 0, &[])
        .enhanced(0, 1, b"one", 3)
        .block(5, b"statistics that are passed over")
        .section(Order::Little)
        .interface(1, 0, &[])
        .enhanced(0, 2, b"two", 3)
        .octets;
    for octets in [pcap(1, &["one", "two"]), pcapng] {
        let folder = Folder::new();
        let path = folder.file("growing", b"");
        let mut merge = Merge::follow(std::slice::from_ref(&path));
        let mut writer = append(&path);
        let mut seen = Vec::new();
        for octet in octets {
            assert_eq!(merge.fill(&mut Chunk::new()), Ok(Filled::Idle));
            writer.write_all(&[octet]).unwrap();
            seen.extend(read_on(&mut merge));
        }
        assert_eq!(seen, said(&[(0, "one"), (0, "two")]));
        merge.end();
        assert_eq!(problems(&merge), [None]);
        assert_eq!(merge.outcomes().next().unwrap().packets, 2);
        assert_eq!(merge.fill(&mut Chunk::new()), Ok(Filled::End));
    }
}

#[test]
fn what_is_not_whole_at_the_end_is_cut() {
    let folder = Folder::new();
    let path = folder.file("cut", &pcap(1, &["one", "two"])[..24 + 16 + 3 + 16 + 2]);
    let mut merge = Merge::follow(std::slice::from_ref(&path));
    assert_eq!(read_on(&mut merge), said(&[(0, "one")]));
    assert_eq!(problems(&merge), [None], "it may be whole one day");
    merge.end();
    let expected = format!(
        "{}: cut in the middle of frame 2 (offset 43): 3 octets promised, 2 there",
        path.display()
    );
    assert_eq!(problems(&merge), [Some(expected)]);
}

#[test]
fn what_is_there_is_merged_by_time_and_what_comes_as_it_comes() {
    let folder = Folder::new();
    let a = folder.file("a", &pcap(10, &["10", "11"]));
    let b = folder.file("b", &pcap(9, &["9", "10"]));
    // A file that is named twice is one.
    let mut merge = Merge::follow(&[a.clone(), b.clone(), a.clone()]);
    assert_eq!(
        read_on(&mut merge),
        said(&[(1, "9"), (0, "10"), (1, "10"), (0, "11")])
    );
    append(&a).write_all(&pcap(20, &["20"])[24..]).unwrap();
    append(&b).write_all(&pcap(19, &["19"])[24..]).unwrap();
    assert_eq!(read_on(&mut merge), said(&[(1, "19"), (0, "20")]));
}

#[test]
fn a_file_that_was_moved_away_is_read_to_its_end_and_then_the_one_that_took_its_name() {
    let folder = Folder::new();
    let path = folder.file("live.pcap", &pcap(1, &["one"]));
    let mut merge = Merge::follow(std::slice::from_ref(&path));
    assert_eq!(read_on(&mut merge), said(&[(0, "one")]));
    let mut writer = append(&path);
    fs::rename(&path, folder.path().join("live.pcap.1")).unwrap();
    writer.write_all(&pcap(2, &["two"])[24..]).unwrap();
    assert_eq!(read_on(&mut merge), said(&[(0, "two")]));
    assert_eq!(
        merge.fill(&mut Chunk::new()),
        Ok(Filled::Idle),
        "the name is waited for"
    );
    folder.file("live.pcap", &pcap(3, &["three"]));
    assert_eq!(read_on(&mut merge), said(&[(1, "three")]));
    let notice = format!(
        "{}: reading the file that has this name now",
        path.display()
    );
    assert_eq!(merge.take_notices(), [notice]);
    assert_eq!(merge.take_named().last(), Some(&(1, path)));
    merge.end();
    assert_eq!(problems(&merge), [None, None]);
}

#[test]
fn a_file_that_is_moved_before_it_was_read_is_not_lost() {
    let folder = Folder::new();
    let path = folder.file("live.pcap", &pcap(1, &["one"]));
    let mut merge = Merge::follow(std::slice::from_ref(&path));
    fs::rename(&path, folder.path().join("live.pcap.1")).unwrap();
    folder.file("live.pcap", &pcap(2, &["two"]));
    assert_eq!(read_on(&mut merge), said(&[(0, "one"), (1, "two")]));
    assert_eq!(problems(&merge), [None, None]);
    // Of very many, one that is not kept open is named.
    let many = Folder::new();
    let names: Vec<_> = (0..KEPT + 2)
        .map(|number| many.file(&format!("{number:03}"), &pcap(number as u32, &["x"])))
        .collect();
    let mut merge = Merge::follow(&names);
    fs::rename(&names[KEPT], many.path().join("moved")).unwrap();
    many.file(&format!("{KEPT:03}"), &pcap(9_999, &["new"]));
    let seen = read_on(&mut merge);
    assert_eq!(seen.len(), KEPT + 2);
    assert_eq!(seen.last(), Some(&((KEPT + 2) as u16, "new".to_owned())));
    let told = problems(&merge).into_iter().flatten().collect::<Vec<_>>();
    assert!(
        told.len() == 1 && told[0].contains("another file has taken its place"),
        "{told:?}"
    );
}

#[test]
fn a_file_that_is_cut_short_and_written_anew_is_another_capture() {
    let folder = Folder::new();
    let path = folder.file("ring", &pcap(1, &["one", "two"]));
    let mut merge = Merge::follow(std::slice::from_ref(&path));
    assert_eq!(read_on(&mut merge), said(&[(0, "one"), (0, "two")]));
    // Shorter than before.
    fs::write(&path, pcap(5, &["new"])).unwrap();
    assert_eq!(read_on(&mut merge), said(&[(1, "new")]));
    let notice = format!(
        "{}: cut short and written anew; reading it from its start",
        path.display()
    );
    assert_eq!(merge.take_notices(), [notice]);
    // Longer than before when it is looked at again.
    fs::write(&path, pcap(9, &["newer", "newest"])).unwrap();
    assert_eq!(read_on(&mut merge), said(&[(2, "newer"), (2, "newest")]));
    let notice = format!(
        "{}: written anew when frame 2 (offset 43) was to be read",
        path.display()
    );
    assert_eq!(merge.take_notices(), [notice]);
}

#[test]
fn a_folder_shows_new_files_and_loses_old_ones() {
    let folder = Folder::new();
    folder.file("00001.pcap", &pcap(1, &["one"]));
    folder.file("notes.txt", b"hello");
    let mut merge = Merge::follow(&[folder.path().to_owned()]);
    assert_eq!(read_on(&mut merge), said(&[(0, "one")]));
    // One that is being begun, and files in a folder that is new.
    let path = folder.file("00002.pcap", &pcap(2, &["two"])[..10]);
    folder.file("below/b.pcap", &pcap(4, &["four"]));
    folder.file("below/a.pcap", &pcap(5, &["five"]));
    assert_eq!(read_on(&mut merge), said(&[(2, "four"), (1, "five")]));
    append(&path).write_all(&pcap(2, &["two"])[10..]).unwrap();
    assert_eq!(read_on(&mut merge), said(&[(3, "two")]));
    // The oldest goes, as in a ring, and a file with its inode is another one.
    fs::remove_file(folder.path().join("00001.pcap")).unwrap();
    assert_eq!(read_on(&mut merge), said(&[]));
    folder.file("00003.pcap", &pcap(6, &["six"]));
    assert_eq!(read_on(&mut merge), said(&[(4, "six")]));
    // A new name is no new capture, nor is another way to the same file.
    fs::rename(
        folder.path().join("00003.pcap"),
        folder.path().join("old.pcap"),
    )
    .unwrap();
    std::os::unix::fs::symlink("old.pcap", folder.path().join("latest.pcap")).unwrap();
    assert_eq!(read_on(&mut merge), said(&[]));
    assert!(
        merge.take_notices().is_empty(),
        "all this is what folders are for"
    );
    merge.end();
    assert_eq!(problems(&merge), [None, None, None, None, None]);
}

#[test]
fn a_folder_may_be_empty_at_first() {
    let folder = Folder::new();
    let mut merge = Merge::follow(&[folder.path().to_owned()]);
    assert_eq!(read_on(&mut merge), said(&[]));
    folder.file("a", &pcap(1, &["one"]));
    assert_eq!(read_on(&mut merge), said(&[(0, "one")]));
}

#[test]
fn a_ring_of_files_is_followed_in_its_folder() {
    let folder = Folder::new();
    let mut merge = Merge::follow(&[folder.path().to_owned()]);
    for round in 0_u32..9 {
        // tcpdump -C -W 3: the same three names again and again, each written anew.
        let texts = [format!("{round} first"), format!("{round} second")];
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        folder.file(&format!("ring{}", round % 3), &pcap(round * 10 + 1, &texts));
        let seen: Vec<_> = read_on(&mut merge)
            .into_iter()
            .map(|(_, text)| text)
            .collect();
        assert_eq!(seen, texts, "round {round}");
    }
}

#[test]
fn compressed_captures_are_read_once_or_refused() {
    let gzip = |octets: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(octets).unwrap();
        encoder.finish().unwrap()
    };
    let folder = Folder::new();
    let path = folder.file("a.gz", &gzip(&pcap(1, &["one"])));
    let mut merge = Merge::follow(std::slice::from_ref(&path));
    let refusal = format!(
        "{}: compressed by gzip, and a compressed capture cannot be followed; read it without --follow",
        path.display()
    );
    assert_eq!(merge.take_notices(), std::slice::from_ref(&refusal));
    assert_eq!(problems(&merge), [Some(refusal)]);
    assert_eq!(
        merge.fill(&mut Chunk::new()),
        Ok(Filled::End),
        "nothing is left"
    );
    // In a folder it is read; what a writer makes of a file that was read is not.
    let mut merge = Merge::follow(&[folder.path().to_owned()]);
    let plain = folder.file("b.pcap", &pcap(2, &["two"]));
    assert_eq!(read_on(&mut merge), said(&[(0, "one"), (1, "two")]));
    fs::remove_file(plain).unwrap();
    folder.file("b.pcap.gz", &gzip(&pcap(2, &["two"])));
    assert_eq!(read_on(&mut merge), said(&[]));
    assert!(merge.take_notices().is_empty());
}

#[test]
fn a_damaged_capture_ends_alone_and_is_told_at_once() {
    let folder = Folder::new();
    let good = folder.file("good", &pcap(1, &["one"]));
    let bad = folder.file("bad", &pcap(2, &["two"]));
    let mut merge = Merge::follow(&[bad.clone(), good.clone()]);
    assert_eq!(read_on(&mut merge), said(&[(1, "one"), (0, "two")]));
    append(&bad).write_all(&[0xff; 40]).unwrap();
    append(&good).write_all(&pcap(3, &["three"])[24..]).unwrap();
    assert_eq!(read_on(&mut merge), said(&[(1, "three")]));
    let [notice] = merge.take_notices().try_into().unwrap();
    assert!(
        notice.contains("bad: damaged at frame 2 (offset 43)"),
        "{notice}"
    );
    merge.end();
    assert_eq!(problems(&merge), [Some(notice), None]);
}

#[test]
fn a_pipe_is_followed_without_waiting_for_it() {
    let (from, mut into) = std::io::pipe().unwrap();
    let path = PathBuf::from(format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(&from)
    ));
    let octets = pcap(1, &["one", "two"]);
    into.write_all(&octets[..24 + 16 + 2]).unwrap();
    let mut merge = Merge::follow(&[path]);
    assert_eq!(read_on(&mut merge), said(&[]));
    into.write_all(&octets[24 + 16 + 2..]).unwrap();
    merge.wait(Duration::from_millis(900));
    assert_eq!(read_on(&mut merge), said(&[(0, "one"), (0, "two")]));
    assert_eq!(merge.fill(&mut Chunk::new()), Ok(Filled::Idle));
    drop((from, into));
    merge.look_now();
    assert_eq!(
        merge.fill(&mut Chunk::new()),
        Ok(Filled::End),
        "its writer has gone"
    );
}

#[test]
fn files_that_are_quiet_do_not_keep_their_descriptors() {
    let folder = Folder::new();
    let count = MAX_OPEN + 30;
    for number in 0..count {
        folder.file(&format!("{number:04}"), &pcap(number as u32, &["x"]));
    }
    let mut merge = Merge::follow(&[folder.path().to_owned()]);
    assert_eq!(read_on(&mut merge).len(), count);
    let open = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|link| link.starts_with(folder.path()))
        .count();
    assert!(open <= MAX_OPEN, "{open}");
    for number in [0, count - 1] {
        let path = folder.path().join(format!("{number:04}"));
        append(&path).write_all(&pcap(9_999, &["y"])[24..]).unwrap();
    }
    assert_eq!(
        read_on(&mut merge),
        said(&[(0, "y"), ((count - 1) as u16, "y")])
    );
}
