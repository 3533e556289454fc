//! What a user is told, and by which exit code: the command line is a public interface (0 done, 1 found, 2 wrong usage,
//! 3 unreadable, 4 no permission).

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::capture::{frames, pcap};
use crate::support::manifest::{self, Row};
use crate::support::{Ran, of_kind, read, root, run, run_with_input, skip, terrier};

#[test]
fn a_file_that_is_no_capture_is_named_with_its_first_octets() {
    let folder = Folder::new();
    let path = folder.file("notes.pcap", b"PK\x03\x04 not a capture at all");
    read(&[&path]).expect(3, &["notes.pcap", "not a capture", "pcapng"]);
}

#[test]
fn an_empty_file_is_called_empty() {
    let folder = Folder::new();
    let path = folder.file("empty.pcap", b"");
    read(&[&path]).expect(3, &["empty.pcap", "empty"]);
}

#[test]
fn a_capture_cut_in_the_middle_is_read_up_to_the_cut() {
    let folder = Folder::new();
    let row = capture_with_findings();
    let whole = pcap(&frames(&row.on_disk()));
    let path = folder.file("cut.pcap", &whole[..whole.len() - 7]);
    let ran = read(&[&path]);
    ran.expect(
        0,
        &["cut.pcap", "cut in the middle of frame", "octets promised"],
    );
    let stats = ran.stats();
    assert_eq!(stats["packets"], row.packets - 1);
    let capture = &stats["captures"][0];
    assert_eq!(capture["packets"], row.packets - 1);
    assert_eq!(capture["path"], path);
    let fault = capture["fault"].as_str().expect("the fault is told");
    assert!(ran.stderr.contains(fault), "the same words in both places");
}

#[test]
fn a_capture_cut_within_its_own_header_is_unreadable() {
    let folder = Folder::new();
    let whole = pcap(&frames(&capture_with_findings().on_disk()));
    let path = folder.file("stump.pcap", &whole[..20]);
    read(&[&path]).expect(3, &["stump.pcap", "cut in the header"]);
}

#[test]
fn every_cut_of_a_capture_is_named_and_none_is_a_panic() {
    let whole = fs::read(capture_with_findings().on_disk()).expect("the capture is there");
    for length in (1..whole.len()).step_by(whole.len() / 40 + 1) {
        let ran = run_with_input(READ_STDIN, &whole[..length]);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        assert!(
            [Some(0), Some(3)].contains(&ran.code),
            "cut at {length}: {:?}",
            ran.code
        );
    }
}

#[test]
fn a_path_that_does_not_exist_is_named() {
    read(&["no/such/capture.pcap"]).expect(3, &["no/such/capture.pcap", "no such file"]);
}

#[test]
fn one_bad_capture_does_not_stop_the_others() {
    let folder = Folder::new();
    let bad = folder.file("bad.pcap", b"not a capture");
    let row = capture_with_findings();
    let ran = read(&[bad, "no/such.pcap".to_owned(), row.path()]);
    ran.expect(3, &["bad.pcap", "no/such.pcap", "no such file"]);
    let stats = ran.stats();
    assert_eq!(stats["packets"], row.packets);
    assert_eq!(stats["captures"].as_array().map(Vec::len), Some(3));
    assert_eq!(found(&ran), found(&read(&[row.path()])));
}

#[test]
fn a_file_without_permission_is_named_as_such() {
    let folder = Folder::new();
    // Whoever reads as nobody must reach the folder, which only its owner may otherwise.
    let everybody = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.0.path(), everybody).expect("it is ours");
    let path = folder.file(
        "secret.pcap",
        &pcap(&frames(&capture_with_findings().on_disk())),
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("it is ours");
    // Root reads everything.
    let mut command = if fs::read(&path).is_ok() {
        let mut command = Command::new("setpriv");
        let as_nobody = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"];
        command.args(as_nobody).arg(terrier().get_program());
        command
    } else {
        terrier()
    };
    let Ok(output) = command.args(["read", "--json", &path]).output() else {
        return skip("no setpriv here, and root reads every file");
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("setpriv:") {
        // The program lies where nobody else may go, or the user has another name.
        return skip(&said);
    }
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("secret.pcap") && said.contains("permission"),
        "{said}"
    );
}

