//! libpcap's filter expressions, for captures that are not read through libpcap.

use pcap::{BpfProgram, Capture, Linktype};
use terrier_engine::LinkType;

use super::Chunk;

/// A filter expression, compiled for each link type when that is first met.
pub struct Filter {
    expression: String,
    /// A link type that the expression cannot be compiled for has no program: it lets nothing through.
    programs: Vec<(LinkType, Result<BpfProgram, String>)>,
}

/// A filter expression that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("filter expression `{expression}`: {text}")]
pub struct FilterError {
    /// The expression.
    pub expression: String,
    /// What libpcap says.
    pub text: String,
}

impl Filter {
    /// Compiles an expression for Ethernet, the link type that allows the most, so that a mistake shows at once.
    pub fn new(expression: &str) -> Result<Self, FilterError> {
        let program = compile(expression, LinkType::ETHERNET).map_err(|text| FilterError {
            expression: expression.into(),
            text,
        })?;
        Ok(Self {
            expression: expression.into(),
            programs: vec![(LinkType::ETHERNET, Ok(program))],
        })
    }

    /// Keeps the packets that the expression is true for.
    pub fn keep(&mut self, chunk: &mut Chunk) {
        chunk.retain(|meta, octets| self.matches(meta.link, octets));
    }

    /// Whether the expression is true for a packet.
    pub fn matches(&mut self, link: LinkType, octets: &[u8]) -> bool {
        let known = self.programs.iter().position(|&(known, _)| known == link);
        let place = known.unwrap_or_else(|| {
            self.programs.push((link, compile(&self.expression, link)));
            self.programs.len() - 1
        });
        self.programs[place]
            .1
            .as_ref()
            .is_ok_and(|program| program.filter(octets))
    }

    /// The link types met so far that the expression cannot be applied to, each with the reason.
    pub fn unfit(&self) -> impl Iterator<Item = (LinkType, &str)> {
        self.programs
            .iter()
            .filter_map(|(link, program)| Some((*link, program.as_ref().err()?.as_str())))
    }
}

fn compile(expression: &str, link: LinkType) -> Result<BpfProgram, String> {
    // libpcap takes the numbers of this system, which for raw IP differ from those in files.
    let number = if link == LinkType::RAW {
        LinkType::RAW_BSD.0
    } else {
        link.0
    };
    let number = i32::try_from(number).map_err(|_| "unknown link type".to_owned())?;
    let handle = Capture::dead(Linktype(number)).map_err(|error| error_text(&error))?;
    handle
        .compile(expression, true)
        .map_err(|error| error_text(&error))
}

/// libpcap's own words, without the crate's prefix.
pub(super) fn error_text(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 header with UDP, and ports 53 and 9.
    const DATAGRAM: [u8; 28] = [
        0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1, 0, 53, 0, 9, 0, 8, 0,
        0,
    ];

    #[test]
    fn applies_the_expression_to_each_link_type() {
        let mut filter = Filter::new("udp port 53").unwrap();
        let framed = [&[0; 12][..], &[0x08, 0x00], &DATAGRAM].concat();
        assert!(filter.matches(LinkType::ETHERNET, &framed));
        assert!(!filter.matches(LinkType::ETHERNET, &DATAGRAM));
        assert!(filter.matches(LinkType::RAW, &DATAGRAM));
        assert!(filter.matches(LinkType::IPV4, &DATAGRAM));
        assert!(!filter.matches(LinkType::RAW, &DATAGRAM[..10]));
        assert!(!filter.matches(LinkType::RAW, &[]));
        assert_eq!(filter.unfit().count(), 0);
    }

    #[test]
    fn says_where_it_cannot_be_applied() {
        let mut filter = Filter::new("vlan 7").unwrap();
        assert!(!filter.matches(LinkType::RAW, &DATAGRAM));
        let unfit: Vec<_> = filter.unfit().map(|(link, _)| link).collect();
        assert_eq!(unfit, [LinkType::RAW]);
    }

    #[test]
    fn refuses_what_is_no_expression() {
        let error = Filter::new("udp prot 53").err().unwrap();
        assert!(
            error
                .to_string()
                .starts_with("filter expression `udp prot 53`: "),
            "{error}"
        );
        assert!(Filter::new("udp\0").is_err());
    }
}
