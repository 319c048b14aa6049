//! auditkeep: database audit logs of RDS and Aurora, kept, proven and queryable.
//!
//! The binary wires the crates together and talks to people. What it prints to standard output is data, what it prints to
//! standard error is talk, and its exit code is an answer: 0 fine, 1 failed, 2 wrong usage, 3 ran well and found a problem.

#![expect(
    unreachable_pub,
    reason = "a binary has no outside; `pub` marks what a module offers to the others"
)]

mod cli;
mod config;
mod failure;
mod keys;
mod output;
mod place;
mod progress;
mod witnesses;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    // What a library calls an error may be a retry; what matters comes back as an error and is told once.
    let level = if arguments.global.verbose { "auditkeep=debug,warn" } else { "off" };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_env("AUDITKEEP_LOG").unwrap_or_else(|_| EnvFilter::new(level)))
        .with_writer(std::io::stderr)
        .init();
    match run(arguments) {
        Ok(code) => code.into(),
        Err(failure) => {
            output::talk(&failure.to_string());
            failure.code().into()
        }
    }
}

fn run(arguments: cli::Arguments) -> Result<failure::Exit, failure::Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(cli::run(arguments))
}
