//! Captures as the tests write them, and what they read from them.

use std::fs;
use std::path::{Path, PathBuf};

use super::fault::Fault;
use super::pcap::Order;
use super::{CaptureFile, Chunk, Filled, Source};

/// A pcap file that is being written.
pub(super) struct Pcap {
    order: Order,
    patched: bool,
    pub(super) octets: Vec<u8>,
}

pub(super) const MICROSECONDS: u32 = 0xa1b2_c3d4;
pub(super) const NANOSECONDS: u32 = 0xa1b2_3c4d;
pub(super) const PATCHED: u32 = 0xa1b2_cd34;

impl Pcap {
    pub(super) fn new(order: Order, magic: u32, link: u32) -> Self {
        Self::with_version(order, magic, link, 4)
    }

    pub(super) fn with_version(order: Order, magic: u32, link: u32, minor: u16) -> Self {
        let mut pcap = Self {
            order,
            patched: magic == PATCHED,
            octets: Vec::new(),
        };
        pcap.put32(magic);
        pcap.put16(2);
        pcap.put16(minor);
        pcap.put32(0); // time zone
        pcap.put32(0); // accuracy
        pcap.put32(65_535); // snaplen
        pcap.put32(link);
        pcap
    }

    /// A record whose packet is whole.
    pub(super) fn record(self, seconds: u32, fraction: u32, packet: &[u8]) -> Self {
        self.cut_record(seconds, fraction, packet, packet.len() as u32)
    }

    pub(super) fn cut_record(
        mut self,
        seconds: u32,
        fraction: u32,
        packet: &[u8],
        wire_len: u32,
    ) -> Self {
        self.header(seconds, fraction, packet.len() as u32, wire_len);
        self.octets.extend_from_slice(packet);
        self
    }

    pub(super) fn header(&mut self, seconds: u32, fraction: u32, len: u32, wire_len: u32) {
        for field in [seconds, fraction, len, wire_len] {
            self.put32(field);
        }
        if self.patched {
            self.octets.extend_from_slice(&[0; 8]);
        }
    }

    fn put16(&mut self, value: u16) {
        self.octets.extend(put16(self.order, value));
    }

    fn put32(&mut self, value: u32) {
        self.octets.extend(put32(self.order, value));
    }
}

/// A pcapng file that is being written.
pub(super) struct Pcapng {
    order: Order,
    pub(super) octets: Vec<u8>,
}

impl Pcapng {
    /// A file that begins with a section of this byte order.
    pub(super) fn new(order: Order) -> Self {
        Self {
            order,
            octets: Vec::new(),
        }
        .section(order)
    }

    pub(super) fn section(mut self, order: Order) -> Self {
        self.order = order;
        let mut body = put32(order, 0x1a2b_3c4d).to_vec();
        body.extend(put16(order, 1));
        body.extend(put16(order, 0));
        body.extend([0xff; 8]); // section length: unknown
        self.block(0x0a0d_0d0a, &body)
    }

