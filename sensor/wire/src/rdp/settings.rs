//! The settings that client and server exchange (MS-RDPBCGR 2.2.1.3.2 to 2.2.1.4.4), and names for their numbers.

use std::fmt;

use crate::Reader;

use super::text;

/// What a client says of itself. A block that is missing or too short leaves its fields empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientSettings {
    /// CS_CORE.
    pub core: Option<ClientCore>,
    /// CS_SECURITY: encryption methods it supports (1 = 40 bit, 2 = 128 bit, 8 = 56 bit, 0x10 = FIPS).
    pub encryption_methods: Option<u32>,
    /// CS_CLUSTER.
    pub cluster: Option<Cluster>,
    /// CS_NET: the static virtual channels it asks for, [`MAX_CHANNELS`] at most.
    pub channels: Vec<Channel>,
    /// How many channels CS_NET claims to have; more than [`MAX_CHANNELS`] is abnormal.
    pub channel_count: u32,
    /// Whether it asks for a channel `MS_T120`, in any case of letters and at any place of the list. The name belongs to
    /// the server; only CVE-2019-0708 and its scanners ask for it.
    pub asks_for_ms_t120: bool,
}

/// CS_CORE (MS-RDPBCGR 2.2.1.3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCore {
    /// Version of the protocol: 0x00080001 is 4.0, 0x00080004 is 5.0 to 8.1.
    pub version: u32,
    /// Desktop width in pixels.
    pub width: u16,
    /// Desktop height in pixels.
    pub height: u16,
    /// Layout of the keyboard, see [`KeyboardName`].
    pub keyboard_layout: u32,
    /// Build of the client, see [`BuildName`].
    pub build: u32,
    /// Name of the client's machine, 15 characters at most; empty where it gives none.
    pub name: String,
    /// Kind of keyboard: 4 is IBM enhanced, 7 Japanese.
    pub keyboard_type: Option<u32>,
}

/// CS_CLUSTER (MS-RDPBCGR 2.2.1.3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cluster {
    /// Flags: 0x01 redirection supported, 0x02 the session id is valid.
    pub flags: u32,
    /// The session a broker redirected it to.
    pub session_id: u32,
}

/// CHANNEL_DEF (MS-RDPBCGR 2.2.1.3.4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// `rdpdr` (drives and printers), `cliprdr` (clipboard), `rdpsnd`, `drdynvc`, `rail`, ...
    pub name: String,
    /// Flags.
    pub options: u32,
}

/// More channels than this no server accepts (MS-RDPBCGR 2.2.1.3.4).
pub const MAX_CHANNELS: usize = 31;

impl ClientSettings {
    /// Reads the blocks of a Conference Create Request.
    pub(super) fn read(blocks: &[u8]) -> Self {
        let mut settings = Self::default();
        for (kind, body) in Blocks::of(blocks) {
            settings.take_block(kind, body);
        }
        settings
    }

    fn take_block(&mut self, kind: u16, mut body: Reader<'_>) {
        match kind {
            CS_CORE => self.core = ClientCore::read(body),
            CS_SECURITY => self.encryption_methods = body.u32_le(),
            CS_CLUSTER => {
                self.cluster = body
                    .u32_le()
                    .zip(body.u32_le())
                    .map(|(flags, session_id)| Cluster { flags, session_id });
            }
            CS_NET => self.take_channels(body),
            _ => {}
        }
    }

    fn take_channels(&mut self, mut body: Reader<'_>) {
        self.channels.clear();
        self.channel_count = body.u32_le().unwrap_or_default();
        let mut left = self.channel_count;
        while left > 0
            && let Some((name, options)) = body.take_array::<8>().zip(body.u32_le())
        {
            left -= 1;
            let name = name.split(|&octet| octet == 0).next().unwrap_or_default();
            self.asks_for_ms_t120 |= name.eq_ignore_ascii_case(b"MS_T120");
            if self.channels.len() < MAX_CHANNELS {
                let name = text::escaped(name, 8);
                self.channels.push(Channel { name, options });
            }
        }
    }
}

impl ClientCore {
    fn read(mut body: Reader<'_>) -> Option<Self> {
        let version = body.u32_le()?;
        let (width, height) = (body.u16_le()?, body.u16_le()?);
        // Colour depth and the sequence of the secure attention keys: superseded, or constant.
        body.take(4)?;
        let (keyboard_layout, build) = (body.u32_le()?, body.u32_le()?);
        let name = text::utf16(body.take(32)?);
        let keyboard_type = body.u32_le();
        Some(Self {
            version,
            width,
            height,
            keyboard_layout,
            build,
            name,
            keyboard_type,
        })
    }
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerSettings {
    /// SC_CORE: version of the protocol.
    pub version: Option<u32>,
    /// SC_CORE: what it understood the client to have requested; servers from Windows XP SP2 on repeat it.
    pub requested: Option<u32>,
    /// SC_SECURITY: encryption method (0 = none, 1 = 40 bit, 2 = 128 bit, 8 = 56 bit, 0x10 = FIPS).
    pub encryption_method: Option<u32>,
    /// SC_SECURITY: encryption level (0 = none, 1 = low, 2 = client compatible, 3 = high, 4 = FIPS).
    pub encryption_level: Option<u32>,
    /// SC_SECURITY: the certificate, where RDP itself encrypts.
    pub certificate: Option<ServerCertificate>,
}

/// A server's certificate for RDP's own encryption (MS-RDPBCGR 2.2.1.4.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerCertificate {
    /// Signed with a key that every copy of Windows shares: it proves nothing.
    Proprietary {
        /// Length of the RSA key in bits, if it could be read.
        key_bits: Option<u32>,
    },
    /// A chain of X.509, from a licence server.
    X509 {
        /// The server's own, the last of the chain, in DER; none when it is longer than a TLS one would be or cut.
        der: Option<Vec<u8>>,
    },
    /// Another version.
    Unknown(u32),
}

