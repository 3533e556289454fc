//! What the tests share: where things are, how the program is run, what it answered.

pub(crate) mod capture;
pub(crate) mod manifest;
pub(crate) mod random;
pub(crate) mod segments;
pub(crate) mod sender;
pub(crate) mod told;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the repository")
        .to_path_buf()
}

/// The folder that `TERRIER_CORPUS` names: third-party captures with a `truth.tsv`.
pub(crate) fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("TERRIER_CORPUS")?;
    // Relative to the repository, where the one who set it was; the tests run in their own folder.
    Some(root().join(folder))
}

/// The program, to be run in the repository so that paths in its records are relative.
pub(crate) fn terrier() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_terrier-under-test"));
    // Its usage message shows the name it was called by.
    command
        .arg0("terrier")
        .current_dir(root())
        .stdin(Stdio::null());
    command
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit code; a run that was killed has none.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The records of standard output. Each line must be one.
    pub(crate) fn records(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))
            })
            .collect()
    }

    /// The one `stats` record.
    pub(crate) fn stats(&self) -> Value {
        let mut stats = of_kind(self.records(), "stats");
        assert_eq!(stats.len(), 1, "one stats record: {}", self.stderr);
        stats.remove(0)
    }

    /// Asserts exit code and that standard error has each of the words.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "exit code; it said: {}", self.stderr);
        for word in words {
            assert!(
                self.stderr.contains(word),
                "`{word}` is not in what it said: {}",
                self.stderr
            );
        }
        assert!(
            !self.stderr.contains("panicked"),
            "it panicked: {}",
            self.stderr
        );
        self
    }
}

/// The records of one kind.
pub(crate) fn of_kind(mut records: Vec<Value>, kind: &str) -> Vec<Value> {
    records.retain(|record| record["kind"] == kind);
    records
}

/// The detections of all alerts, each once.
pub(crate) fn detections(records: &[Value]) -> BTreeSet<String> {
    records
        .iter()
        .filter_map(|record| record["detection"].as_str())
        .map(str::to_owned)
        .collect()
}

/// Runs the program to its end.
pub(crate) fn run<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Ran {
    finished(terrier().args(arguments).output())
}

/// Runs the program to its end, with this on its standard input.
pub(crate) fn run_with_input<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(
    arguments: I,
    input: &[u8],
) -> Ran {
    let mut child = terrier()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("it was piped");
    std::thread::scope(|scope| {
        // A program that has read enough closes the pipe: no failure of the test.
        scope.spawn(move || stdin.write_all(input).is_ok());
        finished(child.wait_with_output())
    })
}

fn finished(output: std::io::Result<Output>) -> Ran {
    let output = output.expect("the program starts");
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("records are UTF-8"),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// `read` with everything that is the same on every machine.
pub(crate) fn read<S: AsRef<OsStr>>(paths: &[S]) -> Ran {
    run(READ
        .iter()
        .map(OsStr::new)
        .chain(paths.iter().map(S::as_ref)))
}

/// The arguments of [`read`].
pub(crate) const READ: [&str; 4] = ["read", "--json", "--emit", "alert,observation,stats"];

/// Says why a test did not run.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is told")]
pub(crate) fn skip(why: &str) {
    eprintln!("skipped: {why}");
}

/// Fails with all that is wrong at once, so that one run shows everything there is to repair.
#[track_caller]
pub(crate) fn assert_none(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
