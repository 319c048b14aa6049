//! `cargo xtask setup`: installs what the tests run against. Safe to run again: what is there is skipped.
//!
//! Two parts: servers from the distribution's packages, and a Python environment in `.lab/venv`.
//! Both say what they do and end with a hint when a package manager fails.

mod python;
mod servers;

use std::path::Path;

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    servers::install()?;
    python::install(root)?;
    println!("setup: done");
    Ok(())
}
