//! The programs that are measured, and how each is started.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::captures::{Capture, folder};
use crate::needs::on_path;
use crate::steps::target;

/// A program with its arguments; the capture comes where [`CAPTURE`] stands.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) name: String,
    words: Vec<String>,
    /// Packets beyond which nobody wants to wait for it.
    most_packets: u64,
}

impl Program {
    fn new(name: &str, words: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            words: words.iter().map(|&word| word.to_owned()).collect(),
            most_packets: u64::MAX,
        }
    }

    /// The words of its command line for a capture.
    pub(crate) fn on(&self, capture: &Capture) -> Vec<String> {
        let fill = |word: &String| match word.as_str() {
            CAPTURE => capture.path().to_owned(),
            _ => word.clone(),
        };
        self.words.iter().map(fill).collect()
    }

    pub(crate) const fn takes(&self, packets: u64) -> bool {
        packets <= self.most_packets
    }

    /// The command line as a reader would type it.
    pub(crate) fn command(&self) -> String {
        let word = |word: &String| match word.as_str() {
            CAPTURE => "CAPTURE".to_owned(),
            word => word
                .rsplit_once("/release/")
                .map_or(word, |(_, name)| name)
                .to_owned(),
        };
        self.words.iter().map(word).collect::<Vec<_>>().join(" ")
    }
}

/// What counts the packets, and what is measured against it.
pub(crate) struct Programs {
    pub(crate) terrier: PathBuf,
    pub(crate) bare: Program,
    pub(crate) alerts: Program,
    pub(crate) observations: Program,
    pub(crate) two_workers: Program,
    pub(crate) rivals: Vec<Program>,
    /// Names and versions of the rivals, and those that are not installed.
    pub(crate) versions: Vec<String>,
}

impl Programs {
    pub(crate) fn find(with_rivals: bool) -> anyhow::Result<Self> {
        let folder = target().join("release");
        let folder = std::fs::canonicalize(&folder).unwrap_or(folder);
        let terrier = folder.join("terrier");
        let bare = folder.join("examples/bare_loop");
        let own = terrier.to_str().context("a path in UTF-8")?;
        let loop_ = bare.to_str().context("a path in UTF-8")?;
        let mut programs = Self {
            bare: Program::new("libpcap, counting", &[loop_, CAPTURE]),
            alerts: Program::new("**terrier**", &[own, "read", "--json", CAPTURE]),
            observations: Program::new(
                "**terrier**, every observation",
                &[
                    own,
                    "read",
                    "--json",
                    "--emit",
                    "alert,observation",
                    CAPTURE,
                ],
            ),
            two_workers: Program::new(
                "**terrier**, two workers",
                &[own, "read", "--json", "--workers", "2", CAPTURE],
            ),
            terrier,
            rivals: Vec::new(),
            versions: Vec::new(),
        };
        if with_rivals {
            programs.find_rivals()?;
        }
        Ok(programs)
    }

    fn find_rivals(&mut self) -> anyhow::Result<()> {
        let mut missing = Vec::new();
        for (program, package) in RIVALS {
            if !on_path(program) {
                missing.push(format!("{program} (Debian: {package})"));
                continue;
            }
            match program {
                // Else it becomes another user, who may not read the capture.
                "tcpdump" => self.rivals.push(Program::new(
                    "tcpdump",
                    &["tcpdump", "-Z", "root", "-r", CAPTURE, "-w", "/dev/null"],
                )),
                "suricata" => {
                    for (name, log) in [
                        ("Suricata, no log", None),
                        ("Suricata, EVE", Some("eve.json")),
                    ] {
                        self.rivals.push(suricata(name, log)?);
                    }
                }
                "ndpiReader" => self.rivals.push(Program::new(
                    "ndpiReader",
                    &["ndpiReader", "-q", "-i", CAPTURE],
                )),
                _ => self.rivals.push(Program {
                    most_packets: 2_000_000,
                    ..Program::new(
                        "tshark, server names",
                        &[
                            "tshark",
                            "-n",
                            "-r",
                            CAPTURE,
                            "-Y",
                            "tls.handshake.extensions_server_name",
                        ],
                    )
                }),
            }
            self.versions.push(version(program));
        }
        if !missing.is_empty() {
            self.versions
                .push(format!("not installed: {}", missing.join(", ")));
        }
        Ok(())
    }
}

