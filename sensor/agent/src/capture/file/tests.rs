//! Whole files, good and damaged.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use proptest::prelude::*;

use super::super::MAX_PACKET;
use super::super::pcap::Order;
use super::super::testing::{self, Folder, Pcap, Pcapng, Seen, drain, read};
use super::*;

fn pcap(packets: u32) -> Vec<u8> {
    let packet = |number: u32| number.to_be_bytes().repeat(number as usize % 50);
    let start = Pcap::new(Order::Little, testing::MICROSECONDS, 1);
    (0..packets)
        .fold(start, |file, number| {
            file.record(number, 0, &packet(number))
        })
        .octets
}

fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

fn zstd(octets: &[u8]) -> Vec<u8> {
    zstd::encode_all(octets, 1).unwrap()
}

/// Octets that do not compress, so that a cut in the compressed file is a cut in the packets.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn refusal(path: &Path) -> String {
    let error = CaptureFile::open(path, 0).err().expect("does not open");
    assert_eq!(error.path(), path);
    error.to_string()
}

#[test]
fn reads_a_capture_of_many_chunks() {
    let folder = Folder::new();
    let (seen, fault) = read(&folder.file("many.pcap", &pcap(20_000)));
    assert_eq!(fault, None);
    assert_eq!(seen.len(), 20_000);
    for (
        index,
        Seen {
            frame,
            at_ns,
            octets,
            ..
        },
    ) in seen.into_iter().enumerate()
    {
        assert_eq!(
            (frame, at_ns),
            (index as u64 + 1, index as i64 * 1_000_000_000)
        );
        assert_eq!(octets, (index as u32).to_be_bytes().repeat(index % 50));
    }
}

/// The first chunk does not know yet, nor does the one behind a packet that is much longer than those before it, which comes
/// whole.
#[test]
fn small_packets_come_about_a_thousand_at_a_time() {
    let folder = Folder::new();
    let long = noise(MAX_PACKET as usize);
    let small = |file: Pcap, number| file.record(number, 0, &[7; 80]);
    let file = (0..20_000).fold(Pcap::new(Order::Little, testing::MICROSECONDS, 1), small);
    let file = (20_001..30_000).fold(file.record(20_000, 0, &long), small);
    let plain = folder.file("plain.pcap", &file.octets);
    let packed = folder.file("packed.pcap", &gzip(&file.octets));
    for path in [plain, packed] {
        let mut file = CaptureFile::open(&path, 0).unwrap();
        let mut chunk = Chunk::new();
        let (mut packets, mut chunks, mut large) = (0, 0, 0);
        while file.fill(&mut chunk).unwrap() == Filled::More {
            packets += chunk.len();
            chunks += 1;
            large += usize::from(chunk.len() > 1100);
            for (meta, octets) in chunk.iter() {
                let expected = if meta.frame == 20_001 {
                    &long[..]
                } else {
                    &[7; 80]
                };
                assert_eq!(octets, expected, "{}", meta.frame);
            }
        }
        assert_eq!(packets, 30_000);
        assert!(
            (25..40).contains(&chunks) && large <= 2,
            "{chunks}, {large} of them large"
        );
    }
}

#[test]
fn compression_is_recognised_whatever_the_name_and_changes_nothing() {
    let folder = Folder::new();
    let plain = pcap(20_000);
    let (first, second) = plain.split_at(plain.len() / 3);
    let expected = read(&folder.file("plain", &plain));
    let skippable = [
        &[0x52, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9],
        zstd(&plain).as_slice(),
    ]
    .concat();
    for (name, octets) in [
        ("a.pcap", gzip(&plain)),
        ("b.zst", [gzip(first), gzip(second)].concat()),
        ("c.gz", zstd(&plain)),
        ("d", [zstd(first), zstd(second)].concat()),
        ("e", skippable),
    ] {
        assert!(read(&folder.file(name, &octets)) == expected, "{name}");
    }
    let ng = Pcapng::new(Order::Big)
        .interface(1, 0, &[])
        .enhanced(0, 1, b"x", 1)
        .octets;
    assert_eq!(read(&folder.file("f", &zstd(&ng))).0.len(), 1);
}

