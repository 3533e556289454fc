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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::super::testing::Folder;
    use super::*;

    fn names(folder: &Folder) -> Vec<String> {
        let name = |path: PathBuf| {
            path.strip_prefix(folder.path())
                .unwrap()
                .display()
                .to_string()
        };
        captures_below(folder.path())
            .into_iter()
            .map(|found| name(found.unwrap()))
            .collect()
    }

    #[test]
    fn lists_files_of_all_depths_in_the_order_of_their_paths() {
        let folder = Folder::new();
        for name in ["b/2", "a", "b/10", "b.x", "c/d/e/f", "0"] {
            folder.file(name, b"");
        }
        assert_eq!(names(&folder), ["0", "a", "b/10", "b/2", "b.x", "c/d/e/f"]);
    }

    #[test]
    fn follows_links_but_never_in_a_circle() {
        let folder = Folder::new();
        folder.file("a/x", b"");
        symlink(folder.path(), folder.path().join("a/up")).unwrap();
        symlink("x", folder.path().join("a/y")).unwrap();
        symlink("nowhere", folder.path().join("dangling")).unwrap();
        symlink("itself", folder.path().join("itself")).unwrap();
        assert_eq!(names(&folder), ["a/x", "a/y"]);
    }

    #[test]
    fn leaves_out_what_is_no_file() {
        let folder = Folder::new();
        let _socket = UnixListener::bind(folder.path().join("socket")).unwrap();
        assert_eq!(names(&folder), [""; 0]);
    }

    #[test]
    fn names_a_folder_that_cannot_be_listed() {
        let folder = Folder::new();
        let missing = folder.path().join("missing");
        let found = captures_below(&missing);
        assert!(matches!(found.as_slice(), [Err(OpenError::Missing(path))] if *path == missing));
    }
}
