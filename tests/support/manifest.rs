//! `pcaps/MANIFEST.toml`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;

use super::root;

/// The manifest.
#[derive(Debug, Deserialize)]
struct Manifest {
    #[serde(rename = "capture")]
    captures: Vec<Row>,
}

/// One capture, and what a correct Terrier reports on it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// Path within `pcaps/`.
    pub(crate) file: String,
    pub(crate) made_with: Vec<String>,
    pub(crate) scenario: String,
    pub(crate) shows: String,
    pub(crate) sha256: String,
    pub(crate) packets: u64,
    pub(crate) licence: String,
    pub(crate) findings: BTreeSet<String>,
    /// What a later version shall report in addition.
    #[serde(default)]
    pub(crate) later: BTreeSet<String>,
}

impl Row {
    /// The path as the program is given it: relative to the repository.
    pub(crate) fn path(&self) -> String {
        format!("pcaps/{}", self.file)
    }

    /// Where it is.
    pub(crate) fn on_disk(&self) -> PathBuf {
        root().join(self.path())
    }

    /// `vnc` of `vnc/none.pcapng`.
    pub(crate) fn folder(&self) -> &str {
        self.file.split_once('/').map_or("", |(folder, _)| folder)
    }

    /// `none` of `vnc/none.pcap.gz`.
    pub(crate) fn name(&self) -> &str {
        let file = self.file.rsplit('/').next().unwrap_or(&self.file);
        let plain = [".gz", ".zst"]
            .iter()
            .find_map(|suffix| file.strip_suffix(suffix))
            .unwrap_or(file);
        // Not at the first dot: some are named after a version, such as `protocol-3.8`.
        [".pcapng", ".pcap"]
            .iter()
            .find_map(|suffix| plain.strip_suffix(suffix))
            .unwrap_or(plain)
    }
}

/// All captures, in the order of the manifest.
pub(crate) fn captures() -> Vec<Row> {
    let path = root().join("pcaps/MANIFEST.toml");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let manifest: Manifest =
        toml::from_str(&text).unwrap_or_else(|error| panic!("pcaps/MANIFEST.toml: {error}"));
    manifest.captures
}