#[test]
fn a_cut_in_compressed_data_keeps_what_came_before() {
    let folder = Folder::new();
    let start = Pcap::new(Order::Little, testing::MICROSECONDS, 1);
    let plain = noise(400_000)
        .chunks(1_000)
        .fold(start, |file, packet| file.record(1, 0, packet))
        .octets;
    for (by, compressed) in [
        (Compression::Gzip, gzip(&plain)),
        (Compression::Zstd, zstd(&plain)),
    ] {
        let (seen, fault) = read(&folder.file("cut", &compressed[..compressed.len() / 2]));
        // zstd works in blocks of 128 KiB.
        assert!((50..=200).contains(&seen.len()), "{by}: {}", seen.len());
        let fault = fault.unwrap();
        assert_eq!(fault.frame, seen.len() as u64 + 1);
        assert!(matches!(&fault.what, Damage::Compressed { by: found, .. } if *found == by));
        let text = fault.to_string();
        assert!(
            text.contains(&format!("cut: {by} data is cut or damaged before frame ")),
            "{text}"
        );
        assert!(text.contains("of the decompressed capture): "), "{text}");
    }
}

#[test]
fn damage_in_the_middle_of_compressed_data_keeps_what_came_before() {
    let folder = Folder::new();
    let plain = pcap(20_000);
    for mut compressed in [gzip(&plain), zstd(&plain)] {
        let middle = compressed.len() / 2;
        compressed[middle..middle + 16].fill(0xff);
        let path = folder.file("damaged", &compressed);
        for decompress in [Decompress::Ahead, Decompress::Here] {
            let mut file =
                CaptureFile::open_counted(&path, 0, decompress, &Arc::default()).unwrap();
            let (seen, fault) = drain(&mut file, 1 << 16);
            assert!(fault.is_some());
            assert!(seen.len() > 1_000, "{}", seen.len());
        }
    }
}

#[test]
fn every_cut_of_a_small_compressed_capture_is_named() {
    let folder = Folder::new();
    for compressed in [gzip(&pcap(5)), zstd(&pcap(5))] {
        for cut in 4..compressed.len() {
            let path = folder.file("cut", &compressed[..cut]);
            match CaptureFile::open(&path, 0) {
                Ok(mut file) => assert!(drain(&mut file, 1 << 16).1.is_some(), "cut at {cut}"),
                Err(error) => {
                    assert!(!error.is_no_capture() || cut < 30, "cut at {cut}: {error}")
                }
            }
        }
    }
}

#[test]
fn says_why_it_cannot_open() {
    let folder = Folder::new();
    let formats = "pcap and pcapng are read, plain or compressed by gzip or zstd";
    let check = |name: &str, octets: &[u8], expected: &str| {
        let path = folder.file(name, octets);
        assert_eq!(refusal(&path), format!("{}: {expected}", path.display()));
    };
    check(
        "empty",
        b"",
        "empty: not even the header of a capture is there",
    );
    check(
        "text",
        b"hello",
        &format!("not a capture: begins with 68 65 6c 6c; {formats}"),
    );
    check(
        "short",
        b"ab",
        &format!("not a capture: begins with 61 62; {formats}"),
    );
    check(
        "xz",
        b"\xfd7zXZ",
        &format!(
            "not a capture: begins with fd 37 7a 58 (xz; unpack it: xz -dc FILE | terrier read -); {formats}"
        ),
    );
    check(
        "gz",
        &gzip(b"hello"),
        &format!("not a capture: its gzip data begins with 68 65 6c 6c; {formats}"),
    );
    let twice = format!(
        "not a capture: its zstd data begins with 1f 8b 08 00 (gzip once more; unpack it: zcat FILE | terrier read -); {formats}"
    );
    check("twice", &zstd(&gzip(b"hello")), &twice);
    check(
        "cut",
        &pcap(1)[..10],
        "cut in the header of the file: 24 octets promised, 10 there",
    );
    check(
        "version",
        &[0xa1, 0xb2, 0xc3, 0xd4, 0, 3, 0, 1].repeat(3),
        "damaged header: pcap version 3.1",
    );
    let path = folder.file("bad.gz", &[0x1f, 0x8b, 0x08, 0, 0]);
    assert!(
        refusal(&path).contains("gzip data is cut or damaged at its start: "),
        "{}",
        refusal(&path)
    );
    let missing = folder.path().join("missing");
    assert_eq!(
        refusal(&missing),
        format!("{}: no such file or folder", missing.display())
    );
}

