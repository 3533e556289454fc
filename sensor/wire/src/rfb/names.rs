//! The numbers of security types, and their names.

use std::fmt;

/// A security type (RFC 6143, section 7.1.2; the IANA registry "RFB Security Types"). UltraVNC also sends numbers over
/// 255 where RFB 3.3 has room for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecurityType(pub u32);

impl SecurityType {
    /// No type: a reason follows, then the end.
    pub const INVALID: Self = Self(0);
    /// No password.
    pub const NONE: Self = Self(1);
    /// Challenge and response with DES.
    pub const VNC_AUTH: Self = Self(2);
    /// RSA-AES, all encrypted.
    pub const RA2: Self = Self(5);
    /// RSA-AES for the authentication only.
    pub const RA2NE: Self = Self(6);
    /// RSA-AES in two steps, all encrypted.
    pub const RA2R: Self = Self(13);
    /// Tight: tunnels, authentication, capabilities.
    pub const TIGHT: Self = Self(16);
    /// UltraVNC names itself; the types are then offered anew.
    pub const ULTRA: Self = Self(17);
    /// Anonymous TLS, then the security types once more, inside.
    pub const TLS: Self = Self(18);
    /// VeNCrypt: a list of sub-types, most of them in TLS.
    pub const VENCRYPT: Self = Self(19);
    /// SASL, as QEMU and gtk-vnc speak it.
    pub const SASL: Self = Self(20);
    /// xvp: user and target, then VNC authentication.
    pub const XVP: Self = Self(22);
    /// Diffie-Hellman of Apple Remote Desktop.
    pub const ARD: Self = Self(30);
    /// Apple, newer than [`ARD`](Self::ARD).
    pub const APPLE_33: Self = Self(33);
    /// Apple, Kerberos.
    pub const APPLE_35: Self = Self(35);
    /// Apple, newer than [`ARD`](Self::ARD).
    pub const APPLE_36: Self = Self(36);
    /// UltraVNC Single Click asks the person at the viewer.
    pub const SC_PROMPT: Self = Self(104);
    /// UltraVNC session selection.
    pub const SESSION_SELECT: Self = Self(105);
    /// UltraVNC MS-Logon I.
    pub const MS_LOGON_1: Self = Self(112);
    /// UltraVNC MS-Logon II.
    pub const MS_LOGON_2: Self = Self(113);
    /// UltraVNC SecureVNC plugin.
    pub const SECURE_VNC: Self = Self(114);
    /// UltraVNC SecureVNC plugin, with a question for the password.
    pub const SECURE_VNC_NEW: Self = Self(115);
    /// UltraVNC: extra messages after ClientInit.
    pub const CLIENT_INIT_EXTRA: Self = Self(116);
    /// UltraVNC: extra messages after ClientInit, newer form.
    pub const CLIENT_INIT_EXTRA_NEW: Self = Self(117);
    /// UltraVNC MS-Logon III.
    pub const MS_LOGON_3: Self = Self(118);
    /// RSA-AES with 256 bits, all encrypted.
    pub const RA2_256: Self = Self(129);
    /// RSA-AES with 256 bits for the authentication only.
    pub const RA2NE_256: Self = Self(130);
    /// RSA-AES with 256 bits in two steps, all encrypted.
    pub const RA2R_256: Self = Self(133);
    /// UltraVNC MS-Logon II as RFB 3.3 writes it.
    pub const MS_LOGON_LEGACY: Self = Self(0xffff_fffa);

