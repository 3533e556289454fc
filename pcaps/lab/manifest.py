"""Writes and checks MANIFEST.toml: one [[capture]] per file, sorted by file.

put PCAPS FILE SCENARIO SHOWS FINDINGS   made_with on standard input, one a line; only this file's table changes
check PCAPS                              every file has its table, sha256 and packets agree
"""

import fcntl
import hashlib
import json
import pathlib
import subprocess
import sys
import tomllib

ENDINGS = (".pcap", ".pcapng", ".gz", ".zst")
HEAD = """\
# Every capture of this folder: who made it, with what, what it shows, and what a correct Terrier reports on it.
# Written by lab/make from the scenarios; change those, not this file.
"""
# What is really there, in a carrier that this version does not decode: a scenario writes `later:vnc.session`.
LATER = "later:"
ORDER = ("file", "made_with", "scenario", "shows", "sha256", "packets", "licence", "findings", "later")


def packets(path):
    """As capinfos counts. It reads gzip by itself, zstd only after unpacking."""
    if path.suffix == ".zst":
        plain = subprocess.run(["zstd", "-dcq", path], check=True, capture_output=True).stdout
        out = subprocess.run(["tshark", "-r", "-"], input=plain, check=True, capture_output=True).stdout
        return out.count(b"\n")
    out = subprocess.run(["capinfos", "-cTrM", path], check=True, capture_output=True, text=True).stdout
    return int(out.split("\t")[1])


def read(manifest):
    if not manifest.exists():
        return {}
    return {t["file"]: t for t in tomllib.loads(manifest.read_text()).get("capture", [])}


def toml(value):
    if isinstance(value, list):
        return "[" + ", ".join(toml(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)  # JSON's strings and integers are TOML's


def write(manifest, tables):
    text = HEAD
    for _, table in sorted(tables.items()):
        text += "\n[[capture]]\n" + "".join(f"{key} = {toml(table[key])}\n" for key in ORDER if key in table)
    manifest.write_text(text)


def put(pcaps, file, scenario, shows, findings):
    path = pcaps / file
    table = {
        "file": file,
        "made_with": sorted(set(sys.stdin.read().splitlines())),
        "scenario": scenario,
        "shows": shows,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "packets": packets(path),
        "licence": "Apache-2.0",
        "findings": sorted(id for id in findings.split() if not id.startswith(LATER)),
    }
    if later := sorted(id.removeprefix(LATER) for id in findings.split() if id.startswith(LATER)):
        table["later"] = later
    with open(pcaps / "lab" / "manifest.py") as lock:  # two `make` may run at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        tables = read(pcaps / "MANIFEST.toml")
        tables[file] = table
        write(pcaps / "MANIFEST.toml", tables)


def check(pcaps):
    tables = read(pcaps / "MANIFEST.toml")
    files = {str(p.relative_to(pcaps)) for p in pcaps.rglob("*") if p.suffix in ENDINGS}
    faults = [f"{f}: not in MANIFEST.toml" for f in files - tables.keys()]
    faults += [f"{f}: no such file" for f in tables.keys() - files]
    for file in files & tables.keys():
        path, table = pcaps / file, tables[file]
        if hashlib.sha256(path.read_bytes()).hexdigest() != table["sha256"]:
            faults.append(f"{file}: sha256 differs")
        if packets(path) != table["packets"]:
            faults.append(f"{file}: packets differ")
        if path.stat().st_size > 200_000:
            faults.append(f"{file}: over 200 kB")
    print("\n".join(sorted(faults)) or f"{len(files)} captures agree with the manifest")
    return bool(faults)


if __name__ == "__main__":
    command, pcaps, *rest = sys.argv[1:]
    sys.exit({"put": put, "check": check}[command](pathlib.Path(pcaps), *rest))
