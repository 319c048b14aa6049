//! Rules for every Rust file of the work tree: a header that says what it is for, a bounded size, names that mean something.
//!
//! Build output and the lab's downloads are not looked at.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// Lines a file may have, the unit tests at its end not counted.
const MAX_LINES: usize = 500;
/// Words a first sentence must at least have to say anything.
const MIN_WORDS: usize = 4;
/// Names under which anything could be put.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager", "service"];
const SKIPPED: &[&str] = &["target", ".git", ".lab"];

pub(super) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut violations = Vec::new();
    visit(root, root, &mut violations)?;
    violations.sort();
    Ok(violations)
}

fn visit(root: &Path, directory: &Path, violations: &mut Vec<String>) -> anyhow::Result<()> {
    let entries = fs::read_dir(directory).with_context(|| format!("list {}", directory.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("list {}", directory.display()))?;
        let path = entry.path();
        let file_type = entry.file_type().with_context(|| format!("look at {}", path.display()))?;
        if file_type.is_dir() {
            if !SKIPPED.contains(&entry.file_name().to_string_lossy().as_ref()) {
                visit(root, &path, violations)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            violations.extend(faults(&path, &text).into_iter().map(|fault| format!("{shown}: {fault}")));
        }
    }
    Ok(())
}

fn faults(path: &Path, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if stem == "mod" {
        faults.push("use foo.rs beside foo/ in place of foo/mod.rs".to_owned());
    }
    if EMPTY_NAMES.contains(&stem.as_str()) {
        faults.push(format!("the name `{stem}` says nothing; name what the module is for"));
    }
    if !has_purpose(text) {
        faults.push("must open with `//!` and a full sentence that says what the file is for".to_owned());
    }
    let lines = lines_without_tests(text);
    if lines > MAX_LINES {
        faults.push(format!("{lines} lines without its unit tests, over {MAX_LINES}; split it"));
    }
    faults
}

/// Whether the first paragraph of the header holds a sentence: some words and what ends a sentence.
fn has_purpose(text: &str) -> bool {
    let header = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let paragraph: Vec<&str> = header.take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    let sentence = paragraph.split_inclusive(". ").next().unwrap_or_default().trim_end();
    sentence.ends_with(['.', ':', '?']) && sentence.split_whitespace().count() >= MIN_WORDS
}

/// Lines before the unit tests that end the file.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| pair == ["#[cfg(test)]", "mod tests {"]);
    match tests {
        // Only when nothing follows: the module's closing brace is the file's last line.
        Some(start)
            if lines.iter().skip(start).position(|line| *line == "}") == Some(lines.len() - start - 1) =>
        {
            start
        }
        _ => lines.len(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{MAX_LINES, faults};

    const HEADER: &str = "//! Parses lines of one format.\n";

    #[test]
    fn a_file_in_order_has_no_faults() {
        assert!(faults(Path::new("src/parse.rs"), &format!("{HEADER}fn parse() {{}}\n")).is_empty());
    }

    #[test]
    fn a_header_without_a_sentence_is_a_fault() {
        for text in [
            "fn parse() {}\n",
            "//! Placeholder.\n",
            "//! This never ends its sentence\n",
            "// Parses one format.\n",
        ] {
            assert_eq!(faults(Path::new("src/parse.rs"), text).len(), 1, "{text}");
        }
    }

    #[test]
    fn names_that_say_nothing_are_faults() {
        for path in ["src/utils.rs", "src/foo/mod.rs", "tests/common.rs"] {
            assert_eq!(faults(Path::new(path), HEADER).len(), 1, "{path}");
        }
    }

    #[test]
    fn unit_tests_at_the_end_do_not_count_as_size() {
        let code = "fn f() {}\n".repeat(MAX_LINES - 1);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    // line\n".repeat(200));
        let path = Path::new("src/parse.rs");
        assert!(faults(path, &format!("{HEADER}{code}{tests}")).is_empty());
        assert_eq!(faults(path, &format!("{HEADER}{code}{tests}fn after() {{}}\n")).len(), 1);
    }
}
