//! The variable parts of Connection Request and Confirm (MS-RDPBCGR 2.2.1.1 and 2.2.1.2).

use crate::Reader;

use super::text;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionRequest {
    /// The name in `Cookie: mstshash=`, as sent, blanks too: mstsc cuts it to 9 octets and may fill it, FreeRDP does not.
    /// Octets that are no UTF-8 are written `\xNN`.
    pub cookie: Option<String>,
    /// A load balancer's token without its CRLF: `Cookie: msts=...`, `tsv://...`, `mth://...`, or any other text.
    pub routing_token: Option<String>,
    /// RDP_NEG_REQ; clients before Windows XP SP2 and `/sec:rdp` of FreeRDP send none.
    pub negotiation: Option<NegotiationRequest>,
    /// RDP_NEG_CORRELATION_INFO: an identifier for log files.
    pub correlation_id: Option<[u8; 16]>,
    known_token: bool,
}

impl ConnectionRequest {
    /// Reads what follows the fixed part of a Connection Request.
    ///
    /// # Errors
    /// When it holds parameters of ISO transport, which RDP never sends.
    pub fn read(variable: &[u8]) -> Result<Self, &'static str> {
        if has_transport_parameter(variable) {
            return Err("ISO transport parameters in the Connection Request");
        }
        let mut request = Self::default();
        let mut rest = variable;
        for _ in 0..MAX_LINES {
            if negotiation(rest, NEGOTIATION_REQUEST).is_some() {
                break;
            }
            let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
                // A line that nothing ends is known by its start or not at all.
                if is_known(rest) {
                    request.take_line(rest);
                }
                break;
            };
            let (line, after) = rest.split_at_checked(end).unwrap_or_default();
            request.take_line(line);
            rest = after.get(2..).unwrap_or_default();
        }
        request.read_negotiation(rest);
        Ok(request)
    }

    fn take_line(&mut self, line: &[u8]) {
        if let Some(name) = after_prefix(line, COOKIE) {
            self.cookie
                .get_or_insert_with(|| text::escaped(name, MAX_TEXT));
        } else if self.routing_token.is_none() {
            self.known_token = is_known(line);
            self.routing_token = Some(text::escaped(line, MAX_TEXT));
        }
    }

    fn read_negotiation(&mut self, rest: &[u8]) {
        let Some((flags, protocols)) = negotiation(rest, NEGOTIATION_REQUEST) else {
            return;
        };
        self.negotiation = Some(NegotiationRequest {
            flags,
            protocols: Protocols(protocols),
        });
        let mut reader = Reader::new(rest.get(NEGOTIATION..).unwrap_or_default());
        if flags & NegotiationRequest::CORRELATION_INFO_PRESENT != 0
            && reader.take_array() == Some(CORRELATION_INFO)
        {
            self.correlation_id = reader.take_array();
        }
    }

    /// Whether something in it is RDP's own, so that no port need speak for it.
    #[must_use]
    pub fn has_mark(&self) -> bool {
        self.cookie.is_some() || self.known_token || self.negotiation.is_some()
    }

    /// What it asks for; [`Protocols::RDP`] where it does not negotiate.
    #[must_use]
    pub fn protocols(&self) -> Protocols {
        self.negotiation
            .map_or(Protocols::RDP, |negotiation| negotiation.protocols)
    }
}

/// RDP_NEG_REQ (MS-RDPBCGR 2.2.1.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NegotiationRequest {
    /// Flags, unknown ones too.
    pub flags: u8,
    /// What the client supports.
    pub protocols: Protocols,
}

impl NegotiationRequest {
    /// Restricted admin: no credentials are sent, so a stolen hash suffices.
    pub const RESTRICTED_ADMIN: u8 = 0x01;
    /// Remote Credential Guard.
    pub const REDIRECTED_AUTHENTICATION: u8 = 0x02;
    /// RDP_NEG_CORRELATION_INFO follows.
    pub const CORRELATION_INFO_PRESENT: u8 = 0x08;
}

/// A set of security protocols as a client requests it, unknown bits too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Protocols(pub u32);

