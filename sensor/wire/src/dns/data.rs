//! The data of those record types that tell addresses, names or text.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dns_parser::{RData, Type, rdata};

use super::message::Record;
use super::name::{Name, write_escaped};
use super::registry::TypeName;
use crate::Reader;

/// The data of a record, as far as they tell addresses, names or text.
#[derive(Debug, Clone)]
pub enum Data<'a> {
    /// A, AAAA.
    Address(IpAddr),
    /// CNAME, DNAME, NS, PTR; the primary server of an SOA.
    Name(Name<'a>),
    /// MX.
    MailExchange {
        /// The lowest is tried first.
        preference: u16,
        /// The host.
        exchange: Name<'a>,
    },
    /// SRV (RFC 2782).
    Server {
        /// The lowest is tried first.
        priority: u16,
        /// Share among equal priorities.
        weight: u16,
        /// Port of the service.
        port: u16,
        /// The host.
        target: Name<'a>,
    },
    /// TXT.
    Text(Text<'a>),
    /// SVCB, HTTPS.
    Service(Service<'a>),
    /// Any other type, or data that do not have their type's form.
    Other,
}

/// Character strings (RFC 1035, section 3.3.14). Writes itself as all strings in one, without the marks between them, at
/// most [`Text::MAX_SHOWN`] octets of them; what is no printable ASCII, and `\`, as `\DDD`.
#[derive(Debug, Clone)]
pub struct Text<'a>(rdata::Txt<'a>);

/// How to reach a service (RFC 9460, section 2.2).
#[derive(Debug, Clone)]
pub struct Service<'a> {
    /// 0: the target stands for the owner, as a CNAME does.
    pub priority: u16,
    /// The host; the root means the owner itself.
    pub target: Name<'a>,
    parameters: &'a [u8],
}

impl<'a> Record<'a> {
    /// Takes the data apart.
    #[must_use]
    #[inline]
    pub fn data(&self) -> Data<'a> {
        self.parse().unwrap_or(Data::Other)
    }

    fn parse(&self) -> Option<Data<'a>> {
        let mut reader = Reader::new(self.octets);
        Some(match self.rtype {
            TypeName::A => {
                let octets: [u8; 4] = self.octets.try_into().ok()?;
                Data::Address(IpAddr::V4(octets.into()))
            }
            TypeName::AAAA => {
                let octets: [u8; 16] = self.octets.try_into().ok()?;
                Data::Address(IpAddr::V6(octets.into()))
            }
            TypeName::TXT => self.text()?,
            TypeName::CNAME | TypeName::DNAME | TypeName::NS | TypeName::PTR | TypeName::SOA => {
                Data::Name(self.name(0)?.0)
            }
            TypeName::MX => Data::MailExchange {
                preference: reader.u16_be()?,
                exchange: self.name(2)?.0,
            },
            TypeName::SRV => Data::Server {
                priority: reader.u16_be()?,
                weight: reader.u16_be()?,
                port: reader.u16_be()?,
                target: self.name(6)?.0,
            },
            TypeName::SVCB | TypeName::HTTPS => {
                let priority = reader.u16_be()?;
                let (target, behind) = self.name(2)?;
                Data::Service(Service {
                    priority,
                    target,
                    parameters: self.octets.get(behind..)?,
                })
            }
            _ => return None,
        })
    }

    /// Texts hold no names, so the crate cannot be led through the message by them.
    fn text(&self) -> Option<Data<'a>> {
        match RData::parse(Type::TXT, self.octets, &[]).ok()? {
            RData::TXT(text) => Some(Data::Text(Text(text))),
            _ => None,
        }
    }

    /// The name at an offset of the data, and the offset behind it. It must stand in the data.
    fn name(&self, offset: usize) -> Option<(Name<'a>, usize)> {
        let (name, behind) = Name::read(self.message, self.at + offset).ok()?;
        let behind = behind - self.at;
        (behind <= self.octets.len()).then_some((name, behind))
    }
}

impl Text<'_> {
    /// Enough for a policy or a key; a text record may have 65535 octets.
    pub const MAX_SHOWN: usize = 512;

    /// The strings, in order.
    pub fn strings(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter()
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = Self::MAX_SHOWN;
        for string in self.strings() {
            let shown = string.get(..left).unwrap_or(string);
            left -= shown.len();
            write_escaped(f, shown, |octet| {
                matches!(octet, 0x20..=0x7e) && octet != b'\\'
            })?;
            if left == 0 {
                break;
            }
        }
        Ok(())
    }
}

