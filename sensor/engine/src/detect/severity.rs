//! How bad, how sure, and by what kind of evidence.

use serde::Serialize;

use super::Reason;
use crate::home::Direction;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// A lead.
    Low,
    /// Look at it today.
    Medium,
    /// Look at it now.
    High,
    /// Act now.
    Critical,
}

impl Severity {
    /// From the least to the worst.
    pub const ALL: [Self; 5] = [
        Self::Info,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    /// As records write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    fn raised(self, steps: usize) -> Self {
        let at = (self as usize + steps).min(Self::ALL.len() - 1);
        Self::ALL.get(at).copied().unwrap_or(Self::Critical)
    }
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// May well be something else.
    Low,
    /// Something else is known to look like it.
    Medium,
    /// Nothing else is known to look like it.
    High,
}

/// The kind of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// A host name only.
    Name,
    /// The protocol's own octets.
    Decoded,
}

/// A severity as a sum: what the thing is worth by itself, and what the direction adds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sum {
    /// Inside the home networks, or where nothing is known of them.
    pub(super) base: Severity,
    /// Steps for a flow that the internet opened to the inside.
    pub(super) inbound: usize,
    /// Steps for a flow that the inside opened to the internet.
    pub(super) outbound: usize,
}

impl Sum {
    /// The severity, and the reason that shows the arithmetic.
    pub(super) fn of(self, direction: Direction) -> (Severity, Reason) {
        let steps = match direction {
            Direction::Inbound => self.inbound,
            Direction::Outbound => self.outbound,
            Direction::Internal | Direction::External => 0,
        };
        let severity = self.base.raised(steps);
        let because = format!(
            "{} by itself, +{steps} as it is {}",
            self.base.name(),
            direction.name()
        );
        (severity, Reason::new("severity", severity.name(), because))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_shown_and_ends_at_critical() {
        let sum = Sum {
            base: Severity::High,
            inbound: 3,
            outbound: 0,
        };
        let (severity, reason) = sum.of(Direction::Inbound);
        assert_eq!(severity, Severity::Critical);
        assert_eq!(reason.because, "high by itself, +3 as it is inbound");
        assert_eq!(sum.of(Direction::Internal).0, Severity::High);
    }
}
