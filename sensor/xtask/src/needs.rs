//! What the chores need on the machine, and how to get it.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::bail;

use crate::tell;

/// libpcap's headers and library, and pkg-config: the `pcap` crate links against them.
pub(crate) fn libpcap() -> anyhow::Result<()> {
    let there = quietly("pkg-config", &["--exists", "libpcap"]);
    if there {
        return Ok(());
    }
    debian(
        &["libpcap-dev", "pkg-config"],
        "libpcap's headers (package libpcap-dev) and pkg-config",
    )
}

/// valgrind, which counts instructions.
pub(crate) fn valgrind() -> anyhow::Result<()> {
    if on_path("valgrind") {
        return Ok(());
    }
    debian(&["valgrind"], "valgrind")
}

/// cargo-nextest, which runs the tests.
pub(crate) fn nextest() -> anyhow::Result<()> {
    if quietly("cargo", &["nextest", "--version"]) {
        return Ok(());
    }
    tell("installing cargo-nextest (some minutes) ...");
    if Command::new("cargo")
        .args(["install", "cargo-nextest", "--locked"])
        .status()?
        .success()
    {
        return Ok(());
    }
    bail!("cargo-nextest is missing: cargo install cargo-nextest --locked")
}

/// What lets more of the tests run: namespaces for the live tests, promtool for the rules. Without them these tests say
/// that they are skipped, so a failure here is only told.
pub(crate) fn more() {
    let missing: Vec<&str> = [("ip", "iproute2"), ("promtool", "prometheus")]
        .into_iter()
        .filter(|(program, _)| !on_path(program))
        .map(|(_, package)| package)
        .collect();
    if !missing.is_empty() && debian(&missing, "programs of some tests").is_err() {
        tell(&format!(
            "tests that need {} will be skipped",
            missing.join(", ")
        ));
    }
}

/// Whether a program is there, in the folders of PATH and those of the administrator.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(Into::into))
        .any(|folder| folder.join(program).exists())
}

/// Installs Debian's packages where that can be done without a question, else names them.
fn debian(packages: &[&str], what: &str) -> anyhow::Result<()> {
    let command = format!(
        "apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    );
    let as_root = quietly("sh", &["-c", "test \"$(id -u)\" = 0"]);
    let prefix = match as_root {
        _ if !Path::new("/usr/bin/apt-get").exists() => None,
        true => Some(""),
        false if quietly("sudo", &["-n", "true"]) => Some("sudo -n "),
        false => None,
    };
    let Some(prefix) = prefix else {
        bail!("missing: {what}. On Debian: sudo {command}")
    };
    tell(&format!("installing {} ...", packages.join(", ")));
    let script = format!(
        "export DEBIAN_FRONTEND=noninteractive; {prefix}apt-get update -q >/dev/null; {prefix}{command} -q >/dev/null"
    );
    if Command::new("sh").args(["-c", &script]).status()?.success() {
        return Ok(());
    }
    bail!("missing: {what}, and it could not be installed. On Debian: sudo {command}")
}

fn quietly(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
