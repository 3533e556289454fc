//! One detection of a remote desktop, and the finding it makes of a decoded session.

use std::borrow::Cow;

use super::severity::Sum;
use super::{Confidence, Finding, Grade, Listed, Reason, Roles, Severity, Subject};
use crate::observation::Observation;

/// One detection: its id, title and severity.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    sum: Sum,
}

/// A detection whose severity is `base` by itself and so many steps more where it is inbound or outbound.
pub(super) const fn kind(
    id: &'static str,
    title: &'static str,
    base: Severity,
    inbound: usize,
    outbound: usize,
) -> Kind {
    Kind {
        id,
        title,
        sum: Sum {
            base,
            inbound,
            outbound,
        },
    }
}

/// What a protocol knows of its finding.
pub(super) struct Told {
    pub(super) subject: Subject,
    pub(super) tool: Option<String>,
    pub(super) reasons: Vec<Reason>,
    pub(super) attack: &'static [&'static str],
    pub(super) guidance: &'static [&'static str],
}

impl Kind {
    /// As the registry's row of it.
    pub(super) fn listed(&self) -> Listed {
        Listed {
            id: Cow::Borrowed(self.id),
            title: self.title.to_owned(),
        }
    }

    /// The finding in a decoded session between `roles`, with direction and severity as its last reasons.
    pub(super) fn finding(&self, fact: &Observation, roles: &Roles, told: Told) -> Finding {
        let (severity, arithmetic) = self.sum.of(roles.direction);
        let mut reasons = told.reasons;
        reasons.push(Reason::new(
            "direction",
            roles.direction.name(),
            "against the home networks",
        ));
        reasons.push(arithmetic);
        let borrowed = |texts: &'static [&'static str]| {
            texts.iter().map(|&text| Cow::Borrowed(text)).collect()
        };
        Finding {
            detection: Cow::Borrowed(self.id),
            title: self.title.to_owned(),
            at_ns: fact.at_ns,
            flow: fact.flow,
            frames: fact.frames.clone(),
            victim: roles.victim().ip,
            peer: roles.named_peer(),
            subject: told.subject,
            direction: roles.direction,
            severity,
            confidence: Confidence::High,
            grade: Grade::Decoded,
            tool: told.tool,
            attack: borrowed(told.attack),
            reasons,
            guidance: borrowed(told.guidance),
        }
    }
}
