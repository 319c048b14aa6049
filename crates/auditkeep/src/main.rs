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
mod new_file;
mod output;
mod place;
mod progress;
mod public_keys;
mod witnesses;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

/// Names what is logged to standard error.
const LOG: &str = "AUDITKEEP_LOG";

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    // What a library calls an error may be a retry; what matters comes back as an error and is told once.
    let level = if arguments.global.verbose { "auditkeep=debug,warn" } else { "off" };
    tracing_subscriber::fmt()
        .with_env_filter(filter(level))
        .with_ansi(output::may_colour(std::io::stderr().is_terminal()))
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

/// What is logged: as the environment says, else what is at or above `level`.
fn filter(level: &str) -> EnvFilter {
    let Some(asked) = std::env::var_os(LOG).filter(|asked| !asked.is_empty()) else {
        return EnvFilter::new(level);
    };
    EnvFilter::try_new(asked.to_string_lossy()).unwrap_or_else(|error| {
        let why = error.to_string();
        output::talk(&format!("warning: {LOG} is no filter, and is ignored: {}", output::escape::line(&why)));
        EnvFilter::new(level)
    })
}

fn run(arguments: cli::Arguments) -> Result<failure::Exit, failure::Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(cli::run(arguments))
}