#[test]
fn formats_that_are_not_read_are_named_with_what_to_do() {
    let folder = Folder::new();
    // A time in 2023, type 2 (Ethernet), a record of 84 octets with 60 on the wire.
    let erf = [0, 0, 0, 0, 0x80, 0xe3, 0x54, 0x65, 2, 4, 0, 84, 0, 0, 0, 60];
    for (octets, told) in [
        (
            &b"snoop\0\0\0\0\0\0\x02\0\0\0\x04"[..],
            "(snoop; convert it: editcap IN OUT.pcapng)",
        ),
        (
            &erf,
            "(perhaps Endace ERF; convert it: editcap IN OUT.pcapng)",
        ),
        (
            b"GMBU\x02\x01\x06\0",
            "(Microsoft Network Monitor; convert it: editcap",
        ),
        (
            b"TRSNIFF data    \x1a",
            "(NetXRay or Sniffer; convert it: editcap",
        ),
        (b"iptrace 2.0", "(AIX iptrace; convert it: editcap"),
        (
            b"BZh91AY&SY",
            "(bzip2; unpack it: bzip2 -dc FILE | terrier read -)",
        ),
        (
            b"PK\x03\x04",
            "(zip; unpack it: unzip -p FILE | terrier read -)",
        ),
        (b"7z\xbc\xaf\x27\x1c", "(7z; unpack it"),
    ] {
        let text = refusal(&folder.file("other", octets));
        assert!(text.contains(told), "{text}");
    }
    // What only looks a little like it is not named so.
    for octets in [&[0; 16][..], &erf[..15], b"snooping around "] {
        let text = refusal(&folder.file("other", octets));
        assert!(!text.contains(" ("), "{text}");
    }
}

#[test]
fn captures_that_were_put_behind_one_another_are_read_whole() {
    let folder = Folder::new();
    let octets = pcap(30);
    for both in [
        [octets.clone(), octets.clone()].concat(),
        [gzip(&octets), gzip(&octets)].concat(),
        [zstd(&octets), zstd(&octets)].concat(),
    ] {
        let (seen, fault) = read(&folder.file("both", &both));
        assert_eq!((seen.len(), fault), (60, None));
        assert_eq!(seen[59].frame, 60);
    }
}

#[test]
fn says_that_there_is_no_permission() {
    let folder = Folder::new();
    let path = folder.file("secret", &pcap(1));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).unwrap();
    if fs::read(&path).is_ok() {
        // The superuser reads everything, so that only the message can be checked.
        let error = OpenError::from_io(&path, io::ErrorKind::PermissionDenied.into());
        assert_eq!(
            error.to_string(),
            format!("{}: no permission to read it", path.display())
        );
        return;
    }
    assert_eq!(
        refusal(&path),
        format!("{}: no permission to read it", path.display())
    );
}

#[test]
fn a_file_that_is_closed_in_between_reads_the_same() {
    let folder = Folder::new();
    let path = folder.file("many.pcap", &pcap(500));
    let expected = read(&path);
    let mut file = CaptureFile::open(&path, 0).unwrap();
    let mut chunk = Chunk::with_room(1_000);
    let mut seen = Vec::new();
    while file.fill(&mut chunk) == Ok(Filled::More) {
        seen.extend(testing::all(&chunk));
        file.park();
    }
    assert!(seen == expected.0);
    // Another file that took its name is not read on.
    let mut file = CaptureFile::open(&path, 0).unwrap();
    file.park();
    fs::rename(folder.file("other", &pcap(500)), &path).unwrap();
    let fault = file.fill(&mut chunk).unwrap_err();
    assert_eq!(
        fault.what,
        Damage::Read("another file has taken its place".into())
    );
}

