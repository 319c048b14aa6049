//! Collecting: what an instance's log files hold and the archive does not, into the archive.
//!
//! One pass over one instance. It may be run again at any time, by any number of processes, and may die anywhere: what
//! the trail's last commit says is where the next pass goes on. A file that cannot be read does not stop the others; it
//! is part of the answer. Nothing here waits, schedules or retries.

mod control;
mod file;
mod selection;
mod sightings;
mod stopped;
mod writer;

use std::collections::BTreeMap;
use std::time::Duration;

use auditkeep_archive::archive::{Archive, ArchiveError};
use auditkeep_archive::commit::Source;
use auditkeep_archive::signer::Signer;
use auditkeep_archive::trail::{self, Stamp, TrailError};
use auditkeep_archive::{journal, layout};
use auditkeep_core::format::NotAnAuditLog;
use jiff::Timestamp;

use crate::source::{Instance, LogFile, LogFiles, SourceError, SourceKind};
use writer::{Totals, TrailWriter};

pub use selection::family;
pub use stopped::{Inventory, Stopped};

/// What a pass needs beside the source.
pub struct Collector<'a> {
    pub archive: &'a Archive,
    pub key: &'a dyn Signer,
    /// Name and version of this program, for the commits.
    pub writer: &'a str,
    pub now: fn() -> Timestamp,
    pub kind: SourceKind,
    /// A file that was not written to for this long is taken to have ended, for the time being.
    pub settled_after: Duration,
    /// After how long without anything new it is recorded that the source is silent; none for never.
    pub silent_after: Option<Duration>,
    /// Told of each step; for people who watch.
    pub progress: &'a (dyn Fn(Progress<'_>) + Sync),
}

/// A step of a pass.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// So many files are going to be read, with so many bytes by the listing.
    Files {
        count: usize,
        bytes: u64,
    },
    File {
        log: &'a str,
    },
    /// That many more bytes of the file came in.
    Bytes(u64),
}

/// What came of a pass.
#[derive(Debug)]
pub struct Pass {
    pub instance: Instance,
    pub trail: String,
    /// One per audit log that was listed, in the order in which they were looked at.
    pub files: Vec<FilePass>,
    /// Raw bytes archived by this pass.
    pub new_bytes: u64,
    pub commits: u64,
    /// Names of gaps that this pass found: bytes that may be lost.
    pub gaps_opened: Vec<String>,
    /// Names of log files that begin like others and go on differently.
    pub logs_replaced: Vec<String>,
}

#[derive(Debug)]
pub struct FilePass {
    pub log: String,
    pub outcome: FileOutcome,
}

#[derive(Debug)]
pub enum FileOutcome {
    /// So many bytes more are in the archive; zero if only the listing had changed.
    Archived {
        bytes: u64,
    },
    /// There is nothing in it yet.
    Empty,
    /// The listing says that nothing is new.
    Unchanged,
    /// Its first record is still being written; the next pass will see it whole.
    NoRecordYet,
    /// Another collector archived the same bytes at the same time.
    Overtaken,
    Failed(FileError),
}

/// Why a file was not read. Nothing that is archived is touched by it.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    NotAnAuditLog(#[from] NotAnAuditLog),
    #[error(
        "`{log}` does not begin with the {archived} bytes that are archived of it: it was changed at the source"
    )]
    Changed { log: String, archived: u64 },
    #[error("`{log}` has become shorter than the {archived} bytes that are archived of it")]
    Shrunk { log: String, archived: u64 },
    /// A segment's name is taken by other bytes.
    #[error(transparent)]
    Incident(ArchiveError),
}

/// Why a pass ended early. What was committed before stays.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Trail(#[from] TrailError),
    #[error("compressing `{log}` failed")]
    Compress {
        log: String,
        #[source]
        cause: std::io::Error,
    },
}

impl Pass {
    pub fn failures(&self) -> impl Iterator<Item = (&str, &FileError)> {
        self.files.iter().filter_map(|file| match &file.outcome {
            FileOutcome::Failed(error) => Some((file.log.as_str(), error)),
            _ => None,
        })
    }
}

impl Collector<'_> {
    /// One pass over the audit logs that the instance lists now.
    pub async fn collect(&self, instance: &Instance, files: &dyn LogFiles) -> Result<Pass, CollectError> {
        let trail = trail_id(instance, self.kind);
        // Before the files are looked at: a gap that is open by now is closed by a file that is seen from now on.
        let head = trail::head(self.archive, &trail).await?;
        let listed = files.list().await?;
        let selected = selection::select(self.kind, instance.engine, listed.clone());
        let mut writer = TrailWriter::new(self, self.source(instance), trail.clone(), head, &selected);
        let (unchanged, changed) = selection::split_unchanged(self.kind, selected, writer.cursors());
        writer.recognise(&unchanged);
        let bytes = changed.iter().map(|file| file.log.size).sum();
        (self.progress)(Progress::Files { count: changed.len(), bytes });
        if !changed.is_empty() && self.archive.journal().head.is_none() {
            // A crash from here on leaves nothing that a journal does not know of.
            journal::begin(self.archive, self.key, &self.stamp()).await?;
        }

        let done = |log: &LogFile, outcome| FilePass { log: log.name.clone(), outcome };
        let mut passes: Vec<FilePass> =
            unchanged.iter().map(|log| done(log, FileOutcome::Unchanged)).collect();
        for selected in changed {
            (self.progress)(Progress::File { log: &selected.log.name });
            let outcome = file::read(self, instance, &selected, files, &mut writer).await?;
            passes.push(done(&selected.log, outcome));
        }
        let vanished = self.vanished(&listed, files, &writer).await;
        writer.finish(vanished).await?;
        writer.correct(&mut passes);
        let Totals { new_bytes, commits, gaps_opened, logs_replaced } = writer.totals();
        let instance = instance.clone();
        Ok(Pass { instance, trail, files: passes, new_bytes, commits, gaps_opened, logs_replaced })
    }

    /// The cursors whose files have vanished unread, as far as that can be told.
    ///
    /// Rotation in the middle of the pass makes a file look as if it had vanished: it was read neither under its old name, which
    /// another one had by then, nor under the new one. So the files must be listed where they were before.
    async fn vanished(
        &self,
        listed: &[LogFile],
        files: &dyn LogFiles,
        writer: &TrailWriter<'_>,
    ) -> BTreeMap<String, u64> {
        // RDS gives an empty listing now and then for no reason.
        if self.kind != SourceKind::LogFiles || listed.is_empty() {
            return BTreeMap::new();
        }
        let mut vanished = writer.vanished();
        if !vanished.is_empty() {
            // One that fails tells nothing; the next pass asks again.
            let again = files.list().await.unwrap_or_default();
            vanished.retain(|key, _| {
                let family = writer.cursors().get(key).map(|cursor| cursor.family.as_str());
                !again.is_empty()
                    && family.is_some_and(|family| sightings::is_unmoved(family, listed, &again))
            });
        }
        vanished
    }

    fn stamp(&self) -> Stamp {
        Stamp { time: (self.now)(), writer: self.writer.to_owned() }
    }

    fn source(&self, instance: &Instance) -> Source {
        Source {
            kind: self.kind.name().to_owned(),
            account: instance.account.clone(),
            region: instance.region.clone(),
            resource_id: instance.resource_id.clone(),
            instance: instance.name.clone(),
            engine: instance.engine.name().to_owned(),
            cluster: instance.cluster.clone(),
        }
    }
}

pub fn trail_id(instance: &Instance, kind: SourceKind) -> String {
    layout::trail_id(&instance.account, &instance.region, &instance.resource_id, kind.name())
}
