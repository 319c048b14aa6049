//! `cargo xtask simulate`: many random histories of collecting, in the release profile.
//!
//! The histories are a test of `auditkeep-pipeline`, which says what must be true after each; `cargo xtask test` runs some
//! thousands of them. Prints progress, and for each seed that fails the command that runs it alone.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use clap::Args;

use crate::shell;

#[derive(Args)]
pub(crate) struct Arguments {
    /// How many histories.
    #[arg(long, default_value_t = 1_000_000)]
    seeds: u64,
    /// The first one's seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
}

pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let to = arguments.from.checked_add(arguments.seeds).context("there are not that many seeds")?;
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root).env("AUDITKEEP_SEEDS", format!("{}..{to}", arguments.from));
    command.args(["test", "--release", "--package", "auditkeep-pipeline", "--test", "pipeline"]);
    shell::run(command.args(["--", "--nocapture", "simulation::"]))
}
