//! Lists the signature files, so that the binary carries them all: nobody keeps a list by hand. They are read here, so that
//! the program need not do so at each start; whether they are right is for the crate's tests to say.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use toml::Table;

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let folder = manifest.join("../../signatures").canonicalize()?;
    // Cargo looks at every file below a folder, new ones too.
    println!("cargo:rerun-if-changed={}", folder.display());

    let mut files = Vec::new();
    walk(&folder, &mut files)?;
    // The order in a folder differs from machine to machine; that of the built-in files must not.
    files.sort();

    let mut list = String::from("&[\n");
    for file in files {
        let name = file.strip_prefix(&folder).unwrap_or(&file);
        let name = name.to_string_lossy().replace('\\', "/");
        let table: Table = fs::read_to_string(&file)?
            .parse()
            .map_err(|error| format!("{name}: {error}"))?;
        let text = file.to_string_lossy();
        writeln!(
            list,
            "BuiltIn {{ path: {name:?}, text: include_str!({text:?}),"
        )?;
        tool(&mut list, &table)?;
    }
    list.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("signatures.rs"), list)?;
    Ok(())
}

/// Writes what a file says as the fields of a `BuiltIn`, without its examples.
fn tool(list: &mut String, table: &Table) -> std::fmt::Result {
    for key in ["id", "title", "why", "looks_like"] {
        writeln!(list, "{key}: {:?},", text(table, key))?;
    }
    for key in ["added", "checked"] {
        let day = table.get(key).map(ToString::to_string);
        writeln!(list, "{key}: {:?},", day.unwrap_or_default())?;
    }
    for key in ["attack", "guidance", "references"] {
        writeln!(list, "{key}: &{:?},", texts(table, key))?;
    }
    writeln!(list, "class: Class::{},", variant(text(table, "class")))?;
    let severity = match table.get("severity") {
        Some(_) => format!("Some(Severity::{})", variant(text(table, "severity"))),
        None => "None".to_owned(),
    };
    writeln!(list, "severity: {severity},\nentries: &[")?;
    let entries = table.get("match").and_then(toml::Value::as_array);
    for entry in entries
        .into_iter()
        .flatten()
        .filter_map(|one| one.as_table())
    {
        let seen_in = match entry.get("seen_in") {
            Some(_) => texts(entry, "seen_in"),
            None => vec!["dns", "sni", "quic_sni", "http_host"],
        };
        let seen_in: String = seen_in
            .into_iter()
            .map(|place| format!("SeenIn::{}, ", variant(place)))
            .collect();
        let name = |key| variant(text(entry, key));
        writeln!(
            list,
            "BuiltInEntry {{ kind: Kind::{}, value: {:?}, seen_in: &[{seen_in}], role: Role::{}, \
             direction: Direction::{}, confidence: Confidence::{} }},",
            name("kind"),
            text(entry, "value"),
            name("role"),
            name("direction"),
            name("confidence"),
        )?;
    }
    writeln!(list, "] }},")
}

fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    table
        .get(key)
        .and_then(|value| value.as_str())
        .unwrap_or_default()
}

fn texts<'a>(table: &'a Table, key: &str) -> Vec<&'a str> {
    let list = table.get(key).and_then(toml::Value::as_array);
    let texts = list.into_iter().flatten();
    texts.filter_map(|text| text.as_str()).collect()
}

/// `http_path` as Rust calls it: `HttpPath`.
fn variant(name: &str) -> String {
    let mut variant = String::new();
    for word in name.split('_') {
        let (first, rest) = word.split_at(word.len().min(1));
        variant += &first.to_ascii_uppercase();
        variant += rest;
    }
    variant
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    Ok(())
}
