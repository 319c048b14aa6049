//! The two Delta tables as the port that derivation writes to.
//!
//! Guarantees: a table version holds the rows of whole appends only, and with them an application transaction (Delta's
//! `txn` action) whose id is the trail and whose version is the number of the last commit appended. Version and rows are
//! one object, written with put-if-absent, so progress and rows cannot disagree, and of two writers on one trail one is
//! refused and finds the rows of the other.
//!
//! Problems are written before events. A process that dies in between leaves the problems ahead; the next append adds the
//! events, and of the problems only what is not there yet, even when it covers other commits than the first did.
//!
//! It keeps nothing in memory between two calls: a table that somebody deletes is begun again from nothing.

mod commit;
mod create;
mod overlap;
mod write;

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use auditkeep_pipeline::table::{Derived, EventTable, TableError};
use deltalake_core::kernel::transaction::TransactionError;
use deltalake_core::{DeltaTable, DeltaTableError};
use object_store::ObjectStore;
use url::Url;

use crate::layout::{EVENTS, Layout, PROBLEMS, Place};

/// How often an append is tried again because another process has written meanwhile. Writers on other trails are no
/// reason: Delta retries those by itself.
const ATTEMPTS: usize = 5;

/// Why rows could not be appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error(
        "{table} holds commits up to {} of trail `{trail}`, so what follows commit {} cannot be appended to it",
        shown(*held), shown(*after)
    )]
    CommitsMissing { table: String, trail: String, held: Option<u64>, after: Option<u64> },
    #[error("commits after {} up to {through} are no range", shown(*after))]
    NoRange { after: Option<u64>, through: u64 },
    #[error("commit number {0} is larger than Delta Lake can record")]
    NumberTooLarge(u64),
    #[error("rows offered to {table} do not have its columns: {difference}")]
    OtherColumns { table: String, difference: String },
    #[error(
        "the columns of {table} are not those of this version of auditkeep; delete the table and derive it again"
    )]
    OtherTable { table: String },
    #[error("{operation} {table}")]
    Delta {
        /// A gerund: `reading`.
        operation: &'static str,
        table: String,
        #[source]
        cause: Box<DeltaTableError>,
    },
}

fn shown(commit: Option<u64>) -> String {
    commit.map_or_else(|| "none".to_owned(), |number| number.to_string())
}

impl AppendError {
    /// Another writer came first, and a look at what it wrote decides what is left to do.
    fn is_contention(&self) -> bool {
        let Self::Delta { cause, .. } = self else { return false };
        matches!(
            **cause,
            DeltaTableError::VersionAlreadyExists(_)
                | DeltaTableError::Transaction {
                    source: TransactionError::CommitConflict(_)
                        | TransactionError::MaxCommitAttempts(_)
                        | TransactionError::VersionAlreadyExists(_),
                }
        )
    }
}

/// The tables `events/` and `problems/` of one archive.
#[derive(Clone, Debug)]
pub struct DeltaTables {
    place: Place,
}

impl DeltaTables {
    /// `store` is rooted at the archive, `url` is how messages name it. Does no IO; tables are created by the first append.
    pub fn new(store: Arc<dyn ObjectStore>, url: Url) -> Self {
        Self { place: Place::new(store, url) }
    }

    /// Last commit of `trail` that one table holds.
    async fn held(&self, layout: &Layout, trail: &str) -> Result<Option<u64>, AppendError> {
        match self.open(layout).await? {
            Some(table) => self.held_by(layout, &table, trail).await,
            None => Ok(None),
        }
    }

    async fn held_by(
        &self,
        layout: &Layout,
        table: &DeltaTable,
        trail: &str,
    ) -> Result<Option<u64>, AppendError> {
        let reading = |cause| self.failed("reading", layout, cause);
        let state = table.snapshot().map_err(reading)?;
        let version = state.transaction_version(table.log_store().as_ref(), trail).await.map_err(reading)?;
        Ok(version.and_then(|number| u64::try_from(number).ok()))
    }

    /// Appends to one table. When the outcome of a write is not known, the table is asked.
    async fn append_to(
        &self,
        layout: &Layout,
        range: &Range<'_>,
        rows: &[RecordBatch],
    ) -> Result<(), AppendError> {
        let mut attempt = 1;
        loop {
            let Err(error) = self.try_append(layout, range, rows).await else { return Ok(()) };
            if let Ok(held) = self.held(layout, range.trail).await
                && held >= Some(range.through)
            {
                tracing::debug!(table = layout.name, trail = range.trail, %error, "the rows are there regardless");
                return Ok(());
            }
            if attempt == ATTEMPTS || !error.is_contention() {
                return Err(error);
            }
            attempt += 1;
        }
    }

    async fn try_append(
        &self,
        layout: &Layout,
        range: &Range<'_>,
        rows: &[RecordBatch],
    ) -> Result<(), AppendError> {
        let table = self.open_or_create(layout).await?;
        let held = self.held_by(layout, &table, range.trail).await?;
        if held >= Some(range.through) {
            return Ok(());
        }
        if held < range.after {
            return Err(AppendError::CommitsMissing {
                table: self.place.describe(layout),
                trail: range.trail.to_owned(),
                held,
                after: range.after,
            });
        }
        let files = if held == range.after {
            self.write(layout, &table, rows).await?
        } else {
            let missing = self.without_held(layout, &table, range.trail, rows).await?;
            self.write(layout, &table, &missing).await?
        };
        self.commit(layout, &table, range, files).await
    }

    fn failed(&self, operation: &'static str, layout: &Layout, cause: DeltaTableError) -> AppendError {
        AppendError::Delta { operation, table: self.place.describe(layout), cause: Box::new(cause) }
    }
}

/// The commits that rows come from: those of `trail` after `after` up to `through`.
#[derive(Clone, Copy, Debug)]
struct Range<'a> {
    trail: &'a str,
    after: Option<u64>,
    through: u64,
}

impl<'a> Range<'a> {
    fn of(derived: &'a Derived) -> Result<Self, AppendError> {
        let Derived { trail, after, through, .. } = derived;
        if *after >= Some(*through) {
            return Err(AppendError::NoRange { after: *after, through: *through });
        }
        Ok(Self { trail, after: *after, through: *through })
    }
}

#[async_trait]
impl EventTable for DeltaTables {
    async fn derived_through(&self, trail: &str) -> Result<Option<u64>, TableError> {
        let problems = self.held(&PROBLEMS, trail).await.map_err(|error| boxed("reading", error))?;
        let events = self.held(&EVENTS, trail).await.map_err(|error| boxed("reading", error))?;
        Ok(problems.min(events))
    }

    async fn append(&self, derived: Derived) -> Result<(), TableError> {
        let appending = |error| boxed("appending to", error);
        let range = Range::of(&derived).map_err(appending)?;
        self.append_to(&PROBLEMS, &range, &derived.problems).await.map_err(appending)?;
        self.append_to(&EVENTS, &range, &derived.events).await.map_err(appending)
    }
}

fn boxed(operation: &'static str, error: AppendError) -> TableError {
    TableError { operation, cause: Box::new(error) }
}