impl ServerSettings {
    /// Reads the blocks of a Conference Create Response.
    pub(super) fn read(blocks: &[u8]) -> Self {
        let mut settings = Self::default();
        for (kind, mut body) in Blocks::of(blocks) {
            match kind {
                SC_CORE => {
                    settings.version = body.u32_le();
                    settings.requested = body.u32_le();
                }
                SC_SECURITY => settings.take_security(body),
                _ => {}
            }
        }
        settings
    }

    fn take_security(&mut self, mut body: Reader<'_>) {
        self.encryption_method = body.u32_le();
        self.encryption_level = body.u32_le();
        self.certificate = certificate(body);
    }
}

fn certificate(mut body: Reader<'_>) -> Option<ServerCertificate> {
    let random = usize::try_from(body.u32_le()?).ok()?;
    let length = usize::try_from(body.u32_le()?).ok()?;
    body.take(random)?;
    let mut certificate = body.sub(length)?;
    // The top bit says that the certificate is temporary.
    match certificate.u32_le()? & 0x7fff_ffff {
        1 => Some(ServerCertificate::Proprietary {
            key_bits: proprietary_key_bits(certificate),
        }),
        2 => Some(ServerCertificate::X509 {
            der: last_of_chain(certificate),
        }),
        other => Some(ServerCertificate::Unknown(other)),
    }
}

/// Signature and key algorithm, type and length of the key's blob, `RSA1`, length of the key, its bits.
fn proprietary_key_bits(mut certificate: Reader<'_>) -> Option<u32> {
    certificate.take(12)?;
    (certificate.take(4)? == b"RSA1").then_some(())?;
    certificate.take(4)?;
    certificate.u32_le()
}

fn last_of_chain(mut chain: Reader<'_>) -> Option<Vec<u8>> {
    let count = chain.u32_le()?;
    let mut last = None;
    for _ in 0..count.min(MAX_CHAIN) {
        let length = usize::try_from(chain.u32_le()?).ok()?;
        last = Some(chain.take(length)?);
    }
    last.filter(|der| der.len() <= MAX_CERTIFICATE)
        .map(<[u8]>::to_vec)
}

/// Type and body of each block. A block that claims more than there is ends the list with what there is.
struct Blocks<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl<'a> Blocks<'a> {
    fn of(blocks: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(blocks),
            left: MAX_BLOCKS,
        }
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = (u16, Reader<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let kind = self.reader.u16_le()?;
        // The length counts its own header.
        let length = usize::from(self.reader.u16_le()?).checked_sub(4)?;
        let body = self.reader.sub(length.min(self.reader.left()))?;
        Some((kind, body))
    }
}

/// The build of a client with the product it belongs to: `2600 (Windows XP)`; an unknown one is the number alone. Other
/// programs borrow a build: rdesktop and FreeRDP up to 2 send 2600, FreeRDP 3 sends 18363.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildName(pub u32);

impl fmt::Display for BuildName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        match BUILDS.binary_search_by_key(&self.0, |&(build, _)| build) {
            Ok(found) => BUILDS
                .get(found)
                .map_or(Ok(()), |(_, name)| write!(f, " ({name})")),
            Err(_) => Ok(()),
        }
    }
}

/// The layout of a keyboard with its language: `0x00000409 (en-US)`; the number alone where the language is unknown. The
/// language is the lower half; the upper half tells variants and input methods (0x00010409 is Dvorak).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyboardName(pub u32);

impl fmt::Display for KeyboardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08x}", self.0)?;
        let language = self.0 & 0xffff;
        match LANGUAGES.binary_search_by_key(&language, |&(id, _)| id) {
            Ok(found) => LANGUAGES
                .get(found)
                .map_or(Ok(()), |(_, tag)| write!(f, " ({tag})")),
            Err(_) => Ok(()),
        }
    }
}

/// A client sends at most 9 kinds of block, a server 5.
const MAX_BLOCKS: usize = 32;
/// A licence server's chain has two to four.
const MAX_CHAIN: u32 = 16;
/// As much as a TLS certificate of a terminal server takes three times over.
const MAX_CERTIFICATE: usize = 4096;

