//! The messages of the handshake, and the pure functions that read one from its octets.

use std::fmt;

use super::{SecurityType, TightAuthentication, VencryptType};
use crate::{Reader, Side, Step};

/// One thing a handshake said, in the order in which it was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The octets so far are those of an UltraVNC repeater, or of a server that waits at one.
    Repeater,
    /// The server greeted.
    ServerVersion {
        /// What it offers.
        version: ProtocolVersion,
        /// Which side of the flow it is.
        server: Side,
    },
    /// The client answered.
    ClientVersion(ProtocolVersion),
    /// The side taken for the server so far is the client: the other side's later octets say so. Its version, too, is the
    /// client's.
    RolesSwapped {
        /// Which side is the server.
        server: Side,
        /// The server's version, if it was seen.
        server_version: Option<ProtocolVersion>,
        /// The client's version, if it was seen.
        client_version: Option<ProtocolVersion>,
    },
    /// What the server offers, in its order; 255 at most. In RFB 3.3 the only one, which the server has chosen.
    SecurityTypes(Vec<SecurityType>),
    /// The server ended it before authentication, with its reason as sent, cut to [`MAX_TEXT`] octets.
    Rejected(Option<Vec<u8>>),
    /// The security type agreed on. Where the client's side was not captured it is inferred from what followed.
    Chosen(SecurityType),
    /// The choice inside UltraVNC's type, once the server has offered its types anew.
    ChosenInside(SecurityType),
    /// The choice inside Tight.
    TightChosen(TightAuthentication),
    /// The choice inside VeNCrypt.
    VencryptChosen(VencryptType),
    /// What was agreed on asks for no password, in whatever clothes.
    Unauthenticated,
    /// From the next octet of each side on, the flow carries TLS.
    TlsStarts,
    /// SecurityResult. A refusal is told by [`Message::Refused`], once its reason has come.
    Accepted,
    /// The server refused the authentication, with its reason as sent, cut to [`MAX_TEXT`] octets.
    Refused(Option<Vec<u8>>),
    /// ClientInit: whether others may stay connected.
    ClientInit {
        /// The shared flag.
        shared: bool,
    },
    /// ServerInit.
    ServerInit(ServerInit),
    /// What TightVNC adds to ServerInit.
    Capabilities(Capabilities),
    /// Security was passed and both sides went on.
    Session,
    /// Octets that wait for the other side were read on trial: what they say is told when it is sure.
    OnTrial,
}

/// The longest text that is kept, in octets: names and reasons are shorter, and a hostile one must not grow.
pub const MAX_TEXT: usize = 1024;

/// The two parties. Either may have opened the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Who greets first and shows its screen.
    Server,
    /// The viewer.
    Client,
}

impl Role {
    /// The other party.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}

/// A version as both sides write it: `RFB 003.008`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolVersion {
    /// Three decimal digits.
    pub major: u16,
    /// Three decimal digits.
    pub minor: u16,
}

impl ProtocolVersion {
    /// What an UltraVNC repeater greets with.
    pub const REPEATER: Self = Self { major: 0, minor: 0 };

    /// Which of the three dialects it means. Servers take every minor they do not know for 3.3 (RFC 6143, section
    /// 7.1.1, says so of 3.5); UltraVNC's 3.4, 3.6, 3.14 and 3.16 are 3.3 too, its 3.18 and Apple's 3.888 and 3.889 are
    /// 3.8, and so is all that has a higher major (RealVNC's 4.1 and 5.0, Intel's 4.0).
    #[must_use]
    pub fn flow(self) -> Flow {
        match (self.major, self.minor) {
            (3, 7) => Flow::V3_7,
            (3, 8 | 18 | 888 | 889) => Flow::V3_8,
            (0..=3, _) => Flow::V3_3,
            _ => Flow::V3_8,
        }
    }

    /// Whether UltraVNC Single Click asks the viewer's user before security (`rfbproto.h`: minor + 10).
    #[must_use]
    pub fn has_prompt(self) -> bool {
        self.major == 3 && matches!(self.minor, 14 | 16 | 18)
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}.{:03}", self.major, self.minor)
    }
}

/// The three dialects of the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flow {
    /// The server decides on the type, in four octets.
    V3_3,
    /// The client chooses from a list; no result after None, no reason after a refusal.
    V3_7,
    /// A result always, and a reason after a refusal.
    V3_8,
}

/// SecurityResult (RFC 6143, section 7.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecurityResult(pub u32);

impl SecurityResult {
    /// Passed.
    pub const OK: Self = Self(0);
    /// Refused; a reason follows in 3.8.
    pub const FAILED: Self = Self(1);
    /// Refused: too many attempts (Tight; older than 3.8 without a reason).
    pub const TOO_MANY: Self = Self(2);
    /// Refused; UltraVNC adds a reason in every version.
    pub const FAILED_WITH_REASON: Self = Self(3);
    /// UltraVNC: the types are offered once more.
    pub const CONTINUE: Self = Self(0xffff_ffff);

