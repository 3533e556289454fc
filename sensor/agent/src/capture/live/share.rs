//! Several rings of one interface.

use std::io;
use std::time::{Instant, SystemTime};

use terrier_engine::{LinkType, Spread};

use super::{Live, LiveError, LiveOptions, program, socket};

impl Live {
    /// Opens an interface with several rings. The kernel gives each packet to one of them: the packets of a flow to the
    /// ring whose place is the flow's [`Spread`] modulo their number, in both directions. What lies in a tunnel goes by the
    /// outer addresses, and what is no IP to the first ring.
    pub fn open_rings(
        interface: &str,
        options: &LiveOptions,
        count: u16,
    ) -> Result<Vec<Self>, LiveError> {
        let mut rings = Vec::new();
        for _ in 0..count.max(1) {
            rings.push(Self::open(interface, options)?);
        }
        let Some(spread) = options.spread.filter(|_| rings.len() > 1) else {
            return Ok(rings);
        };
        Self::share(&mut rings, &spread).map_err(|error| LiveError::Other {
            interface: interface.into(),
            text: format!(
                "the kernel does not share its packets among workers ({error}); run it with --workers 1"
            ),
        })?;
        Ok(rings)
    }

    fn share(rings: &mut [Self], spread: &Spread) -> io::Result<()> {
        let mut group = None;
        let count = rings.len() as u64;
        for (place, ring) in (0..).zip(&mut *rings) {
            let joined = socket::join(&ring.handle, group)?;
            ring.ring = (place, count);
            if group.is_none() {
                // The link header of what leaves `any` interface has the length of Ethernet's nearly always.
                let link_octets = match ring.link {
                    LinkType::ETHERNET | LINUX_SLL | LINUX_SLL2 => ETHERNET_OCTETS,
                    _ => 0,
                };
                let program =
                    program::dealing(spread, link_octets).ok_or(io::ErrorKind::InvalidInput)?;
                socket::deal_by(&ring.handle, &program)?;
            }
            group = Some(joined);
        }
        let now = (now_ns(), Instant::now());
        for ring in rings {
            ring.since = Some(now);
        }
        Ok(())
    }
}

fn now_ns() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or_default()
}

/// The link types of `any`, by libpcap's release.
pub(super) const LINUX_SLL: LinkType = LinkType(113);
pub(super) const LINUX_SLL2: LinkType = LinkType(276);

pub(super) const ETHERNET_OCTETS: u32 = 14;
