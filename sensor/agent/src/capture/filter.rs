//! libpcap's filter expressions, for captures that are not read through libpcap.

use pcap::{BpfInstruction, BpfProgram, Capture, Linktype};
use terrier_engine::LinkType;

use super::Chunk;

/// A filter expression, compiled for each link type when that is first met.
pub struct Filter {
    expression: String,
    /// A link type that the expression cannot be compiled for has no program: it lets nothing through.
    programs: Vec<Program>,
}

struct Program {
    link: LinkType,
    compiled: Result<BpfProgram, String>,
    /// Packets that it could not be asked about.
    unjudged: u64,
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
    /// Compiles an expression for Ethernet, the link type that allows the most, so that a mistake shows at once. What has a
    /// meaning for another link type alone, such as `inbound` or `wlan type mgt`, is none.
    ///
    /// # Errors
    /// When it is no expression of libpcap's for any link type.
    pub fn new(expression: &str) -> Result<Self, FilterError> {
        let text = match compile(expression, LinkType::ETHERNET) {
            Ok(_) => None,
            Err(_)
                if OTHERS
                    .iter()
                    .any(|&link| compile(expression, LinkType(link)).is_ok()) =>
            {
                None
            }
            Err(text) => Some(text),
        };
        let expression = expression.to_owned();
        match text {
            Some(text) => Err(FilterError { expression, text }),
            None => Ok(Self {
                expression,
                programs: Vec::new(),
            }),
        }
    }

    /// Keeps the packets that the expression is true for.
    pub fn keep(&mut self, chunk: &mut Chunk) {
        chunk.retain(|meta, octets| self.matches(meta.link, octets));
    }

    /// Whether the expression is true for a packet.
    pub fn matches(&mut self, link: LinkType, octets: &[u8]) -> bool {
        let known = self.programs.iter().position(|known| known.link == link);
        let place = known.unwrap_or_else(|| {
            self.programs.push(Program {
                link,
                compiled: compile(&self.expression, link),
                unjudged: 0,
            });
            self.programs.len() - 1
        });
        let program = &mut self.programs[place];
        match &program.compiled {
            Ok(compiled) => compiled.filter(octets),
            Err(_) => {
                program.unjudged += 1;
                false
            }
        }
    }

    /// The link types met so far that the expression cannot be applied to, each with the reason and its packets.
    pub fn unfit(&self) -> impl Iterator<Item = (LinkType, &str, u64)> {
        self.programs.iter().filter_map(|program| {
            let why = program.compiled.as_ref().err()?;
            Some((program.link, why.as_str(), program.unjudged))
        })
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
    let program = handle
        .compile(expression, true)
        .map_err(|error| error_text(&error))?;
    // What only a kernel knows that captures (the direction, the interface) is loaded from negative offsets. In a file there
    // is nothing, and such a program would quietly take no packet at all.
    let asks_the_kernel = |instruction: &BpfInstruction| {
        let text = instruction.to_string();
        let mut fields = text.split(' ').map(str::parse::<u32>);
        let (code, offset) = (fields.next(), fields.nth(2));
        matches!(
            (code, offset),
            (Some(Ok(LOAD_W | LOAD_H | LOAD_B)), Some(Ok(KERNEL..)))
        )
    };
    if program.get_instructions().iter().any(asks_the_kernel) {
        return Err("direction and interface are known only while packets are captured".to_owned());
    }
    Ok(program)
}

/// Loads from a fixed offset: BPF_LD | BPF_ABS with BPF_W, BPF_H, BPF_B.
const LOAD_W: u32 = 0x20;
const LOAD_H: u32 = 0x28;
const LOAD_B: u32 = 0x30;
/// SKF_AD_OFF of linux/filter.h, -4096: from here on Linux keeps what is not in the packet.
const KERNEL: u32 = 0xffff_f000;

/// libpcap's own words, without the crate's prefix.
pub(super) fn error_text(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Link types with primitives of their own: Linux cooked captures, IEEE 802.11 (also with radiotap), PPP, ATM, MTP2.
const OTHERS: [u32; 7] = [113, 276, 105, 127, 9, 123, 140];

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
        let unfit: Vec<_> = filter
            .unfit()
            .map(|(link, _, packets)| (link, packets))
            .collect();
        assert_eq!(unfit, [(LinkType::RAW, 1)]);
    }

    #[test]
    fn takes_what_has_a_meaning_for_another_link_type_alone() {
        let mut filter = Filter::new("inbound and udp port 53").expect("for cooked captures");
        // Packet type 0 is one to this host; then device type, address, and the protocol.
        let cooked = |kind| {
            [
                &[0, kind, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0],
                &DATAGRAM[..],
            ]
            .concat()
        };
        assert!(filter.matches(LinkType::LINUX_SLL, &cooked(0)));
        assert!(!filter.matches(LinkType::LINUX_SLL, &cooked(4)));
        assert!(!filter.matches(LinkType::ETHERNET, &DATAGRAM));
        assert_eq!(filter.unfit().count(), 1);
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