    /// Whether a server sends this word. Anything else is no result: ServerInit, for one, begins with the desktop's width.
    #[must_use]
    pub fn is_known(self) -> bool {
        self.0 <= 3 || self == Self::CONTINUE || self.0 == SecurityType::MS_LOGON_LEGACY.0
    }
}

/// Size and name of the desktop (RFC 6143, section 7.3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInit {
    /// In pixels.
    pub width: u16,
    /// In pixels.
    pub height: u16,
    /// Bits of a pixel: 8, 16 or 32.
    pub bits_per_pixel: u8,
    /// Useful bits of a pixel.
    pub depth: u8,
    /// The name's length as sent, in octets.
    pub name_length: u32,
    /// The name as sent, cut to [`MAX_TEXT`] octets.
    pub name: Vec<u8>,
}

impl ServerInit {
    /// Whether a real server could have sent it. Asked only where the place in the stream is a guess.
    #[must_use]
    pub fn is_plausible(&self) -> bool {
        has_pixels(self.bits_per_pixel, self.depth)
            && self.width > 0
            && self.height > 0
            && self.name_length <= 0xffff
    }
}

/// Whether a pixel can have so many bits, and so many useful ones. 24 are against the rules, but some have them.
pub(super) fn has_pixels(bits_per_pixel: u8, depth: u8) -> bool {
    matches!(bits_per_pixel, 8 | 16 | 24 | 32) && (1..=32).contains(&depth)
}

/// What a server with security type Tight adds to ServerInit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Capabilities {
    /// Server messages beyond the standard.
    pub server_messages: u16,
    /// Client messages beyond the standard.
    pub client_messages: u16,
    /// Encodings.
    pub encodings: u16,
    /// Whether files can be fetched or sent (a signature that begins with `FT`).
    pub file_transfer: bool,
}

/// What a side may begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// A version line.
    Version(ProtocolVersion),
    /// `REP ddd.ddd`, by which an UltraVNC repeater keeps a waiting server's flow alive.
    KeepAlive,
    /// `ID:` and a number in 250 octets, by which a server names itself to an UltraVNC repeater.
    Identifier,
}

/// Reads what a side begins with.
#[must_use]
pub fn opening(input: &[u8]) -> Step<Opening> {
    match input.first() {
        Some(b'I') => identifier(input),
        _ if fits(input, KEEP_ALIVE) => match whole(input, KEEP_ALIVE.len()) {
            Step::Done(_, used) if used > 0 => Step::Done(Opening::KeepAlive, used),
            // A common prefix, such as `R`, is still open to both.
            Step::NeedMore(missing) => Step::NeedMore(missing),
            _ => Step::NotThisProtocol("no RFB greeting"),
        },
        _ => protocol_version(input).map(Opening::Version),
    }
}

/// Reads the line both sides open with, `RFB xxx.yyy\n` (RFC 6143, section 7.1.1).
#[must_use]
pub fn protocol_version(input: &[u8]) -> Step<ProtocolVersion> {
    // A prefix that fits is never refused: the answer must not depend on how TCP cut the line.
    if !fits(input, VERSION) {
        return Step::NotThisProtocol("no RFB version line");
    }
    let Some(&[_, _, _, _, a, b, c, _, x, y, z, _]) = input.first_chunk() else {
        return Step::NeedMore(VERSION.len() - input.len());
    };
    let version = ProtocolVersion {
        major: decimal([a, b, c]),
        minor: decimal([x, y, z]),
    };
    Step::Done(version, VERSION.len())
}

/// `ID:` with a name, filled up with NULs to 250 octets (UltraVNC's `MAX_HOST_NAME_LEN`).
fn identifier(input: &[u8]) -> Step<Opening> {
    const REFUSAL: &str = "no repeater identifier";
    let block = input.get(..IDENTIFIER_LENGTH).unwrap_or(input);
    let filled = block.iter().position(|&octet| octet == 0);
    let (name, filling) = block
        .split_at_checked(filled.unwrap_or(block.len()))
        .unwrap_or((block, &[]));
    let marked = name.iter().zip(b"ID:").all(|(have, want)| have == want);
    let is_text = name.iter().all(|octet| matches!(octet, b' '..=b'~'));
    if !marked
        || !is_text
        || filling.iter().any(|&octet| octet != 0)
        || (filled.is_some() && name.len() < 4)
    {
        return Step::NotThisProtocol(REFUSAL);
    }
    if block.len() < IDENTIFIER_LENGTH {
        return Step::NeedMore(IDENTIFIER_LENGTH - block.len());
    }
    Step::Done(Opening::Identifier, IDENTIFIER_LENGTH)
}

/// Reads a text with its length in four octets before it: reasons. Only [`MAX_TEXT`] octets of it are waited for and
/// kept; what is longer is left unread.
pub(super) fn reason(input: &[u8]) -> Step<Vec<u8>> {
    let mut reader = Reader::new(input);
    let Some(length) = reader.u32_be() else {
        return Step::NeedMore(4 - input.len());
    };
    kept(&mut reader, length).map_or_else(Step::NeedMore, |text| {
        Step::Done(text.to_vec(), 4 + text.len())
    })
}