/// Suricata without rules, with the parsers of what Terrier is measured on, handing encrypted flows over.
fn suricata(name: &str, log: Option<&str>) -> anyhow::Result<Program> {
    let folder = folder()?;
    let logs = folder.join("suricata");
    std::fs::create_dir_all(&logs)?;
    let file = folder.join(match log {
        Some(_) => "suricata-eve.yaml",
        None => "suricata-quiet.yaml",
    });
    std::fs::write(&file, configuration(log))?;
    let (file, logs) = (text(&file)?, text(&logs)?);
    Ok(Program::new(
        name,
        &[
            "suricata",
            "-c",
            file,
            "-S",
            "/dev/null",
            "-k",
            "none",
            "--runmode",
            "single",
            "-l",
            logs,
            "-r",
            CAPTURE,
        ],
    ))
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path in UTF-8")
}

fn configuration(log: Option<&str>) -> String {
    let outputs = log.map_or_else(
        || "outputs: []\n".to_owned(),
        |file| {
            format!(
                "outputs:\n  - eve-log:\n      enabled: yes\n      filetype: regular\n      append: no\n      filename: {file}\n      \
                 types: [tls, dns, rfb, rdp, quic]\n"
            )
        },
    );
    format!("{SURICATA}{outputs}")
}

fn version(program: &str) -> String {
    let argument = match program {
        "ndpiReader" => "--help",
        "suricata" => "-V",
        _ => "--version",
    };
    let done = Command::new(program).arg(argument).output();
    let text = done.map_or_else(
        |_| String::new(),
        |done| String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned(),
    );
    // nDPI's reader speaks of its library.
    let word = match program {
        "ndpiReader" => "ndpi ",
        program => program,
    };
    let wanted = |line: &&str| {
        let line = line.to_lowercase();
        line.contains(word) && line.contains(|letter: char| letter.is_ascii_digit())
    };
    let line = text.lines().find(wanted).unwrap_or(program);
    line.trim().trim_end_matches('.').to_owned()
}

const CAPTURE: &str = "{capture}";
/// Program and package; the quick ones first.
const RIVALS: [(&str, &str); 4] = [
    ("tcpdump", "tcpdump"),
    ("suricata", "suricata"),
    ("ndpiReader", "libndpi-bin"),
    ("tshark", "tshark"),
];

const SURICATA: &str = "\
%YAML 1.1
---
vars:
  address-groups: {HOME_NET: \"[10.0.0.0/8]\", EXTERNAL_NET: \"!$HOME_NET\"}
stats: {enabled: no}
max-pending-packets: 1024
flow: {memcap: 2gb, hash-size: 1048576, prealloc: 10000}
stream:
  memcap: 1gb
  checksum-validation: no
  reassembly: {memcap: 1gb, depth: 1mb}
defrag: {memcap: 32mb}
app-layer:
  protocols:
    tls: {enabled: yes, detection-ports: {dp: 443}, encryption-handling: bypass}
    dns:
      tcp: {enabled: yes, detection-ports: {dp: 53}}
      udp: {enabled: yes, detection-ports: {dp: 53}}
    rfb: {enabled: yes, detection-ports: {dp: \"5900, 5901, 5902, 5903, 5904, 5905, 5906, 5907, 5908, 5909\"}}
    rdp: {enabled: yes}
    quic: {enabled: yes}
    ssh: {enabled: no}
    http: {enabled: no}
    http2: {enabled: no}
    smb: {enabled: no}
    dcerpc: {enabled: no}
    ftp: {enabled: no}
    smtp: {enabled: no}
    imap: {enabled: no}
    nfs: {enabled: no}
    ntp: {enabled: no}
    tftp: {enabled: no}
    ikev2: {enabled: no}
    ike: {enabled: no}
    krb5: {enabled: no}
    snmp: {enabled: no}
    sip: {enabled: no}
    dhcp: {enabled: no}
    mqtt: {enabled: no}
    telnet: {enabled: no}
    pgsql: {enabled: no}
    modbus: {enabled: no}
    dnp3: {enabled: no}
    enip: {enabled: no}
    bittorrent-dht: {enabled: no}
logging:
  default-log-level: error
  outputs:
    - console: {enabled: yes}
";
