//! tinc's meta connection over TCP, on any port: known once both nodes have named themselves, or one goes on with its key.

use terrier_wire::tinc::{self, Identity};
use terrier_wire::{Side, Step};

use super::Protocol;
use super::marks::{self, Mark, Marked, Reading};

pub(super) const PROTOCOL: Protocol = marks::over_tcp::<Tinc>();

/// Who each side is.
#[derive(Default)]
pub(super) struct Tinc([Option<Identity>; 2]);

impl Marked for Tinc {
    const NAME: &'static str = "tinc";
    const SEES: &'static str = "tinc: names of the nodes, version";

    fn opens(octets: &[u8]) -> Step<()> {
        tinc::identity(octets).map(|_| ())
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        let own = &mut self.0[from.index()];
        if own.is_some() {
            return match tinc::meta_key(octets) {
                Step::Done(..) => self.known(),
                Step::NeedMore(_) => Reading::More(0),
                Step::NotThisProtocol(why) => Reading::Refused(why),
            };
        }
        match tinc::identity(octets) {
            Step::Done(identity, used) => {
                *own = Some(identity);
                if self.0.iter().all(Option::is_some) {
                    self.known()
                } else {
                    Reading::More(used)
                }
            }
            Step::NeedMore(_) => Reading::More(0),
            Step::NotThisProtocol(why) => Reading::Refused(why),
        }
    }
}

impl Tinc {
    fn known(&self) -> Reading {
        let mut details = Vec::new();
        for (identity, field) in self.0.iter().zip(["orig_node", "resp_node"]) {
            if let Some(identity) = identity {
                details.push((field, identity.name.clone()));
            }
        }
        if let Some(identity) = self.0.iter().flatten().next() {
            details.push(("version", identity.version.clone()));
        }
        Reading::Known(Mark::new(Side::Originator, details))
    }
}
