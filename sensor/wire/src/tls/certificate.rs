//! What a certificate says (RFC 5280).

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use sha2::{Digest, Sha256};
use x509_parser::asn1_rs::Tag;
use x509_parser::certificate::X509CertificateParser;
use x509_parser::extensions::{GeneralName, SubjectAlternativeName};
use x509_parser::nom::Parser;
use x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// A certificate, as text. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Subject, RFC 4514 text: the last attribute first. Well-known attributes that RFC 4514 would write as numbers have
    /// OpenSSL's names (`emailAddress`, `serialNumber`, ...).
    pub subject: String,
    /// Issuer, the same.
    pub issuer: String,
    /// DNS names and IP addresses of the subject alternative name, in order; [`MAX_NAMES`] at most.
    pub names: Vec<String>,
    /// Begin of validity in seconds since 1970.
    pub not_before: i64,
    /// End of validity in seconds since 1970.
    pub not_after: i64,
    /// Hash of the DER form.
    pub sha256: [u8; 32],
}

impl Certificate {
    /// Reads a certificate in DER form; `None` when it is not readable up to its extensions. Octets behind it are
    /// ignored.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Option<Self> {
        // Extensions are not read in depth: one bad extension must not hide the names.
        let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
        let (_, certificate) = parser.parse(der).ok()?;
        Some(Self {
            subject: name_text(certificate.subject()),
            issuer: name_text(certificate.issuer()),
            names: certificate
                .iter_extensions()
                .filter(|extension| extension.oid == OID_X509_EXT_SUBJECT_ALT_NAME)
                .find_map(|extension| SubjectAlternativeName::from_der(extension.value).ok())
                .map(|(_, names)| alternative_names(&names))
                .unwrap_or_default(),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            sha256: Sha256::digest(der).into(),
        })
    }

    /// The hash as 64 hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut text = String::with_capacity(64);
        for octet in self.sha256 {
            let _ = write!(text, "{octet:02x}");
        }
        text
    }

    /// The begin of validity as RFC 3339 text in UTC.
    #[must_use]
    pub fn not_before_text(&self) -> String {
        rfc3339(self.not_before)
    }

    /// The end of validity as RFC 3339 text in UTC, `2026-11-24T10:00:00Z`.
    #[must_use]
    pub fn not_after_text(&self) -> String {
        rfc3339(self.not_after)
    }
}

fn alternative_names(names: &SubjectAlternativeName<'_>) -> Vec<String> {
    names
        .general_names
        .iter()
        .filter_map(|name| match *name {
            GeneralName::DNSName(name) => Some(super::escaped(name.as_bytes(), MAX_TEXT)),
            GeneralName::Invalid(Tag(2), name) => Some(super::escaped(name, MAX_TEXT)),
            GeneralName::IPAddress(address) => address_text(address),
            _ => None,
        })
        .take(MAX_NAMES)
        .collect()
}

fn address_text(octets: &[u8]) -> Option<String> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Some(Ipv4Addr::from(octets).to_string());
    }
    let octets = <[u8; 16]>::try_from(octets).ok()?;
    Some(Ipv6Addr::from(octets).to_string())
}

/// A distinguished name by RFC 4514. No attribute is begun behind [`MAX_TEXT`] octets.
fn name_text(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name.iter_rdn().collect();
    let mut text = String::new();
    for part in parts.iter().rev() {
        let mut mark = ',';
        for attribute in part.iter() {
            if text.len() >= MAX_TEXT {
                return text;
            }
            if !text.is_empty() {
                text.push(mark);
            }
            attribute_text(attribute, &mut text);
            mark = '+';
        }
    }
    text
}

fn attribute_text(attribute: &AttributeTypeAndValue<'_>, text: &mut String) {
    let kind = attribute.attr_type();
    // The decimal form of a long number takes time that grows with its square.
    let kind = if kind.as_bytes().len() > MAX_OID {
        "unknown".to_owned()
    } else {
        kind.to_id_string()
    };
    let value = attribute.attr_value();
    let name = ATTRIBUTES.iter().find(|(oid, _)| *oid == kind);
    text.push_str(name.map_or(kind.as_str(), |(_, name)| name));
    text.push('=');
    let octets = value.data.get(..MAX_TEXT).unwrap_or(value.data);
    match value.tag() {
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::Ia5String
        | Tag::NumericString
        | Tag::VisibleString => match std::str::from_utf8(octets) {
            Ok(value) => escape(value.chars(), text),
            Err(_) => escape_octets(octets, text),
        },
        // Certificates have Latin-1 in this type, whatever its document says.
        Tag::T61String => escape(octets.iter().map(|&octet| char::from(octet)), text),
        Tag::BmpString => {
            let units = octets.chunks_exact(2).map(|unit| match *unit {
                [high, low] => u16::from_be_bytes([high, low]),
                _ => 0,
            });
            let decoded = char::decode_utf16(units);
            escape(
                decoded.map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)),
                text,
            );
        }
        _ => {
            text.push('#');
            for octet in octets {
                let _ = write!(text, "{octet:02x}");
            }
        }
    }
}

