//! SQL over the two tables, safe to hand to anybody who may read them.
//!
//! A statement can read `events`, `problems` and `information_schema`, and nothing else: not a file of this machine, not
//! another object of the archive, not the network. It cannot write. Memory is bounded; sorting and grouping spill to a
//! directory for temporary files, which is bounded too. Times are UTC.
//!
//! An engine shows the tables as they were when it was opened; open another to see what came since. Text columns come as
//! `Utf8View`.
//!
//! **What is skipped.** A condition on `event_date` skips the days that cannot match. A condition on another column that has
//! statistics (`event_time`, `user_name`, …) skips files, by the smallest and largest values that the table's log states
//! for each; within a file, row groups and pages likewise. So `WHERE event_time >= '2026-03-01'` alone reads no file of
//! February, but all of the log is looked through; a condition on `event_date` beside it makes that cheaper.
//! [`EventFilter`](crate::EventFilter) adds it by itself.

mod allow;
mod error;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use deltalake_core::datafusion::catalog::TableProvider;
use deltalake_core::datafusion::datasource::empty::EmptyTable;
use deltalake_core::datafusion::error::DataFusionError;
use deltalake_core::datafusion::execution::SendableRecordBatchStream;
use deltalake_core::datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use deltalake_core::datafusion::execution::memory_pool::FairSpillPool;
use deltalake_core::datafusion::execution::runtime_env::RuntimeEnvBuilder;
use deltalake_core::datafusion::prelude::{DataFrame, SQLOptions, SessionConfig, SessionContext};
use deltalake_core::delta_datafusion::{DeltaScanConfig, DeltaScanNext};
use deltalake_core::kernel::Snapshot;
use object_store::ObjectStore;
use url::Url;

use crate::filter::EventFilter;
use crate::layout::{EVENTS, Layout, PROBLEMS, Place};

pub use error::QueryError;

/// What a query may use.
#[derive(Clone, Debug)]
pub struct QueryOptions {
    /// Memory of all queries of an engine together, in bytes. The bytes of a file being read come on top of it.
    pub memory_bytes: usize,
    /// Where temporary files go; the system's directory for them if none.
    pub spill_directory: Option<PathBuf>,
    /// Temporary files of all queries of an engine together, in bytes.
    pub spill_bytes: u64,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self { memory_bytes: 1 << 30, spill_directory: None, spill_bytes: 20 << 30 }
    }
}

/// The tables of one archive, at the version they had when the engine was opened.
pub struct QueryEngine {
    session: SessionContext,
    options: QueryOptions,
}

impl std::fmt::Debug for QueryEngine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("QueryEngine").field("options", &self.options).finish_non_exhaustive()
    }
}

impl QueryEngine {
    /// `store` is rooted at the archive, `url` is how messages name it. A table that does not exist yet is empty.
    pub async fn open(store: Arc<dyn ObjectStore>, url: Url) -> Result<Self, QueryError> {
        Self::open_with(store, url, QueryOptions::default()).await
    }

    pub async fn open_with(
        store: Arc<dyn ObjectStore>,
        url: Url,
        options: QueryOptions,
    ) -> Result<Self, QueryError> {
        let place = Place::new(store, url);
        let session = session(&place, &options).map_err(|error| QueryError::new(error, &options))?;
        for layout in [&EVENTS, &PROBLEMS] {
            let opening = |cause| QueryError::Open { table: place.describe(layout), cause: Box::new(cause) };
            let table = newest(&place, layout, &session).await.map_err(opening)?;
            session.register_table(layout.name, table).map_err(opening)?;
        }
        Ok(Self { session, options })
    }

    /// Runs one `SELECT`, `EXPLAIN`, `SHOW` or `DESCRIBE`. What goes wrong later comes out of the stream as a
    /// `DataFusionError`; [`QueryEngine::present`] turns it into what a user can act upon.
    pub async fn sql(&self, text: &str) -> Result<(SchemaRef, SendableRecordBatchStream), QueryError> {
        let frame = self.plan(text).await?;
        self.run(frame).await
    }