impl<'a> Service<'a> {
    /// The value of a parameter; none where it is missing or cut.
    #[must_use]
    pub fn parameter(&self, key: u16) -> Option<&'a [u8]> {
        let mut reader = Reader::new(self.parameters);
        loop {
            let found = reader.u16_be()?;
            let length = reader.u16_be()?;
            let value = reader.take(usize::from(length))?;
            if found == key {
                return Some(value);
            }
        }
    }

    /// The addresses that the record suggests (keys 4 and 6: RFC 9460, section 7.3).
    pub fn hints(&self) -> impl Iterator<Item = IpAddr> + use<'a> {
        let four = self.parameter(4).unwrap_or_default();
        let six = self.parameter(6).unwrap_or_default();
        let four = four.chunks_exact(4).filter_map(|chunk| {
            let octets: [u8; 4] = chunk.try_into().ok()?;
            Some(IpAddr::V4(Ipv4Addr::from(octets)))
        });
        let six = six.chunks_exact(16).filter_map(|chunk| {
            let octets: [u8; 16] = chunk.try_into().ok()?;
            Some(IpAddr::V6(Ipv6Addr::from(octets)))
        });
        four.chain(six)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Step;
    use crate::dns::message;

    /// The data of the only record, of this type, whose owner is the question's name `a.b`.
    fn with_data<T>(rtype: u16, data: &[u8], check: impl FnOnce(Data<'_>) -> T) -> T {
        let mut octets = b"\x00\x01\x80\x00\x00\x01\x00\x01\x00\x00\x00\x00".to_vec();
        octets.extend_from_slice(b"\x01a\x01b\x00\x00\x01\x00\x01\xc0\x0c");
        octets.extend_from_slice(&rtype.to_be_bytes());
        octets.extend_from_slice(b"\x00\x01\x00\x00\x00\x3c");
        octets.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        octets.extend_from_slice(data);
        let Step::Done(message, _) = message(&octets) else {
            panic!("no message");
        };
        let record = message.walk().answer().expect("a record");
        check(record.data())
    }

    fn shown(rtype: u16, data: &[u8]) -> String {
        with_data(rtype, data, |data| match data {
            Data::Address(address) => address.to_string(),
            Data::Name(name) => name.to_string(),
            Data::MailExchange {
                preference,
                exchange,
            } => format!("{preference} {exchange}"),
            Data::Server {
                priority,
                weight,
                port,
                target,
            } => format!("{priority} {weight} {port} {target}"),
            Data::Text(text) => format!("'{text}'"),
            Data::Service(service) => format!(
                "{} {} {:?}",
                service.priority,
                service.target,
                service.hints().collect::<Vec<_>>()
            ),
            Data::Other => "other".into(),
        })
    }

    #[test]
    fn reads_addresses_names_and_text() {
        assert_eq!(shown(1, &[192, 0, 2, 7]), "192.0.2.7");
        assert_eq!(
            shown(28, b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"),
            "2001:db8::1"
        );
        assert_eq!(shown(5, b"\x01c\xc0\x0c"), "c.a.b");
        assert_eq!(shown(12, b"\xc0\x0e"), "b");
        assert_eq!(shown(15, b"\x00\x0a\x02mx\xc0\x0c"), "10 mx.a.b");
        assert_eq!(
            shown(33, b"\x00\x01\x00\x02\x14\x95\x01x\x00"),
            "1 2 5269 x"
        );
        assert_eq!(shown(16, b"\x03v=1\x04 b\\\xe9"), "'v=1 b\\092\\233'");
        assert_eq!(
            shown(
                65,
                // priority, target, alpn h3, ipv4hint, ipv6hint
                b"\x00\x01\x00\x00\x01\x00\x03\x02h3\x00\x04\x00\x04\xc0\x00\x02\x01\x00\x06\x00\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01",
            ),
            "1  [192.0.2.1, 2001:db8::1]"
        );
    }

    #[test]
    fn data_without_the_form_of_their_type_are_other() {
        assert_eq!(shown(1, &[192, 0, 2]), "other");
        assert_eq!(shown(28, &[0; 17]), "other");
        assert_eq!(shown(5, b""), "other");
        assert_eq!(shown(15, b"\x00"), "other");
        assert_eq!(shown(16, b"\x05abc"), "other");
        assert_eq!(shown(16, b""), "other");
        assert_eq!(shown(65, b"\x00\x01"), "other");
        assert_eq!(shown(10, b"any octets"), "other");
        assert_eq!(shown(65399, b"any octets"), "other");
        // A parameter whose length lies.
        assert_eq!(shown(64, b"\x00\x01\x00\x00\x04\xff\xff\x01"), "1  []");
    }

    #[test]
    fn shows_a_bounded_part_of_a_long_text() {
        let mut data = Vec::new();
        for _ in 0..4 {
            data.push(255);
            data.extend_from_slice(&[b'x'; 255]);
        }
        assert_eq!(shown(16, &data).len(), Text::MAX_SHOWN + 2);
    }
}