/// Reads ServerInit, with as much of the name as is kept.
#[must_use]
pub fn server_init(input: &[u8]) -> Step<ServerInit> {
    let mut reader = Reader::new(input);
    let head = (|| {
        let (width, height) = (reader.u16_be()?, reader.u16_be()?);
        let [bits_per_pixel, depth, ..] = reader.take_array::<16>()?;
        Some((width, height, bits_per_pixel, depth, reader.u32_be()?))
    })();
    let Some((width, height, bits_per_pixel, depth, name_length)) = head else {
        return Step::NeedMore(SERVER_INIT_HEAD - input.len());
    };
    let name = match kept(&mut reader, name_length) {
        Ok(name) => name.to_vec(),
        Err(missing) => return Step::NeedMore(missing),
    };
    let used = SERVER_INIT_HEAD + name.len();
    let init = ServerInit {
        width,
        height,
        bits_per_pixel,
        depth,
        name_length,
        name,
    };
    Step::Done(init, used)
}

/// Reads a list of capabilities with its count in four octets before it, and hands out their codes.
pub(super) fn capability_list(input: &[u8]) -> Step<Vec<u32>> {
    let mut reader = Reader::new(input);
    let Some(count) = reader.u32_be() else {
        return Step::NeedMore(4 - input.len());
    };
    let Ok(count @ 0..=MAX_CAPABILITIES) = usize::try_from(count) else {
        return Step::NotThisProtocol("too many Tight capabilities");
    };
    let missing = (count * CAPABILITY).saturating_sub(reader.left());
    if missing > 0 {
        return Step::NeedMore(missing);
    }
    let codes = std::iter::from_fn(|| reader.sub(CAPABILITY)?.u32_be());
    Step::Done(codes.take(count).collect(), 4 + count * CAPABILITY)
}

/// Reads what Tight adds to ServerInit. Of a longer list the first [`MAX_CAPABILITIES`] are looked at.
pub(super) fn capabilities(input: &[u8]) -> Step<Capabilities> {
    let mut reader = Reader::new(input);
    let head = (|| {
        Some((
            reader.u16_be()?,
            reader.u16_be()?,
            reader.u16_be()?,
            reader.u16_be()?,
        ))
    })();
    let Some((server_messages, client_messages, encodings, _padding)) = head else {
        return Step::NeedMore(8 - input.len());
    };
    let total =
        usize::from(server_messages) + usize::from(client_messages) + usize::from(encodings);
    let looked_at = total.min(MAX_CAPABILITIES);
    let missing = (looked_at * CAPABILITY).saturating_sub(reader.left());
    if missing > 0 {
        return Step::NeedMore(missing);
    }
    let mut capabilities = std::iter::from_fn(|| reader.take(CAPABILITY)).take(looked_at);
    // Code and vendor, then the signature: FTS_LSDT, FTC_DNRQ, FTCCSRST and others are of files.
    let file_transfer = capabilities.any(|octets| octets.get(8..10) == Some(b"FT"));
    Step::Done(
        Capabilities {
            server_messages,
            client_messages,
            encodings,
            file_transfer,
        },
        8 + looked_at * CAPABILITY,
    )
}

/// The next octets of a text, [`MAX_TEXT`] at most, or how many are missing.
fn kept<'a>(reader: &mut Reader<'a>, length: u32) -> Result<&'a [u8], usize> {
    let wanted = usize::try_from(length).unwrap_or(usize::MAX).min(MAX_TEXT);
    let left = reader.left();
    reader
        .take(wanted)
        .ok_or_else(|| wanted.saturating_sub(left))
}

/// All octets are there, or so many are missing.
fn whole(input: &[u8], length: usize) -> Step<()> {
    match length.checked_sub(input.len()) {
        None | Some(0) => Step::Done((), length),
        Some(missing) => Step::NeedMore(missing),
    }
}

/// Whether octets fit a pattern as far as both go. `#` stands for any decimal digit.
fn fits(input: &[u8], pattern: &[u8]) -> bool {
    input.iter().zip(pattern).all(|(&octet, &want)| match want {
        b'#' => octet.is_ascii_digit(),
        want => octet == want,
    })
}

fn decimal(digits: [u8; 3]) -> u16 {
    digits
        .iter()
        .fold(0, |sum, digit| sum * 10 + u16::from(digit & 0x0f))
}

const VERSION: &[u8] = b"RFB ###.###\n";
const KEEP_ALIVE: &[u8] = b"REP ###.###\n";
/// Octets by which one names itself to an UltraVNC repeater.
pub(super) const IDENTIFIER_LENGTH: usize = 250;
/// ServerInit without the name.
const SERVER_INIT_HEAD: usize = 24;
/// Octets of one capability: code, vendor, signature.
const CAPABILITY: usize = 16;
/// TightVNC 2 announces about thirty; a list of more is read no further.
const MAX_CAPABILITIES: usize = 64;