impl Protocols {
    /// No bit: RDP's own security.
    pub const RDP: Self = Self(0);

    /// Its names in the order of their bits; `RDP` where no bit is set. Bits without a name give none.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let bits = (0..u32::BITS).map(|bit| 1 << bit);
        let set = bits.filter(move |bit| self.0 & bit != 0);
        let none = (self == Self::RDP).then_some(0);
        none.into_iter()
            .chain(set)
            .filter_map(|bit| Protocol(bit).name())
    }
}

/// The one security protocol a server selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Protocol(pub u32);

impl Protocol {
    /// RDP's own security.
    pub const RDP: Self = Self(0);
    /// TLS.
    pub const TLS: Self = Self(1);
    /// TLS with CredSSP: network level authentication.
    pub const CREDSSP: Self = Self(2);
    /// TLS with RDSTLS, after a redirection.
    pub const RDSTLS: Self = Self(4);
    /// CredSSP with the early user authorization result.
    pub const CREDSSP_EX: Self = Self(8);
    /// TLS with Entra ID.
    pub const RDSAAD: Self = Self(16);

    /// As records write it.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::RDP => Some("RDP"),
            Self::TLS => Some("TLS"),
            Self::CREDSSP => Some("CredSSP"),
            Self::RDSTLS => Some("RDSTLS"),
            Self::CREDSSP_EX => Some("CredSSP_EX"),
            Self::RDSAAD => Some("RDSAAD"),
            _ => None,
        }
    }
}

/// A server's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionConfirm {
    /// 0x1234 from Microsoft's servers, 0 from xrdp and FreeRDP, 0x3412 from VirtualBox.
    pub source_reference: u16,
    /// What it says.
    pub answer: Confirm,
}

/// What a Connection Confirm says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    /// RDP_NEG_RSP (MS-RDPBCGR 2.2.1.2.1).
    Selected {
        /// Flags, unknown ones too: 0x08 restricted admin supported, 0x10 redirected authentication supported.
        flags: u8,
        /// The choice.
        protocol: Protocol,
    },
    /// RDP_NEG_FAILURE (MS-RDPBCGR 2.2.1.2.2).
    Failed(FailureCode),
    /// Neither: an old server, or the client did not negotiate. RDP's own security follows.
    WithoutNegotiation,
}

impl ConnectionConfirm {
    /// Reads what follows the fixed part of a Connection Confirm.
    ///
    /// # Errors
    /// When it holds parameters of ISO transport, which RDP never sends.
    pub fn read(source_reference: u16, variable: &[u8]) -> Result<Self, &'static str> {
        if has_transport_parameter(variable) {
            return Err("ISO transport parameters in the Connection Confirm");
        }
        let selected = negotiation(variable, NEGOTIATION_RESPONSE);
        let failed = negotiation(variable, NEGOTIATION_FAILURE);
        let answer = match (selected, failed) {
            (Some((flags, protocol)), _) => Confirm::Selected {
                flags,
                protocol: Protocol(protocol),
            },
            (_, Some((_, code))) => Confirm::Failed(FailureCode(code)),
            _ => Confirm::WithoutNegotiation,
        };
        Ok(Self {
            source_reference,
            answer,
        })
    }

    /// Whether something in it is RDP's own, so that no port need speak for it.
    #[must_use]
    pub fn has_mark(&self) -> bool {
        self.answer != Confirm::WithoutNegotiation
    }

    /// The choice; none with a failure.
    #[must_use]
    pub fn selected(&self) -> Option<Protocol> {
        match self.answer {
            Confirm::Selected { protocol, .. } => Some(protocol),
            Confirm::WithoutNegotiation => Some(Protocol::RDP),
            Confirm::Failed(_) => None,
        }
    }
}

/// Why a server refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FailureCode(pub u32);

