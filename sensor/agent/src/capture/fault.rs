//! What can be wrong with a capture.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::MAX_PACKET;
use super::compressed::Compression;

/// A capture that cannot be read beyond some place, or an interface that is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// The file, `-` for standard input, or the interface.
    pub path: PathBuf,
    /// Where the damaged record begins, in octets from the start of the capture: after decompression, if it is
    /// compressed. 0 for an interface.
    pub offset: u64,
    /// The number of the frame that could not be read: one more than the frames before it.
    pub frame: u64,
    /// What is wrong there.
    pub what: Damage,
}

/// What is wrong at the place of a [`Fault`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// The capture ends in the middle of a packet.
    CutPacket {
        /// How many octets of the packet were promised.
        promised: u64,
        /// How many are there.
        there: u64,
    },
    /// The capture ends in the middle of a record's or block's header, or of a block without a packet.
    CutRecord {
        /// How many octets are needed, as far as that is known.
        promised: u64,
        /// How many are there.
        there: u64,
    },
    /// A packet claims more octets than [`MAX_PACKET`].
    TooLong(u64),
    /// A pcapng block claims a length that no block can have, or more than is kept of one.
    BlockLength(u64),
    /// The length at a pcapng block's end is not the one at its start.
    Trailer {
        /// The length at the start.
        start: u32,
        /// The length at the end.
        end: u32,
    },
    /// A pcapng packet names an interface that its section has not described.
    UnknownInterface(u32),
    /// A pcapng block says what cannot be.
    Block(&'static str),
    /// The system could not read on.
    Read(String),
    /// The file is followed, and was written anew before all of it had been read.
    Rewritten,
    /// The compressed octets are cut or damaged.
    Compressed {
        /// How they are compressed.
        by: Compression,
        /// What the decompressor says.
        text: String,
    },
    /// The interface was taken down.
    InterfaceDown,
    /// The interface has been removed.
    InterfaceGone,
    /// libpcap could not go on.
    Live(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, frame, .. } = self;
        let path = named(&self.path);
        match &self.what {
            Damage::CutPacket { promised, there } => {
                write!(
                    f,
                    "{path}: cut in the middle of frame {frame} (offset {offset}): "
                )?;
                write!(f, "{promised} octets promised, {there} there")
            }
            Damage::CutRecord { promised, there } => {
                write!(
                    f,
                    "{path}: cut in a header before frame {frame} (offset {offset}): "
                )?;
                write!(f, "{promised} octets needed, {there} there")
            }
            Damage::TooLong(claimed) => {
                write!(f, "{path}: damaged at frame {frame} (offset {offset}): ")?;
                write!(
                    f,
                    "it claims {claimed} octets, and no packet has more than {MAX_PACKET}"
                )
            }
            Damage::BlockLength(claimed) => {
                write!(
                    f,
                    "{path}: damaged before frame {frame} (offset {offset}): a block of {claimed} octets"
                )
            }
            Damage::Trailer { start, end } => {
                write!(
                    f,
                    "{path}: damaged before frame {frame} (offset {offset}): "
                )?;
                write!(
                    f,
                    "a block says {start} octets at its start and {end} at its end"
                )
            }
            Damage::UnknownInterface(interface) => {
                write!(f, "{path}: damaged at frame {frame} (offset {offset}): ")?;
                write!(f, "it is of interface {interface}, which was not described")
            }
            Damage::Block(what) => write!(
                f,
                "{path}: damaged before frame {frame} (offset {offset}): {what}"
            ),
            Damage::Read(text) => write!(
                f,
                "{path}: cannot read on before frame {frame} (offset {offset}): {text}"
            ),
            Damage::Rewritten => write!(
                f,
                "{path}: written anew when frame {frame} (offset {offset}) was to be read"
            ),
            Damage::Compressed { by, text } => {
                write!(
                    f,
                    "{path}: {by} data is cut or damaged before frame {frame} "
                )?;
                write!(f, "(offset {offset} of the decompressed capture): {text}")
            }
            Damage::InterfaceDown => write!(
                f,
                "{path}: the interface went down after {} packets",
                frame - 1
            ),
            Damage::InterfaceGone => write!(
                f,
                "{path}: the interface was removed after {} packets",
                frame - 1
            ),
            Damage::Live(text) => write!(
                f,
                "{path}: cannot capture on after {} packets: {text}",
                frame - 1
            ),
        }
    }
}

