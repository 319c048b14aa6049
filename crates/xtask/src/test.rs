//! `cargo xtask test`: every check that must pass before a change is merged, in the order of growing cost.
//!
//! The first failure stops the run. Only cargo itself is needed; the databases and the Python environment that some
//! tests start are installed by `cargo xtask setup`.

use std::path::Path;
use std::process::Command;

use crate::{setup, shell, tidy};

/// The cargo commands, in order.
const STEPS: &[&[&str]] = &[
    &["fmt", "--all", "--check"],
    &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"],
    &["test", "--workspace", "--all-features"],
];

pub(crate) fn run(root: &Path, with_setup: bool) -> anyhow::Result<()> {
    if with_setup {
        setup::run(root)?;
    }
    tidy::run(root)?;
    for step in STEPS {
        shell::run(Command::new(env!("CARGO")).current_dir(root).args(*step))?;
    }
    println!("all checks passed");
    Ok(())
}