    pub(super) fn interface(self, link: u16, snaplen: u32, options: &[(u16, &[u8])]) -> Self {
        let order = self.order;
        let mut body = put16(order, link).to_vec();
        body.extend(put16(order, 0));
        body.extend(put32(order, snaplen));
        for (code, value) in options {
            body.extend(put16(order, *code));
            body.extend(put16(order, value.len() as u16));
            body.extend_from_slice(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            body.extend([0; 4]);
        }
        self.block(1, &body)
    }

    pub(super) fn enhanced(self, interface: u32, stamp: u64, packet: &[u8], wire_len: u32) -> Self {
        let mut body = put32(self.order, interface).to_vec();
        self.stamped(&mut body, stamp, packet, wire_len);
        // A comment behind the packet: what is not the packet must not be taken for it.
        body.extend(put16(self.order, 1));
        body.extend(put16(self.order, 4));
        body.extend(b"note");
        body.extend([0; 4]);
        self.block(6, &body)
    }

    pub(super) fn obsolete(self, interface: u16, stamp: u64, packet: &[u8], wire_len: u32) -> Self {
        let mut body = put16(self.order, interface).to_vec();
        body.extend(put16(self.order, 7)); // drops
        self.stamped(&mut body, stamp, packet, wire_len);
        self.block(2, &body)
    }

    pub(super) fn simple(self, packet: &[u8], wire_len: u32) -> Self {
        let mut body = put32(self.order, wire_len).to_vec();
        body.extend_from_slice(packet);
        self.block(3, &body)
    }

    /// Any block; the body is padded.
    pub(super) fn block(mut self, kind: u32, body: &[u8]) -> Self {
        let length = (body.len().next_multiple_of(4) + 12) as u32;
        self.octets.extend(put32(self.order, kind));
        self.octets.extend(put32(self.order, length));
        self.octets.extend_from_slice(body);
        self.octets
            .resize(self.octets.len().next_multiple_of(4), 0xee);
        self.octets.extend(put32(self.order, length));
        self
    }

    fn stamped(&self, body: &mut Vec<u8>, stamp: u64, packet: &[u8], wire_len: u32) {
        body.extend(put32(self.order, (stamp >> 32) as u32));
        body.extend(put32(self.order, stamp as u32));
        body.extend(put32(self.order, packet.len() as u32));
        body.extend(put32(self.order, wire_len));
        body.extend_from_slice(packet);
        body.resize(body.len().next_multiple_of(4), 0xee);
    }
}

pub(super) fn put16(order: Order, value: u16) -> [u8; 2] {
    if order == Order::Big {
        value.to_be_bytes()
    } else {
        value.to_le_bytes()
    }
}

pub(super) fn put32(order: Order, value: u32) -> [u8; 4] {
    if order == Order::Big {
        value.to_be_bytes()
    } else {
        value.to_le_bytes()
    }
}

/// A packet that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) capture: u16,
    pub(super) frame: u64,
    pub(super) at_ns: i64,
    pub(super) link: u32,
    pub(super) wire_len: u32,
    pub(super) octets: Vec<u8>,
}

/// Everything a source has to give, and the fault it ends with.
pub(super) fn drain(source: &mut impl Source, room: usize) -> (Vec<Seen>, Option<Fault>) {
    let mut chunk = Chunk::with_room(room);
    let mut seen = Vec::new();
    let fault = loop {
        match source.fill(&mut chunk) {
            Ok(Filled::More) => {
                assert!(!chunk.is_empty(), "more, but nothing there");
                seen.extend(all(&chunk));
            }
            Ok(Filled::End) => break None,
            Ok(Filled::Idle) => panic!("a file is idle"),
            Err(fault) => break Some(fault),
        }
        assert!(seen.len() <= 1 << 20, "endless");
    };
    assert!(chunk.is_empty(), "the end comes with packets");
    assert!(
        matches!(source.fill(&mut chunk), Ok(Filled::End)),
        "the end is not the end"
    );
    (seen, fault)
}

pub(super) fn all(chunk: &Chunk) -> impl Iterator<Item = Seen> {
    chunk.iter().map(|(meta, octets)| Seen {
        capture: meta.capture,
        frame: meta.frame,
        at_ns: meta.at_ns,
        link: meta.link.0,
        wire_len: meta.wire_len,
        octets: octets.to_vec(),
    })
}

/// Reads a file that can be opened.
pub(super) fn read(path: &Path) -> (Vec<Seen>, Option<Fault>) {
    drain(&mut CaptureFile::open(path, 0).expect("opens"), 1 << 16)
}

/// Reads octets through a file, with small and large chunks, which must not differ.
pub(super) fn read_octets(octets: &[u8]) -> (Vec<Seen>, Option<Fault>) {
    let folder = Folder::new();
    let path = folder.file("capture", octets);
    let [large, small, none] =
        [1 << 16, 100, 0].map(|room| drain(&mut CaptureFile::open(&path, 0).expect("opens"), room));
    assert_eq!(large, small, "the chunk's size shows");
    assert_eq!(large, none, "the chunk's size shows");
    (
        large.0,
        large.1.map(|fault| Fault {
            path: "capture".into(),
            ..fault
        }),
    )
}

/// A folder that is gone after the test.
pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn file(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("creates folders");
        fs::write(&path, octets).expect("writes");
        path
    }
}