const CS_CORE: u16 = 0xc001;
const CS_SECURITY: u16 = 0xc002;
const CS_NET: u16 = 0xc003;
const CS_CLUSTER: u16 = 0xc004;
const SC_CORE: u16 = 0x0c01;
const SC_SECURITY: u16 = 0x0c02;

/// Builds of Windows, ascending (Microsoft's release pages).
const BUILDS: &[(u32, &str)] = &[
    (2195, "Windows 2000"),
    (2600, "Windows XP"),
    (3790, "Windows Server 2003"),
    (6000, "Windows Vista"),
    (6001, "Windows Vista SP1"),
    (6002, "Windows Vista SP2"),
    (7600, "Windows 7"),
    (7601, "Windows 7 SP1"),
    (9200, "Windows 8"),
    (9600, "Windows 8.1"),
    (10240, "Windows 10 1507"),
    (10586, "Windows 10 1511"),
    (14393, "Windows 10 1607"),
    (15063, "Windows 10 1703"),
    (16299, "Windows 10 1709"),
    (17134, "Windows 10 1803"),
    (17763, "Windows 10 1809"),
    (18362, "Windows 10 1903"),
    (18363, "Windows 10 1909"),
    (19041, "Windows 10 2004"),
    (19042, "Windows 10 20H2"),
    (19043, "Windows 10 21H1"),
    (19044, "Windows 10 21H2"),
    (19045, "Windows 10 22H2"),
    (20348, "Windows Server 2022"),
    (22000, "Windows 11 21H2"),
    (22621, "Windows 11 22H2"),
    (22631, "Windows 11 23H2"),
    (25398, "Windows Server 23H2"),
    (26100, "Windows 11 24H2"),
    (26200, "Windows 11 25H2"),
];

/// Language identifiers, ascending (MS-LCID 2.2).
const LANGUAGES: &[(u32, &str)] = &[
    (0x0401, "ar-SA"),
    (0x0402, "bg-BG"),
    (0x0403, "ca-ES"),
    (0x0404, "zh-TW"),
    (0x0405, "cs-CZ"),
    (0x0406, "da-DK"),
    (0x0407, "de-DE"),
    (0x0408, "el-GR"),
    (0x0409, "en-US"),
    (0x040a, "es-ES"),
    (0x040b, "fi-FI"),
    (0x040c, "fr-FR"),
    (0x040d, "he-IL"),
    (0x040e, "hu-HU"),
    (0x040f, "is-IS"),
    (0x0410, "it-IT"),
    (0x0411, "ja-JP"),
    (0x0412, "ko-KR"),
    (0x0413, "nl-NL"),
    (0x0414, "nb-NO"),
    (0x0415, "pl-PL"),
    (0x0416, "pt-BR"),
    (0x0418, "ro-RO"),
    (0x0419, "ru-RU"),
    (0x041a, "hr-HR"),
    (0x041b, "sk-SK"),
    (0x041c, "sq-AL"),
    (0x041d, "sv-SE"),
    (0x041e, "th-TH"),
    (0x041f, "tr-TR"),
    (0x0420, "ur-PK"),
    (0x0421, "id-ID"),
    (0x0422, "uk-UA"),
    (0x0423, "be-BY"),
    (0x0424, "sl-SI"),
    (0x0425, "et-EE"),
    (0x0426, "lv-LV"),
    (0x0427, "lt-LT"),
    (0x0428, "tg-TJ"),
    (0x0429, "fa-IR"),
    (0x042a, "vi-VN"),
    (0x042b, "hy-AM"),
    (0x042c, "az-AZ"),
    (0x042f, "mk-MK"),
    (0x0437, "ka-GE"),
    (0x0439, "hi-IN"),
    (0x043e, "ms-MY"),
    (0x043f, "kk-KZ"),
    (0x0440, "ky-KG"),
    (0x0443, "uz-UZ"),
    (0x0445, "bn-IN"),
    (0x0804, "zh-CN"),
    (0x0807, "de-CH"),
    (0x0809, "en-GB"),
    (0x080a, "es-MX"),
    (0x080c, "fr-BE"),
    (0x0813, "nl-BE"),
    (0x0816, "pt-PT"),
    (0x081a, "sr-Latn-CS"),
    (0x0c04, "zh-HK"),
    (0x0c07, "de-AT"),
    (0x0c09, "en-AU"),
    (0x0c0a, "es-ES"),
    (0x0c0c, "fr-CA"),
    (0x0c1a, "sr-Cyrl-CS"),
    (0x1004, "zh-SG"),
    (0x1009, "en-CA"),
    (0x100c, "fr-CH"),
    (0x1409, "en-NZ"),
    (0x1809, "en-IE"),
    (0x1c09, "en-ZA"),
    (0x4009, "en-IN"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_tables_in_order() {
        assert!(BUILDS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(LANGUAGES.is_sorted_by(|a, b| a.0 < b.0));
    }
}
