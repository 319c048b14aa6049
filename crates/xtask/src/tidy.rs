//! `cargo xtask tidy`: the workspace's own rules, which no compiler and no linter checks.
//!
//! Every violation is listed with its place before the command fails. It reads the work tree and `cargo metadata`,
//! and changes nothing.

mod dependencies;
mod sources;

use std::path::Path;

use anyhow::bail;

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let mut violations = dependencies::check(root)?;
    violations.extend(sources::check(root)?);
    if violations.is_empty() {
        println!("tidy: in order");
        return Ok(());
    }
    for violation in &violations {
        println!("{violation}");
    }
    bail!("tidy: {} violation(s)", violations.len());
}
