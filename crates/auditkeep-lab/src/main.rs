//! `auditkeep-lab`: the laboratory's commands.
//!
//! One file a command under `cli/`. Messages for people go to standard error.

mod cli;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// A laboratory for audit logs of databases: an emulated RDS endpoint and recorded logs.
#[derive(Parser)]
#[command(name = "auditkeep-lab", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve log files as the RDS endpoint does
    Serve(cli::serve::ServeArguments),
    /// Record the logs of real servers; takes some minutes
    #[cfg(feature = "servers")]
    Record(cli::record::RecordArguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let outcome = match Arguments::parse().command {
        Command::Serve(arguments) => cli::serve::run(arguments).await.map_err(cli::report),
        #[cfg(feature = "servers")]
        Command::Record(arguments) => cli::record::run(arguments).await.map_err(cli::report),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(()) => ExitCode::FAILURE,
    }
}
