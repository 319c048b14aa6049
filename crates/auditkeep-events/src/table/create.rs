//! Opens a table, and creates it when it is not there.

use deltalake_core::kernel::StructType;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::CommitProperties;
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::{DeltaResult, DeltaTable, DeltaTableError, TableProperty};

use super::{AppendError, DeltaTables};
use crate::layout::Layout;

/// Versions between two checkpoints of the table's log: how many small objects a reader of the newest version may have to
/// read. (A Delta checkpoint is a summary of the log; it has nothing to do with the archive's checkpoints.)
const VERSIONS_PER_CHECKPOINT: &str = "50";

impl DeltaTables {
    /// The newest version of the table, none if there is no table.
    pub(super) async fn open(&self, layout: &Layout) -> Result<Option<DeltaTable>, AppendError> {
        let reading = |cause| self.failed("reading", layout, cause);
        let mut table = DeltaTable::new(self.place.log_store(layout));
        if !table.verify_deltatable_existence().await.map_err(reading)? {
            return Ok(None);
        }
        table.load().await.map_err(reading)?;
        Ok(Some(table))
    }

    pub(super) async fn open_or_create(&self, layout: &Layout) -> Result<DeltaTable, AppendError> {
        let table = match self.open(layout).await? {
            Some(table) => table,
            None => self.create(layout).await?,
        };
        let schema = kernel_schema(layout).map_err(|cause| self.failed("describing", layout, cause))?;
        let state = table.snapshot().map_err(|cause| self.failed("reading", layout, cause))?;
        if *state.schema() != schema {
            return Err(AppendError::OtherTable { table: self.place.describe(layout) });
        }
        Ok(table)
    }

    async fn create(&self, layout: &Layout) -> Result<DeltaTable, AppendError> {
        let Err(error) = create(self, layout).await else {
            return self.open(layout).await?.ok_or_else(|| {
                self.failed("creating", layout, DeltaTableError::generic("it vanished while it was created"))
            });
        };
        // Another process may have created it first, or this one has without being told.
        match self.open(layout).await {
            Ok(Some(table)) => Ok(table),
            Ok(None) | Err(_) => Err(self.failed("creating", layout, error)),
        }
    }
}

async fn create(tables: &DeltaTables, layout: &Layout) -> DeltaResult<()> {
    // With retries Delta would add its creation to a table that another process has created meanwhile, as a second version
    // with a new identity.
    let once = CommitProperties::default().with_max_retries(0);
    CreateBuilder::new()
        .with_log_store(tables.place.log_store(layout))
        .with_table_name(layout.name)
        .with_columns(kernel_schema(layout)?.fields().cloned())
        .with_partition_columns([layout.partition])
        .with_configuration_property(TableProperty::CheckpointInterval, Some(VERSIONS_PER_CHECKPOINT))
        .with_configuration_property(
            TableProperty::DataSkippingStatsColumns,
            Some(layout.statistics.join(",")),
        )
        .with_commit_properties(once)
        .await?;
    Ok(())
}

fn kernel_schema(layout: &Layout) -> DeltaResult<StructType> {
    (layout.schema)().as_ref().try_into_kernel().map_err(DeltaTableError::generic)
}
