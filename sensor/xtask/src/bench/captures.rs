//! The captures that are measured: made once for each kind, size and seed, or given.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use terrier_traffic::{Kind, Truth};

use crate::steps::target;
use crate::tell;

/// A capture, and what is in it where that is known.
pub(crate) struct Capture {
    /// How the report calls it.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) truth: Option<Truth>,
}

impl Capture {
    /// One that lies somewhere; what is in it stands in `FILE.truth.json`.
    pub(crate) fn given(path: &Path) -> anyhow::Result<Self> {
        let beside = truth_beside(path);
        let truth = match File::open(&beside) {
            Ok(file) => Some(
                serde_json::from_reader(std::io::BufReader::new(file))
                    .with_context(|| format!("{}", beside.display()))?,
            ),
            Err(_) => None,
        };
        let name = path.file_stem().unwrap_or(path.as_os_str());
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            path: path.to_owned(),
            truth,
        })
    }

    /// One of our own, in `target/bench`; it is made where it is not there yet.
    pub(crate) fn of(name: &str, kind: Kind, seed: u64) -> anyhow::Result<Self> {
        let folder = folder()?;
        // A change of what is made must not be measured with what was made before.
        let version = terrier_traffic::VERSION;
        let path = folder.join(format!("{kind}-seed{seed}-v{version}.pcap"));
        if !truth_beside(&path).exists() {
            make(&path, kind, seed)?;
        }
        let mut capture = Self::given(&path)?;
        name.clone_into(&mut capture.name);
        Ok(capture)
    }

    pub(crate) fn octets(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |about| about.len())
    }

    pub(crate) fn path(&self) -> &str {
        self.path.to_str().unwrap_or_default()
    }
}

/// Makes a capture and its truth.
pub(crate) fn make(path: &Path, kind: Kind, seed: u64) -> anyhow::Result<()> {
    let start = Instant::now();
    let file = File::create(path).with_context(|| format!("{}", path.display()))?;
    let truth = terrier_traffic::write(kind, seed, file)?;
    let text = serde_json::to_string_pretty(&truth)?;
    std::fs::write(truth_beside(path), text)?;
    tell(&format!(
        "{}: {} packets, {} octets, {} flows, made in {:.1} s",
        path.display(),
        truth.packets,
        truth.bytes,
        truth.flows_total,
        start.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Where captures and reports lie.
pub(crate) fn folder() -> anyhow::Result<PathBuf> {
    let folder = target().join("bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
    Ok(folder)
}

fn truth_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".truth.json");
    name.into()
}
