//! Development commands of the workspace: `cargo xtask <command>`.
//!
//! Each command lives in its own file and is a thin driver of cargo, apt and pip. None of them is needed to build
//! or to run the product; `setup` is the only one that changes the machine outside the work tree.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "these are commands for a terminal; their output is for the person who ran them"
)]

mod setup;
mod shell;
mod simulate;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Development commands of the auditkeep workspace")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what the tests need: PostgreSQL with pgAudit, MariaDB, Ceph, strace, and a Python environment in .lab/venv.
    Setup,
    /// Check the workspace's own rules: dependency direction, file headers, file sizes, module names.
    Tidy,
    /// Run many random histories of collecting, in the release profile.
    Simulate(simulate::Arguments),
    /// Run every check: tidy, formatting, lints, tests.
    Test {
        /// Run `setup` first.
        #[arg(long)]
        setup: bool,
    },
}

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> anyhow::Result<()> {
    let root = workspace_root()?;
    match command {
        Command::Setup => setup::run(&root),
        Command::Tidy => tidy::run(&root),
        Command::Simulate(arguments) => simulate::run(&root, arguments),
        Command::Test { setup } => test::run(&root, *setup),
    }
}

/// The workspace's directory: two levels above this crate, where cargo built it from.
fn workspace_root() -> anyhow::Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .map(Path::to_path_buf)
        .context("find the workspace root above crates/xtask")
}
