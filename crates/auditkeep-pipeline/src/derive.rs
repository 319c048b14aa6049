//! Deriving: the archive's commits into rows of the tables.
//!
//! A follower. The table itself says which commit of a trail it holds last, and the rows of the next ones depend on
//! nothing but what the archive holds, so deriving twice, from two processes or after a crash changes nothing, and a lost
//! table is derived again from the first commit whose segments are kept. Bytes are believed only after their hashes were
//! found right.

mod range;
mod record;

use std::collections::BTreeMap;

use auditkeep_archive::archive::{Archive, ArchiveError};
use auditkeep_archive::commit::{Body, Cursor};
use auditkeep_archive::trail::{self, TrailError};
use auditkeep_core::engine::UnknownEngine;
use auditkeep_core::event::columns::{Accounting, EventColumns};
use auditkeep_core::format;

use self::range::{Range, ranges};
use crate::table::{Derived, EventTable, TableError};

pub use record::record_at;

/// Raw bytes whose rows are gathered before they are written, about.
const BATCH_BYTES: u64 = 64 << 20;

/// Why deriving a trail stopped. The commits before are in the table.
#[derive(Debug, thiserror::Error)]
pub enum DeriveError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Trail(#[from] TrailError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(
        "commit {commit} of trail `{trail}` holds a log of format `{format}`, which this version cannot read"
    )]
    UnknownFormat { trail: String, commit: u64, format: String },
    #[error("commit {commit} of trail `{trail}` comes from an engine that this version cannot read")]
    UnknownEngine {
        trail: String,
        commit: u64,
        #[source]
        cause: UnknownEngine,
    },
    #[error("commit {commit} of trail `{trail}` names no bytes {from}..{to} of `{log}`")]
    NoBytes { trail: String, commit: u64, log: String, from: u64, to: u64 },
    #[error("the events table holds commit {commit} of trail `{trail}`, which the archive does not")]
    Ahead { trail: String, commit: u64 },
}

/// What deriving one trail came to.
#[derive(Debug)]
pub struct TrailPass {
    pub trail: String,
    /// Commits that the table holds now and did not before.
    pub commits: u64,
    pub accounting: Accounting,
    /// Archived bytes after the last whole record of each file, of which no events are derived yet.
    pub unfinished: u64,
    /// The segments of commits up to this one were given up before the table held them, so it will never have their rows.
    pub given_up_through: Option<u64>,
    pub error: Option<DeriveError>,
}

/// Derives what is new in every trail. A trail that cannot be read does not stop the others.
pub async fn derive(
    archive: &Archive,
    table: &dyn EventTable,
    progress: &(dyn Fn(&TrailPass) + Sync),
) -> Result<Vec<TrailPass>, ArchiveError> {
    let mut passes = Vec::new();
    for trail in archive.trails().await? {
        let mut pass = TrailPass {
            trail,
            commits: 0,
            accounting: Accounting::default(),
            unfinished: 0,
            given_up_through: None,
            error: None,
        };
        pass.error = derive_trail(archive, table, &mut pass, progress).await.err();
        passes.push(pass);
    }
    Ok(passes)
}

async fn derive_trail(
    archive: &Archive,
    table: &dyn EventTable,
    pass: &mut TrailPass,
    progress: &(dyn Fn(&TrailPass) + Sync),
) -> Result<(), DeriveError> {
    let trail = pass.trail.clone();
    let mut after = table.derived_through(&trail).await?;
    let begin = begin_after(archive, &trail, after).await?;
    if begin > after.unwrap_or(0) {
        pass.given_up_through = Some(begin);
    }
    let mut cursors = match begin {
        0 => BTreeMap::new(),
        commit => match trail::read(archive, &trail, commit).await? {
            Some(head) => head.body.cursors,
            None => return Err(DeriveError::Ahead { trail, commit }),
        },
    };
    let mut batch: Option<Batch> = None;
    let mut number = begin + 1;
    while let Some(head) = trail::read(archive, &trail, number).await? {
        let batch_now = batch.get_or_insert_with(Batch::default);
        batch_now.add(archive, &head.body, &cursors).await?;
        cursors = head.body.cursors;
        if batch_now.bytes >= BATCH_BYTES {
            write(table, pass, batch.take(), &mut after, number).await?;
            progress(pass);
        }
        number += 1;
    }
    write(table, pass, batch, &mut after, number - 1).await?;
    pass.unfinished = unfinished(&cursors);
    progress(pass);
    Ok(())
}

/// Bytes that are archived, and wait for the rest of their record. Of a file of which no events are derived, none wait.
pub fn unfinished(cursors: &BTreeMap<String, Cursor>) -> u64 {
    let derived = cursors.values().filter(|cursor| !cursor.evidence_only);
    derived.map(|cursor| cursor.offset.saturating_sub(cursor.complete_to)).sum()
}

/// The commit after which to go on: what the table holds, or beyond it what was given up.
///
/// Records that began there and go on later are whole all the same: what holds their beginning was kept.
async fn begin_after(archive: &Archive, trail: &str, derived: Option<u64>) -> Result<u64, TrailError> {
    let given_up = match trail::head(archive, trail).await {
        Ok(Some(head)) => head.body.standing().expired_through,
        Err(error) if error.is_of_the_store() => return Err(error),
        // A last commit that cannot be believed does not keep the ones before it from being derived; its turn comes.
        Ok(None) | Err(_) => 0,
    };
    Ok(derived.unwrap_or(0).max(given_up))
}

async fn write(
    table: &dyn EventTable,
    pass: &mut TrailPass,
    batch: Option<Batch>,
    after: &mut Option<u64>,
    through: u64,
) -> Result<(), DeriveError> {
    let Some(batch) = batch else { return Ok(()) };
    let (mut events, mut problems) = (Vec::new(), Vec::new());
    let mut accounting = Accounting::default();
    if let Some(mut columns) = batch.columns {
        accounting.add(columns.accounting());
        let parsed = columns.finish();
        events.push(parsed.events);
        problems.push(parsed.problems);
    }
    table.append(Derived { trail: pass.trail.clone(), after: *after, through, events, problems }).await?;
    // A crash from here on loses nothing: the table says itself that it holds these commits.
    pass.commits += through - (*after).max(pass.given_up_through).unwrap_or(0);
    pass.accounting.add(&accounting);
    *after = Some(through);
    Ok(())
}

/// Rows of some commits, not written yet.
#[derive(Default)]
struct Batch {
    columns: Option<EventColumns>,
    bytes: u64,
}

impl Batch {
    async fn add(
        &mut self,
        archive: &Archive,
        body: &Body,
        before: &BTreeMap<String, Cursor>,
    ) -> Result<(), DeriveError> {
        for range in ranges(body, before) {
            self.add_range(archive, &range).await?;
        }
        Ok(())
    }

    async fn add_range(&mut self, archive: &Archive, range: &Range<'_>) -> Result<(), DeriveError> {
        let segments = range.segments()?;
        let raw = range.read(archive, &segments).await?;
        let context = range.context(&segments)?;
        let format = range.format()?;
        let columns = match &mut self.columns {
            Some(columns) => {
                columns.set_context(context);
                columns
            }
            None => self.columns.insert(EventColumns::new(context)),
        };
        columns.set_segments(segments.iter().map(|leaf| (leaf.from, leaf.to, leaf.object.clone())).collect());
        format::parse(format, &raw, range.from, columns);
        self.bytes += raw.len() as u64;
        Ok(())
    }
}