#[test]
fn a_pipe_hands_on_what_it_has() {
    let (from, mut into) = io::pipe().unwrap();
    let path = PathBuf::from(format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(&from)
    ));
    let octets = pcap(3);
    let (header, records) = octets.split_at(pcap::HEADER);
    into.write_all(header).unwrap();
    let mut file = CaptureFile::open(&path, 0).unwrap();
    assert!(!file.is_regular());
    let mut chunk = Chunk::new();
    into.write_all(&records[..16 + 5]).unwrap();
    assert_eq!(file.fill(&mut chunk), Ok(Filled::More));
    assert_eq!(chunk.len(), 1);
    into.write_all(&records[16 + 5..]).unwrap();
    drop((from, into));
    assert_eq!(file.fill(&mut chunk), Ok(Filled::More));
    assert_eq!(chunk.len(), 2);
    assert_eq!(file.fill(&mut chunk), Ok(Filled::End));
}

#[test]
fn reads_standard_input_compressed_or_not() {
    const INSIDE: &str = "TERRIER_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        let (seen, fault) = read(Path::new("-"));
        assert_eq!((seen.len(), fault), (300, None));
        return;
    }
    let folder = Folder::new();
    for (name, octets) in [
        ("plain", pcap(300)),
        ("gzip", gzip(&pcap(300))),
        ("zstd", zstd(&pcap(300))),
    ] {
        let input = fs::File::open(folder.file(name, &octets)).unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "capture::file::tests::reads_standard_input_compressed_or_not",
            ])
            .env(INSIDE, "yes")
            .stdin(input)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever follows a magic number, reading ends, and hands out nothing that is not in the file.
    #[test]
    fn random_octets_never_panic(kind in 0_usize..5, octets in prop::collection::vec(any::<u8>(), 0..400)) {
        let start: &[u8] = match kind {
            0 => &Pcap::new(Order::Little, testing::MICROSECONDS, 1).octets,
            1 => &Pcap::new(Order::Big, testing::PATCHED, 1).octets,
            2 => &Pcapng::new(Order::Little).interface(1, 0, &[]).octets,
            3 => &[0x0a, 0x0d, 0x0d, 0x0a],
            _ => &[0x1f, 0x8b, 0x08, 0x00],
        };
        let whole = [start, &octets].concat();
        let folder = Folder::new();
        let path = folder.file("random", &whole);
        if let Ok(mut file) = CaptureFile::open(&path, 0) {
            let (seen, _) = drain(&mut file, 64);
            let captured: usize = seen.iter().map(|seen| seen.octets.len()).sum();
            prop_assert!(kind == 4 || captured <= octets.len());
        }
    }

    /// Small changes to a good capture reach further into the reader than random octets do.
    #[test]
    fn changed_octets_never_panic(
        place in 0_usize..1 << 16,
        octets in prop::collection::vec(any::<u8>(), 1..5),
        compress in 0..3,
    ) {
        let ng = Pcapng::new(Order::Big)
            .interface(1, 0, &[(9, &[6])])
            .enhanced(0, 1, b"first", 5)
            .block(5, b"statistics")
            .simple(b"second", 6)
            .section(Order::Little)
            .interface(101, 64, &[])
            .obsolete(0, 2, b"third", 5)
            .octets;
        let mut whole = match compress { 0 => ng, 1 => gzip(&ng), _ => zstd(&ng) };
        let place = 4 + place % (whole.len() - 4);
        for (octet, changed) in whole[place..].iter_mut().zip(&octets) {
            *octet = *changed;
        }
        let folder = Folder::new();
        let path = folder.file("changed", &whole);
        if let Ok(mut file) = CaptureFile::open(&path, 0) {
            let (seen, _) = drain(&mut file, 64);
            prop_assert!(seen.len() <= 6);
        }
    }
}

