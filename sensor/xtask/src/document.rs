//! The parts of `docs/performance.md` that chores write.

use anyhow::{Context, bail};

/// Replaces what stands between `<!-- NAME ... -->` and `<!-- end of NAME -->`.
pub(crate) fn put(name: &str, text: &str) -> anyhow::Result<()> {
    let document = std::fs::read_to_string(FILE).with_context(|| FILE.to_owned())?;
    let Some(document) = replaced(&document, name, text) else {
        bail!("{FILE} has no place for `{name}`");
    };
    std::fs::write(FILE, document)?;
    crate::tell(&format!("written to {FILE}"));
    Ok(())
}

fn replaced(document: &str, name: &str, text: &str) -> Option<String> {
    let begin = document.find(&format!("<!-- {name} "))?;
    let start = begin + document[begin..].find("-->")? + 3;
    let end = start + document[start..].find(&format!("<!-- end of {name} -->"))?;
    let (before, after) = (&document[..start], &document[end..]);
    Some(format!("{before}\n\n{}\n\n{after}", text.trim()))
}

const FILE: &str = "docs/performance.md";
/// Where the plot lies that the document shows.
pub(crate) const PLOT: &str = "docs/cost.svg";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_a_place_for_each_part() {
        let document = include_str!("../../../docs/performance.md");
        for name in ["figures", "ladder"] {
            assert!(replaced(document, name, "new").is_some(), "{name}");
        }
    }

    #[test]
    fn a_part_is_replaced_and_the_rest_stays() {
        let document = "a\n<!-- x by hand -->\nold\n<!-- end of x -->\nb\n";
        let now = replaced(document, "x", "new\n").unwrap();
        assert_eq!(
            now,
            "a\n<!-- x by hand -->\n\nnew\n\n<!-- end of x -->\nb\n"
        );
        assert_eq!(replaced(&now, "x", "new").unwrap(), now);
        assert_eq!(replaced(document, "y", "new"), None);
    }
}