    /// The events that match, oldest first; see [`EventFilter`].
    pub async fn events(
        &self,
        filter: &EventFilter,
    ) -> Result<(SchemaRef, SendableRecordBatchStream), QueryError> {
        self.run(self.events_frame(filter).await?).await
    }

    /// The same as a plan that can be refined further.
    pub async fn events_frame(&self, filter: &EventFilter) -> Result<DataFrame, QueryError> {
        let events = self.session.table(EVENTS.name).await.map_err(|error| self.present(error))?;
        filter.apply(events).map_err(|error| self.present(error))
    }

    /// What an error that came out of a stream means for who asked.
    pub fn present(&self, error: DataFusionError) -> QueryError {
        QueryError::new(error, &self.options)
    }

    async fn plan(&self, text: &str) -> Result<DataFrame, QueryError> {
        let state = self.session.state();
        let dialect = state.config_options().sql_parser.dialect;
        let statement = state.sql_to_statement(text, &dialect).map_err(|error| self.present(error))?;
        allow::check(&statement)?;
        for table in state.resolve_table_references(&statement).map_err(|error| self.present(error))? {
            let is_function = state.table_functions().contains_key(table.table());
            if !is_function
                && !self.session.table_exist(table.clone()).map_err(|error| self.present(error))?
            {
                return Err(QueryError::unknown_table(table.table(), [EVENTS.name, PROBLEMS.name]));
            }
        }
        let plan = state.statement_to_plan(statement).await.map_err(|error| self.present(error))?;
        // The statement's first word was looked at above; this finds what hides further inside, as in `EXPLAIN INSERT`.
        let read_only =
            SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        read_only
            .verify_plan(&plan)
            .map_err(|_| QueryError::not_allowed("a statement that changes something"))?;
        Ok(DataFrame::new(state, plan))
    }

    async fn run(&self, frame: DataFrame) -> Result<(SchemaRef, SendableRecordBatchStream), QueryError> {
        let stream = frame.execute_stream().await.map_err(|error| self.present(error))?;
        Ok((stream.schema(), stream))
    }
}

/// A session without tables whose only object store is the archive's.
pub(crate) fn session(place: &Place, options: &QueryOptions) -> Result<SessionContext, DataFusionError> {
    let config = SessionConfig::new()
        .with_information_schema(true)
        .set_str("datafusion.execution.time_zone", "UTC")
        // Long statements are read only for rows that match on the other columns.
        .set_bool("datafusion.execution.parquet.pushdown_filters", true)
        .set_bool("datafusion.execution.parquet.reorder_filters", true)
        // Joins on dictionary columns can panic with it; Delta's own session turns it off for that reason.
        .set_usize("datafusion.optimizer.hash_join_inlist_pushdown_max_size", 0)
        .set_usize("datafusion.optimizer.hash_join_inlist_pushdown_max_distinct_values", 0);
    let directory = match &options.spill_directory {
        Some(directory) => DiskManagerMode::Directories(vec![directory.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let disk =
        DiskManagerBuilder::default().with_mode(directory).with_max_temp_directory_size(options.spill_bytes);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(options.memory_bytes)))
        .with_disk_manager_builder(disk)
        .build_arc()?;
    place.register(&runtime)?;
    Ok(SessionContext::new_with_config_rt(config, runtime))
}

async fn newest(
    place: &Place,
    layout: &Layout,
    session: &SessionContext,
) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let log = place.log_store(layout);
    if !log.is_delta_table_location().await? {
        return Ok(Arc::new(EmptyTable::new((layout.schema)())));
    }
    let snapshot = Snapshot::try_new(log.as_ref(), None).await?;
    let config = DeltaScanConfig::new_from_session(&session.state()).with_wrap_partition_values(false);
    // Without a log store the provider cannot write, whatever a plan says.
    Ok(Arc::new(DeltaScanNext::new(snapshot, config)?))
}
