//! `auditkeep export raw`: the original bytes of a log file.
//!
//! Each segment's hashes are checked before its bytes are passed on, so what comes out is what was collected, or an error. Before
//! the first byte comes out, the trail has a record of who took it.

mod log;

use std::path::PathBuf;

use auditkeep_archive::archive::{Archive, ArchiveError};
use auditkeep_archive::control::Event;
use auditkeep_archive::leaf::{Leaf, SegmentLeaf};
use auditkeep_archive::segment;
use auditkeep_archive::trail::{self, TrailError};
use clap::Args;

use self::log::{ArchivedLog, Piece, choose, list, logs_of};
use crate::cli::said::said;
use crate::cli::{Context, stamp};
use crate::failure::{Exit, Failure};
use crate::new_file::NewFile;
use crate::output::{talk, write_out};

const READ_ONLY: &str = "reading original bytes is recorded in the archive, which takes the signing key and the right to write; whoever has neither reads with `--unrecorded`";

#[derive(Debug, Args)]
#[command(after_help = "Without --log, the logs of the instance are listed, and nothing is recorded.")]
pub struct RawArguments {
    /// Name or resource id of the instance
    #[arg(long)]
    instance: String,
    /// The log file, by the name under which it was last seen
    #[arg(long)]
    log: Option<String>,
    /// Which of several files that had this name; see the list
    #[arg(long, requires = "log")]
    generation: Option<String>,
    /// Begin at this byte of the log
    #[arg(long, value_name = "OFFSET", default_value_t = 0, requires = "log")]
    from: u64,
    /// Write to a new file instead of standard output
    #[arg(long, short, value_name = "FILE", requires = "log")]
    output: Option<PathBuf>,
    /// Who reads, for the record [default: the user of the operating system]
    #[arg(long, value_name = "WHO", value_parser = said)]
    by: Option<String>,
    /// Do not record that it was read
    #[arg(long, conflicts_with = "by")]
    unrecorded: bool,
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
    let pieces = log.pieces(&archive, arguments.from).await?;
    match &arguments.output {
        None => {
            record(context, &archive, &log, arguments).await?;
            write(&archive, &pieces, arguments.from, write_out).await?;
        }
        Some(path) => {
            context.check_outside(path)?;
            let mut file = NewFile::begin(path, 0o666)?;
            record(context, &archive, &log, arguments).await?;
            write(&archive, &pieces, arguments.from, |bytes| file.write(bytes)).await?;
            file.finish()?;
        }
    }
    Ok(Exit::Fine)
}

/// Says in the log's trail who is given what.
async fn record(
    context: &Context,
    archive: &Archive,
    log: &ArchivedLog,
    arguments: &RawArguments,
) -> Result<(), Failure> {
    if arguments.unrecorded {
        talk("this read is not recorded in the archive");
        return Ok(());
    }
    let key = context.signing_key().await.map_err(|failure| failure.with_hint(READ_ONLY))?;
    let who = match &arguments.by {
        Some(who) => who.clone(),
        None => whoami::username().map_err(|error| {
            Failure::new(format!("who is reading cannot be told: {error}"), "say it with `--by`")
        })?,
    };
    let (from, to) = (arguments.from, log.bytes);
    let what = format!("{}#{} {from}-{to}", log.log, log.generation);
    let stamp = stamp();
    let read = Event::RawRead.at(stamp.time).with("who", who).with("what", what).with("bytes", to - from);
    let recorded =
        trail::record(archive, &*key, &log.trail, &stamp, &|_| vec![Leaf::Control(read.clone())]).await;
    match recorded {
        // A crash here leaves a record of bytes that nobody got.
        Ok(_) => Ok(()),
        Err(error @ TrailError::Archive(ArchiveError::Store { .. })) => {
            Err(Failure::from(error).with_hint(READ_ONLY))
        }
        Err(error) => Err(error.into()),
    }
}

async fn write(
    archive: &Archive,
    pieces: &[Piece],
    from: u64,
    mut sink: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for Piece { leaf, .. } in pieces {
        let raw = segment::read(archive, leaf).await.map_err(|error| unreadable(error, leaf))?;
        let skip = usize::try_from(from.saturating_sub(leaf.from)).unwrap_or(usize::MAX);
        sink(raw.get(skip..).unwrap_or_default())?;
    }
    Ok(())
}

fn unreadable(error: ArchiveError, leaf: &SegmentLeaf) -> Failure {
    if matches!(error, ArchiveError::Store { cause: object_store::Error::NotFound { .. }, .. }) {
        return Failure::new(
            format!(
                "the segment `{}`, which holds bytes {} to {}, is not there",
                leaf.object, leaf.from, leaf.to
            ),
            "run `auditkeep verify` to see what else is missing, and keep the archive as it is for an investigation",
        );
    }
    error.into()
}