/// An input of which nothing can be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such file or folder.
    #[error("{}: no such file or folder", named(.0))]
    Missing(PathBuf),
    /// The user who runs this may not read it.
    #[error("{}: no permission to read it", named(.0))]
    NoPermission(PathBuf),
    /// The file has no octets at all.
    #[error("{}: empty: not even the header of a capture is there", named(.0))]
    Empty(PathBuf),
    /// The file begins like a pcap file and ends within its header of 24 octets.
    #[error("{}: cut in the header of the file: 24 octets promised, {there} there", named(.path))]
    CutHeader {
        /// The file.
        path: PathBuf,
        /// How many octets are there.
        there: usize,
    },
    /// The file begins like a pcap file, in a version that does not exist.
    #[error("{}: damaged header: pcap version {major}.{minor}", named(.path))]
    Version {
        /// The file.
        path: PathBuf,
        /// The version's first number; 2 is the one there is.
        major: u16,
        /// Its second number.
        minor: u16,
    },
    /// The file is something else.
    #[error("{}: not a capture: {} {}; {READ_FORMATS}", named(.path), Within(*.within), Begins(.begins))]
    NotACapture {
        /// The file.
        path: PathBuf,
        /// How the file is compressed around what was looked at.
        within: Option<Compression>,
        /// Its first octets, at most [`super::octets::TELLING`].
        begins: Vec<u8>,
    },
    /// The compressed octets are damaged before anything came out of them.
    #[error("{}: {by} data is cut or damaged at its start: {text}", named(.path))]
    Compressed {
        /// The file.
        path: PathBuf,
        /// How it is compressed.
        by: Compression,
        /// What the decompressor says.
        text: String,
    },
    /// What is compressed cannot be followed: its end is not known to be one.
    #[error("{}: compressed by {by}, and a compressed capture cannot be followed; read it without --follow", named(.path))]
    NotFollowed {
        /// The file.
        path: PathBuf,
        /// How it is compressed.
        by: Compression,
    },
    /// Standard input is a terminal.
    #[error("standard input is a terminal: pipe or redirect a capture into it")]
    Terminal,
    /// There is nothing to read in a folder.
    #[error("{}: no capture in this folder ({skipped} other files in it); {READ_FORMATS}", named(.path))]
    NoCaptures {
        /// The folder.
        path: PathBuf,
        /// How many files in it are no captures.
        skipped: usize,
    },
    /// There are more captures than can be numbered.
    #[error("{}: left out: more than {} captures at once", named(.0), u16::MAX)]
    TooMany(PathBuf),
    /// The system could not read it.
    #[error("{}: cannot read it: {source}", named(.path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl OpenError {
    /// The file or folder that cannot be read.
    pub fn path(&self) -> &Path {
        match self {
            Self::Missing(path)
            | Self::NoPermission(path)
            | Self::Empty(path)
            | Self::TooMany(path) => path,
            Self::CutHeader { path, .. }
            | Self::Version { path, .. }
            | Self::NotACapture { path, .. }
            | Self::Compressed { path, .. }
            | Self::NotFollowed { path, .. }
            | Self::NoCaptures { path, .. }
            | Self::Io { path, .. } => path,
            Self::Terminal => Path::new("-"),
        }
    }

    /// Whether the input is sound, and only no capture: such a file is passed over in a folder.
    pub fn is_no_capture(&self) -> bool {
        matches!(self, Self::NotACapture { .. } | Self::Empty(_))
    }

    pub(super) fn from_io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing(path.into()),
            io::ErrorKind::PermissionDenied => Self::NoPermission(path.into()),
            _ => Self::Io {
                path: path.into(),
                source,
            },
        }
    }
}

/// A path as a person reads it.
pub(super) fn named(path: &Path) -> std::borrow::Cow<'_, str> {
    if path == Path::new("-") {
        "standard input".into()
    } else {
        path.to_string_lossy()
    }
}

struct Within(Option<Compression>);

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(by) => write!(f, "its {by} data begins"),
            None => f.write_str("begins"),
        }
    }
}