#[test]
fn an_option_that_does_not_exist_is_wrong_usage() {
    run(["read", "--jsn", "x.pcap"]).expect(2, &["--jsn", "--json"]);
    run(["raed"]).expect(2, &["raed", "read"]);
    run(["read"]).expect(2, &["PATH"]);
}

#[test]
fn a_network_with_host_bits_is_refused_with_the_one_that_was_meant() {
    run(["read", "--home-net", "10.0.0.1/8", "x.pcap"])
        .expect(2, &["10.0.0.1/8", "did you mean 10.0.0.0/8?"]);
    run(["read", "--home-net", "office", "x.pcap"]).expect(2, &["office", "like 10.0.0.0/8"]);
}

#[test]
fn a_filter_that_does_not_compile_is_wrong_usage() {
    let row = capture_with_findings();
    run(["read", "--filter", "tcp prot 22", &row.path()]).expect(2, &["filter", "tcp prot 22"]);
}

#[test]
fn a_filter_leaves_out_what_it_does_not_take() {
    let row = capture_with_findings();
    let ran = run([&READ_ALL[..], &["--filter", "udp port 1", &row.path()]].concat());
    assert_eq!(ran.expect(0, &[]).stats()["flows"], 0);
}

#[test]
fn a_broken_signature_file_is_refused_with_file_line_and_column() {
    let folder = Folder::new();
    let text = fs::read_to_string(root().join("signatures/tunnel/bore.toml")).expect("it is ours");
    fs::create_dir(folder.0.path().join("tunnel")).expect("a folder");
    folder.file("tunnel/bore.toml", text.replace("why =", "wy =").as_bytes());
    let signatures = folder.0.path().to_str().expect("a path in UTF-8");
    let row = capture_with_findings();
    run(["read", "--signatures", signatures, &row.path()])
        .expect(2, &["bore.toml", "line 7", "column 1", "wy"]);
}

#[test]
fn a_folder_without_signatures_is_refused() {
    let folder = Folder::new();
    let empty = folder.0.path().to_str().expect("a path in UTF-8");
    let row = capture_with_findings();
    run(["read", "--signatures", empty, &row.path()]).expect(2, &["no signature file", empty]);
    run(["read", "--signatures", "no/such", &row.path()])
        .expect(2, &["cannot read signature folder no/such"]);
}

#[test]
fn a_signature_of_ones_own_finds_what_it_names() {
    let folder = Folder::new();
    let text = fs::read_to_string(root().join("signatures/README.md")).expect("it is ours");
    // The example of the manual must work as it stands there.
    let example = text
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("the manual has an example");
    fs::create_dir(folder.0.path().join("tunnel")).expect("a folder");
    folder.file("tunnel/example.toml", example.as_bytes());
    let signatures = folder.0.path().to_str().expect("a path in UTF-8");
    let row = capture_with_findings();
    run([&READ_ALL[..], &["--signatures", signatures, &row.path()]].concat()).expect(0, &[]);
}

#[test]
fn a_kind_of_record_that_does_not_exist_is_wrong_usage() {
    run(["read", "--emit", "alerts", "x.pcap"]).expect(2, &["alerts", "alert", "observation"]);
}

#[test]
fn only_the_kinds_that_were_asked_for_are_written() {
    let row = capture_with_findings();
    for kind in ["alert", "observation", "flow", "stats"] {
        let records = run(["read", "--json", "--emit", kind, &row.path()]).records();
        assert!(!records.is_empty(), "no {kind}");
        assert_eq!(of_kind(records.clone(), kind).len(), records.len());
    }
    let records = run(["read", "--json", &row.path()]).records();
    assert_eq!(
        of_kind(records.clone(), "alert").len(),
        records.len(),
        "the default"
    );
}