    /// The registry's name, where it has one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "Invalid",
            1 => "None",
            2 => "VncAuth",
            5 => "RA2",
            6 => "RA2ne",
            7 => "SSPI",
            8 => "SSPIne",
            13 => "RA2r",
            16 => "Tight",
            17 => "Ultra",
            18 => "TLS",
            19 => "VeNCrypt",
            20 => "SASL",
            21 => "MD5",
            22 => "xvp",
            23 => "SecureTunnel",
            24 => "IntegratedSSH",
            30 => "ARD",
            104 => "SCPrompt",
            105 => "SessionSelect",
            112 => "MSLogonI",
            113 | 0xffff_fffa => "MSLogonII",
            114 | 115 => "SecureVNC",
            116 | 117 => "ClientInitExtra",
            118 => "MSLogonIII",
            129 => "RA2_256",
            130 => "RA2ne_256",
            133 => "RA2r_256",
            _ => return None,
        })
    }

    /// Whether somebody has registered or been seen to use this number: RealVNC's, Apple's and UltraVNC's ranges too.
    /// A list read by guess must hold nothing else.
    #[must_use]
    pub fn is_plausible(self) -> bool {
        matches!(self.0, 1..=24 | 30..=36 | 104..=105 | 112..=118 | 128..=134)
    }
}

impl fmt::Display for SecurityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A sub-type of VeNCrypt 0.2. Ordinary security types may stand in its list too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VencryptType(pub u32);

impl VencryptType {
    /// User and password in clear.
    pub const PLAIN: Self = Self(256);
    /// Anonymous TLS, no password.
    pub const TLS_NONE: Self = Self(257);
    /// Anonymous TLS, VNC authentication.
    pub const TLS_VNC: Self = Self(258);
    /// Anonymous TLS, user and password.
    pub const TLS_PLAIN: Self = Self(259);
    /// TLS with a certificate, no password.
    pub const X509_NONE: Self = Self(260);
    /// TLS with a certificate, VNC authentication.
    pub const X509_VNC: Self = Self(261);
    /// TLS with a certificate, user and password.
    pub const X509_PLAIN: Self = Self(262);
    /// Anonymous TLS, SASL. LibVNC has this and the next one swapped.
    pub const TLS_SASL: Self = Self(263);
    /// TLS with a certificate, SASL.
    pub const X509_SASL: Self = Self(264);
    /// A name only, in clear.
    pub const IDENT: Self = Self(265);
    /// Anonymous TLS, a name only.
    pub const TLS_IDENT: Self = Self(266);
    /// TLS with a certificate, a name only.
    pub const X509_IDENT: Self = Self(267);

    /// Whether TLS follows its acknowledgement.
    #[must_use]
    pub fn is_tls(self) -> bool {
        matches!(self.0, 257..=264 | 266..=267)
    }

    /// Whether nobody is asked for a password inside.
    #[must_use]
    pub fn is_none(self) -> bool {
        matches!(self, Self::TLS_NONE | Self::X509_NONE)
    }
}

impl fmt::Display for VencryptType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            256 => "Plain",
            257 => "TLSNone",
            258 => "TLSVnc",
            259 => "TLSPlain",
            260 => "X509None",
            261 => "X509Vnc",
            262 => "X509Plain",
            263 => "TLSSASL",
            264 => "X509SASL",
            265 => "Ident",
            266 => "TLSIdent",
            267 => "X509Ident",
            other => return write!(f, "{}", SecurityType(other)),
        })
    }
}

/// An authentication of security type Tight. Its numbers are not those of security types: 129 is a login here, RSA there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TightAuthentication(pub u32);

impl TightAuthentication {
    /// `STDV NOAUTH__`.
    pub const NONE: Self = Self(1);
    /// `STDV VNCAUTH_`.
    pub const VNC: Self = Self(2);
    /// `VENC VENCRYPT`.
    pub const VENCRYPT: Self = Self(19);
    /// `GTKV SASL____`.
    pub const SASL: Self = Self(20);
    /// `TGHT ULGNAUTH`: user and password in clear.
    pub const UNIX_LOGIN: Self = Self(129);
    /// `TGHT XTRNAUTH`.
    pub const EXTERNAL: Self = Self(130);
}

impl fmt::Display for TightAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            129 => "UnixLogin",
            130 => "External",
            other => return write!(f, "{}", SecurityType(other)),
        })
    }
}
