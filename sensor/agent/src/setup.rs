//! What `read` and `run` set up alike.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use terrier_engine::observation::Openings;
use terrier_engine::signature::Signatures;
use terrier_engine::{HomeNetworks, Limits, Wanted};

use crate::cli::Shared;
use crate::exit::{self, Failure};
use crate::output::Records;
use crate::telemetry::Telemetry;

/// The home networks: those that were given, else the default.
#[must_use]
pub fn home(given: &[IpNet]) -> HomeNetworks {
    if given.is_empty() {
        HomeNetworks::default()
    } else {
        HomeNetworks::new(given.to_vec())
    }
}

/// The signatures: the built-in ones, with those of `--signatures` over them.
///
/// # Errors
/// When a file cannot be read or is wrong; it is named with line and column.
pub fn signatures(shared: &Shared) -> Result<Arc<Signatures>, Failure> {
    let built_in = Signatures::built_in();
    let Some(folder) = &shared.signatures else {
        return Ok(Arc::new(built_in));
    };
    let mut paths = Vec::new();
    toml_files(folder, 0, &mut paths)?;
    paths.sort();
    if paths.is_empty() {
        return Err(exit::usage(format!(
            "no signature file (*.toml) in {}",
            folder.display()
        )));
    }
    let mut files = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|error| {
            exit::usage(format!(
                "cannot read signature file {}: {error}",
                path.display()
            ))
        })?;
        files.push((path.display().to_string(), text));
    }
    let own = Signatures::parse(&files).map_err(exit::usage)?;
    built_in.overlay(own).map(Arc::new).map_err(exit::usage)
}

fn toml_files(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let entries = std::fs::read_dir(folder).map_err(|error| {
        exit::usage(format!(
            "cannot read signature folder {}: {error}",
            folder.display()
        ))
    })?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if depth < MAX_DEPTH {
                toml_files(&path, depth + 1, found)?;
            }
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            found.push(path);
        }
    }
    Ok(())
}

/// The bounds that keep this run below its `--memory-limit`.
///
/// # Errors
/// When it is too small for the workers.
pub fn limits(shared: &Shared) -> Result<Limits, Failure> {
    let octets = usize::try_from(shared.memory_limit).unwrap_or(usize::MAX);
    let least = Limits::least_octets(shared.workers);
    if octets < least {
        let workers = match shared.workers {
            1 => "one worker".to_owned(),
            workers => format!("{workers} workers"),
        };
        return Err(exit::usage(format!(
            "--memory-limit is too small: {workers} cannot do with less than {}M",
            least.div_ceil(1 << 20)
        )));
    }
    if octets < LITTLE {
        // A system that refuses has none.
        let _ = rustix::thread::disable_transparent_huge_pages(true);
    }
    Ok(Limits::within(octets, shared.workers))
}

/// With a memory limit below this no huge pages are used: of those that are touched at all, two megabytes each would count.
const LITTLE: usize = 256 << 20;

/// What the engine makes for a run with this output and these signatures: nothing that nobody writes or knows.
#[must_use]
pub fn wanted(output: &Records, signatures: &Signatures) -> Wanted {
    let (observations, flow_ends) = output.writes();
    Wanted {
        flow_ends,
        fingerprints: observations,
        openings: Openings::of(|first| signatures.may_begin(first)),
    }
}

/// A secret of this run, for the tables whose keys come from the wire.
#[must_use]
pub fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The name of this sensor in records: the host's.
#[must_use]
pub fn sensor() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// Writes the metrics where `--metrics-file` says, if anywhere.
///
/// # Errors
/// When the file cannot be written.
pub fn write_metrics(telemetry: &Telemetry, shared: &Shared) -> Result<(), Failure> {
    let Some(path) = &shared.metrics_file else {
        return Ok(());
    };
    telemetry.write_file(path).map_err(|error| {
        exit::usage(format!(
            "cannot write metrics to {}: {error}",
            path.display()
        ))
    })
}

/// Asks for as many descriptors as the system's administrator allows: where many compressed captures overlap, each needs one
/// as long as it is read. Where that is refused, the usual number has to do.
pub fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let _ = setrlimit(Resource::Nofile, raised);
}

/// A path as records write it.
#[must_use]
pub fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Folders in folders that are walked.
const MAX_DEPTH: usize = 8;
