//! Packets out of captures and into them.

use std::fs;
use std::path::Path;

use terrier::capture::{CaptureFile, Chunk, Filled, Source as _};

/// A packet of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Nanoseconds since 1970.
    pub(crate) at_ns: i64,
    /// Link type of its interface.
    pub(crate) link: u32,
    /// How long it was on the wire.
    pub(crate) wire_len: u32,
    pub(crate) octets: Vec<u8>,
}

/// All packets of a capture.
pub(crate) fn frames(path: &Path) -> Vec<Frame> {
    let shown = path.display();
    let mut file =
        CaptureFile::open(path, 0).unwrap_or_else(|error| panic!("cannot open {shown}: {error}"));
    let mut chunk = Chunk::new();
    let mut frames = Vec::new();
    loop {
        match file.fill(&mut chunk) {
            Ok(Filled::More) => frames.extend(chunk.iter().map(|(meta, octets)| Frame {
                at_ns: meta.at_ns,
                link: meta.link.0,
                wire_len: meta.wire_len,
                octets: octets.to_vec(),
            })),
            Ok(_) => return frames,
            Err(fault) => panic!("{fault}"),
        }
    }
}

/// A pcap file (nanoseconds, this machine's byte order) of packets that are all of one link type.
pub(crate) fn pcap(frames: &[Frame]) -> Vec<u8> {
    let link = frames.first().map_or(1, |frame| frame.link);
    let mut octets = Vec::new();
    for field in [NANOSECONDS, VERSION, 0, 0, MAX_LENGTH, link] {
        octets.extend_from_slice(&field.to_ne_bytes());
    }
    for frame in frames {
        assert_eq!(frame.link, link, "pcap has one link type");
        let seconds = u32::try_from(frame.at_ns.div_euclid(1_000_000_000)).expect("after 1970");
        let fraction = frame.at_ns.rem_euclid(1_000_000_000) as u32;
        for field in [seconds, fraction, frame.octets.len() as u32, frame.wire_len] {
            octets.extend_from_slice(&field.to_ne_bytes());
        }
        octets.extend_from_slice(&frame.octets);
    }
    octets
}

/// Writes a pcap file.
pub(crate) fn write_pcap(path: &Path, frames: &[Frame]) {
    fs::write(path, pcap(frames)).expect("a capture can be written");
}

const NANOSECONDS: u32 = 0xa1b2_3c4d;
/// Version 2.4: two fields of 16 bits, in this machine's order.
const VERSION: u32 = if cfg!(target_endian = "little") {
    4 << 16 | 2
} else {
    2 << 16 | 4
};
const MAX_LENGTH: u32 = 262_144;