impl FailureCode {
    /// Its name in MS-RDPBCGR 2.2.1.2.2.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self.0 {
            1 => Some("SSL_REQUIRED_BY_SERVER"),
            2 => Some("SSL_NOT_ALLOWED_BY_SERVER"),
            3 => Some("SSL_CERT_NOT_ON_SERVER"),
            4 => Some("INCONSISTENT_FLAGS"),
            5 => Some("HYBRID_REQUIRED_BY_SERVER"),
            6 => Some("SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER"),
            _ => None,
        }
    }
}

/// Flags and value of the structure of 8 octets at the start of `input`, if it is of this type.
fn negotiation(input: &[u8], kind: u8) -> Option<(u8, u32)> {
    let mut reader = Reader::new(input);
    let (found, flags, length) = (reader.u8()?, reader.u8()?, reader.u16_le()?);
    let value = reader.u32_le()?;
    (found == kind && usize::from(length) == NEGOTIATION).then_some((flags, value))
}

/// TPDU size, calling and called transport selector (X.224 13.3.4): 0xc0, 0xc1, 0xc2, each with its length. A text has
/// no such octet at its start.
fn has_transport_parameter(variable: &[u8]) -> bool {
    matches!(variable, [0xc0..=0xc2, length, rest @ ..] if usize::from(*length) <= rest.len())
}

/// Whether a line is a cookie or one of the tokens that RDP is known to use.
fn is_known(line: &[u8]) -> bool {
    let mut known = TOKENS.iter().chain([&COOKIE]);
    known.any(|prefix| after_prefix(line, prefix).is_some())
}

/// The rest of `line`. Servers compare the field's name as it is; a difference in case is not worth a lost name.
fn after_prefix<'a>(line: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = line.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Cookie and routing token in octets each. mstsc cuts the cookie to 9, FreeRDP takes 255; `tsv://` tokens have been seen
/// with about 60, and the longest that a length indicator can describe has 246.
pub const MAX_TEXT: usize = 512;

