//! Turns rows into Parquet files that are not part of the table yet.
//!
//! Rows of a file are in the order of time, so that a query for an hour reads few row groups. Memory: one chunk of rows is
//! copied and encoded at a time, whatever the number of rows.

use std::num::NonZeroU64;
use std::sync::Arc;

use arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use deltalake_core::kernel::Add;
use deltalake_core::operations::write::WriterStatsConfig;
use deltalake_core::operations::write::writer::{DeltaWriter, WriterConfig};
use deltalake_core::parquet::basic::{Compression, ZstdLevel};
use deltalake_core::parquet::errors::ParquetError;
use deltalake_core::parquet::file::properties::WriterProperties;
use deltalake_core::{DeltaResult, DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;

use super::{AppendError, DeltaTables};
use crate::layout::Layout;

/// Rows are sorted and written in chunks of about this size in memory; a larger batch is a chunk of its own.
const CHUNK_BYTES: usize = 256 << 20;

/// A Parquet file is closed at about this size: large enough to read in big pieces, small enough to spread over workers.
const FILE_BYTES: Option<NonZeroU64> = NonZeroU64::new(128 << 20);

/// Files of a chunk that are uploaded at the same time; a chunk has one file a day, or more.
const UPLOADS: usize = 8;

/// What a query by time skips or reads at once.
const ROWS_PER_GROUP: usize = 128 << 10;

impl DeltaTables {
    /// Writes files for `rows`; none when there are no rows.
    pub(super) async fn write(
        &self,
        layout: &Layout,
        table: &DeltaTable,
        rows: &[RecordBatch],
    ) -> Result<Vec<Add>, AppendError> {
        let schema = (layout.schema)();
        for batch in rows {
            self.check_columns(layout, &schema, batch)?;
        }
        let mut files = Vec::new();
        for chunk in chunks(rows) {
            let written = write_chunk(layout, table, &schema, chunk).await;
            files.extend(written.map_err(|cause| self.failed("writing", layout, cause))?);
        }
        Ok(files)
    }

    fn check_columns(
        &self,
        layout: &Layout,
        schema: &SchemaRef,
        batch: &RecordBatch,
    ) -> Result<(), AppendError> {
        let offered = batch.schema();
        if offered.fields() == schema.fields() {
            return Ok(());
        }
        let describe =
            |field: &arrow::datatypes::FieldRef| format!("`{}` {}", field.name(), field.data_type());
        let difference = schema.fields().iter().zip(offered.fields()).find(|(want, got)| want != got);
        let difference = match difference {
            Some((want, got)) => format!("{} instead of {}", describe(got), describe(want)),
            None => format!("{} columns instead of {}", offered.fields().len(), schema.fields().len()),
        };
        Err(AppendError::OtherColumns { table: self.place.describe(layout), difference })
    }
}

/// Runs of batches that together stay below [`CHUNK_BYTES`], or single batches above it.
fn chunks(rows: &[RecordBatch]) -> impl Iterator<Item = &[RecordBatch]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |batch: &&RecordBatch| {
            bytes += batch.get_array_memory_size();
            bytes <= CHUNK_BYTES
        };
        let count = rest.iter().take_while(fits).count().max(1).min(rest.len());
        let (chunk, left) = rest.split_at(count);
        rest = left;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Encodes in memory and then puts whole files.
///
/// `DeltaWriter` of deltalake-core 1.1.3 is not given the real store: when an upload fails, it shuts its `BufWriter` down
/// twice, which panics, and the reason why the upload failed is lost.
async fn write_chunk(
    layout: &Layout,
    table: &DeltaTable,
    schema: &SchemaRef,
    chunk: &[RecordBatch],
) -> DeltaResult<Vec<Add>> {
    let memory = Arc::new(InMemory::new());
    let mut writer = DeltaWriter::new(Arc::<InMemory>::clone(&memory), config(layout, table, schema)?);
    writer.write(&sorted(layout, schema, chunk)?).await?;
    let files = writer.close().await?;
    let store = table.object_store();
    let uploads = futures::stream::iter(files.iter().map(Ok::<_, DeltaTableError>));
    let upload = async |file: &Add| {
        let path = Path::parse(&file.path)?;
        let bytes = memory.get(&path).await?.bytes().await?;
        store.put(&path, bytes.into()).await?;
        Ok(())
    };
    uploads.try_for_each_concurrent(UPLOADS, upload).await?;
    Ok(files)
}

/// Delta splits a batch by partition and keeps the order of rows within each.
fn sorted(layout: &Layout, schema: &SchemaRef, chunk: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    let rows = concat_batches(schema, chunk)?;
    let keys = [layout.time, "commit_number", "byte_offset"];
    let keys = keys.iter().filter_map(|key| rows.column_by_name(key));
    let keys: Vec<SortColumn> =
        keys.map(|values| SortColumn { values: values.clone(), options: None }).collect();
    let order = lexsort_to_indices(&keys, None)?;
    take_record_batch(&rows, &order)
}

fn config(layout: &Layout, table: &DeltaTable, schema: &SchemaRef) -> DeltaResult<WriterConfig> {
    let statistics = WriterStatsConfig::from_config(table.snapshot()?.snapshot().table_configuration());
    Ok(WriterConfig::new(
        schema.clone(),
        vec![layout.partition.to_owned()],
        Some(parquet_properties()?),
        FILE_BYTES,
        None,
        statistics.num_indexed_cols,
        statistics.stats_columns,
    ))
}

/// Level 1 of zstd: within a few per cent of the size of level 3 on columns that a dictionary has made small already, at a
/// fraction of the time.
fn parquet_properties() -> Result<WriterProperties, ParquetError> {
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_dictionary_enabled(true)
        .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
        .build())
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, StringArray};

    use super::*;

    fn batch(bytes: usize) -> RecordBatch {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(bytes)]));
        RecordBatch::try_from_iter([("text", text)]).unwrap()
    }

    #[test]
    fn chunks_hold_every_batch_and_stay_small() {
        assert_eq!(chunks(&[]).count(), 0);
        let small = [1, 2, 3].map(batch);
        assert_eq!(chunks(&small).map(<[_]>::len).collect::<Vec<_>>(), [3]);
        let half = batch(CHUNK_BYTES / 2);
        let huge = batch(CHUNK_BYTES + 1);
        let mixed = [half.clone(), huge.clone(), half.clone(), batch(1), half, huge];
        assert_eq!(chunks(&mixed).map(<[_]>::len).collect::<Vec<_>>(), [1, 1, 2, 1, 1]);
    }
}
