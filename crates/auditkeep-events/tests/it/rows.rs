//! Rows as derivation makes them, and archives in directories that vanish after the test.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use auditkeep_core::engine::Engine;
use auditkeep_core::event::columns::{EventColumns, RowContext};
use auditkeep_core::event::{Class, Event, Outcome, Problem, Sink, Span, Text};
use auditkeep_events::{DeltaTables, QueryEngine, QueryError};
use auditkeep_pipeline::table::Derived;
use deltalake_core::datafusion::error::DataFusionError;
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use tempfile::TempDir;
use url::Url;

/// 2026-03-01 10:00:00 UTC.
pub(crate) const MORNING: i64 = 1_772_359_200_000_000;
pub(crate) const MINUTE: i64 = 60_000_000;
pub(crate) const DAY: i64 = 1440 * MINUTE;

/// Rows of one commit, each of a hundred bytes.
pub(crate) struct Rows {
    columns: EventColumns,
    offset: u64,
}

impl Rows {
    pub(crate) fn of(trail: &str, commit: u64) -> Self {
        let mut columns = EventColumns::new(context(trail, commit));
        columns.set_segments(vec![(0, u64::MAX, format!("raw/{trail}/{commit}"))]);
        Self { columns, offset: 0 }
    }

    pub(crate) fn event(
        &mut self,
        time_us: Option<i64>,
        class: Class,
        fill: impl FnOnce(&mut Event<'static>),
    ) {
        let mut event = Event::new(self.span(), class);
        event.time_us = time_us;
        fill(&mut event);
        self.columns.event(event);
    }

    pub(crate) fn problem(&mut self) {
        let span = self.span();
        self.columns.problem(Problem { span, reason: "not a record", raw: b"\xffgarbage" });
    }

    fn span(&mut self) -> Span {
        let span = Span { offset: self.offset, length: 100 };
        self.offset += 100;
        span
    }

    pub(crate) fn finish(mut self) -> (Vec<RecordBatch>, Vec<RecordBatch>) {
        let parsed = self.columns.finish();
        (vec![parsed.events], vec![parsed.problems])
    }
}

fn context(trail: &str, commit: u64) -> RowContext {
    RowContext {
        account: "123456789012".into(),
        region: "eu-central-1".into(),
        engine: Engine::Postgres,
        cluster: None,
        instance: format!("db-of-{trail}"),
        resource_id: "db-ABCDEF".into(),
        trail: trail.into(),
        commit_number: commit,
        received_at_us: MORNING + DAY,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "reads as the field that it fills")]
pub(crate) fn text(value: &str) -> Option<Text<'static>> {
    Some(value.as_bytes().to_vec().into())
}

/// `count` events a minute apart and one problem, as what commit `commit` became.
pub(crate) fn derived(trail: &str, commit: u64, count: u64) -> Derived {
    let mut rows = Rows::of(trail, commit);
    for index in 0..count {
        // Backwards, so that sorting has something to do.
        let minutes = i64::try_from(commit * 100 + count - index).unwrap();
        rows.event(Some(MORNING + minutes * MINUTE), Class::Read, |event| {
            event.user_name = text("app");
            event.object_name = text("public.orders");
            event.statement = text(&format!("SELECT {index} FROM orders"));
            event.outcome = Outcome::Success;
        });
    }
    rows.problem();
    let (events, problems) = rows.finish();
    Derived { trail: trail.into(), after: commit.checked_sub(1), through: commit, events, problems }
}

/// What several commits became together.
pub(crate) fn together(parts: Vec<Derived>) -> Derived {
    let mut parts = parts.into_iter();
    let mut all = parts.next().unwrap();
    for part in parts {
        all.through = part.through;
        all.events.extend(part.events);
        all.problems.extend(part.problems);
    }
    all
}

pub(crate) struct Archive {
    pub(crate) directory: TempDir,
    pub(crate) url: Url,
}

impl Archive {
    pub(crate) fn new() -> Self {
        // A name that a URL has to escape.
        let directory = TempDir::with_prefix("audit keep%").unwrap();
        let url = Url::from_directory_path(directory.path()).unwrap();
        Self { directory, url }
    }

    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(LocalFileSystem::new_with_prefix(self.directory.path()).unwrap())
    }

    pub(crate) fn tables(&self) -> DeltaTables {
        DeltaTables::new(self.store(), self.url.clone())
    }

    pub(crate) async fn engine(&self) -> QueryEngine {
        QueryEngine::open(self.store(), self.url.clone()).await.unwrap()
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        count(&self.engine().await, sql).await
    }
}

pub(crate) async fn rows_of(engine: &QueryEngine, sql: &str) -> Result<Vec<RecordBatch>, QueryError> {
    let (_, stream) = engine.sql(sql).await?;
    stream.try_collect().await.map_err(|error: DataFusionError| engine.present(error))
}

/// The one number that the query answers.
pub(crate) async fn count(engine: &QueryEngine, sql: &str) -> i64 {
    let batches = rows_of(engine, sql).await.unwrap();
    batches[0].column(0).as_primitive::<Int64Type>().value(0)
}

/// Every value as text, a row per line, values separated by `|`.
pub(crate) fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("-");
    let mut lines = Vec::new();
    for batch in batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let values: Vec<_> = columns.iter().map(|column| column.value(row).to_string()).collect();
            lines.push(values.join("|"));
        }
    }
    lines
}
