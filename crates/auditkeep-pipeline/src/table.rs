//! The port through which derived events are stored.
//!
//! The table is a follower of the archive: it may be lost and derived again. What it must get right is that each commit
//! is applied exactly once, however often and from however many processes it is offered.

use std::error::Error;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;

/// What the commits `after..=through` of one trail became.
#[derive(Clone, Debug)]
pub struct Derived {
    pub trail: String,
    /// The last commit that the table must already hold, none for the first.
    pub after: Option<u64>,
    pub through: u64,
    /// Of [`auditkeep_core::event::columns::events_schema`].
    pub events: Vec<RecordBatch>,
    /// Of [`auditkeep_core::event::columns::problems_schema`].
    pub problems: Vec<RecordBatch>,
}

#[derive(Debug, thiserror::Error)]
#[error("{operation} the events table failed")]
pub struct TableError {
    /// A gerund: `appending to`.
    pub operation: &'static str,
    #[source]
    pub cause: Box<dyn Error + Send + Sync>,
}

#[async_trait]
pub trait EventTable: Send + Sync {
    /// Number of the last commit of `trail` that the table holds, problems and events both; none if it holds none.
    async fn derived_through(&self, trail: &str) -> Result<Option<u64>, TableError>;

    /// Adds the rows, unless the table holds `through` already (then nothing changes). Durable on return.
    async fn append(&self, derived: Derived) -> Result<(), TableError>;
}