#[test]
fn no_number_of_workers_is_zero() {
    run(["read", "--workers", "0", "x.pcap"]).expect(2, &["--workers", "1..=64"]);
}

#[test]
fn a_finding_at_the_severity_of_fail_on_is_exit_1_and_nothing_less_is() {
    let row = capture_with_findings();
    let worst = worst(&read(&[row.path()]));
    let with = |severity: &str| run(["read", "--json", "--fail-on", severity, &row.path()]).code;
    assert_eq!(with("info"), Some(1));
    assert_eq!(with(SEVERITIES[worst]), Some(1));
    if let Some(higher) = SEVERITIES.get(worst + 1) {
        assert_eq!(with(higher), Some(0));
    }
    assert_eq!(
        run(["read", "--json", &row.path()]).code,
        Some(0),
        "without the option"
    );
    run(["read", "--fail-on", "bad", &row.path()]).expect(2, &["bad", "critical"]);
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    // More output than a pipe holds, so that the program still writes when the reader has gone.
    let mut child = terrier()
        .args([
            "read",
            "--json",
            "--emit",
            "observation,flow",
            "pcaps",
            "pcaps",
            "pcaps",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut first = [0; 10];
    let mut stdout = child.stdout.take().expect("it was piped");
    stdout.read_exact(&mut first).expect("something is written");
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.is_empty(), "{said}");
}

#[test]
fn output_goes_to_a_file_when_one_is_named() {
    let folder = Folder::new();
    let path = folder.file("records.jsonl", b"from before");
    let row = capture_with_findings();
    let ran = run([&READ_ALL[..], &["--output", &path, &row.path()]].concat());
    assert_eq!(ran.expect(0, &[]).stdout, "");
    let written = fs::read_to_string(path).expect("it was written");
    assert_eq!(
        written,
        run([&READ_ALL[..], &[&row.path()]].concat()).stdout
    );
}

#[test]
fn output_that_cannot_be_created_or_written_is_named() {
    let row = capture_with_findings();
    run([
        "read",
        "--json",
        "--output",
        "no/such/folder/x.jsonl",
        &row.path(),
    ])
    .expect(2, &["no/such/folder/x.jsonl", "cannot create"]);
    if Path::new("/dev/full").exists() {
        let ran = run([&READ_ALL[..], &["--output", "/dev/full", &row.path()]].concat());
        ran.expect(3, &["/dev/full", "cannot write"]);
    }
}

#[test]
fn standard_input_is_read_as_a_capture() {
    let row = capture_with_findings();
    let octets = fs::read(row.on_disk()).expect("the capture is there");
    let ran = run_with_input(READ_STDIN, &octets);
    assert_eq!(ran.expect(0, &[]).stats()["packets"], row.packets);
    assert_eq!(found(&ran), found(&read(&[row.path()])));
    run_with_input(READ_STDIN, b"").expect(3, &["standard input", "empty"]);
}

#[test]
fn compression_is_recognised_by_content_whatever_the_name() {
    let folder = Folder::new();
    let row = capture_with_findings();
    let octets = pcap(&frames(&row.on_disk()));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&octets).expect("memory takes everything");
    let gzip = gzip.finish().expect("memory takes everything");
    let zstd = zstd::encode_all(&octets[..], 0).expect("memory takes everything");
    for (name, octets) in [("a.pcap", &gzip), ("b.txt", &zstd), ("c.gz", &octets)] {
        let path = folder.file(name, octets);
        let ran = read(&[path]);
        assert_eq!(ran.expect(0, &[]).stats()["packets"], row.packets, "{name}");
        assert_eq!(found(&ran), found(&read(&[row.path()])), "{name}");
    }
    let cut = folder.file("cut.gz", &gzip[..gzip.len() / 2]);
    read(&[cut]).expect(0, &["cut.gz", "gzip data is cut or damaged"]);
}

