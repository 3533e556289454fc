//! The points, for people and for programs.

use std::io::{self, Write};

use serde_json::json;
use terrier_engine::record::{SCHEMA_VERSION, Timestamp};

use super::points::{Level, Point};
use super::{Input, Seen};

/// One JSON object.
pub(super) fn json(to: &mut impl Write, seen: &Seen, points: &[Point]) -> io::Result<()> {
    let inputs: Vec<_> = seen
        .inputs
        .iter()
        .map(|input| json!({"path": input.name, "packets": input.packets, "fault": input.fault}))
        .collect();
    let record = json!({
        "kind": "doctor",
        "schema_version": SCHEMA_VERSION,
        "inputs": inputs,
        "packets": seen.survey.packets,
        "flows": seen.flows.all,
        "first_seen": seen.progress.first_ns.map(Timestamp),
        "last_seen": seen.progress.last_ns.map(Timestamp),
        "points": points,
    });
    serde_json::to_writer(&mut *to, &record)?;
    writeln!(to)
}

/// Text: what is wrong with its meaning and its fix, then what is well.
pub(super) fn text(to: &mut impl Write, seen: &Seen, points: &[Point]) -> io::Result<()> {
    let names: Vec<_> = seen.inputs.iter().map(shown).collect();
    let of = match names.as_slice() {
        [one] => one.clone(),
        several => format!("{} inputs", several.len()),
    };
    writeln!(
        to,
        "{of}: {} packets, {} flows\n",
        seen.survey.packets, seen.flows.all
    )?;
    for point in points.iter().filter(|point| point.level > Level::Ok) {
        writeln!(
            to,
            "{:8} {}: {}",
            point.level.name(),
            point.id,
            point.observed
        )?;
        indented(to, "means", point.meaning)?;
        indented(to, "fix", &point.fix)?;
        writeln!(to)?;
    }
    for point in points.iter().filter(|point| point.level == Level::Ok) {
        writeln!(
            to,
            "{:8} {}: {}",
            point.level.name(),
            point.id,
            point.observed
        )?;
    }
    Ok(())
}

/// A path may have octets that move the cursor.
fn shown(input: &Input) -> String {
    input.name.escape_debug().to_string()
}

fn indented(to: &mut impl Write, label: &str, text: &str) -> io::Result<()> {
    let mut line = String::new();
    let mut first = true;
    for word in text.split(' ') {
        if line.len() + word.len() >= WIDTH {
            writeln!(to, "         {:6} {line}", if first { label } else { "" })?;
            first = false;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(to, "         {:6} {line}", if first { label } else { "" })
}

/// Columns of the text behind its label.
const WIDTH: usize = 84;
