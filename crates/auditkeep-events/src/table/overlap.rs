//! Takes out of an append what a table holds already.
//!
//! Needed when one table is ahead of the other and the next append covers other commits than the first did: after a crash
//! between the two, or when one of the tables was deleted. A row is known by the place of its first byte in the archive
//! (`segment`, `byte_offset`), which is the same however the commits are grouped.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::{cast, filter_record_batch, min};
use arrow::datatypes::{DataType, Int64Type};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use deltalake_core::datafusion::error::DataFusionError;
use deltalake_core::datafusion::prelude::{col, lit};
use deltalake_core::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;

use super::{AppendError, DeltaTables};
use crate::layout::Layout;
use crate::query::{QueryOptions, session};

type Key = (Option<String>, Option<i64>);

impl DeltaTables {
    pub(super) async fn without_held(
        &self,
        layout: &Layout,
        table: &DeltaTable,
        trail: &str,
        rows: &[RecordBatch],
    ) -> Result<Vec<RecordBatch>, AppendError> {
        let first = rows.iter().filter_map(|batch| min(commits(batch)?)).min();
        // No row, or rows without a commit number, which no derivation makes.
        let Some(first) = first else { return Ok(rows.to_vec()) };
        let comparing = |cause: DataFusionError| {
            self.failed("comparing with", layout, DeltaTableError::GenericError { source: Box::new(cause) })
        };
        let held = self.keys(layout, table, trail, first).await.map_err(comparing)?;
        let missing = rows.iter().map(|batch| without(batch, &held)).collect::<Result<_, ArrowError>>();
        missing.map_err(|error| comparing(error.into()))
    }

    /// Keys of the rows of `trail` from commits `first` on.
    async fn keys(
        &self,
        layout: &Layout,
        table: &DeltaTable,
        trail: &str,
        first: i64,
    ) -> Result<HashSet<Key>, DataFusionError> {
        let session = session(&self.place, &QueryOptions::default())?;
        let rows = session.read_table(table.table_provider().await?)?;
        let ours = col("trail").eq(lit(trail)).and(col("commit_number").gt_eq(lit(first)));
        let rows = rows.filter(ours)?.select_columns(&["segment", "byte_offset"])?;
        let mut batches = rows.execute_stream().await?;
        let mut keys = HashSet::new();
        while let Some(batch) = batches.try_next().await? {
            keys.extend(keys_of(&batch)?);
        }
        tracing::debug!(table = layout.name, trail, rows = keys.len(), "the table is ahead of the other one");
        Ok(keys)
    }
}

fn commits(batch: &RecordBatch) -> Option<&arrow::array::Int64Array> {
    batch.column_by_name("commit_number")?.as_primitive_opt::<Int64Type>()
}

fn keys_of(batch: &RecordBatch) -> Result<Vec<Key>, ArrowError> {
    let column = |name: &str, kind: &DataType| -> Result<ArrayRef, ArrowError> {
        let missing = || ArrowError::SchemaError(format!("no column `{name}`"));
        cast(batch.column_by_name(name).ok_or_else(missing)?, kind)
    };
    let segments = column("segment", &DataType::Utf8)?;
    let offsets = column("byte_offset", &DataType::Int64)?;
    let offsets: Arc<dyn Array> = offsets;
    let segments = segments.as_string::<i32>().iter().map(|value| value.map(str::to_owned));
    Ok(segments.zip(offsets.as_primitive::<Int64Type>().iter()).collect())
}

fn without(batch: &RecordBatch, held: &HashSet<Key>) -> Result<RecordBatch, ArrowError> {
    let keep: BooleanArray = keys_of(batch)?.iter().map(|key| Some(!held.contains(key))).collect();
    filter_record_batch(batch, &keep)
}
