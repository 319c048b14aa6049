//! Makes files part of a table, in one Delta transaction with the progress that they stand for.

use deltalake_core::DeltaTable;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TableReference};
use deltalake_core::kernel::{Action, Add, Transaction};
use deltalake_core::protocol::{DeltaOperation, SaveMode};

use super::{AppendError, DeltaTables, Range};
use crate::layout::Layout;

/// How often Delta looks for the next free version number while writers on other trails take them.
const VERSION_ATTEMPTS: usize = 100;

impl DeltaTables {
    /// `table` is the version in which the progress of the trail was read. Delta compares every version written since with
    /// this transaction and refuses it when one of them has progressed the same trail
    /// (`CommitConflictError::ConcurrentTransaction`).
    pub(super) async fn commit(
        &self,
        layout: &Layout,
        table: &DeltaTable,
        range: &Range<'_>,
        files: Vec<Add>,
    ) -> Result<(), AppendError> {
        let committing = |cause| self.failed("committing to", layout, cause);
        let version = i64::try_from(range.through).map_err(|_| AppendError::NumberTooLarge(range.through))?;
        // Old versions are left alone: who appends needs no right to delete.
        let properties = CommitProperties::default()
            .with_application_transaction(Transaction::new(range.trail, version))
            .with_max_retries(VERSION_ATTEMPTS)
            .with_cleanup_expired_logs(Some(false));
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![layout.partition.to_owned()]),
            predicate: None,
        };
        let read: &dyn TableReference = table.snapshot().map_err(committing)?;
        let commit = CommitBuilder::from(properties)
            .with_actions(files.into_iter().map(Action::Add).collect())
            .build(Some(read), table.log_store(), operation)
            .await
            .map_err(committing)?;
        tracing::debug!(
            table = layout.name,
            trail = range.trail,
            through = range.through,
            version = commit.version(),
            "appended"
        );
        Ok(())
    }
}
