//! `auditkeep export`: things out of the archive.

mod raw;

use clap::Subcommand;

use super::Context;
use crate::failure::{Exit, Failure};

#[derive(Debug, Subcommand)]
pub enum ExportCommand {
    /// The original bytes of a log file, byte for byte
    Raw(raw::RawArguments),
}

pub async fn run(context: &Context, command: &ExportCommand) -> Result<Exit, Failure> {
    match command {
        ExportCommand::Raw(arguments) => raw::run(context, arguments).await,
    }
}
