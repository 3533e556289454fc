//! Which files are below a folder.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::fault::OpenError;

/// The files below a folder in the order of their paths, each with what is wrong with it if it cannot even be listed.
///
/// Links are followed, but no folder is entered twice, so that a loop of links ends. Pipes, sockets and devices are left
/// out: to open one may block or do something. Whether a file is a capture shows when it is opened.
pub fn captures_below(folder: &Path) -> Vec<Result<PathBuf, OpenError>> {
    let mut found = Vec::new();
    // Paths still to be looked at, the next one last. A stack, since a hostile tree may be deep.
    let mut ahead = vec![folder.to_path_buf()];
    let mut entered = BTreeSet::new();
    while let Some(path) = ahead.pop() {
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                if !entered.insert((metadata.dev(), metadata.ino())) {
                    continue;
                }
                match entries(&path) {
                    Ok(paths) => ahead.extend(paths.into_iter().rev()),
                    Err(error) => found.push(Err(error)),
                }
            }
            Ok(metadata) if metadata.is_file() => found.push(Ok(path)),
            Ok(_) => {}
            // A link that leads nowhere is no capture.
            Err(_) if path.is_symlink() => {}
            Err(error) => found.push(Err(OpenError::from_io(&path, error))),
        }
    }
    found
}

/// What is in a folder, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let failed = |error| OpenError::from_io(folder, error);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    paths.sort();
    Ok(paths)
}
