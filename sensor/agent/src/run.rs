//! `terrier run`. (Under construction.)

use std::process::ExitCode;

use crate::cli::RunArgs;

/// Watches.
///
/// # Errors
/// Always.
pub fn run(_args: &RunArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not here")
}
