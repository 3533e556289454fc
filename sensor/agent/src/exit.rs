//! Exit codes (design, section 5).

use std::io::{self, Write as _};
use std::process::ExitCode;

use terrier_engine::detect::Severity;

use crate::cli::{SeverityArg, Shared};

/// A finding at or above `--fail-on`.
pub const FOUND: u8 = 1;
/// Wrong usage or configuration.
pub const USAGE: u8 = 2;
/// An input could not be read at all.
pub const UNREADABLE: u8 = 3;
/// No permission to capture.
pub const NO_PERMISSION: u8 = 4;

/// An error with the exit code it leads to.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What went wrong.
    pub what: Box<dyn std::error::Error + Send + Sync>,
}

/// Wrong usage or configuration.
pub fn usage(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure {
        code: USAGE,
        what: what.into(),
    }
}

/// An input that could not be read, or watched.
pub fn unreadable(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure {
        code: UNREADABLE,
        what: what.into(),
    }
}

/// No permission to capture.
pub fn no_permission(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure {
        code: NO_PERMISSION,
        what: what.into(),
    }
}

/// What a failure to write the records means: a reader that has had enough, such as `head`, is none.
///
/// # Errors
/// When the records could not be written.
pub fn output(written: io::Result<()>, shared: &Shared) -> Result<(), Failure> {
    match written {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            let to = shared.output.as_ref().map_or_else(
                || "standard output".to_owned(),
                |path| path.display().to_string(),
            );
            Err(unreadable(format!("cannot write records to {to}: {error}")))
        }
    }
}

/// Says something to who started the program. Nobody may be there any more: a sensor outlives the terminal it was started
/// from, and `eprintln` panics then.
pub fn tell(what: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "terrier: {what}");
}

/// The exit code of a run that came to its end.
#[must_use]
pub fn code(unreadable: bool, worst: Option<Severity>, shared: &Shared) -> ExitCode {
    let found = shared
        .fail_on
        .zip(worst)
        .is_some_and(|(least, worst)| worst >= Severity::from(least));
    match (unreadable, found) {
        (true, _) => UNREADABLE.into(),
        (false, true) => FOUND.into(),
        (false, false) => ExitCode::SUCCESS,
    }
}

impl From<SeverityArg> for Severity {
    fn from(argument: SeverityArg) -> Self {
        match argument {
            SeverityArg::Info => Self::Info,
            SeverityArg::Low => Self::Low,
            SeverityArg::Medium => Self::Medium,
            SeverityArg::High => Self::High,
            SeverityArg::Critical => Self::Critical,
        }
    }
}