/// Escapes a value by section 2.4 of RFC 4514; control characters as the hexadecimal values of their octets.
fn escape(value: impl Iterator<Item = char>, text: &mut String) {
    let mut value = value.peekable();
    let mut first = true;
    while let Some(character) = value.next() {
        let last = value.peek().is_none();
        match character {
            _ if character.is_control() => {
                let mut octets = [0; 4];
                for octet in character.encode_utf8(&mut octets).bytes() {
                    let _ = write!(text, "\\{octet:02X}");
                }
            }
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', character]),
            '#' if first => text.push_str("\\#"),
            ' ' if first || last => text.push_str("\\ "),
            _ => text.push(character),
        }
        first = false;
    }
}

/// Octets that are no UTF-8 in a type that should be.
fn escape_octets(octets: &[u8], text: &mut String) {
    for &octet in octets {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' => text.push(char::from(octet)),
            _ => {
                let _ = write!(text, "\\{octet:02X}");
            }
        }
    }
}

/// Seconds since 1970 as RFC 3339 text. The civil date of a day number by Howard Hinnant's `civil_from_days`.
fn rfc3339(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let days = days + 719_468; // since 0000-03-01
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // 0 is March
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = year + era * 400 + carry;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// How many alternative names are kept: certificates of hosting services list over a hundred.
pub const MAX_NAMES: usize = 256;

/// How many octets of one name or attribute are kept: a DNS name has 255 at most, the longest bound of an attribute in
/// RFC 5280 is far below.
pub const MAX_TEXT: usize = 1024;

/// How many octets of an object identifier are written as numbers; those of attributes have some ten.
const MAX_OID: usize = 32;

/// Attribute types with a short name: section 3 of RFC 4514, then what OpenSSL writes.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.4", "SN"),
    ("2.5.4.42", "GN"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.97", "organizationIdentifier"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::samples;

    #[test]
    fn reads_names_end_and_hash() {
        let certificate = Certificate::from_der(samples::CERTIFICATE).unwrap();
        assert_eq!(certificate.subject, "CN=WIN-TEST,O=Example\\, Inc.,C=CH");
        assert_eq!(certificate.issuer, certificate.subject);
        assert_eq!(
            certificate.names,
            ["win-test.example", "192.0.2.7", "2001:db8::7"]
        );
        assert_eq!(certificate.not_before_text(), "2026-11-24T04:02:04Z");
        assert_eq!(certificate.not_after_text(), "2036-11-21T04:02:04Z");
        assert_eq!(
            certificate.fingerprint(),
            "2ac821dea88bc72a6955d23a89aa87881fae69ee153b4b82d7fb77bce8b584be"
        );
    }

    #[test]
    fn never_panics_on_a_certificate_that_was_changed_or_cut() {
        for place in 0..samples::CERTIFICATE.len() {
            assert_eq!(Certificate::from_der(&samples::CERTIFICATE[..place]), None);
            for change in [0x01, 0x80, 0xff] {
                let mut der = samples::CERTIFICATE.to_vec();
                der[place] ^= change;
                let _ = Certificate::from_der(&der);
            }
        }
    }

    #[test]
    fn a_bad_alternative_name_does_not_hide_the_rest() {
        let mut der = samples::CERTIFICATE.to_vec();
        let place = der.windows(4).position(|w| w == [0x87, 4, 192, 0]).unwrap();
        der[place + 1] = 0x7f; // longer than what is left
        let certificate = Certificate::from_der(&der).unwrap();
        assert_eq!(certificate.names, [""; 0]);
        assert!(certificate.subject.starts_with("CN=WIN-TEST"));
    }

    #[test]
    fn escapes_values_by_rfc_4514() {
        for (value, wanted) in [
            ("James \"Jim\" Smith, III", "James \\\"Jim\\\" Smith\\, III"),
            ("Before\rAfter", "Before\\0DAfter"),
            ("#1", "\\#1"),
            (" a ", "\\ a\\ "),
            (" ", "\\ "),
            ("a\\ ", "a\\\\\\ "),
            ("Lučić", "Lučić"),
        ] {
            let mut text = String::new();
            escape(value.chars(), &mut text);
            assert_eq!(text, wanted);
        }
    }

    #[test]
    fn writes_dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
