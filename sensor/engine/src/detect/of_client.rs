//! Findings about what a host does as a client: it is the victim, wherever the server stands.

use super::kind::{Kind, Told};
use super::{Around, Finding, Grade, NameSource, Peer, Roles};
use crate::home::Direction;
use crate::observation::{Observation, Side};

/// What a client did.
pub(super) struct Deed<'a> {
    pub(super) fact: &'a Observation,
    /// Which side did it.
    pub(super) client: Side,
    pub(super) grade: Grade,
    /// The server's name, and what told it.
    pub(super) name: Option<(String, NameSource)>,
}

impl Deed<'_> {
    /// Something that the client did with the server of the flow.
    pub(super) fn with_server(self, kind: &Kind, around: &Around<'_>, told: Told) -> Finding {
        let roles = Roles::new(&self.fact.flow, self.client, around.home);
        self.finding(kind, &roles, told)
    }

    /// Something that the client did through a resolver, which stands anywhere and only hands it on.
    pub(super) fn through_resolver(self, kind: &Kind, around: &Around<'_>, told: Told) -> Finding {
        let roles = Roles::new(&self.fact.flow, self.client, around.home);
        let direction = if around.home.contains(roles.client.ip) {
            Direction::Outbound
        } else {
            Direction::External
        };
        self.finding(kind, &Roles { direction, ..roles }, told)
    }

    fn finding(self, kind: &Kind, roles: &Roles, told: Told) -> Finding {
        Finding {
            victim: roles.client.ip,
            peer: Peer {
                ip: Some(roles.server.ip),
                port: Some(roles.server.port),
                name: self.name,
            },
            grade: self.grade,
            ..kind.finding(self.fact, roles, told)
        }
    }
}
