//! `auditkeep proof`: one event, shown to whoever has the public key.
//!
//! The file is written as it will be checked, byte by byte, so its names of log files are not escaped; the event's bytes are
//! compressed and in base64.

use std::path::{Path, PathBuf};

use auditkeep_archive::archive::Archive;
use auditkeep_archive::proof::{EventRef, make};
use auditkeep_pipeline::derive::record_at;
use clap::Args;
use serde::Serialize;

use super::Context;
use crate::failure::{Exit, Failure};
use crate::output::{bytes, json, talk, write_out};

#[derive(Debug, Args)]
#[command(
    after_help = "The ids of events: `auditkeep events --ids`, and the key `event` of `auditkeep events --json`.\n\
    Whoever gets the file checks it with `auditkeep verify --proof FILE --public-key KEY`, without the archive."
)]
pub struct ProofArguments {
    /// The event's id: <trail>/<commit>/<generation>/<offset>+<length>
    event: String,
    /// Write to a new file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Serialize)]
struct Answer<'a> {
    event: String,
    file: &'a Path,
    bytes: u64,
}

pub async fn run(context: &Context, arguments: &ProofArguments) -> Result<Exit, Failure> {
    let event: EventRef = arguments.event.parse().map_err(|error| {
        Failure::usage(format!("{error}"), "copy the event's id from `auditkeep events --ids`")
    })?;
    let archive = context.archive().await?;
    let file = make(&archive, &event).await?.to_vec()?;
    check_record(&archive, &event).await?;
    match arguments.output.as_deref().filter(|path| *path != Path::new("-")) {
        None => write_out(&file)?,
        Some(path) => {
            context.check_outside(path)?;
            crate::new_file::write_new(path, &file, 0o644)?;
            // A crash here loses nothing: the file is whole.
            let size = file.len() as u64;
            if context.json {
                json(&Answer { event: event.to_string(), file: path, bytes: size })?;
            } else {
                talk(&format!("wrote a proof of {}; `auditkeep verify --proof` checks it", bytes(size)));
            }
        }
    }
    Ok(Exit::Fine)
}

/// Bytes that are a record: whoever is shown a proof takes what it shows for an event.
async fn check_record(archive: &Archive, event: &EventRef) -> Result<(), Failure> {
    let record = record_at(archive, event).await?;
    if record.as_ref() == Some(event) {
        return Ok(());
    }
    let copy = "copy the event's id from `auditkeep events --ids`";
    Err(Failure::new(
        format!(
            "the bytes {} to {} of generation `{}` are not one record that commit {} of trail `{}` completes",
            event.offset,
            event.end(),
            event.generation,
            event.commit,
            event.trail
        ),
        match record {
            Some(record) => format!("{copy}; the record there is {record}"),
            None => copy.to_owned(),
        },
    ))
}
