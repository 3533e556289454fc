//! The tables of `README.md` are what the code says: protocols, encapsulations, tools, detections, options.
//!
//! Each stands between two comments, `<!-- NAME, by cargo xtask docs -->` and `<!-- end of NAME -->`. After a change that is
//! meant to show: `cargo xtask docs`, which runs this test with `UPDATE_README=1`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use clap::CommandFactory as _;
use terrier::cli::Cli;
use terrier_engine::signature::Class;
use terrier_engine::{Coverage, coverage};

use crate::support::{assert_none, root};

#[test]
fn the_tables_of_the_readme_are_what_the_code_says() {
    let path = root().join("README.md");
    let before = fs::read_to_string(&path).expect("there is a README");
    let mut now = before.clone();
    for (name, table) in tables(&coverage()) {
        now = replaced(&now, name, &table);
    }
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, now).expect("README.md can be written");
        return;
    }
    let wrong: Vec<String> = std::iter::zip(before.lines(), now.lines())
        .filter(|(old, new)| old != new)
        .take(1)
        .map(|(old, new)| format!("README.md: run cargo xtask docs\n  - {old}\n  + {new}"))
        .collect();
    assert_none(&wrong);
    assert_eq!(before, now, "run cargo xtask docs");
}

#[test]
fn the_page_of_the_captures_names_every_folder() {
    let page = fs::read_to_string(root().join("pcaps/README.md")).expect("there is one");
    let wrong: Vec<String> = fs::read_dir(root().join("pcaps"))
        .expect("there are captures")
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|folder| !page.contains(&format!("`{folder}/`")))
        .map(|folder| format!("pcaps/README.md does not name `{folder}/`"))
        .collect();
    assert_none(&wrong);
}

/// Puts a table in the place of what stands between its comments.
fn replaced(text: &str, name: &str, table: &str) -> String {
    let start = format!("<!-- {name}, by cargo xtask docs -->\n");
    let end = format!("<!-- end of {name} -->");
    let (before, rest) = text
        .split_once(&start)
        .unwrap_or_else(|| panic!("README.md has no {start}"));
    let (_, after) = rest
        .split_once(&end)
        .unwrap_or_else(|| panic!("README.md has no {end}"));
    format!("{before}{start}{table}{end}{after}")
}

fn tables(coverage: &Coverage) -> [(&'static str, String); 5] {
    [
        ("protocols", protocols(coverage)),
        ("encapsulations", encapsulations(coverage)),
        ("tools", tools(coverage)),
        ("detections", detections(coverage)),
        ("options", options()),
    ]
}

fn protocols(coverage: &Coverage) -> String {
    let mut table = String::from("| protocol | over | what is told |\n|---|---|---|\n");
    for row in &coverage.protocols {
        let over = row.transports.join(", ").to_uppercase();
        let _ = writeln!(table, "| `{}` | {over} | {} |", row.name, row.sees);
    }
    table
}

fn encapsulations(coverage: &Coverage) -> String {
    let kinds: Vec<String> = coverage
        .encapsulations
        .iter()
        .map(|kind| format!("`{}` ({})", kind.name, kind.meaning))
        .collect();
    let links = format!("* **Links:** {}.", coverage.links.join("; "));
    let kinds = format!("* **Encapsulations:** {}.", kinds.join(", "));
    wrapped(&links) + &wrapped(&kinds)
}

fn tools(coverage: &Coverage) -> String {
    let mut list = String::new();
    for class in Class::ALL {
        let of_class = coverage.tools.iter().filter(|tool| tool.class == class);
        let tools: Vec<String> = of_class
            .map(|tool| format!("`{}` ({})", tool.id, tool.told_by.join(", ")))
            .collect();
        if !tools.is_empty() {
            let (name, count) = (class.name(), tools.len());
            let line = format!("* **`{name}.<tool>`** ({count}): {}.", tools.join(", "));
            list.push_str(&wrapped(&line));
        }
    }
    list
}

fn detections(coverage: &Coverage) -> String {
    let mut classes: Vec<(&str, Vec<String>)> = Vec::new();
    for listed in &coverage.detections {
        let (class, _) = listed.id.split_once('.').expect("an id is dotted");
        let line = format!("`{}` {}", listed.id, listed.title);
        match classes.iter_mut().find(|(name, _)| *name == class) {
            Some((_, lines)) => lines.push(line),
            None => classes.push((class, vec![line])),
        }
    }
    classes
        .into_iter()
        .map(|(_, lines)| wrapped(&format!("* {}.", lines.join("; "))))
        .collect()
}

/// The options of all commands: one row where they share one.
fn options() -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut commands: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for command in Cli::command().get_subcommands() {
        for argument in command.get_arguments() {
            let Some(long) = argument.get_long() else {
                continue;
            };
            let mut shown = match argument.get_short() {
                Some(short) => format!("-{short}, --{long}"),
                None => format!("--{long}"),
            };
            if argument.get_action().takes_values() {
                let names = argument.get_value_names().unwrap_or_default();
                shown.extend(names.iter().map(|name| format!(" {name}")));
            }
            let help = argument.get_help().map(ToString::to_string);
            let mut help = help.unwrap_or_default().replace('|', "\\|");
            if let [default] = argument.get_default_values() {
                let _ = write!(help, " [default: {}]", default.to_string_lossy());
            }
            let row = (shown, help);
            let of = commands.entry(row.clone()).or_default();
            if of.is_empty() {
                rows.push(row);
            }
            of.push(command.get_name().to_owned());
        }
    }
    let mut table = String::from("| option | of | does |\n|---|---|---|\n");
    for row in rows {
        let of = commands[&row].join(", ");
        let (shown, help) = row;
        let _ = writeln!(table, "| `{shown}` | {of} | {help} |");
    }
    table
}

/// An item of a list, in lines of at most [`WIDTH`] characters.
fn wrapped(item: &str) -> String {
    let mut text = String::new();
    let mut width = 0;
    for word in item.split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            text.push_str("\n  ");
            width = 2;
        } else if width > 0 {
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += length;
    }
    text.push('\n');
    text
}

/// As the rest of the documents.
const WIDTH: usize = 120;

#[test]
fn a_long_item_is_wrapped_below_itself() {
    let text = wrapped(&["* word"; 40].join(" "));
    assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
    assert!(text.lines().skip(1).all(|line| line.starts_with("  ")));
}
