//! Flows of which nothing but a count comes here any more: see [`Live::shed`].

use std::io;

use pcap::{Active, Capture};
use terrier_engine::{LinkType, Spread};

use super::Live;
use super::program::{self, COUNTED_OCTETS, Instruction, MOST_SHED};
use super::share::{ETHERNET_OCTETS, LINUX_SLL, LINUX_SLL2};
use super::socket;

/// Packets of flows that were shed: see [`Live::shed`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shed {
    /// How many packets.
    pub packets: u64,
    /// Their octets on the wire.
    pub octets: u64,
}

/// What it takes to shed flows of an interface.
pub(super) struct Shedding {
    spread: Spread,
    /// How long its link header is, as far as the kernel's programs see it.
    link_octets: u32,
    /// How many octets of a packet come here that is only counted.
    pub(super) counted: u32,
    /// What decides of all other packets: the filter that was asked for, else one that takes everything.
    rest: Vec<Instruction>,
    /// Whether the kernel has had a list yet.
    pub(super) began: bool,
}

impl Live {
    /// How many flows can be shed at once.
    pub const MOST_SHED: usize = MOST_SHED;

    /// From here on nothing but a count of these flows comes here: the kernel cuts their packets so short that they take no
    /// room in the ring, and [`Live::shed_so_far`] counts them. Segments that begin or end a connection come as they are.
    /// An empty list ends it. Answers how many of the flows the kernel took; they are told by their [`Spread`].
    ///
    /// # Errors
    /// When the kernel refuses even a short list, or this interface cannot shed.
    pub fn shed(&mut self, flows: &[u32]) -> io::Result<usize> {
        let Some(shedding) = &mut self.shedding else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let mut sorted = flows.to_vec();
        sorted.truncate(MOST_SHED);
        loop {
            let mut list = sorted.clone();
            list.sort_unstable();
            list.dedup();
            let program = if list.is_empty() {
                Some(shedding.rest.clone())
            } else {
                let Shedding {
                    spread,
                    link_octets,
                    rest,
                    ..
                } = shedding;
                program::shedding(spread, *link_octets, &list, rest)
            };
            shedding.began = true;
            let set = program
                .ok_or_else(|| io::ErrorKind::InvalidInput.into())
                .and_then(|program| socket::filter_by(&self.handle, &program));
            match set {
                Ok(()) => return Ok(list.len()),
                // The memory of a socket is small on some systems.
                Err(_) if sorted.len() > FEWEST_SHED => sorted.truncate(sorted.len() / 2),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether [`Live::shed`] can do anything here.
    pub fn can_shed(&self) -> bool {
        self.shedding.is_some()
    }

    /// What was shed since the interface was opened.
    pub fn shed_so_far(&self) -> Shed {
        self.shed
    }
}

impl Shedding {
    /// `None` where the kernel's programs cannot tell the flows of such an interface.
    pub(super) fn of(
        spread: Spread,
        link: LinkType,
        rest: Vec<Instruction>,
        filtered: bool,
    ) -> Option<Self> {
        let (link_octets, cooked) = match link {
            LinkType::ETHERNET => (ETHERNET_OCTETS, 0),
            // libpcap puts these headers before a packet that the kernel's programs see without one; it shifts a filter by
            // as much, which is its own business.
            LINUX_SLL if !filtered => (0, 16),
            LINUX_SLL2 if !filtered => (0, 20),
            _ => return None,
        };
        Some(Self {
            spread,
            link_octets,
            counted: COUNTED_OCTETS + cooked,
            rest,
            began: false,
        })
    }
}

/// The instructions of a filter expression.
pub(super) fn compiled(handle: &Capture<Active>, expression: &str) -> Option<Vec<Instruction>> {
    let program = handle.compile(expression, true).ok()?;
    let instructions = program.get_instructions();
    // The crate shows an instruction as four numbers, and lets nobody at them otherwise.
    let instruction = |text: String| {
        let mut numbers = text.split(' ').map(str::parse::<u32>);
        let mut next = || numbers.next()?.ok();
        Some(Instruction {
            code: next()?.try_into().ok()?,
            jt: next()?.try_into().ok()?,
            jf: next()?.try_into().ok()?,
            k: next()?,
        })
    };
    instructions
        .iter()
        .map(|one| instruction(one.to_string()))
        .collect()
}

/// Where the kernel has no room for so short a list of flows, it has none.
const FEWEST_SHED: usize = 16;