/// A file of several windows, with a packet in it that no part shown is long enough for.
fn long_pcap() -> Vec<u8> {
    let packet = noise(1_400);
    let start = Pcap::new(Order::Little, testing::MICROSECONDS, 1);
    let longest = noise(MAX_PACKET as usize);
    (0..14_000_u32)
        .fold(start, |file, number| {
            let length = (number.wrapping_mul(2_654_435_761) >> 16) as usize % packet.len();
            let file = file.record(number, 0, &packet[..length]);
            match number {
                1_000 | 13_999 => file.record(number, 1, &longest),
                _ => file,
            }
        })
        .octets
}

fn long_pcapng() -> Vec<u8> {
    let packet = noise(1_400);
    let start = Pcapng::new(Order::Big).interface(1, 0, &[]);
    (0..6_000_u32)
        .fold(start, |file, number| {
            let length = (number.wrapping_mul(2_654_435_761) >> 16) as usize % packet.len();
            let file = file.enhanced(0, number.into(), &packet[..length], 1_500);
            match number % 1_000 {
                // Blocks without packets that fill more than one part.
                17 => file.block(5, &noise(300_000)),
                _ => file,
            }
        })
        .octets
}

#[test]
fn what_is_shown_is_what_is_read() {
    for (name, octets) in [("long.pcap", long_pcap()), ("long.pcapng", long_pcapng())] {
        let folder = Folder::new();
        let path = folder.file(name, &octets);
        let mut file = CaptureFile::open(&path, 0).expect("opens");
        let mut chunk = Chunk::new();
        let (mut seen, mut shown) = (Vec::new(), 0);
        while file.fill(&mut chunk) == Ok(Filled::More) {
            shown += usize::from(chunk.room_left() == chunk.room());
            seen.extend(testing::all(&chunk));
        }
        // At least the first window, whatever pages the file lies in here; but for the packet that is too long for a part.
        assert!(shown >= 15, "{name}: {shown}");
        let (read, fault) = read(&folder.file("copied.gz", &gzip(&octets)));
        assert_eq!(fault, None);
        assert!(seen == read, "{name}");
    }
}

#[test]
fn a_long_file_that_is_damaged_or_cut_says_so_where_it_is() {
    let folder = Folder::new();
    let whole = long_pcap();
    let cut = whole.len() - 1_000;
    let mut damaged = whole.clone();
    damaged[cut - 2_000_000..cut - 1_900_000].fill(0xff);
    for octets in [&whole[..cut], &damaged] {
        let (seen, fault) = read(&folder.file("shown.pcap", octets));
        let (copied, by_copy) = read(&folder.file("copied.gz", &gzip(octets)));
        assert!(seen == copied);
        let (fault, by_copy) = (fault.expect("a fault"), by_copy.expect("a fault"));
        assert_eq!(
            (fault.offset, fault.frame, fault.what),
            (by_copy.offset, by_copy.frame, by_copy.what)
        );
    }
}

#[test]
fn a_file_that_is_cut_while_it_is_read_ends_there_and_one_that_grows_is_read_on() {
    let folder = Folder::new();
    let whole = long_pcap();
    let path = folder.file("changes.pcap", &whole[..5 << 20]);
    let writer = fs::OpenOptions::new().append(true).open(&path).unwrap();
    let mut file = CaptureFile::open(&path, 0).expect("opens");
    let mut chunk = Chunk::new();
    let mut next = |file: &mut CaptureFile| {
        let filled = file.fill(&mut chunk);
        (filled, chunk.metas().last().map(|meta| meta.frame))
    };
    assert_eq!(next(&mut file).0, Ok(Filled::More));
    (&writer).write_all(&whole[5 << 20..]).unwrap();
    // Beyond where it ended when it was opened.
    while file.place.offset < 6 << 20 {
        assert_eq!(next(&mut file).0, Ok(Filled::More));
    }
    // In the part that is mapped at present, and read already or not.
    let last = file.packets();
    writer.set_len(file.place.offset - 100_000).unwrap();
    let (filled, frame) = next(&mut file);
    let fault = filled.expect_err("it ends");
    assert_eq!((frame, fault.frame), (None, last + 1));
    let reason = "the file was cut to less than what had been read of it";
    assert_eq!(fault.what, Damage::Read(reason.into()));
}