/// By the document there is a token or a cookie; a proxy may have put one before the other.
const MAX_LINES: usize = 2;
const COOKIE: &[u8] = b"Cookie: mstshash=";
const TOKENS: [&[u8]; 3] = [b"Cookie: msts=", b"tsv://", b"mth://"];
/// Octets of each negotiation structure.
const NEGOTIATION: usize = 8;
const NEGOTIATION_REQUEST: u8 = 1;
const NEGOTIATION_RESPONSE: u8 = 2;
const NEGOTIATION_FAILURE: u8 = 3;
/// Type 6, no flags, 36 octets.
const CORRELATION_INFO: [u8; 4] = [6, 0, 36, 0];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variable: &[u8]) -> ConnectionRequest {
        ConnectionRequest::read(variable).unwrap()
    }

    #[test]
    fn keeps_the_cookie_as_sent() {
        let cookie = |variable: &[u8]| read(variable).cookie;
        let check = |variable: &[u8], name: &str| {
            assert_eq!(cookie(variable).as_deref(), Some(name));
        };
        check(b"Cookie: mstshash=JOHN-PC  \r\n", "JOHN-PC  ");
        check(b"Cookie: mstshash=FTBCO\\A70\r\n", "FTBCO\\A70");
        check(b"Cookie: mstshash=\r\n", "");
        check(b"Cookie: mstshash=M\xfcller\r\n", "M\\xfcller");
        check("Cookie: mstshash=Müller\r\n".as_bytes(), "Müller");
        // Nothing ends the line.
        check(b"Cookie: mstshash=scanner", "scanner");
        assert_eq!(cookie(b"Cookie: other=1\r\n"), None);
    }

    #[test]
    fn reads_cookie_and_negotiation() {
        let request = read(b"Cookie: mstshash=WDeployAd\r\n\x01\x00\x08\x00\x03\x00\x00\x00");
        assert_eq!(request.cookie.as_deref(), Some("WDeployAd"));
        assert_eq!(request.routing_token, None);
        let names: Vec<_> = request.protocols().names().collect();
        assert_eq!(names, ["TLS", "CredSSP"]);
    }

    #[test]
    fn reads_each_kind_of_routing_token() {
        for token in [
            "Cookie: msts=3640205228.15629.0000",
            "tsv://MS Terminal Services Plugin.1.Office",
            "mth://localhost/b68c217c-d28a-4d57-9f1b-2b1d2ef6a4b9",
            "gateway-7",
        ] {
            let line = format!("{token}\r\n");
            let request = read(line.as_bytes());
            assert_eq!(request.routing_token.as_deref(), Some(token));
            assert_eq!(request.cookie, None);
            assert_eq!(request.has_mark(), token != "gateway-7");
        }
    }

    #[test]
    fn reads_token_and_cookie_together_though_they_exclude_each_other() {
        let request = read(
            b"Cookie: msts=3640205228.15629.0000\r\nCookie: mstshash=anna\r\n\x01\x00\x08\x00\x00\x00\x00\x00",
        );
        assert_eq!(request.cookie.as_deref(), Some("anna"));
        assert!(request.routing_token.is_some());
        assert!(request.negotiation.is_some());
    }

    #[test]
    fn cuts_a_long_token() {
        let mut line = vec![b'x'; 70_000];
        line.extend(b"\r\n");
        let token = read(&line).routing_token.unwrap();
        assert_eq!(token.len(), MAX_TEXT);
    }

    #[test]
    fn reads_flags_and_correlation() {
        let mut variable = vec![
            0x01, 0x09, 0x08, 0x00, // RDP_NEG_REQ: restricted admin, correlation info
            0x13, 0x00, 0x00, 0x00, // TLS, CredSSP, RDSAAD
            0x06, 0x00, 0x24, 0x00, // RDP_NEG_CORRELATION_INFO: length 36
        ];
        variable.extend(1..=16);
        variable.extend([0; 16]);
        let request = read(&variable);
        let negotiation = request.negotiation.unwrap();
        assert_eq!(
            negotiation.flags,
            NegotiationRequest::RESTRICTED_ADMIN | NegotiationRequest::CORRELATION_INFO_PRESENT
        );
        assert_eq!(request.correlation_id.unwrap()[..3], [1, 2, 3]);
    }

    #[test]
    fn names_protocols_in_the_order_of_their_bits() {
        let names = |bits| Protocols(bits).names().collect::<Vec<_>>();
        assert_eq!(names(0), ["RDP"]);
        assert_eq!(names(0x0b), ["TLS", "CredSSP", "CredSSP_EX"]);
        assert_eq!(
            names(u32::MAX),
            ["TLS", "CredSSP", "RDSTLS", "CredSSP_EX", "RDSAAD"]
        );
        // Kept in the set, without a name.
        assert_eq!(names(0x40).len(), 0);
        assert_eq!(read(b"").protocols(), Protocols::RDP);
    }

    #[test]
    fn reads_each_answer() {
        let read = |variable: &[u8]| ConnectionConfirm::read(0x1234, variable).unwrap();
        let selected = read(&[0x02, 0x1f, 0x08, 0x00, 0x08, 0x00, 0x00, 0x00]);
        assert_eq!(selected.selected(), Some(Protocol::CREDSSP_EX));
        let failed = read(&[0x03, 0x00, 0x08, 0x00, 0x02, 0x00, 0x00, 0x00]);
        assert_eq!(failed.answer, Confirm::Failed(FailureCode(2)));
        assert_eq!(failed.selected(), None);
        assert_eq!(FailureCode(2).name(), Some("SSL_NOT_ALLOWED_BY_SERVER"));
        assert_eq!(FailureCode(7).name(), None);
        assert_eq!(read(b"").selected(), Some(Protocol::RDP));
        assert_eq!(Protocol(3).name(), None);
    }

    #[test]
    fn refuses_the_parameters_of_iso_transport() {
        assert!(ConnectionRequest::read(&[0xc1, 0x02, 0x01, 0x00]).is_err());
        assert!(ConnectionConfirm::read(1, &[0xc0, 0x01, 0x0a]).is_err());
        // A token in UTF-8 may begin with such an octet.
        assert!(ConnectionRequest::read("Ã=1\r\n".as_bytes()).is_ok());
    }
}