#[test]
fn a_folder_is_walked_and_what_is_no_capture_is_passed_over() {
    let folder = Folder::new();
    let row = capture_with_findings();
    let octets = fs::read(row.on_disk()).expect("the capture is there");
    fs::create_dir(folder.0.path().join("below")).expect("a folder");
    folder.file("README.md", b"about these captures");
    folder.file("below/one.pcapng", &octets);
    let path = folder.0.path().to_str().expect("a path in UTF-8");
    let ran = read(&[path]);
    assert_eq!(ran.expect(0, &[]).stats()["packets"], row.packets);
    let empty = Folder::new();
    let path = empty.0.path().to_str().expect("a path in UTF-8");
    read(&[path]).expect(3, &["no capture in this folder"]);
}

#[test]
fn text_for_people_names_what_was_found() {
    let row = capture_with_findings();
    let ran = run(["read", "--format", "text", &row.path()]);
    for detection in &row.findings {
        assert!(
            ran.expect(0, &[]).stdout.contains(detection.as_str()),
            "no {detection} in {}",
            ran.stdout
        );
    }
}

#[test]
fn json_and_another_format_are_not_asked_for_at_once() {
    run(["read", "--json", "--format", "text", "x.pcap"]).expect(2, &["--json", "--format"]);
}

#[test]
fn metrics_are_written_to_a_file_when_one_is_named() {
    let folder = Folder::new();
    let path = folder.file("terrier.prom", b"");
    let row = capture_with_findings();
    run(["read", "--json", "--metrics-file", &path, &row.path()]).expect(0, &[]);
    let text = fs::read_to_string(path).expect("it was written");
    for name in ["terrier_", "# HELP ", "# TYPE "] {
        assert!(text.contains(name), "no {name} in {text}");
    }
}

#[test]
fn an_interface_that_does_not_exist_is_named() {
    let ran = run(["run", "-i", "nosuchif0", "--listen", "127.0.0.1:0"]);
    // A name on the command line that means nothing is wrong usage.
    ran.expect(2, &["nosuchif0"]);
}

#[test]
fn help_and_version_go_to_standard_output() {
    let help = run(["read", "--help"]);
    for option in ["--home-net", "--emit", "--fail-on", "--workers", "--output"] {
        assert!(help.expect(0, &[]).stdout.contains(option), "no {option}");
    }
    let version = run(["--version"]);
    assert!(version.expect(0, &[]).stdout.starts_with("terrier "));
}

/// A capture in which something is found, of frames of one link type.
fn capture_with_findings() -> Row {
    manifest::captures()
        .into_iter()
        .find(|row| row.file == "vnc/tightvnc.pcapng" || row.findings.len() > 1)
        .expect("a capture with findings")
}

fn found(ran: &Ran) -> Vec<Value> {
    let alerts = of_kind(ran.records(), "alert");
    assert!(!alerts.is_empty(), "nothing was found");
    alerts
        .into_iter()
        .map(|alert| alert["detection"].clone())
        .collect()
}

/// The place of the worst alert's severity in [`SEVERITIES`].
fn worst(ran: &Ran) -> usize {
    of_kind(ran.records(), "alert")
        .iter()
        .filter_map(|alert| {
            SEVERITIES
                .iter()
                .position(|&name| alert["severity"] == name)
        })
        .max()
        .expect("something was found")
}

/// A folder that is gone after the test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the test"))
    }

    fn file(&self, name: &str, octets: &[u8]) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, octets).expect("a file in our folder");
        path.to_str().expect("a path in UTF-8").to_owned()
    }
}

const SEVERITIES: [&str; 5] = ["info", "low", "medium", "high", "critical"];
const READ_ALL: [&str; 4] = crate::support::READ;
const READ_STDIN: [&str; 5] = [READ_ALL[0], READ_ALL[1], READ_ALL[2], READ_ALL[3], "-"];
