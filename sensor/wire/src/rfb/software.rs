//! Which program a server is, by its octets alone.

use super::{Message, ProtocolVersion, SecurityType};

/// What a guess at the server's program stands on: collected from a session's messages.
#[derive(Debug, Clone, Default)]
pub struct Clues {
    version: Option<ProtocolVersion>,
    types: Vec<SecurityType>,
    reason: Vec<u8>,
    name: Vec<u8>,
    repeater: bool,
}

impl Clues {
    /// Keeps what a message tells of the program.
    pub fn learn(&mut self, message: &Message) {
        match message {
            Message::Repeater => self.repeater = true,
            Message::ServerVersion { version, .. } => self.version = Some(*version),
            // Roles were taken the wrong way round: the version was the client's.
            Message::RolesSwapped { server_version, .. } => self.version = *server_version,
            // The first list is the server's own; UltraVNC repeats it after `continue`.
            Message::SecurityTypes(types) if self.types.is_empty() => self.types.clone_from(types),
            Message::Rejected(Some(reason)) | Message::Refused(Some(reason)) => {
                self.reason.clone_from(reason);
            }
            Message::ServerInit(init) => self.name.clone_from(&init.name),
            _ => {}
        }
    }

    fn offers(&self, kind: SecurityType) -> bool {
        self.types.contains(&kind)
    }

    fn offers_any(&self, kinds: &[SecurityType]) -> bool {
        kinds.iter().any(|&kind| self.offers(kind))
    }
}

/// The program, where the octets tell; `None` where several would have sent the same.
///
/// | answer | because | how sure |
/// |---|---|---|
/// | `ultravnc-repeater` | it greeted with `RFB 000.000` or `REP 000.000` | high |
/// | `macos` | version 003.889 or 003.888, or security types 33, 35 or 36 | high |
/// | `realvnc` | version 004.001 or 005.000, or type RA2r, which only RealVNC offers | high |
/// | `ultravnc` | a version of UltraVNC alone, type Ultra, or a type of UltraVNC's range | high |
/// | `libvncserver` | it refused with `password check failed!` (x11vnc and others are made with it) | high |
/// | `qemu` | the desktop is named `QEMU` | medium: a name can be chosen |
/// | `vino` | types TLS and VncAuth, in this order | medium: Vino and its heir, gnome-remote-desktop |
/// | `tightvnc` | type Tight without VeNCrypt | medium: LibVNCServer can be built with Tight |
/// | `tigervnc` | VeNCrypt and VncAuth, or VeNCrypt with RA2 and without ARD | medium |
#[must_use]
pub fn software(clues: &Clues) -> Option<&'static str> {
    use SecurityType as T;
    let version = clues.version.map_or((0, 0), |v| (v.major, v.minor));
    let begins = |text: &[u8], with: &[u8]| text.starts_with(with);
    Some(match version {
        _ if clues.repeater => "ultravnc-repeater",
        (3, 888 | 889) => "macos",
        _ if clues.offers_any(&[T::APPLE_33, T::APPLE_35, T::APPLE_36]) => "macos",
        (4, 1) | (5, 0) => "realvnc",
        _ if clues.offers_any(&[T::RA2R, T::RA2R_256]) => "realvnc",
        (3, 4 | 6 | 14 | 16 | 18) => "ultravnc",
        _ if clues.types.iter().any(is_ultra) => "ultravnc",
        _ if begins(&clues.reason, b"password check failed!") => "libvncserver",
        _ if begins(&clues.name, b"QEMU") => "qemu",
        _ if begins_with(&clues.types, &[T::TLS, T::VNC_AUTH]) => "vino",
        _ if clues.offers(T::TIGHT) && !clues.offers(T::VENCRYPT) => "tightvnc",
        _ if begins_with(&clues.types, &[T::VENCRYPT, T::VNC_AUTH]) => "tigervnc",
        _ if clues.offers(T::VENCRYPT)
            && clues.offers_any(&[T::RA2, T::RA2NE, T::RA2_256, T::RA2NE_256])
            && !clues.offers(T::ARD) =>
        {
            "tigervnc"
        }
        _ => return None,
    })
}

fn begins_with(types: &[SecurityType], first: &[SecurityType]) -> bool {
    types.starts_with(first) && !types.contains(&SecurityType::TIGHT)
}

/// Numbers that UltraVNC took for itself.
fn is_ultra(kind: &SecurityType) -> bool {
    *kind == SecurityType::ULTRA || matches!(kind.0, 104..=105 | 112..=118 | 0xffff_fffa)
}
