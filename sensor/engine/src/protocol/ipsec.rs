//! ESP directly over IP: the protocol number and a plausible head are its mark.

use terrier_wire::{Step, ike};

use super::marks::{self, Details, Single, Speaker, Told};
use super::{Protocol, Transport};

pub(super) const ESP: Protocol = marks::over::<Single<Esp>>(Transport::Other(50));

pub(super) struct Esp;

impl Told for Esp {
    const NAME: &'static str = "ipsec";
    const SEES: &'static str = super::ike::SEES;

    fn told(octets: &[u8]) -> Step<(Speaker, Details)> {
        match ike::esp(octets) {
            Some(_) => {
                let details = vec![("message", "esp".to_owned())];
                Step::Done((Speaker::Either, details), octets.len())
            }
            None => Step::NotThisProtocol("no ESP packet"),
        }
    }
}
