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
