//! `auditkeep export raw`: the original bytes of a log file.
//!
//! Each segment's hashes are checked before its bytes are passed on, so what comes out is what was collected, or an error.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::commit::Cursor;
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::{segment, trail};
use clap::Args;
use serde::Serialize;

use crate::cli::Context;
use crate::failure::{Exit, Failure};
use crate::output::table::Rows;
use crate::output::{bytes, json, write_out};

#[derive(Debug, Args)]
#[command(after_help = "Without --log, the logs of the instance are listed.")]
pub struct RawArguments {
    /// Name or resource id of the instance
    #[arg(long)]
    instance: String,
    /// The log file, by the name under which it was last seen
    #[arg(long)]
    log: Option<String>,
    /// Which of several files that had this name; see the list
    #[arg(long)]
    generation: Option<String>,
    /// Write to a new file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A log file in the archive.
#[derive(Clone, Debug, Serialize)]
struct ArchivedLog {
    instance: String,
    trail: String,
    log: String,
    generation: String,
    format: String,
    bytes: u64,
    day: String,
    #[serde(skip)]
    cursor_key: String,
    #[serde(skip)]
    last_commit: u64,
}

pub async fn run(context: &Context, arguments: &RawArguments) -> Result<Exit, Failure> {
    let archive = context.archive().await?;
    let logs = logs_of(&archive, &arguments.instance).await?;
    if logs.is_empty() {
        return Err(Failure::new(
            format!("nothing of an instance `{}` is archived", arguments.instance),
            "`auditkeep status` lists the instances",
        ));
    }
    let Some(name) = &arguments.log else {
        list(context, logs)?;
        return Ok(Exit::Fine);
    };
    let log = choose(logs, name, arguments.generation.as_deref())?;
    match &arguments.output {
        None => write(&archive, &log, write_out).await?,
        Some(path) => {
            let mut file = File::create_new(path).map_err(|error| {
                Failure::new(
                    format!("writing `{}` failed: {error}", path.display()),
                    "name a new file in a directory where you may write",
                )
            })?;
            write(&archive, &log, |bytes| Ok(file.write_all(bytes)?)).await?;
            file.sync_all()?;
        }
    }
    Ok(Exit::Fine)
}

async fn logs_of(archive: &Archive, instance: &str) -> Result<Vec<ArchivedLog>, Failure> {
    let mut logs = Vec::new();
    for id in archive.trails().await? {
        let Some(head) = trail::head(archive, &id).await? else { continue };
        let source = &head.body.source;
        if source.instance != instance && source.resource_id != instance {
            continue;
        }
        logs.extend(head.body.cursors.values().map(|cursor: &Cursor| ArchivedLog {
            instance: source.instance.clone(),
            trail: id.clone(),
            log: cursor.log.clone(),
            generation: cursor.generation.clone(),
            format: cursor.format.clone(),
            bytes: cursor.offset,
            day: cursor.day.clone(),
            cursor_key: cursor.key(),
            last_commit: head.body.number,
        }));
    }
    logs.sort_by(|a, b| (&a.log, &a.day, &a.generation).cmp(&(&b.log, &b.day, &b.generation)));
    Ok(logs)
}

fn list(context: &Context, logs: Vec<ArchivedLog>) -> Result<(), Failure> {
    if context.json {
        return logs.iter().try_for_each(json);
    }
    let mut table = Rows::new(&["LOG", "FIRST RECORD", "GENERATION", "FORMAT", "BYTES"]);
    table.align_right(4);
    for log in logs {
        table.add([log.log, log.day.replace('/', "-"), log.generation, log.format, bytes(log.bytes)]);
    }
    table.print()
}

fn choose(logs: Vec<ArchivedLog>, name: &str, generation: Option<&str>) -> Result<ArchivedLog, Failure> {
    let instance = logs.first().map(|log| log.instance.clone()).unwrap_or_default();
    let mut matching: Vec<ArchivedLog> = logs
        .into_iter()
        .filter(|log| log.log == name && generation.is_none_or(|generation| log.generation == generation))
        .collect();
    match (matching.pop(), matching.len()) {
        (Some(log), 0) => Ok(log),
        (Some(_), others) => Err(Failure::usage(
            format!("{} files of `{instance}` were called `{name}`", others + 1),
            "choose one with `--generation`; `auditkeep export raw --instance … ` lists them",
        )),
        (None, _) => Err(Failure::new(
            format!("no log `{name}` of `{instance}` is archived"),
            format!("`auditkeep export raw --instance {instance}` lists its logs"),
        )),
    }
}

async fn write(
    archive: &Archive,
    log: &ArchivedLog,
    mut sink: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut end = 0;
    for number in 1..=log.last_commit {
        let Some(head) = trail::read(archive, &log.trail, number).await? else { break };
        for leaf in &head.body.leaves {
            // A file that was forgotten and seen again begins anew; the bytes are the same.
            let Leaf::Segment(leaf) = leaf else { continue };
            if leaf.cursor_key() == log.cursor_key && leaf.from == end {
                sink(&segment::read(archive, leaf).await?)?;
                end = leaf.to;
            }
        }
    }
    if end == log.bytes {
        Ok(())
    } else {
        Err(Failure::new(
            format!("of {} bytes of `{}` only {end} were found", log.bytes, log.log),
            "run `auditkeep verify` to see what is missing",
        ))
    }
}