struct Begins<'a>(&'a [u8]);

impl fmt::Display for Begins<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("with")?;
        for octet in self.0.iter().take(4) {
            write!(f, " {octet:02x}")?;
        }
        match kind(self.0) {
            Some((name, advice)) => write!(f, " ({name}{advice})"),
            None => Ok(()),
        }
    }
}

/// What an operator is likely to hand in by mistake, with what to do about it.
fn kind(begins: &[u8]) -> Option<(&'static str, &'static str)> {
    const EDITCAP: &str = "; convert it: editcap IN OUT.pcapng";
    Some(match begins {
        [b'B', b'Z', b'h', ..] => ("bzip2", "; unpack it: bzip2 -dc FILE | terrier read -"),
        [0xfd, b'7', b'z', b'X', ..] => ("xz", "; unpack it: xz -dc FILE | terrier read -"),
        [0x04, 0x22, 0x4d, 0x18, ..] => ("lz4", "; unpack it: lz4 -dc FILE | terrier read -"),
        [0x1f, 0x9d, ..] => (
            "compress",
            "; unpack it: uncompress -c FILE | terrier read -",
        ),
        [b'P', b'K', 3 | 5, _, ..] => ("zip", "; unpack it: unzip -p FILE | terrier read -"),
        [b'7', b'z', 0xbc, 0xaf, ..] => ("7z", "; unpack it: 7z x -so FILE | terrier read -"),
        [b'R', b'a', b'r', b'!', ..] => ("rar", "; unpack it"),
        [0x1f, 0x8b, ..] => ("gzip once more", "; unpack it: zcat FILE | terrier read -"),
        [b's', b'n', b'o', b'o', b'p', 0, 0, 0, ..] => ("snoop", EDITCAP),
        [b'b', b't', b's', b'n', b'o', b'o', b'p', 0, ..] => ("Bluetooth snoop", ""),
        [b'i', b'p', b't', b'r', b'a', b'c', b'e', b' ', ..] => ("AIX iptrace", EDITCAP),
        [b'G', b'M', b'B', b'U', ..] | [b'R', b'T', b'S', b'S', ..] => {
            ("Microsoft Network Monitor", EDITCAP)
        }
        [b'T', b'R', b'S', b'N', b'I', b'F', b'F', ..] => ("NetXRay or Sniffer", EDITCAP),
        [b'X', b'C', b'P', 0, ..] => ("NetXRay", EDITCAP),
        [0xac | 0xab, 0x01, 0x00, 0x1c, ..] | [0x1c, 0x00, 0x01, 0xac | 0xab, ..] => {
            ("Ixia lcap", EDITCAP)
        }
        [0x7f, b'v', b'e', b'r', ..] => ("Peek", EDITCAP),
        [0xaa, 0xaa, 0xaa, 0xaa, ..] => ("5View", EDITCAP),
        [b'<', b'?', b'x', b'm', ..] => ("XML; of a capture only the packets' text", ""),
        [b'{' | b'[', b'\n' | b'"' | b'{' | b' ', ..] => ("JSON", ""),
        _ if is_erf(begins) => ("perhaps Endace ERF", EDITCAP),
        _ => return None,
    })
}

/// Whether these may be the first octets of an ERF record, which has no magic number: a time within 1990 and 2100 (seconds
/// in the upper half, in little endian), a type that is assigned, and a record length of at least a header's.
fn is_erf(begins: &[u8]) -> bool {
    let Some(&[_, _, _, _, s0, s1, s2, s3, kind, _, r0, r1, ..]) = begins.first_chunk::<16>()
    else {
        return false;
    };
    // Any text has letters there; and no record that begins with a time is all text.
    if begins.iter().all(|octet| (0x20..0x7f).contains(octet)) {
        return false;
    }
    let years = 631_152_000..4_102_444_800;
    years.contains(&u32::from_le_bytes([s0, s1, s2, s3]))
        && (1..=48).contains(&(kind & 0x7f))
        && u16::from_be_bytes([r0, r1]) >= 16
}

/// Ends the messages about files that are something else.
const READ_FORMATS: &str = "pcap and pcapng are read, plain or compressed by gzip or zstd";
